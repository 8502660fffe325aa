//! Requests and responses of one IKE SA: message IDs with a window of one, repetition until an
//! answer comes, and the answer to a repeated request (RFC 7296 §2.1 to §2.3).

use super::config::Retransmit;
use super::fault::{self, Fault};
use super::fragments::Sealed;
use super::state::{State, StateReader, StateWriter, state_of_fields};
use crate::crypto::digest::sha256;
use crate::time::Timestamp;
use crate::wire::DecodeError;
use crate::wire::ike::{ExchangeType, MessageId};
use std::time::Duration;

/// No schedule repeats faster, not even one that was damaged on the way from another process.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// When a request is repeated.
#[derive(Clone, Debug)]
pub(super) struct Retransmission {
    first_sent: Timestamp,
    sent: u32,
    next: Timestamp,
    wait: Duration,
    growth_percent: u32,
    cap: Duration,
    deadline: Timestamp,
}

/// What is to be done with an unanswered request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Resend,
    GiveUp,
}

impl Retransmission {
    /// The schedule of a handshake, sent for the first time at `now`.
    pub(super) fn new(schedule: &Retransmit, now: Timestamp) -> Self {
        Retransmission {
            first_sent: now,
            sent: 1,
            next: now + schedule.first,
            wait: schedule.first,
            growth_percent: schedule.growth_percent,
            cap: schedule.cap,
            deadline: now + schedule.give_up,
        }
    }

    /// The schedule of an established IKE SA: several repetitions before the peer counts as
    /// unreachable, then a steady beat by which it is found again soon. Liveness decides when
    /// to give up.
    pub(super) fn steady(schedule: &Retransmit, now: Timestamp) -> Self {
        const GROWTH_PERCENT: u32 = 140;
        const CAP: Duration = Duration::from_secs(2);
        Retransmission {
            growth_percent: schedule.growth_percent.min(GROWTH_PERCENT),
            cap: schedule.cap.min(CAP),
            deadline: Timestamp::MAX,
            ..Retransmission::new(schedule, now)
        }
    }

    /// Advances the schedule past `now`.
    pub(super) fn on_timeout(&mut self, now: Timestamp) -> Due {
        if now >= self.deadline {
            return Due::GiveUp;
        }
        if now < self.next {
            return Due::Nothing;
        }
        self.wait = (self.wait.saturating_mul(self.growth_percent) / 100).min(self.cap);
        self.next = now + self.wait.max(SHORTEST_WAIT);
        self.sent = self.sent.saturating_add(1);
        Due::Resend
    }

    pub(super) fn next(&self) -> Timestamp {
        self.next.min(self.deadline)
    }

    pub(super) fn first_sent(&self) -> Timestamp {
        self.first_sent
    }

    pub(super) fn sent(&self) -> u32 {
        self.sent
    }

    /// Ends at `deadline` at the latest.
    pub(super) fn shorten(&mut self, deadline: Timestamp) {
        self.deadline = self.deadline.min(deadline);
    }

    /// The round-trip time that an answer at `now` shows; none when it may answer any of
    /// several datagrams.
    pub(super) fn round_trip(&self, now: Timestamp) -> Option<Duration> {
        (self.sent == 1).then(|| now - self.first_sent)
    }
}

/// Our requests, of which one at most is outstanding; `P` is what it is for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Requests<P> {
    next: MessageId,
    outstanding: Option<Outstanding<P>>,
}

/// A request without an answer.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Outstanding<P> {
    exchange: ExchangeType,
    id: MessageId,
    pub message: Sealed,
    pub retransmission: Retransmission,
    pub purpose: P,
}

impl<P> Requests<P> {
    /// Requests are numbered from `next` on.
    pub(super) fn from(next: u32) -> Self {
        Requests { next: MessageId(next), outstanding: None }
    }

    /// The number of the next request; `None` when one is outstanding, or all numbers are used.
    pub(super) fn vacancy(&self) -> Option<MessageId> {
        let numbers_left = self.next.0 < u32::MAX;
        (self.outstanding.is_none() && numbers_left).then_some(self.next)
    }

    /// Whether so many numbers are used that the IKE SA must be replaced soon (RFC 7296 §2.2).
    pub(super) fn wearing_out(&self) -> bool {
        self.next.0 > u32::MAX / 2
    }

    pub(super) fn start(
        &mut self,
        exchange: ExchangeType,
        message: Sealed,
        retransmission: Retransmission,
        purpose: P,
    ) {
        let id = self.next;
        self.outstanding = Some(Outstanding { exchange, id, message, retransmission, purpose });
        self.next = MessageId(self.next.0.saturating_add(1));
    }

    pub(super) fn outstanding(&self) -> Option<&Outstanding<P>> {
        self.outstanding.as_ref()
    }

    pub(super) fn outstanding_mut(&mut self) -> Option<&mut Outstanding<P>> {
        self.outstanding.as_mut()
    }

    pub(super) fn purpose(&self) -> Option<&P> {
        self.outstanding.as_ref().map(|outstanding| &outstanding.purpose)
    }

    /// Whether a response of this exchange with this number answers the outstanding request.
    pub(super) fn awaits(&self, exchange: ExchangeType, id: MessageId) -> bool {
        let asked = self.outstanding.as_ref();
        asked.is_some_and(|asked| (asked.exchange, asked.id) == (exchange, id))
    }

    /// Takes the outstanding request out; it has its answer, or needs none any more.
    pub(super) fn finish(&mut self) -> Option<Outstanding<P>> {
        self.outstanding.take()
    }
}

/// The peer's requests, and the last answer.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Responses {
    expected: MessageId,
    last: Option<Answer>,
}

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
struct Answer {
    request: [u8; 32],
    response: Sealed,
}

/// What a request's number makes of it.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The next one: to be processed.
    Next,
    /// The last one again, octet by octet: to be answered from the cache.
    Again(&'a Sealed),
    /// Anything else.
    Outside,
}

impl Responses {
    /// The peer's requests are numbered from `expected` on.
    pub(super) fn from(expected: u32) -> Self {
        Responses { expected: MessageId(expected), last: None }
    }

    pub(super) fn place(&self, id: MessageId, datagram: &[u8]) -> Place<'_> {
        if id == self.expected && id.0 != u32::MAX {
            return Place::Next;
        }
        match &self.last {
            Some(last) if last.request == sha256(&[datagram]) => {
                let anew = fault::is_on(Fault::AnswersAnew);
                if anew { Place::Next } else { Place::Again(&last.response) }
            }
            Some(_) | None => Place::Outside,
        }
    }

    /// The answer to the request of this number, if that is the last one.
    pub(super) fn last_answer(&self, id: MessageId) -> Option<&Sealed> {
        let is_last = id.0.checked_add(1) == Some(self.expected.0);
        self.last.as_ref().filter(|_| is_last).map(|last| &last.response)
    }

    /// Records the answer to the expected request, and expects the next.
    pub(super) fn answer(&mut self, request: [u8; 32], response: Sealed) {
        self.last = Some(Answer { request, response });
        self.expected = MessageId(self.expected.0.saturating_add(1));
    }
}

/// What remains of an IKE SA that is gone: the answer to the peer's last request, in case it
/// did not arrive.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct LastAnswer {
    request: [u8; 32],
    response: Sealed,
    pub expires_at: Timestamp,
}

impl LastAnswer {
    const LIFETIME: Duration = Duration::from_secs(10);

    pub(super) fn new(request: [u8; 32], response: Sealed, now: Timestamp) -> Self {
        LastAnswer { request, response, expires_at: now + LastAnswer::LIFETIME }
    }

    /// The response, when `datagram` is the request again.
    pub(super) fn to(&self, datagram: &[u8]) -> Option<&Sealed> {
        (self.request == sha256(&[datagram])).then_some(&self.response)
    }
}

impl Responses {
    /// What is to be kept when the IKE SA goes.
    pub(super) fn into_last_answer(self, now: Timestamp) -> Option<LastAnswer> {
        self.last.map(|last| LastAnswer::new(last.request, last.response, now))
    }
}

/// Only that of an established IKE SA goes to another process, and has no deadline.
impl State for Retransmission {
    fn write(&self, out: &mut StateWriter) {
        ((self.first_sent, self.sent), (self.next, self.wait)).write(out);
        (self.growth_percent, self.cap).write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let ((first_sent, sent), (next, wait)) = State::read(from)?;
        let (growth_percent, cap) = State::read(from)?;
        let deadline = Timestamp::MAX;
        Ok(Retransmission { first_sent, sent, next, wait, growth_percent, cap, deadline })
    }
}

state_of_fields!(Requests<P> { next, outstanding });
state_of_fields!(Outstanding<P> { exchange, id, message, retransmission, purpose });
state_of_fields!(Responses { expected, last });
state_of_fields!(Answer { request, response });
state_of_fields!(LastAnswer { request, response, expires_at });

#[cfg(test)]
mod tests;

//! The exchanges of one IKE SA: its keys, message IDs and windows in both directions, what is
//! repeated until an answer comes, and the answer that is given again (RFC 7296 §2.1 to §2.3).
//!
//! What requests are for is not known here: `P` is.

use super::super::context::Context;
use super::super::event::{IkeSaId, Role};
use super::super::exchange::{Due, LastAnswer, Place, Requests, Responses, Retransmission};
use super::super::fragments::{Fragmentation, Reassembly, Sealed, is_first_fragment};
use super::super::keys::IkeKeys;
use super::super::path::Path;
use super::super::protect::Opened;
use super::super::state::state_of_fields;
use super::super::stats::Discard;
use crate::time::Timestamp;
use crate::wire::ike::{ExchangeType, Flags, Header, MessageId, Payload};
use std::time::Duration;

/// An authentic request of the peer, new, and the path on which it came.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Request {
    pub opened: Opened,
    pub path: Path,
}

/// What a datagram is to the exchanges.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Arrival {
    /// A new request, authentic.
    Request(Opened),
    /// The answer to our outstanding request, authentic.
    Response(Opened),
    /// The last request again; this was the answer.
    Repetition(Sealed),
    /// A fragment, authentic; others of the same message are still to come.
    Partial,
    /// Nothing.
    Discarded(Discard),
}

/// Keys and windows of one IKE SA.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Exchanges<P> {
    pub id: IkeSaId,
    /// Our side of the exchange that made the IKE SA.
    pub role: Role,
    pub keys: IkeKeys,
    pub fragmentation: Fragmentation,
    requests: Requests<P>,
    responses: Responses,
    /// Fragments of the peer's next request, and of its answer to ours.
    incoming: Incoming,
}

/// Fragments of both directions.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
struct Incoming {
    request: Reassembly,
    answer: Reassembly,
}

impl<P> Exchanges<P> {
    /// Exchanges whose requests are numbered from `next` on, and the peer's from `expected` on.
    pub(super) fn new(
        (id, role): (IkeSaId, Role),
        keys: IkeKeys,
        fragmentation: Fragmentation,
        (next, expected): (u32, u32),
    ) -> Self {
        let (requests, responses) = (Requests::from(next), Responses::from(expected));
        let incoming = Incoming::default();
        Exchanges { id, role, keys, fragmentation, requests, responses, incoming }
    }

    /// What a datagram is whose header names this IKE SA. Nothing changes but that an authentic
    /// fragment is kept.
    pub(super) fn examine(&mut self, header: &Header, datagram: &[u8], now: Timestamp) -> Arrival {
        if header.flags.initiator == (self.role == Role::Initiator) {
            return Arrival::Discarded(Discard::Unexpected); // our own message, reflected
        }
        let (key, agreed) = (&self.keys.open, self.fragmentation.agreed);
        let opened = |incoming: &mut Reassembly, arrival: fn(Opened) -> Arrival| match incoming
            .open(key, agreed, datagram, now)
        {
            Ok(Some(opened)) => arrival(opened),
            Ok(None) => Arrival::Partial,
            Err(reason) => Arrival::Discarded(reason),
        };
        if header.flags.response {
            return match self.requests.awaits(header.exchange_type, header.message_id) {
                true => opened(&mut self.incoming.answer, Arrival::Response),
                false => Arrival::Discarded(Discard::StrayResponse),
            };
        }
        match self.responses.place(header.message_id, datagram) {
            Place::Outside => self.examine_outside(header, datagram),
            Place::Again(response) => Arrival::Repetition(response.clone()),
            Place::Next => opened(&mut self.incoming.request, Arrival::Request),
        }
    }

    /// The last request may come again cut into other fragments; its first fragment then stands
    /// for all (RFC 7383 §2.6.1).
    fn examine_outside(&self, header: &Header, datagram: &[u8]) -> Arrival {
        let again = self.responses.last_answer(header.message_id);
        let again = again.filter(|_| is_first_fragment(&self.keys.open, datagram));
        match again.filter(|_| self.fragmentation.agreed) {
            Some(response) => Arrival::Repetition(response.clone()),
            None => Arrival::Discarded(Discard::OutsideWindow),
        }
    }

    /// Forgets fragments that wait too long for others.
    pub(super) fn forget_old_fragments(&mut self, now: Timestamp) {
        self.incoming.request.forget_old(now);
        self.incoming.answer.forget_old(now);
    }

    fn header(&self, exchange: ExchangeType, response: bool, id: MessageId) -> Header {
        let initiator = self.role == Role::Initiator;
        let IkeSaId { local, remote } = self.id;
        let spis = if initiator { (local, remote) } else { (remote, local) };
        let flags = Flags { initiator, response, version: false };
        Header::new(spis.0, spis.1, exchange, flags, id)
    }

    /// Whether a request can be sent now: none is outstanding, and numbers are left.
    pub(super) fn is_free(&self) -> bool {
        self.requests.vacancy().is_some()
    }

    /// Whether so many numbers are used that the IKE SA must be replaced soon (RFC 7296 §2.2).
    pub(super) fn wearing_out(&self) -> bool {
        self.requests.wearing_out()
    }

    /// Sends a request, if one can be sent now, and repeats it on `schedule`.
    pub(super) fn ask(
        &mut self,
        path: &Path,
        exchange: ExchangeType,
        payloads: &[Payload],
        purpose: P,
        schedule: Retransmission,
        ctx: &mut Context<'_>,
    ) {
        let Some(id) = self.requests.vacancy() else { return };
        let header = self.header(exchange, false, id);
        let message = self.seal(&header, payloads, path);
        ctx.out.send_sealed(path, &message);
        self.requests.start(exchange, message, schedule, purpose);
    }

    /// Sends a request with `payloads` that no router may fragment, if a request can be sent now.
    /// Its repetitions are cut to what every path carries, so that the exchange ends all the same.
    pub(super) fn ask_whole(
        &mut self,
        path: &Path,
        payloads: &[Payload],
        purpose: impl FnOnce(usize) -> P,
        schedule: Retransmission,
        ctx: &mut Context<'_>,
    ) {
        let Some(id) = self.requests.vacancy() else { return };
        let exchange = ExchangeType::INFORMATIONAL;
        let header = self.header(exchange, false, id);
        let whole = self.keys.seal.seal(&header, payloads);
        ctx.out.send_whole(path, &whole);
        let purpose = purpose(whole.len());
        let anywhere = Fragmentation { path_mtu: None, ..self.fragmentation.on(path) };
        let message = match anywhere.agreed {
            true => anywhere.seal_fragments(&mut self.keys.seal, &header, payloads, path.remote),
            false => Sealed::whole(whole),
        };
        self.requests.start(exchange, message, schedule, purpose);
    }

    /// Octets of a request with these payloads.
    pub(super) fn length(&mut self, payloads: &[Payload]) -> usize {
        let header = self.header(ExchangeType::INFORMATIONAL, false, MessageId(0));
        self.keys.seal.seal(&header, payloads).len()
    }

    /// Whether the outstanding request was sent once only.
    pub(super) fn was_sent_once(&self) -> bool {
        self.requests.outstanding().is_some_and(|asked| asked.retransmission.sent() == 1)
    }

    fn seal(&mut self, header: &Header, payloads: &[Payload], path: &Path) -> Sealed {
        self.fragmentation.on(path).seal(&mut self.keys.seal, header, payloads, path.remote)
    }

    /// Answers the peer's request where it came from (RFC 7296 §2.11), and remembers the answer.
    pub(super) fn answer(
        &mut self,
        request: &Request,
        payloads: &[Payload],
        ctx: &mut Context<'_>,
    ) {
        let asked = request.opened.header();
        let header = self.header(asked.exchange_type, true, asked.message_id);
        let response = self.seal(&header, payloads, &request.path);
        ctx.out.send_sealed(&request.path, &response);
        self.responses.answer(request.opened.digest(), response);
    }

    /// Records the answer with which the handshake ended, as responder.
    pub(super) fn on_answered(&mut self, (id, request): (MessageId, [u8; 32]), response: Sealed) {
        self.responses = Responses::from(id.0);
        self.responses.answer(request, response);
    }

    /// Repeats the outstanding request on all of `ways` if that is due.
    pub(super) fn repeat(&mut self, ways: impl Iterator<Item = Path>, ctx: &mut Context<'_>) {
        let Some(outstanding) = self.requests.outstanding_mut() else { return };
        match outstanding.retransmission.on_timeout(ctx.now) {
            Due::Resend => ways.for_each(|path| self.send_again(&path, ctx)),
            Due::Nothing | Due::GiveUp => {}
        }
    }

    /// Sends the outstanding request once more, on this path.
    pub(super) fn send_again(&self, path: &Path, ctx: &mut Context<'_>) {
        if let Some(outstanding) = self.requests.outstanding() {
            ctx.out.stats.retransmitted += 1;
            ctx.out.send_sealed(path, &outstanding.message);
        }
    }

    /// Takes the outstanding request out, for its answer is there: what it was for.
    pub(super) fn finish(&mut self) -> Option<P> {
        self.requests.finish().map(|asked| asked.purpose)
    }

    /// The round-trip time that an answer at `now` to the outstanding request shows.
    pub(super) fn round_trip(&self, now: Timestamp) -> Option<Duration> {
        self.requests.outstanding().and_then(|asked| asked.retransmission.round_trip(now))
    }

    /// What the outstanding request is for.
    pub(super) fn purpose(&self) -> Option<&P> {
        self.requests.purpose()
    }

    pub(super) fn purpose_mut(&mut self) -> Option<&mut P> {
        self.requests.outstanding_mut().map(|asked| &mut asked.purpose)
    }

    /// Since when a request is unanswered.
    pub(super) fn asked_at(&self) -> Option<Timestamp> {
        self.requests.outstanding().map(|asked| asked.retransmission.first_sent())
    }

    /// When to repeat the outstanding request.
    pub(super) fn repeat_at(&self) -> Option<Timestamp> {
        self.requests.outstanding().map(|asked| asked.retransmission.next())
    }

    /// What must be kept to answer the peer's last request once more.
    pub(super) fn into_last_answer(self, now: Timestamp) -> Option<LastAnswer> {
        self.responses.into_last_answer(now)
    }
}

state_of_fields!(Exchanges<P> { id, role, keys, fragmentation, requests, responses, incoming });
state_of_fields!(Incoming { request, answer });

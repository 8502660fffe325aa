//! Whether the peer lives (RFC 7296 §2.4): when to probe it, when a silent one counts as
//! unreachable, and when as gone.
//!
//! ```text
//!                unanswered for `timeout`              silent for `give_up`
//!   reachable ─────────────────────────────► unreachable ─────────────────► gone
//!       ▲                                         │
//!       └────────────── a request is answered ────┘
//! ```

use super::config::LivenessConfig;
use super::state::{state_of_fields, state_of_variants};
use crate::time::Timestamp;
use std::time::Duration;

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Liveness {
    last_heard: Timestamp,
    last_answer: Timestamp,
    last_repeat: Option<Timestamp>,
    verdict: Verdict,
    round_trip: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Reachable,
    Unreachable { since: Timestamp },
}

/// What a judgement changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Unreachable { since: Timestamp },
    Gone { silent: Duration },
}

impl Liveness {
    pub(super) fn new(now: Timestamp) -> Self {
        Liveness {
            last_heard: now,
            last_answer: now,
            last_repeat: None,
            verdict: Verdict::Reachable,
            round_trip: None,
        }
    }

    /// Something authentic came from the peer: a new message, or an ESP packet.
    pub(super) fn on_heard(&mut self, now: Timestamp) {
        self.last_heard = self.last_heard.max(now);
    }

    /// The peer repeated a request that we have answered: what we send may not arrive.
    pub(super) fn on_repeat(&mut self, now: Timestamp) {
        self.last_repeat = Some(now);
    }

    /// A request was answered; true when the peer had been unreachable.
    pub(super) fn on_answer(&mut self, now: Timestamp, round_trip: Option<Duration>) -> bool {
        self.on_heard(now);
        self.last_answer = now;
        self.round_trip = round_trip.or(self.round_trip);
        let was_unreachable = self.verdict != Verdict::Reachable;
        self.verdict = Verdict::Reachable;
        was_unreachable
    }

    /// Judges at `now`, with a request unanswered since `asked`.
    pub(super) fn judge(
        &mut self,
        config: &LivenessConfig,
        asked: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Change> {
        let asked = asked?;
        if now >= self.gone_at(config, asked) {
            return Some(Change::Gone { silent: now - asked.min(self.last_heard) });
        }
        if self.verdict == Verdict::Reachable && now >= self.unreachable_at(config, asked) {
            self.verdict = Verdict::Unreachable { since: asked };
            return Some(Change::Unreachable { since: asked });
        }
        None
    }

    /// When the next probe is due, if no other request goes out before.
    pub(super) fn probe_at(&self, config: &LivenessConfig) -> Timestamp {
        self.last_answer + config.interval
    }

    /// When to judge again, with a request unanswered since `asked`.
    pub(super) fn judge_at(&self, config: &LivenessConfig, asked: Timestamp) -> Timestamp {
        match self.verdict {
            Verdict::Reachable => self.unreachable_at(config, asked),
            Verdict::Unreachable { .. } => self.gone_at(config, asked),
        }
    }

    /// A peer that still sends gets up to twice the time: it may be busy, or one datagram after
    /// the other may be lost. It gets none when it misses our answers as we miss its own: then
    /// the path works in one direction only.
    fn unreachable_at(&self, config: &LivenessConfig, asked: Timestamp) -> Timestamp {
        if self.last_repeat.is_some_and(|repeat| repeat > asked) {
            return asked + config.timeout;
        }
        let silent_from = self.last_heard.max(asked);
        (silent_from + config.timeout).min(asked + 2 * config.timeout)
    }

    /// While anything fresh comes, on the IKE SA or in a Child SA, the peer lives and its SAs are of use
    /// (RFC 7296 §2.4), whatever becomes of our requests.
    fn gone_at(&self, config: &LivenessConfig, asked: Timestamp) -> Timestamp {
        self.last_heard.max(asked) + config.give_up
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(super) fn last_heard(&self) -> Timestamp {
        self.last_heard
    }

    pub(super) fn last_answer(&self) -> Timestamp {
        self.last_answer
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

state_of_fields!(Liveness { last_heard, last_answer, last_repeat, verdict, round_trip });
state_of_variants!(Verdict { 0 => Reachable, 1 => Unreachable { since }, });

#[cfg(test)]
mod tests;

//! What happened lately: a short ring for every peer, and a longer one for the whole gateway, whose
//! events are numbered so that a reader can go on where it was. Newest last.

use super::diagnosis::Fact;
use crate::control::{Code, Severity};
use crate::net::PeerId;
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How many events a peer remembers.
pub(super) const RING_LEN: usize = 32;
/// How many events the gateway remembers.
pub(super) const JOURNAL_LEN: usize = 2048;

/// Something that happened, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PastEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What happened, with its cause.
    pub fact: Arc<Fact>,
}

/// How long the same failure is not told again.
const REPEATED: Duration = Duration::from_secs(600);

impl PastEvent {
    /// Whether this tells, not long before `now`, what `fact` does.
    pub(super) fn tells(&self, fact: &Fact, now: Timestamp) -> bool {
        let same = match (self.fact.code, fact.code) {
            // For how long there was no answer is no news.
            (Code::NoAnswer, Code::NoAnswer) | (Code::NoAnswerToAuth, Code::NoAnswerToAuth) => true,
            _ => *self.fact == *fact,
        };
        same && now.since(self.at) < REPEATED
    }
}

/// The last events of one peer, and those of them that the gateway has not taken down yet.
#[derive(Clone, Debug, Default)]
pub(super) struct EventRing {
    events: VecDeque<PastEvent>,
    fresh: usize,
}

impl EventRing {
    /// Remembers an event and forgets the oldest one when there are too many.
    pub(super) fn push(&mut self, event: PastEvent) {
        if self.events.len() == RING_LEN {
            self.events.pop_front();
        }
        self.events.push_back(event);
        self.fresh = (self.fresh + 1).min(RING_LEN);
    }

    /// The remembered events, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &PastEvent> {
        self.events.iter()
    }

    /// Whether the same was told since anything last went well.
    pub(super) fn was_told(&self, event: &PastEvent) -> bool {
        let failures = self.events.iter().rev();
        let mut failures =
            failures.take_while(|before| before.fact.code.severity() == Severity::Warning);
        failures.any(|before| before.tells(&event.fact, event.at))
    }

    /// The events since the last call, oldest first.
    pub(super) fn take_fresh(&mut self) -> impl Iterator<Item = PastEvent> {
        let known = self.events.len() - std::mem::take(&mut self.fresh);
        self.events.iter().skip(known).cloned()
    }
}

/// An event of the whole gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number.
    pub number: u64,
    /// The peer that it is about, by number and by name; a peer may be gone since.
    pub peer: Option<(PeerId, Arc<str>)>,
    /// What happened, and when.
    pub event: PastEvent,
}

/// The last events of the gateway. Numbers begin with 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    last: u64,
}

impl Journal {
    /// Takes an event down.
    pub(super) fn push(&mut self, peer: Option<(PeerId, Arc<str>)>, event: PastEvent) {
        if self.entries.len() == JOURNAL_LEN {
            self.entries.pop_front();
        }
        self.last += 1;
        self.entries.push_back(Entry { number: self.last, peer, event });
    }

    /// The number of the last event; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The remembered events with numbers above `number`, oldest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let first = self.entries.front().map_or(1, |entry| entry.number);
        let known = usize::try_from((number + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.entries.iter().skip(known)
    }

    /// How many events with numbers above `number` are forgotten.
    pub(super) fn missed(&self, number: u64) -> u64 {
        let first = self.entries.front().map_or(self.last + 1, |entry| entry.number);
        first.saturating_sub(number + 1)
    }
}

#[cfg(test)]
mod tests;

//! What happened lately: a short ring for every peer, and a longer one for the whole gateway, whose
//! events are numbered so that a reader can go on where it was. Newest last.

use super::diagnosis::Fact;
use crate::control::{Code, Severity};
use crate::net::PeerId;
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
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

/// How often things happened, by their codes.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(BTreeMap<Code, u64>);

impl Tally {
    fn count(&mut self, code: Code) {
        *self.0.entry(code).or_default() += 1;
    }

    /// What happened at all, by name.
    pub(super) fn by_name(&self) -> BTreeMap<String, u64> {
        self.0.iter().map(|(code, count)| (code.name().to_owned(), *count)).collect()
    }
}

/// The last events of one peer, those of them that the gateway has not taken down yet, and how many
/// there were of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct EventRing {
    events: VecDeque<PastEvent>,
    fresh: usize,
    tally: Tally,
}

impl EventRing {
    /// Remembers an event and forgets the oldest one when there are too many.
    pub(super) fn push(&mut self, event: PastEvent) {
        if self.events.len() == RING_LEN {
            self.events.pop_front();
        }
        self.tally.count(event.fact.code);
        self.events.push_back(event);
        self.fresh = (self.fresh + 1).min(RING_LEN);
    }

    /// Counts something that was told before and is not told again.
    pub(super) fn repeat(&mut self, code: Code) {
        self.tally.count(code);
    }

    /// How often things happened, told or not.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
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
    /// Events of no peer.
    tally: Tally,
    /// The last attempts at another configuration: one that was taken over, and one that was not.
    reloads: [Option<Timestamp>; 2],
}

impl Journal {
    /// Takes an event down.
    pub(super) fn push(&mut self, peer: Option<(PeerId, Arc<str>)>, event: PastEvent) {
        if self.entries.len() == JOURNAL_LEN {
            self.entries.pop_front();
        }
        self.last += 1;
        if peer.is_none() {
            self.tally.count(event.fact.code);
        }
        match event.fact.code {
            Code::Reloaded => self.reloads[0] = Some(event.at),
            Code::ReloadFailed => self.reloads[1] = Some(event.at),
            _ => {}
        }
        self.entries.push_back(Entry { number: self.last, peer, event });
    }

    /// How often things happened to the gateway as a whole.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// When another configuration was last taken over, and whether the last attempt did.
    pub(super) fn last_reload(&self) -> (Option<Timestamp>, bool) {
        let [taken, refused] = self.reloads;
        (taken, refused.is_none() || taken > refused)
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

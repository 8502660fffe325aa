//! What happened to a peer lately: a short ring of sentences, newest last.

use crate::time::Timestamp;
use std::collections::VecDeque;

/// How many events a peer remembers.
pub const RING_LEN: usize = 32;

/// Something that happened, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What happened, with its cause.
    pub text: String,
}

/// The last events of one peer.
#[derive(Clone, Debug, Default)]
pub struct EventRing {
    events: VecDeque<PastEvent>,
}

impl EventRing {
    /// Remembers an event and forgets the oldest one when there are too many.
    pub fn push(&mut self, at: Timestamp, text: impl Into<String>) {
        if self.events.len() == RING_LEN {
            self.events.pop_front();
        }
        self.events.push_back(PastEvent { at, text: text.into() });
    }

    /// The remembered events, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &PastEvent> {
        self.events.iter()
    }
}

#[cfg(test)]
mod tests;

//! How much a peer can make the gateway say: a few sentences a minute about the same thing, then
//! a count of those that were left out.

use crate::time::Timestamp;
use std::time::Duration;

/// Sentences that are told in one span.
const TOLD: u32 = 8;
/// The span.
const SPAN: Duration = Duration::from_secs(60);

/// How much was told lately about one thing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Telling {
    since: Option<Timestamp>,
    told: u32,
    left_out: u64,
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The sentence, and how many were left out before it.
    Tell {
        /// Sentences left out since the last one that was told.
        left_out: u64,
    },
    /// Nothing: this one is counted.
    LeaveOut,
}

impl Verdict {
    /// The sentence as it is told, with how many were left out before it.
    pub(super) fn complete(self, sentence: String) -> Option<String> {
        match self {
            Verdict::LeaveOut => None,
            Verdict::Tell { left_out: 0 } => Some(sentence),
            Verdict::Tell { left_out } => Some(format!("{sentence} ({left_out} more were before)")),
        }
    }
}

impl Telling {
    /// Whether another sentence is told at `now`.
    pub(super) fn ask(&mut self, now: Timestamp) -> Verdict {
        if self.since.is_none_or(|since| now.since(since) >= SPAN) {
            (self.since, self.told) = (Some(now), 0);
        }
        if self.told >= TOLD {
            self.left_out += 1;
            return Verdict::LeaveOut;
        }
        self.told += 1;
        Verdict::Tell { left_out: std::mem::take(&mut self.left_out) }
    }
}

#[cfg(test)]
mod tests;

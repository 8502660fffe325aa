//! Deadlines by key: armed, moved and popped in logarithmic time, so that nobody who waits for
//! the next of many has to look at all of them.

use super::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// At most one deadline for each key.
///
/// Deadlines come out in order of time, and those of the same time in order of their keys, so
/// the same run gives the same trace.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    queue: BTreeSet<(Timestamp, K)>,
    armed: BTreeMap<K, Timestamp>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Timers { queue: BTreeSet::new(), armed: BTreeMap::new() }
    }
}

impl<K: Clone + Ord> Timers<K> {
    /// Sets the deadline of `key` in place of the one it had; `None` disarms it.
    pub fn arm(&mut self, key: K, deadline: Option<Timestamp>) {
        let before = match deadline {
            Some(at) => self.armed.insert(key.clone(), at),
            None => self.armed.remove(&key),
        };
        if before == deadline {
            return;
        }
        if let Some(at) = before {
            self.queue.remove(&(at, key.clone()));
        }
        if let Some(at) = deadline {
            self.queue.insert((at, key));
        }
    }

    /// Whether `key` has a deadline.
    pub fn is_armed(&self, key: &K) -> bool {
        self.armed.contains_key(key)
    }

    /// The key of the earliest deadline that is not later than `now`, disarmed.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<K> {
        if self.queue.first()?.0 > now {
            return None;
        }
        let (_, key) = self.queue.pop_first()?;
        self.armed.remove(&key);
        Some(key)
    }

    /// The earliest deadline and its key.
    pub fn next(&self) -> Option<(Timestamp, K)> {
        self.queue.first().cloned()
    }

    /// How many deadlines are armed.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no deadline is armed.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests;

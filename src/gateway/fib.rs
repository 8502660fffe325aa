//! A FIB in two copies, so that one more prefix costs the same in a small and in a large one.
//!
//! ```text
//!   changes ──► current ──publish──► packet path
//!      │           ▲ │
//!      └─ log ──► spare ◄── what was published before, once nobody reads it any more
//! ```
//!
//! A published copy is never changed. The one before it catches up by the log of changes and
//! becomes the current one; only while somebody still reads both is a third one made.

use crate::forward::GroupId;
use crate::net::{Prefix, PrefixMap};
use std::sync::Arc;

/// A change: the group of a prefix, or that it has none.
type Change = (Prefix, Option<GroupId>);

/// Prefixes with their groups.
#[derive(Debug, Default)]
pub(super) struct Fib {
    current: Arc<PrefixMap<GroupId>>,
    spare: Option<Arc<PrefixMap<GroupId>>>,
    /// What the spare lacks, oldest first.
    log: Vec<Change>,
}

impl Fib {
    /// The FIB as the packet path may read it from now on.
    pub(super) fn publish(&self) -> Arc<PrefixMap<GroupId>> {
        Arc::clone(&self.current)
    }

    /// The group of exactly `prefix`.
    pub(super) fn get(&self, prefix: &Prefix) -> Option<GroupId> {
        self.current.get(prefix).copied()
    }

    /// Sets the group of a prefix, or takes the prefix out, and returns the group that it had.
    pub(super) fn set(&mut self, prefix: Prefix, group: Option<GroupId>) -> Option<GroupId> {
        if Arc::get_mut(&mut self.current).is_none() {
            self.exchange();
        }
        if self.spare.is_some() {
            self.log.push((prefix, group));
        }
        // A spare so far behind is not worth what it takes to catch up.
        if self.log.len() > self.current.len() {
            self.spare = None;
            self.log.clear();
        }
        apply(Arc::make_mut(&mut self.current), (prefix, group))
    }

    /// Puts a copy that nobody reads in the place of the current one.
    fn exchange(&mut self) {
        let caught_up = self.spare.take().and_then(|spare| catch_up(spare, &self.log));
        let next = caught_up.unwrap_or_else(|| Arc::new(PrefixMap::clone(&self.current)));
        self.log.clear();
        self.spare = Some(std::mem::replace(&mut self.current, next));
    }
}

/// The spare with all changes made, unless somebody still reads it.
fn catch_up(mut spare: Arc<PrefixMap<GroupId>>, log: &[Change]) -> Option<Arc<PrefixMap<GroupId>>> {
    let unread = Arc::get_mut(&mut spare)?;
    for &change in log {
        apply(unread, change);
    }
    Some(spare)
}

fn apply(map: &mut PrefixMap<GroupId>, (prefix, group): Change) -> Option<GroupId> {
    match group {
        Some(group) => map.insert(prefix, group),
        None => map.remove(&prefix),
    }
}

#[cfg(test)]
mod tests;

//! What has to be decided anew, and is so piece by piece: a neighbour that comes, goes or is judged by
//! another policy puts as many prefixes in doubt as it has announced, at once. What waits here takes the
//! same time to note for one prefix as for a million.

use super::Attributes;
use crate::net::{PeerId, Prefix};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What was announced by neighbours that have gone, and stands in the table still.
type Remains = (PeerId, BTreeMap<Prefix, Arc<Attributes>>);

/// A walk over all that a neighbour has announced.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    /// It has come so far.
    pub behind: Option<Prefix>,
    /// Each prefix is judged by the policy again.
    pub judges: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Single prefixes, and whether attributes of a path have changed.
    single: BTreeMap<Prefix, bool>,
    walks: BTreeMap<PeerId, Walk>,
    remains: VecDeque<Remains>,
}

impl Doubts {
    /// A path to a prefix has come, gone or changed.
    pub(super) fn add(&mut self, prefix: Prefix, has_news: bool) {
        *self.single.entry(prefix).or_default() |= has_news;
    }

    /// The next of those.
    pub(super) fn next(&mut self) -> Option<(Prefix, bool)> {
        self.single.pop_first()
    }

    /// A single prefix is decided.
    pub(super) fn settle(&mut self, prefix: &Prefix) {
        self.single.remove(prefix);
    }

    /// Everything that a neighbour has announced is in doubt.
    pub(super) fn walk(&mut self, peer: PeerId, judges: bool) {
        let walk = self.walks.entry(peer).or_default();
        *walk = Walk { behind: None, judges: walk.judges || judges };
    }

    /// A walk that has not come to its end.
    pub(super) fn next_walk(&self) -> Option<(PeerId, Walk)> {
        self.walks.first_key_value().map(|(peer, walk)| (*peer, *walk))
    }

    /// A walk has come so far; without a prefix, to its end.
    pub(super) fn follow(&mut self, peer: PeerId, to: Option<Prefix>) {
        match to {
            Some(prefix) => drop(self.walks.entry(peer).and_modify(|w| w.behind = Some(prefix))),
            None => drop(self.walks.remove(&peer)),
        }
    }

    /// All of this is gone, at once.
    pub(super) fn bury(&mut self, peer: PeerId, paths: BTreeMap<Prefix, Arc<Attributes>>) {
        self.walks.remove(&peer);
        if !paths.is_empty() {
            self.remains.push_back((peer, paths));
        }
    }

    /// The next prefix of which a path is gone, and whose it was.
    pub(super) fn next_remains(&mut self) -> Option<(PeerId, Prefix)> {
        let (peer, paths) = self.remains.front_mut()?;
        let next = paths.pop_first().map(|(prefix, _)| (*peer, prefix));
        if paths.is_empty() {
            self.remains.pop_front();
        }
        next
    }

    /// Whether nothing is in doubt.
    pub(super) fn is_empty(&self) -> bool {
        self.single.is_empty() && self.walks.is_empty() && self.remains.is_empty()
    }
}

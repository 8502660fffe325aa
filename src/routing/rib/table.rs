//! What is decided about every prefix, in as little room as there may be prefixes: who announces it and
//! who is in use is the same for very many of them, and is kept once ([`Pool`]).

use super::{Ranked, Reason};
use crate::net::{PeerId, Prefix};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeBounds;
use std::sync::Arc;

/// Neighbours with usable paths, as they were ranked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ranking {
    /// Best first; not empty.
    pub peers: Vec<Ranked>,
    /// The next hop in the VPC, where the best path is one of its routers'.
    pub home: Option<IpAddr>,
    /// Why the first is first.
    pub reason: Reason,
}

impl Ranking {
    /// What packets see of it.
    pub(super) fn ways(&self) -> (Option<IpAddr>, &[Ranked]) {
        (self.home, &self.peers)
    }
}

/// Values of which each is kept once, while somebody has it.
#[derive(Debug)]
struct Pool<T>(BTreeSet<Arc<T>>);

#[derive(Debug)]
struct Entry {
    /// Who has an accepted path, usable or not; in order.
    candidates: Arc<Vec<PeerId>>,
    /// As last decided.
    ranking: Option<Arc<Ranking>>,
}

/// Prefixes with their candidates and their rankings.
#[derive(Debug)]
pub(super) struct Table {
    entries: BTreeMap<Prefix, Entry>,
    candidates: Pool<Vec<PeerId>>,
    rankings: Pool<Ranking>,
}

impl Table {
    pub(super) fn new() -> Table {
        Table {
            entries: BTreeMap::new(),
            candidates: Pool(BTreeSet::new()),
            rankings: Pool(BTreeSet::new()),
        }
    }

    /// Who has an accepted path to a prefix.
    pub(super) fn candidates(&self, prefix: &Prefix) -> &[PeerId] {
        self.entries.get(prefix).map_or(&[], |entry| &entry.candidates)
    }

    /// How a prefix is reached, as last decided.
    pub(super) fn ranking(&self, prefix: &Prefix) -> Option<&Arc<Ranking>> {
        self.entries.get(prefix)?.ranking.as_ref()
    }

    /// Every prefix that is reached.
    pub(super) fn reached(&self) -> impl Iterator<Item = Prefix> {
        let reached = self.entries.iter().filter(|(_, entry)| entry.ranking.is_some());
        reached.map(|(prefix, _)| *prefix)
    }

    /// Prefixes in `range` to which somebody has a path.
    pub(super) fn prefixes(&self, range: impl RangeBounds<Prefix>) -> impl Iterator<Item = Prefix> {
        self.entries.range(range).map(|(prefix, _)| *prefix)
    }

    /// From now on a neighbour has a path to a prefix.
    pub(super) fn add(&mut self, prefix: Prefix, peer: PeerId) {
        let known = self.candidates(&prefix);
        let Err(place) = known.binary_search(&peer) else { return };
        let mut candidates = known.to_vec();
        candidates.insert(place, peer);
        self.set_candidates(prefix, candidates);
    }

    /// From now on it has none.
    pub(super) fn remove(&mut self, prefix: &Prefix, peer: PeerId) {
        let known = self.candidates(prefix);
        let Ok(place) = known.binary_search(&peer) else { return };
        let mut candidates = known.to_vec();
        candidates.remove(place);
        self.set_candidates(*prefix, candidates);
    }

    fn set_candidates(&mut self, prefix: Prefix, candidates: Vec<PeerId>) {
        let kept = self.candidates.keep(candidates);
        let entry = self.entries.entry(prefix);
        let entry = entry.or_insert_with(|| Entry { candidates: Arc::clone(&kept), ranking: None });
        self.candidates.give_back(std::mem::replace(&mut entry.candidates, kept));
        self.forget_if_empty(&prefix);
    }

    /// Notes how a prefix is reached now.
    pub(super) fn decide(&mut self, prefix: &Prefix, ranking: Option<Ranking>) {
        let Some(entry) = self.entries.get_mut(prefix) else { return };
        let kept = ranking.map(|ranking| self.rankings.keep(ranking));
        let before = std::mem::replace(&mut entry.ranking, kept);
        before.into_iter().for_each(|before| self.rankings.give_back(before));
        self.forget_if_empty(prefix);
    }

    fn forget_if_empty(&mut self, prefix: &Prefix) {
        let is_empty = |entry: &Entry| entry.candidates.is_empty() && entry.ranking.is_none();
        if self.entries.get(prefix).is_some_and(is_empty)
            && let Some(gone) = self.entries.remove(prefix)
        {
            self.candidates.give_back(gone.candidates);
        }
    }

    /// Prefixes, sets of candidates and rankings that are kept.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.entries.len(), self.candidates.0.len(), self.rankings.0.len())
    }
}

impl<T: Ord> Pool<T> {
    /// The one copy of a value.
    fn keep(&mut self, value: T) -> Arc<T> {
        if let Some(kept) = self.0.get(&value) {
            return Arc::clone(kept);
        }
        let kept = Arc::new(value);
        self.0.insert(Arc::clone(&kept));
        kept
    }

    /// Somebody does not need it any more.
    fn give_back(&mut self, value: Arc<T>) {
        // Its own and ours.
        if Arc::strong_count(&value) == 2 {
            self.0.remove(&value);
        }
    }
}

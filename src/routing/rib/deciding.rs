//! Deciding anew, so many prefixes at a time: what is in doubt waits in [`Doubts`](super::doubts::Doubts).

use super::doubts::Walk;
use super::table::Ranking;
use super::{Chosen, Ranked, Rib, Side, decision};
use crate::net::Prefix;
use std::ops::Bound;
use std::sync::Arc;

/// A prefix that was decided anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Which.
    pub prefix: Prefix,
    /// Whether its packets go by other neighbours than before, or in another order of preference. Else
    /// only what is told of its paths has changed.
    pub is_rerouted: bool,
}

impl Rib {
    /// Decides anew about prefixes whose paths changed, at most so many; comes back with those whose
    /// ranking did, or a path. A prefix without usable paths has an empty ranking.
    pub fn decide(&mut self, most: usize) -> Vec<Decided> {
        let in_doubt = std::iter::from_fn(|| {
            let (prefix, has_news) = self.next_in_doubt()?;
            Some(self.decide_one(prefix, has_news))
        });
        in_doubt.take(most).flatten().collect()
    }

    /// Whether everything is decided.
    pub fn is_decided(&self) -> bool {
        self.doubts.is_empty()
    }

    /// The next prefix to decide about, and whether attributes of a path to it have changed.
    fn next_in_doubt(&mut self) -> Option<(Prefix, bool)> {
        if let Some(single) = self.doubts.next() {
            return Some(single);
        }
        if let Some((peer, prefix)) = self.doubts.next_remains() {
            // It may have come back, and announced the same prefix.
            if self.peers.get(&peer).is_none_or(|rib| !rib.accepted.contains_key(&prefix)) {
                self.table.remove(&prefix, peer);
            }
            return Some((prefix, false));
        }
        self.next_walked()
    }

    /// The next prefix of a neighbour all of whose prefixes are in doubt.
    fn next_walked(&mut self) -> Option<(Prefix, bool)> {
        while let Some((peer, Walk { behind, judges })) = self.doubts.next_walk() {
            let behind = behind.map_or(Bound::Unbounded, Bound::Excluded);
            let accepted = self.peers.get(&peer).map(|rib| &rib.accepted);
            let next = accepted.and_then(|all| all.range((behind, Bound::Unbounded)).next());
            let next = next.map(|(prefix, attributes)| (*prefix, Arc::clone(attributes)));
            self.doubts.follow(peer, next.as_ref().map(|(prefix, _)| *prefix));
            let Some((prefix, attributes)) = next else { continue };
            if judges {
                self.judge_again(peer, prefix, attributes);
                self.doubts.settle(&prefix);
            }
            return Some((prefix, judges));
        }
        None
    }

    fn decide_one(&mut self, prefix: Prefix, has_news: bool) -> Option<Decided> {
        let ranking = decision::rank(self.usable_paths(&prefix), self.multipath);
        let ranking = ranking.map(Chosen::into_ranking);
        let before = self.table.ranking(&prefix).map(Arc::as_ref);
        if before == ranking.as_ref() && (before.is_none() || !has_news) {
            return None;
        }
        let is_rerouted = before.map(Ranking::ways) != ranking.as_ref().map(Ranking::ways);
        self.table.decide(&prefix, ranking);
        Some(Decided { prefix, is_rerouted })
    }
}

impl Chosen {
    /// What is kept of it.
    fn into_ranking(self) -> Ranking {
        let best = self.ranked.first();
        let home = best.filter(|best| best.side == Side::Vpc);
        let peers = self.ranked.iter().zip(&self.ties);
        Ranking {
            home: home.map(|best| best.attributes.next_hop),
            peers: peers.map(|(path, ties)| Ranked { peer: path.peer, ties: *ties }).collect(),
            reason: self.reason,
        }
    }
}

//! Ranked paths to next-hop groups: the forwarding side of one VPC.
//!
//! Prefixes that share a ranking of peers share a group, and the FIB maps prefixes to groups.
//! A failover changes which tunnel a group uses and nothing else, so its cost does not depend on
//! how many prefixes use the group (prefix-independent convergence). The FIB stands behind an
//! `Arc`: the packet path reads the copy that was published, and changes make a new one.

use super::failover::{self, Choice, Health};
use crate::forward::GroupId;
use crate::net::{PeerId, Prefix, PrefixMap};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A next-hop group: peers in order of preference, and the one in use.
#[derive(Clone, Debug)]
pub struct Group {
    /// Peers, best first.
    pub ranking: Vec<PeerId>,
    /// The peer in use; `None` when no tunnel of the ranking is usable.
    pub choice: Option<Choice>,
    users: usize,
}

/// The routes of one VPC as its packets see them.
#[derive(Debug, Default)]
pub struct VpcRoutes {
    fib: Arc<PrefixMap<GroupId>>,
    groups: Vec<Option<Group>>,
    by_ranking: BTreeMap<Vec<PeerId>, GroupId>,
    pinned: BTreeSet<Prefix>,
}

impl VpcRoutes {
    /// Routes `prefix` straight to `peer`, whatever is learned about the prefix: inside addresses
    /// of peers go this way, so that BGP never depends on routes that BGP brings.
    pub fn pin(&mut self, prefix: Prefix, peer: PeerId) {
        self.pinned.insert(prefix);
        self.set(prefix, &[peer]);
    }

    /// Takes a pinned route back.
    pub fn unpin(&mut self, prefix: &Prefix) {
        if self.pinned.remove(prefix) {
            self.set(*prefix, &[]);
        }
    }

    /// Sets the ranked paths of a learned prefix; an empty ranking withdraws it. Returns whether
    /// the prefix is routed now.
    pub fn learn(&mut self, prefix: Prefix, ranking: &[PeerId]) -> bool {
        if !self.pinned.contains(&prefix) {
            self.set(prefix, ranking);
        }
        self.fib.get(&prefix).is_some()
    }

    /// Chooses anew in every group; returns whether a group flipped.
    pub fn reselect(&mut self, health: impl Fn(PeerId) -> Health) -> bool {
        let mut flipped = false;
        for group in self.groups.iter_mut().flatten() {
            let choice = failover::choose(&group.ranking, &health);
            let same = choice.as_ref().map(|c| c.peer) == group.choice.as_ref().map(|c| c.peer);
            flipped |= !same;
            group.choice = choice;
        }
        flipped
    }

    /// The FIB as the packet path reads it.
    pub fn fib(&self) -> Arc<PrefixMap<GroupId>> {
        Arc::clone(&self.fib)
    }

    /// All groups by their number; numbers out of use hold `None`.
    pub fn groups(&self) -> &[Option<Group>] {
        &self.groups
    }

    /// The group that packets to `prefix` use.
    pub fn group_of(&self, prefix: &Prefix) -> Option<&Group> {
        let id = *self.fib.get(prefix)?;
        self.groups.get(index(id))?.as_ref()
    }

    /// How many learned prefixes are routed to `peer` now.
    pub fn learned_through(&self, peer: PeerId) -> usize {
        let to_peer = |id: &GroupId| {
            let group = self.groups.get(index(*id)).and_then(Option::as_ref);
            group.and_then(|group| group.choice.as_ref()).is_some_and(|choice| choice.peer == peer)
        };
        let routed = self.fib.iter().filter(|(_, id)| to_peer(id));
        routed.filter(|(prefix, _)| !self.pinned.contains(prefix)).count()
    }

    fn set(&mut self, prefix: Prefix, ranking: &[PeerId]) {
        let replaced = if ranking.is_empty() {
            self.fib.get(&prefix).copied().inspect(|_| {
                Arc::make_mut(&mut self.fib).remove(&prefix);
            })
        } else {
            let group = self.intern(ranking);
            Arc::make_mut(&mut self.fib).insert(prefix, group)
        };
        if let Some(old) = replaced {
            self.release(old);
        }
    }

    fn intern(&mut self, ranking: &[PeerId]) -> GroupId {
        let id = match self.by_ranking.get(ranking) {
            Some(&id) => id,
            None => self.create(ranking),
        };
        if let Some(Some(group)) = self.groups.get_mut(index(id)) {
            group.users += 1;
        }
        id
    }

    fn create(&mut self, ranking: &[PeerId]) -> GroupId {
        let free = self.groups.iter().position(Option::is_none);
        let place = free.unwrap_or(self.groups.len());
        let group = Group { ranking: ranking.to_vec(), choice: None, users: 0 };
        match self.groups.get_mut(place) {
            Some(slot) => *slot = Some(group),
            None => self.groups.push(Some(group)),
        }
        let id = GroupId(u32::try_from(place).unwrap_or(u32::MAX));
        self.by_ranking.insert(ranking.to_vec(), id);
        id
    }

    fn release(&mut self, id: GroupId) {
        let Some(slot) = self.groups.get_mut(index(id)) else { return };
        let Some(group) = slot else { return };
        group.users -= 1;
        if group.users == 0 {
            self.by_ranking.remove(&group.ranking);
            *slot = None;
        }
    }
}

fn index(id: GroupId) -> usize {
    id.0 as usize
}

#[cfg(test)]
mod tests;

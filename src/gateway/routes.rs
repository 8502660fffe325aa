//! Ranked paths to next-hop groups: the forwarding side of one VPC.
//!
//! Prefixes that share a ranking of peers share a group, and the FIB maps prefixes to groups.
//! A failover changes which tunnel a group uses and nothing else, so its cost does not depend on
//! how many prefixes use the group (prefix-independent convergence). The packet path reads the
//! copy of the FIB that was published, and changes go to another one ([`Fib`]).
//!
//! A peer knows its groups, so a tunnel that changes has those chosen anew that rank it, and no
//! others. What differs from what was published is remembered until it is published.

use super::failover::{self, Choice, Health};
use super::fib::Fib;
use super::multipath::{Multipath, Sharer};
use crate::forward::{Buckets, GroupId};
use crate::net::{PeerId, Prefix, PrefixMap};
use crate::routing::Ranked;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// More than any group's number.
const END: GroupId = GroupId(u32::MAX);

/// A next-hop group: peers in order of preference, and the one in use or those that share its flows.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// Peers, best first.
    pub ranking: Vec<Ranked>,
    /// The peers in use; `None` when no tunnel of the ranking is usable.
    pub choice: Option<Choice>,
    /// Which of them takes which flows; `None` when there is only one.
    pub buckets: Option<Arc<Buckets>>,
    /// Prefixes that use the group.
    users: usize,
    /// Those of them that were learned; the others are pinned.
    learned: usize,
    /// Some of the learned, to name them by.
    examples: BTreeSet<Prefix>,
    /// Those of the learned that the host refuses to route.
    refused: BTreeSet<Prefix>,
}

/// How many prefixes of a group, or of those that moved together, are known by name.
const EXAMPLES: usize = 4;

/// The peers whose tunnels carry a prefix, best first; nobody when it is not reached.
type Carriers = Arc<[PeerId]>;

/// Learned prefixes that go to other peers than before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Move {
    /// The peers that they went to.
    pub from: Carriers,
    /// The peers that they go to.
    pub to: Carriers,
    /// How many.
    pub count: usize,
    /// Some of them.
    pub examples: Vec<Prefix>,
}

impl Move {
    fn add(&mut self, count: usize, examples: impl IntoIterator<Item = Prefix>) {
        self.count += count;
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(examples.into_iter().take(room));
    }
}

/// The routes of one VPC as its packets see them.
#[derive(Debug, Default)]
pub(super) struct VpcRoutes {
    fib: Fib,
    groups: Vec<Option<Group>>,
    free: BTreeSet<GroupId>,
    /// The groups that rank a peer.
    of_peer: BTreeSet<(PeerId, GroupId)>,
    /// Groups whose choice may not be the right one any more.
    stale: BTreeSet<GroupId>,
    /// Groups that differ from what was published.
    changed: BTreeSet<GroupId>,
    /// Whether these or the FIB differ from what was published.
    unpublished: bool,
    /// Groups that have never chosen.
    unchosen: BTreeSet<GroupId>,
    /// Learned prefixes that came to a group, by the peers that they went to before.
    regrouped: BTreeMap<(Carriers, Option<GroupId>), Move>,
    /// Groups whose packets go elsewhere, by the peers before and after.
    flipped: BTreeMap<(Carriers, Carriers), Move>,
    by_ranking: BTreeMap<Vec<Ranked>, GroupId>,
    multipath: Multipath,
    pinned: BTreeSet<Prefix>,
    /// Prefixes that the host refuses to route.
    refused: BTreeSet<Prefix>,
}

impl VpcRoutes {
    /// Routes `prefix` straight to `peer`, whatever is learned about the prefix: inside addresses
    /// of peers go this way, so that BGP never depends on routes that BGP brings.
    pub(super) fn pin(&mut self, prefix: Prefix, peer: PeerId) {
        self.set(prefix, &[]);
        self.pinned.insert(prefix);
        self.set(prefix, &[Ranked { peer, ties: false }]);
    }

    /// Says by what peers share flows that rank alike; with nobody named, one carries all of a prefix.
    pub(super) fn set_multipath(&mut self, sharers: BTreeMap<PeerId, Sharer>) {
        if self.multipath.set(sharers) {
            let all = (0..).map(GroupId).zip(&self.groups);
            self.stale.extend(all.filter(|(_, group)| group.is_some()).map(|(id, _)| id));
        }
    }

    /// Takes a pinned route back.
    pub(super) fn unpin(&mut self, prefix: &Prefix) {
        if self.pinned.contains(prefix) {
            self.set(*prefix, &[]);
            self.pinned.remove(prefix);
        }
    }

    /// Sets the ranked paths of a learned prefix; an empty ranking withdraws it. Returns whether
    /// the prefix is routed now.
    pub(super) fn learn(&mut self, prefix: Prefix, ranking: &[Ranked]) -> bool {
        if !self.pinned.contains(&prefix) {
            let from = self.carriers(self.fib.get(&prefix));
            self.set(prefix, ranking);
            let key = (from, self.fib.get(&prefix));
            self.regrouped.entry(key).or_default().add(1, [prefix]);
        }
        self.fib.get(&prefix).is_some()
    }

    /// The tunnel to a peer changed: its groups choose anew, and are published anew.
    pub(super) fn mark(&mut self, peer: PeerId) {
        let groups: Vec<GroupId> = self.groups_of(peer).collect();
        self.unpublished |= !groups.is_empty();
        self.stale.extend(&groups);
        self.changed.extend(&groups);
    }

    /// Chooses anew where the choice may be another one; returns whether a group flipped.
    pub(super) fn reselect(&mut self, health: impl Fn(PeerId) -> Health) -> bool {
        let mut flipped = false;
        while let Some(id) = self.stale.pop_first() {
            let Some(Some(group)) = self.groups.get_mut(index(id)) else { continue };
            let may_share = |one, other| self.multipath.may_share(one, other);
            let choice = failover::choose(&group.ranking, may_share, &health);
            let (from, to) = (carriers(group.choice.as_ref()), carriers(choice.as_ref()));
            let is_new = self.unchosen.remove(&id);
            let buckets = self.multipath.buckets(&to);
            let is_same = from == to && buckets == group.buckets;
            (group.choice, group.buckets) = (choice, buckets);
            if from != to && !is_new && group.learned > 0 {
                let moved = self.flipped.entry((from, to)).or_default();
                moved.add(group.learned, group.examples.iter().copied());
            }
            if !is_same {
                self.changed.insert(id);
                flipped = true;
            }
        }
        self.unpublished |= flipped;
        flipped
    }

    /// Where learned prefixes have gone since the last call, once all groups have chosen: those that
    /// moved between the same peers together.
    pub(super) fn take_moves(&mut self) -> Vec<Move> {
        let mut moves = std::mem::take(&mut self.flipped);
        for ((from, group), moved) in std::mem::take(&mut self.regrouped) {
            let to = self.carriers(group);
            moves.entry((from, to)).or_default().add(moved.count, moved.examples);
        }
        let moves = moves.into_iter().filter(|((from, to), _)| from != to);
        moves.map(|((from, to), moved)| Move { from, to, ..moved }).collect()
    }

    /// Whether packets do not see yet what holds.
    pub(super) fn is_unpublished(&self) -> bool {
        self.unpublished
    }

    /// The groups that differ from what was published, as they are now; the caller publishes them with
    /// the FIB.
    pub(super) fn take_changed(&mut self) -> impl Iterator<Item = (GroupId, Option<&Group>)> {
        self.unpublished = false;
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|id| (id, self.group(id)))
    }

    /// The FIB as the packet path reads it.
    pub(super) fn fib(&self) -> Arc<PrefixMap<GroupId>> {
        self.fib.publish()
    }

    /// How many groups are in use.
    #[cfg(test)]
    pub(super) fn group_count(&self) -> usize {
        self.groups.iter().flatten().count()
    }

    /// The group that packets to `prefix` use.
    pub(super) fn group_of(&self, prefix: &Prefix) -> Option<&Group> {
        self.group(self.fib.get(prefix)?)
    }

    /// Takes over whether the host routes a prefix.
    pub(super) fn set_carried(&mut self, prefix: Prefix, carried: bool) {
        if carried {
            self.refused.remove(&prefix);
        } else {
            self.refused.insert(prefix);
        }
        self.count_refused(prefix);
    }

    /// Counts a prefix among the refused ones of its group if it is one.
    fn count_refused(&mut self, prefix: Prefix) {
        let is_refused = self.refused.contains(&prefix) && !self.pinned.contains(&prefix);
        let group = self.fib.get(&prefix).and_then(|id| self.groups.get_mut(index(id)));
        match group {
            Some(Some(group)) if is_refused => drop(group.refused.insert(prefix)),
            Some(Some(group)) => drop(group.refused.remove(&prefix)),
            Some(None) | None => {}
        }
    }

    /// How many learned prefixes are routed to `peer` now, by us and by the host.
    pub(super) fn learned_through(&self, peer: PeerId) -> usize {
        self.groups_through(peer).map(|group| group.learned - group.refused.len()).sum()
    }

    /// How many learned prefixes would be routed to `peer` now, did the host not refuse.
    pub(super) fn refused_through(&self, peer: PeerId) -> usize {
        self.groups_through(peer).map(|group| group.refused.len()).sum()
    }

    /// Those prefixes.
    pub(super) fn refused_prefixes(&self, peer: PeerId) -> impl Iterator<Item = Prefix> {
        self.groups_through(peer).flat_map(|group| &group.refused).copied()
    }

    /// The peers that share flows with `peer` now.
    pub(super) fn sharing_with(&self, peer: PeerId) -> BTreeSet<PeerId> {
        let choices = self.groups_through(peer).filter_map(|group| group.choice.as_ref());
        let peers = choices.flat_map(|choice| choice.peers.iter().copied());
        peers.filter(|other| *other != peer).collect()
    }

    /// The groups whose packets go to `peer` now, or some of them.
    fn groups_through(&self, peer: PeerId) -> impl Iterator<Item = &Group> {
        let groups = self.groups_of(peer).filter_map(|id| self.group(id));
        groups.filter(move |group| {
            group.choice.as_ref().is_some_and(|choice| choice.peers.contains(&peer))
        })
    }

    fn groups_of(&self, peer: PeerId) -> impl Iterator<Item = GroupId> {
        self.of_peer.range((peer, GroupId(0))..=(peer, END)).map(|(_, id)| *id)
    }

    fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(index(id))?.as_ref()
    }

    fn carriers(&self, id: Option<GroupId>) -> Carriers {
        carriers(id.and_then(|id| self.group(id)?.choice.as_ref()))
    }

    fn set(&mut self, prefix: Prefix, ranking: &[Ranked]) {
        let learned = usize::from(!self.pinned.contains(&prefix));
        let replaced = if ranking.is_empty() {
            // A FIB is copied to be changed; one that does not know the prefix stays.
            self.fib.get(&prefix).and_then(|_| self.fib.set(prefix, None))
        } else {
            self.unpublished = true;
            let group = self.intern(prefix, ranking, learned);
            self.fib.set(prefix, Some(group))
        };
        if let Some(old) = replaced {
            self.unpublished = true;
            self.release(&prefix, old, learned);
        }
        self.count_refused(prefix);
    }

    fn intern(&mut self, prefix: Prefix, ranking: &[Ranked], learned: usize) -> GroupId {
        let id = match self.by_ranking.get(ranking) {
            Some(&id) => id,
            None => self.create(ranking),
        };
        if let Some(Some(group)) = self.groups.get_mut(index(id)) {
            group.users += 1;
            group.learned += learned;
            if learned > 0 && group.examples.len() < EXAMPLES {
                group.examples.insert(prefix);
            }
        }
        id
    }

    fn create(&mut self, ranking: &[Ranked]) -> GroupId {
        let next = GroupId(u32::try_from(self.groups.len()).unwrap_or(u32::MAX));
        let id = self.free.pop_first().unwrap_or(next);
        let group = Group { ranking: ranking.to_vec(), ..Group::default() };
        match self.groups.get_mut(index(id)) {
            Some(slot) => *slot = Some(group),
            None => self.groups.push(Some(group)),
        }
        self.of_peer.extend(ranking.iter().map(|one| (one.peer, id)));
        self.by_ranking.insert(ranking.to_vec(), id);
        self.unchosen.insert(id);
        self.stale.insert(id);
        self.changed.insert(id);
        id
    }

    fn release(&mut self, prefix: &Prefix, id: GroupId, learned: usize) {
        let Some(slot) = self.groups.get_mut(index(id)) else { return };
        let Some(group) = slot else { return };
        group.users -= 1;
        group.learned -= learned;
        group.refused.remove(prefix);
        group.examples.remove(prefix);
        if group.users == 0 {
            self.by_ranking.remove(&group.ranking);
            for one in &group.ranking {
                self.of_peer.remove(&(one.peer, id));
            }
            *slot = None;
            self.unchosen.remove(&id);
            self.free.insert(id);
            self.changed.insert(id);
        }
    }
}

impl Group {
    /// The peer in use, or the best of those that share.
    pub(super) fn first(&self) -> Option<PeerId> {
        self.choice.as_ref()?.peers.first().copied()
    }

    /// The part of the flows that goes to a peer, in percent; `None` where nothing is shared.
    pub(super) fn percent(&self, peer: PeerId) -> Option<f64> {
        let (choice, buckets) = (self.choice.as_ref()?, self.buckets.as_ref()?);
        let place = choice.peers.iter().position(|other| *other == peer)?;
        Some(buckets.percent(place))
    }
}

fn carriers(choice: Option<&Choice>) -> Carriers {
    choice.map_or_else(Carriers::default, |choice| Arc::clone(&choice.peers))
}

fn index(id: GroupId) -> usize {
    id.0 as usize
}

#[cfg(test)]
mod tests;

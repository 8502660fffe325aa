//! The routes of one VPC: what each neighbour announced (Adj-RIB-In), which of it may be used,
//! which path wins and why (RFC 4271 §9.1). Nothing here knows sessions or messages.
//!
//! ```text
//!  announce ─► admission ─► Adj-RIB-In ─► decision ─► ranked paths ─► changes
//!                  │ no                       ▲
//!                  └─► rejected, with reason  └── usable? local prefixes
//! ```

mod adj_rib_in;
mod admission;
mod deciding;
mod decision;
mod doubts;
mod ledger;
mod reach;
mod table;

pub use admission::{RejectReason, Rejections, Reserved};
pub use deciding::Decided;
pub use decision::{Reason, Source};
pub use reach::{Reach, Share};

use crate::net::{Asn, PeerId, Prefix, PrefixSet};
use crate::routing::attributes::{Attributes, Role};
use crate::routing::policy::Rule;
use adj_rib_in::AdjRibIn;
use doubts::Doubts;
use ledger::Ledger;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeBounds;
use std::sync::Arc;
use table::Table;

/// On which side of the gateway a neighbour is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Behind a tunnel, which is the way to all that it announces.
    #[default]
    Tunnel,
    /// In the VPC: what it announces is at home there, behind a next hop on the VPC's network.
    Vpc,
}

/// What the table must know of a neighbour.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What the neighbour may announce: prefixes that one of these covers.
    pub import: PrefixSet,
    /// What we are to it (RFC 9234).
    pub role: Option<Role>,
    /// What the operator says of its routes.
    pub rules: Arc<[Rule]>,
    /// How much its paths are preferred; the higher wins.
    pub local_preference: u32,
    /// Most prefixes that are kept of it, rejected ones included.
    pub max_prefixes: u32,
    /// Our own address towards it.
    pub own_address: Option<IpAddr>,
    /// Where it is.
    pub side: Side,
    /// What kind of neighbour it is.
    pub source: Source,
}

/// The most that all paths of one neighbour may take of memory, in octets: what it may announce in
/// prefixes fits when a set of attributes is not larger than usual, or shared.
pub const MAX_OCTETS: usize = 64 << 20;

/// The neighbour announced more than it may; its session has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// More prefixes than its policy lets it.
    Prefixes,
    /// More than [`MAX_OCTETS`].
    Octets,
}

/// A usable path, with all that it is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The neighbour that announced it.
    pub peer: PeerId,
    /// What kind of neighbour that is.
    pub source: Source,
    /// Where it is.
    pub side: Side,
    /// Preference of the neighbour; 0 for a path that is about to go.
    pub local_preference: u32,
    /// BGP Identifier of the neighbour, or of the speaker of our AS that brought the route (RFC 4456 §9).
    pub identifier: Ipv4Addr,
    /// How much of the prefix its tunnel takes.
    pub share: Share,
    /// Attributes as announced, and changed by the operator's rules.
    pub attributes: Arc<Attributes>,
}

/// How packets to a prefix leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The usable paths, best first.
    pub ranked: Vec<Path>,
    /// Of each of them, whether packets may take it as well as the one before it, since only the tie-break
    /// puts it behind.
    pub ties: Vec<bool>,
    /// Why the first is first.
    pub reason: Reason,
}

/// A neighbour in a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ranked {
    /// Which.
    pub peer: PeerId,
    /// Whether its path is as good as that of the one before it, so that both may share packets.
    pub ties: bool,
}

/// The table.
#[derive(Debug)]
pub struct Rib {
    asn: Asn,
    identifier: Ipv4Addr,
    local: PrefixSet,
    underlay: Reserved,
    /// Neighbours whose paths tie carry packets together.
    multipath: bool,
    peers: BTreeMap<PeerId, AdjRibIn>,
    table: Table,
    doubts: Doubts,
}

impl Rib {
    /// An empty table of the speaker of AS `asn` with this BGP Identifier.
    pub fn new(asn: Asn, identifier: Ipv4Addr) -> Rib {
        Rib {
            asn,
            identifier,
            local: PrefixSet::new(),
            underlay: Reserved::default(),
            multipath: false,
            peers: BTreeMap::new(),
            table: Table::new(),
            doubts: Doubts::default(),
        }
    }

    /// Changes our own AS and BGP Identifier.
    pub fn set_speaker(&mut self, asn: Asn, identifier: Ipv4Addr) {
        if (self.asn, self.identifier) != (asn, identifier) {
            (self.asn, self.identifier) = (asn, identifier);
            for peer in self.peer_ids() {
                self.readmit(peer);
            }
        }
    }

    /// Says whether paths that tie are used together. If not, it is not told which tie.
    pub fn set_multipath(&mut self, multipath: bool) {
        if self.multipath != multipath {
            self.multipath = multipath;
            self.peer_ids().into_iter().for_each(|peer| self.doubts.walk(peer, false));
        }
    }

    /// Sets the prefixes that are at home here. Neither they nor parts of them are ever reached
    /// through a neighbour.
    pub fn set_local(&mut self, local: PrefixSet) {
        if self.local == local {
            return;
        }
        self.local = local;
        for peer in self.peer_ids() {
            self.readmit(peer);
        }
    }

    /// Sets the prefixes of the underlay, into which no path may reach.
    pub fn set_underlay(&mut self, underlay: Reserved) {
        if self.underlay != underlay {
            self.underlay = underlay;
            self.peer_ids().into_iter().for_each(|peer| self.readmit(peer));
        }
    }

    /// Adds a neighbour, or judges what it announced by a new policy.
    pub fn set_policy(&mut self, peer: PeerId, policy: Policy) {
        match self.peers.get_mut(&peer) {
            Some(rib) if rib.policy == policy => return,
            Some(rib) => rib.policy = policy,
            None => return drop(self.peers.insert(peer, AdjRibIn::new(policy))),
        }
        self.readmit(peer);
    }

    /// Says whether the tunnel of a neighbour carries packets. Its paths wait while it does not.
    pub fn set_usable(&mut self, peer: PeerId, usable: bool) {
        let Some(rib) = self.peers.get_mut(&peer) else { return };
        if rib.usable != usable {
            rib.usable = usable;
            self.doubts.walk(peer, false);
        }
    }

    /// Says which destinations the tunnel of a neighbour takes. Paths to others wait.
    pub fn set_reach(&mut self, peer: PeerId, reach: Reach) {
        let Some(rib) = self.peers.get_mut(&peer) else { return };
        if rib.reach != reach {
            rib.reach = reach;
            self.doubts.walk(peer, false);
        }
    }

    /// The accepted prefixes of a neighbour that its tunnel does not take.
    pub fn unreached(&self, peer: PeerId) -> impl Iterator<Item = Prefix> {
        let rib = self.peers.get(&peer).filter(|rib| rib.reach != Reach::Everything);
        rib.into_iter().flat_map(|rib| {
            rib.accepted.keys().filter(|prefix| rib.reach.share_of(prefix) == Share::None).copied()
        })
    }

    /// Notes the BGP Identifier of a neighbour.
    pub fn set_identifier(&mut self, peer: PeerId, identifier: Ipv4Addr) {
        if let Some(rib) = self.peers.get_mut(&peer) {
            rib.identifier = identifier;
            self.doubts.walk(peer, false);
        }
    }

    /// Takes in a path; an earlier one of the neighbour to the same prefix is replaced (implicit
    /// withdraw, RFC 4271 §9.1.4). Comes back with the reason when it is rejected.
    ///
    /// # Errors
    /// The neighbour has announced more than it may.
    pub fn announce(
        &mut self,
        peer: PeerId,
        prefix: Prefix,
        attributes: Arc<Attributes>,
    ) -> Result<Option<RejectReason>, Excess> {
        let verdict = self.judge(peer, &prefix, &attributes);
        let Some(rib) = self.peers.get_mut(&peer) else { return Ok(None) };
        if !rib.has_room_for(&prefix) {
            return Err(Excess::Prefixes);
        }
        if rib.ledger.octets() > MAX_OCTETS {
            return Err(Excess::Octets);
        }
        rib.stale.remove(&prefix);
        match verdict {
            None => self.accept(peer, prefix, attributes),
            Some(reason) => {
                let changed = rib.reject(prefix, reason, attributes);
                self.drop_accepted(peer, &prefix);
                return Ok(changed.then_some(reason));
            }
        }
        Ok(None)
    }

    /// Takes out a path.
    pub fn withdraw(&mut self, peer: PeerId, prefix: &Prefix) {
        if let Some(rib) = self.peers.get_mut(&peer) {
            rib.drop_rejected(prefix);
        }
        self.drop_accepted(peer, prefix);
    }

    /// Takes out every path of a neighbour: its session ended.
    pub fn forget(&mut self, peer: PeerId) {
        let Some(rib) = self.peers.get_mut(&peer) else { return };
        rib.rejected = Rejections::default();
        rib.stale.clear();
        rib.ledger = Ledger::default();
        self.doubts.bury(peer, std::mem::take(&mut rib.accepted));
    }

    /// What a neighbour has announced of some prefixes holds on, and has to be announced again.
    pub(super) fn mark_stale(&mut self, peer: PeerId, is_meant: impl Fn(&Prefix) -> bool) {
        if let Some(rib) = self.peers.get_mut(&peer) {
            let meant = rib.accepted.keys().filter(|prefix| is_meant(prefix));
            rib.stale.extend(meant);
        }
    }

    /// Takes out what a neighbour has not announced again of some prefixes.
    pub(super) fn sweep(&mut self, peer: PeerId, is_meant: impl Fn(&Prefix) -> bool) {
        let Some(rib) = self.peers.get(&peer) else { return };
        let meant = rib.stale.iter().filter(|prefix| is_meant(prefix));
        for prefix in meant.copied().collect::<Vec<_>>() {
            self.drop_accepted(peer, &prefix);
        }
    }

    /// How many prefixes of a neighbour have to be announced again.
    pub(super) fn stale_count(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, |rib| rib.stale.len())
    }

    /// Removes a neighbour.
    pub fn remove(&mut self, peer: PeerId) {
        self.forget(peer);
        self.peers.remove(&peer);
    }

    /// How packets to `prefix` leave, as last decided.
    pub fn chosen(&self, prefix: &Prefix) -> Option<Chosen> {
        let ranking = self.table.ranking(prefix)?;
        let known =
            ranking.peers.iter().filter_map(|one| Some((self.path(one.peer, prefix)?, one.ties)));
        let (ranked, ties): (Vec<Path>, Vec<bool>) = known.unzip();
        (!ranked.is_empty()).then_some(Chosen { ranked, ties, reason: ranking.reason })
    }

    /// The best path to `prefix`, as last decided.
    pub fn best(&self, prefix: &Prefix) -> Option<Path> {
        let ranking = self.table.ranking(prefix)?;
        ranking.peers.iter().find_map(|one| self.path(one.peer, prefix))
    }

    /// By whose tunnels packets to `prefix` leave, best first; or the next hop in the VPC, if that is
    /// where they go.
    pub fn ways(&self, prefix: &Prefix) -> (Vec<Ranked>, Option<IpAddr>) {
        let Some(ranking) = self.table.ranking(prefix) else { return (Vec::new(), None) };
        if ranking.home.is_some() {
            return (Vec::new(), ranking.home);
        }
        let is_behind_tunnel =
            |peer: PeerId| self.peers.get(&peer).is_some_and(|rib| rib.policy.side == Side::Tunnel);
        // Who ties with a router of the VPC that is left out ties with nobody before that.
        let (mut ways, mut tied) = (Vec::with_capacity(ranking.peers.len()), true);
        for &Ranked { peer, ties } in &ranking.peers {
            tied &= ties;
            if is_behind_tunnel(peer) {
                ways.push(Ranked { peer, ties: std::mem::replace(&mut tied, true) });
            }
        }
        (ways, None)
    }

    /// Every prefix that is reached through a neighbour, as last decided.
    pub fn reached(&self) -> impl Iterator<Item = Prefix> {
        self.table.reached()
    }

    /// Prefixes in `range` to which some neighbour has an accepted path, usable or not.
    pub fn prefixes(&self, range: impl RangeBounds<Prefix>) -> impl Iterator<Item = Prefix> {
        self.table.prefixes(range)
    }

    /// Accepted paths to `prefix` that wait for their tunnels to carry them.
    pub fn waiting(&self, prefix: &Prefix) -> impl Iterator<Item = (PeerId, &Arc<Attributes>)> {
        self.table.candidates(prefix).iter().filter_map(move |peer| {
            let rib = self.peers.get(peer).filter(|rib| rib.share_of(prefix) == Share::None)?;
            Some((*peer, rib.accepted.get(prefix)?))
        })
    }

    /// How many prefixes of a neighbour are accepted.
    pub fn accepted_count(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, |rib| rib.accepted.len())
    }

    /// How many prefixes of a neighbour are kept, and how many may be.
    pub(super) fn fill(&self, peer: PeerId) -> (usize, usize) {
        let Some(rib) = self.peers.get(&peer) else { return (0, 0) };
        let most = usize::try_from(rib.policy.max_prefixes).unwrap_or(usize::MAX);
        (rib.accepted.len() + rib.rejected.len(), most)
    }

    /// What of a neighbour was rejected, and why.
    pub fn rejections(&self, peer: PeerId) -> Option<&Rejections> {
        self.peers.get(&peer).map(|rib| &rib.rejected)
    }

    fn peer_ids(&self) -> Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    fn judge(&self, peer: PeerId, prefix: &Prefix, path: &Attributes) -> Option<RejectReason> {
        let rib = self.peers.get(&peer)?;
        let own = admission::Own {
            asn: self.asn,
            identifier: self.identifier,
            local: &self.local,
            underlay: &self.underlay,
        };
        admission::judge(&rib.policy, &own, prefix, path)
    }

    /// Judges everything that a neighbour announced once more: what was rejected now, the rest while it
    /// is decided about.
    fn readmit(&mut self, peer: PeerId) {
        let Some(rib) = self.peers.get_mut(&peer) else { return };
        let rejected: Vec<_> = std::mem::take(&mut rib.rejected).into_paths().collect();
        rejected.iter().for_each(|(_, attributes)| rib.ledger.leave(attributes));
        for (prefix, attributes) in rejected {
            self.judge_again(peer, prefix, attributes);
        }
        self.doubts.walk(peer, true);
    }

    fn judge_again(&mut self, peer: PeerId, prefix: Prefix, attributes: Arc<Attributes>) {
        match self.judge(peer, &prefix, &attributes) {
            None => self.accept(peer, prefix, attributes),
            Some(reason) => {
                self.drop_accepted(peer, &prefix);
                if let Some(rib) = self.peers.get_mut(&peer) {
                    rib.reject(prefix, reason, attributes);
                }
            }
        }
    }

    fn accept(&mut self, peer: PeerId, prefix: Prefix, attributes: Arc<Attributes>) {
        let Some(rib) = self.peers.get_mut(&peer) else { return };
        rib.drop_rejected(&prefix);
        let attributes = rib.ledger.enter(attributes);
        let before = rib.accepted.insert(prefix, attributes.clone());
        before.iter().for_each(|before| rib.ledger.leave(before));
        if before.is_none() {
            self.table.add(prefix, peer);
        }
        if before.is_none_or(|before| before != attributes) {
            self.doubts.add(prefix, true);
        }
    }

    fn drop_accepted(&mut self, peer: PeerId, prefix: &Prefix) {
        let Some(rib) = self.peers.get_mut(&peer) else { return };
        rib.stale.remove(prefix);
        let Some(attributes) = rib.accepted.remove(prefix) else { return };
        rib.ledger.leave(&attributes);
        self.table.remove(prefix, peer);
        self.doubts.add(*prefix, false);
    }

    fn usable_paths(&self, prefix: &Prefix) -> Vec<Path> {
        let peers = self.table.candidates(prefix).iter();
        peers.filter_map(|peer| self.path(*peer, prefix)).collect()
    }

    fn path(&self, peer: PeerId, prefix: &Prefix) -> Option<Path> {
        self.peers.get(&peer)?.path(peer, prefix, self.asn)
    }
}

#[cfg(test)]
mod tests;

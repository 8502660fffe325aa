//! What operators see: routes with the reason for the choice, neighbours with what they announced.

use super::{Neighbor, NeighborCounters, NeighborKind, Router};
use crate::net::{Asn, PeerId, Prefix};
use crate::routing::Attributes;
use crate::routing::bgp::{DownReason, State};
use crate::routing::rib::{Path, Reason, RejectReason, Rejections, Side};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// One path to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathView {
    /// Through whose tunnel.
    pub peer: PeerId,
    /// Whether that tunnel is up and takes packets to the prefix; a path that is not usable waits.
    pub usable: bool,
    /// Preference of the peer.
    pub local_preference: u32,
    /// The path's attributes.
    pub attributes: Arc<Attributes>,
}

/// The ways to one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    /// Where to.
    pub prefix: Prefix,
    /// At home here: delivered to the VPC, never into a tunnel.
    pub local: bool,
    /// The next hop in the VPC, where one of its routers has brought it.
    pub home: Option<IpAddr>,
    /// The usable paths, best first, then those that wait.
    pub paths: Vec<PathView>,
    /// Why the first path is used; `None` when there is no usable one.
    pub reason: Option<Reason>,
}

/// One neighbour.
#[derive(Clone, Debug, PartialEq)]
pub struct NeighborView {
    /// Which.
    pub peer: PeerId,
    /// Its AS; `None` for a static neighbour.
    pub remote_asn: Option<Asn>,
    /// State of its session; `None` for a static neighbour.
    pub state: Option<State>,
    /// Whether its tunnel is up.
    pub tunnel_up: bool,
    /// When the session was established or lost; for a static neighbour, the tunnel.
    pub since: Timestamp,
    /// Agreed hold time while established.
    pub hold_time: Option<Duration>,
    /// Its BGP Identifier while established.
    pub identifier: Option<Ipv4Addr>,
    /// Prefixes of it that may be used.
    pub accepted: usize,
    /// Prefixes that it was told.
    pub announced: usize,
    /// Prefixes of it that may not be used, and why.
    pub rejected: Vec<(Prefix, RejectReason)>,
    /// Further rejected announcements, for which there was no room.
    pub rejected_overflow: u64,
    /// What it did.
    pub counters: NeighborCounters,
    /// Why its last session or attempt ended.
    pub last_down: Option<DownReason>,
    /// What it can beside what every speaker can, while established, in words.
    pub peer_can: Vec<String>,
    /// Prefixes of it that hold on and have to be announced again.
    pub stale: usize,
}

impl Router {
    /// The known prefixes behind `after` (all, when it is `None`), ours included, in their order;
    /// the first `most` of them.
    pub fn routes(&self, after: Option<Prefix>, most: usize) -> Vec<RouteView> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let own = self.own.range(behind).take(most).copied();
        let prefixes: BTreeSet<Prefix> = own.chain(self.rib.prefixes(behind).take(most)).collect();
        prefixes.into_iter().take(most).map(|prefix| self.route(prefix)).collect()
    }

    /// The longest known prefix that covers an address, ours included.
    pub fn route_to(&self, address: IpAddr) -> Option<RouteView> {
        let longest = Prefix::host(address).len();
        let covering = (0..=longest).rev().filter_map(|len| Prefix::containing(address, len));
        let mut known = covering.map(|prefix| self.route(prefix));
        known.find(|route| route.local || !route.paths.is_empty())
    }

    fn route(&self, prefix: Prefix) -> RouteView {
        let chosen = self.rib.chosen(&prefix);
        let ranked = chosen.iter().flat_map(|chosen| &chosen.ranked);
        let usable = ranked.clone().map(PathView::usable);
        let waiting = self.rib.waiting(&prefix).map(|(peer, attributes)| PathView {
            peer,
            usable: false,
            local_preference: self.neighbors.get(&peer).map_or(0, |n| n.config.local_preference),
            attributes: attributes.clone(),
        });
        let home = ranked.clone().next().filter(|best| best.side == Side::Vpc);
        RouteView {
            prefix,
            local: self.own.contains(&prefix),
            home: home.map(|best| best.attributes.next_hop),
            paths: usable.chain(waiting).collect(),
            reason: chosen.as_ref().map(|chosen| chosen.reason),
        }
    }

    /// What neighbours announced and may not, behind `after` (all, when it is `None`).
    pub fn rejected(
        &self,
        after: Option<(PeerId, Prefix)>,
    ) -> impl Iterator<Item = (PeerId, Prefix, RejectReason)> {
        let first = after.map_or(PeerId(0), |(peer, _)| peer);
        let of_peer = |peer: PeerId| {
            let kept = self.rib.rejections(peer).into_iter().flat_map(Rejections::iter);
            kept.map(move |(prefix, why)| (peer, prefix, why))
        };
        let all = self.neighbors.range(first..).flat_map(move |(peer, _)| of_peer(*peer));
        all.skip_while(move |(peer, prefix, _)| Some((*peer, *prefix)) <= after)
    }

    /// The prefixes of a neighbour that may be used, but that its tunnel does not take.
    pub fn unreached(&self, peer: PeerId) -> impl Iterator<Item = Prefix> {
        self.rib.unreached(peer)
    }

    /// How many prefixes of a neighbour may be used, and how many may not.
    pub fn prefix_counts(&self, peer: PeerId) -> (usize, usize) {
        let rejected = self.rib.rejections(peer).map_or(0, Rejections::len);
        (self.rib.accepted_count(peer), rejected)
    }

    /// Every neighbour.
    #[cfg(test)]
    pub fn neighbors(&self) -> Vec<NeighborView> {
        self.neighbors.keys().filter_map(|peer| self.neighbor(*peer)).collect()
    }

    /// A neighbour.
    pub fn neighbor(&self, peer: PeerId) -> Option<NeighborView> {
        Some(self.view(peer, self.neighbors.get(&peer)?))
    }

    fn view(&self, peer: PeerId, neighbor: &Neighbor) -> NeighborView {
        let speaker = neighbor.speaker();
        let negotiated = speaker.and_then(|speaker| speaker.session.established());
        let rejections = self.rib.rejections(peer);
        NeighborView {
            peer,
            remote_asn: neighbor.remote_asn(),
            state: speaker.map(|speaker| speaker.session.state()),
            tunnel_up: neighbor.tunnel_up,
            since: neighbor.since,
            hold_time: negotiated.map(|negotiated| negotiated.hold_time),
            identifier: negotiated.map(|negotiated| negotiated.identifier),
            accepted: self.rib.accepted_count(peer),
            announced: speaker.map_or(0, |speaker| speaker.sent.len()),
            rejected: rejections.map(|kept| kept.iter().collect()).unwrap_or_default(),
            rejected_overflow: rejections.map_or(0, |kept| kept.overflow()),
            counters: neighbor.counters,
            last_down: speaker.and_then(|speaker| speaker.session.last_failure().cloned()),
            peer_can: negotiated.map(|agreed| agreed.capabilities.words()).unwrap_or_default(),
            stale: self.rib.stale_count(peer),
        }
    }
}

impl Neighbor {
    /// The AS of a neighbour with a session.
    pub(super) fn remote_asn(&self) -> Option<Asn> {
        match self.config.kind {
            NeighborKind::Bgp { remote_asn, .. } => Some(remote_asn),
            NeighborKind::Static { .. } => None,
        }
    }
}

impl PathView {
    fn usable(path: &Path) -> PathView {
        PathView {
            peer: path.peer,
            usable: true,
            local_preference: path.local_preference,
            attributes: path.attributes.clone(),
        }
    }
}

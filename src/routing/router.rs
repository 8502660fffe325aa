//! The router of one VPC: composes sessions and table, and says which tunnels lead to a prefix.
//!
//! ```text
//!   tunnels ──► usable? ───────────────┐
//!   TCP ──► sessions ──► updates ──► table ──► decision ──► Action::Fib (ranked peers)
//!              ▲                                   │
//!              └──────────── export ◄──────────────┘ own prefixes; others' when transit
//! ```
//!
//! A tunnel that goes down makes the paths of its peer unusable at once, while the session lives
//! on for up to its hold time; when the tunnel comes back sooner, the paths are usable again
//! without being learned anew.
//!
//! An input that brings much, such as a peer's whole table, is worked off in turns ([`turns`]): between
//! them others are served.
//!
//! An input looks at the neighbour that it concerns and at no other: whose session was touched is
//! noted, and settling asks those sessions alone what they have to say and when they are due.

mod action;
mod config;
mod export;
mod graceful;
mod learning;
mod neighbor;
mod turns;
mod view;

pub use action::{Action, FibChange, Why};
pub use config::{NeighborConfig, NeighborKind, RouterConfig};
pub use neighbor::NeighborCounters;
pub use view::{NeighborView, PathView, RouteView};

use crate::net::{PeerId, Prefix};
use crate::random::{Random, Seeded};
use crate::routing::bgp::{self, CeaseReason, ConnectionId, Family, Timer};
use crate::routing::rib::{Reach, Reserved, Rib, Side};
use crate::time::{Timers, Timestamp};
use crate::visits::Counted;
use neighbor::{Birth, Neighbor, Speaker};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

/// The router of one VPC.
#[derive(Debug)]
pub struct Router {
    config: RouterConfig,
    own: BTreeSet<Prefix>,
    /// By which prefixes neighbours know some of these.
    outside: BTreeSet<Prefix>,
    /// Where routers of the VPC may have more of its prefixes.
    extent: BTreeSet<Prefix>,
    /// The families whose own prefixes are announced.
    announced: BTreeSet<Family>,
    /// Prefixes that the host refuses to route.
    stranded: BTreeSet<Prefix>,
    /// We are about to go, or are to be left for others: all neighbours are told so.
    leaving: bool,
    /// Those that alone are told so.
    left: BTreeSet<PeerId>,
    neighbors: Counted<PeerId, Neighbor>,
    rib: Rib,
    owners: BTreeMap<ConnectionId, PeerId>,
    /// Sessions by their addresses, ours and the peer's.
    by_addresses: BTreeSet<(IpAddr, IpAddr, PeerId)>,
    /// Whose session was touched since it was last asked for outputs.
    touched: BTreeSet<PeerId>,
    timers: Timers<PeerId>,
    /// Since when something is left to do that had no room in a turn.
    unfinished: Option<Timestamp>,
    seeds: Seeded,
    births: u32,
    neighbors_in_vpc: usize,
    actions: VecDeque<Action>,
}

impl Router {
    /// A router without neighbours. `random` seeds the jitter of its timers.
    pub fn new(config: RouterConfig, random: &mut dyn Random) -> Router {
        let mut rib = Rib::new(config.asn, config.router_id);
        rib.set_multipath(config.multipath);
        Router {
            rib,
            config,
            own: BTreeSet::new(),
            outside: BTreeSet::new(),
            extent: BTreeSet::new(),
            announced: BTreeSet::from(Family::ALL),
            stranded: BTreeSet::new(),
            leaving: false,
            left: BTreeSet::new(),
            neighbors: Counted::default(),
            owners: BTreeMap::new(),
            by_addresses: BTreeSet::new(),
            touched: BTreeSet::new(),
            timers: Timers::default(),
            unfinished: None,
            seeds: Seeded::new(random.u64()),
            births: 0,
            neighbors_in_vpc: 0,
            actions: VecDeque::new(),
        }
    }

    /// Takes over changed settings. Sessions start anew unless only `transit` or
    /// `multipath` changed.
    pub fn reconfigure(&mut self, config: RouterConfig, now: Timestamp) {
        let before = std::mem::replace(&mut self.config, config);
        if before == self.config {
            return;
        }
        self.rib.set_speaker(self.config.asn, self.config.router_id);
        self.rib.set_multipath(self.config.multipath);
        let RouterConfig { transit, multipath, .. } = self.config;
        let lasting = RouterConfig { transit, multipath, ..before };
        if lasting != self.config {
            for peer in self.peers() {
                self.restart(peer, CeaseReason::ConfigurationChange, now);
            }
        }
        self.settle(now);
        self.export_all();
        self.drain(now);
    }

    /// Sets the prefixes that are at home in this VPC. They are announced, and neither they nor
    /// parts of them are ever reached through a tunnel.
    pub fn set_local_prefixes(&mut self, own: BTreeSet<Prefix>, now: Timestamp) {
        if self.own == own {
            return;
        }
        let before = std::mem::replace(&mut self.own, own);
        self.keep_home();
        let touched: BTreeSet<Prefix> = before.union(&self.own).copied().collect();
        self.export(&touched);
        self.settle(now);
    }

    /// Sets the prefixes by which neighbours know some of ours: neither they nor parts of them are ever
    /// reached through a tunnel.
    pub fn set_outside_prefixes(&mut self, outside: BTreeSet<Prefix>, now: Timestamp) {
        if self.outside != outside {
            self.outside = outside;
            self.keep_home();
            self.settle(now);
        }
    }

    /// Sets where routers of the VPC may have more of its prefixes: neither these nor parts of them are
    /// ever reached through a tunnel.
    pub fn set_extent(&mut self, extent: BTreeSet<Prefix>, now: Timestamp) {
        if self.extent != extent {
            self.extent = extent;
            self.keep_home();
            self.settle(now);
        }
    }

    fn keep_home(&mut self) {
        let known = self.own.iter().chain(&self.outside).chain(&self.extent);
        self.rib.set_local(known.copied().collect());
    }

    /// Sets the prefixes of the underlay, into which nothing that is learned may reach.
    pub fn set_underlay(&mut self, underlay: Reserved, now: Timestamp) {
        self.rib.set_underlay(underlay);
        self.settle(now);
    }

    /// Says whether our own prefixes can be reached through us, and are thus announced.
    pub fn set_announced(&mut self, announced: bool, now: Timestamp) {
        let families = Family::ALL.into_iter().filter(|_| announced);
        self.set_announced_families(families.collect(), now);
    }

    /// As [`set_announced`](Router::set_announced), for the families one by one.
    pub fn set_announced_families(&mut self, families: BTreeSet<Family>, now: Timestamp) {
        if self.announced != families {
            self.announced = families;
            self.export(&self.exportable());
            self.settle(now);
        }
    }

    /// Says whether our host routes `prefix` into the tunnels; one that it does not is not told to
    /// other peers, since their packets would end here.
    pub fn set_carried(&mut self, prefix: Prefix, carried: bool, now: Timestamp) {
        let changed =
            if carried { self.stranded.remove(&prefix) } else { self.stranded.insert(prefix) };
        if changed {
            self.export(&BTreeSet::from([prefix]));
            self.settle(now);
        }
    }

    /// Adds a neighbour. Its tunnel is down until [`Router::on_tunnel`] says otherwise.
    pub fn add_neighbor(&mut self, peer: PeerId, config: NeighborConfig, now: Timestamp) {
        self.remove_neighbor(peer, now);
        self.insert_neighbor(peer, config, false, now);
        self.settle(now);
    }

    /// Takes over changed settings of a neighbour. Its session starts anew only when who it is
    /// with changed; filter and preference apply to what was announced already.
    pub fn update_neighbor(&mut self, peer: PeerId, config: NeighborConfig, now: Timestamp) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else {
            return self.add_neighbor(peer, config, now);
        };
        if neighbor.config.kind == config.kind {
            let wider = neighbor.config.import != config.import;
            let told_otherwise = neighbor.config.export_rules != config.export_rules
                || neighbor.config.maps != config.maps;
            self.rib.set_policy(peer, config.policy(self.config.asn));
            neighbor.config = config;
            if told_otherwise {
                self.export_anew(peer, &self.exportable());
            }
            let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
            if wider {
                neighbor.ask_again();
                self.touched.insert(peer);
            }
        } else {
            let tunnel_up = neighbor.tunnel_up;
            self.discard_neighbor(peer, CeaseReason::ConfigurationChange, now);
            self.insert_neighbor(peer, config, tunnel_up, now);
        }
        self.settle(now);
    }

    /// Removes a neighbour and its routes.
    pub fn remove_neighbor(&mut self, peer: PeerId, now: Timestamp) {
        self.discard_neighbor(peer, CeaseReason::Deconfigured, now);
        self.settle(now);
    }

    /// Ends the session with a neighbour and starts another.
    pub fn reset_neighbor(&mut self, peer: PeerId, now: Timestamp) {
        self.restart(peer, CeaseReason::Reset, now);
        self.settle(now);
    }

    /// Says whether the tunnel to a peer carries packets.
    pub fn on_tunnel(&mut self, peer: PeerId, up: bool, now: Timestamp) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.set_tunnel(up, now);
        self.touched.insert(peer);
        self.rib.set_usable(peer, up);
        self.settle(now);
    }

    /// Says which destinations the tunnel to a peer takes while it carries packets.
    pub fn set_reach(&mut self, peer: PeerId, reach: Reach, now: Timestamp) {
        self.rib.set_reach(peer, reach);
        self.settle(now);
    }

    /// Ends every session, and says so to the peers.
    pub fn shutdown(&mut self, now: Timestamp) {
        for (&peer, neighbor) in self.neighbors.iter_mut() {
            neighbor.stop(CeaseReason::Shutdown, now);
            self.touched.insert(peer);
        }
        self.settle(now);
    }

    /// The peer connected from `remote` to our `local`; the shell named the connection by
    /// [`ConnectionId::accepted`].
    pub fn handle_accepted(
        &mut self,
        connection: ConnectionId,
        local: IpAddr,
        remote: IpAddr,
        now: Timestamp,
    ) {
        let all = (local, remote, PeerId(0))..=(local, remote, PeerId(u32::MAX));
        let Some(&(.., peer)) = self.by_addresses.range(all).next() else {
            self.actions.push_back(Action::Close { connection });
            return;
        };
        self.owners.insert(connection, peer);
        self.with_session(connection, now, |session| session.handle_accepted(connection, now));
    }

    /// A connection that we asked for stands.
    pub fn handle_connected(&mut self, connection: ConnectionId, now: Timestamp) {
        self.with_session(connection, now, |session| session.handle_connected(connection, now));
    }

    /// A connection that we asked for could not be made.
    pub fn handle_connect_failed(&mut self, connection: ConnectionId, now: Timestamp) {
        self.handle_closed(connection, now);
    }

    /// Octets arrived.
    pub fn handle_bytes(&mut self, connection: ConnectionId, bytes: &[u8], now: Timestamp) {
        self.with_session(connection, now, |session| session.handle_bytes(connection, bytes, now));
    }

    /// A connection ended, orderly or not.
    pub fn handle_closed(&mut self, connection: ConnectionId, now: Timestamp) {
        self.with_session(connection, now, |session| session.handle_closed(connection, now));
    }

    /// Every timer that is due fires.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(peer) = self.timers.pop_due(now) {
            self.touched.insert(peer);
            if let Some(speaker) = self.speaker_mut(peer) {
                speaker.session.handle_timeout(now);
            }
            self.end_patience(peer, now);
        }
        self.settle(now);
    }

    /// The next thing to do or to know.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The earliest deadline.
    pub fn poll_timeout(&self) -> Option<(Timestamp, Why)> {
        if let Some(since) = self.unfinished {
            return Some((since, Why::Work));
        }
        let (at, peer) = self.timers.next()?;
        let neighbor = self.neighbors.get(&peer)?;
        let session = neighbor.speaker().and_then(|speaker| speaker.session.poll_timeout());
        let timer = session.filter(|(due, _)| *due == at).map_or(Timer::Stale, |(_, timer)| timer);
        Some((at, Why::Timer { peer, timer }))
    }

    /// How many neighbours were looked at since the last call.
    #[cfg(test)]
    pub fn take_visits(&self) -> u64 {
        self.neighbors.visits().take()
    }

    /// Whether there are routers of the VPC, who hear of what is learned, and of whom peers do.
    fn has_vpc_side(&self) -> bool {
        self.neighbors_in_vpc > 0
    }

    fn peers(&self) -> Vec<PeerId> {
        self.neighbors.keys().copied().collect()
    }

    fn insert_neighbor(
        &mut self,
        peer: PeerId,
        config: NeighborConfig,
        tunnel_up: bool,
        now: Timestamp,
    ) {
        self.rib.set_policy(peer, config.policy(self.config.asn));
        let birth = self.birth();
        let mut neighbor = Neighbor::new(config, &self.config, birth, now);
        neighbor.set_tunnel(tunnel_up, now);
        self.rib.set_usable(peer, tunnel_up);
        for (prefix, attributes) in neighbor.static_routes() {
            // The configuration bounds these.
            let _ = self.admit(peer, prefix, attributes);
        }
        if let Some((local, remote)) = neighbor.addresses() {
            self.by_addresses.insert((local, remote, peer));
        }
        self.neighbors_in_vpc += usize::from(neighbor.config.side == Side::Vpc);
        self.neighbors.insert(peer, neighbor);
        self.touched.insert(peer);
    }

    fn discard_neighbor(&mut self, peer: PeerId, reason: CeaseReason, now: Timestamp) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.stop(reason, now);
        if let Some((local, remote)) = neighbor.addresses() {
            self.by_addresses.remove(&(local, remote, peer));
        }
        self.drain_fully(peer, now);
        let removed = self.neighbors.remove(&peer);
        let of_vpc = |neighbor: &Neighbor| neighbor.config.side == Side::Vpc;
        self.neighbors_in_vpc -= usize::from(removed.as_ref().is_some_and(of_vpc));
        self.left.remove(&peer);
        self.timers.arm(peer, None);
        self.rib.remove(peer);
    }

    /// Replaces the session of a neighbour by one of the present settings.
    fn restart(&mut self, peer: PeerId, reason: CeaseReason, now: Timestamp) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.stop(reason, now);
        self.drain_fully(peer, now);
        let birth = self.birth();
        self.touched.insert(peer);
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            self.rib.set_policy(peer, neighbor.config.policy(self.config.asn));
            neighbor.renew(&self.config, birth, now);
        }
    }

    fn birth(&mut self) -> Birth {
        self.births += 1;
        Birth { serial: self.births, seed: self.seeds.u64() }
    }

    fn with_session(
        &mut self,
        connection: ConnectionId,
        now: Timestamp,
        act: impl FnOnce(&mut bgp::Session),
    ) {
        let Some(&peer) = self.owners.get(&connection) else { return };
        if let Some(speaker) = self.speaker_mut(peer) {
            act(&mut speaker.session);
            self.touched.insert(peer);
            self.settle(now);
        }
    }

    fn speaker_mut(&mut self, peer: PeerId) -> Option<&mut Speaker> {
        self.neighbors.get_mut(&peer)?.speaker_mut()
    }
}

#[cfg(test)]
mod tests;

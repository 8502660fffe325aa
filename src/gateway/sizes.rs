//! The paths to remote gateways, and what their MTU moves: the MTU inside the tunnels with the answers
//! to hosts and the clamped MSS that follow from it, and the size of IKE's fragments.
//!
//! ```text
//!   IKE events, ICMP, the host's EMSGSIZE, traffic ──► PathMtu ──► Tunnel::path_mtu ──► Snapshot
//!                                                        │ ▲
//!                                              size to probe ▼ │ verdict
//!                                                     ike::Endpoint::measure
//! ```

use super::path_mtu::{Bounds, CONFIRM, CONFIRM_SELDOM, Knowledge, PathMtu};
use super::unsent::Unsent;
use super::{Gateway, Why, connection};
use crate::ike::{self, Established, Event};
use crate::moment::Moment;
use crate::net::{PeerId, RemoteId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// The way to a remote gateway.
#[derive(Debug)]
struct Way {
    local: SocketAddr,
    remote: SocketAddr,
    mtu: PathMtu,
    /// The MTU that was told last, when no other was being tried.
    told: u16,
}

/// The ways to all remote gateways that are, or were, connected.
#[derive(Debug, Default)]
pub(super) struct Ways {
    all: BTreeMap<RemoteId, Way>,
    by_address: BTreeSet<(SocketAddr, RemoteId)>,
}

impl Ways {
    /// What is known of the path to a remote gateway: its MTU and by what.
    pub(super) fn mtu(&self, remote: RemoteId) -> Option<(u16, Knowledge)> {
        self.all.get(&remote).map(|way| (way.mtu.mtu(), way.mtu.known_by()))
    }

    /// Between which addresses the tunnels to a remote gateway run, or ran last.
    pub(super) fn ends(&self, remote: RemoteId) -> Option<ike::Way> {
        let way = self.all.get(&remote)?;
        Some(ike::Way { local: way.local.ip(), remote: way.remote.ip() })
    }

    /// The remote gateways that are at an address.
    pub(super) fn leading_to(&self, address: SocketAddr) -> Vec<RemoteId> {
        let from = (address, RemoteId(0))..=(address, RemoteId(u32::MAX));
        self.by_address.range(from).map(|(_, remote)| *remote).collect()
    }

    /// Puts a way in the place of the one that is known; says whether it is another.
    fn lead(&mut self, id: RemoteId, local: SocketAddr, remote: SocketAddr, limit: u16) -> bool {
        let bounds = Bounds::new(remote.is_ipv4(), limit);
        let new = || Way { local, remote, mtu: PathMtu::new(bounds), told: limit };
        let way = self.all.entry(id).or_insert_with(new);
        let other = (way.local.ip(), way.remote.ip()) != (local.ip(), remote.ip());
        self.by_address.remove(&(way.remote, id));
        self.by_address.insert((remote, id));
        (way.local, way.remote) = (local, remote);
        other
    }

    fn forget(&mut self, id: RemoteId) {
        if let Some(way) = self.all.remove(&id) {
            self.by_address.remove(&(way.remote, id));
        }
    }
}

impl Gateway {
    /// A router says that a datagram from `local` to `remote` did not fit, and that `mtu` does; or
    /// the host says so of its own interface. It may be forged.
    pub fn handle_too_big(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        mtu: u16,
        now: Timestamp,
    ) {
        if !self.config.gateway.path_mtu_discovery {
            return;
        }
        for id in self.ways.leading_to(remote) {
            let Some(way) = self.ways.all.get_mut(&id) else { continue };
            if way.local.port() == local.port() {
                way.mtu.on_too_big(mtu, now);
                self.follow_way(id, now);
            }
        }
        self.settle(now);
    }

    /// The host did not send ESP to `remote`. Told by the packet path from time to time only.
    pub fn handle_unsent_esp(&mut self, remote: SocketAddr, why: Unsent, now: Timestamp) {
        for id in self.ways.leading_to(remote) {
            if let Unsent::NoRoute | Unsent::NoAddress = why {
                self.doubt(id, now);
            }
            self.tell_unsent(id, why, &format!("packets to {remote} were not sent: {why}"), now);
        }
    }

    /// What an event of the IKE engine means for the path; says whether it means nothing else.
    pub(super) fn follow_event(&mut self, id: RemoteId, event: &Event, now: Timestamp) -> bool {
        match event {
            Event::Established(facts) => self.on_way_up(id, facts, now),
            Event::Moved { local, remote, .. } => {
                if self.ways.lead(id, *local, *remote, self.limit())
                    && let Some(way) = self.ways.all.get_mut(&id)
                {
                    way.mtu.on_moved(
                        Bounds::new(remote.is_ipv4(), self.config.gateway.underlay_mtu),
                        now,
                    );
                }
            }
            Event::Down { .. } => {
                if let Some(way) = self.ways.all.get_mut(&id) {
                    way.mtu.on_down(now);
                }
            }
            Event::Measured { size, arrived } => {
                if let Some(way) = self.ways.all.get_mut(&id) {
                    way.mtu.on_verdict(*size, *arrived, now);
                }
            }
            Event::Unmeasured => {
                if let Some(way) = self.ways.all.get_mut(&id) {
                    way.mtu.on_unanswered(now);
                }
            }
            Event::IkeRekeyed { .. }
            | Event::ChildUp(_)
            | Event::ChildSendable { .. }
            | Event::ChildDown { .. }
            | Event::Alive { .. }
            | Event::Unreachable { .. }
            | Event::WayAnswered { .. }
            | Event::WayRefused { .. }
            | Event::Failed { .. }
            | Event::Unanswered { .. }
            | Event::Suspected { .. } => return false,
        }
        self.follow_way(id, now);
        matches!(event, Event::Measured { .. } | Event::Unmeasured)
    }

    fn on_way_up(&mut self, id: RemoteId, facts: &Established, now: Timestamp) {
        let limit = self.limit();
        let other = self.ways.lead(id, facts.local, facts.remote, limit);
        let Some(way) = self.ways.all.get_mut(&id) else { return };
        if other {
            way.mtu = PathMtu::new(Bounds::new(facts.remote.is_ipv4(), limit));
        }
        if self.config.gateway.path_mtu_discovery {
            way.mtu.on_up(confirmed_every(facts.takes_probes), now);
        }
    }

    fn limit(&self) -> u16 {
        self.config.gateway.underlay_mtu
    }

    /// Time for the path to a remote gateway: perhaps to probe it.
    pub(super) fn wake_way(&mut self, id: RemoteId, at: &mut Moment<'_>) {
        let Some(way) = self.ways.all.get_mut(&id) else { return };
        way.mtu.handle_timeout(at.now);
        if let Some(size) = way.mtu.poll_probe(at.now) {
            self.ike.measure(connection::id(id), size, at);
        }
        self.follow_way(id, at.now);
    }

    /// Packets were sent to a peer, and some came back or not: from time to time the path is to
    /// prove that it carries them.
    pub(super) fn on_sent(&mut self, peer: PeerId, heard: bool, now: Timestamp) {
        let Some(remote) = self.config.peers.get(&peer).map(|peer| peer.remote) else { return };
        if self.ways.all.get_mut(&remote).is_some_and(|way| way.mtu.on_sent(heard, now)) {
            self.timers.arm(Why::Way(remote), Some(now));
        }
    }

    /// The remote gateway is not configured any more.
    pub(super) fn forget_way(&mut self, id: RemoteId) {
        self.ways.forget(id);
        self.hints.forget(id);
        self.timers.arm(Why::Way(id), None);
    }

    /// The operator wants it otherwise: all paths begin anew.
    pub(super) fn reset_ways(&mut self, now: Timestamp) {
        let limit = self.limit();
        for id in self.ways.all.keys().copied().collect::<Vec<_>>() {
            let takes_probes = self.ike.takes_probes(connection::id(id));
            let Some(way) = self.ways.all.get_mut(&id) else { continue };
            way.mtu = PathMtu::new(Bounds::new(way.remote.is_ipv4(), limit));
            if let Some(takes_probes) =
                takes_probes.filter(|_| self.config.gateway.path_mtu_discovery)
            {
                way.mtu.on_up(confirmed_every(takes_probes), now);
            }
            self.follow_way(id, now);
        }
    }

    /// Takes the consequences of what is known now of a path.
    fn follow_way(&mut self, id: RemoteId, now: Timestamp) {
        let Some(way) = self.ways.all.get_mut(&id) else { return };
        let deadline = if way.mtu.wants_probe() { Some(now) } else { way.mtu.poll_timeout() };
        self.timers.arm(Why::Way(id), deadline);
        let (mtu, known_by) = (way.mtu.mtu(), way.mtu.known_by());
        let told = match way.mtu.is_searching() {
            true => way.told,
            false => std::mem::replace(&mut way.told, mtu),
        };
        let news = (told != way.told).then_some(told);
        self.ike.on_path_mtu(connection::id(id), (known_by == Knowledge::Probed).then_some(mtu));
        for peer in self.remotes.get(&id).into_iter().flatten() {
            let Some(tunnel) = self.tunnels.get_mut(peer) else { continue };
            if tunnel.path_mtu != Some(mtu) {
                tunnel.path_mtu = Some(mtu);
                self.dirty.tunnels.insert(*peer);
            }
            if let Some(before) = news {
                tunnel.tell_path_mtu(before, mtu, known_by, now);
                self.dirty.told.insert(*peer);
            }
        }
    }
}

/// How often the size of a path is confirmed.
fn confirmed_every(takes_probes: bool) -> Duration {
    if takes_probes { CONFIRM } else { CONFIRM_SELDOM }
}

//! The host's side of the underlay changes while the gateway runs: sockets follow its addresses, and
//! connections follow the ways to their peers.
//!
//! ```text
//!   devices, sources ──► (settling) ──► sockets, guards
//!                                  └──► connections: another address of ours, an attempt at once
//! ```
//!
//! A connection that is up and that its peer answers stays where it is as long as its address is
//! there, whatever way the routing table prefers.

use super::world::Host;
use super::{Gateway, Output, Why, connection};
use crate::config::PeerConfig;
use crate::moment::Moment;
use crate::net::{PeerId, RemoteId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// A new address comes with its routes, and after an old one has gone: it is waited for their end.
const SETTLING: Duration = Duration::from_millis(100);

/// To which remote addresses the host has no way.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// To these.
    lost: BTreeSet<IpAddr>,
    /// To these there is one again, and nothing was done about it yet.
    found: BTreeSet<IpAddr>,
}

impl Reach {
    /// Whether the host is known to have no way to an address.
    pub(super) fn is_lost(&self, remote: IpAddr) -> bool {
        self.lost.contains(&remote)
    }
}

impl Gateway {
    /// Something of the host has changed, and more may.
    pub(super) fn note_host(&mut self, now: Timestamp) {
        self.timers.arm(Why::Underlay, Some(now + SETTLING));
    }

    /// Something that counts among what the host is like has changed here: it is followed, but nobody
    /// else waits longer for that.
    pub(super) fn expect_host(&mut self, now: Timestamp) {
        if !self.timers.is_armed(&Why::Underlay) {
            self.note_host(now);
        }
    }

    /// Takes over by which addresses the host reaches peers.
    pub(super) fn learn_sources(&mut self, sources: BTreeMap<IpAddr, IpAddr>, now: Timestamp) {
        let (there, lost) = Host::questions(&self.config)
            .remotes
            .into_iter()
            .partition::<BTreeSet<_>, _>(|remote| sources.contains_key(remote));
        let before = std::mem::replace(&mut self.reach.lost, lost);
        self.reach.found.extend(before.into_iter().filter(|remote| there.contains(remote)));
        self.host.learn_sources(sources);
        self.note_host(now);
    }

    /// Goes over to what the host is like now.
    pub(super) fn follow_host(&mut self, at: &mut Moment<'_>) {
        let listening = self.host.listening(&self.config);
        if listening != self.listening {
            self.listening = listening;
            self.reserve_underlay(at.now);
            self.reconcile_world(at.now);
        }
        let next = connection::local_addresses(&self.config, &self.host);
        let before = std::mem::replace(&mut self.local_addresses, next);
        self.follow_sockets(&before, at);
        self.dirty.vpcs.extend(self.vpcs.keys());
    }

    /// Receives on the addresses that there are now, and tells the IKE engine from where peers are
    /// reached that were reached from elsewhere `before`, or not configured.
    pub(super) fn follow_sockets(
        &mut self,
        before: &BTreeMap<PeerId, IpAddr>,
        at: &mut Moment<'_>,
    ) {
        let sockets = self.host.sockets(&self.config);
        let known = std::mem::replace(&mut self.sockets, sockets.clone());
        if known != sockets {
            self.outputs.push_back(Output::Listen(sockets));
        }
        self.ike.set_addresses(connection::addresses(&self.config, &self.sockets), at);
        let changed = |(peer, local): &(&PeerId, &IpAddr)| before.get(peer) != Some(local);
        let moved = self.local_addresses.iter().filter(changed);
        let of_peer = |peer: &PeerId| self.config.peers.get(peer).map(|config| config.remote);
        let mut remotes: BTreeSet<RemoteId> = moved.filter_map(|(peer, _)| of_peer(peer)).collect();
        remotes.extend(self.led_elsewhere());
        remotes.into_iter().for_each(|remote| self.connect(remote, at));
        self.leave(known, at);
        self.hasten(at);
    }

    /// Connections begin anew that run from an address which the host, or the configuration, does
    /// not have any more.
    fn leave(&mut self, known: BTreeSet<IpAddr>, at: &mut Moment<'_>) {
        let here = self.host.addresses();
        let stays = |address: &IpAddr| self.sockets.contains(address) && here.contains(address);
        let gone: BTreeSet<IpAddr> = known.into_iter().filter(|address| !stays(address)).collect();
        let host_is_known = !self.host.devices.is_empty();
        if host_is_known && !gone.is_empty() {
            self.ike.on_addresses_gone(&gone, at);
        }
    }

    /// Attempts to reach peers to which there is a way again do not wait.
    fn hasten(&mut self, at: &mut Moment<'_>) {
        let found = std::mem::take(&mut self.reach.found);
        let is_found = |remote: &IpAddr| found.contains(remote);
        let peers = self.config.peers.values().filter(|_| !found.is_empty());
        let found_at = |peer: &PeerConfig| {
            let here = peer.remote_address.filter(is_found);
            let other = || peer.places().find(is_found).filter(|_| !self.is_up(peer.remote));
            Some((peer.remote, here.or_else(other)?))
        };
        let remotes: BTreeMap<RemoteId, IpAddr> = peers.filter_map(found_at).collect();
        for (remote, address) in remotes {
            if self.place_of(remote) != Some(address) {
                self.look_for(remote, address, at);
            }
            self.ike.on_another_way(connection::id(remote), at);
        }
    }
}

//! What the host and the routers of the underlay say of paths before silence does: a carrier that is
//! lost, an address or a route that is gone, packets that were not delivered.
//!
//! ```text
//!   netlink, ICMP, the host's refusals ──► remote gateways ──► BFD: polls at once
//!                                                         └──► questions inside ESP at once
//! ```
//!
//! None of it is proof: ICMP may be forged (RFC 4301 §8.2), and a device that goes may not have been
//! needed. It only has peers asked at once, and not again and again.

use super::Gateway;
use super::world::Trouble;
use crate::net::RemoteId;
use crate::routing::bfd::Hint;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Whoever was asked for one hint is not asked for another so soon: hints come in crowds, and
/// strangers can make them.
const PAUSE: Duration = Duration::from_millis(500);

/// When remote gateways were asked last because of a hint.
#[derive(Debug, Default)]
pub(super) struct Hints(BTreeMap<RemoteId, Timestamp>);

impl Hints {
    /// Whether to ask a remote gateway; then it was.
    fn ask(&mut self, remote: RemoteId, now: Timestamp) -> bool {
        let asks = self.0.get(&remote).is_none_or(|last| now.since(*last) >= PAUSE);
        if asks {
            self.0.insert(remote, now);
        }
        asks
    }

    /// The remote gateway is not configured any more.
    pub(super) fn forget(&mut self, remote: RemoteId) {
        self.0.remove(&remote);
    }
}

impl Gateway {
    /// A router, or the host at `remote`, says that a datagram from `local` was not delivered.
    pub fn handle_unreachable(&mut self, local: SocketAddr, remote: SocketAddr, now: Timestamp) {
        if self.sockets.contains(&local.ip()) {
            for id in self.ways.leading_to(remote) {
                self.doubt(id, now);
            }
        }
    }

    /// Something of the host is gone.
    pub(super) fn on_trouble(&mut self, trouble: &Trouble, now: Timestamp) {
        let peers = self.local_addresses.iter().filter(|(_, local)| match trouble {
            Trouble::Device(name) => {
                let device = self.host.devices.get(name);
                device.is_some_and(|device| device.addresses.contains(*local))
            }
            Trouble::Address(gone) => *local == gone,
            Trouble::Route(_) => true,
        });
        let configs = peers.filter_map(|(peer, _)| self.config.peers.get(peer));
        let configs = configs.filter(|config| match (trouble, config.remote_address) {
            (Trouble::Route(gone), Some(remote)) => gone.contains(remote),
            (Trouble::Route(gone), None) => gone.len() == 0,
            (Trouble::Device(_) | Trouble::Address(_), _) => true,
        });
        let remotes: BTreeSet<RemoteId> = configs.map(|config| config.remote).collect();
        remotes.into_iter().for_each(|remote| self.doubt(remote, now));
    }

    /// Devices of the underlay have changed.
    pub(super) fn doubt_all(&mut self, now: Timestamp) {
        let remotes: Vec<RemoteId> = self.remotes.keys().copied().collect();
        remotes.into_iter().for_each(|remote| self.doubt(remote, now));
    }

    /// The path to a remote gateway may be lost: what it shares with us is asked about at once.
    pub(super) fn doubt(&mut self, remote: RemoteId, now: Timestamp) {
        if !self.hints.ask(remote, now) {
            return;
        }
        for peer in self.remotes.get(&remote).cloned().unwrap_or_default() {
            self.hint_bfd(peer, Hint::MayBeLost);
            if let Some(tunnel) = self.tunnels.get_mut(&peer) {
                tunnel.probing.on_hint(now);
                self.plan_probe(peer);
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! What the host is like: its devices with their addresses, and from which address it reaches
//! each peer. From this follow the addresses to listen on and the devices of the underlay.

use crate::config::{Config, PeerConfig};
use crate::net::{PeerId, Prefix};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The daemon's network namespace, as the shell found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Its devices by name.
    pub devices: BTreeMap<String, Device>,
    /// The address from which the host would send to each of [`Host::questions`]; those without a
    /// route are left out.
    pub sources: BTreeMap<IpAddr, IpAddr>,
}

/// A device of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// The networks that it is connected to.
    pub networks: BTreeSet<Prefix>,
    /// Whether a default route of the host leads out of it.
    pub is_default: bool,
}

impl Host {
    /// The remote addresses for which the choice of our own is left to the routing table.
    pub fn questions(config: &Config) -> BTreeSet<IpAddr> {
        let asks = |peer: &&PeerConfig| peer.local_address.is_none();
        config.peers.values().filter(asks).filter_map(|peer| peer.remote_address).collect()
    }

    /// Our address for every peer for which one can be told: NAT detection must know the address
    /// that the peer sees (RFC 7296 §2.23). Where we listen on given addresses only, the routing
    /// table is not asked.
    pub fn local_addresses(&self, config: &Config) -> BTreeMap<PeerId, IpAddr> {
        let chosen = config.gateway.listen.iter().filter(|address| address.is_unspecified());
        let chosen = chosen.filter_map(|address| self.choose(config, *address));
        let said = config.peers.iter().filter_map(|(id, peer)| Some((*id, peer.local_address?)));
        said.chain(chosen.flatten()).collect()
    }

    /// The addresses to listen on, sorted. An unspecified address gives way to those that the
    /// routing table names, so that answers leave from where questions came in; it stays where a
    /// peer may come from anywhere, or has no route yet.
    pub fn listening(&self, config: &Config) -> Vec<IpAddr> {
        let mut listening = BTreeSet::new();
        for &address in &config.gateway.listen {
            let chosen = address.is_unspecified().then(|| self.choose(config, address)).flatten();
            match chosen {
                Some(chosen) => listening.extend(chosen.into_iter().map(|(_, address)| address)),
                None => drop(listening.insert(address)),
            }
        }
        listening.into_iter().collect()
    }

    /// Our address for each peer of one family; `None` unless all have one.
    fn choose(&self, config: &Config, unspecified: IpAddr) -> Option<Vec<(PeerId, IpAddr)>> {
        let concerned = |peer: &PeerConfig| {
            peer.remote_address.is_none_or(|remote| remote.is_ipv4() == unspecified.is_ipv4())
        };
        let address_of = |(id, peer): (&PeerId, &PeerConfig)| {
            let address = match peer.local_address {
                Some(address) => address,
                None => *self.sources.get(&peer.remote_address?)?,
            };
            Some((*id, address))
        };
        config.peers.iter().filter(|(_, peer)| concerned(peer)).map(address_of).collect()
    }

    /// Whether some device bears each of `addresses` that is one.
    pub(in crate::gateway) fn bears(&self, addresses: &[IpAddr]) -> bool {
        let has = |address| self.devices.values().any(|device| device.addresses.contains(address));
        addresses.iter().filter(|address| !address.is_unspecified()).all(has)
    }

    /// The devices that bear one of `addresses`.
    pub(in crate::gateway) fn bearing(
        &self,
        addresses: &[IpAddr],
    ) -> impl Iterator<Item = (&str, &Device)> {
        let bears = |device: &Device| addresses.iter().any(|one| device.addresses.contains(one));
        let bearing = self.devices.iter().filter(move |(_, device)| bears(device));
        bearing.map(|(name, device)| (name.as_str(), device))
    }
}

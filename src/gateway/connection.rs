//! From the operator's words to the IKE engine's: one connection per remote gateway, with a slot
//! for each peer that is a tunnel to it.

use super::pairs;
use super::world::Host;
use crate::config::{Config, PeerConfig};
use crate::ike::{
    ConnectionConfig, ConnectionId, EndpointConfig, Lifetime, LivenessConfig, RemoteAddress,
    SlotConfig, SlotId,
};
use crate::net::{AddressRange, PeerId, Prefix, RemoteId};
use crate::wire::ike::TrafficSelector;
use crate::wire::ike::limits::SELECTORS;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The connection to a remote gateway.
pub(super) fn id(remote: RemoteId) -> ConnectionId {
    ConnectionId(remote.0)
}

/// The remote gateway of a connection.
pub(super) fn remote(connection: ConnectionId) -> RemoteId {
    RemoteId(connection.0)
}

/// The slot of a peer's VPC.
pub(super) fn slot(peer: PeerId) -> SlotId {
    SlotId(peer.0)
}

/// The peer of a slot.
pub(super) fn peer(slot: SlotId) -> PeerId {
    PeerId(slot.0)
}

/// What holds for all connections.
pub(super) fn endpoint_config(config: &Config, workers: u32) -> EndpointConfig {
    EndpointConfig {
        ike_port: config.gateway.ike_port,
        natt_port: config.gateway.natt_port,
        workers,
        fragmentation: config.gateway.ike_fragmentation,
        crash_detection: config.gateway.crash_detection,
        ..EndpointConfig::default()
    }
}

/// Where peers may find us beside the address from which they are spoken to: what `listen` names.
pub(super) fn addresses(config: &Config, sockets: &BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
    let listen = config.gateway.listen.iter().copied().collect::<BTreeSet<IpAddr>>();
    listen.intersection(sockets).copied().filter(|address| !address.is_unspecified()).collect()
}

/// Our address for every peer: the one that can be told, else one of those that we listen on.
pub(super) fn local_addresses(config: &Config, host: &Host) -> BTreeMap<PeerId, IpAddr> {
    let of_peer = |id: &PeerId| Some((*id, local_address_of(config, host, *id)?));
    config.peers.keys().filter_map(of_peer).collect()
}

/// Our address for one peer.
pub(super) fn local_address_of(config: &Config, host: &Host, id: PeerId) -> Option<IpAddr> {
    let peer = config.peers.get(&id)?;
    let told = host.local_address(config, peer);
    Some(told.unwrap_or_else(|| local_address(config, peer)))
}

/// A remote gateway as the IKE engine sees it: one connection with a slot for each of the peers
/// that share it, with our address for the first. `None` when none of them is configured.
pub(super) fn connection_config(
    config: &Config,
    local_addresses: &BTreeMap<PeerId, IpAddr>,
    peers: impl IntoIterator<Item = PeerId>,
) -> Option<ConnectionConfig> {
    let peers = peers.into_iter().filter_map(|id| Some((id, config.peers.get(&id)?)));
    let peers: Vec<(PeerId, &PeerConfig)> = peers.collect();
    let (id, first) = *peers.first()?;
    let local = *local_addresses.get(&id)?;
    let slots = peers.into_iter().map(|(id, peer)| (slot(id), slot_config(config, peer)));
    Some(ConnectionConfig { slots: slots.collect(), ..shared_config(local, first) })
}

/// What a peer has in common with the others that share its connection.
fn shared_config(local: IpAddr, peer: &PeerConfig) -> ConnectionConfig {
    let remote = match peer.remote_address {
        Some(address) => RemoteAddress::At(SocketAddr::new(address, peer.remote_port)),
        None => RemoteAddress::Any,
    };
    let identities = (peer.local_identity.clone(), peer.remote_identity.clone());
    let none = (Vec::new(), Vec::new());
    let base = ConnectionConfig::new(local, remote, identities, peer.credentials.clone(), none);
    let liveness = LivenessConfig {
        interval: peer.liveness.interval,
        timeout: peer.liveness.timeout,
        give_up: peer.liveness.give_up,
        ..base.liveness.clone()
    };
    ConnectionConfig {
        anywhere: peer.local_address.is_none(),
        roams: peer.remote_name.is_some(),
        ike_suites: peer.ike_suites.clone(),
        post_quantum: peer.post_quantum,
        ppk: peer.ppk.clone(),
        initiate: peer.initiate && peer.remote_address.is_some(),
        liveness,
        ike_lifetime: Lifetime::of(peer.lifetimes.ike),
        force_encapsulation: peer.force_encapsulation,
        mobike: peer.mobike,
        encapsulation: peer.encapsulation,
        tcp_port: peer.tcp_port,
        ..base
    }
}

/// Both gateways call a VPC the same.
fn slot_config(config: &Config, peer: &PeerConfig) -> SlotConfig {
    SlotConfig {
        name: config.vpcs.get(&peer.vpc).map(|vpc| vpc.name.clone()).unwrap_or_default(),
        esp_suites: peer.esp_suites.clone(),
        aggfrag: peer.aggfrag,
        aggfrag_required: peer.constant_rate.is_some(),
        lifetime: Lifetime::of(peer.lifetimes.child),
        pairs: pairs::of(config, peer),
        ..SlotConfig::new(selectors(&peer.local_ts), selectors(&peer.remote_ts))
    }
}

/// The first address of the right family that we listen on, unspecified as it may be: then the host
/// has no way to the peer yet, or only the peer comes to us.
fn local_address(config: &Config, peer: &PeerConfig) -> IpAddr {
    listens(config, peer.remote_address.is_none_or(|remote| remote.is_ipv4()))
}

/// The first address of a family that we listen on, unspecified if there is none.
pub(super) fn listens(config: &Config, ipv4: bool) -> IpAddr {
    let listen = config.gateway.listen.iter().find(|address| address.is_ipv4() == ipv4);
    let unspecified: IpAddr =
        if ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    listen.copied().unwrap_or(unspecified)
}

/// One for each prefix, as policy-based peers expect it; where a payload holds no more, one for each
/// range of them without a gap.
fn selectors(prefixes: &[Prefix]) -> Vec<TrafficSelector> {
    if prefixes.len() <= SELECTORS {
        return prefixes.iter().map(|&prefix| TrafficSelector::any_protocol(prefix)).collect();
    }
    let ranges = AddressRange::joined(prefixes.iter().copied());
    ranges.into_iter().map(TrafficSelector::any_protocol).collect()
}

#[cfg(test)]
mod tests;

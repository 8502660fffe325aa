//! From the operator's words to the IKE engine's: one connection per peer, of the same number.

use crate::config::{self, Config, PeerConfig};
use crate::ike::{
    self, ConnectionConfig, ConnectionId, EndpointConfig, Lifetime, LivenessConfig, RemoteAddress,
    SlotConfig, SlotId,
};
use crate::net::{PeerId, Prefix};
use crate::wire::ike::TrafficSelector;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The connection of a peer.
pub fn id(peer: PeerId) -> ConnectionId {
    ConnectionId(peer.0)
}

/// The peer of a connection.
pub fn peer(connection: ConnectionId) -> PeerId {
    PeerId(connection.0)
}

/// What holds for all connections.
pub fn endpoint_config(config: &Config, workers: u32) -> EndpointConfig {
    EndpointConfig {
        ike_port: config.gateway.ike_port,
        natt_port: config.gateway.natt_port,
        workers,
        ..EndpointConfig::default()
    }
}

/// A peer as the IKE engine sees it, with our address for it as chosen, else one of those that we
/// listen on.
pub fn connection_config(
    listening: &[IpAddr],
    local: Option<IpAddr>,
    peer: &PeerConfig,
) -> ConnectionConfig {
    let remote = match peer.remote_address {
        Some(address) => RemoteAddress::At(SocketAddr::new(address, peer.remote_port)),
        None => RemoteAddress::Any,
    };
    let identities = (peer.local_identity.clone(), peer.remote_identity.clone());
    let none = (Vec::new(), Vec::new());
    let base = ConnectionConfig::new(
        local.unwrap_or_else(|| local_address(listening, peer)),
        remote,
        identities,
        credentials(&peer.credentials),
        none,
    );
    let liveness = LivenessConfig {
        interval: peer.liveness.interval,
        timeout: peer.liveness.timeout,
        give_up: peer.liveness.give_up,
        ..base.liveness.clone()
    };
    ConnectionConfig {
        ike_suites: peer.ike_suites.clone(),
        initiate: peer.initiate && peer.remote_address.is_some(),
        liveness,
        ike_lifetime: Lifetime::of(peer.lifetimes.ike),
        slots: [(SLOT, slot_config(peer))].into(),
        force_encapsulation: peer.force_encapsulation,
        ..base
    }
}

/// The slot of a peer's VPC.
pub const SLOT: SlotId = SlotId(0);

fn slot_config(peer: &PeerConfig) -> SlotConfig {
    SlotConfig {
        esp_suites: peer.esp_suites.clone(),
        lifetime: Lifetime::of(peer.lifetimes.child),
        ..SlotConfig::new(selectors(&peer.local_ts), selectors(&peer.remote_ts))
    }
}

/// The listening address of the right family, else unspecified: the choice is the routing
/// table's.
fn local_address(listening: &[IpAddr], peer: &PeerConfig) -> IpAddr {
    let ipv4 = peer.remote_address.is_none_or(|remote| remote.is_ipv4());
    let listening = listening.iter().find(|address| address.is_ipv4() == ipv4);
    let unspecified: IpAddr =
        if ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    listening.copied().unwrap_or(unspecified)
}

fn credentials(credentials: &config::Credentials) -> ike::Credentials {
    match credentials {
        config::Credentials::Psk(secret) => ike::Credentials::Psk(secret.clone()),
        config::Credentials::PublicKey { own, peer } => {
            ike::Credentials::PublicKey { own: own.clone(), peer: *peer }
        }
    }
}

fn selectors(prefixes: &[Prefix]) -> Vec<TrafficSelector> {
    prefixes.iter().map(|&prefix| TrafficSelector::any_protocol(prefix)).collect()
}

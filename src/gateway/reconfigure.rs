//! A reload as a difference: the fewest steps from one configuration to the next.
//!
//! A peer that did not change gets no step, so its tunnel does not notice the reload. What cannot
//! change while packets flow (devices, sockets, the gateway's own name) is refused as a whole,
//! and the running configuration stays.

use crate::config::{Config, GatewayConfig, PeerConfig, VpcConfig};
use crate::net::{PeerId, VpcId};

/// One step of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The peer is gone: delete its SAs and forget it.
    RemovePeer(PeerId),
    /// The peer is new.
    AddPeer(PeerId),
    /// What the SAs were negotiated from changed: delete them and negotiate anew.
    RestartPeer(PeerId),
    /// Timers changed: the SAs stay.
    RetimePeer(PeerId),
    /// What the peer may announce, how it ranks, or how its routes are learned changed.
    RerouteNeighbor(PeerId),
    /// The VPC announces other prefixes, or those of its peers too.
    Reannounce(VpcId),
    /// The VPC's virtual routers changed.
    ReplaceVirtualRouters(VpcId),
}

/// Why a reload cannot be done while running.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NeedsRestart {
    /// A key of `[gateway]` changed that sockets, threads or peers were set up with.
    #[error("{key} of [gateway] changed; that takes a restart: systemctl restart vpngwd")]
    Gateway {
        /// The key, or the first of several.
        key: &'static str,
    },
    /// A VPC came, went, or changed its device.
    #[error("the device of VPC {name} changed; that takes a restart: systemctl restart vpngwd")]
    Vpc {
        /// The VPC's name.
        name: String,
    },
}

/// The steps from `old` to `new`: what goes away first, then what changes, then what is new.
///
/// # Errors
///
/// When the change cannot be made while packets flow.
pub fn plan(old: &Config, new: &Config) -> Result<Vec<Step>, NeedsRestart> {
    same_gateway(&old.gateway, &new.gateway)?;
    same_devices(old, new)?;
    let mut steps: Vec<Step> = old
        .peers
        .keys()
        .filter(|id| !new.peers.contains_key(id))
        .map(|id| Step::RemovePeer(*id))
        .collect();
    for (id, vpc) in &new.vpcs {
        if let Some(before) = old.vpcs.get(id) {
            steps.extend(vpc_steps(*id, before, vpc));
        }
    }
    for (id, peer) in &new.peers {
        match old.peers.get(id) {
            Some(before) => steps.extend(peer_steps(*id, before, peer)),
            None => steps.push(Step::AddPeer(*id)),
        }
    }
    Ok(steps)
}

fn vpc_steps(id: VpcId, old: &VpcConfig, new: &VpcConfig) -> Vec<Step> {
    let mut steps = Vec::new();
    if old.prefixes != new.prefixes || old.transit != new.transit {
        steps.push(Step::Reannounce(id));
    }
    if old.vrrp != new.vrrp || old.interface != new.interface {
        steps.push(Step::ReplaceVirtualRouters(id));
    }
    steps
}

fn peer_steps(id: PeerId, old: &PeerConfig, new: &PeerConfig) -> Vec<Step> {
    if restarts(old, new) {
        return vec![Step::RestartPeer(id)];
    }
    let mut steps = Vec::new();
    let retimed = (old.lifetimes, old.liveness, old.initiate);
    if retimed != (new.lifetimes, new.liveness, new.initiate) {
        steps.push(Step::RetimePeer(id));
    }
    let rerouted = old.routing != new.routing
        || old.accept != new.accept
        || old.local_preference != new.local_preference;
    if rerouted {
        steps.push(Step::RerouteNeighbor(id));
    }
    steps
}

/// Whether the SAs of `old` could not have been negotiated from `new`.
fn restarts(old: &PeerConfig, new: &PeerConfig) -> bool {
    let same_path = old.remote_address == new.remote_address
        && old.remote_port == new.remote_port
        && old.local_address == new.local_address
        && old.force_encapsulation == new.force_encapsulation;
    let same_proof = old.local_identity == new.local_identity
        && old.remote_identity == new.remote_identity
        && old.credentials == new.credentials;
    let same_proposal = old.ike_suites == new.ike_suites
        && old.esp_suites == new.esp_suites
        && old.local_ts == new.local_ts
        && old.remote_ts == new.remote_ts
        && old.replay_window == new.replay_window;
    let same_place = old.vpc == new.vpc;
    !(same_path && same_proof && same_proposal && same_place)
}

fn same_gateway(old: &GatewayConfig, new: &GatewayConfig) -> Result<(), NeedsRestart> {
    let unchanged = [
        ("name", old.name == new.name),
        ("listen", old.listen == new.listen),
        ("ike_port", old.ike_port == new.ike_port),
        ("natt_port", old.natt_port == new.natt_port),
        ("asn", old.asn == new.asn),
        ("router_id", old.router_id == new.router_id),
        ("underlay_mtu", old.underlay_mtu == new.underlay_mtu),
        ("workers", old.workers == new.workers),
        ("control_socket", old.control_socket == new.control_socket),
    ];
    match unchanged.into_iter().find(|(_, same)| !same) {
        Some((key, _)) => Err(NeedsRestart::Gateway { key }),
        None => Ok(()),
    }
}

fn same_devices(old: &Config, new: &Config) -> Result<(), NeedsRestart> {
    for (id, vpc) in old.vpcs.iter().chain(&new.vpcs) {
        let same = match (old.vpcs.get(id), new.vpcs.get(id)) {
            (Some(a), Some(b)) => same_device(a, b),
            _ => false,
        };
        if !same {
            return Err(NeedsRestart::Vpc { name: vpc.name.clone() });
        }
    }
    Ok(())
}

fn same_device(a: &VpcConfig, b: &VpcConfig) -> bool {
    a.name == b.name && a.tun == b.tun && a.netns == b.netns && a.mtu == b.mtu
}

#[cfg(test)]
mod tests;

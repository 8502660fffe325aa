//! A reload as a difference: the fewest steps from one configuration to the next.
//!
//! A peer that did not change gets no step, so its tunnel does not notice the reload. What cannot
//! change while packets flow (sockets, the gateway's own name) is refused as a whole, and the
//! running configuration stays. A VPC whose device gets another name or place is another VPC.

mod details;

use super::Gateway;
use crate::config::{Config, GatewayConfig, PeerConfig, VpcConfig};
use crate::control::{ChangeView, PlanView};
use crate::net::{PeerId, VpcId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One step of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The peer is gone: delete its SAs and forget it.
    RemovePeer(PeerId),
    /// The peer is new.
    AddPeer(PeerId),
    /// What the SAs were negotiated from changed: delete them and negotiate anew.
    RestartPeer(PeerId),
    /// Certificates or authorities changed: the SAs stay while the peer's certificate still holds.
    RenewPeer(PeerId),
    /// Timers changed: the SAs stay.
    RetimePeer(PeerId),
    /// The peer has other addresses beside the one in use.
    RelocatePeer(PeerId),
    /// What the peer may announce, how it ranks, or how its routes are learned changed.
    RerouteNeighbor(PeerId),
    /// The VPC announces other prefixes, or those of its peers too.
    Reannounce(VpcId),
    /// The VPC's virtual routers changed.
    ReplaceVirtualRouters(VpcId),
    /// The VPC is new.
    AddVpc(VpcId),
    /// The MTU of the VPC's device changed.
    Resize(VpcId),
    /// The segment of the VPC's hosts changed, or what of it is public.
    Rewire(VpcId),
    /// Other services of the host are offered to the VPC's peers.
    Offer(VpcId),
    /// The VPC's peers share flows from now on, or do not any more.
    Share(VpcId),
    /// The VPC is gone, after its peers.
    RemoveVpc(VpcId),
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
}

/// The steps from `old` to `new`: what goes away first, then what changes, then what is new.
///
/// # Errors
///
/// When the change cannot be made while packets flow.
pub(super) fn plan(old: &Config, new: &Config) -> Result<Vec<Step>, NeedsRestart> {
    same_gateway(&old.gateway, &new.gateway)?;
    let gone = old.peers.keys().filter(|id| !new.peers.contains_key(id));
    let mut steps: Vec<Step> = gone.map(|id| Step::RemovePeer(*id)).collect();
    for (id, vpc) in &new.vpcs {
        match old.vpcs.get(id) {
            Some(before) => steps.extend(vpc_steps(*id, before, vpc)),
            None => steps.push(Step::AddVpc(*id)),
        }
    }
    for (id, peer) in &new.peers {
        match old.peers.get(id) {
            Some(before) => steps.extend(peer_steps(*id, before, peer)),
            None => steps.push(Step::AddPeer(*id)),
        }
    }
    let gone = old.vpcs.keys().filter(|id| !new.vpcs.contains_key(id));
    steps.extend(gone.map(|id| Step::RemoveVpc(*id)));
    Ok(steps)
}

/// What a reload did, by the names of tunnels and VPCs; those that are not named go on as before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    touched: BTreeMap<&'static str, BTreeSet<String>>,
    steps: usize,
}

impl Reloaded {
    /// What `steps` from `old` to `new` do.
    pub fn by(steps: &[Step], old: &Config, new: &Config) -> Reloaded {
        let peer = |config: &Config, id| config.peers.get(&id).map(|peer| peer.name.clone());
        let vpc = |config: &Config, id| config.vpcs.get(&id).map(|vpc| vpc.name.clone());
        let mut reloaded = Reloaded { steps: steps.len(), ..Reloaded::default() };
        for &step in steps {
            let (what, name) = match step {
                Step::RestartPeer(id) => ("tunnels begun anew", peer(new, id)),
                Step::AddPeer(id) => ("tunnels added", peer(new, id)),
                Step::RemovePeer(id) => ("tunnels removed", peer(old, id)),
                Step::RenewPeer(id) => ("certificates of tunnels changed", peer(new, id)),
                Step::RetimePeer(id) => ("timers of tunnels changed", peer(new, id)),
                Step::RelocatePeer(id) => ("addresses of tunnels changed", peer(new, id)),
                Step::RerouteNeighbor(id) => ("routes of tunnels changed", peer(new, id)),
                Step::Reannounce(id)
                | Step::ReplaceVirtualRouters(id)
                | Step::Resize(id)
                | Step::Rewire(id)
                | Step::Offer(id)
                | Step::Share(id) => ("VPCs changed", vpc(new, id)),
                Step::AddVpc(id) => ("VPCs added", vpc(new, id)),
                Step::RemoveVpc(id) => ("VPCs removed", vpc(old, id)),
            };
            reloaded.touched.entry(what).or_default().extend(name);
        }
        reloaded
    }

    /// What was done to whom.
    pub fn changes(&self) -> impl Iterator<Item = (&'static str, &BTreeSet<String>)> {
        self.touched.iter().map(|(what, names)| (*what, names))
    }

    /// How many steps it took.
    pub fn steps(&self) -> usize {
        self.steps
    }
}

impl Gateway {
    /// What going over from `old` to `new` would do; the gateway's name is left to the caller.
    ///
    /// # Errors
    ///
    /// When it takes a restart.
    pub fn plan(old: &Config, new: &Config) -> Result<PlanView, NeedsRestart> {
        let reloaded = Reloaded::by(&plan(old, new)?, old, new);
        let change = |(what, names): (&'static str, &BTreeSet<String>)| ChangeView {
            what: what.to_owned(),
            names: names.iter().cloned().collect(),
        };
        let changes = reloaded.changes().map(change).collect();
        Ok(PlanView { changes, details: details::of(old, new), ..PlanView::default() })
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.touched.is_empty() {
            return f.write_str("nothing changed");
        }
        for (what, names) in &self.touched {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            write!(f, "{what}: {}; ", names.join(", "))?;
        }
        f.write_str("all other tunnels did not notice")
    }
}

fn vpc_steps(id: VpcId, old: &VpcConfig, new: &VpcConfig) -> Vec<Step> {
    let mut steps = Vec::new();
    let told = (&old.prefixes, &old.routers, old.transit);
    if told != (&new.prefixes, &new.routers, new.transit) {
        steps.push(Step::Reannounce(id));
    }
    if old.mtu_limit() != new.mtu_limit() {
        steps.push(Step::Resize(id));
    }
    if (&old.vxlan, &old.public, &old.egress) != (&new.vxlan, &new.public, &new.egress) {
        steps.push(Step::Rewire(id));
    }
    if old.services != new.services {
        steps.push(Step::Offer(id));
    }
    if old.multipath != new.multipath {
        steps.push(Step::Share(id));
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
    if old.credentials != new.credentials {
        steps.push(Step::RenewPeer(id));
    }
    let times =
        |peer: &PeerConfig| (peer.lifetimes, peer.liveness, peer.bfd, peer.initiate, peer.probe);
    let sending = |peer: &PeerConfig| (peer.rate_limit, peer.dscp);
    if times(old) != times(new) || sending(old) != sending(new) {
        steps.push(Step::RetimePeer(id));
    }
    if old.remote_addresses != new.remote_addresses {
        steps.push(Step::RelocatePeer(id));
    }
    let rerouted = old.routing != new.routing
        || old.accept != new.accept
        || old.maps != new.maps
        || old.local_preference != new.local_preference
        || old.weight != new.weight;
    if rerouted {
        steps.push(Step::RerouteNeighbor(id));
    }
    steps
}

/// Whether the SAs of `old` could not have been negotiated from `new`.
fn restarts(old: &PeerConfig, new: &PeerConfig) -> bool {
    let same_path = old.remote_address == new.remote_address
        && old.remote_name == new.remote_name
        && old.remote_port == new.remote_port
        && old.local_address == new.local_address
        && old.force_encapsulation == new.force_encapsulation
        && old.mobike == new.mobike
        && old.encapsulation == new.encapsulation
        && old.tcp_port == new.tcp_port;
    let same_proof = old.local_identity == new.local_identity
        && old.remote_identity == new.remote_identity
        && old.ppk == new.ppk
        && old.credentials.continues_as(&new.credentials);
    let same_proposal = old.ike_suites == new.ike_suites
        && old.esp_suites == new.esp_suites
        && old.post_quantum == new.post_quantum
        && old.aggfrag == new.aggfrag
        && old.constant_rate == new.constant_rate
        && old.local_ts == new.local_ts
        && old.remote_ts == new.remote_ts
        && old.replay_window == new.replay_window;
    let same_place = old.vpc == new.vpc;
    !(same_path && same_proof && same_proposal && same_place)
}

fn same_gateway(old: &GatewayConfig, new: &GatewayConfig) -> Result<(), NeedsRestart> {
    let unchanged = [
        ("name", old.name == new.name),
        ("ike_port", old.ike_port == new.ike_port),
        ("natt_port", old.natt_port == new.natt_port),
        ("tcp_port", old.tcp_port == new.tcp_port),
        ("asn", old.asn == new.asn),
        ("router_id", old.router_id == new.router_id),
        ("underlay_mtu", old.underlay_mtu == new.underlay_mtu),
        ("workers", old.workers == new.workers),
        ("control_socket", old.control_socket == new.control_socket),
        ("http_listen", old.http_listen == new.http_listen),
    ];
    match unchanged.into_iter().find(|(_, same)| !same) {
        Some((key, _)) => Err(NeedsRestart::Gateway { key }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

//! Routers of the VPCs: neighbours of a VPC's [`Router`](crate::routing::Router) on the VPC's own network,
//! outside all tunnels. What they announce is at home in the VPC, what peers announce is told to them.
//!
//! ```text
//!   hosts ── router ◄─ BGP on `interface` ─► gateway ◄─ BGP in the tunnel ─► peer
//!              its prefixes: Wish::Onward        peers' prefixes: the groups of tunnels
//! ```
//!
//! Their sessions run over the VPC's interface and no other device, with addresses that the operator
//! names; what they bring lies in their `accept`, which no peer may announce, and never in the underlay.

use super::diagnosis::{Fact, Party};
use super::io::{Lan, Shield, TcpOutput};
use super::telling::Telling;
use super::{Gateway, Vpc};
use crate::config::{VpcConfig, VpcRouterConfig};
use crate::control::{Code, Severity};
use crate::net::{Mappings, PeerId, VpcId};
use crate::routing::{Action, NeighborConfig, NeighborKind, Side};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The number of the first router among the neighbours of a VPC; peers have lower ones.
const FIRST: u32 = 1 << 31;

/// The routers of one VPC.
#[derive(Debug, Default)]
pub(super) struct VpcRouters {
    known: BTreeMap<PeerId, VpcRouterConfig>,
    /// What was last told of one that fails.
    told: BTreeMap<PeerId, Fact>,
    telling: Telling,
}

impl VpcRouters {
    /// The router with this number.
    pub(super) fn get(&self, id: PeerId) -> Option<&VpcRouterConfig> {
        self.known.get(&id)
    }

    /// The routers with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &VpcRouterConfig)> {
        self.known.iter().map(|(id, router)| (*id, router))
    }

    fn number_of(&self, name: &str) -> PeerId {
        let known = self.known.iter().find(|(_, router)| router.name == name);
        let free = || (FIRST..).map(PeerId).find(|id| !self.known.contains_key(id));
        known.map(|(id, _)| *id).or_else(free).unwrap_or(PeerId(u32::MAX))
    }
}

impl Vpc {
    /// Goes over to the routers of the configuration; a session whose ends did not change goes on.
    pub(super) fn follow_routers(&mut self, config: &VpcConfig, now: Timestamp) {
        self.router.set_extent(config.extent().collect(), now);
        let is_wanted =
            |router: &VpcRouterConfig| config.routers.iter().any(|new| new.name == router.name);
        let gone = self.routers.iter().filter(|(_, router)| !is_wanted(router));
        for id in gone.map(|(id, _)| id).collect::<Vec<_>>() {
            self.routers.known.remove(&id);
            self.routers.told.remove(&id);
            self.router.remove_neighbor(id, now);
        }
        for router in &config.routers {
            let id = self.routers.number_of(&router.name);
            match self.routers.known.insert(id, router.clone()) {
                Some(before) if before == *router => {}
                Some(before) => {
                    self.router.update_neighbor(id, neighbor_config(router), now);
                    if before.password != router.password {
                        self.router.reset_neighbor(id, now);
                    }
                }
                None => {
                    self.router.add_neighbor(id, neighbor_config(router), now);
                    self.router.on_tunnel(id, self.link_is_up, now);
                }
            }
        }
    }

    /// Says whether the interface towards the VPC's routers carries packets.
    pub(super) fn on_lan(&mut self, up: bool, now: Timestamp) {
        if std::mem::replace(&mut self.link_is_up, up) != up {
            for id in self.routers.known.keys() {
                self.router.on_tunnel(*id, up, now);
            }
        }
    }

    /// The network on which a router is spoken to.
    fn lan_of(&self, interface: Option<&String>, local: IpAddr) -> Option<Lan> {
        let routers = self.routers.known.values().filter(|router| router.local_address == local);
        let shield = |router: &VpcRouterConfig| Shield {
            password: router.password.clone(),
            ttl_security: router.ttl_security,
        };
        let routers = routers.map(|router| (router.address, shield(router))).collect();
        Some(Lan { interface: interface?.clone(), routers })
    }
}

/// Where BGP listens: at our addresses, inside tunnels or on the network of a VPC.
pub(super) type Listeners = BTreeMap<(VpcId, IpAddr), Option<Lan>>;

impl Gateway {
    /// Where BGP listens.
    pub(super) fn bgp_listeners(&self) -> Listeners {
        let mut listeners = Listeners::new();
        for (&id, vpc) in &self.vpcs {
            let interface = self.config.vpcs.get(&id).and_then(|vpc| vpc.interface.as_ref());
            for (_, router) in vpc.routers.iter() {
                let local = router.local_address;
                listeners.insert((id, local), vpc.lan_of(interface, local));
            }
            listeners.extend(vpc.inside.iter().map(|&local| ((id, local), None)));
        }
        listeners
    }

    /// Listens where it is listened to now, and not where it was `before`.
    pub(super) fn relisten(&mut self, before: &Listeners) {
        let after = self.bgp_listeners();
        let closed = before.iter().filter(|(place, lan)| after.get(place) != Some(lan));
        let closed = closed.map(|(&(vpc, local), _)| TcpOutput::Unlisten { vpc, local });
        self.tcp.extend(closed);
        let opened = after.into_iter().filter(|(place, lan)| before.get(place) != Some(lan));
        let opened = opened.map(|((vpc, local), lan)| TcpOutput::Listen { vpc, local, lan });
        self.tcp.extend(opened);
    }

    /// The network on which a neighbour is connected to; `None` is inside the tunnels.
    pub(super) fn lan_towards(&self, vpc: VpcId, neighbor: PeerId) -> Option<Lan> {
        let interface = self.config.vpcs.get(&vpc)?.interface.as_ref();
        let vpc = self.vpcs.get(&vpc)?;
        vpc.lan_of(interface, vpc.routers.get(neighbor)?.local_address)
    }

    /// Takes down what a session with a router of a VPC tells; says whether it was one.
    pub(super) fn tell_of_router(&mut self, id: VpcId, action: &Action, now: Timestamp) -> bool {
        let Some(neighbor) = neighbor_of(action).filter(|neighbor| neighbor.0 >= FIRST) else {
            return false;
        };
        let (own, names) = (self.config.gateway.asn, &self.config.vpcs);
        let vpc_name = names.get(&id).map(|vpc| vpc.name.clone()).unwrap_or_default();
        let Some(vpc) = self.vpcs.get_mut(&id) else { return true };
        let VpcRouters { known, told, telling } = &mut vpc.routers;
        let Some(router) = known.get(&neighbor) else { return true };
        let party = party(router);
        let fact = match action {
            Action::NeighborUp { .. } => Fact::new(Code::BgpUp, "BGP session up"),
            Action::NeighborDown { reason, .. } | Action::NeighborFailed { reason, .. } => {
                Fact::of_bgp(reason, own, &party)
            }
            Action::NearLimit { count, limit, .. } => Fact::of_near_limit(*count, *limit, &party),
            Action::Rejected { prefix, why, .. } => Fact::of_rejection(*prefix, *why, &party),
            Action::Connect { .. }
            | Action::Send { .. }
            | Action::Close { .. }
            | Action::Fib(_) => return false,
        };
        let is_news = match fact.code.severity() {
            Severity::Info => told.remove(&neighbor).is_some() || fact.code == Code::BgpUp,
            Severity::Warning => told.insert(neighbor, fact.clone()).as_ref() != Some(&fact),
        };
        let name = format!("{vpc_name}/{}", router.name);
        let text = format!("router {name}: {}", fact.text);
        if let Some(text) = is_news.then(|| telling.ask(now).complete(text)).flatten() {
            self.take_down_fact(Fact { text, ..fact }, now);
        }
        true
    }

    /// How a neighbour of a VPC is called: a peer, or one of the VPC's routers.
    pub(super) fn neighbor_name(&self, vpc: &Vpc, neighbor: PeerId) -> String {
        let router = vpc.routers.get(neighbor).map(|router| router.name.clone());
        router.unwrap_or_else(|| self.peer_name(neighbor))
    }
}

/// The neighbour that something is told of.
fn neighbor_of(action: &Action) -> Option<PeerId> {
    match action {
        Action::NeighborUp { peer }
        | Action::NeighborDown { peer, .. }
        | Action::NeighborFailed { peer, .. }
        | Action::NearLimit { peer, .. }
        | Action::Rejected { peer, .. } => Some(*peer),
        Action::Connect { .. } | Action::Send { .. } | Action::Close { .. } | Action::Fib(_) => {
            None
        }
    }
}

/// A router as remedies call it.
pub(super) fn party(router: &VpcRouterConfig) -> Party<'_> {
    let unreachable = format!(
        "does {} speak BGP at {} with {}? Does its firewall let TCP port 179 pass, and have both \
         the same password, or none?",
        router.name, router.address, router.local_address
    );
    Party { name: &router.name, accept: &router.accept, unreachable: Some(unreachable) }
}

fn neighbor_config(router: &VpcRouterConfig) -> NeighborConfig {
    NeighborConfig {
        kind: NeighborKind::Bgp {
            remote_asn: router.remote_asn,
            local: router.local_address,
            remote: router.address,
            role: router.role,
            strict_role: router.strict_role,
            hold_time: router.hold_time,
            passive: false,
        },
        side: Side::Vpc,
        maps: Mappings::default(),
        import: router.accept.iter().copied().collect(),
        import_rules: router.import.as_slice().into(),
        export_rules: router.announce.as_slice().into(),
        local_preference: router.local_preference,
        max_prefixes: router.max_prefixes,
    }
}

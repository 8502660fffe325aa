//! One VPC of the gateway: its routing engine, the routes that its packets take, and what both
//! want from the kernel. No SA and no tunnel state lives here; tunnels' health comes in.

use super::failover::Health;
use super::io::LinkState;
use super::multipath;
use super::own::OwnAddresses;
use super::routes::VpcRoutes;
use super::vpc_routers::VpcRouters;
use super::world::{Wish, World};
use crate::config::{BgpConfig, Config, PeerConfig, Routing, VpcConfig, derive_inside_address};
use crate::esp::DiscardCounters;
use crate::forward::{Conversations, Neighbor, Services};
use crate::net::{Asn, Mappings, PeerId, Prefix, PrefixSet, VpcId};
use crate::random::Random;
use crate::routing::bgp::Family;
use crate::routing::policy::Rule;
use crate::routing::{FibChange, NeighborConfig, NeighborKind, Router, RouterConfig, Side};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A VPC at work.
#[derive(Debug)]
pub(super) struct Vpc {
    /// Its number.
    pub id: VpcId,
    /// BGP and static routes.
    pub router: Router,
    /// Next-hop groups and FIB.
    pub routes: VpcRoutes,
    /// What is on this side: prefixes that may be at home here, and our inside addresses.
    pub home: Arc<PrefixSet>,
    /// Where packets from peers may go.
    pub destinations: Arc<PrefixSet>,
    /// The same as those peers know it that know our prefixes by others.
    known: BTreeMap<Mappings, Arc<PrefixSet>>,
    /// Our inside addresses, on which BGP listens.
    pub inside: BTreeSet<IpAddr>,
    /// By the peers' inside addresses ours, from which alone they are spoken to.
    pub inside_pairs: BTreeMap<IpAddr, IpAddr>,
    /// From where the host speaks to everybody else behind the peers.
    pub own: OwnAddresses,
    /// What the gateway is as a host there.
    pub services: Arc<Services>,
    /// What the host itself has begun to talk about.
    pub conversations: Arc<Conversations>,
    /// Packets discarded before a tunnel was chosen.
    pub discards: Arc<DiscardCounters>,
    /// Its routers that speak BGP.
    pub routers: VpcRouters,
    /// Whether the interface towards them carries packets.
    pub link_is_up: bool,
    /// The interface has come back, and until then nothing shows that its network carries packets.
    pub in_doubt_until: Option<Timestamp>,
    /// The families in which our hosts can be reached.
    reached: BTreeSet<Family>,
    /// The peers whose tunnels carry packets.
    reachable: BTreeSet<PeerId>,
    /// The peers whose routes are known: by BGP once the session is up, or from the file.
    routed: BTreeSet<PeerId>,
    /// Its device, rules that lead its packets there, or forwarding, while the host refuses them.
    refused: BTreeSet<Wish>,
    /// Its addresses and guards, while the host refuses them.
    missing: BTreeSet<Wish>,
    /// The families in which hosts count on our forwarding, IPv4 or not: it has been on, or they have a
    /// virtual router here.
    forwarded: BTreeSet<bool>,
}

impl Vpc {
    /// A VPC with its own prefixes and no neighbours yet.
    pub(super) fn new(id: VpcId, config: &Config, now: Timestamp, random: &mut dyn Random) -> Vpc {
        let router = Router::new(router_config(id, config), random);
        let mut vpc = Vpc {
            id,
            router,
            routes: VpcRoutes::default(),
            home: Arc::default(),
            destinations: Arc::default(),
            known: BTreeMap::new(),
            inside: BTreeSet::new(),
            inside_pairs: BTreeMap::new(),
            own: OwnAddresses::default(),
            services: Arc::default(),
            conversations: Arc::default(),
            discards: Arc::default(),
            routers: VpcRouters::default(),
            link_is_up: true,
            in_doubt_until: None,
            reached: BTreeSet::from(Family::ALL),
            reachable: BTreeSet::new(),
            routed: BTreeSet::new(),
            refused: BTreeSet::new(),
            missing: BTreeSet::new(),
            forwarded: BTreeSet::new(),
        };
        vpc.configure(config, now);
        vpc
    }

    /// Takes the VPC's own prefixes and the inside addresses from the configuration; says whether
    /// that changes what its packets may do.
    pub(super) fn configure(&mut self, config: &Config, now: Timestamp) -> bool {
        let Some(vpc) = config.vpcs.get(&self.id) else { return false };
        self.inside_pairs = inside_pairs(self.id, config);
        let inside = inside_addresses(self.id, config);
        let home = home(vpc, &inside);
        let destinations = destinations(self.id, vpc, config, &home);
        // Inside addresses are at home, too.
        let changed = home != *self.home || destinations != *self.destinations;
        if changed {
            (self.home, self.destinations) = (Arc::new(home), Arc::new(destinations));
        }
        self.inside = inside;
        let peers = config.peers_of(self.id);
        let maps: BTreeSet<&Mappings> = peers.map(|(_, peer)| &peer.maps).collect();
        let known = maps.into_iter().filter(|maps| !maps.is_empty());
        self.known = known.map(|maps| (maps.clone(), self.destinations_behind(maps))).collect();
        self.routes.set_multipath(multipath::sharers(self.id, config));
        self.router.reconfigure(router_config(self.id, config), now);
        self.router.set_local_prefixes(vpc.prefixes.iter().copied().collect(), now);
        let outsides = vpc.maps.iter().map(|map| map.mapping.outside());
        self.router.set_outside_prefixes(outsides.collect(), now);
        self.follow_routers(vpc, now);
        changed
    }

    /// Where packets may go of a peer that knows our prefixes by these others, as it knows it.
    pub(super) fn destinations_known_by(&self, maps: &Mappings) -> Arc<PrefixSet> {
        Arc::clone(self.known.get(maps).unwrap_or(&self.destinations))
    }

    fn destinations_behind(&self, maps: &Mappings) -> Arc<PrefixSet> {
        Arc::new(self.destinations.iter().map(|prefix| maps.outward_prefix(&prefix)).collect())
    }

    /// Adds a peer as a neighbour, and the route to its inside address.
    pub(super) fn add_neighbor(&mut self, peer: PeerId, config: &PeerConfig, now: Timestamp) {
        self.router.add_neighbor(peer, neighbor_config(config), now);
        note(&mut self.routed, peer, !is_static(config));
        if let Some(inside) = inside_remote(config) {
            self.routes.pin(Prefix::host(inside), peer);
        }
    }

    /// Changes a neighbour; what did not change of it keeps running.
    pub(super) fn update_neighbor(
        &mut self,
        peer: PeerId,
        old: &PeerConfig,
        new: &PeerConfig,
        now: Timestamp,
    ) {
        self.router.update_neighbor(peer, neighbor_config(new), now);
        if is_static(old) != is_static(new) {
            note(&mut self.routed, peer, !is_static(new));
        }
        if inside_remote(old) != inside_remote(new) {
            inside_remote(old).inspect(|inside| self.routes.unpin(&Prefix::host(*inside)));
            inside_remote(new).inspect(|inside| self.routes.pin(Prefix::host(*inside), peer));
        }
    }

    /// Forgets a neighbour with all that it announced.
    pub(super) fn remove_neighbor(&mut self, peer: PeerId, config: &PeerConfig, now: Timestamp) {
        self.router.remove_neighbor(peer, now);
        self.routed.remove(&peer);
        if let Some(inside) = inside_remote(config) {
            self.routes.unpin(&Prefix::host(inside));
        }
    }

    /// Says how the tunnel to a peer is, and was before; told when that changes.
    pub(super) fn on_tunnel(
        &mut self,
        peer: PeerId,
        before: Health,
        health: Health,
        now: Timestamp,
    ) {
        let carries = matches!(health, Health::Usable | Health::Poor | Health::Leaving);
        note(&mut self.reachable, peer, !carries);
        if before.is_usable() != health.is_usable() {
            self.router.on_tunnel(peer, health.is_usable(), now);
        }
    }

    /// Says whether the BGP session with a peer is up.
    pub(super) fn on_session(&mut self, peer: PeerId, up: bool) {
        note(&mut self.routed, peer, !up);
    }

    /// Whether no tunnel carries packets to where routes lead. A gateway that starts must not answer
    /// for its hosts' next hop before it knows the way on; and one whose paths come back, one after
    /// the other, not before they have been there for a while.
    pub(super) fn is_isolated(&self) -> bool {
        self.reachable.is_disjoint(&self.routed)
    }

    /// Whether its hosts cannot be reached, in no family.
    pub(super) fn is_dead_end(&self) -> bool {
        self.reached.is_empty() || self.in_doubt_until.is_some()
    }

    /// Takes changes of the best paths over, into the FIB and to the host.
    pub(super) fn learn(&mut self, changes: &[FibChange], world: &mut World) {
        for change in changes {
            let routed = self.routes.learn(change.prefix, &change.paths);
            let (vpc, prefix) = (self.id, change.prefix);
            match change.home {
                Some(router) => world.add(Wish::Onward { vpc, prefix, router }),
                None => world.remove_onward(vpc, prefix),
            }
            if routed {
                world.add(Wish::Route { vpc, prefix, source: self.source_towards(&prefix) });
            } else {
                world.remove_route(vpc, prefix);
            }
        }
    }

    /// The address from which the host speaks to a prefix.
    pub(super) fn source_towards(&self, prefix: &Prefix) -> Option<IpAddr> {
        let is_host = *prefix == Prefix::host(prefix.addr());
        let inside = self.inside_pairs.get(&prefix.addr()).copied().filter(|_| is_host);
        inside.or_else(|| self.own.towards(prefix))
    }

    /// Takes over that the host refuses something of this VPC, or does it again. A prefix that
    /// it does not route is told to nobody, and a VPC that it does not serve neither.
    pub(super) fn on_refusal(&mut self, wish: Wish, carried: bool, now: Timestamp) {
        match wish {
            Wish::Route { prefix, .. } => {
                self.router.set_carried(prefix, carried, now);
                self.routes.set_carried(prefix, carried);
            }
            Wish::Onward { prefix, .. } => self.router.set_carried(prefix, carried, now),
            Wish::Device { .. } | Wish::Rule(_) => {
                note(&mut self.refused, wish, carried);
                self.announce(now);
            }
            // A host that serves nobody but itself may do without.
            Wish::Forwarding { ipv4, .. } if !self.forwarded.contains(&ipv4) => {
                note(&mut self.missing, wish, carried)
            }
            Wish::Forwarding { .. } => {
                self.missing.remove(&wish);
                note(&mut self.refused, wish, carried);
                self.announce(now);
            }
            // Without an address BGP does not run, without a guard the routes still do.
            Wish::Address { .. }
            | Wish::Guard { .. }
            | Wish::Home { .. }
            | Wish::Bar { .. }
            | Wish::Fence { .. }
            | Wish::Admission(_)
            | Wish::Segment(_)
            | Wish::VirtualMac(_)
            | Wish::Translation(_)
            | Wish::Outlet(_)
            | Wish::Exit { .. }
            | Wish::Closed { .. }
            | Wish::Public { .. }
            | Wish::Sharing(_) => {
                note(&mut self.missing, wish, carried);
            }
        }
    }

    /// The host forwards its packets, or must: hosts have a virtual router here.
    pub(super) fn count_on_forwarding(&mut self, ipv4: bool) {
        self.forwarded.insert(ipv4);
    }

    /// Its device, the rules that lead to it, and forwarding, while the host refuses them: without
    /// them no packet finds a tunnel.
    pub(super) fn refused(&self) -> &BTreeSet<Wish> {
        &self.refused
    }

    /// What else the host refuses, beside routes.
    pub(super) fn missing(&self) -> &BTreeSet<Wish> {
        &self.missing
    }

    /// How many learned prefixes go to `peer` now, by us and by the host.
    pub(super) fn carried_to(&self, peer: PeerId) -> usize {
        if self.refused.is_empty() { self.routes.learned_through(peer) } else { 0 }
    }

    /// How many learned prefixes would go to `peer` now, did the host not refuse.
    pub(super) fn refused_to(&self, peer: PeerId) -> usize {
        let refused = self.routes.refused_through(peer);
        if self.refused.is_empty() { refused } else { refused + self.routes.learned_through(peer) }
    }

    /// Goes over to another interface, or to none: its hosts can be reached until it says otherwise.
    pub(super) fn forget_link(&mut self, now: Timestamp) {
        self.reached = BTreeSet::from(Family::ALL);
        self.in_doubt_until = None;
        self.on_lan(true, now);
        self.announce(now);
    }

    /// Announces our prefixes only while their hosts can be reached: the interface is up, and has
    /// an address of the family if a virtual router of that family stands on it. Without one we
    /// are no router of that link. An interface that has come back is [in doubt](Vpc::doubt_network) first.
    pub(super) fn handle_link(&mut self, config: &VpcConfig, link: &LinkState, now: Timestamp) {
        if config.interface.as_deref() != Some(link.interface.as_str()) {
            return;
        }
        let here = || config.vrrp.iter().filter(|router| router.interface == link.interface);
        let is_reached = |family: &Family| match family {
            Family::Ipv4 => link.ipv4.is_some() || here().all(|router| router.ipv4.is_empty()),
            Family::Ipv6 => link.ipv6.is_some() || here().all(|router| router.ipv6.is_empty()),
        };
        let families = Family::ALL.into_iter().filter(|family| link.up && is_reached(family));
        self.reached = families.collect();
        self.doubt_network(link.up, here().next().is_some(), now);
        self.on_lan(link.up, now);
        self.announce(now);
    }

    /// Tells peers of our prefixes, as far as packets for them get to hosts.
    pub(super) fn announce(&mut self, now: Timestamp) {
        let carries = self.refused.is_empty() && self.in_doubt_until.is_none();
        let families = self.reached.iter().copied().filter(|_| carries);
        self.router.set_announced_families(families.collect(), now);
    }
}

/// Keeps something among others until it is over: a wish that is refused until it is carried out, a
/// peer until it is out of reach.
fn note<T: Ord>(among: &mut BTreeSet<T>, one: T, over: bool) {
    if over {
        among.remove(&one);
    } else {
        among.insert(one);
    }
}

/// The two ends of the tunnel to a peer, where it has addresses inside.
pub(super) fn neighbor(peer: &PeerConfig) -> Option<Neighbor> {
    let inside = peer.routing.inside()?;
    let (bgp, ttl_security) = match &peer.routing {
        Routing::Bgp(bgp) => (true, bgp.ttl_security),
        Routing::Static { .. } => (false, false),
    };
    Some(Neighbor { local: inside.local, remote: inside.remote, bgp, ttl_security })
}

fn is_static(peer: &PeerConfig) -> bool {
    matches!(peer.routing, Routing::Static { .. })
}

/// The peer's address inside the tunnel, where it has one.
pub(super) fn inside_remote(peer: &PeerConfig) -> Option<IpAddr> {
    peer.routing.inside().map(|inside| inside.remote)
}

/// The addresses that a peer's packets may come from.
pub(super) fn sources(peer: &PeerConfig) -> PrefixSet {
    let inside = inside_remote(peer).map(Prefix::host);
    peer.accept.iter().chain(static_prefixes(peer)).copied().chain(inside).collect()
}

pub(super) fn static_prefixes(peer: &PeerConfig) -> &[Prefix] {
    match &peer.routing {
        Routing::Static { prefixes, .. } => prefixes,
        Routing::Bgp(_) => &[],
    }
}

fn inside_addresses(vpc: VpcId, config: &Config) -> BTreeSet<IpAddr> {
    let inside = config.peers_of(vpc).filter_map(|(_, peer)| peer.routing.inside());
    inside.map(|inside| inside.local).collect()
}

fn inside_pairs(vpc: VpcId, config: &Config) -> BTreeMap<IpAddr, IpAddr> {
    let inside = config.peers_of(vpc).filter_map(|(_, peer)| peer.routing.inside());
    inside.map(|inside| (inside.remote, inside.local)).collect()
}

/// All that may be at home in the VPC, and our inside addresses.
fn home(vpc: &VpcConfig, inside: &BTreeSet<IpAddr>) -> PrefixSet {
    vpc.extent().chain(inside.iter().copied().map(Prefix::host)).collect()
}

/// Packets from peers may go to what is at home; through a transit gateway also to what its other
/// peers may announce.
fn destinations(id: VpcId, vpc: &VpcConfig, config: &Config, home: &PrefixSet) -> PrefixSet {
    let beyond = config.peers_of(id).filter(|_| vpc.transit);
    let beyond = beyond.flat_map(|(_, peer)| peer.accept.iter().copied());
    home.iter().chain(beyond).collect()
}

fn router_config(id: VpcId, config: &Config) -> RouterConfig {
    let asn = config.gateway.asn.unwrap_or(Asn(0));
    let vpc = config.vpcs.get(&id);
    let next_hop = |vpc: &VpcConfig| derive_inside_address(&config.gateway.identity, &vpc.name);
    RouterConfig {
        ipv6_next_hop: vpc.map(next_hop),
        transit: vpc.is_some_and(|vpc| vpc.transit),
        multipath: vpc.is_some_and(|vpc| vpc.multipath),
        ..RouterConfig::new(asn, config.gateway.router_id)
    }
}

fn neighbor_config(peer: &PeerConfig) -> NeighborConfig {
    let kind = match &peer.routing {
        Routing::Bgp(bgp) => NeighborKind::Bgp {
            remote_asn: bgp.remote_asn,
            role: bgp.role,
            strict_role: bgp.strict_role,
            local: bgp.inside_local,
            remote: bgp.inside_remote,
            hold_time: bgp.hold_time,
            passive: false,
        },
        Routing::Static { prefixes, .. } => {
            NeighborKind::Static { prefixes: prefixes.iter().copied().collect() }
        }
    };
    NeighborConfig {
        kind,
        side: Side::Tunnel,
        import: peer.accept.iter().chain(static_prefixes(peer)).copied().collect(),
        maps: peer.maps.clone(),
        import_rules: rules(peer, |bgp| &bgp.import),
        export_rules: rules(peer, |bgp| &bgp.announce),
        local_preference: peer.local_preference,
        max_prefixes: match &peer.routing {
            Routing::Bgp(bgp) => bgp.max_prefixes,
            Routing::Static { .. } => u32::MAX,
        },
    }
}

/// What the file says of routes from or to a peer.
fn rules(peer: &PeerConfig, of: impl Fn(&BgpConfig) -> &Vec<Rule>) -> Arc<[Rule]> {
    match &peer.routing {
        Routing::Bgp(bgp) => of(bgp).as_slice().into(),
        Routing::Static { .. } => Arc::default(),
    }
}

#[cfg(test)]
mod tests;

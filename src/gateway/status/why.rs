//! Why a packet to an address goes where it goes: configuration, paths, the rule that decided, the
//! group, the kernel's route, the SA, the underlay.

use super::Gateway;
use super::peer::Seen;
use crate::control::{Ports, Reply, ShareView, StepView, WayView, WhyView};
use crate::forward::FlowHash;
use crate::gateway::failover::Health;
use crate::gateway::routes::Group;
use crate::gateway::sas::Child;
use crate::gateway::snapshot::sending_mtu;
use crate::gateway::vpc::Vpc;
use crate::net::{PeerId, Prefix, VpcId};
use crate::routing;
use crate::time::Timestamp;
use std::net::IpAddr;

/// How many paths, peers and rejections are told.
const TOLD: usize = 16;

/// The steps taken so far, and whether the packet got through all of them.
struct Way {
    steps: Vec<StepView>,
    passes: bool,
    /// Who shares the flows of the group.
    shared: Vec<ShareView>,
}

/// The packet that is asked about.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    pub(super) to: IpAddr,
    pub(super) from: Option<IpAddr>,
    pub(super) ports: Option<Ports>,
}

impl Way {
    fn step(&mut self, step: &str, passes: bool, says: String) {
        self.passes &= passes;
        self.steps.push(StepView { step: step.to_owned(), says, passes });
    }
}

impl Gateway {
    pub(super) fn why(&self, packet: Packet, now: Timestamp) -> Reply {
        let ways = self.vpcs.iter().filter_map(|(id, vpc)| self.way(*id, vpc, packet, now));
        let (ways, gateway) = (ways.collect(), self.config.gateway.name.clone());
        Reply::Why(WhyView { gateway, to: packet.to, from: packet.from, ways })
    }

    /// The way of a packet in a VPC; `None` when neither end of it has to do with the VPC.
    fn way(&self, id: VpcId, vpc: &Vpc, packet: Packet, now: Timestamp) -> Option<WayView> {
        let Packet { to, from, .. } = packet;
        let config = self.config.vpcs.get(&id)?;
        let is_ours = |address: IpAddr| config.extent().any(|own| own.contains(address));
        let route = vpc.router.route_to(to);
        let admitting = || self.config.peers_of(id).filter(|(_, peer)| admits(&peer.accept, to));
        let is_known_so = config.maps.iter().any(|map| map.mapping.outside().contains(to));
        let concerns = route.is_some() || is_known_so || admitting().next().is_some();
        let sent_here = from.is_none_or(is_ours);
        // With a default route every address concerns every VPC: the source tells which is meant.
        let is_meant = concerns || (from.is_some() && sent_here);
        let other_is = !sent_here && self.vpcs.len() > 1;
        if !is_meant || other_is {
            return None;
        }
        let mut way = Way { steps: Vec::new(), passes: true, shared: Vec::new() };
        if let Some(from) = from {
            let own = config.extent().find(|own| own.contains(from));
            way.step("source", own.is_some(), match own {
                Some(own) => format!("{from} is in {own} of {}", config.name),
                None => format!(
                    "{from} is in none of the prefixes of {}: the peer drops what comes from there; add \
                     it to `prefixes`",
                    config.name
                ),
            });
        }
        let through = match route {
            Some(route) if route.local => {
                let interface = config.interface.as_deref().unwrap_or("the kernel's routes");
                let prefix = route.prefix;
                way.step(
                    "prefix",
                    true,
                    format!("{prefix} is our own: its hosts are behind {interface}"),
                );
                "here".to_owned()
            }
            Some(routing::RouteView { prefix, home: Some(router), .. }) => {
                let stands = self.world.onward(id, prefix);
                let stands = stands.is_some_and(|wish| self.world.stands(wish));
                let behind = format!("{prefix} is at home here, behind {router}");
                way.step("prefix", stands, behind);
                "here".to_owned()
            }
            Some(route) => self.follow_route(vpc, &route, packet, &mut way, now),
            None => {
                self.explain_absence(
                    vpc,
                    to,
                    &admitting().map(|(id, _)| id).collect::<Vec<_>>(),
                    &mut way,
                );
                "nobody".to_owned()
            }
        };
        let Way { steps, passes: arrives, shared } = way;
        Some(WayView { vpc: config.name.clone(), through, shared, arrives, steps })
    }

    /// By which address the peer knows the sender.
    fn follow_translation(
        &self,
        peer: PeerId,
        from: Option<IpAddr>,
        way: &mut Way,
    ) -> Option<IpAddr> {
        let from = from?;
        let known = self.config.peers.get(&peer)?.maps.outward(from);
        if known != from {
            let name = self.peer_name(peer);
            way.step("map", true, format!("{from} leaves as {known}, by which {name} knows it"));
        }
        Some(known)
    }

    /// From the prefix to the underlay; says whose tunnel it is.
    fn follow_route(
        &self,
        vpc: &Vpc,
        route: &routing::RouteView,
        packet: Packet,
        way: &mut Way,
        now: Timestamp,
    ) -> String {
        let prefix = route.prefix;
        way.step("prefix", true, format!("{prefix} is the longest that covers {}", packet.to));
        for path in route.paths.iter().take(TOLD) {
            let name = self.peer_name(path.peer);
            let preference = path.local_preference;
            let as_path = path.attributes.as_path.to_string();
            let as_path =
                if as_path.is_empty() { "static".to_owned() } else { format!("AS path {as_path}") };
            let state = self.path_state(path);
            way.step(
                "path",
                true,
                format!("{name}: local preference {preference}, {as_path}; {state}"),
            );
        }
        let group = vpc.routes.group_of(&prefix);
        let choice = group.and_then(|group| group.choice.as_ref());
        let is_shared = group.is_some_and(|group| group.buckets.is_some());
        if let Some(reason) = route.reason.filter(|_| !is_shared) {
            way.step("choice", true, format!("the first is best: {reason}"));
        }
        let (Some(group), Some(choice)) = (group, choice) else {
            way.step(
                "group",
                false,
                "none of these tunnels carries packets: hosts get \"unreachable\"".to_owned(),
            );
            return "nobody".to_owned();
        };
        let ranking: Vec<String> = group
            .ranking
            .iter()
            .take(TOLD)
            .map(|one| format!("{} ({})", self.peer_name(one.peer), self.health_in_words(one.peer)))
            .collect();
        let names: Vec<String> = choice.peers.iter().map(|peer| self.peer_name(*peer)).collect();
        let are_in_use = if names.len() == 1 { "is in use" } else { "are in use" };
        let (ranking, names) = (ranking.join(", "), names.join(" and "));
        way.step("group", true, format!("{ranking}: {names} {are_in_use}, {}", choice.reason));
        let Some(peer) = self.follow_flow(group, packet, way) else { return "nobody".to_owned() };
        self.follow_kernel(vpc, prefix, way);
        let from = self.follow_translation(peer, packet.from, way);
        if let Some(seen) = self.seen(peer) {
            self.follow_sa(&seen, (packet.to, from), way, now);
        }
        self.peer_name(peer)
    }

    /// The peer that a flow takes of those that share.
    fn follow_flow(&self, group: &Group, packet: Packet, way: &mut Way) -> Option<PeerId> {
        let first = group.first()?;
        let (Some(buckets), Some(choice)) = (&group.buckets, &group.choice) else {
            return Some(first);
        };
        way.shared = self.shares(group);
        let share = |share: &ShareView| format!("{} ({} %)", share.peer, share.percent);
        let shares: Vec<String> = way.shared.iter().map(share).collect();
        let shares = shares.join(", ");
        let (Some(from), Some(ports)) = (packet.from, packet.ports) else {
            let says = format!(
                "each flow takes one of {shares}; which, is told with --from, --protocol, \
                 --source-port and --destination-port. Of one of them:"
            );
            way.step("flow", true, says);
            return Some(first);
        };
        // As `forward` has it: by the address that the peers know.
        let known = self.config.peers.get(&first)?.maps.outward(from);
        let by = (ports.protocol, (ports.source, ports.destination));
        let hash = FlowHash::between(known, packet.to, Some(by));
        let peer = *choice.peers.get(buckets.member_of(hash))?;
        let name = self.peer_name(peer);
        way.step("flow", true, format!("this one takes {name}, of {shares}"));
        Some(peer)
    }

    fn path_state(&self, path: &routing::PathView) -> String {
        let is_refused = !path.usable && self.health(path.peer).is_usable();
        match is_refused {
            true => "no Child SA permits it".to_owned(),
            false => self.health_in_words(path.peer).to_owned(),
        }
    }

    fn follow_kernel(&self, vpc: &Vpc, prefix: Prefix, way: &mut Way) {
        let wish = self.world.route(vpc.id, prefix);
        let missing = vpc.refused().first().or(wish);
        match missing.and_then(|missing| Some((missing, self.world.refusal(missing)?))) {
            Some((missing, refusal)) => {
                let why = &refusal.why;
                way.step("kernel", false, format!("the host refuses the {missing}: {why}"));
            }
            None => match wish {
                Some(wish) if self.world.stands(wish) => {
                    way.step("kernel", true, format!("{wish} stands"))
                }
                Some(wish) => {
                    way.step("kernel", false, format!("the host has not answered about {wish}"))
                }
                None => way.step("kernel", false, format!("no route to {prefix} was asked for")),
            },
        }
    }

    fn follow_sa(
        &self,
        seen: &Seen<'_>,
        ends: (IpAddr, Option<IpAddr>),
        way: &mut Way,
        now: Timestamp,
    ) {
        let (to, from) = ends;
        let permits = |selectors: &crate::forward::Selectors, address: IpAddr| {
            selectors.addresses().any(|range| range.contains(address))
        };
        let tunnel = seen.tunnel();
        let permitting: Vec<&Child> = tunnel
            .sas
            .sending()
            .map(|(_, child)| child)
            .filter(|child| permits(&child.remote_ts, to))
            .filter(|child| from.is_none_or(|from| permits(&child.local_ts, from)))
            .collect();
        let whole = permitting.iter().find(|child| takes_all(child));
        let Some(child) = whole.or(permitting.first()) else {
            let from = from.map_or_else(String::new, |from| format!("{from} → "));
            return way.step(
                "sa",
                false,
                format!(
                    "no Child SA permits {from}{to}: see `selectors` of vpnctl peers {}",
                    tunnel.name
                ),
            );
        };
        let age = now.since(child.since).as_secs();
        let mtu = sending_mtu(&self.config, tunnel, child);
        let only = if whole.is_some() { String::new() } else { only(&permitting) };
        way.step(
            "sa",
            true,
            format!(
                "SPI {} with {}, {age} s old, permits it; packets of up to {mtu} bytes go whole{only}",
                child.outbound.spi(),
                child.suite
            ),
        );
        let path = tunnel.data_path(now);
        let underlay = tunnel.path_mtu.map_or_else(String::new, |mtu| format!(", path MTU {mtu}"));
        way.step(
            "underlay",
            true,
            format!("{} → {}{underlay}; ESP: {path}", child.local, child.remote),
        );
    }

    /// Why nobody is known for an address.
    fn explain_absence(&self, vpc: &Vpc, to: IpAddr, admitting: &[PeerId], way: &mut Way) {
        way.step("prefix", false, format!("no peer has announced a prefix that covers {to}"));
        let maps = self.config.vpcs.get(&vpc.id).map_or(&[][..], |vpc| &vpc.maps);
        for map in maps.iter().filter(|map| map.mapping.outside().contains(to)) {
            let (inside, outside) = (map.mapping.inside(), map.mapping.outside());
            let says = format!("{outside} is {inside} here: only peers know it by that prefix");
            way.step("map", false, says);
        }
        let rejected = vpc.router.rejected(None).filter(|(_, prefix, _)| prefix.contains(to));
        for (peer, prefix, why) in rejected.take(TOLD) {
            let name = self.peer_name(peer);
            way.step(
                "rejected",
                false,
                format!("{name} announces {prefix}, which is rejected: {why}"),
            );
        }
        for &peer in admitting.iter().take(TOLD) {
            let name = self.peer_name(peer);
            let state = self.health_in_words(peer);
            let session = vpc.router.neighbor(peer).and_then(|neighbor| neighbor.state);
            let session = session.map_or_else(String::new, |state| format!(", BGP {state}"));
            way.step(
                "peer",
                false,
                format!("{name} may announce it and does not: {state}{session}"),
            );
        }
    }
}

impl Gateway {
    /// How a peer's tunnel is; of one that waits behind others, why.
    fn health_in_words(&self, peer: PeerId) -> &'static str {
        match self.health(peer) {
            Health::Usable => "up",
            Health::Poor => "up, and the way is poorer than `probe` wants it",
            Health::Held => "up, and watched before it is preferred",
            Health::Silent => "up, and the host behind it that `probe` names is silent",
            Health::Leaving => "up, and being left for others",
            Health::Unreachable => "unreachable",
            Health::Down => "down",
        }
    }
}

/// Whether a pair takes all that its addresses say, whatever the protocol.
fn takes_all(child: &Child) -> bool {
    [&child.local_ts, &child.remote_ts].iter().all(|one| one.whole().next().is_some())
}

/// What pairs take that take some protocols or ports only.
fn only(children: &[&Child]) -> String {
    let parts: Vec<String> = children.iter().take(TOLD).map(|child| child.in_words()).collect();
    format!("; carried is only {}", parts.join("; "))
}

fn admits(accept: &[Prefix], address: IpAddr) -> bool {
    accept.iter().any(|prefix| prefix.contains(address))
}

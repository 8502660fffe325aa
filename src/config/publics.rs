//! Checks of public addresses: whose they are, that no two sections want the same port of one, and that
//! nothing of a VPC can be taken for one.

use super::ServiceConfig;
use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::peer_section::Peer;
use super::public_section::{Egress, Public};
use super::vpc_section::Vpc;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::{Range, RangeInclusive};

/// Everything that one `[[vpc.public]]` or `[[vpc.egress]]` alone cannot know.
pub(super) fn check(gateway: &Gateway, vpcs: &[Vpc], peers: &[Peer], report: &mut Report) {
    let serving: Vec<&Vpc> = vpcs.iter().filter(|vpc| vpc.has_publics()).collect();
    for vpc in &serving {
        apart(vpc, report);
        one_virtual_router(vpc, report);
        for (address, span) in addresses(vpc) {
            free(address, span, gateway, (vpcs, peers), report);
        }
        disjoint(&vpc.publics.public, &vpc.publics.egress, report);
        sources(&vpc.publics.egress, report);
    }
    owners(&serving, report);
    outlets(&serving, report);
}

fn addresses(vpc: &Vpc) -> impl Iterator<Item = (Ipv4Addr, &Range<usize>)> {
    let public = vpc.publics.public.iter().map(|one| (one.config.address, &one.address_span));
    let egress = vpc.publics.egress.iter().map(|one| (one.config.address, &one.address_span));
    public.chain(egress)
}

/// What is translated crosses from one namespace to another: nothing else does.
fn apart(vpc: &Vpc, report: &mut Report) {
    let name = &vpc.config.name;
    if vpc.config.netns.is_none()
        && let Some((_, span)) = addresses(vpc).next()
    {
        let fault =
            Fault::new(format!("VPC {name:?} has a public address and no network namespace"));
        let help =
            format!("add netns = \"{name}\" to its [[vpc]], and make it: ip netns add {name}");
        let label = "packets that are not translated could get out beside those that are";
        report.add(span.clone(), fault.label(label).help(help));
    }
}

/// What hosts send back must come to the gateway that has translated the question.
fn one_virtual_router(vpc: &Vpc, report: &mut Report) {
    let routers = vpc.config.vrrp.iter().filter(|router| !router.ipv4.is_empty());
    if routers.count() > 1
        && let Some((_, span)) = addresses(vpc).next()
    {
        let fault = Fault::new(format!(
            "VPC {:?} has several virtual routers for IPv4, and a public address follows one",
            vpc.config.name
        ));
        let help = "put all `addresses` into one [[vpc.vrrp]]: answers of hosts must come to the \
                    gateway that has translated the question";
        report.add(span.clone(), fault.label("follows the active router").help(help));
    }
}

/// Nobody else has the address.
fn free(
    address: Ipv4Addr,
    span: &Range<usize>,
    gateway: &Gateway,
    (vpcs, peers): (&[Vpc], &[Peer]),
    report: &mut Report,
) {
    let ip = IpAddr::V4(address);
    let segment = vpcs
        .iter()
        .filter_map(|vpc| vpc.vxlan.as_ref())
        .find(|one| one.config.local == ip || one.config.vteps.contains(&ip));
    if gateway.config.listen.contains(&ip) || segment.is_some() {
        let fault = Fault::new(format!("{address} is an address of the gateways themselves"));
        let help = "translate an address that no host has: all its packets go to the VPC";
        return report.add(span.clone(), fault.label("taken").help(help));
    }
    let remote = peers.iter().find(|peer| peer.places.iter().any(|place| place.value == ip));
    let home = vpcs.iter().flat_map(|vpc| &vpc.prefixes).find(|prefix| prefix.value.contains(ip));
    let behind = peers.iter().flat_map(|peer| &peer.accept);
    let behind = behind.filter(|at| at.value.len() > 0).find(|at| at.value.contains(ip));
    if let Some(peer) = remote {
        let fault = Fault::new(format!("{address} is peer {:?}", peer.config.name));
        report.add(span.clone(), fault.label("taken").beside(peer.name_span.clone(), "this one"));
    } else if let Some(prefix) = home.or(behind) {
        let fault =
            Fault::new(format!("{address} is inside {}, which is no public network", prefix.value));
        let fault = fault.label("hosts could not tell it from their own");
        report.add(span.clone(), fault.beside(prefix.span.clone(), "written here"));
    } else if let Some((prefix, written)) =
        vpcs.iter().flat_map(|vpc| &vpc.maps).find_map(|map| map.side_of(ip))
    {
        let fault =
            Fault::new(format!("{address} is inside {prefix}, which stands for a VPC's hosts"));
        let fault = fault.label("peers take it for one of them").beside(written, "mapped here");
        let help = "publish an address that no [[vpc.map]] is about, or map another prefix";
        report.add(span.clone(), fault.help(help));
    }
}

/// No port of an address is wanted twice.
fn disjoint(public: &[Public], egress: &[Egress], report: &mut Report) {
    for (index, one) in public.iter().enumerate() {
        for other in public.iter().take(index) {
            if one.config.address == other.config.address
                && let Some(what) = clash(&one.config.ports, &other.config.ports)
            {
                let fault =
                    Fault::new(format!("{what} of {} is translated twice", one.config.address));
                let fault =
                    fault.label("again here").beside(other.ports_span.clone(), "first here");
                report.add(one.ports_span.clone(), fault);
            }
            let whole = one.config.ports.is_empty() && other.config.ports.is_empty();
            if whole && one.config.to == other.config.to {
                let fault = Fault::new(format!("{} has two public addresses", one.config.to));
                let fault = fault.label("again here").beside(other.to_span.clone(), "first here");
                let help = "it speaks to the world from one: write the other with `ports`";
                report.add(one.to_span.clone(), fault.help(help));
            }
        }
        for egress in egress.iter().filter(|two| two.config.address == one.config.address) {
            if let Some(what) = taken(&one.config.ports, &egress.config.ports) {
                let message = format!(
                    "{what} of {} is for hosts that speak to the world, too",
                    one.config.address
                );
                let fault = Fault::new(message).label("a service's");
                let fault = fault
                    .beside(egress.ports_span.clone(), "egress")
                    .help("narrow `ports` of [[vpc.egress]], or give it an address of its own");
                report.add(one.ports_span.clone(), fault);
            }
        }
    }
}

fn overlap(one: &RangeInclusive<u16>, other: &RangeInclusive<u16>) -> bool {
    one.start() <= other.end() && other.start() <= one.end()
}

/// What two mappings of one address both want; none of the lists is the whole address.
fn clash(one: &[ServiceConfig], other: &[ServiceConfig]) -> Option<String> {
    if one.is_empty() || other.is_empty() {
        return Some("the whole".to_owned());
    }
    let both = one.iter().find(|service| {
        let same = |two: &&ServiceConfig| two.protocol == service.protocol;
        other.iter().filter(same).any(|two| overlap(&service.ports, &two.ports))
    });
    both.map(|service| service.to_string())
}

fn taken(services: &[ServiceConfig], egress: &RangeInclusive<u16>) -> Option<String> {
    if services.is_empty() {
        return Some("the whole".to_owned());
    }
    let taken = services.iter().find(|service| overlap(&service.ports, egress));
    taken.map(|service| service.to_string())
}

/// A host speaks from one address.
fn sources(egress: &[Egress], report: &mut Report) {
    let all: Vec<_> = egress.iter().flat_map(|one| &one.from).collect();
    for (index, one) in all.iter().enumerate() {
        if let Some(other) = all.iter().take(index).find(|other| other.value.overlaps(&one.value)) {
            let fault = Fault::new(format!("{} and {} overlap", one.value, other.value));
            let fault = fault.label("again here").beside(other.span.clone(), "first here");
            report.add(one.span.clone(), fault.help("a host speaks from one public address"));
        }
    }
}

/// An address leads to one VPC.
fn owners(vpcs: &[&Vpc], report: &mut Report) {
    let mut owners: BTreeMap<Ipv4Addr, (&str, &Range<usize>)> = BTreeMap::new();
    for vpc in vpcs {
        for (address, span) in addresses(vpc) {
            let name = vpc.config.name.as_str();
            let (owner, first) = *owners.entry(address).or_insert((name, span));
            if owner != name {
                let message = format!("{address} is a public address of VPC {owner:?}, too");
                let fault = Fault::new(message).label("of another VPC here");
                let fault = fault.beside(first.clone(), "first here");
                report.add(span.clone(), fault.help("an address leads to one VPC"));
            }
        }
    }
}

/// Each has a device of its own in the gateway's namespace.
fn outlets(vpcs: &[&Vpc], report: &mut Report) {
    let mut seen: BTreeMap<String, &Vpc> = BTreeMap::new();
    for vpc in vpcs {
        let device = vpc.config.outlet();
        if let Some(first) = seen.insert(device.clone(), vpc) {
            let message = format!("{device} would be the device of two VPCs");
            let fault = Fault::new(message).label("again here");
            let fault = fault.beside(first.name_span.clone(), "first here");
            let help = "let their names differ in the first 11 characters";
            report.add(vpc.name_span.clone(), fault.help(help));
        }
    }
}

//! Checks between sections: names that must be unique, prefixes that must not overlap.

use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::peer_section::Peer;
use super::reader::At;
use super::vpc_section::Vpc;
use crate::net::{Prefix, PrefixMap, VpcId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Everything that one section alone cannot know.
pub(super) fn check(gateway: &Gateway, vpcs: &[Vpc], peers: &[Peer], report: &mut Report) {
    let names = vpcs.iter().map(|vpc| (vpc.config.name.as_str(), &vpc.name_span));
    unique("VPC", names, report);
    // Two VPCs of one name would have one device, too: that is one mistake.
    let mut named = BTreeSet::new();
    let others = vpcs.iter().filter(|vpc| named.insert(vpc.config.name.as_str()));
    let tuns = others.map(|vpc| (vpc.config.tun.as_str(), &vpc.tun_span));
    unique("TUN device", tuns, report);
    let sections = one_per_section(peers);
    let names = sections.iter().map(|peer| (peer.config.gateway.as_str(), &peer.name_span));
    unique("peer", names, report);
    distinguishable(&sections, report);
    for peer in peers {
        elsewhere(gateway, peer, report);
        let index = usize::from(peer.config.vpc.0);
        if let Some(vpc) = vpcs.get(index) {
            disjoint(vpc, peer, report);
        }
    }
    reachable_outside(vpcs, peers, report);
    apart(vpcs, peers, report);
}

/// One tunnel of every section, for what all tunnels of a section have in common.
fn one_per_section(peers: &[Peer]) -> Vec<&Peer> {
    let mut seen = BTreeSet::new();
    peers.iter().filter(|peer| seen.insert(peer.config.remote)).collect()
}

fn unique<'n>(
    what: &str,
    names: impl Iterator<Item = (&'n str, &'n Range<usize>)>,
    report: &mut Report,
) {
    let mut seen: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    for (name, span) in names {
        if let Some(first) = seen.insert(name, span) {
            let fault = Fault::new(format!("there are two {what}s called {name:?}"));
            let fault = fault.label("again here").beside(first.clone(), "first here");
            report.add(span.clone(), fault.help("names must be unique"));
        }
    }
}

/// A responder finds the peer by both identities (RFC 7296 §2.15), so each pair belongs to one.
fn distinguishable(sections: &[&Peer], report: &mut Report) {
    let mut seen = BTreeMap::new();
    for &peer in sections {
        let pair = (&peer.config.local_identity, &peer.config.remote_identity);
        let first = seen.insert(pair, peer);
        // That their names are the same is told already.
        if let Some(first) = first.filter(|first| first.config.gateway != peer.config.gateway) {
            let (one, other) = (&first.config.gateway, &peer.config.gateway);
            let fault = Fault::new(format!("peers {one:?} and {other:?} have the same identities"))
                .label("the same pair")
                .beside(first.identity_span.clone(), "first used here")
                .help("give one of them another `remote_identity` or `local_identity`");
            report.add(peer.identity_span.clone(), fault);
        }
    }
}

/// A peer is another gateway.
fn elsewhere(gateway: &Gateway, peer: &Peer, report: &mut Report) {
    let own = &gateway.config;
    if peer.config.gateway == own.name {
        let fault = Fault::new(format!("{:?} is this gateway itself", own.name));
        let fault = fault.label("not a peer").help("a gateway's file lists the other gateways");
        report.add(peer.name_span.clone(), fault);
    }
    for place in peer.places.iter().filter(|place| own.listen.contains(&place.value)) {
        let fault = Fault::new("this is an address of this gateway").label("not the peer's");
        report.add(place.span.clone(), fault);
    }
}

/// What a peer may announce must not reach into the VPC's own prefixes, or it could draw local
/// traffic to itself. A default route stands for everything else and is allowed.
fn disjoint(vpc: &Vpc, peer: &Peer, report: &mut Report) {
    for accepted in peer.accept.iter().filter(|accepted| accepted.value.len() > 0) {
        let clash = vpc.prefixes.iter().find(|own| own.value.overlaps(&accepted.value));
        let Some(own) = clash else { continue };
        let (vpc, peer) = (&vpc.config.name, &peer.config.name);
        let fault = Fault::new(format!(
            "{} of peer {peer:?} overlaps {} of VPC {vpc:?}",
            accepted.value, own.value
        ));
        let fault = fault
            .label("accepted from the peer")
            .beside(own.span.clone(), "our own")
            .help(
                "a prefix is on one side of a tunnel: narrow one of the two; where both sides use it, have \
                 each known by another ([[vpc.map]])",
            );
        report.add(accepted.span.clone(), fault);
    }
}

/// VPCs that share a network namespace share its routing: a destination must belong to one.
fn apart(vpcs: &[Vpc], peers: &[Peer], report: &mut Report) {
    let index = |peer: &Peer| usize::from(peer.config.vpc.0);
    let own =
        vpcs.iter().enumerate().flat_map(|(of, vpc)| vpc.prefixes.iter().map(move |p| (of, p)));
    let beyond = peers.iter().flat_map(|peer| peer.accept.iter().map(move |p| (index(peer), p)));
    let mut places: BTreeMap<Option<&str>, Vec<(usize, &At<Prefix>)>> = BTreeMap::new();
    for (of, prefix) in own.chain(beyond) {
        let Some(vpc) = vpcs.get(of) else { continue };
        places.entry(vpc.config.netns.as_deref()).or_default().push((of, prefix));
    }
    for mut prefixes in places.into_values() {
        // Those that cover others come first.
        prefixes.sort_by_key(|(of, prefix)| (prefix.value.len(), *of));
        let mut seen: PrefixMap<(usize, &At<Prefix>)> = PrefixMap::new();
        for (of, prefix) in prefixes {
            let cover = seen.longest_cover(&prefix.value).map(|(_, cover)| *cover);
            match cover {
                Some((other, first)) if other != of => {
                    let names = [other, of].map(|of| vpcs.get(of).map(|vpc| &vpc.config.name));
                    meet(names, first, prefix, report);
                }
                Some(_) | None => drop(seen.insert(prefix.value, (of, prefix))),
            }
        }
    }
}

fn meet(names: [Option<&String>; 2], first: &At<Prefix>, second: &At<Prefix>, report: &mut Report) {
    let [one, other] = names.map(|name| name.map(String::as_str).unwrap_or_default());
    let fault = Fault::new(format!(
        "{} of VPC {other:?} overlaps {} of VPC {one:?} in the same network namespace",
        second.value, first.value
    ));
    let fault = fault
        .label("here")
        .beside(first.span.clone(), "there")
        .help("give one of the VPCs a `netns` of its own, or narrow the prefixes");
    report.add(second.span.clone(), fault);
}

/// The way to a peer must not lead through a tunnel, unless the VPC has a namespace of its own.
fn reachable_outside(vpcs: &[Vpc], peers: &[Peer], report: &mut Report) {
    let shares_underlay =
        |vpc: VpcId| vpcs.get(usize::from(vpc.0)).is_some_and(|vpc| vpc.config.netns.is_none());
    let routed: Vec<(&Peer, Prefix)> = peers
        .iter()
        .filter(|peer| shares_underlay(peer.config.vpc))
        .flat_map(|peer| peer.accept.iter().map(move |accepted| (peer, accepted.value)))
        .filter(|(_, accepted)| accepted.len() > 0)
        .collect();
    for place in peers.iter().flat_map(|peer| &peer.places) {
        let (address, span) = (place.value, &place.span);
        let Some((through, prefix)) = routed.iter().find(|(_, prefix)| prefix.contains(address))
        else {
            continue;
        };
        let message = format!(
            "the way to {address} would lead through the tunnel to peer {:?}, from which {prefix} \
             is accepted",
            through.config.name
        );
        let fault = Fault::new(message).label("inside an accepted prefix").help(
            "write the peer's address on the underlay, narrow `accept`, or give the VPC a `netns`",
        );
        report.add(span.clone(), fault);
    }
}

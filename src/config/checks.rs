//! Checks between sections: names that must be unique, prefixes that must not overlap.

use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::peer_section::Peer;
use super::vpc_section::Vpc;
use crate::net::{Prefix, VpcId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Everything that one section alone cannot know.
pub(super) fn check(gateway: &Gateway, vpcs: &[Vpc], peers: &[Peer], report: &mut Report) {
    let names = vpcs.iter().map(|vpc| (vpc.config.name.as_str(), &vpc.name_span));
    unique("VPC", names, report);
    let tuns = vpcs.iter().map(|vpc| (vpc.config.tun.as_str(), &vpc.tun_span));
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
        if let Some(first) = seen.insert(pair, peer) {
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
    if peer.config.remote_address.is_some_and(|address| own.listen.contains(&address)) {
        let fault = Fault::new("this is an address of this gateway").label("not the peer's");
        report.add(peer.address_span.clone(), fault);
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
            .help("a prefix is on one side of a tunnel: narrow one of the two");
        report.add(accepted.span.clone(), fault);
    }
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
    for peer in peers {
        let Some(address) = peer.config.remote_address else { continue };
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
        report.add(peer.address_span.clone(), fault);
    }
}

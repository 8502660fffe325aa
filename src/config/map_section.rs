//! Reads `[[vpc.map]]`: prefixes that peers know by others, because theirs are the same.
//!
//! ```toml
//! [[vpc.map]]
//! inside = "10.0.0.0/16"
//! outside = "100.64.0.0/16"
//! towards = ["north-a", "north-b"]
//! ```

use super::diagnostics::{Fault, Report};
use super::peer_section::Peer;
use super::reader::{At, Section};
use super::vpc_section::Vpc;
use super::{MapConfig, limits, words};
use crate::net::{Mapping, Mappings, Prefix, VpcId};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;

pub(super) const KEYS: [&str; 3] = ["inside", "outside", "towards"];

/// A mapping with the places of what other sections are compared with.
pub(super) struct Map {
    pub(super) config: MapConfig,
    inside_span: Range<usize>,
    outside_span: Range<usize>,
    towards: Vec<At<String>>,
}

impl Map {
    /// The one of its two prefixes in which an address lies, with its place.
    pub(super) fn side_of(&self, address: IpAddr) -> Option<(Prefix, Range<usize>)> {
        let mapping = self.config.mapping;
        let sides =
            [(mapping.inside(), &self.inside_span), (mapping.outside(), &self.outside_span)];
        let found = sides.into_iter().find(|(prefix, _)| prefix.contains(address));
        found.map(|(prefix, span)| (prefix, span.clone()))
    }
}

pub(super) fn read_all(
    vpc: &Section<'_>,
    prefixes: &[At<Prefix>],
    report: &mut Report,
) -> Vec<Map> {
    let sections = vpc.subsections("map", "vpc.map", &KEYS, report);
    if let Some(surplus) = sections.get(limits::MAPS) {
        let message = format!("a VPC has at most {} mappings", limits::MAPS);
        report.add(surplus.span(), Fault::new(message).help("map wider prefixes"));
        return Vec::new();
    }
    let maps: Vec<Map> = sections.iter().filter_map(|section| read(section, report)).collect();
    for (index, map) in maps.iter().enumerate() {
        belongs(map, prefixes, report);
        is_free(map, prefixes, &maps, report);
        let earlier = maps.iter().take(index);
        earlier.for_each(|first| distinct(first, map, report));
    }
    maps
}

fn read(section: &Section<'_>, report: &mut Report) -> Option<Map> {
    let help = "inside = \"10.0.0.0/16\": as this side's hosts have it";
    let inside = section.required("inside", help, words::prefix, report);
    let help = "outside = \"100.64.0.0/16\": as the peers know it, nobody's otherwise";
    let outside = section.required("outside", help, words::prefix, report);
    let written = section.list("towards", words::name, report);
    if written.as_ref().is_some_and(Vec::is_empty) {
        let fault = Fault::new("`towards` is empty").label("no peer");
        let help = "leave it out for all peers, or name some: towards = [\"north-a\"]";
        report.add(section.span_of("towards"), fault.help(help));
    }
    let (inside, outside) = (inside?, outside?);
    let Some(mapping) = Mapping::new(inside.value, outside.value) else {
        unequal(&inside, &outside, report);
        return None;
    };
    let names = |all: &Vec<At<String>>| all.iter().map(|name| name.value.clone()).collect();
    Some(Map {
        config: MapConfig { mapping, towards: written.as_ref().map(names) },
        inside_span: inside.span,
        outside_span: outside.span,
        towards: written.unwrap_or_default(),
    })
}

fn unequal(inside: &At<Prefix>, outside: &At<Prefix>, report: &mut Report) {
    let (one, other) = (inside.value, outside.value);
    let fault = Fault::new(format!("{one} and {other} cannot stand for each other"));
    let (label, help) = match one.is_ipv4() == other.is_ipv4() {
        true => (
            format!("a /{}, and the inside is a /{}", other.len(), one.len()),
            format!("every address needs one counterpart: write a /{} here", one.len()),
        ),
        false => (
            "of the other family".to_owned(),
            "IPv4 is mapped to IPv4, and IPv6 to IPv6".to_owned(),
        ),
    };
    let fault = fault.label(label).beside(inside.span.clone(), "the inside");
    report.add(outside.span.clone(), fault.help(help));
}

/// What is mapped is the VPC's, and each of its prefixes is mapped as a whole or not at all: what peers
/// are told of must be a prefix again.
fn belongs(map: &Map, prefixes: &[At<Prefix>], report: &mut Report) {
    let inside = map.config.mapping.inside();
    let mut own = prefixes.iter().filter(|own| own.value.overlaps(&inside)).peekable();
    if own.peek().is_none() && !prefixes.is_empty() {
        let fault = Fault::new(format!("{inside} holds none of the VPC's prefixes"));
        let help = "write one of `prefixes`, or of what a [[vpc.router]] may announce, or a prefix that \
                    covers some of them";
        report.add(map.inside_span.clone(), fault.label("not ours").help(help));
    }
    for own in own.filter(|own| !inside.covers(&own.value)) {
        let fault = Fault::new(format!("{inside} is only a part of {} of the VPC", own.value));
        let fault = fault.label("mapped here").beside(own.span.clone(), "announced as a whole");
        let help = format!(
            "a prefix is mapped as a whole: map {}, or list its parts in `prefixes`, or in `accept` of a \
             [[vpc.router]]",
            own.value
        );
        report.add(map.inside_span.clone(), fault.help(help));
    }
}

/// What peers know is nothing that this side uses itself.
fn is_free(map: &Map, prefixes: &[At<Prefix>], maps: &[Map], report: &mut Report) {
    let outside = map.config.mapping.outside();
    let own = prefixes.iter().find(|own| own.value.overlaps(&outside));
    let insides = maps.iter().map(|other| (other.config.mapping.inside(), &other.inside_span));
    let used = own.map(|own| (own.value, &own.span));
    let used = used.or_else(|| insides.into_iter().find(|(inside, _)| inside.overlaps(&outside)));
    if let Some((used, span)) = used {
        let fault = Fault::new(format!("{outside} is in use on this side: {used}"));
        let fault = fault.label("not free").beside(span.clone(), "used here");
        let help = "write a prefix that neither side uses, for example of 100.64.0.0/10 (RFC 6598) or \
                    of fd00::/8 (RFC 4193)";
        report.add(map.outside_span.clone(), fault.help(help));
    }
}

/// Towards one peer an address has one counterpart, in both directions.
fn distinct(first: &Map, second: &Map, report: &mut Report) {
    if !first.config.meets(&second.config) {
        return;
    }
    let (one, other) = (first.config.mapping, second.config.mapping);
    let pairs = [
        (one.inside(), other.inside(), &first.inside_span, &second.inside_span),
        (one.outside(), other.outside(), &first.outside_span, &second.outside_span),
    ];
    for (one, other, there, here) in pairs {
        if one.overlaps(&other) {
            let fault = Fault::new(format!("{other} and {one} overlap, towards the same peer"));
            let fault = fault.label("again here").beside(there.clone(), "first here");
            let help =
                "an address has one counterpart: narrow one of the two, or say `towards` whom";
            report.add(here.clone(), fault.help(help));
        }
    }
}

impl Vpc {
    /// The mappings that hold towards a peer.
    pub(super) fn mappings_towards(&self, peer: &str) -> Mappings {
        let towards = self.maps.iter().filter(|map| map.config.is_towards(peer));
        towards.map(|map| map.config.mapping).collect()
    }
}

/// What a mapping alone cannot know: who the peers are, and what is behind them.
pub(super) fn check(vpcs: &[Vpc], peers: &[Peer], report: &mut Report) {
    for (id, vpc) in (0..).map(VpcId).zip(vpcs) {
        let peers: Vec<&Peer> = peers.iter().filter(|peer| peer.config.vpc == id).collect();
        for map in &vpc.maps {
            known(vpc, map, &peers, report);
            peers.iter().for_each(|peer| beyond(map, peer, report));
        }
    }
}

fn known(vpc: &Vpc, map: &Map, peers: &[&Peer], report: &mut Report) {
    let names: BTreeSet<&str> = peers.iter().map(|peer| peer.config.gateway.as_str()).collect();
    for name in map.towards.iter().filter(|name| !names.contains(name.value.as_str())) {
        let vpc = &vpc.config.name;
        let fault = Fault::new(format!("VPC {vpc:?} has no peer {:?}", name.value));
        let names: Vec<&str> = names.iter().copied().collect();
        let help = match names.is_empty() {
            true => "add its [[peer]], or leave `towards` out".to_owned(),
            false => format!("its peers are: {}", names.join(", ")),
        };
        report.add(name.span.clone(), fault.label("not a peer").help(help));
    }
}

/// Neither prefix is behind a peer, and no end of a tunnel lies in one.
fn beyond(map: &Map, peer: &Peer, report: &mut Report) {
    let mapping = map.config.mapping;
    let name = &peer.config.name;
    let sides = [(mapping.inside(), &map.inside_span), (mapping.outside(), &map.outside_span)];
    for (prefix, span) in sides {
        let mut accepted = peer.accept.iter().filter(|accepted| accepted.value.len() > 0);
        if let Some(accepted) = accepted.find(|accepted| accepted.value.overlaps(&prefix)) {
            let message = format!("{prefix} overlaps {} of peer {name:?}", accepted.value);
            let fault = Fault::new(message).label("mapped here");
            let fault = fault.beside(accepted.span.clone(), "accepted from the peer");
            let help =
                "both sides of a mapping are this side's: take a prefix that nobody else uses";
            report.add(span.clone(), fault.help(help));
        }
        let ends = peer.config.routing.inside().map(|ends| [ends.local, ends.remote]);
        if let Some(end) = ends.into_iter().flatten().find(|end| prefix.contains(*end)) {
            let message = format!("{end}, an end of the tunnel to {name:?}, lies in {prefix}");
            let fault = Fault::new(message).label("mapped here");
            let help = "leave `inside_local` and `inside_remote` out, or take them from elsewhere";
            report.add(span.clone(), fault.help(help));
        }
    }
}

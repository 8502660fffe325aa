//! Reads what a `[[peer]]` says of its VPCs, each of which is a tunnel: `vpc = "red"`, or
//! `vpcs = ["red", "blue"]` with what differs in `[peer.vpc.red]`.
//!
//! ```toml
//! [[peer]]
//! name = "north-a"
//! remote_address = "10.79.2.10"
//! psk_file = "north-a.psk"
//! vpcs = ["red", "blue"]
//! remote_asn = 4200000002
//! accept = ["10.2.0.0/16"]
//!
//! [peer.vpc.blue]
//! accept = ["10.2.0.0/16", "10.3.0.0/16"]
//! ```

use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::policy_section::{self, Direction};
use super::probe_section;
use super::reader::{At, Section};
use super::router_section;
use super::tuning::Tuning;
use super::vpc_section::Vpc;
use super::{
    BgpConfig, Identity, Inside as Ends, Probe, Routing, derive_inside_address, limits, words,
};
use crate::net::{AddressRange, Mappings, Prefix, VpcId};
use crate::routing::policy::Rule;
use crate::wire::ike::limits::SELECTORS;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::ops::Range;
use toml::de::DeValue;

/// The keys of a tunnel, in its `[[peer]]` or before that in `[peer.vpc.…]`, where
/// `local_preference` may stand too.
pub(super) const OWN_KEYS: [&str; 13] = [
    "remote_asn",
    "static_routes",
    "accept",
    "inside_local",
    "inside_remote",
    "local_ts",
    "remote_ts",
    "import",
    "announce",
    "bgp_role",
    "strict_role",
    "probe",
    "weight",
];
const ROUTING_KEYS: [&str; 2] = ["remote_asn", "static_routes"];
const INSIDE_KEYS: [&str; 2] = ["inside_local", "inside_remote"];

/// One VPC of a peer, and what is said of it alone.
pub(super) struct TunnelSection<'s> {
    id: VpcId,
    vpc: &'s Vpc,
    /// Whether it is one of several, so that its name tells the tunnel from the others.
    listed: bool,
    own: Option<Section<'s>>,
}

/// What holds for all tunnels to a peer.
pub(super) struct Inside<'c> {
    pub(super) gateway: &'c Gateway,
    /// The peer's name, if it is there.
    pub(super) peer: Option<&'c str>,
    pub(super) tuning: &'c Tuning,
    pub(super) identities: &'c Option<(Identity, Identity)>,
}

/// One tunnel as the file has it.
pub(super) struct Tunnel {
    pub(super) vpc: VpcId,
    /// What tells it from other tunnels to the same peer.
    pub(super) name: Option<String>,
    pub(super) routing: Routing,
    pub(super) accept: Vec<At<Prefix>>,
    pub(super) local_preference: u32,
    pub(super) weight: NonZeroU8,
    pub(super) maps: Mappings,
    pub(super) local_ts: Vec<Prefix>,
    pub(super) remote_ts: Vec<Prefix>,
    pub(super) probe: Option<Probe>,
}

/// Where the keys of a tunnel may stand.
struct Layers<'s, 't> {
    vpc: Option<&'s Section<'t>>,
    peer: &'s Section<'t>,
}

impl<'s, 't> Layers<'s, 't> {
    /// The section that says one of `keys`: the VPC's own, else the peer's.
    fn of(&self, keys: &[&str]) -> &'s Section<'t> {
        let own = self.vpc.filter(|vpc| keys.iter().any(|key| vpc.has(key)));
        own.unwrap_or(self.peer)
    }
}

/// The VPCs of a peer: those that it lists, the one that it names, or the only one.
pub(super) fn sections<'s>(
    peer: &Section<'s>,
    vpcs: &'s [Vpc],
    report: &mut Report,
) -> Vec<TunnelSection<'s>> {
    if peer.has("vpcs") {
        return listed(peer, vpcs, report);
    }
    if let Some(DeValue::Table(_)) = peer.raw("vpc").map(|raw| raw.get_ref()) {
        let help = "add vpcs = [\"red\", \"blue\"] to this [[peer]]: what it serves";
        let fault = Fault::new("[peer.vpc.…] needs `vpcs` beside it").label("of which VPCs?");
        report.add(peer.span_of("vpc"), fault.help(help));
        return Vec::new();
    }
    let section = |(id, vpc)| TunnelSection { id, vpc, listed: false, own: None };
    single(peer, vpcs, report).map(section).into_iter().collect()
}

fn listed<'s>(peer: &Section<'s>, vpcs: &'s [Vpc], report: &mut Report) -> Vec<TunnelSection<'s>> {
    if let Some(vpc) = peer.raw("vpc").filter(|raw| !matches!(raw.get_ref(), DeValue::Table(_))) {
        let fault = Fault::new("`vpc` and `vpcs` exclude each other").label("one of several here");
        let fault = fault.beside(vpc.span(), "a single one here");
        report.add(peer.span_of("vpcs"), fault.help("keep `vpcs`, with all VPCs in it"));
        return Vec::new();
    }
    let names = peer.list("vpcs", words::name, report).unwrap_or_default();
    if names.is_empty() && report.is_empty() {
        let fault = Fault::new("`vpcs` is empty").label("no VPC");
        report.add(peer.span_of("vpcs"), fault.help("write one VPC at least: vpcs = [\"red\"]"));
    }
    let known: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
    let owns = peer.has("vpc").then(|| peer.subsection_called("[peer.vpc]", "vpc", &known, report));
    let owns = owns.flatten();
    let keys: Vec<&str> = OWN_KEYS.into_iter().chain(["local_preference"]).collect();
    let mut sections: Vec<TunnelSection<'s>> = Vec::new();
    for name in &names {
        let Some((id, vpc)) = find(name, vpcs, report) else { continue };
        if sections.iter().any(|section| section.id == id) {
            let fault = Fault::new(format!("VPC {:?} is listed twice", name.value));
            report.add(name.span.clone(), fault.label("again here").help("list it once"));
            continue;
        }
        let title = format!("[peer.vpc.{}]", name.value);
        let own = owns.as_ref();
        let own = own.and_then(|all| all.subsection_called(&title, &name.value, &keys, report));
        sections.push(TunnelSection { id, vpc, listed: true, own });
    }
    sections
}

/// The VPC by its name; the only one when nothing is said.
fn single<'v>(
    section: &Section<'_>,
    vpcs: &'v [Vpc],
    report: &mut Report,
) -> Option<(VpcId, &'v Vpc)> {
    if let Some(written) = section.located("vpc", words::name, report) {
        return find(&written, vpcs, report);
    }
    match vpcs {
        _ if section.has("vpc") => None,
        [] => None,
        [only, rest @ ..] if rest.iter().all(|vpc| vpc.config.name == only.config.name) => {
            Some((VpcId(0), only))
        }
        [_, ..] => {
            let help = format!("the VPCs are: {}", names(vpcs));
            report.add(section.span(), section.missing("vpc").help(help));
            None
        }
    }
}

fn find<'v>(
    written: &At<String>,
    vpcs: &'v [Vpc],
    report: &mut Report,
) -> Option<(VpcId, &'v Vpc)> {
    let Some(index) = vpcs.iter().position(|vpc| vpc.config.name == written.value) else {
        let fault = Fault::new(format!("there is no VPC {:?}", written.value)).label("not a VPC");
        let help = format!("the VPCs are: {}", names(vpcs));
        report.add(written.span.clone(), fault.help(help));
        return None;
    };
    Some((VpcId(u16::try_from(index).ok()?), vpcs.get(index)?))
}

fn names(vpcs: &[Vpc]) -> String {
    let names: Vec<&str> = vpcs.iter().map(|vpc| vpc.config.name.as_str()).collect();
    names.join(", ")
}

impl TunnelSection<'_> {
    /// The tunnel for this VPC; `None` when something is wrong, which is reported.
    pub(super) fn read(
        &self,
        peer: &Section<'_>,
        inside: &Inside<'_>,
        report: &mut Report,
    ) -> Option<Tunnel> {
        let layers = Layers { vpc: self.own.as_ref(), peer };
        let routing = routing(&layers, self.vpc, inside, report);
        let accept = accepted(&layers, routing.as_ref(), report);
        let maps = inside.peer.map(|peer| self.vpc.mappings_towards(peer)).unwrap_or_default();
        let own: Vec<Prefix> =
            self.vpc.prefixes.iter().map(|prefix| maps.outward_prefix(&prefix.value)).collect();
        let (local_ts, remote_ts) = selectors(&layers, routing.as_ref(), &own, inside, report);
        let beyond: Vec<Prefix> = accept.iter().map(|prefix| prefix.value).collect();
        meets(&layers, "local_ts", &local_ts, ("the VPC's `prefixes`", &own), report);
        meets(&layers, "remote_ts", &remote_ts, ("what the peer may send", &beyond), report);
        let here: Vec<Prefix> = self.vpc.prefixes.iter().map(|prefix| prefix.value).collect();
        let probe = layers.of(&["probe"]);
        let probe = probe_section::read(probe, routing.as_ref(), &beyond, &here, report);
        let preference = words::integer("the local preference", 0..=u32::MAX);
        let own = self.own.as_ref();
        let preference = own.and_then(|own| own.optional("local_preference", preference, report));
        let weight = words::integer("the weight", limits::WEIGHT);
        let weight = layers.of(&["weight"]).optional("weight", weight, report);
        Some(Tunnel {
            vpc: self.id,
            name: self.listed.then(|| self.vpc.config.name.clone()),
            routing: routing?,
            accept,
            local_preference: preference.unwrap_or(inside.tuning.local_preference),
            weight: weight.and_then(NonZeroU8::new).unwrap_or(NonZeroU8::MIN),
            maps,
            local_ts,
            remote_ts,
            probe,
        })
    }
}

/// Either `remote_asn` or `static_routes`.
fn routing(
    layers: &Layers<'_, '_>,
    vpc: &Vpc,
    inside: &Inside<'_>,
    report: &mut Report,
) -> Option<Routing> {
    let section = layers.of(&ROUTING_KEYS);
    let addresses = inside_addresses(layers, vpc, inside, report);
    let bgp = bgp(layers, addresses, inside, report);
    let routes = section.list("static_routes", words::prefix, report);
    let both = section.has("remote_asn") && section.has("static_routes");
    let neither = !section.has("remote_asn") && !section.has("static_routes");
    if both {
        let fault = Fault::new("`remote_asn` and `static_routes` exclude each other")
            .label("static routes here")
            .beside(section.span_of("remote_asn"), "BGP here")
            .help("with BGP the peer announces its prefixes; limit them by `accept`");
        report.add(section.span_of("static_routes"), fault);
    }
    if neither {
        let fault = Fault::new(format!("{} says no way to find its prefixes", section.title()))
            .label("this peer")
            .help("add remote_asn = 64513 for BGP, or static_routes = [\"10.2.0.0/16\"]")
            .lacks(&["remote_asn", "static_routes"]);
        report.add(section.span(), fault);
    }
    if routes.is_some() && !both {
        refuse_rules(layers, report);
    }
    let statics = routes.map(|routes| Routing::Static {
        prefixes: routes.into_iter().map(|prefix| prefix.value).collect(),
        inside: addresses.filter(|_| layers.of(&INSIDE_KEYS).has("inside_local")),
    });
    bgp.map(Routing::Bgp).or(statics)
}

fn bgp(
    layers: &Layers<'_, '_>,
    addresses: Option<Ends>,
    inside: &Inside<'_>,
    report: &mut Report,
) -> Option<BgpConfig> {
    let remote_asn = layers.of(&ROUTING_KEYS).located("remote_asn", words::asn, report)?;
    match inside.gateway.config.asn {
        // One that is wrong is told of where it stands.
        None if inside.gateway.names_asn => {}
        None => {
            let fault = Fault::new("BGP needs an autonomous system on both sides")
                .label("the peer has one")
                .help("add asn = 64512 (or another private number) to [gateway]");
            report.add(remote_asn.span, fault);
        }
        Some(own) if own == remote_asn.value => {
            let fault = Fault::new(format!("{own} is our own autonomous system"))
                .label("the same as `asn` in [gateway]")
                .help("give each region its own number; sessions here are external (eBGP)");
            report.add(remote_asn.span, fault);
        }
        Some(_) => {}
    }
    let Ends { local: inside_local, remote: inside_remote } = addresses?;
    // Whoever derives the same addresses is vpngw and sends 255; others need not.
    let is_vpngw = !layers.of(&INSIDE_KEYS).has("inside_remote");
    Some(BgpConfig {
        remote_asn: remote_asn.value,
        inside_local,
        inside_remote,
        hold_time: inside.tuning.hold_time,
        ttl_security: inside.tuning.ttl_security.unwrap_or(is_vpngw),
        role: layers.of(&["bgp_role"]).optional("bgp_role", words::role, report),
        strict_role: router_section::strict_role(
            layers.of(&["strict_role"]),
            layers.of(&["bgp_role"]).has("bgp_role"),
            report,
        ),
        max_prefixes: inside.tuning.max_prefixes,
        import: rules(layers, Direction::Import, report),
        announce: rules(layers, Direction::Announce, report),
    })
}

/// The rules about routes of one direction.
fn rules(layers: &Layers<'_, '_>, direction: Direction, report: &mut Report) -> Vec<Rule> {
    policy_section::read(layers.of(&[direction.key()]), direction, report)
}

/// Rules are about what BGP brings or takes.
fn refuse_rules(layers: &Layers<'_, '_>, report: &mut Report) {
    let keys = [Direction::Import.key(), Direction::Announce.key(), "bgp_role", "strict_role"];
    for key in keys {
        let section = layers.of(&[key]);
        if section.has(key) {
            let fault = Fault::new(format!("`{key}` is for peers with BGP")).label("no BGP here");
            let help = "leave it out, or write `remote_asn` instead of `static_routes`";
            report.add(section.span_of(key), fault.help(help));
        }
    }
}

/// The addresses inside the tunnel: both written or both derived.
fn inside_addresses(
    layers: &Layers<'_, '_>,
    vpc: &Vpc,
    inside: &Inside<'_>,
    report: &mut Report,
) -> Option<Ends> {
    let section = layers.of(&INSIDE_KEYS);
    let local = section.located("inside_local", words::inside_address, report);
    let remote = section.located("inside_remote", words::inside_address, report);
    let written = (section.has("inside_local"), section.has("inside_remote"));
    if let (true, false) | (false, true) = written {
        let (there, missing) = if written.0 {
            ("inside_local", "inside_remote")
        } else {
            ("inside_remote", "inside_local")
        };
        let fault = Fault::new(format!("`{there}` needs `{missing}` beside it"));
        let help = "leave both out to derive them; the peer must be vpngw then, too";
        report.add(section.span_of(there), fault.label("one of two").help(help));
        return None;
    }
    if let (false, false) = written {
        let ((local, remote), vpc) = (inside.identities.as_ref()?, &vpc.config.name);
        let derive = |identity| IpAddr::V6(derive_inside_address(identity, vpc));
        return Some(Ends { local: derive(local), remote: derive(remote) });
    }
    let (local, remote) = (local?, remote?);
    if local.value == remote.value || local.value.is_ipv4() != remote.value.is_ipv4() {
        let fault = Fault::new("the inside addresses must be two of one family");
        let fault = fault.label("the peer's").beside(local.span, "ours");
        report.add(remote.span, fault);
    }
    Some(Ends { local: local.value, remote: remote.value })
}

/// The prefixes that the peer may announce and send from.
fn accepted(
    layers: &Layers<'_, '_>,
    routing: Option<&Routing>,
    report: &mut Report,
) -> Vec<At<Prefix>> {
    let section = layers.of(&ROUTING_KEYS);
    let written = layers.of(&["accept"]).list("accept", words::prefix, report);
    let routes: &[Prefix] = match routing {
        Some(Routing::Static { prefixes, .. }) => prefixes,
        Some(Routing::Bgp(_)) | None => &[],
    };
    let span = section.span_of("static_routes");
    let Some(accept) = written else {
        if section.has("remote_asn") && !section.has("static_routes") {
            let help = "accept = [\"10.2.0.0/16\"]: what the peer may announce, and longer ones";
            report.add(section.span(), section.missing("accept").help(help));
        }
        return routes.iter().map(|&value| At { value, span: span.clone() }).collect();
    };
    for route in routes {
        if !accept.iter().any(|accepted| accepted.value.covers(route)) {
            let fault = Fault::new(format!("the peer may not send from {route}"))
                .label("a static route outside `accept`")
                .help("leave `accept` out: with static routes it follows from them");
            report.add(
                span.clone(),
                fault.beside(layers.of(&["accept"]).span_of("accept"), "accepted"),
            );
        }
    }
    accept
}

/// Traffic selectors that have nothing in common with the routes carry nothing.
fn meets(
    layers: &Layers<'_, '_>,
    key: &str,
    selectors: &[Prefix],
    (what, routes): (&str, &[Prefix]),
    report: &mut Report,
) {
    let section = layers.of(&[key]);
    let meet = |ts: &Prefix| routes.iter().any(|route| route.overlaps(ts));
    let known = !selectors.is_empty() && !routes.is_empty();
    if section.has(key) && known && !selectors.iter().any(meet) {
        let listed: Vec<String> = routes.iter().take(4).map(ToString::to_string).collect();
        let fault = Fault::new(format!("`{key}` has nothing in common with {what}"))
            .label("no packet fits")
            .help(format!("{what}: {}; leave `{key}` out, or let it overlap", listed.join(", ")));
        report.add(section.span_of(key), fault);
    }
}

/// What the Child SA is for: everything when routes decide, else the prefixes of both sides, `own` as
/// the peer knows them, as policy-based peers expect it, and the addresses inside the tunnel where there are some.
fn selectors(
    layers: &Layers<'_, '_>,
    routing: Option<&Routing>,
    own: &[Prefix],
    inside: &Inside<'_>,
    report: &mut Report,
) -> (Vec<Prefix>, Vec<Prefix>) {
    let everything = || vec![Prefix::all_ipv4(), Prefix::all_ipv6()];
    let (local, remote) = match (&inside.tuning.selectors, routing) {
        (Some(both), _) => (both.clone(), both.clone()),
        (None, Some(Routing::Static { prefixes, inside })) => (
            with(own, inside.map(|inside| inside.local)),
            with(prefixes, inside.map(|inside| inside.remote)),
        ),
        (None, Some(Routing::Bgp(_)) | None) => (everything(), everything()),
    };
    let mut written = |key: &str, default: Vec<Prefix>| {
        let section = layers.of(&[key]);
        let list = section.list(key, words::prefix, report);
        let list = list.map_or(default, |list| list.into_iter().map(|at| at.value).collect());
        check_count(key, &list, section.span_of(key), report);
        list
    };
    (written("local_ts", local), written("remote_ts", remote))
}

/// More prefixes than a payload holds are told as ranges, as far as these have no gaps.
fn check_count(key: &str, prefixes: &[Prefix], span: Range<usize>, report: &mut Report) {
    if prefixes.len() <= SELECTORS {
        return;
    }
    let ranges = AddressRange::joined(prefixes.iter().copied()).len();
    if ranges > SELECTORS {
        let fault = Fault::new(format!("a Child SA cannot be for {ranges} ranges of addresses"))
            .label(format!("IKEv2 takes {SELECTORS} on each side"))
            .help(format!("{key} = [\"0.0.0.0/0\"] leaves it to the routes, or join the prefixes"));
        report.add(span, fault);
    }
}

/// Selectors that take an address of a tunnel's end, too.
fn with(prefixes: &[Prefix], end: Option<IpAddr>) -> Vec<Prefix> {
    let end = end.map(Prefix::host).filter(|end| !prefixes.iter().any(|wide| wide.covers(end)));
    prefixes.iter().copied().chain(end).collect()
}

//! Reads `[[peer]]`.

use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::keys::{self, Credentials, KeyFiles};
use super::reader::{At, Section};
use super::tuning::{self, Tuning};
use super::vpc_section::Vpc;
use super::{BgpConfig, Identity, PeerConfig, Routing, defaults, derive_inside_address, words};
use crate::net::{Prefix, VpcId};
use std::net::IpAddr;
use std::ops::Range;

const OWN_KEYS: [&str; 17] = [
    "name",
    "vpc",
    "remote_address",
    "remote_port",
    "local_address",
    "remote_identity",
    "local_identity",
    "public_key",
    "public_key_file",
    "psk_file",
    "remote_asn",
    "static_routes",
    "accept",
    "inside_local",
    "inside_remote",
    "local_ts",
    "remote_ts",
];

/// The keys of `[[peer]]`.
pub(super) fn keys() -> Vec<&'static str> {
    OWN_KEYS.into_iter().chain(tuning::KEYS).collect()
}

/// What a peer's section refers to.
pub(super) struct Context<'c> {
    pub(super) gateway: &'c Gateway,
    pub(super) vpcs: &'c [Vpc],
    pub(super) defaults: &'c Tuning,
    pub(super) files: &'c dyn KeyFiles,
}

/// A peer with the places of what it is compared with.
pub(super) struct Peer {
    pub(super) config: PeerConfig,
    pub(super) name_span: Range<usize>,
    pub(super) identity_span: Range<usize>,
    pub(super) address_span: Range<usize>,
    pub(super) accept: Vec<At<Prefix>>,
}

/// One peer. Reading goes on after errors; `None` when something is missing without which there
/// is no peer.
pub(super) fn read(
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Peer> {
    let name = section.required("name", "name = \"north-a\"", words::name, report);
    let vpc = vpc(section, context.vpcs, report);
    let help = "remote_address = \"203.0.113.7\": where the peer is, or \"any\"";
    let remote_address = section.required("remote_address", help, words::address_or_any, report);
    let credentials = credentials(section, context, report);
    let tuning = context.defaults.read_over(section, report);
    let identities = identities(section, context, name.as_ref(), report);
    let accept = section.list("accept", words::prefix, report);
    let inside = Inside { identities: identities.as_ref(), vpc: vpc.map(|(_, vpc)| vpc) };
    let routing = routing(section, context, &tuning, &inside, report);
    let local_address = local_address(section, context, remote_address.as_ref(), report);
    let accept = accepted(section, accept, routing.as_ref(), report);
    let selectors = selectors(section, routing.as_ref(), vpc.map(|(_, vpc)| vpc), report);
    let remote_port = words::integer("a port", 1..=u16::MAX);
    let remote_port = section.optional("remote_port", remote_port, report);

    let (remote_address, name) = (remote_address?, name?);
    let (local_identity, remote_identity) = identities?;
    let (local_ts, remote_ts) = selectors;
    let initiate = initiate(section, &tuning, remote_address.value, report);
    let config = PeerConfig {
        name: name.value,
        vpc: vpc?.0,
        remote_address: remote_address.value,
        remote_port: remote_port.unwrap_or(defaults::IKE_PORT),
        local_address,
        local_identity,
        remote_identity,
        credentials: credentials?,
        routing: routing?,
        accept: accept.iter().map(|prefix| prefix.value).collect(),
        local_preference: tuning.local_preference,
        ike_suites: tuning.ike_suites,
        esp_suites: tuning.esp_suites,
        lifetimes: tuning.lifetimes,
        liveness: tuning.liveness,
        replay_window: tuning.replay_window,
        initiate,
        force_encapsulation: tuning.force_encapsulation,
        local_ts,
        remote_ts,
    };
    let (name_span, address_span) = (name.span, remote_address.span);
    let identity_span = section.span_of("remote_identity");
    Some(Peer { config, name_span, identity_span, address_span, accept })
}

/// The VPC by its name; the only one when nothing is said.
fn vpc<'v>(
    section: &Section<'_>,
    vpcs: &'v [Vpc],
    report: &mut Report,
) -> Option<(VpcId, &'v Vpc)> {
    let names = || vpcs.iter().map(|vpc| vpc.config.name.as_str());
    let Some(written) = section.located("vpc", words::name, report) else {
        return match vpcs {
            _ if section.has("vpc") => None,
            [] => None,
            [only, rest @ ..] if rest.iter().all(|vpc| vpc.config.name == only.config.name) => {
                Some((VpcId(0), only))
            }
            [_, ..] => {
                let help = format!("the VPCs are: {}", names().collect::<Vec<_>>().join(", "));
                report.add(section.span(), section.missing("vpc").help(help));
                None
            }
        };
    };
    let Some(index) = vpcs.iter().position(|vpc| vpc.config.name == written.value) else {
        let fault = Fault::new(format!("there is no VPC {:?}", written.value)).label("not a VPC");
        let help = format!("the VPCs are: {}", names().collect::<Vec<_>>().join(", "));
        report.add(written.span, fault.help(help));
        return None;
    };
    Some((VpcId(u16::try_from(index).ok()?), vpcs.get(index)?))
}

fn identities(
    section: &Section<'_>,
    context: &Context<'_>,
    name: Option<&At<String>>,
    report: &mut Report,
) -> Option<(Identity, Identity)> {
    let local = section.optional("local_identity", words::identity, report);
    let local = local.unwrap_or_else(|| context.gateway.config.identity.clone());
    let remote = section.located("remote_identity", words::identity, report);
    let remote = match remote {
        Some(remote) => remote.value,
        None => Identity::Fqdn(name?.value.clone()),
    };
    if local == remote {
        let message = format!("the peer and this gateway are both called {remote}");
        let fault = Fault::new(message).label("our own identity");
        report.add(section.span_of("remote_identity"), fault);
    }
    Some((local, remote))
}

/// Exactly one of the three ways to know a peer.
fn credentials(
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Credentials> {
    let ways: Vec<&str> = ["public_key", "public_key_file", "psk_file"]
        .into_iter()
        .filter(|way| section.has(way))
        .collect();
    match ways.as_slice() {
        [] => {
            let fault = Fault::new(format!("{} says no way to authenticate", section.title()));
            let help = "add public_key_file = \"…\" (what `vpnctl pubkey` prints at the peer) \
                        or psk_file = \"…\"";
            report.add(section.span(), fault.label("this peer").help(help));
            None
        }
        ["psk_file"] => psk(section, context, report),
        [way] => public_key(section, way, context, report),
        [first, second, ..] => {
            let fault = Fault::new(format!("`{first}` and `{second}` exclude each other"));
            let fault = fault.label("one too many").beside(section.span_of(first), "given here");
            report.add(section.span_of(second), fault);
            None
        }
    }
}

fn psk(section: &Section<'_>, context: &Context<'_>, report: &mut Report) -> Option<Credentials> {
    let path = section.located("psk_file", words::path, report)?;
    let secret = keys::psk(context.files, &path.value);
    secret.map_err(|fault| report.add(path.span, fault)).ok().map(Credentials::Psk)
}

fn public_key(
    section: &Section<'_>,
    way: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Credentials> {
    let written = section.located(way, words::path, report)?;
    let key = match way {
        "public_key" => keys::public_key(&written.value),
        _ => keys::public_key_file(context.files, &written.value),
    };
    let peer = key.map_err(|fault| report.add(written.span.clone(), fault)).ok();
    if !context.gateway.names_private_key {
        let fault = Fault::new("this gateway has no private key to answer with")
            .label("the peer has a public key")
            .help("add private_key = \"…\" to [gateway]; `vpnctl keygen -o FILE` makes the file");
        report.add(written.span, fault);
    }
    let own = context.gateway.private_key.clone()?;
    let peer = peer?;
    if own.verifying_key() == peer {
        let fault = Fault::new("this is the public key of this gateway, not of the peer");
        report.add(section.span_of(way), fault.label("our own key"));
    }
    Some(Credentials::PublicKey { own, peer })
}

/// What inside addresses are derived from.
struct Inside<'c> {
    identities: Option<&'c (Identity, Identity)>,
    vpc: Option<&'c Vpc>,
}

/// Either `remote_asn` or `static_routes`.
fn routing(
    section: &Section<'_>,
    context: &Context<'_>,
    tuning: &Tuning,
    inside: &Inside<'_>,
    report: &mut Report,
) -> Option<Routing> {
    let bgp = bgp(section, context, tuning, inside, report);
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
            .help("add remote_asn = 64513 for BGP, or static_routes = [\"10.2.0.0/16\"]");
        report.add(section.span(), fault);
    }
    let statics = routes.map(|routes| Routing::Static {
        prefixes: routes.into_iter().map(|prefix| prefix.value).collect(),
    });
    bgp.map(Routing::Bgp).or(statics)
}

fn bgp(
    section: &Section<'_>,
    context: &Context<'_>,
    tuning: &Tuning,
    inside: &Inside<'_>,
    report: &mut Report,
) -> Option<BgpConfig> {
    let addresses = inside_addresses(section, inside, report);
    let remote_asn = section.located("remote_asn", words::asn, report)?;
    match context.gateway.config.asn {
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
    let (inside_local, inside_remote) = addresses?;
    let hold_time = tuning.hold_time;
    Some(BgpConfig { remote_asn: remote_asn.value, inside_local, inside_remote, hold_time })
}

/// The addresses of the BGP session: both written or both derived.
fn inside_addresses(
    section: &Section<'_>,
    inside: &Inside<'_>,
    report: &mut Report,
) -> Option<(IpAddr, IpAddr)> {
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
        let ((local, remote), vpc) = (inside.identities?, &inside.vpc?.config.name);
        let derive = |identity| IpAddr::V6(derive_inside_address(identity, vpc));
        return Some((derive(local), derive(remote)));
    }
    let (local, remote) = (local?, remote?);
    if local.value == remote.value || local.value.is_ipv4() != remote.value.is_ipv4() {
        let fault = Fault::new("the inside addresses must be two of one family");
        let fault = fault.label("the peer's").beside(local.span, "ours");
        report.add(remote.span, fault);
    }
    Some((local.value, remote.value))
}

/// Our underlay address: as written, else the first that we listen on of the peer's family.
fn local_address(
    section: &Section<'_>,
    context: &Context<'_>,
    remote: Option<&At<Option<IpAddr>>>,
    report: &mut Report,
) -> Option<IpAddr> {
    let listen = &context.gateway.config.listen;
    let remote = remote.and_then(|remote| remote.value);
    let same_family = |address: &IpAddr| remote.is_none_or(|to| to.is_ipv4() == address.is_ipv4());
    let Some(local) = section.located("local_address", words::address, report) else {
        let first = listen.iter().find(|address| same_family(address)).copied();
        if first.is_none() {
            let fault = Fault::new("this gateway listens on no address of the peer's family")
                .label("the peer is here")
                .help("add an address of this family to `listen` of [gateway]");
            report.add(section.span_of("remote_address"), fault);
        }
        return first.filter(|address| remote.is_some() && !address.is_unspecified());
    };
    let heard = |on: &IpAddr| {
        *on == local.value || on.is_unspecified() && on.is_ipv4() == local.value.is_ipv4()
    };
    if !listen.iter().any(heard) {
        let fault = Fault::new(format!("this gateway does not listen on {}", local.value));
        let fault = fault.label("not in `listen`").help("add it to `listen` of [gateway]");
        report.add(local.span, fault);
    } else if !same_family(&local.value) {
        let fault = Fault::new("`local_address` and `remote_address` must be of one family");
        report.add(local.span, fault.label("the other family"));
    }
    Some(local.value)
}

/// The prefixes that the peer may announce and send from.
fn accepted(
    section: &Section<'_>,
    written: Option<Vec<At<Prefix>>>,
    routing: Option<&Routing>,
    report: &mut Report,
) -> Vec<At<Prefix>> {
    let routes: &[Prefix] = match routing {
        Some(Routing::Static { prefixes }) => prefixes,
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
            report.add(span.clone(), fault.beside(section.span_of("accept"), "accepted"));
        }
    }
    accept
}

/// What the Child SA is for: everything when routes decide, else the prefixes of both sides, as
/// policy-based peers expect it.
fn selectors(
    section: &Section<'_>,
    routing: Option<&Routing>,
    vpc: Option<&Vpc>,
    report: &mut Report,
) -> (Vec<Prefix>, Vec<Prefix>) {
    let everything = || vec![Prefix::all_ipv4(), Prefix::all_ipv6()];
    let (local, remote) = match routing {
        Some(Routing::Static { prefixes }) => {
            let own = vpc.map(|vpc| vpc.config.prefixes.clone()).unwrap_or_default();
            (own, prefixes.clone())
        }
        Some(Routing::Bgp(_)) | None => (everything(), everything()),
    };
    let mut written = |key: &str, default: Vec<Prefix>| {
        let list = section.list(key, words::prefix, report);
        list.map_or(default, |list| list.into_iter().map(|at| at.value).collect())
    };
    (written("local_ts", local), written("remote_ts", remote))
}

/// Whether we start the tunnel: yes, when we know where the peer is.
fn initiate(
    section: &Section<'_>,
    tuning: &Tuning,
    remote: Option<IpAddr>,
    report: &mut Report,
) -> bool {
    if remote.is_none() && section.has("initiate") && tuning.initiate == Some(true) {
        let fault = Fault::new("a tunnel to \"any\" address cannot be initiated")
            .label("where to?")
            .help("leave `initiate` out and wait for the peer, or write its `remote_address`");
        report.add(section.span_of("initiate"), fault);
    }
    remote.is_some() && tuning.initiate.unwrap_or(true)
}

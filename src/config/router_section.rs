//! Reads `[[vpc.router]]`: a router of the VPC that speaks BGP with us on the VPC's own network
//! (RFC 4271), outside all tunnels.
//!
//! ```toml
//! [[vpc.router]]
//! name = "tor-1"
//! address = "10.1.0.1"
//! local_address = "10.1.0.10"
//! remote_asn = 4200000101
//! accept = ["10.1.0.0/16"]
//! ```

use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::keys::{self, KeyFiles};
use super::policy_section::{self, Direction};
use super::reader::{At, Section};
use super::vpc_section::Vpc;
use super::{VpcRouterConfig, defaults, limits, words};
use crate::net::Prefix;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

pub(super) const KEYS: [&str; 14] = [
    "name",
    "address",
    "local_address",
    "remote_asn",
    "accept",
    "import",
    "announce",
    "password_file",
    "bgp_role",
    "strict_role",
    "hold_time",
    "ttl_security",
    "max_prefixes",
    "local_preference",
];

/// Shorter prefixes are a default route or a part of one, which no router of a VPC brings: what is
/// behind it has to be told from everything else.
const SHORTEST: [u8; 2] = [8, 16];

/// A router with the places of what other sections are compared with.
pub(super) struct Router {
    pub(super) config: VpcRouterConfig,
    pub(super) accept: Vec<At<Prefix>>,
    asn_span: Range<usize>,
}

/// The routers of a VPC.
pub(super) fn read(
    vpc: &Section<'_>,
    interface: Option<&str>,
    files: &dyn KeyFiles,
    report: &mut Report,
) -> Vec<Router> {
    let sections = vpc.subsections("router", "vpc.router", &KEYS, report);
    if let Some(surplus) = sections.get(limits::VPC_ROUTERS) {
        let message = format!("a VPC has at most {} routers", limits::VPC_ROUTERS);
        report.add(surplus.span(), Fault::new(message));
        return Vec::new();
    }
    if let (Some(first), None) = (sections.first(), interface) {
        let fault = Fault::new("a VPC with routers needs `interface`").label("reached by which?");
        let help = "add interface = \"eth1\" to its [[vpc]]: sessions with routers never leave it";
        report.add(first.span(), fault.help(help));
    }
    let mut routers: Vec<Router> = Vec::new();
    for section in &sections {
        let Some(router) = router(section, files, report) else { continue };
        refuse_twins(section, &router.config, &routers, report);
        routers.push(router);
    }
    routers
}

fn refuse_twins(
    section: &Section<'_>,
    router: &VpcRouterConfig,
    before: &[Router],
    report: &mut Report,
) {
    let mut others = before.iter().map(|other| &other.config);
    if others.clone().any(|other| other.name == router.name) {
        let fault = Fault::new(format!("there are two routers called {:?}", router.name));
        report.add(section.span_of("name"), fault.label("again here").help("names are unique"));
    }
    if let Some(other) = others.find(|other| other.address == router.address) {
        let fault = Fault::new(format!("{} is router {:?} already", router.address, other.name));
        let help = "there is one session with a router; IPv4 and IPv6 take one each";
        report.add(section.span_of("address"), fault.label("again here").help(help));
    }
}

fn router(section: &Section<'_>, files: &dyn KeyFiles, report: &mut Report) -> Option<Router> {
    let name = section.required("name", "name = \"tor-1\"", words::name, report);
    let help = "address = \"10.1.0.1\": where the router is on the VPC's network";
    let address = section.required("address", help, words::address, report);
    let help = "local_address = \"10.1.0.10\": this gateway's own address on that network";
    let local = section.required("local_address", help, words::address, report);
    let help = "remote_asn = 4200000101: the router's AS; our own makes it an internal session";
    let remote_asn = section.required("remote_asn", help, words::asn, report);
    let accept = accepted(section, report);
    let password = password(section, files, report);
    let hold_time = words::duration("the hold time", limits::BGP_HOLD_TIME);
    let hold_time = section.optional("hold_time", hold_time, report);
    let max_prefixes = words::integer("a number of prefixes", 1..=1_000_000);
    let preference = words::integer("the local preference", 0..=u32::MAX);
    let role = section.optional("bgp_role", words::role, report);
    let config = VpcRouterConfig {
        accept: accept.iter().map(|prefix| prefix.value).collect(),
        import: policy_section::read(section, Direction::Import, report),
        announce: policy_section::read(section, Direction::Announce, report),
        password,
        role,
        strict_role: strict_role(section, role.is_some(), report),
        hold_time: hold_time
            .map_or(defaults::BGP_HOLD_TIME, |time| Duration::from_secs(time.as_secs())),
        ttl_security: section.optional("ttl_security", words::boolean, report).unwrap_or(false),
        max_prefixes: section
            .optional("max_prefixes", max_prefixes, report)
            .unwrap_or(defaults::MAX_PREFIXES),
        local_preference: section
            .optional("local_preference", preference, report)
            .unwrap_or(defaults::LOCAL_PREFERENCE),
        address: together(address?, local.as_ref()?, report)?,
        local_address: local?.value,
        name: name?.value,
        remote_asn: remote_asn?.value,
    };
    Some(Router { config, accept, asn_span: section.span_of("remote_asn") })
}

/// Whether a peer must say what it is to us. That has a meaning only where we say what we are to it.
pub(super) fn strict_role(section: &Section<'_>, has_role: bool, report: &mut Report) -> bool {
    let strict = section.optional("strict_role", words::boolean, report).unwrap_or(false);
    if strict && !has_role && !section.has("bgp_role") {
        let fault = Fault::new("`strict_role` needs `bgp_role` beside it").label("which role?");
        let help = "write bgp_role = \"customer\", or what this side is to the other (RFC 9234)";
        report.add(section.span_of("strict_role"), fault.help(help));
    }
    strict
}

/// Both ends of a session are of one family, and two.
fn together(address: At<IpAddr>, local: &At<IpAddr>, report: &mut Report) -> Option<IpAddr> {
    let of_link = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let (router, own) = (address.value, local.value);
    let (message, help) = if router == own {
        (format!("{router} is this gateway itself"), "write the router's address")
    } else if router.is_ipv4() != own.is_ipv4() {
        let help = "IPv4 and IPv6 take a [[vpc.router]] each, with both addresses of its family";
        ("the two ends of a session are of one family".to_owned(), help)
    } else if let Some(address) = [router, own].into_iter().find(|one| of_link(*one)) {
        let help = "write addresses that lie in the VPC's prefixes";
        (format!("{address} is valid on its link only, and no next hop for routes"), help)
    } else {
        return Some(router);
    };
    let fault = Fault::new(message).label("the router's").beside(local.span.clone(), "ours");
    report.add(address.span, fault.help(help));
    None
}

fn accepted(section: &Section<'_>, report: &mut Report) -> Vec<At<Prefix>> {
    let accept = section.list("accept", words::prefix, report);
    if accept.is_none() && !section.has("accept") {
        let help = "accept = [\"10.1.0.0/16\"]: what the router may announce, and longer ones";
        report.add(section.span(), section.missing("accept").help(help));
    }
    let mut accept = accept.unwrap_or_default();
    accept.retain(|prefix| {
        let shortest = SHORTEST[usize::from(!prefix.value.is_ipv4())];
        let fits = prefix.value.len() >= shortest;
        if !fits {
            let fault = Fault::new(format!(
                "{} is too wide to be one VPC's: a router brings no default route",
                prefix.value
            ));
            let help =
                format!("write prefixes of /{shortest} or longer: what is behind the router");
            report.add(prefix.span.clone(), fault.label("everything").help(help));
        }
        fits
    });
    accept
}

fn password(
    section: &Section<'_>,
    files: &dyn KeyFiles,
    report: &mut Report,
) -> Option<crate::crypto::secret::Secret> {
    let path = section.located("password_file", words::path, report)?;
    let password = keys::password(files, &path.value);
    password.map_err(|fault| report.add(path.span, fault)).ok()
}

/// What takes the whole file: the addresses lie in the VPC, and BGP takes an AS of our own.
pub(super) fn check(gateway: &Gateway, vpcs: &[Vpc], report: &mut Report) {
    for (vpc, router) in vpcs.iter().flat_map(|vpc| vpc.routers.iter().map(move |r| (vpc, r))) {
        if gateway.config.asn.is_none() && !gateway.names_asn {
            let fault = Fault::new("BGP needs an autonomous system on both sides")
                .label("the router has one")
                .help("add asn = 64512 (or another private number) to [gateway]");
            report.add(router.asn_span.clone(), fault);
        }
        let in_vpc = |address| vpc.prefixes.iter().any(|prefix| prefix.value.contains(address));
        let both = [router.config.address, router.config.local_address];
        if let Some(outside) = both.into_iter().find(|address| !in_vpc(*address)) {
            let message = format!("{outside} is in no prefix of VPC {:?}", vpc.config.name);
            let help = "add the network of both to `prefixes` of the VPC, or to `accept` here";
            let fault = Fault::new(message).label("of this router").help(help);
            report.add(router.asn_span.clone(), fault);
        }
    }
}

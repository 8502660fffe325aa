//! Reads `[[vpc]]` and `[[vpc.vrrp]]`; `[[vpc.router]]` and `[vpc.vxlan]` are read beside it.

use super::diagnostics::{Fault, Report};
use super::keys::KeyFiles;
use super::map_section::{self, Map};
use super::public_section::{self, Publics};
use super::reader::{At, Section};
use super::router_section::{self, Router};
use super::sharing_section::{self, Sharing};
use super::vxlan_section::{self, Vxlan};
use super::{VpcConfig, VrrpConfig, defaults, limits, words};
use crate::net::Prefix;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::time::Duration;
use toml::de::DeValue;

pub(super) const KEYS: [&str; 17] = [
    "name",
    "prefixes",
    "interface",
    "let_in",
    "tun",
    "netns",
    "mtu",
    "transit",
    "multipath",
    "vrrp",
    "router",
    "services",
    "vxlan",
    "map",
    "public",
    "egress",
    "conntrackd",
];

pub(super) const VRRP_KEYS: [&str; 7] =
    ["vrid", "addresses", "interface", "priority", "isolated_priority", "interval", "preempt"];

/// A VPC with the places of what other sections are compared with.
pub(super) struct Vpc {
    pub(super) config: VpcConfig,
    pub(super) name_span: Range<usize>,
    pub(super) tun_span: Range<usize>,
    /// Its own, and what its routers may announce.
    pub(super) prefixes: Vec<At<Prefix>>,
    pub(super) routers: Vec<Router>,
    pub(super) vxlan: Option<Vxlan>,
    pub(super) maps: Vec<Map>,
    pub(super) publics: Publics,
    pub(super) sharing: Option<Sharing>,
}

impl Vpc {
    /// Whether anything of it is translated to public addresses.
    pub(super) fn has_publics(&self) -> bool {
        !self.publics.public.is_empty() || !self.publics.egress.is_empty()
    }
}

pub(super) fn read(
    section: &Section<'_>,
    underlay_mtu: u16,
    files: &dyn KeyFiles,
    report: &mut Report,
) -> Option<Vpc> {
    let name = section.required("name", "name = \"shop\"", words::name, report);
    let help = "prefixes = [\"10.1.0.0/16\"]: what this side announces and lets peers send to";
    if !section.has("prefixes") {
        report.add(section.span(), section.missing("prefixes").help(help));
    }
    let prefixes = section.list("prefixes", words::prefix, report).unwrap_or_default();
    refuse_repeated(&prefixes, report);
    let written_interface = section.located("interface", words::interface, report);
    // What is wrong with the prefixes says nothing about addresses.
    let written = section.raw("prefixes").and_then(|raw| raw.get_ref().as_array());
    let all = written.is_some_and(|written| written.len() == prefixes.len());
    let known = if all { prefixes.as_slice() } else { &[] };
    let vxlan = section.subsection_called("[vpc.vxlan]", "vxlan", &vxlan_section::KEYS, report);
    let vpc = name.as_ref().map_or("", |name| name.value.as_str());
    let context = vxlan_section::Context { underlay_mtu, prefixes: known };
    let segment = vxlan.as_ref().map(|section| vxlan_section::interface(section, vpc, report));
    if let (Some(section), Some(segment), Some(written)) = (&vxlan, &segment, &written_interface) {
        let message = format!("the hosts of this VPC are behind {segment}");
        let fault = Fault::new(message).label("another interface").help(
            "leave `interface` out: with [vpc.vxlan] it is the VXLAN device, which is made for it",
        );
        report.add(written.span.clone(), fault.beside(section.span(), "by this section"));
    }
    let interface = segment.or_else(|| written_interface.map(|written| written.value));
    let vxlan = vxlan.and_then(|section| {
        vxlan_section::read(&section, interface.as_deref().unwrap_or_default(), &context, report)
    });
    let vrrp = vrrp(section, (interface.as_deref(), known), report);
    if let Some(vxlan) = &vxlan {
        vxlan_section::own(&vxlan.addresses, &vrrp, report);
    }
    let before = report.len();
    let routers = router_section::read(section, interface.as_deref(), files, report);
    let learned = routers.iter().flat_map(|router| &router.accept);
    let extent: Vec<At<Prefix>> = prefixes.iter().chain(learned).cloned().collect();
    // What is wrong with a router says nothing of what is behind it.
    let known = if all && report.len() == before { extent.as_slice() } else { &[] };
    let maps = map_section::read_all(section, known, report);
    let publics = public_section::read(section, known, report);
    let sharing = sharing_section::read(section, vxlan.as_ref(), report);
    let name = name?;
    let config = VpcConfig {
        tun: section
            .optional("tun", words::interface, report)
            .unwrap_or_else(|| default_tun(&name.value)),
        name: name.value,
        netns: section.optional("netns", words::name, report),
        interface,
        let_in: section
            .list("let_in", words::interface, report)
            .unwrap_or_default()
            .into_iter()
            .map(|interface| interface.value)
            .collect(),
        prefixes: prefixes.iter().map(|prefix| prefix.value).collect(),
        mtu: section.optional("mtu", words::integer("the MTU", limits::MTU), report),
        transit: section.optional("transit", words::boolean, report).unwrap_or(false),
        multipath: section.optional("multipath", words::boolean, report).unwrap_or(false),
        vrrp,
        routers: routers.iter().map(|router| router.config.clone()).collect(),
        vxlan: vxlan.as_ref().map(|vxlan| vxlan.config.clone()),
        maps: maps.iter().map(|map| map.config.clone()).collect(),
        public: publics.public.iter().map(|one| one.config.clone()).collect(),
        egress: publics.egress.iter().map(|one| one.config.clone()).collect(),
        sharing: sharing.as_ref().map(|sharing| sharing.config.clone()),
        services: section
            .list("services", words::service, report)
            .unwrap_or_default()
            .into_iter()
            .map(|service| service.value)
            .collect(),
    };
    let tun_span = section.span_of("tun");
    Some(Vpc {
        config,
        name_span: name.span,
        tun_span,
        prefixes: extent,
        routers,
        vxlan,
        maps,
        publics,
        sharing,
    })
}

/// The name of the TUN device: `vpn-` and what fits of the VPC's name.
pub(super) fn default_tun(vpc: &str) -> String {
    let fitting: String = vpc.chars().take(11).collect();
    format!("vpn-{fitting}")
}

fn refuse_repeated(prefixes: &[At<Prefix>], report: &mut Report) {
    for (index, prefix) in prefixes.iter().enumerate() {
        if let Some(first) = prefixes.iter().take(index).find(|other| other.value == prefix.value) {
            let fault = Fault::new(format!("{} is listed twice", prefix.value));
            let fault = fault.label("again here").beside(first.span.clone(), "first here");
            report.add(prefix.span.clone(), fault);
        }
    }
}

fn vrrp(
    vpc: &Section<'_>,
    (interface, prefixes): (Option<&str>, &[At<Prefix>]),
    report: &mut Report,
) -> Vec<VrrpConfig> {
    let sections = vpc.subsections("vrrp", "vpc.vrrp", &VRRP_KEYS, report);
    let mut routers: Vec<VrrpConfig> = Vec::with_capacity(sections.len());
    for section in &sections {
        let named = interface.is_some() || vpc.has("interface") || section.has("interface");
        let router = virtual_router(section, (interface, prefixes), report);
        if !named {
            let help = "interface = \"eth1\" here or in [[vpc]]: where the VPC's hosts are";
            report.add(section.span(), section.missing("interface").help(help));
        }
        let Some(router) = router else { continue };
        let same =
            |other: &VrrpConfig| other.vrid == router.vrid && other.interface == router.interface;
        if routers.iter().any(same) {
            let message = format!("VRID {} is used twice on {}", router.vrid, router.interface);
            let fault = Fault::new(message).help("give every virtual router its own `vrid`");
            report.add(section.span_of("vrid"), fault.label("used before"));
        }
        routers.push(router);
    }
    routers
}

fn virtual_router(
    section: &Section<'_>,
    (vpc_interface, prefixes): (Option<&str>, &[At<Prefix>]),
    report: &mut Report,
) -> Option<VrrpConfig> {
    let vrid = words::integer("a VRID", limits::VRID);
    let vrid = section.required("vrid", "vrid = 1, the same on all gateways", vrid, report);
    let interface = section.optional("interface", words::interface, report);
    let interface = interface.or_else(|| vpc_interface.map(str::to_owned));
    let vrid_or_none = vrid.as_ref().map(|vrid| vrid.value);
    let (ipv4, ipv6) = addresses(section, vrid_or_none, prefixes, report);
    let interval = words::duration("the advertisement interval", limits::VRRP_INTERVAL);
    let interval = section.optional("interval", interval, report);
    Some(VrrpConfig {
        priority: priority(section, "priority", defaults::VRRP_PRIORITY, report),
        isolated_priority: priority(
            section,
            "isolated_priority",
            defaults::VRRP_ISOLATED_PRIORITY,
            report,
        ),
        interval_centiseconds: centiseconds(interval.unwrap_or(defaults::VRRP_INTERVAL)),
        preempt: section.optional("preempt", words::boolean, report).unwrap_or(true),
        vrid: vrid?.value,
        interface: interface?,
        ipv4,
        ipv6,
    })
}

fn centiseconds(interval: Duration) -> u16 {
    u16::try_from(interval.as_millis() / 10).unwrap_or(u16::MAX)
}

fn priority(section: &Section<'_>, key: &str, default: u8, report: &mut Report) -> u8 {
    let parser = words::integer("a VRRP priority", limits::VRRP_PRIORITY);
    section.optional(key, parser, report).unwrap_or(default)
}

/// The virtual addresses by family; an IPv6 virtual router gets its link-local address.
fn addresses(
    section: &Section<'_>,
    vrid: Option<u8>,
    prefixes: &[At<Prefix>],
    report: &mut Report,
) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let written = section.list("addresses", words::address, report).unwrap_or_default();
    if written.is_empty() && section.raw("addresses").is_none_or(|raw| is_empty_list(raw.get_ref()))
    {
        let help = "addresses = [\"10.1.1.1\", \"fd00:1:0:1::1\"]: the hosts' next hops";
        report.add(section.span(), section.missing("addresses").help(help));
    }
    let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
    for At { value, span } in written {
        outside(value, &span, prefixes, report);
        let added = match value {
            IpAddr::V4(v4) => add_once(&mut ipv4, v4),
            IpAddr::V6(v6) => add_once(&mut ipv6, v6),
        };
        if !added {
            report.add(span, Fault::new(format!("{value} is listed twice")).label("again here"));
        }
    }
    if !ipv6.is_empty() {
        put_link_local_first(&mut ipv6, vrid.unwrap_or(1));
    }
    (ipv4, ipv6)
}

/// Hosts of the VPC use a virtual address as their next hop: it is on their network, or of their link.
fn outside(address: IpAddr, span: &Range<usize>, prefixes: &[At<Prefix>], report: &mut Report) {
    let of_link = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let inside = prefixes.iter().any(|prefix| prefix.value.contains(address));
    if prefixes.is_empty() || of_link || inside {
        return;
    }
    let fault = Fault::new(format!("{address} is in none of the VPC's prefixes"))
        .label("hosts there cannot use it")
        .help("write an address of the hosts' network, or add that network to `prefixes`");
    report.add(span.clone(), fault);
}

fn is_empty_list(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|items| items.is_empty())
}

/// Adds `address` unless it is there; whether it was added.
fn add_once<A: PartialEq>(addresses: &mut Vec<A>, address: A) -> bool {
    let new = !addresses.contains(&address);
    if new {
        addresses.push(address);
    }
    new
}

/// The first address of an IPv6 virtual router is its link-local one (RFC 9568 §5.2.9); when
/// none is written, it is the one that follows from the virtual MAC address by EUI-64.
fn put_link_local_first(addresses: &mut Vec<Ipv6Addr>, vrid: u8) {
    if !addresses.iter().any(Ipv6Addr::is_unicast_link_local) {
        addresses.push(virtual_link_local(vrid));
    }
    addresses.sort_by_key(|address| !address.is_unicast_link_local());
}

/// fe80:: and the EUI-64 of the virtual MAC address 00-00-5E-00-02-VRID (RFC 9568 §7.3).
fn virtual_link_local(vrid: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0x0200, 0x5eff, 0xfe00, 0x0200 | u16::from(vrid))
}

//! Reads `[vpc.vxlan]`: the segment in which the hosts of a VPC live (RFC 7348).

use super::diagnostics::{Fault, Report};
use super::reader::{At, Section};
use super::{VrrpConfig, VxlanConfig, defaults, limits, words};
use crate::net::{InterfaceAddress, Prefix};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use toml::de::DeValue;

pub(super) const KEYS: [&str; 8] =
    ["vni", "local", "port", "vteps", "gateways", "mtu", "addresses", "interface"];

/// A segment with the places of what other sections are compared with.
pub(super) struct Vxlan {
    pub(super) config: VxlanConfig,
    /// Where the section begins.
    pub(super) span: Range<usize>,
    pub(super) vni_span: Range<usize>,
    pub(super) port_span: Range<usize>,
    pub(super) interface_span: Range<usize>,
    pub(super) vteps: Vec<At<IpAddr>>,
    pub(super) addresses: Vec<At<InterfaceAddress>>,
}

/// What the section is read beside.
pub(super) struct Context<'c> {
    /// `underlay_mtu` of `[gateway]`.
    pub(super) underlay_mtu: u16,
    /// The VPC's prefixes, as far as they could be read.
    pub(super) prefixes: &'c [At<Prefix>],
}

/// The name of the segment's device, whatever else is wrong with it.
pub(super) fn interface(section: &Section<'_>, vpc: &str, report: &mut Report) -> String {
    let written = section.optional("interface", words::interface, report);
    written.unwrap_or_else(|| default_interface(vpc))
}

pub(super) fn read(
    section: &Section<'_>,
    interface: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Vxlan> {
    let vni = words::integer("a VNI", limits::VNI);
    let vni = section.required("vni", "vni = 100, the same on all nodes of the VPC", vni, report);
    let help = "local = \"10.9.0.2\": our own address towards the compute nodes";
    let local = section.required("local", help, words::underlay_address, report);
    let vteps = vteps(section, local.as_ref(), report);
    let gateways = gateways(section, &vteps, report);
    let addresses = addresses(section, context.prefixes, report);
    let port = words::integer("the UDP port of VXLAN", 1..=u16::MAX);
    let port = section.optional("port", port, report).unwrap_or(defaults::VXLAN_PORT);
    let ipv4 = local.as_ref().is_none_or(|local| local.value.is_ipv4());
    let mtu = mtu(section, room(context.underlay_mtu, ipv4), report);
    let config = VxlanConfig {
        vni: vni?.value,
        interface: interface.to_owned(),
        local: local?.value,
        port,
        vteps: vteps.iter().map(|vtep| vtep.value).collect(),
        gateways,
        mtu,
        addresses: addresses.iter().map(|address| address.value).collect(),
    };
    Some(Vxlan {
        config,
        span: section.span(),
        vni_span: section.span_of("vni"),
        port_span: section.span_of("port"),
        interface_span: section.span_of("interface"),
        vteps,
        addresses,
    })
}

/// The name of the VXLAN device: `vx-` and what fits of the VPC's name.
pub(super) fn default_interface(vpc: &str) -> String {
    let fitting: String = vpc.chars().take(12).collect();
    format!("vx-{fitting}")
}

/// What an underlay of this MTU leaves to the packets in a segment: 50 bytes less over IPv4, 70 over
/// IPv6 (RFC 7348 §5: Ethernet, VXLAN, UDP and IP headers). A VTEP must not fragment (§4.3).
fn room(underlay_mtu: u16, ipv4: bool) -> u16 {
    underlay_mtu.saturating_sub(if ipv4 { 50 } else { 70 })
}

fn vteps(
    section: &Section<'_>,
    local: Option<&At<IpAddr>>,
    report: &mut Report,
) -> Vec<At<IpAddr>> {
    let help = "vteps = [\"10.9.0.11\"]: the compute nodes, and the other gateways of the region";
    let vteps = section.list("vteps", words::underlay_address, report).unwrap_or_default();
    let is_empty = section.raw("vteps").and_then(|raw| raw.get_ref().as_array());
    if is_empty.is_some_and(|items| items.is_empty()) || !section.has("vteps") {
        report.add(section.span(), section.missing("vteps").help(help));
    }
    let mut seen: BTreeSet<IpAddr> = BTreeSet::new();
    for At { value, span } in &vteps {
        let fault = |message: String| Fault::new(message);
        if local.is_some_and(|local| local.value == *value) {
            let fault = fault(format!("{value} is `local`, our own end"));
            let help = "list the other ends only: compute nodes, and sibling gateways";
            report.add(span.clone(), fault.label("not another VTEP").help(help));
        } else if let Some(local) = local.filter(|local| local.value.is_ipv4() != value.is_ipv4()) {
            let fault = fault(format!("{value} and `local` are of different address families"));
            let fault = fault.label("cannot be reached from there");
            report.add(span.clone(), fault.beside(local.span.clone(), "our own end"));
        } else if !seen.insert(*value) {
            let fault = fault(format!("{value} is listed twice"));
            report.add(span.clone(), fault.label("again here"));
        }
    }
    vteps
}

/// The VTEPs from which advertisements of virtual routers are taken.
fn gateways(
    section: &Section<'_>,
    vteps: &[At<IpAddr>],
    report: &mut Report,
) -> Option<BTreeSet<IpAddr>> {
    let gateways = section.list("gateways", words::underlay_address, report)?;
    let written = section.raw("vteps").and_then(|raw| raw.get_ref().as_array());
    let all = written.is_some_and(|written| written.len() == vteps.len());
    let is_listed = |address: &IpAddr| !all || vteps.iter().any(|vtep| vtep.value == *address);
    for At { value, span } in gateways.iter().filter(|at| !is_listed(&at.value)) {
        let fault = Fault::new(format!("{value} is none of `vteps`"));
        let help = "list it there, too: nobody else may send to us at all";
        report.add(span.clone(), fault.label("not heard").help(help));
    }
    Some(gateways.iter().map(|gateway| gateway.value).collect())
}

fn mtu(section: &Section<'_>, room: u16, report: &mut Report) -> u16 {
    let parser = |value: &DeValue<'_>| match value.as_str() {
        Some("auto") => Ok(room),
        Some(_) => Err(Fault::new("the MTU is an integer or \"auto\"").label("neither")),
        None => words::integer("the MTU", limits::MTU)(value),
    };
    let Some(mtu) = section.located("mtu", parser, report) else { return room };
    if mtu.value > room {
        let message = format!("packets of {} bytes do not fit the underlay in VXLAN", mtu.value);
        let fault = Fault::new(message).label(format!("at most {room}")).help(
            "write \"auto\", or raise `underlay_mtu` of [gateway] if the network carries more",
        );
        report.add(mtu.span, fault);
    }
    mtu.value.min(room)
}

fn addresses(
    section: &Section<'_>,
    prefixes: &[At<Prefix>],
    report: &mut Report,
) -> Vec<At<InterfaceAddress>> {
    let help = "addresses = [\"10.1.1.2/24\"]: this gateway's own in the segment, with the length \
                of the hosts' network";
    let read = section.list("addresses", words::interface_address, report);
    let addresses = read.unwrap_or_default();
    let written = section.raw("addresses").and_then(|raw| raw.get_ref().as_array());
    if written.is_some_and(|items| items.is_empty()) || !section.has("addresses") {
        report.add(section.span(), section.missing("addresses").help(help));
    }
    let mut seen = BTreeSet::new();
    for At { value, span } in &addresses {
        let inside = prefixes.iter().any(|prefix| prefix.value.contains(value.address));
        if !prefixes.is_empty() && !inside {
            let fault = Fault::new(format!("{} is in none of the VPC's prefixes", value.address));
            let help = "write an address of the hosts' network, or add it to `prefixes`";
            report.add(span.clone(), fault.label("hosts there do not know it").help(help));
        }
        if !seen.insert(value.address) {
            let fault = Fault::new(format!("{} is listed twice", value.address));
            report.add(span.clone(), fault.label("again here"));
        }
    }
    addresses
}

/// What a virtual router shares with others is no gateway's own.
pub(super) fn own(addresses: &[At<InterfaceAddress>], vrrp: &[VrrpConfig], report: &mut Report) {
    let is_virtual = |address: &IpAddr| {
        vrrp.iter().any(|router| match address {
            IpAddr::V4(four) => router.ipv4.contains(four),
            IpAddr::V6(six) => router.ipv6.contains(six),
        })
    };
    for At { value, span } in addresses.iter().filter(|at| is_virtual(&at.value.address)) {
        let fault = Fault::new(format!("{} is an address of a virtual router", value.address));
        let help = "give this gateway an address of its own; hosts use the virtual one";
        report.add(span.clone(), fault.label("shared by the region's gateways").help(help));
    }
}

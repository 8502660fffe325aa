//! Reads `[[vpc.public]]`: public addresses of the VPC's hosts; and `[[vpc.egress]]`: from which public
//! address its other hosts speak to the world.

use super::diagnostics::{Fault, Report};
use super::reader::{At, Section, described};
use super::{EgressConfig, PublicConfig, ServiceConfig, limits, words};
use crate::net::Prefix;
use crate::wire::ip::protocol;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::{Range, RangeInclusive};
use toml::de::DeValue;

pub(super) const KEYS: [&str; 3] = ["address", "ports", "to"];
pub(super) const EGRESS_KEYS: [&str; 3] = ["address", "from", "ports"];

const PROTOCOLS: [(&str, u8); 3] =
    [("tcp", protocol::TCP), ("udp", protocol::UDP), ("sctp", protocol::SCTP)];

/// A public address with the places of what other sections are compared with.
pub(super) struct Public {
    pub(super) config: PublicConfig,
    pub(super) address_span: Range<usize>,
    pub(super) ports_span: Range<usize>,
    pub(super) to_span: Range<usize>,
}

/// Egress, with the same.
pub(super) struct Egress {
    pub(super) config: EgressConfig,
    pub(super) address_span: Range<usize>,
    pub(super) ports_span: Range<usize>,
    pub(super) from: Vec<At<Prefix>>,
}

/// What a VPC has of both.
#[derive(Default)]
pub(super) struct Publics {
    pub(super) public: Vec<Public>,
    pub(super) egress: Vec<Egress>,
}

pub(super) fn read(vpc: &Section<'_>, prefixes: &[At<Prefix>], report: &mut Report) -> Publics {
    let sections = vpc.subsections("public", "vpc.public", &KEYS, report);
    if let Some(surplus) = sections.get(limits::PUBLICS) {
        let message = format!("a VPC has at most {} [[vpc.public]]", limits::PUBLICS);
        report.add(surplus.span(), Fault::new(message));
        return Publics::default();
    }
    let public = sections.iter().filter_map(|one| public(one, prefixes, report)).collect();
    let sections = vpc.subsections("egress", "vpc.egress", &EGRESS_KEYS, report);
    let egress = sections.iter().filter_map(|one| egress(one, prefixes, report)).collect();
    Publics { public, egress }
}

fn public(section: &Section<'_>, prefixes: &[At<Prefix>], report: &mut Report) -> Option<Public> {
    let help = "address = \"203.0.113.10\": the public address that is translated";
    let address = section.required("address", help, public_address, report);
    let ports = ports(section, report);
    let help = "to = \"10.1.1.10\", or \"10.1.1.10:8443\" for another port";
    let to = section.required("to", help, target, report);
    if let Some(At { value: (host, port), span }) = &to {
        inside((*host).into(), span, prefixes, report);
        let is_one = matches!(ports.as_slice(), [one] if one.ports.start() == one.ports.end());
        if port.is_some() && !is_one {
            let help = "leave the port out of `to`, or write one protocol with one port in `ports`";
            let fault = Fault::new("only a single port can become another one");
            report.add(span.clone(), fault.label("a port").help(help));
        }
    }
    // Ports that could not be read are no whole address.
    let is_whole = !section.has("ports");
    let (address, to) = (address?, to.filter(|_| is_whole || !ports.is_empty())?);
    Some(Public {
        config: PublicConfig { address: address.value, ports, to: to.value.0, to_port: to.value.1 },
        address_span: address.span,
        ports_span: section.span_of("ports"),
        to_span: to.span,
    })
}

fn egress(section: &Section<'_>, prefixes: &[At<Prefix>], report: &mut Report) -> Option<Egress> {
    let help = "address = \"203.0.113.10\": the public address from which hosts speak";
    let address = section.required("address", help, public_address, report);
    let written = section.list("from", words::prefix, report);
    let from = written.unwrap_or_else(|| everybody(prefixes));
    for At { value, span } in &from {
        if !value.is_ipv4() {
            report.add(span.clone(), ipv4_only(value.to_string()));
        } else if !prefixes.is_empty() && !prefixes.iter().any(|own| own.value.covers(value)) {
            let fault = Fault::new(format!("{value} is in none of the VPC's prefixes"));
            let help = "write a part of them, or leave `from` out for all";
            report.add(span.clone(), fault.label("no hosts of this VPC").help(help));
        }
    }
    let ports = section.located("ports", port_range, report);
    if let Some(ports) = &ports
        && ports.value.start() == ports.value.end()
    {
        let fault = Fault::new("one port is one connection to each server");
        report.add(ports.span.clone(), fault.label("a range is expected").help(RANGE_HELP));
    }
    let address = address?;
    Some(Egress {
        config: EgressConfig {
            address: address.value,
            from: from.iter().map(|prefix| prefix.value).collect(),
            ports: ports.map_or(limits::EGRESS_PORTS, |ports| ports.value),
        },
        address_span: address.span,
        ports_span: section.span_of("ports"),
        from,
    })
}

/// All hosts of the VPC: its prefixes of IPv4, without those that others cover.
fn everybody(prefixes: &[At<Prefix>]) -> Vec<At<Prefix>> {
    let mut all: Vec<At<Prefix>> = Vec::new();
    let mut widest: Vec<&At<Prefix>> =
        prefixes.iter().filter(|prefix| prefix.value.is_ipv4()).collect();
    widest.sort_by_key(|prefix| prefix.value.len());
    for prefix in widest {
        if !all.iter().any(|wider| wider.value.covers(&prefix.value)) {
            all.push(prefix.clone());
        }
    }
    all
}

const RANGE_HELP: &str = "write the first and the last one, \"1024-32767\" at one gateway and \
                          \"32768-65535\" at the other";

/// `ports = { tcp = "443", udp = 443 }`; none of them is the whole address.
fn ports(section: &Section<'_>, report: &mut Report) -> Vec<ServiceConfig> {
    let known = PROTOCOLS.map(|(name, _)| name);
    let Some(table) = section.subsection("ports", &known, report) else { return Vec::new() };
    let ports: Vec<ServiceConfig> = PROTOCOLS
        .into_iter()
        .filter_map(|(name, protocol)| {
            let ports = table.optional(name, port_range, report)?;
            Some(ServiceConfig { protocol, ports })
        })
        .collect();
    if !known.iter().any(|name| table.has(name)) {
        let help = "write ports = { tcp = \"443\" }, or leave `ports` out for the whole address";
        report.add(section.span_of("ports"), Fault::new("`ports` names no port").help(help));
    }
    ports
}

/// A port, or the first and the last one.
fn port_range(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, Fault> {
    if let DeValue::Integer(_) = value {
        let port = words::integer("a port", 1..=u16::MAX)(value)?;
        return Ok(port..=port);
    }
    let wrong = |message: String| Fault::new(message).label("not a port").help(RANGE_HELP);
    let Some(text) = value.as_str() else {
        return Err(wrong(format!("ports are a string, not {}", described(value))));
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first @ 1..), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(wrong(format!("{text:?} is neither a port nor a range of ports"))),
    }
}

fn ipv4_only(what: String) -> Fault {
    Fault::new(format!("{what} is of IPv6, which is not translated"))
        .label("IPv4 is expected")
        .help("hosts have public IPv6 addresses of their own: route them to the VPC")
}

fn public_address(value: &DeValue<'_>) -> Result<Ipv4Addr, Fault> {
    match words::underlay_address(value)? {
        IpAddr::V4(address) if address.is_loopback() || address.is_link_local() => {
            let fault = Fault::new(format!("{address} is known on one host or link only"));
            Err(fault.label("not a public address"))
        }
        IpAddr::V4(address) => Ok(address),
        address @ IpAddr::V6(_) => Err(ipv4_only(address.to_string())),
    }
}

/// A host of the VPC, with a port or without.
fn target(value: &DeValue<'_>) -> Result<(Ipv4Addr, Option<u16>), Fault> {
    let text = value.as_str().unwrap_or_default();
    let with_port = text.rsplit_once(':').filter(|(host, _)| host.parse::<Ipv4Addr>().is_ok());
    let Some((host, port)) = with_port else {
        return match words::address(value)? {
            IpAddr::V4(address) => Ok((address, None)),
            address @ IpAddr::V6(_) => Err(ipv4_only(address.to_string())),
        };
    };
    let IpAddr::V4(host) = words::address(&DeValue::String(host.into()))? else {
        return Err(ipv4_only(host.to_owned()));
    };
    match port.parse() {
        Ok(port @ 1..) => Ok((host, Some(port))),
        _ => Err(Fault::new(format!("{port:?} is not a port")).label("1 to 65535 after the colon")),
    }
}

fn inside(address: IpAddr, span: &Range<usize>, prefixes: &[At<Prefix>], report: &mut Report) {
    if prefixes.is_empty() || prefixes.iter().any(|prefix| prefix.value.contains(address)) {
        return;
    }
    let fault = Fault::new(format!("{address} is in none of the VPC's prefixes"));
    let help = "write the address of a host of this VPC, or add its network to `prefixes`";
    report.add(span.clone(), fault.label("not a host of this VPC").help(help));
}

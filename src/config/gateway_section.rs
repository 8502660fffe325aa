//! Reads `[gateway]`.

use super::certificates::Papers;
use super::diagnostics::{Fault, Report};
use super::keys::{self, KeyFiles};
use super::reader::{At, Section, described};
use super::{GatewayConfig, Identity, Workers, defaults, limits, words};
use crate::crypto::digest::sha256;
use crate::crypto::private_key::PrivateKey;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use toml::de::DeValue;

pub(super) const KEYS: [&str; 21] = [
    "name",
    "region",
    "zone",
    "asn",
    "listen",
    "private_key",
    "certificate",
    "ca",
    "crl",
    "identity",
    "router_id",
    "ike_port",
    "natt_port",
    "tcp_port",
    "underlay_mtu",
    "path_mtu_discovery",
    "ike_fragmentation",
    "crash_detection",
    "workers",
    "control_socket",
    "http_listen",
];

/// `[gateway]`, with what other sections need of it.
pub(super) struct Gateway {
    pub(super) config: GatewayConfig,
    pub(super) private_key: Option<PrivateKey>,
    /// Whether `private_key` is written, be it readable or not.
    pub(super) names_private_key: bool,
    /// Whether `asn` is written, be it right or not.
    pub(super) names_asn: bool,
    /// Certificates for all peers that are known by one.
    pub(super) papers: Papers,
}

/// The gateway; `None` when its name is missing or wrong. Everything else that is wrong is
/// reported and stands at its default, so that the sections after it can be read.
pub(super) fn read(
    section: &Section<'_>,
    files: &dyn KeyFiles,
    report: &mut Report,
) -> Option<Gateway> {
    let name = section.required("name", "name = \"east-a\"", words::name, report);
    let listen = listen(section, report);
    let private_key = section.optional("private_key", words::path, report);
    let private_key = private_key.and_then(|path| {
        let loaded = keys::private_key(files, &path);
        loaded.map_err(|fault| report.add(section.span_of("private_key"), fault)).ok()
    });
    let papers = Papers::of_gateway(section, private_key.as_ref(), files, report);
    let name = name?.value;
    let config = GatewayConfig {
        region: section.optional("region", words::text, report).unwrap_or_default(),
        zone: section.optional("zone", words::text, report).unwrap_or_default(),
        ike_port: port(section, "ike_port", defaults::IKE_PORT, report),
        natt_port: port(section, "natt_port", defaults::NATT_PORT, report),
        tcp_port: port(section, "tcp_port", defaults::TCP_PORT, report),
        identity: identity(section, &name, report),
        asn: section.optional("asn", words::asn, report),
        router_id: router_id(section, &listen, &name, report),
        router_id_follows: !section.has("router_id"),
        underlay_mtu: section
            .optional("underlay_mtu", words::integer("the MTU", limits::UNDERLAY_MTU), report)
            .unwrap_or(defaults::UNDERLAY_MTU),
        path_mtu_discovery: switch(section, "path_mtu_discovery", report),
        ike_fragmentation: switch(section, "ike_fragmentation", report),
        crash_detection: switch(section, "crash_detection", report),
        workers: section.optional("workers", workers, report).unwrap_or(Workers::Auto),
        control_socket: section
            .optional("control_socket", words::path, report)
            .unwrap_or_else(|| defaults::control_socket(&name)),
        http_listen: section.optional("http_listen", http_listen, report),
        listen,
        name,
    };
    check_ports(section, &config, report);
    let names_private_key = section.has("private_key");
    Some(Gateway { config, private_key, names_private_key, names_asn: section.has("asn"), papers })
}

fn listen(section: &Section<'_>, report: &mut Report) -> Vec<IpAddr> {
    let Some(written) = section.list("listen", words::listen_address, report) else {
        return defaults::LISTEN.to_vec();
    };
    // What is wrong with an address says nothing about the others, nor about the peers.
    let all = section.raw("listen").and_then(|raw| raw.get_ref().as_array());
    if all.is_none_or(|all| all.len() != written.len()) {
        return defaults::LISTEN.to_vec();
    }
    if written.is_empty() {
        let fault = Fault::new("a gateway that listens nowhere hears no peer")
            .help("leave `listen` out to receive on every address");
        report.add(section.span_of("listen"), fault);
    }
    let mut addresses = Vec::with_capacity(written.len());
    for At { value, span } in written {
        if addresses.contains(&value) {
            report.add(span, Fault::new(format!("{value} stands in `listen` twice")));
        } else {
            addresses.push(value);
        }
    }
    addresses
}

/// Where metrics and the status page are: an address with a port, so that neither is taken by chance.
fn http_listen(value: &DeValue<'_>) -> Result<SocketAddr, Fault> {
    let text = words::text(value)?;
    let address: Option<SocketAddr> = text.parse().ok();
    address.filter(|address| address.port() != 0).ok_or_else(|| {
        Fault::new(format!("{text:?} is no address with a port"))
            .label("not an address with a port")
            .help("write \"127.0.0.1:9679\" or \"[::1]:9679\"; leave it out for none")
    })
}

/// Something that is on when the file says nothing.
fn switch(section: &Section<'_>, key: &str, report: &mut Report) -> bool {
    section.optional(key, words::boolean, report).unwrap_or(true)
}

fn port(section: &Section<'_>, key: &str, default: u16, report: &mut Report) -> u16 {
    section.optional(key, words::integer("a port", 1..=u16::MAX), report).unwrap_or(default)
}

/// The ports must differ: on one of them a packet begins with the non-ESP marker (RFC 3948 §2.2).
fn check_ports(section: &Section<'_>, config: &GatewayConfig, report: &mut Report) {
    if config.ike_port == config.natt_port {
        let key = if section.has("natt_port") { "natt_port" } else { "ike_port" };
        let fault = Fault::new("`ike_port` and `natt_port` must differ").label("used twice");
        report.add(section.span_of(key), fault);
    }
}

fn identity(section: &Section<'_>, name: &str, report: &mut Report) -> Identity {
    let written = section.optional("identity", words::identity, report);
    written.unwrap_or_else(|| Identity::Fqdn(name.to_owned()))
}

/// The BGP Identifier: as written, else the first IPv4 address, else from the name.
fn router_id(
    section: &Section<'_>,
    listen: &[IpAddr],
    name: &str,
    report: &mut Report,
) -> Ipv4Addr {
    let own = listen.iter().find_map(|address| match address {
        IpAddr::V4(v4) if !v4.is_unspecified() => Some(*v4),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    });
    let written = section.optional("router_id", ipv4_address, report);
    written.or(own).unwrap_or_else(|| hashed_router_id(name))
}

fn hashed_router_id(name: &str) -> Ipv4Addr {
    let [a, b, c, d, ..] = sha256(&[name.as_bytes()]);
    Ipv4Addr::new(a.clamp(1, 223), b, c, d)
}

fn ipv4_address(value: &DeValue<'_>) -> Result<Ipv4Addr, Fault> {
    match words::address(value)? {
        IpAddr::V4(v4) => Ok(v4),
        IpAddr::V6(_) => Err(Fault::new("a BGP Identifier has the form of an IPv4 address")
            .label("not an IPv4 address")
            .help("any IPv4 address does that is unique in the autonomous system (RFC 6286)")),
    }
}

fn workers(value: &DeValue<'_>) -> Result<Workers, Fault> {
    match value {
        DeValue::String(word) if word.as_ref() == "auto" => Ok(Workers::Auto),
        DeValue::Integer(_) => {
            let count = words::integer("the number of workers", limits::WORKERS)(value)?;
            Ok(NonZeroU16::new(count).map_or(Workers::Auto, Workers::Exactly))
        }
        other => {
            let message = format!("`workers` is \"auto\" or a number, not {}", described(other));
            Err(Fault::new(message).label("write \"auto\" for one per core"))
        }
    }
}

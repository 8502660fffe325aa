//! Reads `[vpc.conntrackd]`: with whom the connections of a VPC are shared that are translated.
//!
//! ```toml
//! [vpc.conntrackd]
//! sibling = "10.9.1.3"
//! ```

use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::reader::Section;
use super::vpc_section::Vpc;
use super::vxlan_section::Vxlan;
use super::{defaults, words};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

pub(super) const KEYS: [&str; 3] = ["sibling", "local", "port"];

/// With which gateway connections are shared: `[vpc.conntrackd]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharingConfig {
    /// The other gateway of the region.
    pub sibling: IpAddr,
    /// Our own address towards it.
    pub local: IpAddr,
    /// The UDP port of both.
    pub port: u16,
}

/// The section with the places of what others are compared with.
pub(super) struct Sharing {
    pub(super) config: SharingConfig,
    span: Range<usize>,
    port_span: Range<usize>,
}

pub(super) fn read(
    vpc: &Section<'_>,
    vxlan: Option<&Vxlan>,
    report: &mut Report,
) -> Option<Sharing> {
    let section = vpc.subsection_called("[vpc.conntrackd]", "conntrackd", &KEYS, report)?;
    let help = "sibling = \"10.9.1.3\": the other gateway of the region, where it listens for this";
    let sibling = section.required("sibling", help, words::underlay_address, report);
    let local = section.located("local", words::underlay_address, report);
    let own = local.as_ref().map(|local| local.value);
    let own = own.or_else(|| vxlan.map(|vxlan| vxlan.config.local));
    if own.is_none() && !section.has("local") && !vpc.has("vxlan") {
        let help = "local = \"10.9.1.2\": our own address towards the other gateway";
        report.add(section.span(), section.missing("local").help(help));
    }
    let port = section.optional("port", words::integer("a UDP port", 1..=u16::MAX), report);
    let (sibling, local) = (sibling?, own?);
    let message = match sibling.value == local {
        true => format!("{local} is this gateway itself"),
        false => format!("{} and {local} are of different address families", sibling.value),
    };
    if sibling.value == local || sibling.value.is_ipv4() != local.is_ipv4() {
        let help = "write the other gateway's address on the network of `local`";
        report.add(sibling.span, Fault::new(message).label("not the other one").help(help));
        return None;
    }
    let port = port.unwrap_or(defaults::SHARING_PORT);
    let config = SharingConfig { sibling: sibling.value, local, port };
    Some(Sharing { config, span: section.span(), port_span: section.span_of("port") })
}

/// What the section alone cannot know.
pub(super) fn check(gateway: &Gateway, vpcs: &[Vpc], report: &mut Report) {
    let mut seen: BTreeMap<SocketAddr, &Sharing> = BTreeMap::new();
    for vpc in vpcs {
        let Some(sharing) = &vpc.sharing else { continue };
        if !vpc.has_publics() {
            let name = &vpc.config.name;
            let fault = Fault::new(format!("VPC {name:?} has no connections to share"));
            let help = "add [[vpc.public]] or [[vpc.egress]], or leave [vpc.conntrackd] out";
            let label = "nothing of it is translated";
            report.add(sharing.span.clone(), fault.label(label).help(help));
        }
        let SharingConfig { local, port, .. } = sharing.config;
        if let Some(first) = seen.insert(SocketAddr::new(local, port), sharing) {
            let fault = Fault::new(format!("UDP port {port} of {local} is used for two VPCs"));
            let fault = fault.label("again here").beside(first.port_span.clone(), "first here");
            let help = "give each VPC a `port` of its own, the same at both gateways";
            report.add(sharing.port_span.clone(), fault.help(help));
        }
        let segments = vpcs.iter().filter_map(|vpc| vpc.vxlan.as_ref());
        let segments = segments.map(|vxlan| vxlan.config.port);
        let mut taken = segments.chain([gateway.config.ike_port, gateway.config.natt_port]);
        if taken.any(|taken| taken == port) {
            let fault = Fault::new(format!("UDP port {port} is IKE's, ESP's or VXLAN's"));
            report.add(sharing.port_span.clone(), fault.label("taken"));
        }
    }
}

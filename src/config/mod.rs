//! The operator's file: text in, a valid [`Config`] or errors that point at the line out.
//!
//! ```toml
//! [gateway]
//! name = "east-a"
//! asn = 4200000001
//! private_key = "../keys/east-a.key"
//!
//! [[vpc]]
//! name = "shop"
//! prefixes = ["10.1.0.0/16", "fd00:1::/48"]
//!
//! [[peer]]
//! name = "north-a"
//! remote_address = "10.79.2.10"
//! public_key_file = "../keys/north-a.pub"
//! remote_asn = 4200000002
//! accept = ["10.2.0.0/16", "fd00:2::/48"]
//! ```
//!
//! Reading files is not done here: the caller hands in the text and a [`KeyFiles`]. A reload is
//! the difference of two [`Config`]s, after [`Config::numbered_like`].

#![warn(clippy::missing_errors_doc)]

pub mod defaults;

mod agreement;
mod certificates;
mod checks;
mod diagnostics;
mod gateway_section;
mod inside;
mod keys;
mod limits;
mod map_section;
mod names;
mod numbering;
mod outline;
mod peer_section;
mod place;
mod policy_section;
mod ppk;
mod presets;
mod probe_section;
mod public_section;
mod publics;
mod rate;
mod reader;
mod renewal;
mod router_section;
mod segments;
mod services;
mod sharing_section;
mod timing;
mod tuning;
mod tunnel_section;
mod types;
mod vpc_section;
mod vxlan_section;
mod words;

pub use crate::pki::{Credentials, Ppk};
pub use crate::wire::ike::{Identity, ParseIdentityError};
pub use agreement::{Contradiction, compare, know_each_other};
pub use diagnostics::{ConfigError, ConfigErrors};
pub use inside::{derive_device_address, derive_inside_address, derived_prefix};
pub use keys::{KeyFile, KeyFiles, KeysInMemory};
pub use names::{Meaning, Unfit};
pub use outline::{Outline, VpcOutline};
pub use probe_section::{LOSS_WINDOW, Probe, QualityLimits};
pub use renewal::{Paper, PaperFiles};
pub use services::{EgressConfig, PublicConfig, ServiceConfig};
pub use sharing_section::SharingConfig;
pub use timing::{Bfd, Lifetimes, Liveness};
pub use types::{
    BgpConfig, Config, GatewayConfig, Inside, MapConfig, PeerConfig, Routing, VpcConfig,
    VpcRouterConfig, VrrpConfig, VxlanConfig, Workers,
};

use crate::net::{PeerId, RemoteId, VpcId};
use diagnostics::{Fault, Report};
use reader::Section;
use toml::de::DeTable;
use tuning::Tuning;

const TOP_KEYS: [&str; 4] = ["gateway", "defaults", "vpc", "peer"];

/// Reads the configuration `text`, which messages call `file`; key files come from `files`.
///
/// # Errors
///
/// Every mistake that was found, each with its place in `text` and what to write instead.
pub fn parse(text: &str, file: &str, files: &dyn KeyFiles) -> Result<Config, ConfigErrors> {
    let mut report = Report::default();
    let config = read(text, files, &mut report);
    match config {
        Some(config) if report.is_empty() => Ok(config),
        Some(_) | None => Err(report.into_errors(file, text)),
    }
}

fn read(text: &str, files: &dyn KeyFiles, report: &mut Report) -> Option<Config> {
    if text.len() > limits::FILE_BYTES {
        let message = format!("a configuration has at most {} bytes", limits::FILE_BYTES);
        report.add(0..0, Fault::new(message));
        return None;
    }
    let document = document(text, report)?;
    // What is missing from the file as a whole is shown at its first line.
    let first_line = 0..text.lines().next().map_or(0, str::len);
    let file = Section::new("the file", &document, first_line, &TOP_KEYS, report);
    sections(&file, files, report)
}

/// The TOML document. Syntax errors end the reading: what follows one is guesswork.
fn document<'t>(text: &'t str, report: &mut Report) -> Option<DeTable<'t>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(document.into_inner());
    }
    for error in errors {
        let fault = Fault::new(format!("this is not TOML: {}", error.message()));
        report.add(error.span().unwrap_or(0..0), fault.label("here"));
    }
    None
}

fn sections(file: &Section<'_>, files: &dyn KeyFiles, report: &mut Report) -> Option<Config> {
    let gateway = file.subsection_called("[gateway]", "gateway", &gateway_section::KEYS, report);
    if !file.has("gateway") {
        let help = "begin with [gateway] and name = \"…\" in it";
        report.add(
            file.span(),
            Fault::new("the file has no [gateway]").help(help).lacks(&["gateway"]),
        );
    }
    let gateway = gateway.and_then(|section| gateway_section::read(&section, files, report));
    let tuning = file.subsection_called("[defaults]", "defaults", &tuning::KEYS, report);
    let defaults = Tuning::default();
    let defaults = tuning.map_or(defaults.clone(), |section| {
        let tuning = defaults.read_over(&section, report);
        tuning.check_one_rate(&section, report);
        tuning
    });
    let underlay_mtu = gateway.as_ref().map(|gateway| gateway.config.underlay_mtu);
    let vpcs = vpcs(file, underlay_mtu.unwrap_or(defaults::UNDERLAY_MTU), files, report);
    let sections = file.subsections("peer", "peer", &peer_section::keys(), report);
    let gateway = gateway?;
    let context =
        peer_section::Context { gateway: &gateway, vpcs: &vpcs, defaults: &defaults, files };
    let numbered = (0..).map(RemoteId).zip(&sections);
    let peers: Vec<_> = numbered
        .flat_map(|(remote, section)| peer_section::read(section, remote, &context, report))
        .collect();
    checks::check(&gateway, &vpcs, &peers, report);
    router_section::check(&gateway, &vpcs, report);
    segments::check(&gateway, &vpcs, &peers, report);
    map_section::check(&vpcs, &peers, report);
    publics::check(&gateway, &vpcs, &peers, report);
    sharing_section::check(&gateway, &vpcs, report);
    let peers = (0..).map(PeerId).zip(peers.into_iter().map(|peer| peer.config)).collect();
    Some(Config {
        gateway: gateway.config,
        vpcs: (0..).map(VpcId).zip(vpcs.into_iter().map(|vpc| vpc.config)).collect(),
        checked: types::Checked::with(&peers),
        peers,
    })
}

/// The VPCs in the order of the file, so that the place of one is its [`VpcId`].
fn vpcs(
    file: &Section<'_>,
    underlay_mtu: u16,
    files: &dyn KeyFiles,
    report: &mut Report,
) -> Vec<vpc_section::Vpc> {
    let sections = file.subsections("vpc", "vpc", &vpc_section::KEYS, report);
    if sections.is_empty() && !file.has("vpc") {
        let help = "add [[vpc]] with name = \"…\" and prefixes = [\"…\"]: what the tunnels are for";
        report.add(file.span(), Fault::new("the file has no [[vpc]]").help(help).lacks(&["vpc"]));
    }
    if let Some(surplus) = sections.get(limits::VPCS) {
        let message = format!("a gateway serves at most {} VPCs", limits::VPCS);
        report.add(surplus.span(), Fault::new(message));
        return Vec::new();
    }
    let read = |section| vpc_section::read(section, underlay_mtu, files, report);
    sections.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests;

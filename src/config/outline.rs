//! What of a configuration must be kept apart and kept in, read even from a file with mistakes:
//! guards against plaintext stand before the gateway does, and when it cannot.
//!
//! This is no second grammar: it takes the words of `[[vpc]]` and `[[peer]]` that it understands,
//! those with letters too many at their end among them, and leaves out the rest. Nothing but guards
//! may follow from it.

use super::vpc_section::default_tun;
use super::vxlan_section::default_interface;
use super::{Config, Routing, limits};
use crate::net::{ParsePrefixError, Prefix, VpcId};
use std::collections::BTreeMap;
use std::net::IpAddr;
use toml::de::{DeTable, DeValue};

/// The outline of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The addresses on which the gateway listens.
    pub listen: Vec<IpAddr>,
    /// Whether it is to listen on more that could not be read.
    pub has_more_to_listen_on: bool,
    /// The VPCs, numbered in the order of the file.
    pub vpcs: BTreeMap<VpcId, VpcOutline>,
}

/// The outline of a VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpcOutline {
    /// Its name.
    pub name: String,
    /// Its TUN device.
    pub tun: String,
    /// Its network namespace; `None` is the daemon's.
    pub netns: Option<String>,
    /// The interface towards its hosts.
    pub interface: Option<String>,
    /// More interfaces by which it may be reached in the clear.
    pub let_in: Vec<String>,
    /// Its own prefixes, and what its routers may announce.
    pub prefixes: Vec<Prefix>,
    /// Of these, what its routers may announce.
    pub learned: Vec<Prefix>,
    /// What its peers may announce, static routes included.
    pub accept: Vec<Prefix>,
    /// The inside addresses of its peers.
    pub inside: Vec<IpAddr>,
}

impl VpcOutline {
    /// The prefixes behind its peers: what must never leave but through a tunnel.
    pub fn behind(&self) -> impl Iterator<Item = Prefix> {
        self.accept.iter().copied().chain(self.inside.iter().copied().map(Prefix::host))
    }
}

impl Outline {
    /// The outline of a valid configuration.
    pub fn of(config: &Config) -> Outline {
        let vpc = |(id, vpc): (&VpcId, &super::VpcConfig)| {
            let outline = VpcOutline {
                name: vpc.name.clone(),
                tun: vpc.tun.clone(),
                netns: vpc.netns.clone(),
                interface: vpc.interface.clone(),
                let_in: vpc.let_in.clone(),
                prefixes: vpc.extent().collect(),
                learned: vpc.routers.iter().flat_map(|router| &router.accept).copied().collect(),
                accept: Vec::new(),
                inside: Vec::new(),
            };
            (*id, outline)
        };
        let mut vpcs: BTreeMap<VpcId, VpcOutline> = config.vpcs.iter().map(vpc).collect();
        for peer in config.peers.values() {
            let Some(vpc) = vpcs.get_mut(&peer.vpc) else { continue };
            vpc.accept.extend(&peer.accept);
            if let Routing::Static { prefixes, .. } = &peer.routing {
                vpc.accept.extend(prefixes);
            }
            vpc.inside.extend(peer.routing.inside().map(|inside| inside.remote));
        }
        Outline { listen: config.gateway.listen.clone(), has_more_to_listen_on: false, vpcs }
    }

    /// What can be understood of a file. Inside addresses that are derived are left out: the host
    /// alone uses them, and it has no tunnel yet.
    pub fn of_text(text: &str) -> Outline {
        if text.len() > limits::FILE_BYTES {
            return Outline::default();
        }
        let (document, _mistakes) = DeTable::parse_recoverable(text);
        let file = document.into_inner();
        let gateway = file.get("gateway").and_then(|value| table(value.get_ref()));
        let listen: Vec<IpAddr> = gateway.map(|one| list(one, "listen")).unwrap_or_default();
        let written = gateway.map_or(0, |gateway| array(gateway, "listen").count());
        let mut outline = Outline {
            has_more_to_listen_on: listen.len() < written,
            listen,
            vpcs: BTreeMap::new(),
        };
        for (place, vpc) in (0..=u16::MAX).zip(tables(&file, "vpc")) {
            outline.vpcs.insert(VpcId(place), vpc_outline(vpc));
        }
        tables(&file, "peer").for_each(|peer| outline.take_peer(peer));
        outline
    }

    /// A peer without a VPC belongs to the only one; one that names none that is there to all.
    fn take_peer(&mut self, peer: &DeTable<'_>) {
        let names: Vec<String> = list(peer, "vpcs").into_iter().chain(text(peer, "vpc")).collect();
        let is_known = self.vpcs.values().any(|vpc| names.contains(&vpc.name));
        let of_peer = |vpc: &&mut VpcOutline| !is_known || names.contains(&vpc.name);
        for vpc in self.vpcs.values_mut().filter(of_peer) {
            let own = peer.get("vpc").and_then(|value| table(value.get_ref()));
            let own = own.and_then(|own| table(own.get(vpc.name.as_str())?.get_ref()));
            for section in [Some(peer), own].into_iter().flatten() {
                vpc.accept.extend(prefixes(section, "accept"));
                vpc.accept.extend(prefixes(section, "static"));
                let inside = text(section, "inside_remote");
                vpc.inside.extend(inside.and_then(|text| text.parse::<IpAddr>().ok()));
            }
        }
    }
}

fn vpc_outline(vpc: &DeTable<'_>) -> VpcOutline {
    let name = text(vpc, "name").unwrap_or_default();
    let learned: Vec<Prefix> =
        tables(vpc, "router").flat_map(|router| prefixes(router, "accept")).collect();
    VpcOutline {
        tun: text(vpc, "tun").unwrap_or_else(|| default_tun(&name)),
        netns: text(vpc, "netns"),
        interface: interface(vpc, &name),
        let_in: list(vpc, "let_in"),
        prefixes: prefixes(vpc, "prefix").into_iter().chain(learned.iter().copied()).collect(),
        learned,
        accept: Vec::new(),
        inside: Vec::new(),
        name,
    }
}

/// The one that is written, or the device of its segment.
fn interface(vpc: &DeTable<'_>, name: &str) -> Option<String> {
    let segment = vpc.get("vxlan").and_then(|value| table(value.get_ref()));
    let device = |segment| text(segment, "interface").unwrap_or_else(|| default_interface(name));
    segment.map(device).or_else(|| text(vpc, "interface"))
}

fn table<'v, 't>(value: &'v DeValue<'t>) -> Option<&'v DeTable<'t>> {
    match value {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The values of a list; one that is none stands for a list of itself.
fn array<'v, 't>(file: &'v DeTable<'t>, key: &str) -> impl Iterator<Item = &'v DeValue<'t>> {
    let (items, alone) = match file.get(key).map(|value| value.get_ref()) {
        Some(DeValue::Array(items)) => (Some(items.iter()), None),
        alone => (None, alone),
    };
    items.into_iter().flatten().map(|item| item.get_ref()).chain(alone)
}

/// The tables under a name, or under one that begins with it: `[[peers]]` is a peer misspelt.
fn tables<'v, 't>(file: &'v DeTable<'t>, name: &str) -> impl Iterator<Item = &'v DeTable<'t>> {
    values(file, name).filter_map(table)
}

/// The values of all keys that begin with a word.
fn values<'v, 't>(section: &'v DeTable<'t>, word: &str) -> impl Iterator<Item = &'v DeValue<'t>> {
    let keys = section.keys().map(|key| key.get_ref().as_ref());
    keys.filter(move |key: &&str| key.starts_with(word)).flat_map(|key| array(section, key))
}

fn word(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.as_ref().to_owned()),
        _ => None,
    }
}

fn text(section: &DeTable<'_>, key: &str) -> Option<String> {
    word(section.get(key)?.get_ref())
}

fn list<T: std::str::FromStr>(section: &DeTable<'_>, key: &str) -> Vec<T> {
    array(section, key).filter_map(word).filter_map(|text| text.trim().parse().ok()).collect()
}

/// Several in one string are a list misspelt.
fn words(text: String) -> Vec<String> {
    text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A prefix with host bits stands for its network.
fn prefixes(section: &DeTable<'_>, key: &str) -> Vec<Prefix> {
    let understood = |text: String| match text.trim().parse::<Prefix>() {
        Ok(prefix) => Some(prefix),
        Err(ParsePrefixError::HostBits { network, .. }) => Some(network),
        Err(ParsePrefixError::Malformed(_)) => None,
    };
    values(section, key).filter_map(word).flat_map(words).filter_map(understood).collect()
}

#[cfg(test)]
mod tests;

//! What public addresses of a VPC want of the host. A VPC is a network namespace, and what is
//! translated crosses between it and the daemon's by a pair of devices of one name:
//!
//! ```text
//!   underlay                the daemon's namespace            the VPC's namespace
//!   ── 203.0.113.10 ──►  Public: /32 by the outlet ══ outlet ══ translated there ──► 10.1.1.10
//!   ◄─ 203.0.113.10 ───  its other routes          ══════════  Exit: marked packets only ◄──
//! ```
//!
//! Private addresses never cross: [`Translation`] marks what it will translate, only what is marked
//! finds the [`Wish::Exit`], and what is not translated then is dropped before the outlet. Without the
//! table nothing is marked, and nothing leaves.

use super::tables::{COMPLAINTS, END, OUTLET, PUBLIC, TRANSLATED};
use super::wish::{Rule, Table, Then, When, Wish};
use crate::config::{Config, PublicConfig, Routing, ServiceConfig, SharingConfig, VpcConfig};
use crate::net::{Prefix, VpcId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The table of the packet filter that translates, in a VPC's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Translation {
    /// The VPC.
    pub vpc: VpcId,
    /// Its network namespace.
    pub netns: Option<String>,
    /// The device by which translated packets come and go.
    pub outlet: String,
    /// The VPC's TUN device: what comes out of a tunnel is not translated.
    pub tun: String,
    /// All prefixes of IPv4 that may be at home in the VPC.
    pub own: BTreeSet<Prefix>,
    /// What lies behind its peers, of IPv4, default routes aside: that goes into the tunnels.
    pub behind: BTreeSet<Prefix>,
    /// By which other prefixes of IPv4 peers know the VPC's own: on this side nobody has them.
    pub known_as: BTreeSet<Prefix>,
    /// Public addresses of hosts and services.
    pub mappings: Vec<Mapping>,
    /// From where other hosts speak to the world.
    pub sources: Vec<Source>,
}

/// A public address, or ports of one, and the host that it stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapping {
    /// The public address.
    pub address: Ipv4Addr,
    /// Its ports; `None` is the whole address, in both directions.
    pub ports: Option<Ports>,
    /// The host.
    pub to: Ipv4Addr,
}

/// Ports of a protocol, and what becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    /// The protocol's name.
    pub protocol: &'static str,
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
    /// The host's port, where it is another: then there is one only.
    pub to: Option<u16>,
}

/// Hosts that speak from a public address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The public address.
    pub address: Ipv4Addr,
    /// The hosts.
    pub from: BTreeSet<Prefix>,
    /// The first port that may be used.
    pub first: u16,
    /// The last one.
    pub last: u16,
}

/// The pair of devices by which translated packets cross.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outlet {
    /// The VPC.
    pub vpc: VpcId,
    /// The name of both.
    pub name: String,
    /// The VPC's network namespace.
    pub netns: Option<String>,
    /// The MTU of both, in bytes.
    pub mtu: u16,
}

/// That translated connections of a VPC are known to the other gateway of its region, before it takes over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sharing {
    /// The VPC.
    pub vpc: VpcId,
    /// Its network namespace.
    pub netns: Option<String>,
    /// Our own address on the underlay.
    pub local: IpAddr,
    /// The other gateway's.
    pub sibling: IpAddr,
    /// The UDP port of both.
    pub port: u16,
    /// What hosts speak with through tunnels, of IPv4: that is not translated, nor shared.
    pub ignored: BTreeSet<Prefix>,
    /// Where files of this may be; endings are put to it.
    pub path: String,
}

/// What was translated in a VPC, as the host last counted it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NatCounters {
    /// Connections that were begun, by [`Translation::mappings`].
    pub mappings: Vec<u64>,
    /// Connections that were begun, by [`Translation::sources`].
    pub sources: Vec<u64>,
    /// Connections that are remembered now.
    pub open: u64,
    /// Packets from the underlay that are for nobody.
    pub refused: u64,
    /// Packets from the underlay with a source of the VPC's.
    pub spoofed: u64,
    /// Packets of hosts in the middle of a connection that nobody knows: it is reset.
    pub lost: u64,
    /// Packets that would have left as they are.
    pub untranslated: u64,
}

impl Translation {
    /// What is private to the VPC and its peers: nothing of it is in the world, or comes from there.
    pub fn inside(&self) -> BTreeSet<Prefix> {
        let all = [&self.own, &self.behind, &self.known_as];
        all.into_iter().flatten().copied().collect()
    }

    /// The public addresses that lead here.
    pub fn addresses(&self) -> BTreeSet<Ipv4Addr> {
        let mapped = self.mappings.iter().map(|one| one.address);
        mapped.chain(self.sources.iter().map(|one| one.address)).collect()
    }
}

/// Whether both are the same VPC's table or outlet, whatever else of it: one takes the place of the other.
pub(super) fn is_same_place(one: &Wish, other: &Wish) -> bool {
    match (one, other) {
        (Wish::Translation(one), Wish::Translation(other)) => {
            (one.vpc, &one.netns) == (other.vpc, &other.netns)
        }
        (Wish::Outlet(one), Wish::Outlet(other)) => {
            (one.vpc, &one.name, &one.netns) == (other.vpc, &other.name, &other.netns)
        }
        (Wish::Sharing(one), Wish::Sharing(other)) => one.vpc == other.vpc,
        _ => false,
    }
}

/// The wishes of a VPC with public addresses, except for the addresses themselves.
pub(super) fn wishes(config: &Config, vpc: VpcId, settings: &VpcConfig) -> Vec<Wish> {
    if settings.public_addresses().is_empty() {
        return Vec::new();
    }
    let (netns, name) = (settings.netns.clone(), settings.outlet());
    let rule = |netns: &Option<String>, priority, when, then| {
        Wish::Rule(Box::new(Rule { netns: netns.clone(), ipv4: true, priority, when, then }))
    };
    let outlet = Outlet { vpc, name: name.clone(), netns, mtu: config.gateway.underlay_mtu };
    let arriving = When::Arriving(name.clone());
    let closed = settings.public_addresses().into_iter();
    let closed = closed.map(|address| Wish::Closed { vpc, address });
    let translation = translation(config, vpc, settings);
    let sharing = sharing(config, settings, &translation).map(Box::new).map(Wish::Sharing);
    let wishes = [
        Wish::Translation(translation.into()),
        Wish::Outlet(outlet.clone().into()),
        Wish::Exit { vpc, device: name },
        // Translated packets go by routes of the underlay, not into tunnels of other VPCs.
        rule(&None, OUTLET, arriving, Then::Goto(END)),
        rule(&None, PUBLIC, When::Always, Then::Lookup(Table::Public)),
        rule(&None, END, When::Always, Then::Pass),
        rule(&outlet.netns, TRANSLATED, When::Translated, Then::Lookup(Table::Public)),
        // Errors about packets from the world, path MTU discovery's among them (RFC 1191).
        rule(&outlet.netns, COMPLAINTS, When::Complaint, Then::Lookup(Table::Public)),
    ];
    wishes.into_iter().chain(closed).chain(sharing).collect()
}

fn sharing(config: &Config, settings: &VpcConfig, translation: &Translation) -> Option<Sharing> {
    let SharingConfig { sibling, local, port } = *settings.sharing.as_ref()?;
    let gateway = &config.gateway;
    let folder = gateway.control_socket.rsplit_once('/').map_or(".", |(folder, _)| folder);
    Some(Sharing {
        vpc: translation.vpc,
        netns: settings.netns.clone(),
        local,
        sibling,
        port,
        ignored: translation.behind.clone(),
        path: format!("{folder}/{}-{}.conntrackd", gateway.name, settings.name),
    })
}

/// The public addresses of a VPC, each on its way to the outlet.
pub(in crate::gateway) fn ways(vpc: VpcId, settings: &VpcConfig) -> impl Iterator<Item = Wish> {
    let device = settings.outlet();
    let addresses = settings.public_addresses().into_iter();
    addresses.map(move |address| Wish::Public { vpc, address, device: device.clone() })
}

fn translation(config: &Config, vpc: VpcId, settings: &VpcConfig) -> Translation {
    let known_as = settings.maps.iter().map(|map| map.mapping.outside());
    let peers = config.peers_of(vpc).flat_map(|(_, peer)| {
        let written = match &peer.routing {
            Routing::Static { prefixes, .. } => prefixes.as_slice(),
            Routing::Bgp(_) => &[],
        };
        let inside = peer.routing.inside().map(|inside| Prefix::host(inside.remote));
        written.iter().chain(&peer.accept).copied().chain(inside).collect::<Vec<_>>()
    });
    let is_default = |prefix: &Prefix| Table::of(prefix) == Table::Defaults;
    let sources = settings.egress.iter().map(|egress| Source {
        address: egress.address,
        from: egress.from.iter().copied().collect(),
        first: *egress.ports.start(),
        last: *egress.ports.end(),
    });
    Translation {
        vpc,
        netns: settings.netns.clone(),
        outlet: settings.outlet(),
        tun: settings.tun.clone(),
        own: settings.extent().filter(Prefix::is_ipv4).collect(),
        behind: peers.filter(|prefix| prefix.is_ipv4() && !is_default(prefix)).collect(),
        known_as: known_as.filter(Prefix::is_ipv4).collect(),
        mappings: settings.public.iter().flat_map(mappings).collect(),
        sources: sources.collect(),
    }
}

/// One for each protocol.
pub(in crate::gateway) fn mappings(public: &PublicConfig) -> Vec<Mapping> {
    let PublicConfig { address, ports, to, to_port } = public;
    let mapping = |ports| Mapping { address: *address, ports, to: *to };
    let of = |service: &ServiceConfig| {
        let (first, last) = (*service.ports.start(), *service.ports.end());
        mapping(Some(Ports { protocol: service.protocol_name(), first, last, to: *to_port }))
    };
    if ports.is_empty() { vec![mapping(None)] } else { ports.iter().map(of).collect() }
}

/// The devices of the underlay on which public addresses are asked for, and answered for: those that
/// bear an address of ours, or of a public address's network, or lead to the world.
pub(in crate::gateway) fn outer_devices(
    config: &Config,
    host: &super::Host,
    listening: &[IpAddr],
) -> BTreeSet<String> {
    let publics: BTreeMap<Ipv4Addr, &str> = config
        .vpcs
        .values()
        .flat_map(|vpc| vpc.public_addresses().into_iter().map(|one| (one, vpc.name.as_str())))
        .collect();
    if publics.is_empty() {
        return BTreeSet::new();
    }
    let ours: BTreeSet<String> =
        config.vpcs.values().flat_map(|vpc| [vpc.outlet(), vpc.tun.clone()]).collect();
    let fits = |device: &super::HostDevice| {
        let near = |address: &Ipv4Addr| {
            let on = |network: &Prefix| network.contains((*address).into());
            device.networks.iter().any(|network| network.len() < 32 && on(network))
        };
        device.is_default
            || listening.iter().any(|one| device.addresses.contains(one))
            || publics.keys().any(near)
    };
    let found = host.devices.iter().filter(|(name, device)| !ours.contains(*name) && fits(device));
    found.map(|(name, _)| name.clone()).filter(|name| name != "lo").collect()
}

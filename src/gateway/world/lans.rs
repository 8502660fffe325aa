//! Which devices of the host lead to hosts of the VPCs, and which do not: what comes in by the
//! others is none of theirs, and what is for them must not go out there.

use super::host::{Device, Host};
use crate::config::{Outline, VpcOutline};
use crate::net::Prefix;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What the gateway knows of its host's side of the underlay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Underlay<'h> {
    /// The host.
    pub host: &'h Host,
    /// The addresses on which IKE and ESP are received.
    pub listening: &'h [IpAddr],
    /// Whether there are more of them, which could not be read.
    has_more: bool,
}

impl<'h> Underlay<'h> {
    /// The underlay of a gateway that listens on these addresses.
    pub(crate) fn of(outline: &Outline, host: &'h Host, listening: &'h [IpAddr]) -> Underlay<'h> {
        Underlay { host, listening, has_more: outline.has_more_to_listen_on }
    }

    /// The devices that show themselves to be its: by an address, or by a default route of the host.
    /// While one of its addresses is on none, or nobody knows where it is, there is none.
    pub(super) fn devices(self) -> Vec<&'h str> {
        if self.has_more || !self.host.bears(self.listening) {
            return Vec::new();
        }
        let anywhere = self.is_anywhere();
        let shows = |device: &Device| self.has(device) || anywhere && device.is_among_hosts();
        let shown = self.host.devices.iter().filter(|(_, device)| shows(device));
        shown.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether the underlay is surely behind a device: it bears an address of it, or, where it may bear
    /// any, a default route leads there.
    fn is_way_out(self, device: &Device) -> bool {
        let bears = self.listening.iter().any(|one| device.addresses.contains(one));
        bears || self.is_anywhere() && device.is_default
    }

    /// Whether the gateway listens on every address; nothing written is that, too.
    fn is_anywhere(self) -> bool {
        let mut listening = self.listening.iter();
        listening.len() == 0 || listening.any(IpAddr::is_unspecified)
    }

    /// Whether a device shows that the underlay is behind it.
    pub(super) fn has(self, device: &Device) -> bool {
        device.is_default || self.listening.iter().any(|one| device.addresses.contains(one))
    }

    /// Whether hosts of a VPC come in by another device than the underlay's, so that what comes in
    /// by the underlay's is not theirs (RFC 4301 §5.2, step 4). A gateway with one device for both
    /// cannot tell, and in a namespace of its own there is no underlay.
    pub(super) fn is_apart_from(self, vpc: &VpcOutline) -> bool {
        let devices = &self.host.devices;
        let shared = self.by_network(vpc, devices).any(|(_, device)| self.is_way_out(device));
        vpc.netns.is_none() && !shared
    }

    /// The devices by which hosts of the VPC come in, as far as names and networks tell. An address
    /// in the VPC makes the underlay's device none of them while there are others: whoever is
    /// beside it may have given it that (RFC 4862 §5.5.3).
    fn by_network(
        self,
        vpc: &VpcOutline,
        devices: &'h BTreeMap<String, Device>,
    ) -> impl Iterator<Item = (&'h String, &'h Device)> {
        let is_out = move |device: &Device| vpc.netns.is_none() && self.is_way_out(device);
        let lans = move || devices.iter().filter(move |one| is_lan(vpc, devices, *one));
        let has_others = lans().any(|(_, device)| !is_out(device));
        lans().filter(move |(_, device)| !has_others || !is_out(device))
    }

    /// The devices of a VPC's namespace towards its hosts: that which is written, and those of no
    /// underlay that are on a network of its prefixes, or by which a route leads into them.
    pub(super) fn lans_of(self, vpc: &'h VpcOutline) -> BTreeSet<&'h str> {
        let Some(devices) = self.host.devices_in(vpc.netns.as_deref()) else {
            return vpc.interface.as_deref().into_iter().collect();
        };
        let own = |to: &Prefix| vpc.prefixes.iter().any(|prefix| prefix.covers(to));
        let leads = |device: &Device| is_near(vpc, device) || device.routes.iter().any(own);
        let others = devices.iter().filter(|(_, device)| !self.has(device) && leads(device));
        let found = self.by_network(vpc, devices).chain(others);
        found.map(|(name, _)| name.as_str()).chain(vpc.interface.as_deref()).collect()
    }

    /// Parts of the VPC's prefixes to which only devices lead that are not its own, and no hosts of
    /// the VPC inside: whoever gave the host such routes (RFC 3442, RFC 4191) wants to see its packets.
    pub(super) fn astray(self, vpc: &'h VpcOutline) -> BTreeSet<Prefix> {
        let lans = self.lans_of(vpc);
        let ways = |device: &'h Device| device.routes.iter().chain(&device.networks).copied();
        let is_lan = |name: &String| lans.contains(name.as_str()) || *name == vpc.tun;
        let (own, others): (Vec<_>, Vec<_>) =
            self.devices_of(vpc).partition(|(name, _)| is_lan(name));
        let home: Vec<Prefix> = own.into_iter().flat_map(|(_, device)| ways(device)).collect();
        let into = |to: &Prefix| vpc.prefixes.iter().any(|prefix| prefix.covers(to));
        let holds_hosts = |to: &Prefix| home.iter().any(|hosts| to.covers(hosts));
        let others = others.into_iter().flat_map(|(_, device)| ways(device));
        others.filter(|to| !lans.is_empty() && into(to) && !holds_hosts(to)).collect()
    }

    fn devices_of(self, vpc: &VpcOutline) -> impl Iterator<Item = (&'h String, &'h Device)> {
        self.host.devices_in(vpc.netns.as_deref()).into_iter().flatten()
    }

    /// The devices by which packets for the VPCs of the daemon's namespace may come in.
    pub(super) fn let_in(self, outline: &'h Outline) -> BTreeSet<&'h str> {
        let here = outline.vpcs.values().filter(|vpc| vpc.netns.is_none());
        here.flat_map(|vpc| {
            let more = vpc.let_in.iter().map(String::as_str);
            self.lans_of(vpc).into_iter().chain(more)
        })
        .collect()
    }

    /// How long the prefix of a route of the main table must be at least, lest packets to hosts in
    /// `home` leave by a device that does not lead to them: a shorter one does for the rest of the
    /// world, too. A route that leads to the hosts may be a summary, or the default route.
    pub(super) fn shortest_way(self, vpc: &VpcOutline, home: &Prefix) -> u8 {
        let lans = self.lans_of(vpc);
        let ways = self.devices_of(vpc).flat_map(|(name, device)| {
            let routes = device.routes.iter().chain(&device.networks);
            let wider = routes.filter(|to| to.len() < home.len() && to.covers(home));
            let lengths = wider.map(Prefix::len).chain(device.is_default.then_some(0));
            lengths.map(|length| (length, lans.contains(name.as_str())))
        });
        let ways: Vec<(u8, bool)> = ways.collect();
        let summary = ways.iter().map(|(length, _)| *length).max();
        let leads_home = |length: &u8| ways.iter().all(|(other, lan)| other != length || *lan);
        summary.filter(leads_home).unwrap_or(home.len())
    }
}

/// Whether hosts of the VPC come in by one of `devices`: by the one that is written, or else by any on a
/// network of the VPC's prefixes. A network that is wider than they are says less than one among them.
pub(super) fn is_lan(
    vpc: &VpcOutline,
    devices: &BTreeMap<String, Device>,
    (name, device): (&String, &Device),
) -> bool {
    match &vpc.interface {
        Some(interface) => interface == name,
        None => {
            let is_wide = |network: &Prefix| vpc.prefixes.iter().any(|own| network.covers(own));
            let none_near = || !devices.values().any(|one| is_near(vpc, one));
            is_near(vpc, device) || device.networks.iter().any(is_wide) && none_near()
        }
    }
}

/// Whether a device is on a network that lies in the VPC's prefixes.
fn is_near(vpc: &VpcOutline, device: &Device) -> bool {
    let is_own = |network: &Prefix| vpc.prefixes.iter().any(|own| own.covers(network));
    device.networks.iter().any(is_own)
}

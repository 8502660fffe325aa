//! From the configuration to wishes: the devices, addresses and guards of all VPCs, and the
//! policy rules that packets of a VPC cannot get around. Learned routes are not among them.

use super::host::{Device as HostDevice, Host};
use super::segment;
use super::tables::{
    ARRIVED, ARRIVING, COMPLAINTS, DEFAULTS, END, FAMILIAR, FENCED, HOST, INSIDE, INWARD, NOWHERE,
    PREFIXES, SOURCED,
};
use super::wish::{Rule, Table, Then, When, Wish};
use crate::config::{
    Config, Outline, VpcConfig, VpcOutline, derive_device_address, derived_prefix,
};
use crate::gateway::snapshot::device_mtu;
use crate::net::{Prefix, VpcId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The device by which rules know what the host itself sends.
const LOOPBACK: &str = "lo";

/// What the gateway knows of its host's side of the underlay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Underlay<'h> {
    /// The host.
    pub host: &'h Host,
    /// The addresses on which IKE and ESP are received.
    pub listening: &'h [IpAddr],
}

/// Everything that the configuration wants from the host.
pub(crate) fn configured(config: &Config, underlay: Underlay<'_>) -> BTreeSet<Wish> {
    let mut wishes = guards(&Outline::of(config), underlay.host, underlay.listening);
    for (&vpc, settings) in &config.vpcs {
        wishes.insert(Wish::Device {
            vpc,
            name: settings.tun.clone(),
            netns: settings.netns.clone(),
            mtu: device_mtu(config, vpc),
        });
        // It keeps the device, and with it its routes, alive whatever becomes of other addresses.
        let address = derive_device_address(&config.gateway.identity, &settings.name).into();
        wishes.insert(Wish::Address { vpc, address });
        wishes.extend(segment::wishes(vpc, settings));
    }
    for peer in config.peers.values() {
        if let Some(inside) = peer.routing.inside() {
            let vpc = peer.vpc;
            wishes.insert(Wish::Address { vpc, address: inside.local });
            let (prefix, source) = (Prefix::host(inside.remote), Some(inside.local));
            wishes.insert(Wish::Route { vpc, prefix, source });
        }
    }
    wishes
}

/// What keeps packets of the VPCs from leaving or coming in in the clear. It needs no device, no
/// key and no network yet: what is known of the host only adds to it.
pub fn guards(outline: &Outline, host: &Host, listening: &[IpAddr]) -> BTreeSet<Wish> {
    let mut wishes = BTreeSet::new();
    let underlay = Underlay { host, listening };
    let mut grounds: BTreeMap<Option<&str>, Vec<(VpcId, &VpcOutline)>> = BTreeMap::new();
    for (&vpc, settings) in &outline.vpcs {
        wishes.extend(settings.behind().map(|prefix| Wish::Guard { vpc, prefix }));
        wishes.extend(homes(settings).map(|(prefix, table)| Wish::Home { vpc, prefix, table }));
        let bars = barred(settings).filter(|_| is_barred(settings, underlay));
        wishes.extend(bars.map(|prefix| Wish::Bar { prefix }));
        grounds.entry(settings.netns.as_deref()).or_default().push((vpc, settings));
    }
    let lans = outline.vpcs.values().flat_map(|vpc| lans_of(vpc, host)).collect();
    for (netns, settled) in grounds {
        let vpcs: Vec<&VpcOutline> = settled.iter().map(|(_, vpc)| *vpc).collect();
        let fenced = fenced(netns, &settled, host);
        wishes.extend(fences(&fenced, &settled));
        for ipv4 in [true, false] {
            let policy =
                Policy { netns, ipv4, vpcs: &vpcs, fenced: &fenced, lans: &lans, underlay };
            wishes.extend(policy.rules().into_iter().map(Wish::Rule));
        }
    }
    wishes
}

/// Whether a VPC has default routes behind its peers, in one family.
pub(crate) fn has_default(vpc: &VpcOutline, ipv4: bool) -> bool {
    let mut behind = vpc.behind().filter(|prefix| prefix.is_ipv4() == ipv4);
    behind.any(|prefix| Table::of(&prefix) == Table::Defaults)
}

/// Where peers may announce the default route, they may announce any part of it: the VPC's own
/// prefixes are not for what covers them.
fn homes(vpc: &VpcOutline) -> impl Iterator<Item = (Prefix, Table)> {
    let drawn = |prefix: &Prefix| has_default(vpc, prefix.is_ipv4());
    let drawn = vpc.prefixes.iter().copied().filter(drawn);
    drawn.flat_map(|prefix| [Table::Prefixes, Table::Defaults].map(|table| (prefix, table)))
}

/// What must not come in from the underlay: packets to the VPC's own hosts, or through them.
fn barred(vpc: &VpcOutline) -> impl Iterator<Item = Prefix> {
    vpc.prefixes.iter().chain(&vpc.accept).copied()
}

/// Whether hosts of the VPC come in by another device than the underlay's, so that what comes in
/// by the underlay's is not theirs (RFC 4301 §5.2, step 4). A gateway with one device for both
/// cannot tell, nor can one that is told neither of them, and in a namespace of its own there is no
/// underlay.
fn is_barred(vpc: &VpcOutline, underlay: Underlay<'_>) -> bool {
    let Underlay { host, listening } = underlay;
    let is_known = vpc.interface.is_some() || listening.iter().any(|one| !one.is_unspecified());
    let is_lan = |(name, device)| towards_hosts(vpc, name, device);
    vpc.netns.is_none() && is_known && !host.bearing(listening).any(is_lan)
}

/// Whether hosts of the VPC come in by a device: the one that is written, or else any on a network
/// of the VPC's prefixes.
fn towards_hosts(vpc: &VpcOutline, name: &str, device: &HostDevice) -> bool {
    let meets = |network: &Prefix| vpc.prefixes.iter().any(|prefix| prefix.overlaps(network));
    match &vpc.interface {
        Some(interface) => interface == name,
        None => device.networks.iter().any(meets),
    }
}

/// The devices of the daemon's namespace towards hosts of the VPC.
fn lans_of<'h>(vpc: &'h VpcOutline, host: &'h Host) -> impl Iterator<Item = &'h str> {
    let found = host.devices.iter().filter(|(name, device)| towards_hosts(vpc, name, device));
    found.map(|(name, _)| name.as_str()).chain(vpc.interface.as_deref())
}

/// A VPC that shares its namespace, with the devices towards its hosts.
type Fenced<'h> = (VpcId, BTreeSet<&'h str>);

/// The VPCs whose hosts are kept from the others' in one namespace: where several come in by one
/// device, nobody can tell whose a packet is.
fn fenced<'h>(
    netns: Option<&str>,
    settled: &[(VpcId, &'h VpcOutline)],
    host: &'h Host,
) -> Vec<Fenced<'h>> {
    let devices = |vpc: &'h VpcOutline| -> BTreeSet<&'h str> {
        match netns {
            None => lans_of(vpc, host).collect(),
            Some(_) => vpc.interface.as_deref().into_iter().collect(),
        }
    };
    if settled.len() < 2 {
        return Vec::new();
    }
    let all: Vec<Fenced<'h>> = settled.iter().map(|(id, vpc)| (*id, devices(vpc))).collect();
    let mut serving: BTreeMap<&str, usize> = BTreeMap::new();
    all.iter().flat_map(|(_, devices)| devices).for_each(|device| {
        *serving.entry(device).or_default() += 1;
    });
    let alone = |device: &&str| serving.get(device) == Some(&1);
    let kept = |devices: BTreeSet<&'h str>| devices.into_iter().filter(alone).collect();
    all.into_iter().map(|(id, devices)| (id, kept(devices))).collect()
}

/// A VPC's own prefixes, and those behind its peers.
fn belonging(vpc: &VpcOutline) -> impl Iterator<Item = Prefix> {
    vpc.prefixes.iter().copied().chain(vpc.behind())
}

/// What belongs to one is fenced off from all others whose hosts are known by a device.
fn fences(fenced: &[Fenced<'_>], settled: &[(VpcId, &VpcOutline)]) -> Vec<Wish> {
    let known = fenced.iter().filter(|(_, devices)| !devices.is_empty());
    let between = known.flat_map(|(vpc, _)| {
        let others = settled.iter().filter(move |(other, _)| other != vpc);
        let theirs = others.flat_map(|(_, other)| belonging(other));
        theirs.map(|prefix| Wish::Fence { vpc: *vpc, prefix })
    });
    between.collect()
}

/// What is ruled in one network namespace for one address family.
struct Policy<'c> {
    netns: Option<&'c str>,
    ipv4: bool,
    /// The VPCs that live there.
    vpcs: &'c [&'c VpcOutline],
    /// Those that share it with others.
    fenced: &'c [Fenced<'c>],
    /// The devices towards hosts of any VPC.
    lans: &'c BTreeSet<&'c str>,
    underlay: Underlay<'c>,
}

impl Policy<'_> {
    fn rules(&self) -> Vec<Rule> {
        let mut rules = self.arriving();
        rules.extend(self.fenced());
        if self.vpcs.iter().any(|vpc| vpc.behind().any(|prefix| self.is_mine(&prefix))) {
            let when = if self.netns.is_none() { When::Unmarked } else { When::Always };
            rules.push(self.rule(PREFIXES, when, Then::Lookup(Table::Prefixes)));
        }
        if let Some(vpc) = self.vpcs.iter().find(|vpc| has_default(vpc, self.ipv4)) {
            rules.extend(self.host());
            let defaults = |when| self.rule(DEFAULTS, when, Then::Lookup(Table::Defaults));
            rules.extend(self.packets(vpc).map(defaults));
            rules.extend(self.complaints());
        }
        let lost = self.vpcs.iter().filter(|vpc| self.loses_itself(vpc));
        rules.extend(lost.flat_map(|vpc| {
            let out = || When::Arriving(vpc.tun.clone());
            let home = self.rule(INWARD, out(), Then::LookupMainButDefault);
            [home, self.rule(NOWHERE, out(), Then::Unreachable)]
        }));
        rules.extend(self.inside());
        rules
    }

    /// What comes in by a VPC's device meets the fences.
    fn fenced(&self) -> impl Iterator<Item = Rule> {
        let own = |vpc: &&&VpcOutline| belonging(vpc).any(|prefix| self.is_mine(&prefix));
        // Each is fenced off from at least one of two that have something.
        let has_fences = self.vpcs.iter().filter(own).count() > 1;
        let fenced = self.fenced.iter().filter(move |_| has_fences);
        let devices = fenced.flat_map(|(vpc, devices)| devices.iter().map(move |one| (*vpc, *one)));
        devices.map(|(vpc, device)| {
            let when = When::Arriving(device.to_owned());
            self.rule(FENCED, when, Then::Lookup(Table::Fences(vpc)))
        })
    }

    /// From an inside address nothing goes but into the tunnels: so nobody on the VPC's side gets an
    /// answer from a service of the host that listens on every address. There is one rule for all
    /// derived addresses; one for each of the others would be one for each tunnel.
    fn inside(&self) -> Option<Rule> {
        let mut inside = self.vpcs.iter().flat_map(|vpc| &vpc.inside);
        let derived = inside.find_map(|address| derived_prefix(*address));
        let derived = derived.filter(|prefix| self.is_mine(prefix))?;
        Some(self.rule(INSIDE, When::From(derived), Then::Unreachable))
    }

    /// What comes in by the underlay's devices meets the bars. Before those are known, as before
    /// the network is up, whatever is not of a VPC does.
    fn arriving(&self) -> Vec<Rule> {
        let has_bars = |vpc: &&VpcOutline| {
            is_barred(vpc, self.underlay) && barred(vpc).any(|prefix| self.is_mine(&prefix))
        };
        if !self.vpcs.iter().any(has_bars) {
            return Vec::new();
        }
        let Underlay { host, listening } = self.underlay;
        if !host.bears(listening) {
            return self.unfamiliar();
        }
        let foreign = host.bearing(listening).map(|(name, _)| name);
        let foreign = foreign.filter(|name| !self.lans.contains(name));
        let arriving = foreign.map(|device| When::Arriving(device.to_owned()));
        arriving.map(|when| self.rule(ARRIVING, when, Then::Lookup(Table::Ingress))).collect()
    }

    fn unfamiliar(&self) -> Vec<Rule> {
        let tuns = self.vpcs.iter().map(|vpc| vpc.tun.as_str());
        let ours: BTreeSet<&str> = tuns.chain(self.lans.iter().copied()).collect();
        let familiar = ours.into_iter().chain([LOOPBACK]);
        let familiar = familiar.map(|device| When::Arriving(device.to_owned()));
        let over = familiar.map(|when| self.rule(FAMILIAR, when, Then::Goto(ARRIVED)));
        let bars = self.rule(ARRIVING, When::Always, Then::Lookup(Table::Ingress));
        over.chain([bars, self.rule(ARRIVED, When::Always, Then::Pass)]).collect()
    }

    /// The gateway's own packets, and the host's from the underlay's address, are not for a VPC's
    /// default route.
    fn host(&self) -> Vec<Rule> {
        if self.netns.is_some() {
            return Vec::new();
        }
        let listening = self.underlay.listening.iter();
        let ours = listening.filter(|a| a.is_ipv4() == self.ipv4 && !a.is_unspecified());
        let sent = ours.map(|address| When::SentFrom(Prefix::host(*address)));
        let over = [When::Marked].into_iter().chain(sent);
        let mut rules: Vec<Rule> = over.map(|w| self.rule(HOST, w, Then::Goto(END))).collect();
        rules.push(self.rule(END, When::Always, Then::Pass));
        rules
    }

    /// An ICMP error about what came out of a tunnel quotes it, and the kernel looks for its way
    /// before it has a source: by the underlay's default route it would go there in the clear. IPv6
    /// cannot ask for what has no source, so what has one is led over first.
    fn complaints(&self) -> Vec<Rule> {
        if self.netns.is_some() {
            return Vec::new();
        }
        let halves = ["::/1", "8000::/1"].into_iter().filter(|_| !self.ipv4);
        let halves = halves.filter_map(|half| half.parse().ok());
        let over = halves.map(|half| self.rule(SOURCED, When::SentFrom(half), Then::Goto(END)));
        let rest = self.rule(COMPLAINTS, When::Complaint, Then::Lookup(Table::Defaults));
        over.chain([rest]).collect()
    }

    /// How packets of a VPC are known: by the device that they come in by, or by their source.
    fn packets(&self, vpc: &VpcOutline) -> impl Iterator<Item = When> {
        let devices = [Some(&vpc.tun), vpc.interface.as_ref()];
        let sources = vpc.prefixes.iter().filter(|prefix| self.is_mine(prefix));
        let devices = devices.into_iter().flatten().cloned().map(When::Arriving);
        devices.chain(sources.copied().map(When::From))
    }

    /// Whether what comes out of a tunnel could leave again by the underlay when the way to the
    /// VPC's hosts is gone: the host's default route leads there.
    fn loses_itself(&self, vpc: &VpcOutline) -> bool {
        let mut underlay = self.underlay.host.bearing(self.underlay.listening);
        let comes_out = barred(vpc).any(|prefix| self.is_mine(&prefix));
        comes_out && is_barred(vpc, self.underlay) && underlay.any(|(_, device)| device.is_default)
    }

    fn is_mine(&self, prefix: &Prefix) -> bool {
        prefix.is_ipv4() == self.ipv4
    }

    fn rule(&self, priority: u32, when: When, then: Then) -> Rule {
        Rule { netns: self.netns.map(str::to_owned), ipv4: self.ipv4, priority, when, then }
    }
}

/// Whether there is something to bar and no way to tell the underlay's devices: the gateway
/// listens on every address.
pub fn is_blind(config: &Config, listening: &[IpAddr]) -> bool {
    let guarded = |vpc: &VpcConfig| vpc.netns.is_none();
    config.vpcs.values().any(guarded) && listening.iter().any(IpAddr::is_unspecified)
}

#[cfg(test)]
mod tests;

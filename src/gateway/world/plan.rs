//! From the configuration to wishes: the devices, addresses and guards of all VPCs, and the
//! policy rules that packets of a VPC cannot get around. Learned routes are not among them.

use super::host::Host;
use super::lans::{Underlay, is_lan};
use super::public;
use super::segment;
use super::tables::{
    ARRIVED, ARRIVING, ASTRAY, COMPLAINTS, DEFAULTS, END, FAMILIAR, FENCED, HOST, INSIDE, INWARD,
    LOOPBACK, NOWHERE, PREFIXES, SOURCED,
};
use super::wish::{Rule, Table, Then, When, Wish};
use crate::config::{
    Config, Outline, VpcConfig, VpcOutline, derive_device_address, derived_prefix,
};
use crate::gateway::snapshot::device_mtu;
use crate::net::{Prefix, VpcId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// So many devices at most are let over one by one.
const FEW: usize = 8;

/// Everything that the configuration wants from the host.
pub(crate) fn configured(config: &Config, host: &Host, listening: &[IpAddr]) -> BTreeSet<Wish> {
    let outline = Outline::of(config);
    let underlay = Underlay::of(&outline, host, listening);
    let devices = |vpc: VpcId, settings: &VpcConfig| -> BTreeSet<String> {
        let lans = outline.vpcs.get(&vpc).map(|vpc| underlay.lans_of(vpc)).unwrap_or_default();
        lans.into_iter().map(str::to_owned).chain([settings.tun.clone()]).collect()
    };
    let mut wishes = guards(&outline, host, listening);
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
        let devices = devices(vpc, settings);
        let forwarding = |ipv4| Wish::Forwarding { vpc, ipv4, devices: devices.clone() };
        wishes.extend(families(settings).map(forwarding));
        wishes.extend(public::wishes(config, vpc, settings));
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

/// The address families of the VPC's own prefixes.
fn families(vpc: &VpcConfig) -> impl Iterator<Item = bool> {
    let has = |ipv4: &bool| vpc.prefixes.iter().any(|prefix| prefix.is_ipv4() == *ipv4);
    [true, false].into_iter().filter(has)
}

/// What keeps packets of the VPCs from leaving or coming in in the clear. It needs no device, no
/// key and no network yet: what is known of the host only adds to it.
pub fn guards(outline: &Outline, host: &Host, listening: &[IpAddr]) -> BTreeSet<Wish> {
    let underlay = Underlay::of(outline, host, listening);
    let mut wishes = BTreeSet::new();
    let mut grounds: BTreeMap<Option<&str>, Vec<(VpcId, &VpcOutline)>> = BTreeMap::new();
    for (&vpc, settings) in &outline.vpcs {
        wishes.extend(settings.behind().map(|prefix| Wish::Guard { vpc, prefix }));
        wishes.extend(homes(settings).map(|(prefix, table)| Wish::Home { vpc, prefix, table }));
        let bars = barred(settings).filter(|_| underlay.is_apart_from(settings));
        wishes.extend(bars.map(|prefix| Wish::Bar { prefix }));
        grounds.entry(settings.netns.as_deref()).or_default().push((vpc, settings));
    }
    let lans = underlay.let_in(outline);
    for (netns, settled) in grounds {
        let vpcs: Vec<&VpcOutline> = settled.iter().map(|(_, vpc)| *vpc).collect();
        let fenced = fenced(netns, &settled, host);
        wishes.extend(fences(&fenced, &settled));
        for ipv4 in [true, false] {
            let policy =
                Policy { netns, ipv4, vpcs: &vpcs, fenced: &fenced, lans: &lans, underlay };
            wishes.extend(policy.rules().into_iter().map(Box::new).map(Wish::Rule));
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

/// The devices of the daemon's namespace towards hosts of the VPC.
fn lans_of<'h>(vpc: &'h VpcOutline, host: &'h Host) -> impl Iterator<Item = &'h str> {
    let found = host.devices.iter().filter(|one| is_lan(vpc, &host.devices, *one));
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
        let routed = |vpc: &&VpcOutline| {
            vpc.behind().chain(vpc.learned.iter().copied()).any(|prefix| self.is_mine(&prefix))
        };
        if self.vpcs.iter().any(routed) {
            let when = if self.netns.is_none() { When::Unmarked } else { When::Always };
            rules.push(self.rule(PREFIXES, when, Then::Lookup(Table::Prefixes)));
        }
        if let Some(vpc) = self.vpcs.iter().find(|vpc| has_default(vpc, self.ipv4)) {
            rules.extend(self.host());
            let defaults = |when| self.rule(DEFAULTS, when, Then::Lookup(Table::Defaults));
            rules.extend(self.packets(vpc).map(defaults));
            rules.extend(self.complaints());
        }
        rules.extend(self.vpcs.iter().flat_map(|vpc| self.homeward(vpc)));
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

    /// What comes in by a device that is not a VPC's meets the bars. Where those of the VPCs are few
    /// they are let over and everything else is barred, known or not; many would cost every packet more
    /// than the list of the others does. Where they are not known, what the underlay shows of itself is
    /// listed, and before it does so nothing is let in.
    fn arriving(&self) -> Vec<Rule> {
        let has_bars = |vpc: &&&VpcOutline| {
            self.underlay.is_apart_from(vpc) && barred(vpc).any(|prefix| self.is_mine(&prefix))
        };
        let barred: Vec<&&VpcOutline> = self.vpcs.iter().filter(has_bars).collect();
        if barred.is_empty() {
            return Vec::new();
        }
        let tuns = self.vpcs.iter().map(|vpc| vpc.tun.as_str());
        let familiar: BTreeSet<&str> =
            self.lans.iter().copied().chain(tuns).chain([LOOPBACK]).collect();
        let are_known = barred.iter().all(|vpc| !self.underlay.lans_of(vpc).is_empty());
        let mut foreign = self.underlay.devices();
        if are_known && !foreign.is_empty() {
            foreign = self.underlay.host.devices.keys().map(String::as_str).collect();
        }
        foreign.retain(|name| !familiar.contains(name));
        if foreign.is_empty() || are_known && familiar.len() <= FEW {
            return self.unfamiliar(&familiar);
        }
        let arriving = foreign.into_iter().map(|device| When::Arriving(device.to_owned()));
        arriving.map(|when| self.rule(ARRIVING, when, Then::Lookup(Table::Ingress))).collect()
    }

    fn unfamiliar(&self, familiar: &BTreeSet<&str>) -> Vec<Rule> {
        let familiar = familiar.iter().map(|device| When::Arriving((*device).to_owned()));
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

    /// What comes out of a tunnel goes to the VPC's hosts by a route that leads to them, or nowhere:
    /// any other of the host's may lead into the underlay.
    fn homeward(&self, vpc: &VpcOutline) -> Vec<Rule> {
        let comes_out = barred(vpc).any(|prefix| self.is_mine(&prefix));
        let lans = self.underlay.lans_of(vpc);
        // In a namespace of its own it may have other ways out.
        let others = vpc.netns.is_some() && !lans.is_empty();
        if !comes_out || !others && !self.underlay.is_apart_from(vpc) {
            return Vec::new();
        }
        let out = || When::Arriving(vpc.tun.clone());
        let home = |when, shortest| self.rule(INWARD, when, Then::LookupMain { shortest });
        let own = || vpc.prefixes.iter().filter(|prefix| self.is_mine(prefix));
        let shortest = |prefix| self.underlay.shortest_way(vpc, prefix);
        let lengths: BTreeSet<u8> = own().map(shortest).collect();
        let mut rules: Vec<Rule> = match (lans.is_empty(), lengths.first()) {
            // Nobody knows by which way: not by the default route.
            (true, _) => vec![home(out(), 1)],
            (false, Some(length)) if lengths.len() == 1 => vec![home(out(), *length)],
            (false, _) => {
                let bound = |prefix: &Prefix| When::Bound(vpc.tun.clone(), *prefix);
                own().map(|prefix| home(bound(prefix), shortest(prefix))).collect()
            }
        };
        rules.push(self.rule(NOWHERE, out(), Then::Unreachable));
        let astray = self.underlay.astray(vpc).into_iter().filter(|to| self.is_mine(to));
        let astray = astray.map(|to| When::Bound(vpc.tun.clone(), to));
        rules.extend(astray.map(|when| self.rule(ASTRAY, when, Then::Unreachable)));
        rules
    }

    fn is_mine(&self, prefix: &Prefix) -> bool {
        prefix.is_ipv4() == self.ipv4
    }

    fn rule(&self, priority: u32, when: When, then: Then) -> Rule {
        Rule { netns: self.netns.map(str::to_owned), ipv4: self.ipv4, priority, when, then }
    }
}

/// The VPCs of which nobody can tell what comes in for them from the underlay: one device is for both.
pub fn blind_to<'c>(config: &'c Config, host: &Host, listening: &[IpAddr]) -> Vec<&'c str> {
    let outline = Outline::of(config);
    let underlay = Underlay::of(&outline, host, listening);
    let is_open = |id: &VpcId| {
        outline.vpcs.get(id).is_some_and(|vpc| vpc.netns.is_none() && !underlay.is_apart_from(vpc))
    };
    let open = config.vpcs.iter().filter(|(id, _)| is_open(id));
    open.map(|(_, vpc)| vpc.name.as_str()).collect()
}

/// The devices that have an address and by which nothing comes in for a VPC, although they show
/// nothing of the underlay: the operator may have meant otherwise.
pub fn kept_out<'h>(config: &Config, host: &'h Host, listening: &[IpAddr]) -> Vec<&'h str> {
    let outline = Outline::of(config);
    let underlay = Underlay::of(&outline, host, listening);
    let let_in = underlay.let_in(&outline);
    let is_tun = |name: &str| outline.vpcs.values().any(|vpc| vpc.tun == name);
    let guarded = outline.vpcs.values().any(|vpc| underlay.is_apart_from(vpc));
    let others = host.devices.iter().filter(|(name, device)| {
        let is_inner = let_in.contains(name.as_str()) || is_tun(name);
        guarded && device.is_among_hosts() && !is_inner && !underlay.has(device)
    });
    others.map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests;

//! The kernel of a node as far as a gateway needs it: devices, addresses, routing tables and
//! policy rules, with the answers that Linux gives. It routes packets as Linux does, rule by rule.

use crate::config::{Config, VpcConfig};
use crate::gateway::world::{Answer, Change, Host, HostDevice, Rule, Table, Then, When, Wish};
use crate::net::{MacAddress, Prefix, VpcId};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The device of the underlay.
pub(super) const UNDERLAY: &str = "wan0";
/// The device by which rules know what the host itself sends.
pub(super) const LOOPBACK: &str = "lo";

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Into the VPC's TUN device.
    Tunnel,
    /// To a host of the VPC.
    Lan,
    /// Nowhere.
    Nowhere,
    /// By the host's default route, in the clear.
    Clear,
}

/// A packet that asks for its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traveller<'p> {
    /// The VPC that it is in.
    pub vpc: VpcId,
    /// The device that it came in by.
    pub input: &'p str,
    /// Its source.
    pub src: IpAddr,
    /// Its destination.
    pub dst: IpAddr,
}

/// The kernel of one host.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    standing: BTreeSet<Wish>,
    refusing: BTreeSet<Wish>,
}

impl Kernel {
    /// Makes a change, or says why not.
    pub(super) fn change(&mut self, change: Change) -> Answer {
        match change {
            Change::Set(wish) if self.refusing.contains(&wish) => {
                Answer::Refused(Change::Set(wish), "out of memory".to_owned())
            }
            Change::Set(wish) if self.lacks_device(&wish) => {
                Answer::Refused(Change::Set(wish), "no such device".to_owned())
            }
            Change::Set(wish) if self.lacks_guard(&wish) => {
                Answer::Refused(Change::Set(wish), "anyone could send into it".to_owned())
            }
            Change::Set(wish) => {
                self.replace_route(&wish);
                self.replace_segment(&wish);
                self.standing.insert(wish.clone());
                Answer::Done(Change::Set(wish))
            }
            Change::Remove(wish) => {
                self.take_away(&wish);
                Answer::Done(Change::Remove(wish))
            }
        }
    }

    /// A route takes the place of the one to the same prefix.
    fn replace_route(&mut self, wish: &Wish) {
        let Wish::Route { vpc, prefix, .. } = *wish else { return };
        let first = Wish::Route { vpc, prefix, source: None };
        let standing = self.standing.range(first..).next().filter(|one| one.is_same_route(wish));
        if let Some(before) = standing.cloned() {
            self.standing.remove(&before);
        }
    }

    /// A segment takes the place of the one of its VPC, and its guard that of the one before.
    fn replace_segment(&mut self, wish: &Wish) {
        let replaces = |other: &Wish| match (wish, other) {
            (Wish::Segment(one), Wish::Segment(other)) => one.vpc == other.vpc,
            (Wish::Admission(one), Wish::Admission(other)) => one.vpc == other.vpc,
            _ => false,
        };
        self.standing.retain(|other| !replaces(other));
    }

    /// Whether it would open a segment to which everybody may send, or stand on none.
    fn lacks_guard(&self, wish: &Wish) -> bool {
        let stands = |which: fn(&Wish) -> bool| {
            self.standing.iter().any(|one| which(one) && one.vpc() == wish.vpc())
        };
        match wish {
            Wish::Segment(_) => !stands(|one| matches!(one, Wish::Admission(_))),
            Wish::VirtualMac(_) => !stands(|one| matches!(one, Wish::Segment(_))),
            _ => false,
        }
    }

    /// Whether frames to an Ethernet address are taken for a VPC, beside those to the device's own.
    pub(super) fn receives(&self, mac: MacAddress) -> bool {
        self.standing.iter().any(|one| matches!(one, Wish::VirtualMac(one) if one.mac() == mac))
    }

    /// Refuses a wish from now on, or no more.
    pub(super) fn refuse(&mut self, wish: Wish, refuses: bool) {
        if refuses {
            self.refusing.insert(wish)
        } else {
            self.refusing.remove(&wish)
        };
    }

    /// Somebody takes a wish away, and with a device what stands on it; whether it was there.
    pub(super) fn take_away(&mut self, wish: &Wish) -> bool {
        if let Wish::Device { vpc, .. } = wish {
            self.standing.retain(|other| !stands_on(other, *vpc));
        }
        if let Wish::Segment(segment) = wish {
            let goes = |one: &Wish| matches!(one, Wish::VirtualMac(one) if one.vpc == segment.vpc);
            self.standing.retain(|other| !goes(other));
        }
        self.standing.remove(wish)
    }

    /// A device goes down and up again: what stood on it is gone, and nobody was told.
    pub(super) fn bounce(&mut self, vpc: VpcId) {
        self.standing.retain(|wish| !stands_on(wish, vpc));
    }

    /// All that stands.
    pub(super) fn standing(&self) -> &BTreeSet<Wish> {
        &self.standing
    }

    /// Whether an address is the host's own.
    pub(super) fn has_address(&self, vpc: VpcId, address: IpAddr) -> bool {
        self.standing.contains(&Wish::Address { vpc, address })
    }

    /// The way of a packet: the rules in their order, then the main table, which knows the VPC's
    /// own prefixes and a default route into the underlay.
    pub(super) fn way(&self, traveller: Traveller<'_>, config: &Config) -> Way {
        let netns = config.vpcs.get(&traveller.vpc).and_then(|vpc| vpc.netns.as_deref());
        let mut passed_over = 0;
        for rule in self.rules(netns, traveller.dst.is_ipv4()) {
            if rule.priority < passed_over || !concerns(rule, traveller) {
                continue;
            }
            match rule.then {
                Then::Lookup(table) => match self.lookup(table, traveller.dst) {
                    Some(Wish::Route { .. }) => return Way::Tunnel,
                    Some(Wish::Guard { .. } | Wish::Bar { .. } | Wish::Fence { .. }) => {
                        return Way::Nowhere;
                    }
                    _ => {}
                },
                Then::LookupMain { .. } if is_home(config, traveller) => return Way::Lan,
                Then::LookupMain { .. } | Then::Pass => {}
                Then::Goto(priority) => passed_over = priority,
                Then::Unreachable => return Way::Nowhere,
            }
        }
        if is_home(config, traveller) { Way::Lan } else { Way::Clear }
    }

    fn rules(&self, netns: Option<&str>, ipv4: bool) -> Vec<&Rule> {
        let rules = self.standing.iter().filter_map(|wish| match wish {
            Wish::Rule(rule) => Some(rule.as_ref()),
            _ => None,
        });
        let here = |rule: &&Rule| rule.netns.as_deref() == netns && rule.ipv4 == ipv4;
        let mut rules: Vec<&Rule> = rules.filter(here).collect();
        rules.sort_by_key(|rule| rule.priority);
        rules
    }

    /// The longest match in a table; of two the one that is no guard.
    fn lookup(&self, table: Table, dst: IpAddr) -> Option<&Wish> {
        let matching = self.standing.iter().filter_map(|wish| {
            let prefix = prefix(wish).filter(|prefix| prefix.contains(dst))?;
            (wish.table() == Some(table)).then_some((prefix.len(), wish))
        });
        let rank = |(len, wish): &(u8, &Wish)| (*len, !matches!(wish, Wish::Guard { .. }));
        matching.max_by_key(rank).map(|(_, wish)| wish)
    }

    fn lacks_device(&self, wish: &Wish) -> bool {
        let vpc = wish.vpc().filter(|vpc| stands_on(wish, *vpc));
        let is_device = |other: &Wish| matches!(other, Wish::Device { .. });
        let has = |vpc| self.standing.iter().any(|one| is_device(one) && one.vpc() == Some(vpc));
        vpc.is_some_and(|vpc| !has(vpc))
    }
}

/// A host whose underlay bears `address`, with the default route there, and with a LAN of its own
/// for every VPC.
pub(super) fn host(config: &Config, address: IpAddr) -> Host {
    let underlay = HostDevice {
        addresses: config
            .gateway
            .listen
            .iter()
            .copied()
            .filter(|one| !one.is_unspecified())
            .chain([address])
            .collect(),
        networks: Prefix::containing(address, 24).into_iter().collect(),
        is_default: true,
        routes: BTreeSet::new(),
        local: [Prefix::host(address)].into(),
        is_down: false,
    };
    let sources = Host::questions(config).remotes.into_iter().map(|remote| (remote, address));
    let mut host = Host { sources: sources.collect(), ..Host::default() };
    host.devices.insert(UNDERLAY.to_owned(), underlay);
    for vpc in config.vpcs.values() {
        let devices = match &vpc.netns {
            None => &mut host.devices,
            Some(netns) => host.elsewhere.entry(netns.clone()).or_default(),
        };
        devices.extend(vpc.interface.clone().map(|name| (name, lan(vpc, address))));
    }
    host
}

/// The interface of a VPC: it has an address in each of its prefixes.
fn lan(vpc: &VpcConfig, underlay: IpAddr) -> HostDevice {
    let addresses = vpc.prefixes.iter().map(|prefix| lan_address(prefix, underlay));
    let network =
        |address: IpAddr| Prefix::containing(address, if address.is_ipv4() { 24 } else { 64 });
    HostDevice {
        addresses: addresses.clone().collect(),
        networks: addresses.clone().filter_map(network).collect(),
        is_default: false,
        routes: BTreeSet::new(),
        local: addresses.map(Prefix::host).collect(),
        is_down: false,
    }
}

/// The address in a prefix of the gateway that has this address on the underlay.
pub(super) fn lan_address(prefix: &Prefix, underlay: IpAddr) -> IpAddr {
    let number = match underlay {
        IpAddr::V4(four) => four.octets()[3],
        IpAddr::V6(six) => six.octets()[15],
    };
    match prefix.addr() {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            [a, b, c, number].into()
        }
        IpAddr::V6(six) => {
            let mut octets = six.octets();
            octets[15] = number;
            octets.into()
        }
    }
}

fn concerns(rule: &Rule, traveller: Traveller<'_>) -> bool {
    match &rule.when {
        // No packet of a VPC is one of the tunnels themselves.
        When::Always | When::Unmarked => true,
        When::Marked | When::Translated => false,
        When::Arriving(device) => device == traveller.input,
        When::Bound(device, prefix) => device == traveller.input && prefix.contains(traveller.dst),
        When::From(prefix) => prefix.contains(traveller.src),
        When::SentFrom(prefix) => {
            let has_source = !traveller.src.is_unspecified();
            traveller.input == LOOPBACK && has_source && prefix.contains(traveller.src)
        }
        When::Complaint => traveller.input == LOOPBACK && traveller.src.is_unspecified(),
    }
}

fn is_home(config: &Config, traveller: Traveller<'_>) -> bool {
    let vpc = config.vpcs.get(&traveller.vpc);
    vpc.is_some_and(|vpc| vpc.prefixes.iter().any(|prefix| prefix.contains(traveller.dst)))
}

fn prefix(wish: &Wish) -> Option<Prefix> {
    match wish {
        Wish::Guard { prefix, .. }
        | Wish::Home { prefix, .. }
        | Wish::Route { prefix, .. }
        | Wish::Fence { prefix, .. }
        | Wish::Bar { prefix } => Some(*prefix),
        Wish::Device { .. }
        | Wish::Address { .. }
        | Wish::Rule(_)
        | Wish::Admission(_)
        | Wish::Segment(_)
        | Wish::Onward { .. }
        | Wish::VirtualMac(_)
        | Wish::Forwarding { .. }
        | Wish::Translation(_)
        | Wish::Outlet(_)
        | Wish::Exit { .. }
        | Wish::Closed { .. }
        | Wish::Public { .. }
        | Wish::Sharing(_) => None,
    }
}

/// Whether a wish is about the device of a VPC and goes with it.
fn stands_on(wish: &Wish, vpc: VpcId) -> bool {
    match wish {
        Wish::Address { vpc: of, .. } | Wish::Route { vpc: of, .. } => *of == vpc,
        Wish::Device { .. }
        | Wish::Guard { .. }
        | Wish::Home { .. }
        | Wish::Bar { .. }
        | Wish::Fence { .. }
        | Wish::Rule(_)
        | Wish::Admission(_)
        | Wish::Segment(_)
        | Wish::Onward { .. }
        | Wish::VirtualMac(_)
        | Wish::Forwarding { .. }
        | Wish::Translation(_)
        | Wish::Outlet(_)
        | Wish::Exit { .. }
        | Wish::Closed { .. }
        | Wish::Public { .. }
        | Wish::Sharing(_) => false,
    }
}

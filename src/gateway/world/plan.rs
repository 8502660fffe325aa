//! From the configuration to wishes: the devices, addresses and guards of all VPCs, and the
//! policy rules that packets of a VPC cannot get around. Learned routes are not among them.

use super::host::Host;
use super::tables::{ARRIVING, DEFAULTS, END, HOST, INWARD, MARKED, NOWHERE, PREFIXES};
use super::wish::{Rule, Table, Then, When, Wish};
use crate::config::{Config, Outline, Routing, VpcConfig, VpcOutline, derive_device_address};
use crate::gateway::snapshot::device_mtu;
use crate::net::{Prefix, VpcId};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What the gateway knows of its host's side of the underlay.
#[derive(Clone, Copy, Debug)]
pub struct Underlay<'h> {
    /// The host.
    pub host: &'h Host,
    /// The addresses on which IKE and ESP are received.
    pub listening: &'h [IpAddr],
}

/// Everything that the configuration wants from the host.
pub fn configured(config: &Config, underlay: Underlay<'_>) -> BTreeSet<Wish> {
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
    }
    for peer in config.peers.values() {
        if let Routing::Bgp(bgp) = &peer.routing {
            let vpc = peer.vpc;
            wishes.insert(Wish::Address { vpc, address: bgp.inside_local });
            wishes.insert(Wish::Route { vpc, prefix: Prefix::host(bgp.inside_remote) });
        }
    }
    wishes
}

/// What keeps packets of the VPCs from leaving or coming in in the clear. It needs no device, no
/// key and no network yet: what is known of the host only adds to it.
pub fn guards(outline: &Outline, host: &Host, listening: &[IpAddr]) -> BTreeSet<Wish> {
    let mut wishes = BTreeSet::new();
    let underlay = Underlay { host, listening };
    for (&vpc, settings) in &outline.vpcs {
        wishes.extend(settings.behind().map(|prefix| Wish::Guard { vpc, prefix }));
        let policy = Policy { vpc, settings, underlay };
        wishes.extend(policy.rules());
        wishes.extend(policy.homes());
        wishes.extend(policy.bars());
    }
    wishes.extend(host_rules(outline, underlay));
    wishes
}

/// Whether a VPC has default routes behind its peers, in one family.
fn has_default(vpc: &VpcOutline, ipv4: bool) -> bool {
    vpc.behind().any(|prefix| prefix.len() == 0 && prefix.is_ipv4() == ipv4)
}

/// The rules that serve the gateway itself, in the namespace of the underlay.
fn host_rules(outline: &Outline, underlay: Underlay<'_>) -> Vec<Wish> {
    let vpcs: Vec<&VpcOutline> = outline.vpcs.values().filter(|vpc| vpc.netns.is_none()).collect();
    let rule =
        |ipv4, priority, when, then| Wish::Rule(Rule { netns: None, ipv4, priority, when, then });
    let mut rules = Vec::new();
    for ipv4 in [true, false].into_iter().filter(|_| !vpcs.is_empty()) {
        rules.push(rule(ipv4, MARKED, When::Marked, Then::Goto(END)));
        rules.push(rule(ipv4, END, When::Always, Then::Pass));
        if vpcs.iter().any(|vpc| has_default(vpc, ipv4)) {
            let ours = underlay
                .listening
                .iter()
                .filter(|address| address.is_ipv4() == ipv4 && !address.is_unspecified());
            let sent = |address: &IpAddr| When::SentFrom(*address);
            rules.extend(ours.map(|address| rule(ipv4, HOST, sent(address), Then::Goto(END))));
        }
    }
    if vpcs.iter().any(|vpc| is_barred(vpc, underlay)) {
        let lans: BTreeSet<&str> =
            outline.vpcs.values().filter_map(|vpc| vpc.interface.as_deref()).collect();
        let devices = underlay.host.bearing(underlay.listening).map(|(name, _)| name);
        for device in devices.filter(|name| !lans.contains(name)) {
            let arriving = || When::Arriving(device.to_owned());
            let then = Then::Lookup(Table::Ingress);
            rules.extend([true, false].map(|ipv4| rule(ipv4, ARRIVING, arriving(), then)));
        }
    }
    rules
}

/// Whether hosts of the VPC come in by another device than the underlay's, so that what comes in
/// by the underlay's is not theirs (RFC 4301 §5.2, step 4). A gateway with one device for both
/// cannot tell, and in a namespace of its own there is no underlay.
fn is_barred(vpc: &VpcOutline, underlay: Underlay<'_>) -> bool {
    let mut devices = underlay.host.bearing(underlay.listening);
    let interface = vpc.interface.as_deref().filter(|_| vpc.netns.is_none());
    interface.is_some_and(|interface| devices.all(|(name, _)| name != interface))
}

/// What is ruled for the packets of one VPC.
struct Policy<'c> {
    vpc: VpcId,
    settings: &'c VpcOutline,
    underlay: Underlay<'c>,
}

impl Policy<'_> {
    fn rules(&self) -> Vec<Wish> {
        let mut rules = Vec::new();
        for ipv4 in [true, false] {
            let prefixes = Then::Lookup(Table::Vpc(self.vpc));
            rules.push(self.rule(ipv4, PREFIXES, When::Always, prefixes));
            if has_default(self.settings, ipv4) {
                let defaults = Then::Lookup(Table::Default(self.vpc));
                let packets = self.packets(ipv4);
                rules.extend(packets.map(|when| self.rule(ipv4, DEFAULTS, when, defaults)));
            }
            if self.loses_itself() {
                let out = || When::Arriving(self.settings.tun.clone());
                rules.push(self.rule(ipv4, INWARD, out(), Then::LookupMainButDefault));
                rules.push(self.rule(ipv4, NOWHERE, out(), Then::Unreachable));
            }
        }
        rules
    }

    /// How packets of the VPC are known: by the device that they come in by, or by their source.
    fn packets(&self, ipv4: bool) -> impl Iterator<Item = When> {
        let devices = [Some(&self.settings.tun), self.settings.interface.as_ref()];
        let sources = self.settings.prefixes.iter().filter(move |p| p.is_ipv4() == ipv4);
        let devices = devices.into_iter().flatten().cloned().map(When::Arriving);
        devices.chain(sources.copied().map(When::From))
    }

    /// Whether what comes out of a tunnel could leave again by the underlay when the way to the
    /// VPC's hosts is gone: the host's default route leads there.
    fn loses_itself(&self) -> bool {
        let mut underlay = self.underlay.host.bearing(self.underlay.listening);
        is_barred(self.settings, self.underlay) && underlay.any(|(_, device)| device.is_default)
    }

    /// Where the VPC has default routes through tunnels, its own prefixes are not for them.
    fn homes(&self) -> impl Iterator<Item = Wish> {
        let drawn = |prefix: &&Prefix| has_default(self.settings, prefix.is_ipv4());
        let homes = self.settings.prefixes.iter().filter(drawn);
        homes.map(|&prefix| Wish::Home { vpc: self.vpc, prefix })
    }

    fn bars(&self) -> Vec<Wish> {
        if !is_barred(self.settings, self.underlay) {
            return Vec::new();
        }
        let barred = self.settings.prefixes.iter().chain(&self.settings.accept);
        barred.map(|&prefix| Wish::Bar { prefix }).collect()
    }

    fn rule(&self, ipv4: bool, priority: u32, when: When, then: Then) -> Wish {
        let netns = self.settings.netns.clone();
        Wish::Rule(Rule { netns, ipv4, priority, when, then })
    }
}

/// Whether there is something to bar and no way to tell the underlay's devices: the gateway
/// listens on every address.
pub fn is_blind(config: &Config, listening: &[IpAddr]) -> bool {
    let guarded = |vpc: &VpcConfig| vpc.netns.is_none() && vpc.interface.is_some();
    config.vpcs.values().any(guarded) && listening.iter().any(IpAddr::is_unspecified)
}

#[cfg(test)]
mod tests;

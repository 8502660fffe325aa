//! What translates the public addresses of a VPC, as a table of the packet filter in the VPC's namespace:
//! ours alone, and always replaced as a whole. Counters go on where they were, and connections with their
//! ports live in the kernel's table of connections, which this does not touch.
//!
//! ```text
//!  from the outlet ─ not from a source of ours ─► dnat ─ translated, or an answer ──────► hosts
//!  from hosts ───── hairpin: dnat, snat ────────────────────────────────────────────────► hosts
//!             └──── answers, whole addresses, egress: marked ─► [Exit] ─► snat ─ public? ► outlet
//! ```
//!
//! A mapping is the same at every gateway and in both directions, so a connection through it needs nothing
//! of what another gateway knew: its next packet, from either side, begins it again in the middle
//! (`nf_conntrack_tcp_loose`).

use super::words::TRANSLATED;
use crate::gateway::world::{Mapping, NatCounters, Ports, Source, Translation};
use crate::net::VpcId;
use crate::os::{nft, sysctl};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write};
use std::net::Ipv4Addr;

/// Our table, of the family `ip`.
const TABLE: &str = "vpngw-nat";
/// So many VPCs are counted at once.
const TURN: usize = 8;
/// How many connections a namespace knows.
const OPEN: &str = "net.netfilter.nf_conntrack_count";
/// What a gateway has not seen the beginning of, it believes, whatever the window was.
const LIBERAL: &str = "net.netfilter.nf_conntrack_tcp_be_liberal";

/// The tables that stand, as far as we know.
#[derive(Debug, Default)]
pub(super) struct Translations {
    standing: BTreeMap<VpcId, Translation>,
    counted: Option<VpcId>,
}

impl Translations {
    /// Whether what translates in a VPC stands.
    pub(super) fn stands(&self, vpc: VpcId) -> bool {
        self.standing.contains_key(&vpc)
    }

    /// Whether just this one stands.
    pub(super) fn is_standing(&self, translation: &Translation) -> bool {
        self.standing.get(&translation.vpc) == Some(translation)
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    /// Somebody took a table away.
    pub(super) fn forget(&mut self, vpc: VpcId) {
        self.standing.remove(&vpc);
    }

    /// Those whose turn it is to be counted.
    pub(super) fn next_to_count(&mut self) -> Vec<Translation> {
        let rest = self.standing.range(self.counted.map_or(VpcId(0), |vpc| VpcId(vpc.0 + 1))..);
        let turn: Vec<Translation> = rest.take(TURN).map(|(_, one)| one.clone()).collect();
        self.counted = turn.last().map(|one| one.vpc).filter(|_| turn.len() == TURN);
        turn
    }

    /// Puts a table in the place of the one of its VPC, or takes it away.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, or `nft` is not installed; then nothing has changed.
    pub(super) fn change(&mut self, translation: Translation, wanted: bool) -> Result<()> {
        let netns = translation.netns.as_deref();
        if !wanted {
            self.standing.remove(&translation.vpc);
            return clear(netns);
        }
        let before = self.standing.get(&translation.vpc);
        let counted = before.and_then(|before| count(before).ok().flatten());
        let counted = counted.filter(|_| before.is_some_and(|one| one.counts_as(&translation)));
        nft::run(netns, &script(&translation, &counted.unwrap_or_default()))?;
        // Connections are picked up in their midst; what this kernel cannot be told it does not do.
        let _ = sysctl::write(netns, LIBERAL, "1");
        self.standing.insert(translation.vpc, translation);
        Ok(())
    }
}

/// Takes away what stands in a namespace.
///
/// # Errors
///
/// When the kernel refuses.
pub(super) fn clear(netns: Option<&str>) -> Result<()> {
    if !nft::is_installed() {
        return Ok(());
    }
    nft::run(netns, &format!("add table ip {TABLE}\ndelete table ip {TABLE}\n"))
}

/// What was counted so far; `None` when the table is not there, or not as we have made it.
///
/// # Errors
///
/// When `nft` cannot be asked.
pub(super) fn count(translation: &Translation) -> Result<Option<NatCounters>> {
    let netns = translation.netns.as_deref();
    let Some(json) = nft::table(netns, "ip", TABLE)? else { return Ok(None) };
    let listing = nft::Listing::read(&json)?;
    if listing.rules != rule_count(translation) {
        return Ok(None);
    }
    let counter = |name: &str| listing.counter(name);
    let numbered = |what: &str, length: usize| {
        (0..length).map(|index| counter(&format!("{what}-{index}"))).collect()
    };
    Ok(Some(NatCounters {
        mappings: numbered("mapping", translation.mappings.len()),
        sources: numbered("source", translation.sources.len()),
        open: sysctl::read(netns, OPEN).ok().and_then(|text| text.parse().ok()).unwrap_or_default(),
        refused: counter("refused"),
        spoofed: counter("spoofed"),
        lost: counter("lost"),
        untranslated: counter("untranslated"),
    }))
}

/// How many rules [`script`] makes.
fn rule_count(translation: &Translation) -> usize {
    rules(translation).values().map(Vec::len).sum()
}

/// The script that puts this table in the place of whatever there was.
fn script(translation: &Translation, counted: &NatCounters) -> String {
    let mut script =
        format!("add table ip {TABLE}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n");
    let singles = [
        ("refused", counted.refused),
        ("spoofed", counted.spoofed),
        ("lost", counted.lost),
        ("untranslated", counted.untranslated),
    ];
    for (name, packets) in singles {
        script += &nft::counter(name, packets);
    }
    let before = |all: &[u64], index: usize| all.get(index).copied().unwrap_or_default();
    for index in 0..translation.mappings.len() {
        script += &nft::counter(&format!("mapping-{index}"), before(&counted.mappings, index));
    }
    for index in 0..translation.sources.len() {
        script += &nft::counter(&format!("source-{index}"), before(&counted.sources, index));
    }
    sets(&mut script, translation);
    for ((chain, hook), rules) in rules(translation) {
        let _ = write!(script, "chain {chain} {{\n{hook}; policy accept;\n");
        for rule in rules {
            let _ = writeln!(script, "{rule}");
        }
        script += "}\n";
    }
    script += "}\n";
    script
}

/// The sets that rules refer to.
fn sets(script: &mut String, translation: &Translation) {
    let addresses = listed(translation.addresses());
    set(script, "addresses", "type ipv4_addr;", &addresses);
    set(script, "own", "type ipv4_addr; flags interval; auto-merge;", &listed(&translation.own));
    let inside = listed(translation.inside());
    set(script, "inside", "type ipv4_addr; flags interval; auto-merge;", &inside);
    let whole = translation.mappings.iter().filter(|one| one.ports.is_none());
    let whole = listed(whole.map(|one| one.to));
    set(script, "whole", "type ipv4_addr;", &whole);
    let services = translation.mappings.iter().filter_map(|one| Some((one.to, one.ports?)));
    let services =
        services.map(|(to, ports)| format!("{} . {to} . {}", ports.protocol, range(inner(&ports))));
    let services = listed(services.collect::<BTreeSet<_>>());
    let kind = "type inet_proto . ipv4_addr . inet_service; flags interval;";
    set(script, "services", kind, &services);
}

fn set(script: &mut String, name: &str, kind: &str, elements: &str) {
    let elements = match elements.is_empty() {
        true => String::new(),
        false => format!(" elements = {{ {elements} }};"),
    };
    let _ = writeln!(script, "set {name} {{ {kind}{elements} }}");
}

fn listed<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

type Chains = BTreeMap<(&'static str, &'static str), Vec<String>>;

/// All rules, by chain.
fn rules(translation: &Translation) -> Chains {
    let outlet = &translation.outlet;
    Chains::from([
        (
            ("arriving", "type filter hook prerouting priority -150"),
            vec![
                format!("iifname \"{outlet}\" ip saddr @inside counter name \"spoofed\" drop"),
                format!(
                    "iifname \"{outlet}\" ip daddr != @addresses counter name \"refused\" drop"
                ),
            ],
        ),
        (("destinations", "type nat hook prerouting priority -100"), destinations(translation)),
        (("permitted", "type filter hook prerouting priority -90"), permitted(translation)),
        (("passing", "type filter hook forward priority 0"), passing(outlet)),
        (("sources", "type nat hook postrouting priority 100"), sources(translation)),
        (
            ("leaving", "type filter hook postrouting priority 110"),
            vec![format!(
                "oifname \"{outlet}\" ip saddr != @addresses counter name \"untranslated\" drop"
            )],
        ),
    ])
}

fn destinations(translation: &Translation) -> Vec<String> {
    let mut rules = vec![format!("iifname \"{}\" return", translation.tun)];
    rules.extend(translation.mappings.iter().enumerate().map(|(index, mapping)| {
        let Mapping { address, ports, to } = mapping;
        let counter = format!("counter name \"mapping-{index}\"");
        match ports {
            None => format!("ip daddr {address} {counter} dnat to {to}"),
            Some(ports) => {
                let (name, at) = (ports.protocol, range((ports.first, ports.last)));
                let to_port = ports.to.map(|port| format!(":{port}")).unwrap_or_default();
                format!("ip daddr {address} {name} dport {at} {counter} dnat to {to}{to_port}")
            }
        }
    }));
    rules
}

/// What may go on, and what is marked, because it will be translated when it leaves.
fn permitted(translation: &Translation) -> Vec<String> {
    let (outlet, tun) = (&translation.outlet, &translation.tun);
    let mark = format!("meta mark set {TRANSLATED} return");
    let mut rules = vec![
        format!("iifname \"{outlet}\" ct status dnat return"),
        format!("iifname \"{outlet}\" ct direction reply return"),
        format!("iifname \"{outlet}\" ct state related return"),
        format!("iifname \"{outlet}\" counter name \"refused\" drop"),
        format!("iifname \"{tun}\" return"),
        "ip daddr @inside return".to_owned(),
        // Services of the underlay's links, and of clouds to the gateway itself (RFC 3927 §7).
        "ip daddr 169.254.0.0/16 return".to_owned(),
        "fib daddr type != unicast return".to_owned(),
        format!("ct direction reply ct status dnat {mark}"),
        format!("ip saddr @whole {mark}"),
        format!("meta l4proto . ip saddr . th sport @services {mark}"),
    ];
    let egress = translation.sources.iter().map(|source| format!("{} {mark}", speaking(source)));
    rules.extend(egress);
    rules
}

/// Packets of hosts that speak from a public address: of protocols in which a port, or what stands for one,
/// tells connections apart.
fn speaking(source: &Source) -> String {
    format!("ip saddr {{ {} }} meta l4proto {{ icmp, tcp, udp }}", listed(&source.from))
}

fn passing(outlet: &str) -> Vec<String> {
    let syn = "tcp flags & (fin|syn|rst|ack) != syn";
    let stranger = "ip saddr != @whole meta l4proto . ip saddr . th sport != @services";
    vec![
        format!("oifname \"{outlet}\" tcp flags syn tcp option maxseg size set rt mtu"),
        format!("iifname \"{outlet}\" tcp flags syn tcp option maxseg size set rt mtu"),
        // From another port the other end would reset it: better this one, at once.
        format!(
            "oifname \"{outlet}\" {syn} ct state new {stranger} counter name \"lost\" \
             reject with tcp reset"
        ),
    ]
}

fn sources(translation: &Translation) -> Vec<String> {
    let outlet = format!("oifname \"{}\"", translation.outlet);
    let mappings = &translation.mappings;
    let mut rules: Vec<String> = mappings
        .iter()
        .filter_map(|one| {
            let ports = one.ports?;
            let (name, at) = (ports.protocol, range(inner(&ports)));
            let here = format!("{outlet} ip saddr {} {name} sport {at}", one.to);
            let as_before = match ports.to {
                Some(_) => format!("snat to {}:{}", one.address, ports.first),
                None => format!("snat to {}", one.address),
            };
            // Which of several public ports the other end knows only its own packets say.
            let verdict = if is_alone(one, mappings) { as_before } else { "drop".to_owned() };
            Some(format!("{here} {verdict}"))
        })
        .collect();
    let whole = mappings.iter().filter(|one| one.ports.is_none());
    let whole: Vec<String> = whole.map(|one| format!("{} : {}", one.to, one.address)).collect();
    let hairpin = "ct status dnat ip saddr @own";
    if !whole.is_empty() {
        let map = format!("snat to ip saddr map {{ {} }}", whole.join(", "));
        rules.extend([format!("{outlet} {map}"), format!("{hairpin} {map}")]);
    }
    rules.extend(translation.sources.iter().enumerate().map(|(index, source)| {
        let Source { address, first, last, .. } = source;
        let from = speaking(source);
        format!("{outlet} {from} counter name \"source-{index}\" snat to {address}:{first}-{last}")
    }));
    let addresses: BTreeSet<Ipv4Addr> = mappings.iter().map(|one| one.address).collect();
    let back = |address| format!("{hairpin} ct original ip daddr {address} snat to {address}");
    rules.extend(addresses.into_iter().map(back));
    rules
}

/// Whether nothing else is translated to the same port of the same host.
fn is_alone(one: &Mapping, all: &[Mapping]) -> bool {
    let clashes = |other: &&Mapping| {
        let (Some(ports), Some(theirs)) = (&one.ports, &other.ports) else { return false };
        let ((first, last), (begin, end)) = (inner(ports), inner(theirs));
        (one.to, ports.protocol) == (other.to, theirs.protocol) && first <= end && begin <= last
    };
    all.iter().filter(clashes).count() == 1
}

/// The ports at the host.
fn inner(ports: &Ports) -> (u16, u16) {
    ports.to.map_or((ports.first, ports.last), |port| (port, port))
}

fn range((first, last): (u16, u16)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

impl Translation {
    /// Whether counters of one are counters of the other.
    fn counts_as(&self, other: &Translation) -> bool {
        (&self.mappings, &self.sources) == (&other.mappings, &other.sources)
    }
}

#[cfg(test)]
mod tests;

//! Whether the files of two gateways agree with each other: what each says of the other, and what
//! they share. Every contradiction is a tunnel that does not come up, or traffic that does not pass.

mod carrier;
mod later;
mod mappings;
mod papers;
mod publics;
mod routes;
mod segments;

use super::{BgpConfig, Config, Credentials, PeerConfig, Routing, VpcConfig, VrrpConfig};
use crate::net::Prefix;
use routes::{learned, roles};
use std::fmt::Display;
use std::net::IpAddr;

/// Something on which two files do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What both say.
    pub message: String,
    /// What to write instead, and where.
    pub help: String,
}

/// One side of a comparison: its configuration, and its view of the other.
#[derive(Clone, Copy)]
struct Side<'c> {
    config: &'c Config,
    peer: &'c PeerConfig,
}

impl<'c> Side<'c> {
    fn name(&self) -> &'c str {
        &self.config.gateway.name
    }

    fn vpc(&self) -> Option<&'c VpcConfig> {
        self.config.vpcs.get(&self.peer.vpc)
    }

    /// Its prefixes as the other side knows them.
    fn known(&self) -> Vec<Prefix> {
        let own = self.vpc().map_or(&[][..], |vpc| &vpc.prefixes);
        self.peer.as_known(own).collect()
    }

    /// Whether it has the prefix itself.
    fn has(&self, prefix: &Prefix) -> bool {
        self.vpc().is_some_and(|vpc| vpc.prefixes.contains(prefix))
    }

    fn vpc_name(&self) -> &'c str {
        self.vpc().map_or("", |vpc| &vpc.name)
    }
}

/// What two files do not agree on; empty when they do, or have nothing to do with each other.
pub fn compare(one: &Config, other: &Config) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let (here, there) = (sections(one, other), sections(other, one));
    match (here.is_empty(), there.is_empty()) {
        (true, true) => {}
        (false, true) => found.push(unanswered(one, other)),
        (true, false) => found.push(unanswered(other, one)),
        (false, false) => {
            if let (Some(here), Some(there)) = (here.first(), there.first()) {
                connection(*here, *there, &mut found);
                namesakes(*here, *there, &mut found);
                connection_one_way(*here, *there, &mut found);
                connection_one_way(*there, *here, &mut found);
            }
            tunnels(&here, &there, &mut found);
            tunnels(&there, &here, &mut found);
            found.dedup();
        }
    }
    virtual_routers(one, other, &mut found);
    segments::compare(one, other, &mut found);
    mappings::compare(one, other, &mut found);
    publics::compare(one, other, &mut found);
    found
}

/// Whether one of two gateways has a section about the other.
pub fn know_each_other(one: &Config, other: &Config) -> bool {
    !sections(one, other).is_empty() || !sections(other, one).is_empty()
}

/// The tunnels of `config` that are meant for `other`: by its name, its identity, or its address.
fn sections<'c>(config: &'c Config, other: &Config) -> Vec<Side<'c>> {
    let them = &other.gateway;
    let is_meant = |peer: &&PeerConfig| {
        let by_name = peer.gateway == them.name;
        let by_identity = peer.remote_identity == them.identity;
        let by_address = peer.places().any(|address| them.listen.contains(&address));
        by_name || by_identity || by_address
    };
    config.peers.values().filter(is_meant).map(|peer| Side { config, peer }).collect()
}

fn unanswered(knows: &Config, silent: &Config) -> Contradiction {
    let (knows, silent) = (&knows.gateway.name, &silent.gateway.name);
    Contradiction {
        message: format!("{knows} has a [[peer]] for {silent}, which has none for {knows}"),
        help: format!("add [[peer]] with name = {knows:?} to the file of {silent}"),
    }
}

/// What both ends have together.
fn connection(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    credentials(one, other, found);
    suites("ike_suites", (one, &one.peer.ike_suites), (other, &other.peer.ike_suites), found);
    later::post_quantum(one, other, found);
    later::post_quantum(other, one, found);
    later::ppk(one, other, found);
    carrier::carrier(one, other, found);
    carrier::carrier(other, one, found);
    carrier::measured(one, other, found);
    carrier::measured(other, one, found);
    let waits = |side: &Side<'_>| !side.peer.initiate || !side.peer.is_placed();
    if waits(&one) && waits(&other) {
        found.push(Contradiction {
            message: format!(
                "neither {} nor {} begins: both wait for the other",
                one.name(),
                other.name()
            ),
            help: "leave `initiate` out at one side, and write its peer's `remote_address`"
                .to_owned(),
        });
    }
}

/// Nobody can tell two gateways apart that say they are the same.
fn namesakes(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    if one.peer.local_identity == other.peer.local_identity {
        let (a, b, identity) = (one.name(), other.name(), &one.peer.local_identity);
        found.push(Contradiction {
            message: format!("{a} and {b} both say that they are {:?}", identity.to_string()),
            help: "give each gateway an `identity` of its own".to_owned(),
        });
    }
}

fn credentials(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    let (here, there) = (kind(&one.peer.credentials), kind(&other.peer.credentials));
    if here != there {
        return found.push(Contradiction {
            message: format!("{a} proves itself by {here}, and {b} by {there}"),
            help: "write the same of `psk_file`, `public_key_file` and certificates on both sides"
                .to_owned(),
        });
    }
    if let (Credentials::Psk(here), Credentials::Psk(there)) =
        (&one.peer.credentials, &other.peer.credentials)
        && here != there
    {
        found.push(Contradiction {
            message: format!("the secrets of {a} and {b} differ"),
            help: "give both the same file as `psk_file`".to_owned(),
        });
    }
}

fn kind(credentials: &Credentials) -> &'static str {
    match credentials {
        Credentials::Psk(_) => "a secret",
        Credentials::PublicKey { .. } => "a public key",
        Credentials::Certificate { .. } => "a certificate",
    }
}

/// What `one` says of `other`, against what that says of itself.
fn connection_one_way(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    if one.peer.remote_identity != other.peer.local_identity {
        let (wanted, is) = (&one.peer.remote_identity, &other.peer.local_identity);
        found.push(Contradiction {
            message: format!(
                "{a} expects {b} to be {:?}, and it is {:?}",
                wanted.to_string(),
                is.to_string()
            ),
            help: format!("write remote_identity = \"{is}\" at {a}"),
        });
    }
    if let (Credentials::PublicKey { peer, .. }, Credentials::PublicKey { own, .. }) =
        (&one.peer.credentials, &other.peer.credentials)
        && *peer != own.verifying_key()
    {
        found.push(Contradiction {
            message: format!(
                "the public key that {a} has of {b} does not belong to the private key of {b}"
            ),
            help: format!("give {a} what `vpnctl pubkey` prints of the private key of {b}"),
        });
    }
    papers::papers(one, other, found);
    let only = other.peer.local_address;
    let elsewhere = one.peer.places().find(|address| only.is_some_and(|only| *address != only));
    if let (Some(address), Some(only)) = (elsewhere, only) {
        found.push(Contradiction {
            message: format!(
                "{a} reaches {b} at {address}, and {b} speaks with {a} from {only} alone"
            ),
            help: format!("write remote_address = \"{only}\" at {a}, or `local_address` at {b}"),
        });
    }
    let them = &other.config.gateway;
    let hears = |address: IpAddr| {
        let every = |on: &IpAddr| on.is_unspecified() && on.is_ipv4() == address.is_ipv4();
        them.listen.iter().any(|on| *on == address || every(on))
    };
    for address in one.peer.places().filter(|address| !hears(*address)) {
        found.push(Contradiction {
            message: format!("{a} reaches {b} at {address}, where it does not listen"),
            help: format!(
                "write one of {} as `remote_address` at {a}, if no NAT is between them",
                listed(&them.listen)
            ),
        });
    }
    let port = one.peer.remote_port;
    if one.peer.is_placed() && ![them.ike_port, them.natt_port].contains(&port) {
        found.push(Contradiction {
            message: format!(
                "{a} speaks to port {port} of {b}, which listens on {} and {}",
                them.ike_port, them.natt_port
            ),
            help: format!("write remote_port = {} at {a}", them.ike_port),
        });
    }
}

/// The tunnels of `here` with their counterparts.
fn tunnels(here: &[Side<'_>], there: &[Side<'_>], found: &mut Vec<Contradiction>) {
    for &one in here {
        let vpc = one.vpc_name();
        match there.iter().find(|other| other.vpc_name() == vpc) {
            Some(&other) => tunnel(one, other, found),
            None => {
                let (a, b) = (one.name(), there.first().map_or("", Side::name));
                let names: Vec<&str> = there.iter().map(Side::vpc_name).collect();
                found.push(Contradiction {
                    message: format!(
                        "{a} has VPC {vpc:?} with {b}, which has {} with it",
                        names.join(", ")
                    ),
                    help: "VPCs that are connected have the same name on both sides".to_owned(),
                });
            }
        }
    }
}

/// What `one` says of a tunnel, against what `other` does. Both orders are asked.
fn tunnel(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b, vpc) = (one.name(), other.name(), one.vpc_name());
    if a < b {
        suites("esp_suites", (one, &one.peer.esp_suites), (other, &other.peer.esp_suites), found);
    }
    if one.peer.aggfrag && !other.peer.aggfrag {
        found.push(Contradiction {
            message: format!(
                "{a} has `aggfrag` with {b} in VPC {vpc}, which has not: neither does so"
            ),
            help: "write `aggfrag = true` on both sides, or on neither".to_owned(),
        });
    }
    match (&one.peer.routing, &other.peer.routing) {
        (Routing::Bgp(here), Routing::Bgp(there)) => {
            bgp(one, other, here, found);
            if a < b {
                roles((a, here), (b, there), found);
            }
        }
        (Routing::Bgp(_), Routing::Static { .. }) => found.push(Contradiction {
            message: format!("{a} speaks BGP with {b} in VPC {vpc}, which has static routes"),
            help: "write `remote_asn` on both sides, or `static_routes` on both".to_owned(),
        }),
        (Routing::Static { prefixes, .. }, _) => {
            let theirs = &other.known();
            let transit = other.vpc().is_some_and(|vpc| vpc.transit);
            let is_there = |route: &&Prefix| theirs.iter().any(|own| own.overlaps(route));
            for route in prefixes.iter().filter(|route| !transit && !is_there(route)) {
                found.push(Contradiction {
                    message: format!(
                        "{a} routes {route} to {b}, whose VPC {vpc} has {}",
                        listed(theirs)
                    ),
                    help: format!("correct `static_routes` at {a}, or `prefixes` at {b}"),
                });
            }
        }
    }
    inside(one, other, found);
    prefixes(one, other, found);
    learned(one, other, found);
    selectors(one, other, found);
}

fn bgp(one: Side<'_>, other: Side<'_>, here: &BgpConfig, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    let announced = other.vpc().map_or(0, |vpc| vpc.prefixes.len());
    let most = here.max_prefixes;
    if usize::try_from(most).is_ok_and(|most| announced > most) {
        found.push(Contradiction {
            message: format!("{a} takes {most} prefixes of {b}, which announces {announced}"),
            help: format!("write a greater `max_prefixes` at {a}"),
        });
    }
    if let Some(asn) = other.config.gateway.asn.filter(|asn| *asn != here.remote_asn) {
        let wanted = here.remote_asn;
        found.push(Contradiction {
            message: format!("{a} expects AS{wanted} of {b}, which is AS{asn}"),
            help: format!("write remote_asn = {asn} at {a}"),
        });
    }
}

/// The addresses inside the tunnel mirror each other.
fn inside(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    let both = one.peer.routing.inside().zip(other.peer.routing.inside());
    let Some((here, there)) = both.filter(|(here, there)| here.local != there.remote) else {
        return;
    };
    found.push(Contradiction {
        message: format!("{a} is {} inside the tunnel, and {b} expects {}", here.local, there.remote),
        help: "`inside_local` of one side is `inside_remote` of the other; left out on both sides, they \
               follow from identities and the VPC's name"
            .to_owned(),
    });
}

/// What `other` has and would announce or send from, against what `one` accepts.
fn prefixes(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    let Some(ours) = one.vpc() else { return };
    for prefix in &other.known() {
        let same = ours.prefixes.iter().find(|own| own.overlaps(prefix));
        // Where neither is known by another name, both sides see the same.
        let is_told = |own: &&Prefix| a > b && one.known().contains(own) && other.has(prefix);
        if let Some(own) = same.filter(|own| !is_told(own)) {
            found.push(Contradiction {
                message: format!("{own} of {a} and {prefix} of {b} overlap"),
                help: format!(
                    "a prefix is on one side of a tunnel: narrow one of the two, or have {b} known by another ([[vpc.map]] there)"
                ),
            });
        }
        if !one.peer.accept.iter().any(|accepted| accepted.covers(prefix)) {
            found.push(Contradiction {
                message: format!(
                    "{a} does not accept {prefix} of {b}, only {}",
                    listed(&one.peer.accept)
                ),
                help: format!("add \"{prefix}\" to `accept` of {} at {a}", one.peer.name),
            });
        }
    }
}

/// The traffic of `one`'s side that both permit.
fn selectors(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    let (here, there) = (&one.peer.local_ts, &other.peer.remote_ts);
    let own = one.known();
    let within =
        |selectors: &[Prefix], prefix: &Prefix| selectors.iter().any(|ts| ts.overlaps(prefix));
    let traffic: Vec<Prefix> = own.iter().filter(|own| within(here, own)).copied().collect();
    if !traffic.iter().any(|prefix| within(there, prefix)) {
        let traffic = if traffic.is_empty() { listed(here) } else { listed(&traffic) };
        found.push(Contradiction {
            message: format!("{a} has traffic of {traffic} for the tunnel, and {b} takes {}", listed(there)),
            help: "`local_ts` of one side and `remote_ts` of the other, or what they follow from, must \
                   overlap"
                .to_owned(),
        });
    }
}

/// Gateways of one region share virtual routers: the same addresses and pace, and not one rank.
fn virtual_routers(one: &Config, other: &Config, found: &mut Vec<Contradiction>) {
    let (a, b) = (&one.gateway.name, &other.gateway.name);
    for here in one.vpcs.values() {
        for there in other.vpcs.values().filter(|there| there.name == here.name) {
            found.extend(other_vrid(here, there).map(|(address, ours, theirs)| Contradiction {
                message: format!(
                    "{a} has {address} under VRID {ours}, and {b} under VRID {theirs}"
                ),
                help: "a virtual router has the same `vrid` on all its gateways".to_owned(),
            }));
            for (ours, theirs) in shared(here, there) {
                let vrid = ours.vrid;
                if (&ours.ipv4, &ours.ipv6) != (&theirs.ipv4, &theirs.ipv6) {
                    found.push(Contradiction {
                        message: format!(
                            "{a} and {b} have other addresses for VRID {vrid} of VPC {}",
                            here.name
                        ),
                        help: "`addresses` of a virtual router are the same on all its gateways"
                            .to_owned(),
                    });
                }
                if ours.interval_centiseconds != theirs.interval_centiseconds {
                    found.push(Contradiction {
                        message: format!("{a} and {b} advertise VRID {vrid} at another interval"),
                        help: "write the same `interval` on both".to_owned(),
                    });
                }
                if ours.priority == theirs.priority {
                    found.push(Contradiction {
                        message: format!("{a} and {b} have the same priority for VRID {vrid}"),
                        help: "give the one that is to answer a higher `priority`".to_owned(),
                    });
                }
            }
        }
    }
}

/// The virtual routers that two gateways have in common: same VRID, on a link with common prefixes.
fn shared<'c>(
    here: &'c VpcConfig,
    there: &'c VpcConfig,
) -> impl Iterator<Item = (&'c VrrpConfig, &'c VrrpConfig)> {
    let same_place = here.prefixes.iter().any(|own| there.prefixes.contains(own));
    let pairs =
        here.vrrp.iter().flat_map(|ours| there.vrrp.iter().map(move |theirs| (ours, theirs)));
    pairs.filter(move |(ours, theirs)| same_place && ours.vrid == theirs.vrid)
}

/// An address that both have, each under another VRID: both would answer for it.
fn other_vrid(here: &VpcConfig, there: &VpcConfig) -> Option<(IpAddr, u8, u8)> {
    if !here.prefixes.iter().any(|own| there.prefixes.contains(own)) {
        return None;
    }
    let addresses = |router: &VrrpConfig| {
        // Every virtual router may have the same link-local address.
        let v6 = router.ipv6.iter().filter(|address| !address.is_unicast_link_local());
        let v4 = router.ipv4.iter().copied().map(IpAddr::from);
        v4.chain(v6.copied().map(IpAddr::from)).collect::<Vec<_>>()
    };
    let has = |vrid, address| {
        let theirs = there.vrrp.iter().filter(|other| other.vrid != vrid);
        theirs.into_iter().find(|other| addresses(other).contains(&address)).map(|other| other.vrid)
    };
    here.vrrp.iter().find_map(|ours| {
        addresses(ours)
            .into_iter()
            .find_map(|address| Some((address, ours.vrid, has(ours.vrid, address)?)))
    })
}

/// Both sides have a suite in common.
fn suites<S: PartialEq + Display>(
    key: &str,
    (one, here): (Side<'_>, &[S]),
    (other, there): (Side<'_>, &[S]),
    found: &mut Vec<Contradiction>,
) {
    if here.iter().any(|suite| there.contains(suite)) {
        return;
    }
    let (a, b) = (one.name(), other.name());
    let (here, there) = (listed(here), listed(there));
    found.push(Contradiction {
        message: format!("{a} and {b} have no common suite in `{key}`: {here} here, {there} there"),
        help: format!("write one of the other side's suites into `{key}`"),
    });
}

/// So many are listed.
const LISTED: usize = 4;

fn listed(all: &[impl Display]) -> String {
    let words: Vec<String> = all.iter().take(LISTED).map(ToString::to_string).collect();
    match all.len().saturating_sub(words.len()) {
        0 if words.is_empty() => "nothing".to_owned(),
        0 => words.join(", "),
        more => format!("{} and {more} more", words.join(", ")),
    }
}

#[cfg(test)]
mod tests;

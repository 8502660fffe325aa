//! What a tunnel has traffic for: pairs of prefixes of both sides, for peers that take no more than
//! one of them in each Child SA (RFC 7296 §2.9).

use super::vpc::static_prefixes;
use crate::config::{Config, PeerConfig};
use crate::ike::{Pair, SlotConfig};
use crate::net::Prefix;
use crate::wire::ike::TrafficSelector;

/// The pairs of a peer: the inside addresses, then every own prefix with every one that the peer
/// may announce, as far as the tunnel's selectors go, and no more than the engine asks for.
pub(super) fn of(config: &Config, peer: &PeerConfig) -> Vec<Pair> {
    let mut pairs: Vec<(Prefix, Prefix)> = Vec::new();
    for pair in inside(peer).into_iter().chain(of_prefixes(config, peer)) {
        if pairs.len() < SlotConfig::MAX_PAIRS && !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    let selector = |prefix: Prefix| TrafficSelector::any_protocol(prefix);
    pairs
        .into_iter()
        .map(|(local, remote)| Pair { local: selector(local), remote: selector(remote) })
        .collect()
}

/// Between the inside addresses, as far as the selectors let BGP and BFD through.
fn inside(peer: &PeerConfig) -> Option<(Prefix, Prefix)> {
    let inside = peer.routing.inside()?;
    let (local, remote) = (Prefix::host(inside.local), Prefix::host(inside.remote));
    let within = |all: &[Prefix], one| all.iter().any(|wider| wider.covers(one));
    (within(&peer.local_ts, &local) && within(&peer.remote_ts, &remote)).then_some((local, remote))
}

fn of_prefixes(config: &Config, peer: &PeerConfig) -> impl Iterator<Item = (Prefix, Prefix)> {
    let own = config.vpcs.get(&peer.vpc).map_or(&[][..], |vpc| &vpc.prefixes);
    let known: Vec<Prefix> = peer.as_known(own).collect();
    let local: Vec<Prefix> = common(known.iter(), &peer.local_ts);
    let remote = common(peer.accept.iter().chain(static_prefixes(peer)), &peer.remote_ts);
    let of_local = move |one: Prefix| {
        let same_family: Vec<Prefix> =
            remote.iter().filter(|other| other.is_ipv4() == one.is_ipv4()).copied().collect();
        same_family.into_iter().map(move |other| (one, other))
    };
    local.into_iter().flat_map(of_local)
}

/// The parts of `prefixes` that lie within `selectors`.
fn common<'p>(prefixes: impl Iterator<Item = &'p Prefix>, selectors: &[Prefix]) -> Vec<Prefix> {
    let within = |prefix: &Prefix, selector: &Prefix| match selector.covers(prefix) {
        true => Some(*prefix),
        false => prefix.covers(selector).then_some(*selector),
    };
    prefixes.flat_map(|prefix| selectors.iter().filter_map(|ts| within(prefix, ts))).collect()
}

#[cfg(test)]
mod tests;

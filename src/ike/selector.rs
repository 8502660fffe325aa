//! Narrowing of traffic selectors (RFC 7296 §2.9).

use super::config::{Pair, SlotConfig, SlotId};
use super::state::state_of_fields;
use crate::wire::ike::TrafficSelector;
use crate::wire::ike::limits::SELECTORS;

/// A Child SA that a slot lacks: for all of its traffic, or for one pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lack {
    pub slot: SlotId,
    pub pair: Option<Pair>,
}

impl Lack {
    /// For all traffic of the slot.
    pub(super) fn of_all(slot: SlotId) -> Lack {
        Lack { slot, pair: None }
    }

    /// For one pair of its traffic.
    pub(super) fn of_pair(slot: SlotId, pair: Pair) -> Lack {
        Lack { slot, pair: Some(pair) }
    }

    /// What to ask the peer for.
    pub(super) fn traffic(&self, config: &SlotConfig) -> Traffic {
        match self.pair {
            None => Traffic { local: config.local_ts.clone(), remote: config.remote_ts.clone() },
            Some(Pair { local, remote }) => Traffic { local: vec![local], remote: vec![remote] },
        }
    }
}

/// Protocols for which peers have Child SAs of their own (policies of firewalls, mostly): those
/// that hosts speak. ICMP is another one with each family.
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// The pair by protocols, if it is for any; what is asked for by itself where a peer takes only some.
pub(super) fn by_protocol(pair: Pair) -> impl Iterator<Item = Pair> {
    let icmp = if pair.local.addresses.is_ipv4() { ICMP } else { ICMPV6 };
    let of = move |protocol| {
        let with = |selector| TrafficSelector { protocol, ..selector };
        Pair { local: with(pair.local), remote: with(pair.remote) }
    };
    let any = pair.local.protocol == 0 && pair.remote.protocol == 0;
    [icmp, TCP, UDP].into_iter().filter(move |_| any).map(of)
}

/// The traffic selectors of both sides of a Child SA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Traffic {
    pub local: Vec<TrafficSelector>,
    pub remote: Vec<TrafficSelector>,
}

impl Traffic {
    /// Whether both are for the same packets, in whatever order they say so.
    pub(super) fn is_same(&self, other: &Traffic) -> bool {
        let same = |one: &[_], other: &[_]| is_within(one, other) && is_within(other, one);
        same(&self.local, &other.local) && same(&self.remote, &other.remote)
    }

    /// Whether all protocols of the pair are in it, for some of its addresses.
    pub(super) fn takes_protocols_of(&self, pair: &Pair) -> bool {
        let taken = |all: &[TrafficSelector], one: &TrafficSelector| {
            let whole = |common: TrafficSelector| common.protocol == one.protocol;
            all.iter().any(|selector| intersection(selector, one).is_some_and(whole))
        };
        taken(&self.local, &pair.local) && taken(&self.remote, &pair.remote)
    }

    /// Whether some of the pair is in it.
    pub(super) fn touches(&self, pair: &Pair) -> bool {
        let touched = |all: &[TrafficSelector], one: &TrafficSelector| {
            all.iter().any(|selector| intersection(selector, one).is_some())
        };
        touched(&self.local, &pair.local) && touched(&self.remote, &pair.remote)
    }
}

/// What `offered` and `allowed` have in common, in the order of the offer, without parts that
/// another part covers, and no more than a payload holds. Empty when there is nothing:
/// TS_UNACCEPTABLE.
pub(super) fn narrow(
    offered: &[TrafficSelector],
    allowed: &[TrafficSelector],
) -> Vec<TrafficSelector> {
    let mut narrowed: Vec<TrafficSelector> = Vec::new();
    for one in offered {
        for other in allowed {
            let Some(common) = intersection(one, other) else { continue };
            if narrowed.iter().any(|wider| covers(wider, &common)) {
                continue;
            }
            narrowed.retain(|smaller| !covers(&common, smaller));
            narrowed.push(common);
            if narrowed.len() == SELECTORS {
                return narrowed;
            }
        }
    }
    narrowed
}

/// Whether all of `narrowed` lies in `offered`: a responder may take less, never more.
pub(super) fn is_within(narrowed: &[TrafficSelector], offered: &[TrafficSelector]) -> bool {
    let within = |one: &TrafficSelector| offered.iter().any(|wider| covers(wider, one));
    !narrowed.is_empty() && narrowed.iter().all(within)
}

fn intersection(one: &TrafficSelector, other: &TrafficSelector) -> Option<TrafficSelector> {
    if one == other {
        return Some(*one); // also OPAQUE ports, which no range arithmetic fits
    }
    let protocol = match (one.protocol, other.protocol) {
        (0, protocol) | (protocol, 0) => protocol,
        (protocol, same) if protocol == same => protocol,
        (_, _) => return None,
    };
    let start_port = one.start_port.max(other.start_port);
    let end_port = one.end_port.min(other.end_port);
    let addresses = one.addresses.intersection(&other.addresses)?;
    (start_port <= end_port).then_some(TrafficSelector {
        protocol,
        start_port,
        end_port,
        addresses,
    })
}

fn covers(wider: &TrafficSelector, one: &TrafficSelector) -> bool {
    let protocol = wider.protocol == 0 || wider.protocol == one.protocol;
    let ports = wider.start_port <= one.start_port && one.end_port <= wider.end_port;
    wider == one || protocol && ports && wider.addresses.covers(&one.addresses)
}

state_of_fields!(Pair { local, remote });
state_of_fields!(Lack { slot, pair });
state_of_fields!(Traffic { local, remote });

/// Selectors in words, for an operator.
pub(super) fn describe(selectors: &[TrafficSelector]) -> String {
    let words: Vec<String> = selectors.iter().map(ToString::to_string).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests;

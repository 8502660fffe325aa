//! The choice of a tunnel for a next-hop group: a pure function with its reason.
//!
//! The routing side ranks the peers of a prefix; this side knows which tunnels carry packets at
//! the moment. The first ranked peer whose tunnel is usable wins; when none is, the group has no
//! tunnel and its packets are discarded (fail closed). RFC 4271's decision process is not here.

use crate::net::PeerId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a tunnel can carry packets now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// SAs are in place, and packets pass as far as is known.
    Usable,
    /// The same, and not for long enough since the path was lost: others are preferred.
    Held,
    /// SAs are in place and packets pass, and one of the two operators wants others to be used.
    Leaving,
    /// SAs are in place, and packets do not pass.
    Unreachable,
    /// There is no SA to send with.
    Down,
}

/// The tunnel that a group uses and why it is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The peer whose tunnel is used.
    pub peer: PeerId,
    /// Why no other peer was chosen.
    pub reason: Reason,
}

/// Why a peer was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It ranks first.
    RanksFirst,
    /// Every peer that ranks before it cannot carry packets.
    BetterOnesOut(Vec<(PeerId, Health)>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::RanksFirst => f.write_str("ranks first"),
            Reason::BetterOnesOut(out) => write!(f, "{} better path(s) out of use", out.len()),
        }
    }
}

impl Health {
    /// Whether packets get through.
    pub fn is_usable(self) -> bool {
        match self {
            Health::Usable | Health::Held | Health::Leaving => true,
            Health::Unreachable | Health::Down => false,
        }
    }
}

/// Chooses the first peer of `ranking` that is usable; one that is held only when all are held or
/// out of use, and one that is to be left only when there is no other.
pub(super) fn choose(ranking: &[PeerId], health: impl Fn(PeerId) -> Health) -> Option<Choice> {
    let mut out_of_use = Vec::new();
    for &peer in ranking {
        match health(peer) {
            Health::Usable => return Some(Choice { peer, reason: reason(out_of_use) }),
            other => out_of_use.push((peer, other)),
        }
    }
    let first = |wanted| out_of_use.iter().position(|(_, health)| *health == wanted);
    let place = first(Health::Held).or_else(|| first(Health::Leaving))?;
    let peer = ranking.get(place).copied()?;
    out_of_use.truncate(place);
    Some(Choice { peer, reason: reason(out_of_use) })
}

fn reason(out_of_use: Vec<(PeerId, Health)>) -> Reason {
    if out_of_use.is_empty() { Reason::RanksFirst } else { Reason::BetterOnesOut(out_of_use) }
}

#[cfg(test)]
mod tests;

//! The choice of tunnels for a next-hop group: a pure function with its reason.
//!
//! The routing side ranks the peers of a prefix; this side knows which tunnels carry packets at
//! the moment. The first ranked peer whose tunnel is usable wins, and where flows may be shared, those
//! take part that are as good and as well; when none is usable, the group has no
//! tunnel and its packets are discarded (fail closed). RFC 4271's decision process is not here.

use crate::forward::MOST_MEMBERS;
use crate::net::PeerId;
use crate::routing::Ranked;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Whether a tunnel can carry packets now: the better before the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// SAs are in place, and packets pass as far as is known.
    Usable,
    /// The same, and the way to the host behind the peer is poorer than the operator wants it.
    Poor,
    /// Packets pass, and not for long enough since the path was lost: others are preferred.
    Held,
    /// Packets pass, and the host behind the peer does not answer.
    Silent,
    /// SAs are in place and packets pass, and one of the two operators wants others to be used.
    Leaving,
    /// SAs are in place, and packets do not pass.
    Unreachable,
    /// There is no SA to send with.
    Down,
}

/// The tunnels that a group uses and why it is these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The peers whose tunnels are used, best first; not empty.
    pub peers: Arc<[PeerId]>,
    /// Why no better peer was chosen.
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
            Health::Usable | Health::Poor | Health::Held | Health::Silent | Health::Leaving => true,
            Health::Unreachable | Health::Down => false,
        }
    }
}

/// Chooses the first of the healthiest peers of `ranking`, if packets get through to one. Beside it those
/// that tie with it, are as healthy and may share with it.
pub(super) fn choose(
    ranking: &[Ranked],
    may_share: impl Fn(PeerId, PeerId) -> bool,
    health: impl Fn(PeerId) -> Health,
) -> Option<Choice> {
    let healths = ranking.iter().map(|one| (one.peer, health(one.peer)));
    let usable = healths.clone().enumerate().filter(|(_, (_, health))| health.is_usable());
    // Of several that are as healthy this is the first.
    let (place, (_, best)) = usable.min_by_key(|(_, (_, health))| *health)?;
    let (first, rest) = ranking.get(place..)?.split_first()?;
    let tied = rest.iter().take_while(|one| one.ties).map(|one| one.peer);
    let sharing = tied.filter(|peer| health(*peer) == best && may_share(first.peer, *peer));
    let peers = std::iter::once(first.peer).chain(sharing.take(MOST_MEMBERS - 1)).collect();
    Some(Choice { peers, reason: reason(healths.take(place).collect()) })
}

fn reason(out_of_use: Vec<(PeerId, Health)>) -> Reason {
    if out_of_use.is_empty() { Reason::RanksFirst } else { Reason::BetterOnesOut(out_of_use) }
}

#[cfg(test)]
mod tests;

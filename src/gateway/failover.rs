//! The choice of tunnels for a next-hop group: a pure function with its reason.
//!
//! The routing side ranks the peers of a prefix; this side knows which tunnels carry packets at
//! the moment. The first ranked peer whose tunnel is usable wins, and where flows may be shared, those
//! take part that are as good and as well; when none is usable, the group has no
//! tunnel and its packets are discarded (fail closed). RFC 4271's decision process is not here.

use crate::net::PeerId;
use crate::routing::Ranked;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

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
            Health::Usable | Health::Held | Health::Leaving => true,
            Health::Unreachable | Health::Down => false,
        }
    }
}

/// Chooses the first peer of `ranking` that is usable; one that is held only when all are held or
/// out of use, and one that is to be left only when there is no other. Beside it those that tie with it
/// and are as healthy, `most` in all.
pub(super) fn choose(
    ranking: &[Ranked],
    most: usize,
    health: impl Fn(PeerId) -> Health,
) -> Option<Choice> {
    let mut out_of_use = Vec::new();
    for (place, &Ranked { peer, .. }) in ranking.iter().enumerate() {
        match health(peer) {
            Health::Usable => {
                let peers = equals(&ranking[place..], most, |peer| health(peer) == Health::Usable);
                return Some(Choice { peers, reason: reason(out_of_use) });
            }
            other => out_of_use.push((peer, other)),
        }
    }
    let first = |wanted| out_of_use.iter().position(|(_, health)| *health == wanted);
    let place = first(Health::Held).or_else(|| first(Health::Leaving))?;
    let (_, wanted) = *out_of_use.get(place)?;
    let peers = equals(&ranking[place..], most, |peer| health(peer) == wanted);
    out_of_use.truncate(place);
    Some(Choice { peers, reason: reason(out_of_use) })
}

/// The first of `ranking`, and of those that tie with it the ones that are as healthy, `most` in all.
fn equals(
    ranking: &[Ranked],
    most: usize,
    is_as_healthy: impl Fn(PeerId) -> bool,
) -> Arc<[PeerId]> {
    let first = ranking.iter().take(1);
    let tied = ranking.iter().skip(1).take_while(|one| one.ties);
    let tied = tied.filter(|one| is_as_healthy(one.peer)).take(most.saturating_sub(1));
    first.chain(tied).map(|one| one.peer).collect()
}

fn reason(out_of_use: Vec<(PeerId, Health)>) -> Reason {
    if out_of_use.is_empty() { Reason::RanksFirst } else { Reason::BetterOnesOut(out_of_use) }
}

#[cfg(test)]
mod tests;

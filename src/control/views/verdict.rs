//! Whether all is well with a peer, in one word.

use super::{DataPath, PathState, PeerState, PeerSummary, Planned, ProbeState};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether all is well with a peer: IKE, the data path both ways, BGP, and the host's routes,
/// counted together. The worst comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There is no SA and nobody is making one.
    Down,
    /// There is no SA yet.
    Connecting,
    /// There are SAs, and packets pass in neither direction.
    Unreachable,
    /// Packets pass in one direction only.
    OneWay,
    /// Packets pass, and the BGP session is not established: nothing leads to the peer.
    NoBgp,
    /// Packets pass, and no prefix of the peer is accepted: nothing leads to it.
    NoRoutes,
    /// Packets pass, and the host refuses some of what they need.
    HostRefuses,
    /// Packets pass, and the host behind the peer that should answer does not.
    BeyondSilent,
    /// Packets pass, and more slowly, unsteadily or seldom than the operator wants them to.
    BeyondPoor,
    /// An operator here wants nothing of it.
    Disabled,
    /// Packets pass, and by the wish of an operator here or there others are used before it.
    Drained,
    /// All that is accepted is in use, and some of what the peer announces is not accepted.
    Rejecting,
    /// All is well.
    #[default]
    Up,
}

impl Verdict {
    /// What the facts of a peer come to.
    pub fn of(peer: &PeerSummary, path: DataPath) -> Verdict {
        match peer.state {
            _ if peer.planned == Some(Planned::Disabled) => Verdict::Disabled,
            PeerState::Down => Verdict::Down,
            PeerState::Connecting => Verdict::Connecting,
            PeerState::Unreachable if is_one_way(peer, path) => Verdict::OneWay,
            PeerState::Unreachable => Verdict::Unreachable,
            PeerState::Up if peer.bgp_waits.is_some() => Verdict::NoBgp,
            PeerState::Up if peer.prefixes_accepted == 0 => Verdict::NoRoutes,
            PeerState::Up if peer.refusal.is_some() => Verdict::HostRefuses,
            PeerState::Up if is_beyond(peer, ProbeState::Silent) => Verdict::BeyondSilent,
            PeerState::Up if is_beyond(peer, ProbeState::Poor) => Verdict::BeyondPoor,
            PeerState::Up if peer.planned.is_some() => Verdict::Drained,
            PeerState::Up if peer.prefixes_rejected > 0 => Verdict::Rejecting,
            PeerState::Up => Verdict::Up,
        }
    }

    /// Whether traffic goes as it should: what is not accepted is so by the configuration.
    pub fn is_well(self) -> bool {
        self >= Verdict::Rejecting
    }
}

fn is_beyond(peer: &PeerSummary, state: ProbeState) -> bool {
    peer.probe.as_ref().is_some_and(|probe| probe.state == state)
}

/// Whether something passes in one direction: BFD says which, or questions inside ESP do.
fn is_one_way(peer: &PeerSummary, path: DataPath) -> bool {
    let bfd = peer.bfd.as_ref().filter(|bfd| bfd.path == PathState::Lost);
    let by_bfd = bfd.is_some_and(|bfd| bfd.one_way);
    by_bfd || matches!(path, DataPath::NothingArrives | DataPath::NoAnswers)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Down => "down",
            Verdict::Connecting => "connecting",
            Verdict::Unreachable => "unreachable",
            Verdict::OneWay => "one-way",
            Verdict::NoBgp => "no BGP",
            Verdict::NoRoutes => "no routes",
            Verdict::HostRefuses => "host refuses",
            Verdict::BeyondSilent => "silent beyond",
            Verdict::BeyondPoor => "poor path",
            Verdict::Disabled => "disabled",
            Verdict::Drained => "drained",
            Verdict::Rejecting => "up, rejects",
            Verdict::Up => "up",
        })
    }
}

//! The decision process (RFC 4271 §9.1.2.2): an order among paths, and the step that made it.
//!
//! Paths are eliminated step by step as the RFC has it, since MULTI_EXIT_DISC compares only paths
//! of one neighbouring AS and is thus no total order. The ranking is made by taking the best out
//! again and again. There is no interior cost here: every path is one tunnel away.

use super::{Chosen, Path, Share};
use crate::net::Asn;
use std::fmt;

/// Where paths of a neighbour come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From a speaker of this other AS.
    External(Asn),
    /// From a speaker of our own AS.
    Internal,
    /// From the configuration.
    Static,
}

/// The step that put the best path before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// There is no second.
    OnlyPath,
    /// The tunnel takes the whole prefix, not a part of it.
    WholePrefix,
    /// The other path is about to go (RFC 8326).
    GracefulShutdown,
    /// The neighbour is preferred by configuration (primary over backup).
    LocalPreference,
    /// Fewer ASes on the path (§9.1.2.2 a).
    AsPathLength,
    /// IGP before EGP before incomplete (§9.1.2.2 b).
    Origin,
    /// Lower MULTI_EXIT_DISC of the same neighbouring AS (§9.1.2.2 c).
    MultiExitDiscriminator,
    /// From another AS rather than from our own (§9.1.2.2 d).
    ExternalOverInternal,
    /// Lower BGP Identifier (§9.1.2.2 f).
    BgpIdentifier,
    /// Fewer clusters of reflectors on the way (RFC 4456 §9).
    Clusters,
    /// Earlier in the configuration; in place of the lower address (§9.1.2.2 g).
    PeerOrder,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::OnlyPath => "only path",
            Reason::WholePrefix => "takes the whole prefix",
            Reason::GracefulShutdown => "the others are being shut down",
            Reason::LocalPreference => "higher local preference",
            Reason::AsPathLength => "shorter AS path",
            Reason::Origin => "better origin",
            Reason::MultiExitDiscriminator => "lower MED",
            Reason::ExternalOverInternal => "external over internal",
            Reason::BgpIdentifier => "lower BGP identifier",
            Reason::Clusters => "fewer route reflectors",
            Reason::PeerOrder => "earlier in the configuration",
        })
    }
}

impl Reason {
    /// Whether the paths are equally good otherwise: packets may take either.
    fn is_tie_break(self) -> bool {
        match self {
            Reason::BgpIdentifier | Reason::Clusters | Reason::PeerOrder => true,
            Reason::OnlyPath
            | Reason::WholePrefix
            | Reason::GracefulShutdown
            | Reason::LocalPreference
            | Reason::AsPathLength
            | Reason::Origin
            | Reason::MultiExitDiscriminator
            | Reason::ExternalOverInternal => false,
        }
    }
}

/// Puts usable paths in order, best first; `None` when there are none. With `multipath` those that tie
/// with the best follow it at once, even before one that MULTI_EXIT_DISC puts between them.
pub(super) fn rank(mut paths: Vec<Path>, multipath: bool) -> Option<Chosen> {
    let mut ranked = Vec::with_capacity(paths.len());
    let mut ties = Vec::with_capacity(paths.len());
    let mut behind_best: Vec<(Path, Reason)> = Vec::new();
    while let Some((best, losers)) = eliminate(paths) {
        if ranked.is_empty() {
            behind_best.clone_from(&losers);
        }
        // Of paths that each take a part of the prefix nobody knows whether it is the same part.
        let shares = multipath && best.share == Share::Whole;
        let (mut equals, others): (Vec<_>, Vec<_>) =
            losers.into_iter().partition(|(_, reason)| shares && reason.is_tie_break());
        ranked.push(best);
        ties.push(false);
        while let Some((next, rest)) = eliminate(paths_of(equals)) {
            ranked.push(next);
            ties.push(true);
            equals = rest;
        }
        paths = paths_of(others);
    }
    let second = ranked.get(1);
    let of_second = behind_best.iter().find(|(path, _)| Some(path) == second);
    let reason = of_second.map_or(Reason::OnlyPath, |(_, reason)| *reason);
    (!ranked.is_empty()).then_some(Chosen { ranked, ties, reason })
}

fn paths_of(losers: Vec<(Path, Reason)>) -> Vec<Path> {
    losers.into_iter().map(|(path, _)| path).collect()
}

/// The best of `paths`, and the others with the step that took each out.
fn eliminate(mut paths: Vec<Path>) -> Option<(Path, Vec<(Path, Reason)>)> {
    paths.sort_by_key(|path| path.peer);
    let mut losers = Vec::new();
    for step in STEPS {
        if paths.len() < 2 {
            break;
        }
        let (kept, lost) = step.apply(paths);
        losers.extend(lost.into_iter().map(|path| (path, step.reason)));
        paths = kept;
    }
    let mut equals = paths.into_iter();
    let best = equals.next()?;
    losers.extend(equals.map(|path| (path, Reason::PeerOrder)));
    Some((best, losers))
}

/// One step: which of the remaining paths are as good as the best of them.
struct Elimination {
    reason: Reason,
    /// The lower, the better, among all paths, or among those of one neighbouring AS.
    weight: fn(&Path) -> u64,
    by_neighbor: bool,
}

const STEPS: &[Elimination] = &[
    // Before all of the RFC's: a tunnel that drops packets to some of the prefix is no better for
    // being preferred.
    Elimination {
        reason: Reason::WholePrefix,
        weight: |path| u64::from(path.share != Share::Whole),
        by_neighbor: false,
    },
    Elimination {
        reason: Reason::GracefulShutdown,
        weight: |path| u64::from(path.attributes.is_shutting_down()),
        by_neighbor: false,
    },
    Elimination {
        reason: Reason::LocalPreference,
        weight: |path| (u32::MAX - path.local_preference).into(),
        by_neighbor: false,
    },
    Elimination {
        reason: Reason::AsPathLength,
        weight: |path| path.attributes.as_path.length() as u64,
        by_neighbor: false,
    },
    Elimination {
        reason: Reason::Origin,
        weight: |path| path.attributes.origin as u64,
        by_neighbor: false,
    },
    // A path without MED is as good as one with the lowest (§9.1.2.2 c).
    Elimination {
        reason: Reason::MultiExitDiscriminator,
        weight: |path| path.attributes.med.unwrap_or(0).into(),
        by_neighbor: true,
    },
    Elimination {
        reason: Reason::ExternalOverInternal,
        weight: |path| u64::from(path.source == Source::Internal),
        by_neighbor: false,
    },
    Elimination {
        reason: Reason::BgpIdentifier,
        weight: |path| u32::from(path.identifier).into(),
        by_neighbor: false,
    },
    Elimination {
        reason: Reason::Clusters,
        weight: |path| path.attributes.clusters() as u64,
        by_neighbor: false,
    },
];

impl Elimination {
    fn apply(&self, paths: Vec<Path>) -> (Vec<Path>, Vec<Path>) {
        let best_for = |path: &Path| {
            let rivals =
                paths.iter().filter(|rival| !self.by_neighbor || same_neighbor(path, rival));
            rivals.map(self.weight).min()
        };
        let keep: Vec<bool> =
            paths.iter().map(|path| best_for(path) == Some((self.weight)(path))).collect();
        let mut keep = keep.into_iter();
        paths.into_iter().partition(|_| keep.next().unwrap_or(false))
    }
}

fn same_neighbor(one: &Path, other: &Path) -> bool {
    one.attributes.as_path.neighbor() == other.attributes.as_path.neighbor()
}

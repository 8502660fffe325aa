//! What a neighbour may announce, and what is remembered of the rest.

use super::{Policy, Source};
use crate::net::{Asn, Prefix, PrefixSet};
use crate::routing::attributes::Attributes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most rejected prefixes of one neighbour that are kept for the operator's eyes and for a later
/// change of the filter. Beyond, they are only counted.
const KEPT: usize = 1024;

/// Why a path is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum RejectReason {
    /// No prefix of the neighbour's `accept` list covers it.
    #[error("not covered by the peer's accept list")]
    NotAccepted,
    /// It is one of our own prefixes, or lies in one.
    #[error("lies in a local prefix")]
    Local,
    /// Our own AS is on the path (RFC 4271 §9.1.2).
    #[error("AS path contains our own AS: a loop")]
    AsLoop,
    /// The path of an external neighbour does not start with its AS (RFC 4271 §6.3).
    #[error("AS path does not start with the peer's AS")]
    ForeignFirstAs,
}

impl RejectReason {
    /// A word for metrics.
    pub fn name(self) -> &'static str {
        match self {
            RejectReason::NotAccepted => "not_accepted",
            RejectReason::Local => "local",
            RejectReason::AsLoop => "as_loop",
            RejectReason::ForeignFirstAs => "foreign_first_as",
        }
    }
}

/// Why a path to `prefix` cannot be used by a speaker of AS `asn`; `None` when it can.
pub fn judge(
    policy: &Policy,
    local: &PrefixSet,
    asn: Asn,
    prefix: &Prefix,
    path: &Attributes,
) -> Option<RejectReason> {
    let foreign = match policy.source {
        Source::External(remote) => path.as_path.neighbor() != Some(remote),
        Source::Internal | Source::Static => false,
    };
    let verdicts = [
        (path.as_path.contains(asn), RejectReason::AsLoop),
        (foreign, RejectReason::ForeignFirstAs),
        (local.covers(prefix), RejectReason::Local),
        (!policy.import.covers(prefix), RejectReason::NotAccepted),
    ];
    verdicts.into_iter().find_map(|(rejects, reason)| rejects.then_some(reason))
}

/// The rejected paths of one neighbour.
#[derive(Debug, Default)]
pub struct Rejections {
    kept: BTreeMap<Prefix, (RejectReason, Arc<Attributes>)>,
    /// How many came when there was no room to keep them.
    overflow: u64,
}

impl Rejections {
    /// The kept ones with their reasons.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, RejectReason)> {
        self.kept.iter().map(|(prefix, (reason, _))| (*prefix, *reason))
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many were not kept for want of room.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }

    pub(super) fn contains(&self, prefix: &Prefix) -> bool {
        self.kept.contains_key(prefix)
    }

    /// Keeps a rejected path if there is room; whether its reason is news.
    pub(super) fn insert(
        &mut self,
        prefix: Prefix,
        reason: RejectReason,
        attributes: Arc<Attributes>,
    ) -> bool {
        if self.kept.len() >= KEPT && !self.kept.contains_key(&prefix) {
            self.overflow += 1;
            return false;
        }
        let before = self.kept.insert(prefix, (reason, attributes));
        before.is_none_or(|(before, _)| before != reason)
    }

    pub(super) fn remove(&mut self, prefix: &Prefix) {
        self.kept.remove(prefix);
    }

    pub(super) fn into_paths(self) -> impl Iterator<Item = (Prefix, Arc<Attributes>)> {
        self.kept.into_iter().map(|(prefix, (_, attributes))| (prefix, attributes))
    }
}

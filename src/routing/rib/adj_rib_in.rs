//! What one neighbour has announced (Adj-RIB-In, RFC 4271 §3.2), and the paths that it comes to.

use super::ledger::Ledger;
use super::{Path, Policy, Reach, RejectReason, Rejections, Share};
use crate::net::{Asn, PeerId, Prefix};
use crate::routing::attributes::Attributes;
use crate::routing::policy::{self, Then};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// How much a path is preferred that is about to go (RFC 8326 §4.2).
const SHUTTING_DOWN: u32 = 0;

/// The paths of one neighbour.
#[derive(Debug)]
pub(super) struct AdjRibIn {
    pub policy: Policy,
    pub usable: bool,
    /// What of its prefixes the tunnel takes.
    pub reach: Reach,
    /// The neighbour's BGP Identifier, for the last steps of the decision.
    pub identifier: Ipv4Addr,
    pub accepted: BTreeMap<Prefix, Arc<Attributes>>,
    /// Those of the accepted that it has yet to announce again.
    pub stale: BTreeSet<Prefix>,
    pub rejected: Rejections,
    pub ledger: Ledger,
}

impl AdjRibIn {
    pub(super) fn new(policy: Policy) -> AdjRibIn {
        AdjRibIn {
            policy,
            usable: false,
            reach: Reach::default(),
            identifier: Ipv4Addr::UNSPECIFIED,
            accepted: BTreeMap::new(),
            stale: BTreeSet::new(),
            rejected: Rejections::default(),
            ledger: Ledger::default(),
        }
    }

    /// Keeps a rejected path if there is room; whether its reason is news.
    pub(super) fn reject(
        &mut self,
        prefix: Prefix,
        reason: RejectReason,
        attributes: Arc<Attributes>,
    ) -> bool {
        if !self.rejected.has_room_for(&prefix) {
            return false;
        }
        let attributes = self.ledger.enter(attributes);
        if let Some(before) = self.rejected.attributes_of(&prefix) {
            self.ledger.leave(before);
        }
        self.rejected.insert(prefix, reason, attributes)
    }

    pub(super) fn drop_rejected(&mut self, prefix: &Prefix) {
        if let Some(attributes) = self.rejected.remove(prefix) {
            self.ledger.leave(&attributes);
        }
    }

    pub(super) fn has_room_for(&self, prefix: &Prefix) -> bool {
        let known = self.accepted.contains_key(prefix) || self.rejected.contains(prefix);
        let count = self.accepted.len() + self.rejected.len();
        known || count < usize::try_from(self.policy.max_prefixes).unwrap_or(usize::MAX)
    }

    /// How much of a prefix the tunnel carries now.
    pub(super) fn share_of(&self, prefix: &Prefix) -> Share {
        if self.usable { self.reach.share_of(prefix) } else { Share::None }
    }

    /// A route as the operator's rules let it pass, and how much it is preferred.
    fn as_ruled(
        &self,
        prefix: &Prefix,
        attributes: Arc<Attributes>,
        asn: Asn,
    ) -> (Arc<Attributes>, u32) {
        match policy::first(&self.policy.rules, prefix, &attributes) {
            Some(Then::Take(change)) => {
                let preference = change.local_preference.unwrap_or(self.policy.local_preference);
                (Arc::new(change.apply(attributes.as_ref().clone(), asn)), preference)
            }
            Some(Then::Reject) | None => (attributes, self.policy.local_preference),
        }
    }

    pub(super) fn path(&self, peer: PeerId, prefix: &Prefix, asn: Asn) -> Option<Path> {
        let share = self.share_of(prefix);
        let attributes = self.accepted.get(prefix).filter(|_| share != Share::None)?.clone();
        let (attributes, preference) = self.as_ruled(prefix, attributes, asn);
        Some(Path {
            peer,
            source: self.policy.source,
            side: self.policy.side,
            local_preference: match attributes.is_shutting_down() {
                true => SHUTTING_DOWN,
                false => preference,
            },
            identifier: attributes.originator().unwrap_or(self.identifier),
            share,
            attributes,
        })
    }
}

//! What sessions bring: neighbours that come and go, and what they announce.

use super::neighbor::Neighbor;
use super::{Action, Router};
use crate::net::{PeerId, Prefix};
use crate::routing::Attributes;
use crate::routing::bgp::{self, CeaseReason, DownReason};
use crate::routing::policy::Role;
use crate::routing::rib::Excess;
use crate::time::Timestamp;
use std::sync::Arc;

impl Router {
    pub(super) fn on_up(&mut self, peer: PeerId, now: Timestamp) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.since = now;
        neighbor.counters.established += 1;
        if let Some(identifier) = neighbor.identifier() {
            self.rib.set_identifier(peer, identifier);
        }
        self.actions.push_back(Action::NeighborUp { peer });
        self.resume(peer, now);
        self.export_to(peer, &self.exportable());
        self.tell_the_end(peer);
    }

    pub(super) fn on_down(&mut self, peer: PeerId, reason: DownReason, now: Timestamp) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.since = now;
        if let Some(speaker) = neighbor.speaker_mut() {
            speaker.sent.clear();
        }
        if !self.bears_with(peer, &reason, now) {
            self.rib.forget(peer);
        }
        self.actions.push_back(Action::NeighborDown { peer, reason });
    }

    pub(super) fn on_update(&mut self, peer: PeerId, update: bgp::Update, now: Timestamp) {
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.counters.count(&update);
        }
        for prefix in &update.withdrawn {
            self.rib.withdraw(peer, prefix);
        }
        for bgp::Announcement { attributes, prefixes } in update.announced {
            let attributes = self.marked(peer, attributes);
            for prefix in prefixes {
                let Err(excess) = self.admit(peer, prefix, attributes.clone()) else { continue };
                if let Some(speaker) = self.speaker_mut(peer) {
                    speaker.session.end(cease_reason(excess), now);
                }
                return;
            }
        }
        self.watch_limit(peer);
        if update.end_of_rib.is_some() {
            self.sweep(peer, update.end_of_rib);
        }
    }

    /// A route as it is kept: what those have announced who give us transit is for our customers only
    /// (RFC 9234 §5).
    fn marked(&self, peer: PeerId, attributes: Arc<Attributes>) -> Arc<Attributes> {
        let neighbor = self.neighbors.get(&peer);
        let marks = neighbor
            .and_then(|neighbor| neighbor.config.role())
            .is_some_and(Role::marks_what_comes);
        match neighbor.and_then(Neighbor::remote_asn) {
            Some(remote) if marks && remote != self.config.asn => {
                Arc::new(attributes.as_ref().clone().marked_for_customers(remote))
            }
            Some(_) | None => attributes,
        }
    }

    /// A neighbour that nears its limit is told of once, before its session ends for it.
    fn watch_limit(&mut self, peer: PeerId) {
        let (count, limit) = self.rib.fill(peer);
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let before =
            std::mem::replace(&mut neighbor.told_near_limit, count > 0 && count * 5 >= limit * 4);
        if neighbor.told_near_limit && !before {
            self.actions.push_back(Action::NearLimit { peer, count, limit });
        }
    }

    /// Hands a path to the table.
    ///
    /// # Errors
    /// The neighbour went beyond its limits.
    pub(super) fn admit(
        &mut self,
        peer: PeerId,
        prefix: Prefix,
        attributes: Arc<Attributes>,
    ) -> Result<(), Excess> {
        if let Some(why) = self.rib.announce(peer, prefix, attributes)? {
            self.actions.push_back(Action::Rejected { peer, prefix, why });
        }
        Ok(())
    }
}

/// How the peer is told that it announced too much (RFC 4486 §4).
fn cease_reason(excess: Excess) -> CeaseReason {
    match excess {
        Excess::Prefixes => CeaseReason::TooManyPrefixes,
        Excess::Octets => CeaseReason::OutOfResources,
    }
}

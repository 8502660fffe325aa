//! Routes that hold on although they were not announced lately: of a neighbour that restarts and goes on
//! forwarding (RFC 4724 §4.2), and while a neighbour tells everything again (RFC 7313 §4).
//!
//! ```text
//!   session gone ──► stale ──► session back ──► announced again ──► fresh
//!                      │ time is over, or      │ End-of-RIB, or "Ends"
//!                      └─► gone                └─► what is still stale is gone
//! ```
//!
//! Packets take such routes only while the tunnel carries them: whether it does is not for BGP to say. We
//! ourselves forward nothing while we restart, and say so by naming no family (RFC 4724 §3).

use super::Router;
use crate::net::{PeerId, Prefix};
use crate::routing::bgp::{DownReason, Family, Refresh, codec};
use crate::time::Timestamp;
use std::time::Duration;

/// How long a neighbour may take to come back, whatever it says.
const RESTART: Duration = Duration::from_secs(300);
/// How long it may take to tell everything again.
const TELLING: Duration = Duration::from_secs(360);

impl Router {
    /// Whether the routes of a neighbour whose session is gone hold on until it is back.
    pub(super) fn bears_with(&mut self, peer: PeerId, why: &DownReason, now: Timestamp) -> bool {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return false };
        neighbor.stale_until = None;
        let said = neighbor.graceful.take().filter(|_| why.may_be_a_restart());
        let Some(said) = said.filter(|said| !said.forwards.is_empty()) else { return false };
        let time = Duration::from_secs(said.time.into()).min(RESTART);
        neighbor.stale_until = Some(now + time);
        self.rib.sweep(peer, |_| true);
        self.rib.mark_stale(peer, |_| true);
        let keeps = |prefix: &Prefix| said.forwards.contains_key(&Family::of(prefix));
        self.rib.sweep(peer, |prefix| !keeps(prefix));
        true
    }

    /// A session is established. What the neighbour has not gone on forwarding meanwhile is gone.
    pub(super) fn resume(&mut self, peer: PeerId, now: Timestamp) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let session = neighbor.speaker().and_then(|speaker| speaker.session.established());
        let said = session.and_then(|session| session.capabilities.graceful_restart.clone());
        neighbor.graceful.clone_from(&said);
        if neighbor.stale_until.is_none() {
            return;
        }
        neighbor.stale_until = Some(now + TELLING);
        let forwarded = |prefix: &Prefix| {
            let forwards = said.as_ref().and_then(|said| said.forwards.get(&Family::of(prefix)));
            forwards == Some(&true)
        };
        self.rib.sweep(peer, |prefix| !forwarded(prefix));
    }

    /// A neighbour tells all its routes of a family again from here.
    pub(super) fn on_refresh(&mut self, peer: PeerId, family: Family, now: Timestamp) {
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.stale_until = Some(now + TELLING);
            self.rib.mark_stale(peer, |prefix| Family::of(prefix) == family);
        }
    }

    /// A neighbour has told everything, of a family or of all.
    pub(super) fn sweep(&mut self, peer: PeerId, family: Option<Family>) {
        self.rib.sweep(peer, |prefix| family.is_none_or(|family| Family::of(prefix) == family));
        if self.rib.stale_count(peer) == 0
            && let Some(neighbor) = self.neighbors.get_mut(&peer)
        {
            neighbor.stale_until = None;
        }
    }

    /// A neighbour may have had time enough.
    pub(super) fn end_patience(&mut self, peer: PeerId, now: Timestamp) {
        let until = self.neighbors.get(&peer).and_then(|neighbor| neighbor.stale_until);
        if until.is_some_and(|until| until <= now) {
            self.sweep(peer, None);
        }
    }

    /// Tells a neighbour all routes of a family again, and where that begins and ends if it wants to
    /// know.
    pub(super) fn tell_again(&mut self, peer: PeerId, family: Family) {
        let Some(speaker) = self.speaker_mut(peer) else { return };
        speaker.sent.retain(|prefix, _| Family::of(prefix) != family);
        let session = speaker.session.established();
        let marks = session.is_some_and(|session| session.capabilities.enhanced_refresh);
        let mark = |router: &mut Router, refresh| {
            if let Some(speaker) = router.speaker_mut(peer).filter(|_| marks) {
                speaker.session.send(codec::route_refresh(family, refresh));
            }
        };
        mark(self, Refresh::Begins);
        self.export_to(peer, &self.exportable());
        mark(self, Refresh::Ends);
    }

    /// Tells a neighbour that wants to know it that it has heard everything (RFC 4724 §2).
    pub(super) fn tell_the_end(&mut self, peer: PeerId) {
        let Some(speaker) = self.speaker_mut(peer) else { return };
        let Some(session) = speaker.session.established() else { return };
        if session.capabilities.graceful_restart.is_none() {
            return;
        }
        for family in session.context.families.clone() {
            speaker.session.send(codec::end_of_rib(family));
        }
    }
}

//! Every slot has a Child SA: which ones lack theirs, when to ask for it, and what becomes of a
//! slot that the peer refuses or the operator changes.

use super::super::config::{ConnectionConfig, SlotConfig, SlotId};
use super::super::context::Context;
use super::super::event::{Event, Role};
use super::super::failure::{ChildRefusal, FailureReason};
use super::asking::Purpose;
use super::{Established, NoFirstChild};
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How long the initiator of an IKE SA may take to fill its slots before the responder asks.
const PEERS_TURN: Duration = Duration::from_secs(5);

impl Established {
    /// The handshake is over: what the other slots lack is asked for at once by who began it,
    /// and by the other side only if that has not happened after a while.
    pub fn begin_with_slots(&mut self, ctx: &mut Context<'_>) {
        let ask_at = match self.descent.role {
            Role::Initiator => ctx.now,
            Role::Responder => ctx.now + PEERS_TURN,
        };
        for slot in self.missing_slots() {
            if !self.children.is_refused(slot) {
                self.children.postpone(slot, ask_at);
            }
        }
        self.pump(ctx);
    }

    /// The slots for which we are to ask. A side that only waits for the peer leaves it to that.
    fn missing_slots(&self) -> Vec<SlotId> {
        if !self.config.initiate && self.descent.role == Role::Responder {
            return Vec::new();
        }
        let filled = self.children.filled();
        self.config.slots.keys().copied().filter(|slot| !filled.contains(slot)).collect()
    }

    /// Whether the IKE SA serves some slot although `refused` gets no Child SA: one that has a
    /// Child SA, or one that has not been refused yet.
    pub(super) fn serves_without(&self, refused: SlotId) -> bool {
        let mut others = self.config.slots.keys().filter(|slot| **slot != refused);
        others.any(|slot| !self.children.is_refused(*slot))
    }

    /// Whether the IKE SA is worth keeping although the handshake made no Child SA. As responder
    /// we leave it to a peer that names slots to go on with others.
    pub fn serves_despite(&self, none: &NoFirstChild) -> bool {
        let other_slots = match &none.refusal {
            ChildRefusal::Slot { .. } => true,
            _ => self.config.slots.len() > 1,
        };
        match none.slot {
            Some(slot) => self.serves_without(slot),
            None => self.descent.names_slots && other_slots,
        }
    }

    /// The handshake has made no Child SA, but the IKE SA stays.
    pub fn on_no_first_child(&mut self, none: NoFirstChild, ctx: &mut Context<'_>) {
        match none.slot {
            Some(slot) => self.on_slot_refused(slot, none.refusal, ctx),
            None => {
                let reason = FailureReason::Child(none.refusal);
                let failed = Event::Failed { slot: None, reason, retry_at: None };
                ctx.out.event(self.connection, failed);
            }
        }
    }

    /// The peer has refused a slot's Child SA. While another slot lives, this one is tried
    /// again, ever more seldom.
    pub(super) fn on_slot_refused(
        &mut self,
        slot: SlotId,
        refusal: ChildRefusal,
        ctx: &mut Context<'_>,
    ) {
        let ike = self.id();
        tracing::warn!(connection = self.connection.0, slot = slot.0, %ike, %refusal, "no Child SA");
        let before = self.children.on_refusal(slot, ctx.now);
        let again = ctx.now + self.config.reconnect.wait(before, ctx.random);
        self.children.postpone(slot, again);
        self.report_slot(slot, refusal, Some(again), ctx);
    }

    pub(super) fn report_slot(
        &self,
        slot: SlotId,
        refusal: ChildRefusal,
        retry_at: Option<Timestamp>,
        ctx: &mut Context<'_>,
    ) {
        let reason = FailureReason::Child(refusal);
        ctx.out.event(self.connection, Event::Failed { slot: Some(slot), reason, retry_at });
    }

    /// Slots that have lost their Child SA, or never had one, get one soon, unless the peer is
    /// quicker.
    pub(super) fn want_children(&mut self, ctx: &mut Context<'_>) {
        let being_made = match self.exchanges.purpose() {
            Some(Purpose::Child(attempt)) => Some(attempt.slot()),
            _ => None,
        };
        for slot in self.children.filled().into_iter().chain(being_made) {
            self.children.want_no_more(slot);
        }
        if !self.is_active() {
            return;
        }
        for slot in self.missing_slots() {
            if Some(slot) != being_made && !self.children.wants(slot) {
                let soon = self.soon(ctx);
                self.children.want(slot, soon);
            }
        }
    }

    /// The configuration has changed in its timers and slots. Child SAs of slots that are gone,
    /// or are for other traffic now, are deleted; missing ones are asked for.
    pub fn reconfigure(&mut self, config: Arc<ConnectionConfig>, ctx: &mut Context<'_>) {
        let old = std::mem::replace(&mut self.config, config);
        let stays = |slot: &SlotId, before: &SlotConfig| {
            self.config.slots.get(slot).is_some_and(|after| before.same_traffic(after))
        };
        let changed: Vec<SlotId> = old
            .slots
            .iter()
            .filter(|(slot, before)| !stays(slot, before))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in changed {
            self.children.withdraw(slot, ctx);
            if let Some(Purpose::Child(attempt)) = self.exchanges.purpose_mut() {
                attempt.outdated |= attempt.slot() == slot;
            }
        }
        if self.is_active() {
            self.want_children(ctx);
        }
        self.pump(ctx);
    }
}

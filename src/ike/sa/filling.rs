//! Every slot has its Child SAs: which ones are lacking, when to ask for them, and what becomes of
//! a slot that the peer refuses or the operator changes.

use super::super::config::{Backoff, ConnectionConfig, SlotConfig, SlotId};
use super::super::context::Context;
use super::super::event::{ChildId, Event, Role};
use super::super::failure::{ChildRefusal, FailureReason};
use super::super::fault::{self, Fault};
use super::super::selector::{self, Lack};
use super::asking::Purpose;
use super::children::ChildState;
use super::replacement::Outcome;
use super::{Established, NoFirstChild, create};
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How long the initiator of an IKE SA may take to fill its slots before the responder asks.
const PEERS_TURN: Duration = Duration::from_secs(5);
/// How long to wait at the longest before a pair is asked for again that the peer has refused: the
/// slot has its Child SA, and the peer seldom changes its mind.
const REFUSED_PAIR: Duration = Duration::from_secs(600);

impl Established {
    /// The handshake is over: what the other slots lack is asked for at once by who began it,
    /// and by the other side only if that has not happened after a while.
    pub(crate) fn begin_with_slots(&mut self, ctx: &mut Context<'_>) {
        let ask_at = match self.descent.role {
            Role::Initiator => ctx.now,
            Role::Responder => ctx.now + PEERS_TURN,
        };
        for lack in self.lacking() {
            if !self.children.is_refused(lack) {
                self.children.postpone(lack, ask_at);
            }
        }
        self.pump(ctx);
    }

    /// The Child SAs for which we are to ask. A side that only waits for the peer leaves it to that.
    ///
    /// A slot without any lacks one for all of its traffic; a peer that does not take that may take
    /// its pairs, and one that took a part of it may take the other parts (RFC 7296 §2.9); where that
    /// part is a protocol, the others.
    fn lacking(&self) -> Vec<Lack> {
        if !self.config.initiate && self.descent.role == Role::Responder {
            return Vec::new();
        }
        let of_slot = |(&slot, config): (&SlotId, &SlotConfig)| {
            let all = Lack::of_all(slot);
            let by_pairs = self.children.has(slot)
                || self.children.is_refused_traffic(all) && self.may_take_pairs(config);
            let pairs = config.pairs.iter().filter(|_| by_pairs);
            let parts = pairs.flat_map(|&pair| {
                let by_protocol = self.children.lacks_protocols(slot, &pair);
                let protocols = selector::by_protocol(pair).filter(move |_| by_protocol);
                std::iter::once(pair).chain(protocols)
            });
            let parts = parts.map(|part| Lack::of_pair(slot, part)).collect::<Vec<_>>();
            std::iter::once(all).chain(parts)
        };
        let all = self.config.slots.iter().flat_map(of_slot);
        all.filter(|lack| !self.children.serves(lack)).collect()
    }

    /// Whether a peer that does not take all of a slot's traffic may take its pairs one by one. One that
    /// knows the slot by its name narrows what it is offered, and refuses a slot that it does not have.
    fn may_take_pairs(&self, slot: &SlotConfig) -> bool {
        !self.descent.names_slots || slot.name.is_empty()
    }

    /// Whether the IKE SA serves some slot although `refused` gets no Child SA: one that has a
    /// Child SA, or one for which something else has not been refused yet.
    pub(super) fn serves_without(&self, refused: Lack, refusal: &ChildRefusal) -> bool {
        let hopeful = |lack: Lack| lack != refused && !self.children.is_refused(lack);
        let may_serve = |(&slot, config): (&SlotId, &SlotConfig)| {
            let mut pairs = config.pairs.iter().map(|&pair| Lack::of_pair(slot, pair));
            let by_pairs =
                matches!(refusal, ChildRefusal::Selectors(_)) && self.may_take_pairs(config);
            self.children.has(slot) || hopeful(Lack::of_all(slot)) || by_pairs && pairs.any(hopeful)
        };
        self.config.slots.iter().any(may_serve)
    }

    /// Whether the IKE SA is worth keeping although the handshake made no Child SA. As responder
    /// we leave it to a peer that names slots to go on with others.
    pub(crate) fn serves_despite(&self, none: &NoFirstChild) -> bool {
        let other_slots = match &none.refusal {
            ChildRefusal::Slot { .. } | ChildRefusal::Disabled(_) => true,
            _ => self.config.slots.len() > 1,
        };
        match none.slot {
            Some(slot) => self.serves_without(Lack::of_all(slot), &none.refusal),
            None => self.descent.names_slots && other_slots,
        }
    }

    /// The handshake has made no Child SA, but the IKE SA stays.
    pub(crate) fn on_no_first_child(&mut self, none: NoFirstChild, ctx: &mut Context<'_>) {
        match none.slot {
            Some(slot) => self.on_refused(Lack::of_all(slot), none.refusal, ctx),
            None => {
                let reason = FailureReason::Child(none.refusal);
                let failed = Event::Failed { slot: None, reason, retry_at: None };
                ctx.out.event(self.connection, failed);
            }
        }
    }

    /// The peer has refused a Child SA that a slot lacks. While another one lives, this one is tried
    /// again, ever more seldom.
    pub(super) fn on_refused(&mut self, lack: Lack, refusal: ChildRefusal, ctx: &mut Context<'_>) {
        let (ike, slot) = (self.id(), lack.slot);
        tracing::debug!(connection = self.connection.0, slot = slot.0, %ike, %refusal, "no Child SA");
        let before = self.children.on_refusal(lack, &refusal, ctx.now);
        let Backoff { first, cap } = self.config.reconnect;
        let cap = if lack.pair.is_some() { REFUSED_PAIR.max(cap) } else { cap };
        let again = ctx.now + Backoff { first, cap }.wait(before, ctx.random);
        self.children.postpone(lack, again);
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
        let lacking = self.lacking();
        self.children.want_only(&lacking);
        if !self.is_active() {
            return;
        }
        for lack in lacking {
            if !self.is_being_made(lack) && !self.children.wants(lack) {
                let soon = self.soon(ctx).max(self.after_losses(lack.slot, ctx));
                self.children.want(lack, soon);
            }
        }
    }

    /// A slot whose Child SAs the peer deletes as soon as they are made gets them ever more seldom.
    fn after_losses(&self, slot: SlotId, ctx: &mut Context<'_>) -> Timestamp {
        match self.children.losses(slot) {
            0 | 1 => ctx.now,
            losses => ctx.now + self.config.reconnect.wait(losses - 1, ctx.random),
        }
    }

    /// Whether we are asking for it, or for new keys of what may serve it.
    fn is_being_made(&self, lack: Lack) -> bool {
        match self.exchanges.purpose() {
            Some(Purpose::Child(attempt)) => match attempt.replaces {
                Some(_) => attempt.slot() == lack.slot,
                None => attempt.lack == lack,
            },
            _ => false,
        }
    }

    /// The configuration has changed in its timers and slots. Child SAs of slots that are gone,
    /// or are for other traffic now, are deleted; missing ones are asked for.
    pub(crate) fn reconfigure(&mut self, config: Arc<ConnectionConfig>, ctx: &mut Context<'_>) {
        let old = std::mem::replace(&mut self.config, config);
        self.on_credentials(&old, ctx);
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

    /// What is to become of a new Child SA for traffic that has one already in its slot: the peer has
    /// made that since we asked, as we have made ours since it did, if it did so for its own need. The
    /// one made by the initiator of the IKE SA stays, as both sides can tell without another word.
    pub(super) fn twin(
        &self,
        made: &create::Made,
        replaces: Option<ChildId>,
    ) -> Option<Outcome<ChildId>> {
        let lone = replaces.is_none() && !fault::is_on(Fault::KeepsTwins);
        let new = lone.then(|| made.agreed.traffic())?;
        let twin = self.children.first(|sa| {
            sa.state == ChildState::Installed && sa.slot == made.slot && sa.traffic.is_same(&new)
        })?;
        Some(match self.role() {
            Role::Initiator => Outcome::Ours { redundant: Some(twin) },
            Role::Responder => Outcome::Theirs(twin),
        })
    }
}

//! Our requests on an established IKE SA: what is due, its repetition, its answer.

use super::super::context::Context;
use super::super::event::{ChildId, Role};
use super::super::exchange::Retransmission;
use super::super::failure::{ChildRefusal, DownReason};
use super::super::path::Cookie;
use super::super::payloads::Payloads;
use super::super::protect::Opened;
use super::super::selector::Lack;
use super::super::state::state_of_variants;
use super::children::ChildState;
use super::create::{self, ChildAttempt};
use super::following::Conclusion;
use super::held;
use super::lifecycle::Life;
use super::rekey::IkeAttempt;
use super::replacement::{Outcome, REFUSED};
use super::{Effect, Established};
use crate::time::Timestamp;
use crate::wire::ike::{Delete, ExchangeType, NotifyType, Payload, ProtocolId};
use std::time::Duration;

/// What an outstanding request is for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Purpose {
    /// To see whether the peer lives.
    Probe,
    /// To see whether the peer is at another place now.
    CheckPath(Cookie),
    /// To tell where the IKE SA runs from now on.
    UpdateAddresses,
    /// To see whether a datagram of this size reaches it in one piece.
    Measure(u16),
    /// To make a Child SA, new or in place of another.
    Child(Box<ChildAttempt>),
    /// To replace this IKE SA.
    RekeyIke(Box<IkeAttempt>),
    /// To delete a Child SA.
    DeleteChild(ChildId),
    /// To delete this IKE SA.
    DeleteIke,
}

impl Purpose {
    /// Whether another process could go on with it: it must have all private keys.
    pub(super) fn is_portable(&self) -> bool {
        match self {
            Purpose::Child(attempt) => attempt.is_portable(),
            Purpose::RekeyIke(attempt) => attempt.is_portable(),
            Purpose::Probe | Purpose::CheckPath(_) | Purpose::Measure(_) => true,
            Purpose::DeleteChild(_) | Purpose::DeleteIke | Purpose::UpdateAddresses => true,
        }
    }
}

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Probe,
    CheckPath,
    UpdateAddresses,
    Measure(u16),
    CreateChild(Lack),
    RekeyChild(ChildId),
    RekeyIke,
    DeleteChild(ChildId),
    DeleteIke,
}

impl Established {
    /// Sends the next request that is due, if the window is free.
    pub(super) fn pump(&mut self, ctx: &mut Context<'_>) {
        if !self.may_ask() {
            return;
        }
        match self.due(ctx.now) {
            None => {}
            Some(Task::Probe) => self.probe(ctx),
            Some(Task::CheckPath) => self.check_path(ctx),
            Some(Task::UpdateAddresses) => self.update_addresses(ctx),
            Some(Task::Measure(size)) => self.start_measuring(size, ctx),
            Some(Task::CreateChild(lack)) => self.start_child(lack, None, None, ctx),
            Some(Task::RekeyChild(child)) => self.rekey_child(child, ctx),
            Some(Task::RekeyIke) if self.renews(ctx) => {}
            Some(Task::RekeyIke) => self.start_rekey(None, ctx),
            Some(Task::DeleteChild(child)) => self.delete_child(child, ctx),
            Some(Task::DeleteIke) => self.delete_ike(ctx),
        }
    }

    /// Whether a request of ours could go out. What is in use asks for nothing while a request
    /// of the peer is being worked on, which may be about the same SAs, or one of ours.
    pub(super) fn may_ask(&self) -> bool {
        let held = self.held.request().is_some() || self.held.has_draft();
        let working = self.is_active() && held;
        self.exchanges.is_free() && !working
    }

    fn due(&self, now: Timestamp) -> Option<Task> {
        match self.life.life() {
            Life::Gone | Life::Heir { .. } | Life::Leaving { .. } => None,
            Life::Closing { .. } => Some(Task::DeleteIke),
            Life::Active => self.due_while_active(now),
        }
    }

    fn due_while_active(&self, now: Timestamp) -> Option<Task> {
        let ending = [ChildState::Deleting, ChildState::Expired];
        let deleting = self.children.first(|sa| ending.contains(&sa.state));
        let worn =
            self.children.first(|sa| sa.state == ChildState::Installed && sa.rekey_at <= now);
        let rekey = self.life.rekey_at <= now || self.exchanges.wearing_out();
        let create = self.children.wanted().filter(|(at, _)| *at <= now);
        // What the peer is making may be the same.
        let may_create = self.followups.is_none();
        let (rekey, worn) = (rekey && may_create, worn.filter(|_| may_create));
        let create = create.filter(|_| may_create);
        let probe = self.probe_at() <= now;
        let elsewhere = self.path.wants_check();
        elsewhere
            .then_some(Task::CheckPath)
            .or(self.mobility.is_pending().then_some(Task::UpdateAddresses))
            .or(deleting.map(Task::DeleteChild))
            .or(rekey.then_some(Task::RekeyIke))
            .or(worn.map(Task::RekeyChild))
            .or(create.map(|(_, lack)| Task::CreateChild(lack)))
            .or(self.to_measure.map(Task::Measure))
            .or(probe.then_some(Task::Probe))
    }

    /// Asks the peer for a sign of life now, if nothing else is being asked.
    pub(crate) fn probe(&mut self, ctx: &mut Context<'_>) {
        if !self.exchanges.is_free() {
            return;
        }
        let mut payloads = self.take_addresses(ctx);
        payloads.extend(self.take_token(ctx));
        payloads.extend(self.asks_how_seen());
        self.request(ExchangeType::INFORMATIONAL, &payloads, Purpose::Probe, ctx);
    }

    fn delete_child(&mut self, child: ChildId, ctx: &mut Context<'_>) {
        let Some(sa) = self.children.get(child) else { return };
        let spis = vec![sa.inbound.0.to_be_bytes().to_vec()];
        let delete = [Payload::Delete(Delete { protocol: ProtocolId::ESP, spis })];
        self.request(ExchangeType::INFORMATIONAL, &delete, Purpose::DeleteChild(child), ctx);
    }

    fn delete_ike(&mut self, ctx: &mut Context<'_>) {
        let delete = [Payload::Delete(Delete { protocol: ProtocolId::IKE, spis: Vec::new() })];
        self.request(ExchangeType::INFORMATIONAL, &delete, Purpose::DeleteIke, ctx);
    }

    pub(super) fn request(
        &mut self,
        exchange: ExchangeType,
        payloads: &[Payload],
        purpose: Purpose,
        ctx: &mut Context<'_>,
    ) {
        let schedule = Retransmission::steady(&self.config.retransmit, ctx.now);
        self.exchanges.ask(&self.path.path(), exchange, payloads, purpose, schedule, ctx);
    }

    /// What the answer to the outstanding request brings about; `secret` is what came of the
    /// work that it took.
    pub(super) fn conclude(
        &mut self,
        response: &Opened,
        secret: Option<held::Agreed>,
        ctx: &mut Context<'_>,
    ) {
        let at_once = self.exchanges.was_sent_once();
        let Some(purpose) = self.exchanges.finish() else { return };
        let payloads = match response.payloads() {
            Ok(payloads) => Payloads(payloads),
            Err(error) => return self.end(DownReason::Breach(error.to_string()), ctx),
        };
        if let Some(breach) = fatal(payloads) {
            return self.end(DownReason::Breach(breach), ctx);
        }
        match purpose {
            Purpose::Probe => self.on_seen_as(payloads),
            Purpose::CheckPath(cookie) => self.on_cookie_back(&cookie, payloads, ctx),
            Purpose::UpdateAddresses => self.addresses_updated(payloads, ctx),
            Purpose::Measure(size) => self.measured(size, at_once, ctx),
            // Closed meanwhile: what the peer has made goes with the IKE SA, or right after it.
            Purpose::Child(attempt) if self.is_over() => attempt.release(ctx),
            Purpose::RekeyIke(attempt) if self.is_over() => {
                self.rekey_answered_too_late(*attempt, (payloads, secret), ctx);
            }
            Purpose::Child(attempt) => self.child_answered(*attempt, (payloads, secret), ctx),
            Purpose::RekeyIke(attempt) => self.rekey_answered(*attempt, (payloads, secret), ctx),
            Purpose::DeleteChild(child) => {
                self.children.remove(child, ctx);
                self.want_children(ctx);
            }
            Purpose::DeleteIke => self.forget(ctx),
        }
    }

    /// The answer to the outstanding request cannot be concluded, for the work that it takes is
    /// lost: the peer has an SA that we cannot have.
    pub(super) fn strand(&mut self, ctx: &mut Context<'_>) {
        if let Some(Purpose::Child(attempt)) = self.exchanges.finish() {
            attempt.release(ctx);
        }
        self.close(DownReason::Ours("public-key work was lost"), ctx);
    }

    pub(super) fn forget(&mut self, ctx: &mut Context<'_>) {
        if let Some(Purpose::Child(attempt)) = self.exchanges.purpose() {
            attempt.release(ctx);
        }
        self.drop_followups(ctx);
        self.life.end();
        self.effects.push(Effect::Forget);
    }

    /// A moment that both sides are unlikely to choose at once.
    pub(super) fn soon(&self, ctx: &mut Context<'_>) -> Timestamp {
        ctx.now + Duration::from_millis(200 + ctx.random.below(1000))
    }
}

/// A Child SA, new or in place of another.
impl Established {
    fn rekey_child(&mut self, child: ChildId, ctx: &mut Context<'_>) {
        if let Some(sa) = self.children.get(child) {
            self.start_child(Lack::of_all(sa.slot), Some(child), None, ctx);
        }
    }

    fn child_answered(
        &mut self,
        attempt: ChildAttempt,
        (answer, secret): (Payloads<'_>, Option<held::Agreed>),
        ctx: &mut Context<'_>,
    ) {
        match attempt.read(answer) {
            create::Answer::Agreed => self.child_agreed(attempt, (answer, secret), ctx),
            create::Answer::OtherGroup(group) => {
                self.abandon_child(&attempt, ctx);
                if attempt.race.rival().is_none() {
                    self.start_child(attempt.lack, attempt.replaces, Some(group), ctx);
                }
            }
            create::Answer::Later => {
                self.abandon_child(&attempt, ctx);
                self.child_put_off(attempt.lack, attempt.replaces, ctx);
            }
            create::Answer::NotFound => {
                self.abandon_child(&attempt, ctx);
                if let Some(old) = attempt.replaces {
                    self.children.remove(old, ctx);
                }
                self.want_children(ctx);
            }
            create::Answer::Refused(refusal) => self.child_refused(&attempt, refusal, ctx),
        }
    }

    /// The attempt came to nothing; what the peer made meanwhile takes the place.
    fn abandon_child(&mut self, attempt: &ChildAttempt, ctx: &mut Context<'_>) {
        attempt.release(ctx);
        let old = attempt.replaces.and_then(|old| self.children.get_mut(old));
        if let (Some(old), Some(_)) = (old, attempt.race.rival()) {
            old.leave(ctx.now);
        }
    }

    pub(super) fn retry_child(&mut self, lack: Lack, replaces: Option<ChildId>, at: Timestamp) {
        match replaces {
            // The peer may have made it meanwhile.
            None if self.children.serves(&lack) => {}
            None => self.children.postpone(lack, at),
            Some(old) => {
                if let Some(sa) = self.children.get_mut(old) {
                    sa.rekey_at = at;
                }
            }
        }
    }

    fn child_refused(
        &mut self,
        attempt: &ChildAttempt,
        refusal: ChildRefusal,
        ctx: &mut Context<'_>,
    ) {
        self.abandon_child(attempt, ctx);
        let (lack, slot) = (attempt.lack, attempt.slot());
        match attempt.replaces {
            Some(_) => {
                tracing::warn!(connection = self.connection.0, slot = slot.0, %refusal, "no new keys");
                let again = ctx.now + REFUSED;
                self.retry_child(lack, attempt.replaces, again);
                self.report_slot(slot, refusal, Some(again), ctx);
            }
            // The peer has made it meanwhile.
            None if self.children.serves(&lack) => {}
            None if self.serves_without(lack, &refusal) => self.on_refused(lack, refusal, ctx),
            // An IKE SA without a Child SA serves nobody: a fresh attempt, after a pause, may
            // find a peer with another configuration.
            None => {
                self.effects.push(Effect::NoChild(refusal.clone()));
                self.close(DownReason::NoChild(refusal), ctx);
            }
        }
    }

    fn child_agreed(
        &mut self,
        mut attempt: ChildAttempt,
        (answer, secret): (Payloads<'_>, Option<held::Agreed>),
        ctx: &mut Context<'_>,
    ) {
        if let Some(rival) =
            attempt.race.rival().filter(|rival| self.children.get(*rival).is_none())
        {
            attempt.race.forget_rival(rival);
        }
        let (replaces, spi, outdated) = (attempt.replaces, attempt.spi(), attempt.outdated);
        let deleted = attempt.deleted().to_vec();
        let (made, outcome) = match attempt.conclude(answer, secret) {
            Ok(Conclusion::Made(made, outcome)) => (made, outcome),
            Ok(Conclusion::Followed(request)) => {
                let granted = attempt.granted().filter(|_| replaces.is_some());
                if granted.is_some_and(|granted| self.leaves_it_to_the_peer(replaces, &granted)) {
                    return self.abandon_child(&attempt, ctx);
                }
                let purpose = Purpose::Child(Box::new(attempt));
                return self.request(ExchangeType::IKE_FOLLOWUP_KE, &request, purpose, ctx);
            }
            // The peer has a Child SA that we cannot have: the two states differ.
            Err(breach) => {
                ctx.pool.release(spi);
                return self.close(DownReason::Breach(breach.to_string()), ctx);
            }
        };
        if deleted.contains(&made.agreed.outbound) {
            ctx.pool.release(spi);
            return self.want_children(ctx);
        }
        let slot = made.slot;
        let outcome = self.twin(&made, replaces).unwrap_or(outcome);
        let sendable = matches!(outcome, Outcome::Ours { .. });
        let child = self.install(made, Role::Initiator, replaces, sendable, ctx);
        self.settle_race(child, replaces, outcome, ctx);
        self.want_children(ctx);
        if outdated {
            self.children.withdraw(slot, ctx);
            self.want_children(ctx);
        }
    }

    /// Both sides may have replaced the same Child SA at once (RFC 7296 §2.8.1), or made the same.
    fn settle_race(
        &mut self,
        made: ChildId,
        replaced: Option<ChildId>,
        outcome: Outcome<ChildId>,
        ctx: &mut Context<'_>,
    ) {
        let (delete, leave) = match outcome {
            Outcome::Ours { redundant } => ([replaced, None], [redundant, None]),
            Outcome::Theirs(_) => {
                tracing::info!(connection = self.connection.0, child = %made, "the peer's Child SA stays");
                ([Some(made), None], [replaced, None])
            }
        };
        for child in delete.into_iter().flatten() {
            if let Some(sa) = self.children.get_mut(child) {
                sa.delete();
            }
        }
        for child in leave.into_iter().flatten() {
            if let Some(sa) = self.children.get_mut(child) {
                sa.leave(ctx.now);
            }
        }
    }
}

/// Errors after which both sides cannot have the same state any more (RFC 7296 §2.21.3).
pub(super) fn fatal(payloads: Payloads<'_>) -> Option<String> {
    if let Some(unknown) = payloads.unknown_critical() {
        return Some(format!("a response with an unknown critical payload of type {}", unknown.0));
    }
    let error = payloads.error().map(|notify| notify.notify_type);
    let mutual = [NotifyType::INVALID_SYNTAX, NotifyType::AUTHENTICATION_FAILED];
    error.filter(|error| mutual.contains(error)).map(|error| format!("it answered {error}"))
}

state_of_variants!(Purpose {
    0 => Probe,
    1 => Child(attempt),
    2 => RekeyIke(attempt),
    3 => DeleteChild(child),
    4 => DeleteIke,
    5 => CheckPath(cookie),
    6 => Measure(size),
    7 => UpdateAddresses,
});

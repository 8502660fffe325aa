//! Our request for a successor of the IKE SA, from the answer on: who inherits its Child SAs
//! (RFC 7296 §2.8.2, §2.18).

use super::super::context::Context;
use super::super::event::Event;
use super::super::failure::{DownReason, FailureReason};
use super::super::payloads::Payloads;
use super::asking::Purpose;
use super::following::Conclusion;
use super::held;
use super::lifecycle::Lifecycle;
use super::rekey::{self, IkeAttempt};
use super::replacement::{Outcome, REFUSED};
use super::{Birth, Effect, Established};
use crate::crypto::suite::IkeSuite;
use crate::wire::ike::{ExchangeType, IkeSpi};

impl Established {
    /// The configured suites, the present one first.
    pub(super) fn rekey_suites(&self) -> Vec<IkeSuite> {
        let present = self.suite();
        let others = self.config.ike_suites.iter().filter(|&&suite| suite != present);
        std::iter::once(present).chain(others.copied()).collect()
    }

    pub(super) fn rekey_answered(
        &mut self,
        mut attempt: IkeAttempt,
        (answer, secret): (Payloads<'_>, Option<held::Agreed>),
        ctx: &mut Context<'_>,
    ) {
        let said = attempt.read(answer);
        match (said, attempt.race.rival()) {
            (rekey::Answer::Agreed, _) => self.rekey_agreed(attempt, (answer, secret), ctx),
            // Our attempt failed because the peer's has succeeded.
            (_, Some(_)) => {
                self.bequeath(attempt.race.take_rival());
                self.leave(ctx.now);
            }
            (rekey::Answer::Later, None) => self.rekey_put_off(ctx),
            (rekey::Answer::OtherGroup(group), None) => self.start_rekey(Some(group), ctx),
            (rekey::Answer::Refused(reason), None) => self.rekey_refused(reason, ctx),
        }
    }

    fn rekey_refused(&mut self, reason: FailureReason, ctx: &mut Context<'_>) {
        let ike = self.id();
        tracing::warn!(connection = self.connection.0, %ike, %reason, "IKE SA not rekeyed");
        self.life.rekey_at = ctx.now + REFUSED;
        let retry_at = Some(self.life.rekey_at);
        ctx.out.event(self.connection, Event::Failed { slot: None, reason, retry_at });
    }

    fn rekey_agreed(
        &mut self,
        mut attempt: IkeAttempt,
        (answer, secret): (Payloads<'_>, Option<held::Agreed>),
        ctx: &mut Context<'_>,
    ) {
        let (made, outcome) = match attempt.conclude(&self.exchanges.keys, answer, secret) {
            Ok(Conclusion::Made(made, outcome)) => (made, outcome),
            Ok(Conclusion::Followed(request)) => {
                let granted = attempt.granted();
                if granted.is_some_and(|granted| self.leaves_it_to_the_peer(None, &granted)) {
                    if let Some(winner) = attempt.race.take_rival() {
                        self.bequeath(Some(winner));
                        self.leave(ctx.now);
                    }
                    return;
                }
                let purpose = Purpose::RekeyIke(Box::new(attempt));
                return self.request(ExchangeType::IKE_FOLLOWUP_KE, &request, purpose, ctx);
            }
            // The peer has a successor that we cannot have: the two states differ.
            Err(breach) => return self.close(DownReason::Breach(breach.to_owned()), ctx),
        };
        let mut successor = self.successor(made, ctx);
        successor.begin_tokens(answer, ctx);
        match outcome {
            Outcome::Theirs(winner) => {
                let ike = successor.id();
                tracing::info!(connection = self.connection.0, %ike, "the peer's IKE SA stays");
                successor.close(DownReason::Rekeyed, ctx);
                self.effects.push(Effect::Insert(successor));
                self.bequeath(Some(winner));
                self.leave(ctx.now);
            }
            Outcome::Ours { redundant } => {
                successor.inherit(self.estate(), ctx);
                self.effects.push(Effect::Insert(successor));
                self.effects.extend(redundant.map(Effect::Redundant));
                self.close(DownReason::Rekeyed, ctx);
            }
        }
    }

    /// The peer has made a successor of an IKE SA that we are deleting: that goes, too.
    pub(super) fn rekey_answered_too_late(
        &mut self,
        mut attempt: IkeAttempt,
        (answer, secret): (Payloads<'_>, Option<held::Agreed>),
        ctx: &mut Context<'_>,
    ) {
        let concluded = attempt.conclude(&self.exchanges.keys, answer, secret);
        if let Ok(Conclusion::Made(made, _)) = concluded {
            let mut successor = self.successor(made, ctx);
            successor.close(DownReason::Rekeyed, ctx);
            self.effects.push(Effect::Insert(successor));
        }
    }

    fn successor(&self, made: rekey::Made, ctx: &mut Context<'_>) -> Box<Established> {
        let life = Lifecycle::active(&self.config.ike_lifetime, ctx);
        Established::born(Birth::Successor { of: self, made: Box::new(made), life }, ctx)
    }

    fn bequeath(&mut self, heir: Option<IkeSpi>) {
        if let Some(heir) = heir {
            let estate = self.estate();
            self.effects.push(Effect::Inherit(heir, estate));
        }
    }

    /// This IKE SA ends: if the peer has made a successor, it inherits.
    pub(super) fn bequeath_to_rival(&mut self) {
        if let Some(Purpose::RekeyIke(attempt)) = self.exchanges.purpose_mut() {
            let heir = attempt.race.take_rival();
            self.bequeath(heir);
        }
    }

    /// A successor made by the peer is gone: it was redundant in the peer's eyes.
    pub(crate) fn forget_rival(&mut self, spi: IkeSpi) {
        if let Some(Purpose::RekeyIke(attempt)) = self.exchanges.purpose_mut() {
            attempt.race.forget_rival(spi);
        }
    }
}

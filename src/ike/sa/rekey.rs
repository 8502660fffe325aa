//! CREATE_CHILD_SA for the IKE SA itself: its replacement, in both roles and by both at once
//! (RFC 7296 §1.3.2, §2.8.2, §2.18, §2.25.2).
//!
//! ```text
//! HDR, SK {SA, Ni, KEi}  ──►
//!               ◄──  HDR, SK {SA, Nr, KEr}
//! ```
//!
//! The new IKE SA inherits the Child SAs, and who asked for it deletes the old one. When both
//! ask at once, the new IKE SA made with the lowest of the four nonces is redundant: its
//! creator deletes it, and the other's creator deletes the old one.

use super::super::context::Context;
use super::super::event::{Event, IkeSaId, Role};
use super::super::exchange::{Requests, Responses};
use super::super::failure::{DownReason, FailureReason, NoProposal};
use super::super::keys::{IkeKeys, Nonces, Spis};
use super::super::liveness::Liveness;
use super::super::path::LivePath;
use super::super::payloads::Payloads;
use super::super::proposal::{self, Choice, describe_suites, group_of, method_of};
use super::children::{self, Children, LEAVING};
use super::create::{invalid_ke, public_value, wanted_group};
use super::requests::Purpose;
use super::{Effect, Established, Life, Request};
use crate::crypto::kex::{Group, KeyExchange};
use crate::crypto::suite::IkeSuite;
use crate::wire::ike::{ExchangeType, IkeSpi, NotifyType, Payload};
use std::time::Duration;

/// How long to wait after a refusal that time will not heal soon.
const REFUSED: Duration = Duration::from_secs(30);

/// A successor that we have asked for.
#[derive(Debug)]
pub(super) struct Attempt {
    spi: IkeSpi,
    nonce: Vec<u8>,
    key_exchange: KeyExchange,
    rival: Option<Rival>,
    regrouped: bool,
}

/// A successor that the peer made meanwhile.
#[derive(Debug)]
struct Rival {
    spi: IkeSpi,
    lowest_nonce: Vec<u8>,
}

impl Established {
    /// Asks for a successor, with a key exchange of `group` instead of the present one's.
    pub(super) fn start_rekey(&mut self, group: Option<Group>, ctx: &mut Context<'_>) {
        let regrouped = group.is_some();
        let group = group.unwrap_or(self.suite().group);
        let Ok(key_exchange) = KeyExchange::generate(group, ctx.random) else {
            self.rekey_at = ctx.now + REFUSED;
            return;
        };
        let (spi, nonce) = (ctx.ike_spi(), ctx.nonce());
        let payloads = [
            Payload::SecurityAssociation(proposal::offer(&self.rekey_suites(), &spi.0)),
            Payload::Nonce(nonce.clone()),
            public_value(&key_exchange),
        ];
        let attempt = Attempt { spi, nonce, key_exchange, rival: None, regrouped };
        let purpose = Purpose::RekeyIke(Box::new(attempt));
        self.request(ExchangeType::CREATE_CHILD_SA, &payloads, purpose, ctx);
    }

    /// The configured suites, the present one first.
    fn rekey_suites(&self) -> Vec<IkeSuite> {
        let present = self.suite();
        let others = self.config.ike_suites.iter().filter(|&&suite| suite != present);
        std::iter::once(present).chain(others.copied()).collect()
    }

    pub(super) fn rekey_answered(
        &mut self,
        attempt: Attempt,
        answer: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) {
        let error = answer.error();
        match error.map(|notify| notify.notify_type) {
            None => self.rekey_agreed(attempt, answer, ctx),
            Some(_) if attempt.rival.is_some() => self.yield_to_rival(attempt, ctx),
            Some(NotifyType::TEMPORARY_FAILURE) => self.rekey_at = self.soon(ctx),
            Some(NotifyType::INVALID_KE_PAYLOAD) if !attempt.regrouped => {
                let wanted = error.and_then(|notify| wanted_group(&notify.data));
                match wanted.filter(|&group| self.offers(group)) {
                    Some(group) => self.start_rekey(Some(group), ctx),
                    None => self.rekey_refused(NotifyType::INVALID_KE_PAYLOAD, ctx),
                }
            }
            Some(other) => self.rekey_refused(other, ctx),
        }
    }

    fn offers(&self, group: Group) -> bool {
        self.config.ike_suites.iter().any(|suite| suite.group == group)
    }

    fn rekey_refused(&mut self, notify: NotifyType, ctx: &mut Context<'_>) {
        let reason = match notify {
            NotifyType::NO_PROPOSAL_CHOSEN => FailureReason::IkeProposal(NoProposal::Theirs {
                offered: describe_suites(&self.rekey_suites()),
            }),
            notify => FailureReason::Refused { exchange: "rekeying of the IKE SA", notify },
        };
        tracing::warn!(connection = self.connection.0, ike = %self.id, %reason, "IKE SA not rekeyed");
        self.rekey_at = ctx.now + REFUSED;
        let retry_at = Some(self.rekey_at);
        ctx.out.event(self.connection, Event::Failed { reason, retry_at });
    }

    /// Our attempt failed because the peer's has succeeded.
    fn yield_to_rival(&mut self, attempt: Attempt, ctx: &mut Context<'_>) {
        if let Some(rival) = attempt.rival {
            let estate = self.estate();
            self.effects.push(Effect::Inherit(rival.spi, estate));
            self.leave(ctx.now);
        }
    }

    /// This IKE SA ends: if the peer has made a successor, it inherits.
    pub(super) fn bequeath_to_rival(&mut self) {
        let purpose = self.requests.outstanding_mut().map(|outstanding| &mut outstanding.purpose);
        let Some(Purpose::RekeyIke(attempt)) = purpose else { return };
        if let Some(rival) = attempt.rival.take() {
            let estate = self.estate();
            self.effects.push(Effect::Inherit(rival.spi, estate));
        }
    }

    /// A successor made by the peer is gone: it was redundant in the peer's eyes.
    pub fn forget_rival(&mut self, spi: IkeSpi) {
        let purpose = self.requests.outstanding_mut().map(|outstanding| &mut outstanding.purpose);
        if let Some(Purpose::RekeyIke(attempt)) = purpose {
            attempt.rival.take_if(|rival| rival.spi == spi);
        }
    }

    fn rekey_agreed(&mut self, attempt: Attempt, answer: Payloads<'_>, ctx: &mut Context<'_>) {
        let Attempt { spi, nonce, key_exchange, rival, .. } = attempt;
        let made = self.derive_answered(spi, nonce, key_exchange, answer);
        let (keys, id, nonces) = match made {
            Ok(made) => made,
            // The peer has a successor that we cannot have: the two states differ.
            Err(breach) => return self.close(DownReason::Breach(breach.to_owned()), ctx),
        };
        let wins = rival.as_ref().is_none_or(|rival| *nonces.lowest() > *rival.lowest_nonce);
        let mut successor = self.successor(id, Role::Initiator, keys, Life::Active, ctx);
        match rival {
            Some(winner) if !wins => {
                tracing::info!(connection = self.connection.0, ike = %id, "the peer's IKE SA stays");
                successor.close(DownReason::Rekeyed, ctx);
                self.effects.push(Effect::Insert(successor));
                let estate = self.estate();
                self.effects.push(Effect::Inherit(winner.spi, estate));
                self.leave(ctx.now);
            }
            redundant => {
                successor.inherit(self.estate(), ctx);
                self.effects.push(Effect::Insert(successor));
                self.effects.extend(redundant.map(|rival| Effect::Redundant(rival.spi)));
                self.close(DownReason::Rekeyed, ctx);
            }
        }
    }

    /// The peer has made a successor of an IKE SA that we are deleting: that goes, too.
    pub(super) fn rekey_answered_too_late(
        &mut self,
        attempt: Attempt,
        answer: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) {
        let Attempt { spi, nonce, key_exchange, .. } = attempt;
        if let Ok((keys, id, _)) = self.derive_answered(spi, nonce, key_exchange, answer) {
            let mut successor = self.successor(id, Role::Initiator, keys, Life::Active, ctx);
            successor.close(DownReason::Rekeyed, ctx);
            self.effects.push(Effect::Insert(successor));
        }
    }

    fn derive_answered(
        &self,
        spi: IkeSpi,
        nonce: Vec<u8>,
        key_exchange: KeyExchange,
        answer: Payloads<'_>,
    ) -> Result<(IkeKeys, IkeSaId, Nonces), &'static str> {
        let (Some(sa), Some(public), Some(responder)) =
            (answer.sa(), answer.key_exchange(), answer.nonce())
        else {
            return Err("the answer to the rekeying of the IKE SA lacks a payload");
        };
        let choice = proposal::chosen(sa, &self.rekey_suites())
            .ok_or("the answer chooses a proposal that was not offered")?;
        let group = choice.suite.group;
        if group != key_exchange.group() || public.method != method_of(group) {
            return Err("the key exchange is of another group than the suite");
        }
        let remote = ike_spi(&choice).ok_or("the SPI of an IKE SA has 8 octets, not all zero")?;
        let shared = key_exchange
            .agree(&public.data)
            .map_err(|_| "the peer's public value is not acceptable")?;
        let nonces = Nonces { initiator: nonce, responder: responder.clone() };
        let spis = Spis { initiator: spi, responder: remote };
        let keys = self
            .keys
            .rekeyed(choice.suite, &shared, &nonces, spis, Role::Initiator)
            .map_err(|_| "the key schedule does not fit the suite")?;
        Ok((keys, IkeSaId { local: spi, remote }, nonces))
    }

    fn successor(
        &self,
        id: IkeSaId,
        role: Role,
        keys: IkeKeys,
        life: Life,
        ctx: &mut Context<'_>,
    ) -> Box<Established> {
        let lifetime = &self.config.ike_lifetime;
        Box::new(Established {
            id,
            role,
            connection: self.connection,
            config: self.config.clone(),
            remote_id: self.remote_id.clone(),
            lineage: self.lineage.clone(),
            began_at: self.began_at,
            established_at: ctx.now,
            children: Children::new(self.connection),
            keys,
            path: LivePath::new(self.path.path(), self.path.nat(), ctx.now),
            requests: Requests::from(0),
            responses: Responses::from(0),
            liveness: Liveness::new(ctx.now),
            life,
            rekey_at: children::rekey_time(lifetime, ctx),
            expires_at: ctx.now + lifetime.hard,
            create_child_at: None,
            effects: Vec::new(),
        })
    }

    /// The peer asks for a successor.
    pub(super) fn rekey_requested(
        &mut self,
        request: &Request,
        payloads: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) {
        if self.is_busy() {
            return self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
        }
        let (Some(sa), Some(public), Some(nonce)) =
            (payloads.sa(), payloads.key_exchange(), payloads.nonce())
        else {
            return self.refuse_syntax(request, "rekeying lacks a payload".to_owned(), ctx);
        };
        let begun = group_of(public.method);
        match proposal::choose(sa, &self.rekey_suites(), begun) {
            Err(refusal) => {
                self.refuse(request, NotifyType::NO_PROPOSAL_CHOSEN, ctx);
                let reason = FailureReason::IkeProposal(refusal);
                ctx.out.event(self.connection, Event::Failed { reason, retry_at: None });
            }
            Ok(choice) if begun != Some(choice.suite.group) => {
                self.respond(request, &[invalid_ke(choice.suite.group)], ctx);
            }
            Ok(choice) => self.answer_rekey(request, &choice, &public.data, nonce, ctx),
        }
    }

    /// Whether an exchange of ours is under way that the replacement would cut off
    /// (RFC 7296 §2.25.1), or the peer has asked already.
    fn is_busy(&self) -> bool {
        match self.requests.purpose() {
            None | Some(Purpose::Probe) => false,
            Some(Purpose::RekeyIke(attempt)) => attempt.rival.is_some(),
            Some(Purpose::Child(_) | Purpose::DeleteChild(_) | Purpose::DeleteIke) => true,
        }
    }

    fn answer_rekey(
        &mut self,
        request: &Request,
        choice: &Choice<IkeSuite>,
        public: &[u8],
        nonce: &[u8],
        ctx: &mut Context<'_>,
    ) {
        let Ok(key_exchange) = KeyExchange::generate(choice.suite.group, ctx.random) else {
            return self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
        };
        let ours = public_value(&key_exchange);
        let nonces = Nonces { initiator: nonce.to_vec(), responder: ctx.nonce() };
        let local = ctx.ike_spi();
        let made = self.derive_requested(choice, key_exchange, public, &nonces, local);
        // A peer with such a public value or SPI is malicious or broken (RFC 6989 §2.5).
        let Some((keys, id)) = made else {
            let why = "the SPI or the public value of a rekeying is unacceptable";
            return self.refuse_syntax(request, why.to_owned(), ctx);
        };
        let answer = [
            Payload::SecurityAssociation(proposal::answer(choice, &local.0)),
            Payload::Nonce(nonces.responder.clone()),
            ours,
        ];
        self.respond(request, &answer, ctx);
        let life = Life::Heir { until: ctx.now + 2 * LEAVING };
        let mut successor = self.successor(id, Role::Responder, keys, life, ctx);
        if !self.note_rival(local, &nonces) {
            successor.inherit(self.estate(), ctx);
            self.leave(ctx.now);
        }
        self.effects.push(Effect::Insert(successor));
    }

    fn derive_requested(
        &self,
        choice: &Choice<IkeSuite>,
        key_exchange: KeyExchange,
        public: &[u8],
        nonces: &Nonces,
        local: IkeSpi,
    ) -> Option<(IkeKeys, IkeSaId)> {
        let remote = ike_spi(choice)?;
        let shared = key_exchange.agree(public).ok()?;
        let spis = Spis { initiator: remote, responder: local };
        let keys = self.keys.rekeyed(choice.suite, &shared, nonces, spis, Role::Responder).ok()?;
        Some((keys, IkeSaId { local, remote }))
    }

    /// If we are asking for a successor too, who wins shows when our answer comes
    /// (RFC 7296 §2.8.2).
    fn note_rival(&mut self, spi: IkeSpi, nonces: &Nonces) -> bool {
        let purpose = self.requests.outstanding_mut().map(|outstanding| &mut outstanding.purpose);
        let Some(Purpose::RekeyIke(attempt)) = purpose else { return false };
        attempt.rival = Some(Rival { spi, lowest_nonce: nonces.lowest().to_vec() });
        true
    }
}

/// The SPI that the peer gave to its side of the successor.
fn ike_spi(choice: &Choice<IkeSuite>) -> Option<IkeSpi> {
    let spi = IkeSpi(<[u8; 8]>::try_from(choice.spi.as_slice()).ok()?);
    (!spi.is_zero()).then_some(spi)
}

//! CREATE_CHILD_SA for Child SAs: new ones and new keys for old ones, in both roles, and both
//! at once (RFC 7296 §1.3.1, §1.3.3, §2.8, §2.25).
//!
//! ```text
//! HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  ──►
//!                                          ◄──  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
//! ```
//!
//! When both sides rekey the same Child SA at once, two take its place. "The SA created with
//! the lowest of the four nonces SHOULD be closed by the endpoint that created it", and the
//! other's creator deletes the old one.

use super::super::child::{Accepted, Agreed, Offer, notify_of};
use super::super::context::Context;
use super::super::event::{ChildId, Event, Role};
use super::super::failure::{ChildRefusal, DownReason, FailureReason};
use super::super::keys::Nonces;
use super::super::payloads::{Payloads, notify};
use super::super::proposal::{group_of, method_of};
use super::children::ChildState;
use super::requests::Purpose;
use super::{Effect, Established, Request};
use crate::crypto::kex::{Group, KeyExchange};
use crate::crypto::secret::Secret;
use crate::net::EspSpi;
use crate::time::Timestamp;
use crate::wire::ike::{
    ExchangeType, KeyExchange as PublicValue, Notify, NotifyType, Payload, ProtocolId,
};
use std::time::Duration;

/// Child SAs under one IKE SA at most, with those being replaced.
const MAX_CHILDREN: usize = 16;
/// How long to wait after a refusal that time will not heal soon.
const REFUSED: Duration = Duration::from_secs(10);

/// A Child SA that we have asked for.
#[derive(Debug)]
pub(super) struct Attempt {
    replaces: Option<ChildId>,
    rival: Option<Rival>,
    offer: Offer,
    nonce: Vec<u8>,
    key_exchange: Option<KeyExchange>,
    regrouped: bool,
    /// What the peer has deleted meanwhile, by its own SPIs: perhaps what we have asked for, if
    /// its answer was lost.
    deleted: Vec<EspSpi>,
}

/// A Child SA that the peer made meanwhile in place of the same one.
#[derive(Debug)]
struct Rival {
    child: ChildId,
    lowest_nonce: Vec<u8>,
}

impl Attempt {
    /// The peer has deleted a Child SA that we do not know yet.
    pub fn on_deleted(&mut self, spi: EspSpi) {
        if self.deleted.len() < MAX_CHILDREN {
            self.deleted.push(spi);
        }
    }

    /// Gives back what the attempt had taken.
    pub fn release(&self, ctx: &mut Context<'_>) {
        ctx.pool.release(self.offer.spi);
    }
}

impl Established {
    /// Asks for a Child SA, in place of `replaces` if given, with a key exchange of `group`
    /// instead of the one that we would choose.
    pub(super) fn start_child(
        &mut self,
        replaces: Option<ChildId>,
        group: Option<Group>,
        ctx: &mut Context<'_>,
    ) {
        let suites = self.config.esp_suites.clone();
        let regrouped = group.is_some();
        let group = group.or_else(|| suites.first().and_then(|suite| suite.group));
        let Ok(key_exchange) =
            group.map(|group| KeyExchange::generate(group, ctx.random)).transpose()
        else {
            return self.retry_child(replaces, ctx.now + REFUSED);
        };
        let offer = Offer::new(&self.config, suites, ctx);
        let nonce = ctx.nonce();
        let attempt = Attempt {
            replaces,
            rival: None,
            offer,
            nonce,
            key_exchange,
            regrouped,
            deleted: Vec::new(),
        };
        let payloads = self.child_request(&attempt);
        let purpose = Purpose::Child(Box::new(attempt));
        self.request(ExchangeType::CREATE_CHILD_SA, &payloads, purpose, ctx);
    }

    fn child_request(&self, attempt: &Attempt) -> Vec<Payload> {
        let replaced = attempt.replaces.and_then(|child| self.children.get(child));
        let mut payloads = Vec::new();
        payloads.extend(replaced.map(|sa| child_notify(NotifyType::REKEY_SA, sa.inbound)));
        payloads.push(attempt.offer.sa());
        payloads.push(Payload::Nonce(attempt.nonce.clone()));
        payloads.extend(attempt.key_exchange.as_ref().map(public_value));
        payloads.extend(attempt.offer.selectors());
        payloads
    }

    pub(super) fn child_answered(
        &mut self,
        attempt: Attempt,
        answer: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) {
        let error = answer.error();
        match error.map(|notify| notify.notify_type) {
            None => self.child_agreed(attempt, answer, ctx),
            Some(NotifyType::INVALID_KE_PAYLOAD) if !attempt.regrouped => {
                let wanted = error.and_then(|notify| wanted_group(&notify.data));
                self.regroup_child(attempt, wanted, ctx);
            }
            Some(NotifyType::TEMPORARY_FAILURE) => {
                let again = self.soon(ctx);
                self.abandon_child(&attempt, ctx);
                self.retry_child(attempt.replaces, again);
            }
            Some(NotifyType::CHILD_SA_NOT_FOUND) => {
                self.abandon_child(&attempt, ctx);
                if let Some(old) = attempt.replaces {
                    self.children.remove(old, ctx);
                }
                self.want_child(ctx);
            }
            Some(other) => {
                let refusal =
                    attempt.offer.accept(answer).err().unwrap_or(ChildRefusal::Notified(other));
                self.child_refused(&attempt, refusal, ctx);
            }
        }
    }

    /// The peer wants a key exchange of another group (RFC 7296 §1.3).
    fn regroup_child(&mut self, attempt: Attempt, wanted: Option<Group>, ctx: &mut Context<'_>) {
        let offered = wanted.filter(|&group| attempt.offer.groups().any(|ours| ours == group));
        if offered.is_none() {
            let refusal = ChildRefusal::Notified(NotifyType::INVALID_KE_PAYLOAD);
            return self.child_refused(&attempt, refusal, ctx);
        }
        self.abandon_child(&attempt, ctx);
        if attempt.rival.is_none() {
            self.start_child(attempt.replaces, offered, ctx);
        }
    }

    /// The attempt came to nothing; what the peer made meanwhile takes the place.
    fn abandon_child(&mut self, attempt: &Attempt, ctx: &mut Context<'_>) {
        attempt.release(ctx);
        let old = attempt.replaces.and_then(|old| self.children.get_mut(old));
        if let (Some(old), Some(_)) = (old, &attempt.rival) {
            old.leave(ctx.now);
        }
    }

    fn retry_child(&mut self, replaces: Option<ChildId>, at: Timestamp) {
        match replaces {
            None => self.create_child_at = Some(at),
            Some(old) => {
                if let Some(sa) = self.children.get_mut(old) {
                    sa.rekey_at = at;
                }
            }
        }
    }

    fn child_refused(&mut self, attempt: &Attempt, refusal: ChildRefusal, ctx: &mut Context<'_>) {
        tracing::warn!(connection = self.connection.0, ike = %self.id, %refusal, "no Child SA");
        self.abandon_child(attempt, ctx);
        if attempt.replaces.is_none() {
            // An IKE SA without a Child SA serves nobody: a fresh attempt, after a pause, may
            // find a peer with another configuration.
            self.effects.push(Effect::NoChild(refusal.clone()));
            return self.close(DownReason::NoChild(refusal), ctx);
        }
        let again = ctx.now + REFUSED;
        self.retry_child(attempt.replaces, again);
        let reason = FailureReason::Child(refusal);
        ctx.out.event(self.connection, Event::Failed { reason, retry_at: Some(again) });
    }

    fn child_agreed(&mut self, attempt: Attempt, answer: Payloads<'_>, ctx: &mut Context<'_>) {
        let Attempt { replaces, rival, offer, nonce, key_exchange, deleted, .. } = attempt;
        let shared = offer.accept(answer).and_then(|agreed| {
            let responder =
                answer.nonce().ok_or(ChildRefusal::Breach("the answer holds no nonce"))?;
            let shared = share(agreed.suite.group, key_exchange, answer)?;
            Ok((agreed, shared, Nonces { initiator: nonce, responder: responder.clone() }))
        });
        let (agreed, shared, nonces) = match shared {
            Ok(parts) => parts,
            // The peer has a Child SA that we cannot have: the two states differ.
            Err(breach) => {
                ctx.pool.release(offer.spi);
                return self.close(DownReason::Breach(breach.to_string()), ctx);
            }
        };
        if deleted.contains(&agreed.outbound) {
            ctx.pool.release(offer.spi);
            return self.want_child(ctx);
        }
        let rival = rival.filter(|rival| self.children.get(rival.child).is_some());
        let wins = rival.as_ref().is_none_or(|rival| *nonces.lowest() > *rival.lowest_nonce);
        let child =
            self.install_made(agreed, &shared, &nonces, Role::Initiator, replaces, wins, ctx);
        self.settle_rekey(child, replaces, rival, wins, ctx);
    }

    fn settle_rekey(
        &mut self,
        made: ChildId,
        replaced: Option<ChildId>,
        rival: Option<Rival>,
        wins: bool,
        ctx: &mut Context<'_>,
    ) {
        if !wins {
            tracing::info!(connection = self.connection.0, child = %made, "the peer's Child SA stays");
            if let Some(sa) = self.children.get_mut(made) {
                sa.delete(DownReason::Rekeyed);
            }
        }
        let redundant = rival.filter(|_| wins).map(|rival| rival.child);
        if let Some(sa) = redundant.and_then(|child| self.children.get_mut(child)) {
            sa.leave(ctx.now);
        }
        if let Some(old) = replaced.and_then(|old| self.children.get_mut(old)) {
            if wins { old.delete(DownReason::Rekeyed) } else { old.leave(ctx.now) }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all of an exchange's outcome")]
    fn install_made(
        &mut self,
        agreed: Agreed,
        shared: &Option<Secret>,
        nonces: &Nonces,
        role: Role,
        replaces: Option<ChildId>,
        sendable: bool,
        ctx: &mut Context<'_>,
    ) -> ChildId {
        let spis = (agreed.inbound, agreed.outbound);
        let seed = self.keys.child_seed();
        let keys = seed.keys(agreed.suite, spis, shared.as_ref(), nonces, role);
        self.install(agreed, keys, role, replaces, sendable, ctx)
    }

    /// The peer asks for a Child SA.
    pub(super) fn child_requested(
        &mut self,
        request: &Request,
        payloads: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) {
        if matches!(self.requests.purpose(), Some(Purpose::RekeyIke(_))) {
            return self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
        }
        let replaces = match self.rekeyed_child(payloads) {
            Ok(replaces) => replaces,
            Err(refusal) => return self.respond(request, &[refusal], ctx),
        };
        if self.children.len() >= MAX_CHILDREN {
            return self.refuse(request, NotifyType::NO_ADDITIONAL_SAS, ctx);
        }
        let Some(nonce) = payloads.nonce() else {
            return self.refuse_syntax(request, "CREATE_CHILD_SA without nonce".to_owned(), ctx);
        };
        let begun = payloads.key_exchange().and_then(|ke| group_of(ke.method));
        let suites = &self.config.esp_suites;
        match Accepted::check(&self.config, suites, payloads, begun) {
            Err(refusal) => self.refuse_child(request, refusal, ctx),
            Ok(accepted) => match accepted.choice.suite.group {
                Some(group) if begun != Some(group) => {
                    self.respond(request, &[invalid_ke(group)], ctx);
                }
                Some(_) | None => {
                    self.answer_child(request, payloads, nonce, replaces, &accepted, ctx);
                }
            },
        }
    }

    /// The Child SA that the peer wants replaced, or what to answer instead (RFC 7296 §2.25.1).
    fn rekeyed_child(&self, payloads: Payloads<'_>) -> Result<Option<ChildId>, Payload> {
        let Some(rekey) = payloads.notify(NotifyType::REKEY_SA) else { return Ok(None) };
        let spi = <[u8; 4]>::try_from(rekey.spi.as_slice()).unwrap_or_default();
        let spi = EspSpi(u32::from_be_bytes(spi));
        let child = self.children.by_outbound(spi);
        let known = child.and_then(|child| Some((child, self.children.get(child)?.state)));
        let being_made = matches!(self.requests.purpose(), Some(Purpose::Child(_)));
        match known {
            // Perhaps the one whose making was answered, but the answer was lost.
            None if being_made => Err(notify(NotifyType::TEMPORARY_FAILURE, [])),
            None => Err(child_notify(NotifyType::CHILD_SA_NOT_FOUND, spi)),
            Some((child, ChildState::Installed)) => Ok(Some(child)),
            Some((_, ChildState::Leaving { .. } | ChildState::Deleting | ChildState::Expired)) => {
                Err(notify(NotifyType::TEMPORARY_FAILURE, []))
            }
        }
    }

    fn refuse_child(&mut self, request: &Request, refusal: ChildRefusal, ctx: &mut Context<'_>) {
        tracing::warn!(connection = self.connection.0, ike = %self.id, %refusal, "Child SA refused");
        let with = notify_of(&refusal);
        if with == NotifyType::INVALID_SYNTAX {
            return self.refuse_syntax(request, refusal.to_string(), ctx);
        }
        self.refuse(request, with, ctx);
        let reason = FailureReason::Child(refusal);
        ctx.out.event(self.connection, Event::Failed { reason, retry_at: None });
    }

    fn answer_child(
        &mut self,
        request: &Request,
        payloads: Payloads<'_>,
        nonce: &[u8],
        replaces: Option<ChildId>,
        accepted: &Accepted,
        ctx: &mut Context<'_>,
    ) {
        let group = accepted.choice.suite.group;
        let Ok(key_exchange) =
            group.map(|group| KeyExchange::generate(group, ctx.random)).transpose()
        else {
            return self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
        };
        let public = key_exchange.as_ref().map(public_value);
        let shared = match share(group, key_exchange, payloads) {
            Ok(shared) => shared,
            Err(refusal) => return self.refuse_child(request, refusal, ctx),
        };
        let nonces = Nonces { initiator: nonce.to_vec(), responder: ctx.nonce() };
        let agreed = accepted.agree(ctx);
        let mut answer = vec![accepted.sa(&agreed), Payload::Nonce(nonces.responder.clone())];
        answer.extend(public);
        answer.extend(accepted.selectors());
        // Installed before the answer leaves: the peer may send at once. We send on it when the
        // peer does, or has deleted the old one.
        let sendable = replaces.is_none();
        let made =
            self.install_made(agreed, &shared, &nonces, Role::Responder, replaces, sendable, ctx);
        self.note_replacement(made, replaces, &nonces, ctx);
        self.respond(request, &answer, ctx);
        self.create_child_at = None;
    }

    /// The peer has replaced a Child SA. If we are replacing it too, who wins shows when our
    /// answer comes (RFC 7296 §2.8.1).
    fn note_replacement(
        &mut self,
        made: ChildId,
        replaced: Option<ChildId>,
        nonces: &Nonces,
        ctx: &mut Context<'_>,
    ) {
        let Some(replaced) = replaced else { return };
        let ours = self.requests.outstanding_mut().map(|outstanding| &mut outstanding.purpose);
        if let Some(Purpose::Child(attempt)) = ours
            && attempt.replaces == Some(replaced)
        {
            let lowest_nonce = nonces.lowest().to_vec();
            attempt.rival = Some(Rival { child: made, lowest_nonce });
            return;
        }
        if let Some(old) = self.children.get_mut(replaced) {
            old.leave(ctx.now);
        }
    }

    /// A moment that both sides are unlikely to choose at once.
    pub(super) fn soon(&self, ctx: &mut Context<'_>) -> Timestamp {
        ctx.now + Duration::from_millis(200 + ctx.random.below(1000))
    }
}

/// The shared secret, when the suite wants one.
fn share(
    group: Option<Group>,
    key_exchange: Option<KeyExchange>,
    peer: Payloads<'_>,
) -> Result<Option<Secret>, ChildRefusal> {
    let Some(group) = group else { return Ok(None) };
    let public = peer.key_exchange().filter(|public| public.method == method_of(group));
    let ours = key_exchange.filter(|ours| ours.group() == group);
    match (ours, public) {
        (Some(ours), Some(public)) => {
            ours.agree(&public.data).map(Some).map_err(|_| ChildRefusal::PublicValue)
        }
        (_, _) => Err(ChildRefusal::Breach("the key exchange is of another group than the suite")),
    }
}

pub(in super::super) fn public_value(key_exchange: &KeyExchange) -> Payload {
    Payload::KeyExchange(PublicValue {
        method: method_of(key_exchange.group()),
        data: key_exchange.public().to_vec(),
    })
}

/// The group that an INVALID_KE_PAYLOAD notification asks for.
pub(in super::super) fn wanted_group(data: &[u8]) -> Option<Group> {
    let octets = <[u8; 2]>::try_from(data).ok()?;
    group_of(u16::from_be_bytes(octets).into())
}

pub(in super::super) fn invalid_ke(wanted: Group) -> Payload {
    notify(NotifyType::INVALID_KE_PAYLOAD, method_of(wanted).0.to_be_bytes())
}

fn child_notify(notify_type: NotifyType, spi: EspSpi) -> Payload {
    Payload::Notify(Notify {
        protocol: ProtocolId::ESP,
        spi: spi.0.to_be_bytes().to_vec(),
        notify_type,
        data: Vec::new(),
    })
}

//! The peer's requests on an established IKE SA.

use super::super::child::{Accepted, notify_of};
use super::super::config::SlotId;
use super::super::context::Context;
use super::super::event::{ChildId, Event, Role};
use super::super::failure::{ChildRefusal, DownReason, FailureReason};
use super::super::fault::{self, Fault};
use super::super::keys::Nonces;
use super::super::limits::most_children;
use super::super::payloads::{Payloads, child_notify, esp_spi, notify};
use super::super::proposal::Beside;
use super::super::stats::Discard;
use super::asking::Purpose;
use super::children::ChildState;
use super::exchanges::Request;
use super::following::{ChildWanted, Wanted};
use super::lifecycle::{Life, Lifecycle};
use super::moving::copied;
use super::{Birth, Effect, Established, create, held, rekey};
use crate::net::EspSpi;
use crate::wire::ike::{Delete, ExchangeType, IkeSpi, NotifyType, Payload, ProtocolId};

impl Established {
    /// Does what a request asks for, and answers it; `responded` is what came of the key
    /// exchange that it takes. What has happened meanwhile counts.
    pub(super) fn answer(
        &mut self,
        request: &Request,
        responded: Option<held::Responded>,
        ctx: &mut Context<'_>,
    ) {
        let payloads = match request.opened.payloads() {
            Ok(payloads) => Payloads(payloads),
            Err(error) => return self.refuse_syntax(request, error.to_string(), ctx),
        };
        if let Some(unknown) = payloads.unknown_critical() {
            ctx.out.count(Discard::CriticalPayload);
            let refusal = notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, [unknown.0]);
            return self.respond(request, &[refusal], ctx);
        }
        match request.opened.header().exchange_type {
            ExchangeType::INFORMATIONAL => self.informational(request, payloads, ctx),
            ExchangeType::CREATE_CHILD_SA => {
                self.create_child_sa(request, (payloads, responded), ctx)
            }
            ExchangeType::IKE_FOLLOWUP_KE => self.followed_up(request, (payloads, responded), ctx),
            other => {
                ctx.out.count(Discard::Unexpected);
                self.refuse_syntax(request, format!("it asks for {other} here"), ctx);
            }
        }
    }

    /// Answers the peer's request.
    pub(super) fn respond(
        &mut self,
        request: &Request,
        payloads: &[Payload],
        ctx: &mut Context<'_>,
    ) {
        self.exchanges.answer(request, payloads, ctx);
    }

    /// "This error notification is considered fatal in both peers" (RFC 7296 §2.21.3).
    pub(super) fn refuse_syntax(&mut self, request: &Request, why: String, ctx: &mut Context<'_>) {
        self.respond(request, &[notify(NotifyType::INVALID_SYNTAX, [])], ctx);
        self.end(DownReason::Breach(why), ctx);
    }

    pub(super) fn refuse(&mut self, request: &Request, with: NotifyType, ctx: &mut Context<'_>) {
        tracing::debug!(connection = self.connection.0, ike = %self.id(), %with, "request refused");
        self.respond(request, &[notify(with, [])], ctx);
    }

    /// The peer asks for more than it may have now, and is to ask again later (RFC 7296 §2.25).
    pub(super) fn put_off(&mut self, request: &Request, ctx: &mut Context<'_>) {
        self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
    }

    /// Probes, deletions and late errors (RFC 7296 §1.4).
    fn informational(&mut self, request: &Request, payloads: Payloads<'_>, ctx: &mut Context<'_>) {
        let ike_deleted = payloads.deletes().any(|delete| delete.protocol == ProtocolId::IKE);
        let rejected = payloads.notify(NotifyType::AUTHENTICATION_FAILED).is_some();
        if ike_deleted || rejected {
            self.respond(request, &[], ctx);
            let replaced = matches!(self.life.life(), Life::Leaving { .. });
            let reason = match (rejected, replaced) {
                (true, _) => DownReason::RejectedByPeer,
                (false, true) => DownReason::Rekeyed,
                (false, false) => DownReason::DeletedByPeer,
            };
            return self.end(reason, ctx);
        }
        self.peer_token.on_told(payloads);
        let update = self.addresses_told(request.path, payloads, ctx);
        let lost = self.lost_child(payloads);
        let deleted = self.deleted_children(payloads);
        let spis: Vec<Vec<u8>> = deleted
            .iter()
            .filter_map(|&child| self.children.get(child))
            .map(|sa| sa.inbound.0.to_be_bytes().to_vec())
            .collect();
        let delete = Payload::Delete(Delete { protocol: ProtocolId::ESP, spis });
        let delete = Some(delete).filter(|_| !deleted.is_empty());
        let answer: Vec<Payload> =
            delete.into_iter().chain(update).chain(copied(payloads)).collect();
        self.respond(request, &answer, ctx);
        for child in deleted {
            self.children.remove(child, ctx);
        }
        self.want_children(ctx);
        if let Some(child) = lost {
            self.children.on_lost(child, ctx);
        }
    }

    /// The Child SA in use under which the peer got ESP and which it does not know: "The
    /// Notification Data contains the SPI of the invalid packet" (RFC 7296 §3.10.1).
    fn lost_child(&self, payloads: Payloads<'_>) -> Option<ChildId> {
        let invalid = payloads.notify(NotifyType::INVALID_SPI)?;
        let child = esp_spi(&invalid.data).and_then(|spi| self.children.by_outbound(spi))?;
        let state = self.children.get(child).map(|sa| sa.state);
        (state == Some(ChildState::Installed) && self.is_active()).then_some(child)
    }

    /// The Child SAs that the peer's Delete payloads name. One that we have asked the peer to
    /// delete goes when the answer comes (RFC 7296 §2.25.1, §1.4.1).
    fn deleted_children(&mut self, payloads: Payloads<'_>) -> Vec<ChildId> {
        let of_esp = payloads.deletes().filter(|delete| delete.protocol == ProtocolId::ESP);
        let spis: Vec<EspSpi> =
            of_esp.flat_map(|delete| &delete.spis).filter_map(|spi| esp_spi(spi)).collect();
        self.note_unknown(&spis);
        let mut children: Vec<ChildId> =
            spis.iter().filter_map(|&spi| self.children.by_outbound(spi)).collect();
        children.sort_unstable();
        children.dedup();
        children.retain(|&child| !self.is_being_deleted(child));
        children
    }

    /// What the peer deletes before we know of it must not come up later.
    fn note_unknown(&mut self, deleted: &[EspSpi]) {
        let Established { children, exchanges, .. } = self;
        let Some(Purpose::Child(attempt)) = exchanges.purpose_mut() else { return };
        let unknown = deleted.iter().filter(|&&spi| children.by_outbound(spi).is_none());
        unknown.for_each(|&spi| attempt.on_deleted(spi));
    }

    fn is_being_deleted(&self, child: ChildId) -> bool {
        matches!(self.exchanges.purpose(), Some(&Purpose::DeleteChild(ours)) if ours == child)
    }

    fn create_child_sa(
        &mut self,
        request: &Request,
        (payloads, responded): (Payloads<'_>, Option<held::Responded>),
        ctx: &mut Context<'_>,
    ) {
        // Whoever asks for something else does not go on with what it had begun.
        self.drop_followups(ctx);
        // Child SAs of this one are moving or have moved (RFC 7296 §2.25.2).
        if !self.is_active() {
            return self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
        }
        match payloads.proposed_protocol() {
            Some(ProtocolId::IKE) => self.rekey_requested(request, (payloads, responded), ctx),
            Some(ProtocolId::ESP) => self.child_requested(request, (payloads, responded), ctx),
            Some(_) => self.refuse(request, NotifyType::NO_PROPOSAL_CHOSEN, ctx),
            None => self.refuse_syntax(request, "CREATE_CHILD_SA without SA".to_owned(), ctx),
        }
    }
}

/// The peer asks for a Child SA, new or in place of another.
impl Established {
    fn child_requested(
        &mut self,
        request: &Request,
        (payloads, responded): (Payloads<'_>, Option<held::Responded>),
        ctx: &mut Context<'_>,
    ) {
        let made = self.acceptable_child(payloads).and_then(|(replaces, accepted)| {
            Ok((replaces, create::answer(&accepted, payloads, responded, ctx)?))
        });
        match made {
            Err(create::Refusal::Notify(notify)) => self.respond(request, &[notify], ctx),
            Err(create::Refusal::Unfit(refusal)) => self.refuse_child(request, refusal, ctx),
            Ok((replaces, (made, mut answer))) => {
                // Installed before the answer leaves: the peer may send at once.
                match made.agreed.additional {
                    none if none.is_none() || fault::is_on(Fault::InstallsTooSoon) => {
                        self.install_requested(made, replaces, ctx);
                    }
                    more => {
                        let wanted = Wanted::Child(ChildWanted { replaces, made });
                        answer.push(self.follow(wanted, more, ctx));
                    }
                }
                self.respond(request, &answer, ctx);
            }
        }
    }

    /// Installs what the peer has asked for. We send on it when the peer does, or has deleted the old
    /// one.
    pub(super) fn install_requested(
        &mut self,
        made: create::Made,
        replaces: Option<ChildId>,
        ctx: &mut Context<'_>,
    ) {
        let early = fault::is_on(Fault::SendsEarly);
        let (nonces, sendable) = (made.nonces.clone(), replaces.is_none() || early);
        let child = self.install(made, Role::Responder, replaces, sendable, ctx);
        self.note_replacement(child, replaces, &nonces, ctx);
    }

    /// Whether the Child SA that the peer replaces is still one that can be.
    pub(super) fn may_replace(&self, replaces: Option<ChildId>) -> bool {
        let installed =
            |child| self.children.get(child).is_some_and(|sa| sa.state == ChildState::Installed);
        replaces.is_none_or(installed)
    }

    /// The Child SA that the peer could have now, and which one it is to replace.
    ///
    /// # Errors
    ///
    /// Why it can have none.
    pub(super) fn acceptable_child(
        &self,
        payloads: Payloads<'_>,
    ) -> Result<(Option<ChildId>, Accepted), create::Refusal> {
        let refused = |with| create::Refusal::Notify(notify(with, []));
        if matches!(self.exchanges.purpose(), Some(Purpose::RekeyIke(_))) {
            return Err(refused(NotifyType::TEMPORARY_FAILURE));
        }
        let replaces = self.rekeyed_child(payloads).map_err(create::Refusal::Notify)?;
        if replaces.is_some() && self.is_following_up(replaces) {
            return Err(refused(NotifyType::TEMPORARY_FAILURE));
        }
        if self.is_crowded() {
            return Err(refused(NotifyType::NO_ADDITIONAL_SAS));
        }
        let replaced = replaces.and_then(|child| self.children.get(child)).map(|sa| sa.slot);
        let has_child = |slot| self.children.has(slot);
        let accepted = create::check(&self.config, replaced, has_child, payloads)
            .map_err(create::Refusal::Unfit)?;
        if replaces.is_none() && self.goes_first(accepted.slot) {
            return Err(refused(NotifyType::TEMPORARY_FAILURE));
        }
        Ok((replaces, accepted))
    }

    /// Whether there are as many Child SAs as there may be.
    pub(super) fn is_crowded(&self) -> bool {
        self.children.len() >= most_children(self.config.strands())
    }

    /// Whether we are asking for the same slot's first Child SA at the same time. Among sides
    /// that name slots the initiator of the IKE SA goes first, so that the slot gets one only.
    fn goes_first(&self, slot: SlotId) -> bool {
        let asking = match self.exchanges.purpose() {
            Some(Purpose::Child(attempt)) => attempt.replaces.is_none() && attempt.slot() == slot,
            _ => false,
        };
        asking && self.descent.names_slots && self.role() == Role::Initiator
    }

    /// The Child SA that the peer wants replaced, or what to answer instead (RFC 7296 §2.25.1).
    fn rekeyed_child(&self, payloads: Payloads<'_>) -> Result<Option<ChildId>, Payload> {
        let Some(rekey) = payloads.notify(NotifyType::REKEY_SA) else { return Ok(None) };
        let spi = esp_spi(&rekey.spi).unwrap_or(EspSpi(0));
        let child = self.children.by_outbound(spi);
        let known = child.and_then(|child| Some((child, self.children.get(child)?.state)));
        let being_made = matches!(self.exchanges.purpose(), Some(Purpose::Child(_)));
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
        tracing::debug!(connection = self.connection.0, ike = %self.id(), %refusal, "Child SA refused");
        if create::is_breach(&refusal) {
            return self.refuse_syntax(request, refusal.to_string(), ctx);
        }
        self.refuse(request, notify_of(&refusal), ctx);
        let (slot, reason) = (None, FailureReason::Child(refusal));
        ctx.out.event(self.connection, Event::Failed { slot, reason, retry_at: None });
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
        if !fault::is_on(Fault::MissesRival)
            && let Some(Purpose::Child(attempt)) = self.exchanges.purpose_mut()
            && attempt.replaces == Some(replaced)
        {
            return attempt.race.on_rival(made, nonces);
        }
        if let Some(old) = self.children.get_mut(replaced) {
            old.leave(ctx.now);
        }
    }
}

/// The peer asks for a successor of the IKE SA.
impl Established {
    fn rekey_requested(
        &mut self,
        request: &Request,
        (payloads, responded): (Payloads<'_>, Option<held::Responded>),
        ctx: &mut Context<'_>,
    ) {
        if self.is_busy() || self.is_following_up(None) {
            return self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
        }
        let (suites, beside) = (self.rekey_suites(), self.beside_requested());
        match rekey::answer(&suites, beside, payloads, responded, ctx) {
            Err(rekey::Refusal::Notify(notify)) => self.respond(request, &[notify], ctx),
            Err(rekey::Refusal::Breach(why)) => self.refuse_syntax(request, why.to_owned(), ctx),
            Err(rekey::Refusal::Proposal(refusal)) => {
                self.refuse(request, NotifyType::NO_PROPOSAL_CHOSEN, ctx);
                let reason = FailureReason::IkeProposal(refusal);
                ctx.out
                    .event(self.connection, Event::Failed { slot: None, reason, retry_at: None });
            }
            Ok((agreed, mut answer)) => match agreed.additional() {
                none if none.is_none() => {
                    let made = agreed.derive(&self.exchanges.keys, Role::Responder);
                    let Some(made) = made else {
                        return self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
                    };
                    answer.extend(ctx.crash_token(made.id, request.path.local.ip()));
                    self.respond(request, &answer, ctx);
                    self.give_way(made, ctx);
                }
                more => {
                    answer.push(self.follow(Wanted::Ike(agreed), more, ctx));
                    self.respond(request, &answer, ctx);
                }
            },
        }
    }

    /// The key exchanges that may stand beside the first of a successor that the peer asks for.
    pub(super) fn beside_requested(&self) -> Beside {
        Beside::initial(self.config.post_quantum)
    }

    /// Whether an exchange of ours is under way that the replacement would cut off
    /// (RFC 7296 §2.25.1), or the peer has asked already.
    pub(super) fn is_busy(&self) -> bool {
        if fault::is_on(Fault::RekeysWhileBusy) {
            return false;
        }
        match self.exchanges.purpose() {
            None | Some(Purpose::Probe | Purpose::CheckPath(_) | Purpose::Measure(_)) => false,
            Some(Purpose::UpdateAddresses) => false,
            Some(Purpose::RekeyIke(attempt)) => attempt.race.rival().is_some(),
            Some(Purpose::Child(_) | Purpose::DeleteChild(_) | Purpose::DeleteIke) => true,
        }
    }

    /// Whether the peer has granted what is to replace this Child SA, or with `None` the IKE SA, and key
    /// exchanges are being made for it: "a TEMPORARY_FAILURE notification MUST be sent" to who asks for
    /// the same then (RFC 9370 §2.2.4).
    pub(super) fn is_following_up(&self, child: Option<ChildId>) -> bool {
        match self.exchanges.purpose() {
            Some(Purpose::Child(attempt)) => {
                child.is_some() && attempt.replaces == child && attempt.granted().is_some()
            }
            Some(Purpose::RekeyIke(attempt)) => child.is_none() && attempt.granted().is_some(),
            _ => false,
        }
    }

    /// The peer has made a successor: it inherits, unless we are asking for one, too.
    pub(super) fn give_way(&mut self, made: rekey::Made, ctx: &mut Context<'_>) {
        let contested =
            !fault::is_on(Fault::MovesTooSoon) && self.note_rival(made.id.local, &made.nonces);
        let life = Lifecycle::heir(&self.config.ike_lifetime, ctx);
        let mut successor =
            Established::born(Birth::Successor { of: self, made: Box::new(made), life }, ctx);
        if !contested {
            successor.inherit(self.estate(), ctx);
            self.leave(ctx.now);
        }
        self.effects.push(Effect::Insert(successor));
    }

    /// If we are asking for a successor too, who wins shows when our answer comes
    /// (RFC 7296 §2.8.2).
    fn note_rival(&mut self, spi: IkeSpi, nonces: &Nonces) -> bool {
        let Some(Purpose::RekeyIke(attempt)) = self.exchanges.purpose_mut() else { return false };
        attempt.race.on_rival(spi, nonces);
        true
    }
}

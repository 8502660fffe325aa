//! The peer's requests on an established IKE SA.

use super::super::context::Context;
use super::super::event::ChildId;
use super::super::failure::DownReason;
use super::super::payloads::{Payloads, notify};
use super::super::stats::Discard;
use super::children::ChildState;
use super::requests::Purpose;
use super::{Established, Life, Request};
use crate::net::EspSpi;
use crate::wire::ike::{Delete, ExchangeType, NotifyType, Payload, ProtocolId};

impl Established {
    pub(super) fn handle_request(&mut self, request: &Request, ctx: &mut Context<'_>) {
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
            ExchangeType::CREATE_CHILD_SA => self.create_child_sa(request, payloads, ctx),
            other => {
                ctx.out.count(Discard::Unexpected);
                self.refuse_syntax(request, format!("it asks for {other} here"), ctx);
            }
        }
    }

    /// "This error notification is considered fatal in both peers" (RFC 7296 §2.21.3).
    pub(super) fn refuse_syntax(&mut self, request: &Request, why: String, ctx: &mut Context<'_>) {
        self.respond(request, &[notify(NotifyType::INVALID_SYNTAX, [])], ctx);
        self.end(DownReason::Breach(why), ctx);
    }

    pub(super) fn refuse(&mut self, request: &Request, with: NotifyType, ctx: &mut Context<'_>) {
        tracing::debug!(connection = self.connection.0, ike = %self.id, %with, "request refused");
        self.respond(request, &[notify(with, [])], ctx);
    }

    /// Probes, deletions and late errors (RFC 7296 §1.4).
    fn informational(&mut self, request: &Request, payloads: Payloads<'_>, ctx: &mut Context<'_>) {
        let ike_deleted = payloads.deletes().any(|delete| delete.protocol == ProtocolId::IKE);
        let rejected = payloads.notify(NotifyType::AUTHENTICATION_FAILED).is_some();
        if ike_deleted || rejected {
            self.respond(request, &[], ctx);
            let replaced = matches!(self.life, Life::Leaving { .. });
            let reason = match (rejected, replaced) {
                (true, _) => DownReason::RejectedByPeer,
                (false, true) => DownReason::Rekeyed,
                (false, false) => DownReason::DeletedByPeer,
            };
            return self.end(reason, ctx);
        }
        let deleted = self.deleted_children(payloads);
        let spis: Vec<Vec<u8>> = deleted
            .iter()
            .filter_map(|&child| self.children.get(child))
            .map(|sa| sa.inbound.0.to_be_bytes().to_vec())
            .collect();
        let delete = Payload::Delete(Delete { protocol: ProtocolId::ESP, spis });
        let answer: &[Payload] = if deleted.is_empty() { &[] } else { &[delete] };
        self.respond(request, answer, ctx);
        for child in deleted {
            self.children.remove(child, ctx);
        }
        self.want_child(ctx);
    }

    /// The Child SAs that the peer's Delete payloads name. One that we have asked the peer to
    /// delete goes when the answer comes (RFC 7296 §2.25.1, §1.4.1).
    fn deleted_children(&mut self, payloads: Payloads<'_>) -> Vec<ChildId> {
        let of_esp = payloads.deletes().filter(|delete| delete.protocol == ProtocolId::ESP);
        let spis = of_esp.flat_map(|delete| &delete.spis).filter_map(|spi| {
            let octets = <[u8; 4]>::try_from(spi.as_slice()).ok()?;
            Some(EspSpi(u32::from_be_bytes(octets)))
        });
        let spis: Vec<EspSpi> = spis.collect();
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
        let Established { children, requests, .. } = self;
        let purpose = requests.outstanding_mut().map(|outstanding| &mut outstanding.purpose);
        let Some(Purpose::Child(attempt)) = purpose else { return };
        let unknown = deleted.iter().filter(|&&spi| children.by_outbound(spi).is_none());
        unknown.for_each(|&spi| attempt.on_deleted(spi));
    }

    fn is_being_deleted(&self, child: ChildId) -> bool {
        matches!(self.requests.purpose(), Some(&Purpose::DeleteChild(ours)) if ours == child)
    }

    /// A connection that we keep up has lost its last Child SA: make another soon, unless the
    /// peer is quicker.
    pub(super) fn want_child(&mut self, ctx: &mut Context<'_>) {
        let has_one = self.children.first(|sa| sa.state == ChildState::Installed).is_some();
        let being_made = matches!(self.requests.purpose(), Some(Purpose::Child(_)));
        if has_one || being_made {
            self.create_child_at = None;
            return;
        }
        if self.is_active() && self.config.initiate && self.create_child_at.is_none() {
            self.create_child_at = Some(self.soon(ctx));
        }
    }

    fn create_child_sa(
        &mut self,
        request: &Request,
        payloads: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) {
        // Child SAs of this one are moving or have moved (RFC 7296 §2.25.2).
        if !self.is_active() {
            return self.refuse(request, NotifyType::TEMPORARY_FAILURE, ctx);
        }
        let proposal = payloads.sa().and_then(|sa| sa.proposals.first());
        match proposal.map(|proposal| proposal.protocol) {
            Some(ProtocolId::IKE) => self.rekey_requested(request, payloads, ctx),
            Some(ProtocolId::ESP) => self.child_requested(request, payloads, ctx),
            Some(_) => self.refuse(request, NotifyType::NO_PROPOSAL_CHOSEN, ctx),
            None => self.refuse_syntax(request, "CREATE_CHILD_SA without SA".to_owned(), ctx),
        }
    }
}

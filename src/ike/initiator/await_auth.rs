//! IKE_AUTH is sent (RFC 7296 §1.2, §2.15, §2.21.2).

use super::super::auth::{self, Authenticated, Signed};
use super::super::child::{Agreed, Offer};
use super::super::config::{ConnectionConfig, ConnectionId};
use super::super::context::Context;
use super::super::event::{IkeSaId, NatStatus, Role};
use super::super::exchange::{Due, Retransmission};
use super::super::failure::{AuthFailure, ChildRefusal, FailureReason};
use super::super::keys::{IkeKeys, Nonces};
use super::super::path::{LivePath, Path};
use super::super::payloads::{Payloads, notify};
use super::super::sa::{Established, Handshake, NoFirstChild};
use super::super::stats::Discard;
use crate::time::Timestamp;
use crate::wire::ike::Identity;
use crate::wire::ike::{ExchangeType, Flags, Header, MessageId, NotifyType, Payload};
use std::sync::Arc;

/// IKE_AUTH is sent, or about to be.
#[derive(Debug)]
pub(in super::super) struct AwaitAuth {
    pub connection: ConnectionId,
    pub(super) config: Arc<ConnectionConfig>,
    pub id: IkeSaId,
    pub(super) keys: IkeKeys,
    pub(super) nonces: Nonces,
    pub(super) path: Path,
    pub(super) nat: NatStatus,
    pub(super) init_request: Vec<u8>,
    pub(super) init_response: Vec<u8>,
    pub(super) offer: Offer,
    pub(super) request: Vec<u8>,
    pub(super) retransmission: Retransmission,
    pub(super) began_at: Timestamp,
    pub(super) initial_contact: bool,
    /// Whether the peer names slots, as we do.
    pub(super) names_slots: bool,
}

/// What became of a state.
#[derive(Debug)]
pub(in super::super) enum AfterAuth {
    Same(Box<AwaitAuth>),
    Established {
        sa: Box<Established>,
        /// We have said that this is the only IKE SA with the peer.
        initial_contact: bool,
        child: Result<(), NoFirstChild>,
    },
    Failed(FailureReason),
}

impl AwaitAuth {
    /// Sends IKE_AUTH; with INITIAL_CONTACT if there is no other IKE SA between these two
    /// (RFC 7296 §2.4).
    pub fn send(&mut self, initial_contact: bool, ctx: &mut Context<'_>) {
        self.initial_contact = initial_contact;
        let local_id = &self.config.local_id;
        let signed = Signed {
            message: &self.init_request,
            nonce: &self.nonces.responder,
            identity: local_id,
            sk_p: &self.keys.sk_pi,
            prf: self.keys.suite.prf,
        };
        let proof = auth::prove(&self.config.credentials, &signed);
        let mut payloads = vec![
            Payload::IdInitiator(local_id.to_wire()),
            Payload::IdResponder(self.config.remote_id.to_wire()),
            Payload::Authentication(proof),
            self.offer.sa(),
        ];
        payloads.extend(self.offer.selectors());
        payloads.extend(self.offer.name());
        payloads.extend(initial_contact.then(|| notify(NotifyType::INITIAL_CONTACT, [])));
        payloads.push(notify(NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED, []));
        let header = self.header(ExchangeType::IKE_AUTH, MessageId(1));
        self.request = self.keys.seal.seal(&header, &payloads);
        ctx.out.send(&self.path, &self.request);
    }

    fn header(&self, exchange: ExchangeType, id: MessageId) -> Header {
        let flags = Flags { initiator: true, ..Flags::default() };
        Header::new(self.id.local, self.id.remote, exchange, flags, id)
    }

    /// One datagram whose header names this attempt.
    pub fn handle(
        self: Box<Self>,
        header: &Header,
        datagram: &[u8],
        from: Path,
        ctx: &mut Context<'_>,
    ) -> AfterAuth {
        let fits = header.flags.response
            && !header.flags.initiator
            && header.exchange_type == ExchangeType::IKE_AUTH
            && header.message_id == MessageId(1)
            && header.responder_spi == self.id.remote;
        let opened = if fits { self.keys.open.open(datagram) } else { Err(Discard::Unexpected) };
        let opened = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                ctx.out.count(reason);
                return AfterAuth::Same(self);
            }
        };
        let checked = match opened.payloads() {
            Ok(payloads) => self.check(Payloads(payloads)),
            Err(error) => Err(FailureReason::Breach(error.to_string())),
        };
        match checked {
            Ok((proof, child)) => self.advance(proof, child, from, ctx),
            Err(reason) => self.reject(reason, ctx),
        }
    }

    fn check(
        &self,
        payloads: Payloads<'_>,
    ) -> Result<(Authenticated, Result<Agreed, ChildRefusal>), FailureReason> {
        if let Some(unknown) = payloads.unknown_critical() {
            let text = format!("unknown critical payload of type {}", unknown.0);
            return Err(FailureReason::Breach(text));
        }
        let (Some(id), Some(auth)) = (payloads.id_responder(), payloads.authentication()) else {
            return Err(explain_no_auth(payloads));
        };
        let presented = Identity::from_wire(id);
        if presented != self.config.remote_id {
            let expected = self.config.remote_id.clone();
            let failure = AuthFailure::WrongIdentity { presented, expected };
            return Err(FailureReason::Authentication(failure));
        }
        let signed = Signed {
            message: &self.init_response,
            nonce: &self.nonces.initiator,
            identity: &presented,
            sk_p: &self.keys.sk_pr,
            prf: self.keys.suite.prf,
        };
        let proof = auth::verify(&self.config.credentials, &signed, auth)
            .map_err(FailureReason::Authentication)?;
        Ok((proof, self.offer.accept(payloads)))
    }

    fn advance(
        self: Box<Self>,
        proof: Authenticated,
        child: Result<Agreed, ChildRefusal>,
        from: Path,
        ctx: &mut Context<'_>,
    ) -> AfterAuth {
        let mut path = LivePath::new(self.path, self.nat, ctx.now);
        path.on_authentic(from);
        let handshake = Handshake {
            id: self.id,
            role: Role::Initiator,
            connection: self.connection,
            config: self.config,
            proof,
            keys: self.keys,
            nonces: self.nonces.clone(),
            path,
            began_at: self.began_at,
            names_slots: self.names_slots,
        };
        let mut sa = Established::new(handshake, ctx);
        let (slot, spi) = (self.offer.slot, self.offer.spi);
        let child = child
            .inspect_err(|_| ctx.pool.release(spi))
            .map(|agreed| (slot, agreed))
            .map_err(|refusal| NoFirstChild { slot: Some(slot), refusal });
        let child = sa.announce(child, &self.nonces, ctx);
        AfterAuth::Established { sa, initial_contact: self.initial_contact, child }
    }

    /// The peer is not who it should be, or does not take us for whom we are. It may think the
    /// IKE SA established, so it is told (RFC 7296 §2.21.2).
    fn reject(mut self: Box<Self>, reason: FailureReason, ctx: &mut Context<'_>) -> AfterAuth {
        let ours = match &reason {
            FailureReason::Authentication(AuthFailure::RejectedByPeer) => false,
            FailureReason::Authentication(_) | FailureReason::Breach(_) => true,
            _ => false,
        };
        if ours {
            let header = self.header(ExchangeType::INFORMATIONAL, MessageId(2));
            let failed = [notify(NotifyType::AUTHENTICATION_FAILED, [])];
            let message = self.keys.seal.seal(&header, &failed);
            ctx.out.send(&self.path, &message);
        }
        self.abandon(ctx);
        AfterAuth::Failed(reason)
    }

    /// Gives back what the attempt had taken.
    pub fn abandon(&self, ctx: &mut Context<'_>) {
        ctx.pool.release(self.offer.spi);
    }

    /// Time has passed.
    pub fn handle_timeout(mut self: Box<Self>, ctx: &mut Context<'_>) -> AfterAuth {
        match self.retransmission.on_timeout(ctx.now) {
            Due::Nothing => AfterAuth::Same(self),
            Due::Resend => {
                ctx.out.stats.retransmitted += 1;
                ctx.out.send(&self.path, &self.request);
                AfterAuth::Same(self)
            }
            Due::GiveUp => {
                self.abandon(ctx);
                AfterAuth::Failed(FailureReason::NoAnswer {
                    exchange: "IKE_AUTH",
                    sent: self.retransmission.sent(),
                    after: ctx.now - self.retransmission.first_sent(),
                })
            }
        }
    }

    pub fn timeout(&self) -> Timestamp {
        self.retransmission.next()
    }
}

/// An answer without proof of identity: why?
fn explain_no_auth(payloads: Payloads<'_>) -> FailureReason {
    match payloads.error().map(|notify| notify.notify_type) {
        Some(NotifyType::AUTHENTICATION_FAILED) => {
            FailureReason::Authentication(AuthFailure::RejectedByPeer)
        }
        Some(notify) => FailureReason::Refused { exchange: "IKE_AUTH", notify },
        None => FailureReason::Breach("the answer to IKE_AUTH holds no proof of identity".into()),
    }
}

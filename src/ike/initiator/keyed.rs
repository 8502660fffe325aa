//! Both sides have keys, and IKE_AUTH is yet to be sent (RFC 7296 §1.2, §2.15).

use super::super::auth::{self, PeerHashes, Proof, Signed};
use super::super::child::Offer;
use super::super::config::{ConnectionConfig, ConnectionId};
use super::super::context::Context;
use super::super::event::{IkeSaId, NatStatus};
use super::super::exchange::Retransmission;
use super::super::failure::FailureReason;
use super::super::fragments::{Fragmentation, Reassembly};
use super::super::keys::{IkeKeys, Nonces};
use super::super::path::Path;
use super::super::payloads::notify;
use super::working::{Stage, Working};
use super::{AwaitAuth, Step};
use crate::time::Timestamp;
use crate::wire::ike::{
    Authentication, ExchangeType, Flags, Header, MessageId, NotifyType, Payload,
};
use std::sync::Arc;

/// An attempt whose messages are protected from now on.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct Keyed {
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
    /// Whether the peer names slots, as we do.
    pub(super) names_slots: bool,
    pub(super) fragmentation: Fragmentation,
    /// Which signatures the peer verifies.
    pub(super) hashes: PeerHashes,
    pub(super) began_at: Timestamp,
}

impl Keyed {
    /// Makes our proof, or has it made.
    pub(super) fn prove(self, ctx: &mut Context<'_>) -> Step {
        let identity = self.config.local_id.to_wire();
        let signed = Signed {
            message: &self.init_request,
            nonce: &self.nonces.responder,
            identity: &identity,
            sk_p: &self.keys.sk_pi,
            prf: self.keys.suite.prf,
        };
        match auth::prove(&self.config.credentials, &signed, self.hashes) {
            Ok(Proof::Made(proof)) => Step::Ready(Box::new(self), proof),
            Ok(Proof::ToSign(work)) => Working::ask(Stage::Signing(Box::new(self)), work, ctx),
            Err(failure) => {
                self.abandon(ctx);
                Step::Failed(FailureReason::Authentication(failure))
            }
        }
    }

    /// Sends IKE_AUTH; with INITIAL_CONTACT if there is no other IKE SA between these two
    /// (RFC 7296 §2.4).
    pub(crate) fn send(
        mut self: Box<Self>,
        proof: Authentication,
        initial_contact: bool,
        ctx: &mut Context<'_>,
    ) -> Box<AwaitAuth> {
        let credentials = &self.config.credentials;
        let mut payloads = vec![Payload::IdInitiator(self.config.local_id.to_wire())];
        payloads.extend(auth::own_certificates(credentials));
        payloads.extend(auth::request(credentials.authorities()));
        payloads.extend([
            Payload::IdResponder(self.config.remote_id.to_wire()),
            Payload::Authentication(proof),
            self.offer.sa(),
        ]);
        payloads.extend(self.offer.selectors());
        payloads.extend(self.offer.name());
        payloads.extend(initial_contact.then(|| notify(NotifyType::INITIAL_CONTACT, [])));
        payloads.push(notify(NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED, []));
        let header = self.header(ExchangeType::IKE_AUTH, MessageId(1));
        let (key, remote) = (&mut self.keys.seal, self.path.remote);
        let request = self.fragmentation.seal(key, &header, &payloads, remote);
        ctx.out.send_sealed(&self.path, &request);
        let retransmission = Retransmission::new(&self.config.retransmit, ctx.now);
        let answer = Reassembly::default();
        Box::new(AwaitAuth { keyed: *self, request, answer, retransmission, initial_contact })
    }

    /// The header of a request of ours.
    pub(super) fn header(&self, exchange: ExchangeType, id: MessageId) -> Header {
        let flags = Flags { initiator: true, ..Flags::default() };
        Header::new(self.id.local, self.id.remote, exchange, flags, id)
    }

    /// Gives back what the attempt had taken.
    pub(crate) fn abandon(&self, ctx: &mut Context<'_>) {
        ctx.pool.release(self.offer.spi);
    }
}

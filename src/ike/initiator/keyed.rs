//! Both sides have keys, and IKE_AUTH is yet to be sent (RFC 7296 §1.2, §2.15).

use super::super::auth::{self, PeerHashes, Proof};
use super::super::child::Offer;
use super::super::config::{ConnectionConfig, ConnectionId};
use super::super::context::Context;
use super::super::crash::PeerToken;
use super::super::event::{Event, IkeSaId, NatStatus, Role};
use super::super::exchange::{Due, Retransmission};
use super::super::failure::FailureReason;
use super::super::fragments::{Fragmentation, Reassembly, Sealed};
use super::super::intermediate::Agenda;
use super::super::job::{Ephemeral, Work};
use super::super::keys::{IkeKeys, Mixed, Nonces, Spis};
use super::super::path::Path;
use super::super::payloads::notify;
use super::super::ppk;
use super::super::sa::Mobility;
use super::super::transcript::Transcript;
use super::super::view::Unanswered;
use super::working::{Stage, Working};
use super::{AwaitAuth, Step, TELLING};
use crate::crypto::secret::Secret;
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
    pub(super) transcript: Transcript,
    /// The key exchanges that come before IKE_AUTH.
    pub(super) agenda: Agenda,
    pub(super) offer: Offer,
    /// Whether the peer names slots, as we do.
    pub(super) names_slots: bool,
    pub(super) fragmentation: Fragmentation,
    /// Which signatures the peer verifies.
    pub(super) hashes: PeerHashes,
    pub(super) ppk: PpkState,
    pub(super) began_at: Timestamp,
}

/// What becomes of a post-quantum pre-shared key.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum PpkState {
    /// One side has none.
    Unused,
    /// It goes into the keys as they will be when all key exchanges are made.
    Used,
    /// This is our proof without it; the one with it is to follow.
    ProvedWithout(Authentication),
    /// The keys with it, for a peer that has it, too.
    Mixed(Mixed, Option<Authentication>),
}

impl PpkState {
    pub(super) fn new(is_used: bool) -> PpkState {
        if is_used { PpkState::Used } else { PpkState::Unused }
    }

    /// The keys with it, if our proof rests on them.
    pub(super) fn mixed(&self) -> Option<&Mixed> {
        match self {
            PpkState::Mixed(mixed, _) => Some(mixed),
            PpkState::Unused | PpkState::Used | PpkState::ProvedWithout(_) => None,
        }
    }
}

impl Keyed {
    /// Goes on with the next key exchange, or else with our proof.
    pub(super) fn go_on(self, ctx: &mut Context<'_>) -> Step {
        let Some(group) = self.agenda.next() else { return self.prove(ctx) };
        let work = Work::Generate(Ephemeral::new(group, ctx));
        Working::ask(Stage::GeneratingMore(Box::new(self)), work, ctx)
    }

    /// One more key exchange has brought a secret; `request` and `response` are what AUTH covers of
    /// its messages.
    pub(super) fn on_more(
        mut self,
        shared: Secret,
        (request, response): (&[u8], &[u8]),
        ctx: &mut Context<'_>,
    ) -> Step {
        self.transcript.on_intermediate(&self.keys, request, response);
        self.agenda.on_done();
        let spis = Spis { initiator: self.id.local, responder: self.id.remote };
        match self.keys.updated(shared, &self.nonces, spis, Role::Initiator) {
            Ok(keys) => Keyed { keys, ..self }.go_on(ctx),
            Err(_) => {
                self.abandon(ctx);
                Step::Failed(FailureReason::Ours("keys do not fit the suite"))
            }
        }
    }

    /// Makes our proof, or has it made: first that without a pre-shared key, if the peer may do
    /// without, then that with it (RFC 8784 §3).
    fn prove(mut self, ctx: &mut Context<'_>) -> Step {
        self.ppk = match (self.ppk, &self.config.ppk) {
            (PpkState::Used, Some(ppk)) if ppk.required => {
                PpkState::Mixed(self.keys.mixed_with(&ppk.secret), None)
            }
            (PpkState::ProvedWithout(proof), Some(ppk)) => {
                PpkState::Mixed(self.keys.mixed_with(&ppk.secret), Some(proof))
            }
            (state, _) => state,
        };
        let identity = self.config.local_id.to_wire();
        let keys = self.keys.proving(self.ppk.mixed());
        let signed = self.transcript.signed(Role::Initiator, keys, &self.nonces, &identity);
        match auth::prove(&self.config.credentials, &signed, self.hashes) {
            Ok(Proof::Made(proof)) => self.on_proof(proof, ctx),
            Ok(Proof::ToSign(work)) => Working::ask(Stage::Signing(Box::new(self)), work, ctx),
            Err(failure) => {
                self.abandon(ctx);
                Step::Failed(FailureReason::Authentication(failure))
            }
        }
    }

    /// A proof is made.
    pub(super) fn on_proof(mut self, proof: Authentication, ctx: &mut Context<'_>) -> Step {
        match self.ppk {
            PpkState::Used => {
                self.ppk = PpkState::ProvedWithout(proof);
                self.prove(ctx)
            }
            PpkState::Unused | PpkState::ProvedWithout(_) | PpkState::Mixed(..) => {
                Step::Ready(Box::new(self), proof)
            }
        }
    }

    /// What IKE_AUTH says of a pre-shared key.
    fn ppk_payloads(&mut self) -> Vec<Payload> {
        let (PpkState::Mixed(_, without), Some(ppk)) = (&mut self.ppk, &self.config.ppk) else {
            return Vec::new();
        };
        let without = without.take().map(ppk::proof_without);
        [ppk::identity(ppk)].into_iter().chain(without).collect()
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
        ]);
        payloads.extend(ctx.crash_token(self.id, self.path.local.ip()));
        payloads.push(self.offer.sa());
        payloads.extend(self.offer.selectors());
        payloads.extend(self.offer.name());
        payloads.extend(self.offer.aggfrag());
        payloads.extend(self.ppk_payloads());
        payloads.extend(ctx.mobility(&self.config, self.path.local.ip()));
        payloads.extend(initial_contact.then(|| notify(NotifyType::INITIAL_CONTACT, [])));
        payloads.push(notify(NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED, []));
        let header = self.header(ExchangeType::IKE_AUTH, self.transcript.next_id());
        let (key, remote) = (&mut self.keys.seal, self.path.remote);
        let request = self.fragmentation.on(&self.path).seal(key, &header, &payloads, remote);
        ctx.out.send_sealed(&self.path, &request);
        let retransmission = Retransmission::new(&self.config.retransmit, ctx.now);
        let answer = Reassembly::default();
        let peer_token = PeerToken::default();
        let keyed = *self;
        Box::new(AwaitAuth {
            keyed,
            request,
            answer,
            retransmission,
            initial_contact,
            peer_token,
            ppk_in_use: false,
            mobility: Mobility::default(),
        })
    }

    /// The header of a request of ours.
    pub(super) fn header(&self, exchange: ExchangeType, id: MessageId) -> Header {
        let flags = Flags { initiator: true, ..Flags::default() };
        Header::new(self.id.local, self.id.remote, exchange, flags, id)
    }

    /// Time has passed: the request of an exchange is sent once more when that is due.
    ///
    /// # Errors
    ///
    /// Why the attempt is over, when nobody has answered for too long.
    pub(super) fn repeat(
        &self,
        request: &Sealed,
        (retransmission, exchange): (&mut Retransmission, &'static str),
        ctx: &mut Context<'_>,
    ) -> Result<(), FailureReason> {
        let due = retransmission.on_timeout(ctx.now);
        let reason = Unanswered::of(retransmission, exchange, &self.path).reason(ctx.now);
        match due {
            Due::Nothing => {}
            Due::Resend => {
                ctx.out.stats.retransmitted += 1;
                ctx.out.send_sealed(&self.path, request);
                if retransmission.sent() == TELLING {
                    ctx.out.event(self.connection, Event::Unanswered { reason });
                }
            }
            Due::GiveUp => {
                self.abandon(ctx);
                return Err(reason);
            }
        }
        Ok(())
    }

    /// Gives back what the attempt had taken.
    pub(crate) fn abandon(&self, ctx: &mut Context<'_>) {
        ctx.pool.release(self.offer.spi);
    }
}

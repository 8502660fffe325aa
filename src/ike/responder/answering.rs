//! IKE_SA_INIT is acceptable, and the key exchange is being computed (RFC 7296 §1.2, §2.7).

use super::super::auth::{self, PeerHashes};
use super::super::connections::Acceptable;
use super::super::context::Context;
use super::super::event::{IkeSaId, NatStatus, Role};
use super::super::failure::FailureReason;
use super::super::fragments::{self, Fragmentation, Reassembly};
use super::super::intermediate::{self, Agenda};
use super::super::job::{Client, Ephemeral, Work};
use super::super::keys::{IkeKeys, Nonces, Spis};
use super::super::path::{Path, detect, detection_payloads, will_encapsulate};
use super::super::payloads::{Payloads, invalid_ke};
use super::super::ppk;
use super::super::proposal::{self, Beside, Choice, group_of, method_of};
use super::super::slots;
use super::super::stats::Discard;
use super::super::transcript::{self, Transcript};
use super::working::{Stage, Working};
use super::{HalfOpen, InitRefusal, Step, answer_header};
use crate::crypto::secret::Secret;
use crate::crypto::suite::IkeSuite;
use crate::pki::KeyIdentifier;
use crate::time::Timestamp;
use crate::wire::ike::{
    ExchangeType, IkeSpi, KeyExchange as PublicValue, Message, MessageId, Payload,
};

/// An IKE_SA_INIT that will be answered.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct Answering {
    pub(super) id: IkeSaId,
    pub(super) path: Path,
    pub(super) client: Client,
    choice: Choice<IkeSuite>,
    nonces: Nonces,
    nat: NatStatus,
    hashes: PeerHashes,
    authorities: Vec<KeyIdentifier>,
    names_slots: bool,
    fragmentation: Fragmentation,
    force_encapsulation: bool,
    /// Whether the peer does IKE_INTERMEDIATE, and we.
    intermediate: bool,
    /// Whether the peer covers both messages of IKE_SA_INIT, as we do.
    covers_in_full: bool,
    /// Whether the peer has a post-quantum pre-shared key, and some connection that may be meant.
    uses_ppk: bool,
    pub(super) init_request: Vec<u8>,
    began_at: Timestamp,
}

impl Answering {
    /// Takes up the IKE_SA_INIT of `client` with what the connections that may be meant accept.
    ///
    /// # Errors
    ///
    /// What to answer instead, and why.
    pub(crate) fn begin(
        message: &Message,
        datagram: &[u8],
        path: Path,
        client: Client,
        acceptable: &Acceptable,
        ctx: &mut Context<'_>,
    ) -> Result<Box<Working>, InitRefusal> {
        let payloads = Payloads(&message.payloads);
        let (Some(sa), Some(public), Some(nonce)) =
            (payloads.sa(), payloads.key_exchange(), payloads.nonce())
        else {
            return Err(InitRefusal::silent(Discard::MissingPayload));
        };
        let begun = group_of(public.method);
        // Who offers additional key exchanges must do IKE_INTERMEDIATE (RFC 9370 §2.2.1).
        let intermediate =
            acceptable.beside != Beside::NOTHING && intermediate::is_done_by_sender(payloads);
        let beside = match intermediate {
            true => acceptable.beside,
            false => acceptable.beside.without(),
        };
        let choice = proposal::choose(sa, &acceptable.suites, beside, begun)
            .map_err(InitRefusal::no_proposal)?;
        let group = choice.suite.group;
        if begun != Some(group) {
            return Err(InitRefusal::answered(Discard::OtherGroup, invalid_ke(group)));
        }
        let remote = message.header.initiator_spi;
        let nat = detect(&message.payloads, (remote, IkeSpi::ZERO), &path)
            .ok_or_else(|| InitRefusal::explained(FailureReason::NoNatTraversal))?;
        let names_slots = slots::are_named_by_sender(payloads);
        if !will_encapsulate(&path, nat, acceptable.force_encapsulation, names_slots) {
            return Err(InitRefusal::explained(FailureReason::NoEncapsulation));
        }
        if public.data.len() != group.public_len() {
            return Err(InitRefusal::silent(Discard::PublicValue));
        }
        let ours = Ephemeral::new(group, ctx);
        let answering = Answering {
            id: IkeSaId { local: ctx.ike_spi(), remote },
            path,
            client,
            choice,
            nonces: Nonces { initiator: nonce.clone(), responder: ctx.nonce() },
            nat,
            hashes: PeerHashes::of(payloads),
            authorities: acceptable.authorities.clone(),
            names_slots,
            fragmentation: Fragmentation::agreed(
                ctx.settings.fragmentation && fragments::are_taken_by_sender(payloads),
            ),
            force_encapsulation: acceptable.force_encapsulation,
            intermediate,
            covers_in_full: transcript::covers_in_full(payloads),
            uses_ppk: acceptable.has_ppk && ppk::is_used_by_sender(payloads),
            init_request: datagram.to_vec(),
            began_at: ctx.now,
        };
        let expires_at = ctx.now + ctx.settings.half_open.lifetime;
        let work = Work::Respond { ours, public: public.data.clone() };
        Ok(Working::ask(Stage::Answering(Box::new(answering)), work, expires_at, ctx))
    }

    /// Both sides have the secret: the answer.
    pub(super) fn answer(
        self,
        public: Vec<u8>,
        shared: &Secret,
        expires_at: Timestamp,
        ctx: &mut Context<'_>,
    ) -> Step {
        let suite = self.choice.suite;
        let spis = Spis { initiator: self.id.remote, responder: self.id.local };
        let keys = IkeKeys::initial(suite, shared, &self.nonces, spis, Role::Responder);
        let Ok(keys) = keys else { return Step::Dropped(Discard::PublicValue) };
        let init_response = self.message(public);
        ctx.out.send(&self.path, &init_response);
        Step::HalfOpen(Box::new(HalfOpen {
            id: self.id,
            path: self.path,
            client: self.client,
            quiet_until: Timestamp::ZERO,
            keys,
            nonces: self.nonces,
            nat: self.nat,
            hashes: self.hashes,
            names_slots: self.names_slots,
            fragmentation: self.fragmentation,
            request: Reassembly::default(),
            transcript: Transcript::new(self.init_request, init_response, self.covers_in_full),
            agenda: Agenda::new(self.choice.additional),
            answered: None,
            uses_ppk: self.uses_ppk,
            mixed: None,
            began_at: self.began_at,
            expires_at,
        }))
    }

    fn message(&self, public: Vec<u8>) -> Vec<u8> {
        let header = answer_header(self.id, ExchangeType::IKE_SA_INIT, MessageId(0));
        let spis = (self.id.remote, self.id.local);
        let method = method_of(self.choice.suite.group);
        let mut payloads = vec![
            Payload::SecurityAssociation(proposal::answer(&self.choice, &[])),
            Payload::KeyExchange(PublicValue { method, data: public }),
            Payload::Nonce(self.nonces.responder.clone()),
        ];
        payloads.extend(detection_payloads(spis, &self.path, self.force_encapsulation));
        payloads.extend(auth::request(self.authorities.iter().copied()));
        payloads.push(auth::hash_algorithms());
        payloads.extend(self.fragmentation.agreed.then(fragments::supported));
        payloads.extend(self.intermediate.then(intermediate::supported));
        payloads.push(transcript::is_covered_in_full());
        payloads.extend(self.uses_ppk.then(ppk::is_used));
        payloads.extend(self.names_slots.then(slots::vendor_id));
        Message { header, payloads }.encode()
    }
}

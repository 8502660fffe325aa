//! IKE_AUTH is sent (RFC 7296 §1.2, §2.15, §2.21.2).

use super::super::auth::{self, Authenticated, Claim, Finding, Shown, Verdict};
use super::super::child::Agreed;
use super::super::context::Context;
use super::super::crash::PeerToken;
use super::super::event::Role;
use super::super::exchange::Retransmission;
use super::super::failure::{AuthFailure, ChildRefusal, FailureReason, PpkFailure};
use super::super::fragments::{Reassembly, Sealed};
use super::super::job::Work;
use super::super::keys::Mixed;
use super::super::path::{LivePath, Path};
use super::super::payloads::{Payloads, notify};
use super::super::ppk;
use super::super::sa::{Established, Handshake, Mobility, NoFirstChild};
use super::super::slots;
use super::super::stats::Discard;
use super::super::view::Unanswered;
use super::keyed::PpkState;
use super::working::{Stage, Working};
use super::{Keyed, Step};
use crate::time::{Timestamp, WallTime};
use crate::wire::ike::Identity;
use crate::wire::ike::{ExchangeType, Header, MessageId, NotifyType};

/// What is asked, for people.
const EXCHANGE: &str = "IKE_AUTH";

/// IKE_AUTH is sent.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct AwaitAuth {
    pub keyed: Keyed,
    pub(super) request: Sealed,
    /// Fragments of the answer.
    pub(super) answer: Reassembly,
    pub(super) retransmission: Retransmission,
    /// We have said that this is the only IKE SA with the peer.
    pub(super) initial_contact: bool,
    /// What the peer will show if it loses the IKE SA.
    pub(super) peer_token: PeerToken,
    /// The peer has the pre-shared key on which our proof rests, and so does its own.
    pub(super) ppk_in_use: bool,
    /// Whether addresses may change, and where the peer is as well.
    pub(super) mobility: Mobility,
}

/// The peer has answered, and its signature is being verified.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Verifying {
    pub state: Box<AwaitAuth>,
    claim: Claim,
    child: Result<Agreed, ChildRefusal>,
    from: Path,
}

/// An answer that breaks no rule.
enum Checked {
    Proved(Authenticated, Result<Agreed, ChildRefusal>),
    /// A signature says so; this work shows whether it is the peer's.
    Claimed(Claim, Work, Result<Agreed, ChildRefusal>),
}

impl AwaitAuth {
    /// One datagram whose header names this attempt.
    pub(crate) fn handle(
        mut self: Box<Self>,
        header: &Header,
        datagram: &[u8],
        from: Path,
        ctx: &mut Context<'_>,
    ) -> Step {
        let fits = header.flags.response
            && !header.flags.initiator
            && header.exchange_type == ExchangeType::IKE_AUTH
            && header.message_id == self.keyed.transcript.next_id()
            && header.responder_spi == self.keyed.id.remote;
        let (key, agreed) = (&self.keyed.keys.open, self.keyed.fragmentation.agreed);
        let opened = match fits {
            true => self.answer.open(key, agreed, datagram, ctx.now),
            false => Err(Discard::Unexpected),
        };
        let opened = match opened {
            Ok(Some(opened)) => opened,
            Ok(None) => return Step::AwaitAuth(self),
            Err(reason) => {
                ctx.out.count(reason);
                return Step::AwaitAuth(self);
            }
        };
        let checked = match opened.payloads() {
            Ok(payloads) => {
                self.peer_token = PeerToken::of(Payloads(payloads));
                let mobile = self.keyed.config.mobike;
                self.mobility = Mobility::of(mobile, Payloads(payloads));
                self.ppk_in_use = self.keyed.ppk.mixed().is_some()
                    && ppk::is_in_use_by_sender(Payloads(payloads));
                self.check(Payloads(payloads), ctx.wall)
            }
            Err(error) => Err(FailureReason::Breach(error.to_string())),
        };
        match checked {
            Err(reason) => self.reject(reason, ctx),
            Ok(Checked::Proved(proof, child)) => self.advance(proof, child, from, ctx),
            Ok(Checked::Claimed(claim, work, child)) => {
                let verifying = Verifying { state: self, claim, child, from };
                Working::ask(Stage::Verifying(Box::new(verifying)), work, ctx)
            }
        }
    }

    fn check(&self, payloads: Payloads<'_>, wall: WallTime) -> Result<Checked, FailureReason> {
        if let Some(unknown) = payloads.unknown_critical() {
            let text = format!("unknown critical payload of type {}", unknown.0);
            return Err(FailureReason::Breach(text));
        }
        let (Some(id), Some(auth)) = (payloads.id_responder(), payloads.authentication()) else {
            return Err(explain_no_auth(payloads));
        };
        let presented = Identity::from_wire(id);
        let Keyed { config, transcript, nonces, keys, offer, .. } = &self.keyed;
        if presented != config.remote_id {
            let expected = config.remote_id.clone();
            let failure = AuthFailure::WrongIdentity { presented, expected };
            return Err(FailureReason::Authentication(failure));
        }
        let mixed = self.mixed().map_err(FailureReason::Authentication)?;
        let signed = transcript.signed(Role::Responder, keys.proving(mixed), nonces, id);
        let child = offer.accept(payloads);
        let shown = Shown::in_payloads(payloads, wall);
        match auth::examine(&config.credentials, &signed, auth, &shown) {
            Verdict::Known(Ok(proof)) => Ok(Checked::Proved(proof, child)),
            Verdict::Known(Err(failure)) => {
                Err(FailureReason::Authentication(self.ppk_may_differ(failure)))
            }
            Verdict::ToVerify(claim) => match Claim::work([&claim], &signed, auth) {
                Some(work) => Ok(Checked::Claimed(claim, work, child)),
                None => Err(FailureReason::Authentication(AuthFailure::SignatureAlgorithm)),
            },
        }
    }

    /// The keys on which the peer's proof rests, if they are those with the pre-shared key.
    fn mixed(&self) -> Result<Option<&Mixed>, AuthFailure> {
        let required = self.keyed.config.ppk.as_ref().filter(|ppk| ppk.required);
        match (self.ppk_in_use, required) {
            (true, _) => Ok(self.keyed.ppk.mixed()),
            (false, Some(ppk)) => Err(AuthFailure::Ppk(PpkFailure::NotTaken(ppk.id.clone()))),
            (false, None) => Ok(None),
        }
    }

    /// Why a proof does not fit that rests on more than one secret.
    fn ppk_may_differ(&self, failure: AuthFailure) -> AuthFailure {
        let ppk = self.keyed.config.ppk.as_ref().filter(|_| self.ppk_in_use);
        ppk.map_or(failure.clone(), |ppk| failure.or_of_ppk(ppk))
    }

    fn advance(
        self: Box<Self>,
        proof: Authenticated,
        child: Result<Agreed, ChildRefusal>,
        from: Path,
        ctx: &mut Context<'_>,
    ) -> Step {
        let Keyed { id, connection, config, mut keys, nonces, path, nat, .. } = self.keyed;
        if let PpkState::Mixed(mixed, _) = self.keyed.ppk
            && self.ppk_in_use
        {
            keys.adopt(mixed);
        }
        let Keyed { offer, names_slots, fragmentation, began_at, .. } = self.keyed;
        let (transcript, agenda) = (&self.keyed.transcript, &self.keyed.agenda);
        let path = LivePath::new(path, nat, ctx.now);
        let handshake = Handshake {
            id,
            role: Role::Initiator,
            connection,
            config,
            proof,
            keys,
            nonces: nonces.clone(),
            path,
            began_at,
            names_slots,
            fragmentation,
            additional: agenda.all,
            covered_in_full: transcript.is_full,
            auth_id: transcript.next_id(),
            peer_token: self.peer_token,
            ppk_in_use: self.ppk_in_use,
            mobility: self.mobility,
        };
        let mut sa = Established::new(handshake, ctx);
        let child = child
            .inspect_err(|_| ctx.pool.release(offer.spi))
            .map(|agreed| (offer.slot, agreed))
            .map_err(|refusal| NoFirstChild { slot: Some(offer.slot), refusal });
        let child = sa.announce(child, &nonces, true, ctx);
        sa.on_traffic_from(from, ctx);
        Step::Established { sa, initial_contact: self.initial_contact, child }
    }

    /// The peer is not who it should be, or does not take us for whom we are. It may think the
    /// IKE SA established, so it is told (RFC 7296 §2.21.2).
    fn reject(mut self: Box<Self>, reason: FailureReason, ctx: &mut Context<'_>) -> Step {
        let ours = match &reason {
            FailureReason::Authentication(AuthFailure::RejectedByPeer) => false,
            FailureReason::Authentication(_) | FailureReason::Breach(_) => true,
            _ => false,
        };
        if ours {
            let MessageId(auth) = self.keyed.transcript.next_id();
            let header = self.keyed.header(ExchangeType::INFORMATIONAL, MessageId(auth + 1));
            let failed = [notify(NotifyType::AUTHENTICATION_FAILED, [])];
            let message = self.keyed.keys.seal.seal(&header, &failed);
            ctx.out.send(&self.keyed.path, &message);
        }
        self.keyed.abandon(ctx);
        Step::Failed(reason)
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(mut self: Box<Self>, ctx: &mut Context<'_>) -> Step {
        let Self { keyed, request, retransmission, .. } = &mut *self;
        match keyed.repeat(request, (retransmission, EXCHANGE), ctx) {
            Ok(()) => Step::AwaitAuth(self),
            Err(reason) => Step::Failed(reason),
        }
    }

    /// What has had no answer so far.
    pub(crate) fn unanswered(&self) -> Unanswered {
        Unanswered::of(&self.retransmission, EXCHANGE, &self.keyed.path)
    }

    /// When the request is repeated or given up.
    pub(crate) fn timeout(&self) -> Timestamp {
        self.retransmission.next()
    }
}

impl Verifying {
    /// What came of the work.
    pub(super) fn settle(self, found: Option<Finding>, ctx: &mut Context<'_>) -> Step {
        let Verifying { state, claim, child, from } = self;
        match claim.settle(found) {
            Ok(proof) => state.advance(proof, child, from, ctx),
            Err(failure) => {
                let failure = state.ppk_may_differ(failure);
                state.reject(FailureReason::Authentication(failure), ctx)
            }
        }
    }
}

/// An answer without proof of identity: why?
fn explain_no_auth(payloads: Payloads<'_>) -> FailureReason {
    match payloads.error().map(|notify| notify.notify_type) {
        Some(NotifyType::AUTHENTICATION_FAILED) => {
            FailureReason::Authentication(AuthFailure::RejectedByPeer)
        }
        Some(slots::DISABLED) => FailureReason::DisabledByPeer,
        Some(notify) => FailureReason::Refused { exchange: EXCHANGE, notify },
        None => FailureReason::Breach("the answer to IKE_AUTH holds no proof of identity".into()),
    }
}

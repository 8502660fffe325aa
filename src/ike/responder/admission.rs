//! Who asks in IKE_AUTH, for which connection, and our answer (RFC 7296 §1.2, §2.15, §2.21.2).

use super::super::auth::{self, Authenticated, Claim, Finding, Proof, Verdict};
use super::super::child::{Accepted, notify_of};
use super::super::connection::Told;
use super::super::connections::{Candidate, Connections};
use super::super::context::Context;
use super::super::crash::PeerToken;
use super::super::event::Role;
use super::super::failure::{AuthFailure, ChildRefusal, FailureReason};
use super::super::fault::{self, Fault};
use super::super::job::{Client, Work};
use super::super::limits::Wish;
use super::super::path::{LivePath, Path};
use super::super::payloads::{Payloads, notify};
use super::super::ppk;
use super::super::protect::Opened;
use super::super::sa::{Established, Handshake, Mobility, NoFirstChild};
use super::half_open::{AuthRefusal, HalfOpen};
use super::working::{Stage, Working};
use super::{Step, answer_header};
use crate::crypto::digest::sha256;
use crate::wire::ike::{Authentication, ExchangeType, NotifyType, Payload};

/// An authentic IKE_AUTH request.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct AuthRequest {
    /// By which it is known again.
    pub digest: [u8; 32],
    pub from: Path,
    /// The peer says that this is its only IKE SA with us.
    pub initial_contact: bool,
    /// What the peer will show if it loses the IKE SA.
    pub peer_token: PeerToken,
    /// Whether its addresses may change, and where it is as well.
    pub mobility: Mobility,
}

impl AuthRequest {
    pub(super) fn new(opened: &Opened, from: Path) -> AuthRequest {
        let payloads = Payloads(opened.payloads().unwrap_or_default());
        AuthRequest {
            digest: opened.digest(),
            from,
            initial_contact: payloads.notify(NotifyType::INITIAL_CONTACT).is_some(),
            peer_token: PeerToken::of(payloads),
            mobility: Mobility::of(true, payloads),
        }
    }

    /// A request that comes before IKE_AUTH and says nothing of what that says.
    pub(super) fn of_another(digest: [u8; 32], from: Path) -> AuthRequest {
        let (peer_token, mobility) = (PeerToken::default(), Mobility::default());
        AuthRequest { digest, from, initial_contact: false, peer_token, mobility }
    }
}

/// A connection that the peer may mean.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Contender {
    pub candidate: Candidate,
    pub verdict: Verdict,
    pub child: Result<Accepted, ChildRefusal>,
}

impl Contender {
    /// What must be verified for this connection.
    pub(super) fn claim(&self) -> Option<&Claim> {
        match &self.verdict {
            Verdict::Known(_) => None,
            Verdict::ToVerify(claim) => Some(claim),
        }
    }
}

/// Whom the peer has proved to be, and for which connection.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
struct Admission {
    candidate: Candidate,
    proof: Authenticated,
    child: Result<Accepted, ChildRefusal>,
}

/// The peer's signature is being verified.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Verifying {
    half_open: Box<HalfOpen>,
    request: AuthRequest,
    contenders: Vec<Contender>,
}

/// The peer is admitted, and our signature is being made.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Signing {
    half_open: Box<HalfOpen>,
    request: AuthRequest,
    admission: Admission,
}

impl Verifying {
    /// Decides, or asks for what must be verified first.
    pub(super) fn decide(
        half_open: Box<HalfOpen>,
        request: AuthRequest,
        (contenders, work): (Vec<Contender>, Option<Work>),
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Step {
        let expires_at = half_open.expires_at;
        let verifying = Verifying { half_open, request, contenders };
        match work {
            None => verifying.settle(Vec::new(), connections, ctx),
            Some(work) => {
                let stage = Stage::Verifying(Box::new(verifying));
                Step::Working(Working::ask(stage, work, expires_at, ctx))
            }
        }
    }

    /// Decides who is admitted, by what was found about each claim in turn.
    pub(super) fn settle(
        self,
        found: Vec<Finding>,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Step {
        let Verifying { half_open, request, contenders } = self;
        let mut found = found.into_iter();
        let proved = contenders.into_iter().map(|Contender { candidate, verdict, child }| {
            let proof = match verdict {
                Verdict::Known(result) => result,
                Verdict::ToVerify(claim) => claim.settle(found.next()),
            };
            let credentials = &candidate.1.credentials;
            let shown = auth::can_prove(credentials, half_open.hashes);
            let proof = proof.map_err(|failure| half_open.ppk_may_differ(failure));
            (candidate, proof.and_then(|proof| shown.map(|()| proof)), child)
        });
        match admit(proved) {
            Ok(admission) if is_refused(&admission, connections) => {
                let id = admission.candidate.0;
                half_open.disabled(id, &request, ctx)
            }
            Ok(Admission { candidate: (id, _), .. })
                if !ctx.accounts.take(id, Wish::Establish, ctx.now) =>
            {
                half_open.put_off(ctx)
            }
            Ok(admission) => Signing { half_open, request, admission }.prove(connections, ctx),
            Err(refusal) => half_open.refuse(refusal, &request, ctx),
        }
    }

    /// The half-open IKE SA that waits.
    pub(super) fn half_open(&self) -> &HalfOpen {
        &self.half_open
    }

    /// As if the request had not come.
    pub(super) fn into_half_open(self) -> Box<HalfOpen> {
        self.half_open
    }

    /// Whether this datagram is the request.
    pub(super) fn is_about(&self, datagram: &[u8]) -> bool {
        self.request.digest == sha256(&[datagram])
    }
}

/// Whether the operator wants nothing of the peer that has proved who it is. That may have been said
/// while the proof was looked at.
fn is_refused(admission: &Admission, connections: &Connections) -> bool {
    connections.get(admission.candidate.0).is_some_and(|known| known.config.refuses)
}

/// The first connection whose key fits; among several, one whose traffic fits too.
fn admit(
    proved: impl Iterator<
        Item = (Candidate, Result<Authenticated, AuthFailure>, Result<Accepted, ChildRefusal>),
    >,
) -> Result<Admission, AuthRefusal> {
    let (mut second_best, mut failure) = (None, None);
    for (candidate, proof, child) in proved {
        match proof {
            Err(refused) => failure = Some(refused),
            Ok(proof) => {
                let fits = child.is_ok();
                let admission = Admission { candidate, proof, child };
                if fits {
                    return Ok(admission);
                }
                second_best.get_or_insert(admission);
            }
        }
    }
    second_best.ok_or_else(|| {
        AuthRefusal::authentication(failure.unwrap_or(AuthFailure::SignatureAlgorithm))
    })
}

impl Signing {
    /// Makes our proof, or has it made.
    fn prove(self, connections: &Connections, ctx: &mut Context<'_>) -> Step {
        let config = &self.admission.candidate.1;
        let identity = config.local_id.to_wire();
        let HalfOpen { transcript, keys, nonces, .. } = &*self.half_open;
        let keys = keys.proving(self.half_open.mixed());
        let signed = transcript.signed(Role::Responder, keys, nonces, &identity);
        match auth::prove(&config.credentials, &signed, self.half_open.hashes) {
            Ok(Proof::Made(proof)) => self.advance(proof, connections, ctx),
            Err(failure) => {
                let refusal = AuthRefusal::authentication(failure);
                self.half_open.refuse(refusal, &self.request, ctx)
            }
            Ok(Proof::ToSign(work)) => {
                let expires_at = self.half_open.expires_at;
                let stage = Stage::Signing(Box::new(self));
                Step::Working(Working::ask(stage, work, expires_at, ctx))
            }
        }
    }

    /// Our signature is made; the connection may have gone meanwhile, or become another.
    pub(super) fn answer(
        self: Box<Self>,
        proof: Authentication,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Step {
        let (id, config) = &self.admission.candidate;
        let known = connections.get(*id);
        if is_refused(&self.admission, connections) {
            return self.half_open.disabled(*id, &self.request, ctx);
        }
        if known.is_some_and(|known| known.config.same_peer(config)) {
            return self.advance(proof, connections, ctx);
        }
        let reason = FailureReason::Withdrawn;
        let refusal = AuthRefusal::new(NotifyType::AUTHENTICATION_FAILED, reason);
        self.half_open.refuse(refusal, &self.request, ctx)
    }

    /// Answers IKE_AUTH: the IKE SA is established, with or without its Child SA.
    fn advance(
        self,
        proof: Authentication,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Step {
        let beside = self.is_beside_another(connections);
        let Signing { mut half_open, request, admission } = self;
        let Admission { candidate: (connection, config), proof: authenticated, child } = admission;
        let mut payloads = vec![Payload::IdResponder(config.local_id.to_wire())];
        payloads.extend(auth::own_certificates(&config.credentials));
        payloads.push(Payload::Authentication(proof));
        payloads.extend(ctx.crash_token(half_open.id, request.from.local.ip()));
        let mixed = half_open.mixed.take();
        payloads.extend(mixed.is_some().then(ppk::is_in_use));
        let mobility = if config.mobike { request.mobility } else { Mobility::default() };
        if mobility.is_spoken() {
            payloads.extend(ctx.mobility(&config, request.from.local.ip()));
        }
        let child = child.map(|accepted| {
            let (slot, agreed) = (accepted.slot, accepted.agree(ctx));
            payloads.push(accepted.sa(&agreed));
            payloads.extend(accepted.selectors());
            payloads.extend(accepted.aggfrag());
            payloads.push(notify(NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED, []));
            (slot, agreed)
        });
        if let Err(refusal) = &child {
            payloads.push(notify(notify_of(refusal), []));
        }
        let auth_id = half_open.transcript.next_id();
        let header = answer_header(half_open.id, ExchangeType::IKE_AUTH, auth_id);
        let (key, remote) = (&mut half_open.keys.seal, request.from.remote);
        let fragmentation = half_open.fragmentation.on(&request.from);
        let response = fragmentation.seal(key, &header, &payloads, remote);
        let ppk_in_use = mixed.is_some();
        if let Some((mixed, _)) = mixed
            && !fault::is_on(Fault::ForgetsPpk)
        {
            half_open.keys.adopt(mixed);
        }
        let handshake = Handshake {
            id: half_open.id,
            role: Role::Responder,
            connection,
            config,
            proof: authenticated,
            keys: half_open.keys,
            nonces: half_open.nonces.clone(),
            path: LivePath::new(request.from, half_open.nat, ctx.now),
            began_at: half_open.began_at,
            names_slots: half_open.names_slots,
            fragmentation: half_open.fragmentation,
            additional: half_open.agenda.all,
            covered_in_full: half_open.transcript.is_full,
            auth_id,
            peer_token: request.peer_token,
            ppk_in_use,
            mobility,
        };
        let mut sa = Established::new(handshake, ctx);
        let child = child.map_err(|refusal| NoFirstChild { slot: None, refusal });
        let child = sa.announce(child, &half_open.nonces, !beside, ctx);
        ctx.out.send_sealed(&request.from, &response);
        sa.answered((auth_id, request.digest), response);
        Step::Established { sa, initial_contact: request.initial_contact, child }
    }

    /// Whether the peer makes it beside an IKE SA that works, and will tell by using it or by
    /// deleting the other when it is ready for what we send: it has yet to verify our proof.
    fn is_beside_another(&self, connections: &Connections) -> bool {
        let known = connections.get(self.admission.candidate.0);
        let works = known.is_some_and(|known| known.told == Told::Up);
        works && self.half_open.names_slots && !self.request.initial_contact
    }

    /// The connection for which the peer has proved its identity.
    pub(super) fn client(&self) -> Client {
        Client::Connection(self.admission.candidate.0)
    }

    /// The half-open IKE SA that waits.
    pub(super) fn half_open(&self) -> &HalfOpen {
        &self.half_open
    }

    /// As if the request had not come.
    pub(super) fn into_half_open(self) -> Box<HalfOpen> {
        self.half_open
    }

    /// Whether this datagram is the request.
    pub(super) fn is_about(&self, datagram: &[u8]) -> bool {
        self.request.digest == sha256(&[datagram])
    }
}

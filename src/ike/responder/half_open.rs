//! IKE_SA_INIT is answered, and IKE_AUTH is to come (RFC 7296 §1.2, §2.15).

use super::super::auth::{self, Claim, PeerHashes, Shown, Verdict};
use super::super::child::Accepted;
use super::super::config::{ConnectionId, SlotConfig};
use super::super::connections::{Candidate, Connections};
use super::super::context::Context;
use super::super::event::{Event, IkeSaId, NatStatus, Role};
use super::super::exchange::LastAnswer;
use super::super::failure::{AuthFailure, FailureReason, PpkFailure};
use super::super::fault::{self, Fault};
use super::super::fragments::{Fragmentation, Reassembly, Sealed};
use super::super::intermediate::Agenda;
use super::super::job::{Client, Work};
use super::super::keys::{IkeKeys, Mixed, Nonces};
use super::super::path::Path;
use super::super::payloads::{Payloads, notify};
use super::super::ppk;
use super::super::proposal::{Beside, without_group};
use super::super::protect::Opened;
use super::super::slots;
use super::super::stats::Discard;
use super::super::transcript::Transcript;
use super::admission::{AuthRequest, Contender, Verifying};
use super::{Step, answer_header};
use crate::pki::Ppk;
use crate::time::{Timestamp, WallTime};
use crate::wire::ike::{
    Authentication, ExchangeType, Header, Identification, Identity, NotifyType, Payload,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long an IKE_AUTH that came too soon is not looked at again: repetitions of an honest peer
/// are further apart.
const QUIET: Duration = Duration::from_millis(200);

/// IKE_SA_INIT is answered.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct HalfOpen {
    pub(super) id: IkeSaId,
    pub(super) path: Path,
    pub(super) client: Client,
    /// IKE_AUTH is not looked at until then: the peer asks too often.
    pub(super) quiet_until: Timestamp,
    pub(super) keys: IkeKeys,
    pub(super) nonces: Nonces,
    pub(super) nat: NatStatus,
    /// Which signatures the peer verifies.
    pub(super) hashes: PeerHashes,
    /// Whether the peer names slots, as we do.
    pub(super) names_slots: bool,
    pub(super) fragmentation: Fragmentation,
    /// Fragments of the next request.
    pub(super) request: Reassembly,
    pub(super) transcript: Transcript,
    /// The key exchanges that come before IKE_AUTH.
    pub(super) agenda: Agenda,
    /// The answer to the last of them.
    pub(super) answered: Option<LastAnswer>,
    /// Whether both sides have said that they have a post-quantum pre-shared key.
    pub(super) uses_ppk: bool,
    /// The keys with the one that IKE_AUTH names, if its proof rests on them.
    pub(super) mixed: Option<(Mixed, Ppk)>,
    pub(super) began_at: Timestamp,
    pub expires_at: Timestamp,
}

impl HalfOpen {
    /// The same IKE_SA_INIT again: the same answer (RFC 7296 §2.1).
    pub(crate) fn answer_again(&self, datagram: &[u8], ctx: &mut Context<'_>) {
        if datagram == self.transcript.init_request {
            ctx.out.count(Discard::Retransmission);
            ctx.out.send(&self.path, &self.transcript.init_response);
        } else {
            ctx.out.count(Discard::Unexpected);
        }
    }

    /// One datagram whose header names this half-open IKE SA.
    pub(crate) fn handle(
        mut self: Box<Self>,
        header: &Header,
        datagram: &[u8],
        from: Path,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Step {
        if let Some(response) = self.answered.as_ref().and_then(|last| last.to(datagram)) {
            ctx.out.count(Discard::Retransmission);
            ctx.out.send_sealed(&from, response);
            return Step::HalfOpen(self);
        }
        let early = fault::is_on(Fault::AnswersBeforeAuth)
            && header.exchange_type == ExchangeType::CREATE_CHILD_SA;
        let fits = !header.flags.response
            && header.flags.initiator
            && (header.exchange_type == self.due() || early)
            && header.message_id == self.transcript.next_id()
            && header.initiator_spi == self.id.remote;
        let (key, agreed) = (&self.keys.open, self.fragmentation.agreed);
        let opened = match fits {
            true if ctx.now < self.quiet_until => Err(Discard::TooManyIkeSas),
            true => self.request.open(key, agreed, datagram, ctx.now),
            false => Err(Discard::Unexpected),
        };
        let opened = match opened {
            Ok(Some(opened)) => opened,
            Ok(None) => return Step::HalfOpen(self),
            Err(reason) => {
                ctx.out.count(reason);
                return Step::HalfOpen(self);
            }
        };
        if let Some(group) = self.agenda.next() {
            return self.intermediate(&opened, group, from, ctx);
        }
        let request = AuthRequest::new(&opened, from);
        match self.check(&opened, connections, (from, ctx.wall)) {
            Ok(Checked { contenders, work, mixed }) => {
                self.mixed = mixed;
                Verifying::decide(self, request, (contenders, work), connections, ctx)
            }
            Err(refusal) => self.refuse(refusal, &request, ctx),
        }
    }

    /// The exchange that is to come next.
    pub(super) fn due(&self) -> ExchangeType {
        match self.agenda.next() {
            Some(_) => ExchangeType::IKE_INTERMEDIATE,
            None => ExchangeType::IKE_AUTH,
        }
    }

    /// The connections that the peer may mean, and what must be verified to tell.
    fn check(
        &self,
        opened: &Opened,
        connections: &Connections,
        (from, wall): (Path, WallTime),
    ) -> Result<Checked, AuthRefusal> {
        let payloads = opened.payloads().map_err(|error| {
            AuthRefusal::new(NotifyType::INVALID_SYNTAX, FailureReason::Breach(error.to_string()))
        })?;
        let payloads = Payloads(payloads);
        if let Some(unknown) = payloads.unknown_critical() {
            let text = format!("unknown critical payload of type {}", unknown.0);
            let answer = notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, [unknown.0]);
            return Err(AuthRefusal::with(answer, FailureReason::Breach(text)));
        }
        let Some(id) = payloads.id_initiator() else {
            let reason = FailureReason::Breach("IKE_AUTH without an identity".into());
            return Err(AuthRefusal::new(NotifyType::INVALID_SYNTAX, reason));
        };
        let presented = Identity::from_wire(id);
        let named = self.named(&presented, payloads, connections, from)?;
        let auth = payloads
            .authentication()
            .ok_or_else(|| AuthRefusal::authentication(AuthFailure::Eap))?;
        let shown = Shown::in_payloads(payloads, wall);
        let said = ppk::Said { both_use: self.uses_ppk, payloads, auth };
        let basis = Basis::of(&named, &said).map_err(AuthRefusal::authentication)?;
        Ok(self.examine(id, payloads, (basis, &shown), named))
    }

    /// The connections between the identities that the peer names.
    fn named(
        &self,
        presented: &Identity,
        payloads: Payloads<'_>,
        connections: &Connections,
        from: Path,
    ) -> Result<Vec<Candidate>, AuthRefusal> {
        let asked = payloads.id_responder().map(Identity::from_wire);
        let between = connections.named(presented, asked.as_ref(), from);
        let is_post_quantum = self.agenda.all.is_post_quantum();
        let has_suite = |(_, config): &Candidate| {
            config.ike_suites.contains(&self.keys.suite)
                && config.post_quantum.admits(is_post_quantum)
        };
        let named: Vec<Candidate> = between.filter(has_suite).collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let reason = nobody_named(presented, asked, connections, from);
        Err(AuthRefusal::new(NotifyType::AUTHENTICATION_FAILED, reason))
    }

    /// What the AUTH payload is worth for each of the connections named.
    fn examine(
        &self,
        presented: &Identification,
        payloads: Payloads<'_>,
        (basis, shown): (Basis, &Shown),
        named: Vec<Candidate>,
    ) -> Checked {
        let Basis { ppk, auth, reasons } = basis;
        let mixed = ppk.map(|ppk| (self.keys.mixed_with(&ppk.secret), ppk));
        let keys = self.keys.proving(mixed.as_ref().map(|(mixed, _)| mixed));
        let mut signed = self.transcript.signed(Role::Initiator, keys, &self.nonces, presented);
        if fault::is_on(Fault::TrustsIntermediate) {
            signed.intermediate.clear();
        }
        // IKE_AUTH has no key exchange of its own.
        let nothing = (Beside::NOTHING, None);
        let contender = |candidate: Candidate| {
            let config = &candidate.1;
            let verdict = match reasons.get(&candidate.0) {
                Some(reason) => Verdict::Known(Err(AuthFailure::Ppk(reason.clone()))),
                None => auth::examine(&config.credentials, &signed, &auth, shown),
            };
            let suites = |slot: &SlotConfig| without_group(&slot.esp_suites);
            let child = Accepted::for_some_slot(config, |_| false, suites, payloads, nothing);
            Contender { candidate, verdict, child }
        };
        let contenders: Vec<Contender> = named.into_iter().map(contender).collect();
        let claims: Vec<&Claim> = contenders.iter().filter_map(Contender::claim).collect();
        let work = match claims.is_empty() {
            true => None,
            false => Claim::work(claims, &signed, &auth),
        };
        Checked { contenders, work, mixed }
    }

    /// Answers the request that was due with a refusal; the half-open IKE SA is over (RFC 7296 §2.21.2).
    pub(super) fn refuse(
        mut self: Box<Self>,
        refusal: AuthRefusal,
        request: &AuthRequest,
        ctx: &mut Context<'_>,
    ) -> Step {
        ctx.out.count(Discard::Authentication);
        let header = answer_header(self.id, self.due(), self.transcript.next_id());
        let response = Sealed::whole(self.keys.seal.seal(&header, &[*refusal.answer]));
        ctx.out.send_sealed(&request.from, &response);
        Step::Refused {
            answer: LastAnswer::new(request.digest, response, ctx.now),
            path: request.from,
            reason: refusal.reason,
        }
    }

    /// Refuses a peer that is who it says and that the operator wants nothing of. Our kind is told
    /// why; others hear that they are not admitted.
    pub(super) fn disabled(
        self: Box<Self>,
        id: ConnectionId,
        request: &AuthRequest,
        ctx: &mut Context<'_>,
    ) -> Step {
        let reason = FailureReason::Disabled;
        let failed = Event::Failed { slot: None, reason: reason.clone(), retry_at: None };
        ctx.out.event(id, failed);
        let answer = match self.names_slots {
            true => slots::DISABLED,
            false => NotifyType::AUTHENTICATION_FAILED,
        };
        self.refuse(AuthRefusal::new(answer, reason), request, ctx)
    }

    /// Leaves IKE_AUTH unanswered as if it had not come: the peer, who is known, establishes too
    /// many IKE SAs. It will ask again.
    pub(super) fn put_off(mut self: Box<Self>, ctx: &mut Context<'_>) -> Step {
        ctx.out.count(Discard::TooManyIkeSas);
        self.quiet_until = ctx.now + QUIET;
        Step::HalfOpen(self)
    }

    /// The keys with a pre-shared key, if the peer's proof rests on them.
    pub(super) fn mixed(&self) -> Option<&Mixed> {
        self.mixed.as_ref().map(|(mixed, _)| mixed)
    }

    /// Why a proof does not fit that rests on more than one secret.
    pub(super) fn ppk_may_differ(&self, failure: AuthFailure) -> AuthFailure {
        match &self.mixed {
            Some((_, ppk)) => failure.or_of_ppk(ppk),
            None => failure,
        }
    }

    /// Where IKE_SA_INIT came from, and the SPIs.
    pub(crate) fn origin(&self) -> (SocketAddr, IkeSaId) {
        (self.path.remote, self.id)
    }
}

/// What IKE_AUTH says: whom it may mean, what must be verified to tell, and with which keys.
struct Checked {
    contenders: Vec<Contender>,
    work: Option<Work>,
    mixed: Option<(Mixed, Ppk)>,
}

/// On what the proof of the peer rests. All connections that it may mean are held against one: that
/// with the pre-shared key that it names, if one of them has it.
struct Basis {
    ppk: Option<Ppk>,
    auth: Authentication,
    /// Why the other connections are not meant.
    reasons: BTreeMap<ConnectionId, PpkFailure>,
}

impl Basis {
    fn of(named: &[Candidate], said: &ppk::Said<'_>) -> Result<Basis, AuthFailure> {
        let choices: Vec<_> = named
            .iter()
            .map(|(id, config)| (*id, ppk::choose(config.ppk.as_ref(), said)))
            .collect();
        let used = choices.iter().find_map(|(_, choice)| match choice {
            Ok(ppk::Choice::With(ppk)) => Some((*ppk).clone()),
            Ok(ppk::Choice::Without | ppk::Choice::Instead(_)) | Err(_) => None,
        });
        let (mut auth, mut reasons) = (said.auth.clone(), BTreeMap::new());
        for (id, choice) in choices {
            match (choice, &used) {
                (Err(reason), _) => drop(reasons.insert(id, reason)),
                (Ok(ppk::Choice::With(ppk)), Some(used)) if ppk.secret == used.secret => {}
                (Ok(_), Some(used)) => {
                    let (presented, ours) = (used.id.clone(), None);
                    reasons.insert(id, PpkFailure::Unknown { presented, ours });
                }
                (Ok(ppk::Choice::Instead(instead)), None) => auth = instead,
                (Ok(ppk::Choice::With(_) | ppk::Choice::Without), None) => {}
            }
        }
        let refused = reasons.values().next().filter(|_| reasons.len() == named.len());
        match refused {
            Some(reason) => Err(AuthFailure::Ppk(reason.clone())),
            None => Ok(Basis { ppk: used, auth, reasons }),
        }
    }
}

/// Why a path on which some connection may be meant leads to none for these identities.
fn nobody_named(
    presented: &Identity,
    asked: Option<Identity>,
    connections: &Connections,
    from: Path,
) -> FailureReason {
    if let Some(asked) = asked {
        let of_peer = connections.named(presented, None, from);
        let other = of_peer.filter(|(_, config)| config.local_id != asked).last();
        if let Some((_, config)) = other {
            let own = config.local_id.clone();
            return FailureReason::Authentication(AuthFailure::WrongResponder { asked, own });
        }
    }
    match connections.of_somebody_else(presented, from) {
        Some((_, config)) => FailureReason::Authentication(AuthFailure::WrongIdentity {
            presented: presented.clone(),
            expected: config.remote_id.clone(),
        }),
        None => FailureReason::Breach("its IKE suite belongs to another connection".into()),
    }
}

/// Why IKE_AUTH was not accepted, and what to answer.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct AuthRefusal {
    answer: Box<Payload>,
    reason: FailureReason,
}

impl AuthRefusal {
    /// A refusal that the peer is told by one notification.
    pub(super) fn new(answer: NotifyType, reason: FailureReason) -> Self {
        AuthRefusal { answer: Box::new(notify(answer, [])), reason }
    }

    /// A refusal that the peer is told by one payload.
    pub(super) fn with(answer: Payload, reason: FailureReason) -> Self {
        AuthRefusal { answer: Box::new(answer), reason }
    }

    /// The peer did not prove its identity, and hears AUTHENTICATION_FAILED.
    pub(super) fn authentication(failure: AuthFailure) -> Self {
        let reason = FailureReason::Authentication(failure);
        AuthRefusal::new(NotifyType::AUTHENTICATION_FAILED, reason)
    }
}

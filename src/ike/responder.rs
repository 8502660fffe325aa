//! The peer's attempt to connect: IKE_SA_INIT and IKE_AUTH as responder (RFC 7296 §1.2, §2.6,
//! §2.21.2).
//!
//! IKE_SA_INIT is answered without knowing who asks, so it costs little and is bounded; see
//! [`half_open`](super::half_open). IKE_AUTH names the peer and proves the name, and only then
//! is it clear which connection is meant.

use super::auth::{self, Authenticated, Signed};
use super::child::{Accepted, notify_of};
use super::config::SlotConfig;
use super::connections::{Acceptable, Candidate, Connections};
use super::context::Context;
use super::event::{IkeSaId, NatStatus, Role};
use super::exchange::LastAnswer;
use super::failure::{AuthFailure, ChildRefusal, FailureReason, NoProposal};
use super::keys::{IkeKeys, Nonces, Spis};
use super::path::{LivePath, Path, detect, detection_payloads};
use super::payloads::{Payloads, invalid_ke, notify, public_value};
use super::proposal::{self, Choice, group_of, without_group};
use super::protect::Opened;
use super::sa::{Established, Handshake, NoFirstChild};
use super::slots;
use super::stats::Discard;
use crate::crypto::kex::KeyExchange;
use crate::crypto::suite::IkeSuite;
use crate::time::Timestamp;
use crate::wire::ike::Identity;
use crate::wire::ike::{
    ExchangeType, Flags, Header, IkeSpi, Message, MessageId, NotifyType, Payload,
};
/// IKE_SA_INIT is answered.
#[derive(Debug)]
pub(super) struct HalfOpen {
    pub id: IkeSaId,
    pub path: Path,
    keys: IkeKeys,
    nonces: Nonces,
    nat: NatStatus,
    peer_verifies_ed25519: bool,
    /// Whether the peer names slots, as we do.
    names_slots: bool,
    init_request: Vec<u8>,
    init_response: Vec<u8>,
    pub began_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Why IKE_SA_INIT was not accepted, and what to answer, if anything.
#[derive(Debug)]
pub(super) struct InitRefusal {
    pub count: Discard,
    pub answer: Option<Box<Payload>>,
    pub reason: Option<Box<FailureReason>>,
}

impl InitRefusal {
    pub fn silent(count: Discard) -> Self {
        InitRefusal { count, answer: None, reason: None }
    }

    pub fn answered(count: Discard, answer: Payload) -> Self {
        InitRefusal { count, answer: Some(Box::new(answer)), reason: None }
    }

    fn explained(reason: FailureReason) -> Self {
        let answer = notify(NotifyType::NO_PROPOSAL_CHOSEN, []);
        let reason = Some(Box::new(reason));
        InitRefusal { reason, ..InitRefusal::answered(Discard::NoProposal, answer) }
    }
}

impl HalfOpen {
    /// Answers IKE_SA_INIT with what the connections that may be meant accept.
    pub fn answer(
        message: &Message,
        datagram: &[u8],
        path: Path,
        acceptable: &Acceptable,
        ctx: &mut Context<'_>,
    ) -> Result<Box<HalfOpen>, InitRefusal> {
        let payloads = Payloads(&message.payloads);
        let (Some(sa), Some(public), Some(nonce)) =
            (payloads.sa(), payloads.key_exchange(), payloads.nonce())
        else {
            return Err(InitRefusal::silent(Discard::MissingPayload));
        };
        let begun = group_of(public.method);
        let choice = proposal::choose(sa, &acceptable.suites, begun).map_err(no_proposal)?;
        if begun != Some(choice.suite.group) {
            let answer = invalid_ke(choice.suite.group);
            return Err(InitRefusal::answered(Discard::OtherGroup, answer));
        }
        let remote = message.header.initiator_spi;
        let nat = detect(&message.payloads, (remote, IkeSpi::ZERO), &path)
            .ok_or_else(|| InitRefusal::explained(FailureReason::NoNatTraversal))?;
        let exchange = exchange_keys(&choice, &public.data, nonce, remote, ctx)?;
        let mut half_open = Box::new(HalfOpen {
            id: exchange.id,
            path,
            keys: exchange.keys,
            nonces: exchange.nonces,
            nat,
            peer_verifies_ed25519: auth::verifies_ed25519(payloads),
            names_slots: slots::are_named_by_sender(payloads),
            init_request: datagram.to_vec(),
            init_response: Vec::new(),
            began_at: ctx.now,
            expires_at: ctx.now + ctx.settings.half_open.lifetime,
        });
        let force = acceptable.force_encapsulation;
        half_open.init_response = half_open.message(&choice, exchange.public, force);
        ctx.out.send(&path, &half_open.init_response);
        Ok(half_open)
    }

    fn message(&self, choice: &Choice<IkeSuite>, public: Payload, force: bool) -> Vec<u8> {
        let header = self.header(ExchangeType::IKE_SA_INIT, MessageId(0));
        let spis = (self.id.remote, self.id.local);
        let mut payloads = vec![
            Payload::SecurityAssociation(proposal::answer(choice, &[])),
            public,
            Payload::Nonce(self.nonces.responder.clone()),
        ];
        payloads.extend(detection_payloads(spis, &self.path, force));
        payloads.push(auth::hash_algorithms());
        payloads.extend(self.names_slots.then(slots::vendor_id));
        Message { header, payloads }.encode()
    }

    fn header(&self, exchange: ExchangeType, id: MessageId) -> Header {
        let flags = Flags { response: true, ..Flags::default() };
        Header::new(self.id.remote, self.id.local, exchange, flags, id)
    }

    /// The same IKE_SA_INIT again: the same answer (RFC 7296 §2.1).
    pub fn answer_again(&self, datagram: &[u8], ctx: &mut Context<'_>) {
        if datagram == self.init_request {
            ctx.out.count(Discard::Retransmission);
            ctx.out.send(&self.path, &self.init_response);
        } else {
            ctx.out.count(Discard::Unexpected);
        }
    }
}

fn no_proposal(refusal: NoProposal) -> InitRefusal {
    InitRefusal::explained(FailureReason::IkeProposal(refusal))
}

struct Exchanged {
    id: IkeSaId,
    nonces: Nonces,
    keys: IkeKeys,
    public: Payload,
}

fn exchange_keys(
    choice: &Choice<IkeSuite>,
    public: &[u8],
    nonce: &[u8],
    remote: IkeSpi,
    ctx: &mut Context<'_>,
) -> Result<Exchanged, InitRefusal> {
    let refused = || InitRefusal::silent(Discard::PublicValue);
    let key_exchange =
        KeyExchange::generate(choice.suite.group, ctx.random).map_err(|_| refused())?;
    let ours = public_value(&key_exchange);
    let shared = key_exchange.agree(public).map_err(|_| refused())?;
    let id = IkeSaId { local: ctx.ike_spi(), remote };
    let nonces = Nonces { initiator: nonce.to_vec(), responder: ctx.nonce() };
    let spis = Spis { initiator: id.remote, responder: id.local };
    let keys = IkeKeys::initial(choice.suite, &shared, &nonces, spis, Role::Responder)
        .map_err(|_| refused())?;
    Ok(Exchanged { id, nonces, keys, public: ours })
}

/// What became of a half-open IKE SA.
#[derive(Debug)]
pub(super) enum AfterAuth {
    Same(Box<HalfOpen>),
    Established {
        sa: Box<Established>,
        /// The peer says that this is its only IKE SA with us.
        initial_contact: bool,
        child: Result<(), NoFirstChild>,
    },
    /// The peer was refused; its request is answered the same way if it comes again.
    Refused {
        answer: LastAnswer,
        path: Path,
        reason: FailureReason,
    },
}

/// Whom the peer has proved to be, and for which connection.
struct Admission {
    candidate: Candidate,
    proof: Authenticated,
    child: Result<Accepted, ChildRefusal>,
}

impl HalfOpen {
    /// One datagram whose header names this half-open IKE SA.
    pub fn handle(
        self: Box<Self>,
        header: &Header,
        datagram: &[u8],
        from: Path,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> AfterAuth {
        let fits = !header.flags.response
            && header.flags.initiator
            && header.exchange_type == ExchangeType::IKE_AUTH
            && header.message_id == MessageId(1)
            && header.initiator_spi == self.id.remote;
        let opened = if fits { self.keys.open.open(datagram) } else { Err(Discard::Unexpected) };
        let opened = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                ctx.out.count(reason);
                return AfterAuth::Same(self);
            }
        };
        match self.check(&opened, connections, from) {
            Ok(admission) => {
                let initial_contact = opened.payloads().is_ok_and(|payloads| {
                    Payloads(payloads).notify(NotifyType::INITIAL_CONTACT).is_some()
                });
                self.advance(admission, initial_contact, &opened, from, ctx)
            }
            Err(refusal) => self.refuse(refusal, &opened, from, ctx),
        }
    }

    fn check(
        &self,
        opened: &Opened,
        connections: &Connections,
        from: Path,
    ) -> Result<Admission, AuthRefusal> {
        let payloads = opened.payloads().map_err(|error| {
            AuthRefusal::new(NotifyType::INVALID_SYNTAX, FailureReason::Breach(error.to_string()))
        })?;
        let payloads = Payloads(payloads);
        if let Some(unknown) = payloads.unknown_critical() {
            let text = format!("unknown critical payload of type {}", unknown.0);
            let answer = notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, [unknown.0]);
            let reason = FailureReason::Breach(text);
            return Err(AuthRefusal { answer: Box::new(answer), reason });
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
        self.admit(&presented, payloads, auth, named)
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
        let has_suite = |candidate: &Candidate| candidate.1.ike_suites.contains(&self.keys.suite);
        let named: Vec<Candidate> = between.filter(has_suite).collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let reason = nobody_named(presented, asked, connections, from);
        Err(AuthRefusal::new(NotifyType::AUTHENTICATION_FAILED, reason))
    }

    /// The first connection whose key fits; among several, one whose traffic fits too.
    fn admit(
        &self,
        presented: &Identity,
        payloads: Payloads<'_>,
        auth: &crate::wire::ike::Authentication,
        named: Vec<Candidate>,
    ) -> Result<Admission, AuthRefusal> {
        let signed = Signed {
            message: &self.init_request,
            nonce: &self.nonces.responder,
            identity: presented,
            sk_p: &self.keys.sk_pi,
            prf: self.keys.suite.prf,
        };
        let (mut second_best, mut failure) = (None, None);
        for candidate in named {
            let config = &candidate.1;
            let proof = auth::verify(&config.credentials, &signed, auth).and_then(|proof| {
                auth::can_prove(&config.credentials, self.peer_verifies_ed25519).map(|()| proof)
            });
            match proof {
                Err(refused) => failure = Some(refused),
                Ok(proof) => {
                    let suites = |slot: &SlotConfig| without_group(&slot.esp_suites);
                    let child = Accepted::for_some_slot(config, |_| false, suites, payloads, None);
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

    fn advance(
        mut self: Box<Self>,
        admission: Admission,
        initial_contact: bool,
        request: &Opened,
        from: Path,
        ctx: &mut Context<'_>,
    ) -> AfterAuth {
        let Admission { candidate: (connection, config), proof, child } = admission;
        let signed = Signed {
            message: &self.init_response,
            nonce: &self.nonces.initiator,
            identity: &config.local_id,
            sk_p: &self.keys.sk_pr,
            prf: self.keys.suite.prf,
        };
        let mut payloads = vec![
            Payload::IdResponder(config.local_id.to_wire()),
            Payload::Authentication(auth::prove(&config.credentials, &signed)),
        ];
        let child = child.map(|accepted| {
            let (slot, agreed) = (accepted.slot, accepted.agree(ctx));
            payloads.push(accepted.sa(&agreed));
            payloads.extend(accepted.selectors());
            payloads.push(notify(NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED, []));
            (slot, agreed)
        });
        if let Err(refusal) = &child {
            payloads.push(notify(notify_of(refusal), []));
        }
        let header = self.header(ExchangeType::IKE_AUTH, MessageId(1));
        let response = self.keys.seal.seal(&header, &payloads);
        let handshake = Handshake {
            id: self.id,
            role: Role::Responder,
            connection,
            config,
            proof,
            keys: self.keys,
            nonces: self.nonces.clone(),
            path: LivePath::new(from, self.nat, ctx.now),
            began_at: self.began_at,
            names_slots: self.names_slots,
        };
        let mut sa = Established::new(handshake, ctx);
        let child = child.map_err(|refusal| NoFirstChild { slot: None, refusal });
        let child = sa.announce(child, &self.nonces, ctx);
        ctx.out.send(&from, &response);
        sa.answered(request.digest(), response);
        AfterAuth::Established { sa, initial_contact, child }
    }

    fn refuse(
        mut self: Box<Self>,
        refusal: AuthRefusal,
        request: &Opened,
        from: Path,
        ctx: &mut Context<'_>,
    ) -> AfterAuth {
        ctx.out.count(Discard::Authentication);
        let header = self.header(ExchangeType::IKE_AUTH, MessageId(1));
        let response = self.keys.seal.seal(&header, &[*refusal.answer]);
        ctx.out.send(&from, &response);
        AfterAuth::Refused {
            answer: LastAnswer::new(request.digest(), response, ctx.now),
            path: from,
            reason: refusal.reason,
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
struct AuthRefusal {
    answer: Box<Payload>,
    reason: FailureReason,
}

impl AuthRefusal {
    fn new(answer: NotifyType, reason: FailureReason) -> Self {
        AuthRefusal { answer: Box::new(notify(answer, [])), reason }
    }

    fn authentication(failure: AuthFailure) -> Self {
        let reason = FailureReason::Authentication(failure);
        AuthRefusal::new(NotifyType::AUTHENTICATION_FAILED, reason)
    }
}

/// An answer to IKE_SA_INIT that leaves no state behind.
pub(super) fn stateless_answer(request: &Header, payload: Payload) -> Vec<u8> {
    let flags = Flags { response: true, ..Flags::default() };
    let header = Header::new(
        request.initiator_spi,
        IkeSpi::ZERO,
        request.exchange_type,
        flags,
        request.message_id,
    );
    Message { header, payloads: vec![payload] }.encode()
}

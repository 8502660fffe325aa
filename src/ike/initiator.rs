//! Our attempt to connect: IKE_SA_INIT and IKE_AUTH as initiator (RFC 7296 §1.2, §2.6, §2.23).
//!
//! ```text
//!    HDR(0), [N(COOKIE),] SAi1, KEi, Ni, N(NAT…)  ──►
//!                          ◄──  HDR, SAr1, KEr, Nr, N(NAT…)      AwaitInit ──► AwaitAuth
//!    HDR, SK {IDi, IDr, AUTH, SAi2, TSi, TSr}  ──►
//!                          ◄──  HDR, SK {IDr, AUTH, SAr2, TSi, TSr}    ──► Established
//! ```
//!
//! Answers to IKE_SA_INIT carry no proof. One that accepts is taken at its word, and IKE_AUTH
//! shows whether it was the peer's. One that refuses is only remembered: a true answer may
//! still come, so the attempt goes on for a while (RFC 7296 §2.21.1).

use super::auth::{self, Authenticated, Signed};
use super::child::{Agreed, Offer};
use super::config::{ConnectionConfig, ConnectionId};
use super::context::Context;
use super::event::{IkeSaId, NatStatus, Role};
use super::exchange::{Due, Retransmission};
use super::failure::{AuthFailure, ChildRefusal, FailureReason, NoProposal};
use super::identity::Identity;
use super::keys::{IkeKeys, Nonces, Spis};
use super::path::{LivePath, Path, detect, detection_payloads};
use super::payloads::{Payloads, notify};
use super::proposal::{self, describe_suites, method_of, without_group};
use super::sa::{Birth, Established};
use super::stats::Discard;
use crate::crypto::kex::{Group, KeyExchange};
use crate::crypto::suite::IkeSuite;
use crate::time::Timestamp;
use crate::wire::ike::{
    ExchangeType, Flags, Header, IkeSpi, KeyExchange as PublicValue, Message, MessageId, Notify,
    NotifyType, Payload,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How often one attempt begins anew for a cookie or another group: an honest peer asks for
/// each once.
const MAX_RESTARTS: u32 = 6;
/// How long a true answer may still come after an unprotected refusal.
const HINT_PATIENCE: Duration = Duration::from_secs(2);
/// Octets of a cookie (RFC 7296 §2.6).
const COOKIE: std::ops::RangeInclusive<usize> = 1..=64;

/// IKE_SA_INIT is sent.
#[derive(Debug)]
pub(super) struct AwaitInit {
    pub connection: ConnectionId,
    config: Arc<ConnectionConfig>,
    spi: IkeSpi,
    path: Path,
    nonce: Vec<u8>,
    key_exchange: KeyExchange,
    cookie: Option<Vec<u8>>,
    request: Vec<u8>,
    retransmission: Retransmission,
    restarts: u32,
    hint: Option<FailureReason>,
    began_at: Timestamp,
}

/// What became of a state.
#[derive(Debug)]
pub(super) enum AfterInit {
    Same(Box<AwaitInit>),
    AwaitAuth(Box<AwaitAuth>),
    Failed(FailureReason),
}

/// What an answer to IKE_SA_INIT says.
enum InitAnswer {
    Accept(Acceptance),
    Cookie(Vec<u8>),
    OtherGroup(Group),
    Refusal(FailureReason),
}

struct Acceptance {
    suite: IkeSuite,
    responder: IkeSpi,
    nonce: Vec<u8>,
    public: Vec<u8>,
    nat: NatStatus,
    verifies_ed25519: bool,
}

impl AwaitInit {
    /// Begins an attempt: sends IKE_SA_INIT from `path`.
    pub fn start(
        connection: ConnectionId,
        config: Arc<ConnectionConfig>,
        spi: IkeSpi,
        path: Path,
        ctx: &mut Context<'_>,
    ) -> Result<Box<AwaitInit>, FailureReason> {
        let suite = config.ike_suites.first().ok_or(FailureReason::Ours("no IKE suite"))?;
        let key_exchange = KeyExchange::generate(suite.group, ctx.random)
            .map_err(|_| FailureReason::Ours("no randomness"))?;
        let mut state = Box::new(AwaitInit {
            connection,
            spi,
            path,
            nonce: ctx.nonce(),
            key_exchange,
            cookie: None,
            request: Vec::new(),
            retransmission: Retransmission::new(&config.retransmit, ctx.now),
            restarts: 0,
            hint: None,
            began_at: ctx.now,
            config,
        });
        state.send(ctx);
        Ok(state)
    }

    fn send(&mut self, ctx: &mut Context<'_>) {
        self.request = self.message();
        ctx.out.send(&self.path, &self.request);
    }

    fn message(&self) -> Vec<u8> {
        let flags = Flags { initiator: true, ..Flags::default() };
        let spis = (self.spi, IkeSpi::ZERO);
        let header = Header::new(spis.0, spis.1, ExchangeType::IKE_SA_INIT, flags, MessageId(0));
        let mut payloads = Vec::new();
        payloads.extend(self.cookie.clone().map(|cookie| notify(NotifyType::COOKIE, cookie)));
        payloads.push(Payload::SecurityAssociation(proposal::offer(&self.config.ike_suites, &[])));
        payloads.push(Payload::KeyExchange(PublicValue {
            method: method_of(self.key_exchange.group()),
            data: self.key_exchange.public().to_vec(),
        }));
        payloads.push(Payload::Nonce(self.nonce.clone()));
        payloads.extend(detection_payloads(spis, &self.path, self.config.force_encapsulation));
        payloads.push(auth::hash_algorithms());
        Message { header, payloads }.encode()
    }

    /// One datagram whose header names this attempt.
    pub fn handle(
        mut self: Box<Self>,
        datagram: &[u8],
        from: Path,
        ctx: &mut Context<'_>,
    ) -> AfterInit {
        match self.check(datagram, from) {
            Err(reason) => {
                ctx.out.count(reason);
                AfterInit::Same(self)
            }
            Ok(InitAnswer::Accept(acceptance)) => self.advance(acceptance, datagram, ctx),
            Ok(InitAnswer::Cookie(cookie)) => {
                self.cookie = Some(cookie);
                self.restart(ctx);
                AfterInit::Same(self)
            }
            Ok(InitAnswer::OtherGroup(group)) => {
                self.regroup(group, ctx);
                AfterInit::Same(self)
            }
            Ok(InitAnswer::Refusal(reason)) => {
                ctx.out.count(Discard::UnprotectedHint);
                self.retransmission.shorten(ctx.now + HINT_PATIENCE);
                self.hint = Some(reason);
                AfterInit::Same(self)
            }
        }
    }

    fn check(&self, datagram: &[u8], from: Path) -> Result<InitAnswer, Discard> {
        let message = Message::decode(datagram).map_err(|_| Discard::Malformed)?;
        let header = &message.header;
        let fits = header.flags.response
            && !header.flags.initiator
            && header.exchange_type == ExchangeType::IKE_SA_INIT
            && header.message_id == MessageId(0)
            && from.remote.ip() == self.path.remote.ip();
        if !fits {
            return Err(Discard::Unexpected);
        }
        let payloads = Payloads(&message.payloads);
        if payloads.unknown_critical().is_some() {
            return Err(Discard::CriticalPayload);
        }
        if payloads.sa().is_none() {
            return self.check_notify(payloads);
        }
        self.check_acceptance(header, payloads, from)
    }

    fn check_notify(&self, payloads: Payloads<'_>) -> Result<InitAnswer, Discard> {
        if let Some(cookie) = payloads.notify(NotifyType::COOKIE) {
            let fits = COOKIE.contains(&cookie.data.len()) && self.restarts < MAX_RESTARTS;
            let cookie = fits.then(|| InitAnswer::Cookie(cookie.data.clone()));
            return cookie.ok_or(Discard::UnprotectedHint);
        }
        let error = payloads.error().ok_or(Discard::MissingPayload)?;
        if let Some(group) = self.other_group(error) {
            return Ok(InitAnswer::OtherGroup(group));
        }
        Ok(InitAnswer::Refusal(self.explain(error.notify_type)))
    }

    /// The group that INVALID_KE_PAYLOAD asks for, if we have offered it. That it was not
    /// forged to weaken us, AUTH will show: it covers our last request (RFC 7296 §2.7).
    fn other_group(&self, error: &Notify) -> Option<Group> {
        let invalid_ke = error.notify_type == NotifyType::INVALID_KE_PAYLOAD;
        let octets = <[u8; 2]>::try_from(error.data.as_slice()).ok().filter(|_| invalid_ke)?;
        let group = proposal::group_of(u16::from_be_bytes(octets).into())?;
        let offered = self.config.ike_suites.iter().any(|suite| suite.group == group);
        let useful = group != self.key_exchange.group() && self.restarts < MAX_RESTARTS;
        (offered && useful).then_some(group)
    }

    fn explain(&self, notify: NotifyType) -> FailureReason {
        match notify {
            NotifyType::NO_PROPOSAL_CHOSEN => FailureReason::IkeProposal(NoProposal::Theirs {
                offered: describe_suites(&self.config.ike_suites),
            }),
            notify => FailureReason::Refused { exchange: "IKE_SA_INIT", notify },
        }
    }

    fn check_acceptance(
        &self,
        header: &Header,
        payloads: Payloads<'_>,
        from: Path,
    ) -> Result<InitAnswer, Discard> {
        let (Some(sa), Some(public), Some(nonce)) =
            (payloads.sa(), payloads.key_exchange(), payloads.nonce())
        else {
            return Err(Discard::MissingPayload);
        };
        let choice = proposal::chosen(sa, &self.config.ike_suites).ok_or(Discard::NoProposal)?;
        let group = self.key_exchange.group();
        if choice.suite.group != group || public.method != method_of(group) {
            return Err(Discard::OtherGroup);
        }
        if public.data.len() != group.public_len() || header.responder_spi.is_zero() {
            return Err(Discard::PublicValue);
        }
        let spis = (self.spi, header.responder_spi);
        let Some(nat) = detect(payloads.0, spis, &from) else {
            return Ok(InitAnswer::Refusal(FailureReason::NoNatTraversal));
        };
        Ok(InitAnswer::Accept(Acceptance {
            suite: choice.suite,
            responder: header.responder_spi,
            nonce: nonce.clone(),
            public: public.data.clone(),
            nat,
            verifies_ed25519: auth::verifies_ed25519(payloads),
        }))
    }

    /// Sends IKE_SA_INIT anew with all else unchanged, within the time of the attempt.
    fn restart(&mut self, ctx: &mut Context<'_>) {
        self.restarts += 1;
        let deadline = self.began_at + self.config.retransmit.give_up;
        self.retransmission = Retransmission::new(&self.config.retransmit, ctx.now);
        self.retransmission.shorten(deadline);
        self.send(ctx);
    }

    fn regroup(&mut self, group: Group, ctx: &mut Context<'_>) {
        match KeyExchange::generate(group, ctx.random) {
            Ok(key_exchange) => {
                self.key_exchange = key_exchange;
                self.restart(ctx);
            }
            Err(error) => tracing::error!(%error, "no key exchange"),
        }
    }

    /// The peer has answered: keys, and IKE_AUTH on the port of NAT traversal.
    fn advance(
        mut self: Box<Self>,
        acceptance: Acceptance,
        datagram: &[u8],
        ctx: &mut Context<'_>,
    ) -> AfterInit {
        let group = self.key_exchange.group();
        let Ok(fresh) = KeyExchange::generate(group, ctx.random) else {
            return AfterInit::Failed(FailureReason::Ours("no randomness"));
        };
        let used = std::mem::replace(&mut self.key_exchange, fresh);
        let Ok(shared) = used.agree(&acceptance.public) else {
            // Perhaps forged: with a fresh key the true peer can still answer.
            ctx.out.count(Discard::PublicValue);
            if self.restarts < MAX_RESTARTS {
                self.restart(ctx);
            }
            return AfterInit::Same(self);
        };
        if let Err(failure) = auth::can_prove(&self.config.credentials, acceptance.verifies_ed25519)
        {
            return AfterInit::Failed(FailureReason::Authentication(failure));
        }
        let nonces = Nonces { initiator: self.nonce, responder: acceptance.nonce };
        let id = IkeSaId { local: self.spi, remote: acceptance.responder };
        let spis = Spis { initiator: id.local, responder: id.remote };
        let keys = IkeKeys::initial(acceptance.suite, &shared, &nonces, spis, Role::Initiator);
        let Ok(keys) = keys else {
            return AfterInit::Failed(FailureReason::Ours("keys do not fit the suite"));
        };
        let suites = without_group(&self.config.esp_suites);
        let path = natt_path(self.path, ctx.settings.ike_port, ctx.settings.natt_port);
        AfterInit::AwaitAuth(Box::new(AwaitAuth {
            connection: self.connection,
            id,
            keys,
            nonces,
            path,
            nat: acceptance.nat,
            init_request: self.request,
            init_response: datagram.to_vec(),
            offer: Offer::new(&self.config, suites, ctx),
            request: Vec::new(),
            retransmission: Retransmission::new(&self.config.retransmit, ctx.now),
            began_at: self.began_at,
            initial_contact: false,
            config: self.config,
        }))
    }

    /// Time has passed.
    pub fn handle_timeout(mut self: Box<Self>, ctx: &mut Context<'_>) -> AfterInit {
        match self.retransmission.on_timeout(ctx.now) {
            Due::Nothing => AfterInit::Same(self),
            Due::Resend => {
                ctx.out.stats.retransmitted += 1;
                ctx.out.send(&self.path, &self.request);
                AfterInit::Same(self)
            }
            Due::GiveUp => AfterInit::Failed(self.hint.unwrap_or(FailureReason::NoAnswer {
                exchange: "IKE_SA_INIT",
                sent: self.retransmission.sent(),
                after: ctx.now - self.began_at,
            })),
        }
    }

    pub fn timeout(&self) -> Timestamp {
        self.retransmission.next()
    }
}

/// "The initiator MUST … change to port 4500" when there is a NAT, and may without one
/// (RFC 7296 §2.23).
fn natt_path(path: Path, ike_port: u16, natt_port: u16) -> Path {
    let at = |address: SocketAddr| {
        let port = if address.port() == ike_port { natt_port } else { address.port() };
        SocketAddr::new(address.ip(), port)
    };
    Path { local: at(path.local), remote: at(path.remote) }
}

/// IKE_AUTH is sent, or about to be.
#[derive(Debug)]
pub(super) struct AwaitAuth {
    pub connection: ConnectionId,
    config: Arc<ConnectionConfig>,
    pub id: IkeSaId,
    keys: IkeKeys,
    nonces: Nonces,
    path: Path,
    nat: NatStatus,
    init_request: Vec<u8>,
    init_response: Vec<u8>,
    offer: Offer,
    request: Vec<u8>,
    retransmission: Retransmission,
    began_at: Timestamp,
    initial_contact: bool,
}

/// What became of a state.
#[derive(Debug)]
pub(super) enum AfterAuth {
    Same(Box<AwaitAuth>),
    Established {
        sa: Box<Established>,
        /// We have said that this is the only IKE SA with the peer.
        initial_contact: bool,
        child: Result<(), ChildRefusal>,
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
        let birth = Birth {
            id: self.id,
            role: Role::Initiator,
            connection: self.connection,
            config: self.config,
            keys: self.keys,
            nonces: self.nonces.clone(),
            path,
            began_at: self.began_at,
        };
        let mut sa = Box::new(Established::new(birth, proof, ctx));
        let spi = self.offer.spi;
        let child = child
            .map(|agreed| sa.announce_and_install(agreed, &self.nonces, ctx))
            .inspect_err(|_| ctx.pool.release(spi));
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

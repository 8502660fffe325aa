//! IKE_SA_INIT is sent (RFC 7296 §1.2, §2.6, §2.7, §2.23).

use super::super::auth;
use super::super::child::Offer;
use super::super::config::{ConnectionConfig, ConnectionId};
use super::super::context::Context;
use super::super::event::{IkeSaId, NatStatus, Role};
use super::super::exchange::{Due, Retransmission};
use super::super::failure::FailureReason;
use super::super::keys::{IkeKeys, Nonces, Spis};
use super::super::path::{Path, detect, detection_payloads};
use super::super::payloads::{Payloads, ike_refused, notify, public_value, wanted_group};
use super::super::proposal::{self, method_of, without_group};
use super::super::slots;
use super::super::stats::Discard;
use super::AwaitAuth;
use crate::crypto::kex::{Group, KeyExchange};
use crate::crypto::suite::IkeSuite;
use crate::time::Timestamp;
use crate::wire::ike::{
    ExchangeType, Flags, Header, IkeSpi, Message, MessageId, Notify, NotifyType, Payload,
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
pub(in super::super) struct AwaitInit {
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
pub(in super::super) enum AfterInit {
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
    names_slots: bool,
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
        payloads.push(public_value(&self.key_exchange));
        payloads.push(Payload::Nonce(self.nonce.clone()));
        payloads.extend(detection_payloads(spis, &self.path, self.config.force_encapsulation));
        payloads.push(auth::hash_algorithms());
        payloads.push(slots::vendor_id());
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
        let offered = &self.config.ike_suites;
        Ok(InitAnswer::Refusal(ike_refused("IKE_SA_INIT", error.notify_type, offered)))
    }

    /// The group that INVALID_KE_PAYLOAD asks for, if we have offered it. That it was not
    /// forged to weaken us, AUTH will show: it covers our last request (RFC 7296 §2.7).
    fn other_group(&self, error: &Notify) -> Option<Group> {
        let group = wanted_group(error)?;
        let offered = self.config.ike_suites.iter().any(|suite| suite.group == group);
        let useful = group != self.key_exchange.group() && self.restarts < MAX_RESTARTS;
        (offered && useful).then_some(group)
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
            names_slots: slots::are_named_by_sender(payloads),
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
        let ike = IkeSaId { local: self.spi, remote: acceptance.responder };
        let spis = Spis { initiator: ike.local, responder: ike.remote };
        let keys = IkeKeys::initial(acceptance.suite, &shared, &nonces, spis, Role::Initiator);
        let Ok(keys) = keys else {
            return AfterInit::Failed(FailureReason::Ours("keys do not fit the suite"));
        };
        let Some((id, slot)) = self.config.first_slot() else {
            return AfterInit::Failed(FailureReason::Ours("no slots"));
        };
        let suites = without_group(&slot.esp_suites);
        let offer = Offer::new((id, slot), suites, acceptance.names_slots, ctx);
        let path = natt_path(self.path, ctx.settings.ike_port, ctx.settings.natt_port);
        AfterInit::AwaitAuth(Box::new(AwaitAuth {
            connection: self.connection,
            id: ike,
            keys,
            nonces,
            path,
            nat: acceptance.nat,
            init_request: self.request,
            init_response: datagram.to_vec(),
            offer,
            names_slots: acceptance.names_slots,
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

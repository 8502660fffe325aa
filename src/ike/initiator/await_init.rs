//! IKE_SA_INIT is sent (RFC 7296 §1.2, §2.6, §2.7, §2.23).

use super::super::auth::{self, PeerHashes};
use super::super::context::Context;
use super::super::event::{Event, NatStatus};
use super::super::exchange::{Due, Retransmission};
use super::super::failure::{AuthFailure, FailureReason, PpkFailure};
use super::super::fragments;
use super::super::intermediate;
use super::super::job::Work;
use super::super::path::{Path, detect, detection_payloads, will_encapsulate};
use super::super::payloads::{Payloads, ike_refused, notify, public_value, wanted_group};
use super::super::ppk;
use super::super::proposal::{self, Beside, method_of};
use super::super::slots;
use super::super::stats::Discard;
use super::super::transcript;
use super::super::view::Unanswered;
use super::working::{Agreeing, Stage, Working};
use super::{Attempt, Step, TELLING};
use crate::crypto::kex::{Group, KeyExchange};
use crate::crypto::suite::{Additional, IkeSuite};
use crate::time::Timestamp;
use crate::wire::ike::{
    ExchangeType, Flags, Header, IkeSpi, Message, MessageId, Notify, NotifyType, Payload,
};
use std::time::Duration;

/// How long a true answer may still come after an unprotected refusal.
const HINT_PATIENCE: Duration = Duration::from_secs(2);
/// Octets of a cookie (RFC 7296 §2.6).
const COOKIE: std::ops::RangeInclusive<usize> = 1..=64;

/// Octets of an IKE_SA_INIT that passes every path of IPv6 in one piece.
const LONGEST: usize = 1280 - 40 - 8;

/// IKE_SA_INIT is sent.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct AwaitInit {
    pub attempt: Attempt,
    key_exchange: KeyExchange,
    request: Vec<u8>,
    retransmission: Retransmission,
}

/// What an answer to IKE_SA_INIT says.
enum InitAnswer {
    Accept(Acceptance),
    Cookie(Vec<u8>),
    OtherGroup(Group),
    Refusal(FailureReason),
}

/// What the peer has chosen and sent.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Acceptance {
    pub suite: IkeSuite,
    pub additional: Additional,
    pub responder: IkeSpi,
    pub nonce: Vec<u8>,
    public: Vec<u8>,
    pub nat: NatStatus,
    pub hashes: PeerHashes,
    pub names_slots: bool,
    pub takes_fragments: bool,
    pub covers_in_full: bool,
    /// Whether both sides have a post-quantum pre-shared key.
    pub uses_ppk: bool,
}

impl AwaitInit {
    /// Sends IKE_SA_INIT, with all the time that is left of the attempt.
    pub(super) fn send(
        attempt: Attempt,
        key_exchange: KeyExchange,
        ctx: &mut Context<'_>,
    ) -> Box<AwaitInit> {
        let retransmission = Retransmission::new(&attempt.config.retransmit, ctx.now);
        let request = Vec::new();
        let mut state = Box::new(AwaitInit { attempt, key_exchange, request, retransmission });
        state.send_again(ctx);
        state
    }

    /// Sends IKE_SA_INIT as it is now, within the time of the attempt.
    fn send_again(&mut self, ctx: &mut Context<'_>) {
        let schedule = &self.attempt.config.retransmit;
        self.retransmission = Retransmission::new(schedule, ctx.now);
        self.retransmission.shorten(self.attempt.began_at + schedule.give_up);
        self.request = self.message(self.attempt.beside(), ctx.settings.fragmentation);
        ctx.out.send(&self.attempt.path, &self.request);
    }

    /// It cannot be fragmented, so it stays short, if need be with fewer proposals.
    fn message(&self, beside: Beside, fragmentation: bool) -> Vec<u8> {
        let message = self.message_with(beside, fragmentation);
        match beside.fewer().filter(|_| message.len() > LONGEST) {
            Some(fewer) => self.message(fewer, fragmentation),
            None => message,
        }
    }

    fn message_with(&self, beside: Beside, fragmentation: bool) -> Vec<u8> {
        let flags = Flags { initiator: true, ..Flags::default() };
        let spis = (self.attempt.spi, IkeSpi::ZERO);
        let header = Header::new(spis.0, spis.1, ExchangeType::IKE_SA_INIT, flags, MessageId(0));
        let mut payloads = Vec::new();
        let Attempt { cookie, config, nonce, path, .. } = &self.attempt;
        payloads.extend(cookie.clone().map(|cookie| notify(NotifyType::COOKIE, cookie)));
        let offer = proposal::offer(&config.ike_suites, beside, &[]);
        payloads.push(Payload::SecurityAssociation(offer));
        payloads.push(public_value(&self.key_exchange));
        payloads.push(Payload::Nonce(nonce.clone()));
        payloads.extend(detection_payloads(spis, path, config.force_encapsulation));
        payloads.push(auth::hash_algorithms());
        payloads.extend(fragmentation.then(fragments::supported));
        payloads.extend((beside != Beside::NOTHING).then(intermediate::supported));
        payloads.push(transcript::is_covered_in_full());
        payloads.extend(config.ppk.is_some().then(ppk::is_used));
        payloads.push(slots::vendor_id());
        Message { header, payloads }.encode()
    }

    /// One datagram whose header names this attempt.
    pub(crate) fn handle(
        mut self: Box<Self>,
        datagram: &[u8],
        from: Path,
        ctx: &mut Context<'_>,
    ) -> Step {
        match self.check(datagram, from) {
            Err(reason) => {
                ctx.out.count(reason);
                Step::AwaitInit(self)
            }
            Ok(InitAnswer::Accept(acceptance)) => self.advance(acceptance, datagram, ctx),
            Ok(InitAnswer::Cookie(cookie)) => {
                self.attempt.cookie = Some(cookie);
                self.attempt.on_restart();
                self.send_again(ctx);
                Step::AwaitInit(self)
            }
            Ok(InitAnswer::OtherGroup(group)) => self.attempt.regroup(group, ctx),
            // Who could forge an answer in TCP keeps true ones away, too (RFC 9329 §6.4).
            Ok(InitAnswer::Refusal(reason)) if self.attempt.path.is_streamed() => {
                Step::Failed(reason)
            }
            Ok(InitAnswer::Refusal(reason)) => {
                ctx.out.count(Discard::UnprotectedHint);
                self.retransmission.shorten(ctx.now + HINT_PATIENCE);
                self.attempt.hint = Some(reason);
                Step::AwaitInit(self)
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
            && from.remote.ip() == self.attempt.path.remote.ip();
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
            let fits = COOKIE.contains(&cookie.data.len()) && self.attempt.may_restart();
            let cookie = fits.then(|| InitAnswer::Cookie(cookie.data.clone()));
            return cookie.ok_or(Discard::UnprotectedHint);
        }
        let error = payloads.error().ok_or(Discard::MissingPayload)?;
        if let Some(group) = self.other_group(error) {
            return Ok(InitAnswer::OtherGroup(group));
        }
        let offered = &self.attempt.config.ike_suites;
        let beside = self.attempt.beside();
        Ok(InitAnswer::Refusal(ike_refused("IKE_SA_INIT", error.notify_type, offered, beside)))
    }

    /// The group that INVALID_KE_PAYLOAD asks for, if we have offered it. That it was not
    /// forged to weaken us, AUTH will show: it covers our last request (RFC 7296 §2.7).
    fn other_group(&self, error: &Notify) -> Option<Group> {
        let group = wanted_group(error)?;
        let offered = self.attempt.config.ike_suites.iter().any(|suite| suite.group == group);
        let useful = group != self.key_exchange.group() && self.attempt.may_restart();
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
        let suites = &self.attempt.config.ike_suites;
        let choice = proposal::chosen(sa, suites, self.attempt.beside());
        let choice = choice.ok_or(Discard::NoProposal)?;
        if !choice.additional.is_none() && !intermediate::is_done_by_sender(payloads) {
            return Err(Discard::MissingPayload);
        }
        let group = self.key_exchange.group();
        if choice.suite.group != group || public.method != method_of(group) {
            return Err(Discard::OtherGroup);
        }
        if public.data.len() != group.answer_len() || header.responder_spi.is_zero() {
            return Err(Discard::PublicValue);
        }
        let spis = (self.attempt.spi, header.responder_spi);
        let Some(nat) = detect(payloads.0, spis, &from) else {
            return Ok(InitAnswer::Refusal(FailureReason::NoNatTraversal));
        };
        let names_slots = slots::are_named_by_sender(payloads);
        if !will_encapsulate(&from, nat, self.attempt.config.force_encapsulation, names_slots) {
            return Ok(InitAnswer::Refusal(FailureReason::NoEncapsulation));
        }
        let ours = self.attempt.config.ppk.as_ref();
        let uses_ppk = ours.is_some() && ppk::is_used_by_sender(payloads);
        if ours.is_some_and(|ours| ours.required) && !uses_ppk {
            let failure = AuthFailure::Ppk(PpkFailure::NotUsed);
            return Ok(InitAnswer::Refusal(FailureReason::Authentication(failure)));
        }
        Ok(InitAnswer::Accept(Acceptance {
            suite: choice.suite,
            additional: choice.additional,
            responder: header.responder_spi,
            nonce: nonce.clone(),
            public: public.data.clone(),
            nat,
            hashes: PeerHashes::of(payloads),
            names_slots,
            takes_fragments: fragments::are_taken_by_sender(payloads),
            covers_in_full: transcript::covers_in_full(payloads),
            uses_ppk,
        }))
    }

    /// The peer has accepted; the secret shows whether its public value is one.
    fn advance(
        self: Box<Self>,
        acceptance: Acceptance,
        datagram: &[u8],
        ctx: &mut Context<'_>,
    ) -> Step {
        let AwaitInit { attempt, key_exchange, request, .. } = *self;
        let work = Work::Agree { ours: key_exchange, public: acceptance.public.clone() };
        let agreeing = Agreeing {
            attempt,
            acceptance,
            init_request: request,
            init_response: datagram.to_vec(),
        };
        Working::ask(Stage::Agreeing(Box::new(agreeing)), work, ctx)
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(mut self: Box<Self>, ctx: &mut Context<'_>) -> Step {
        match self.retransmission.on_timeout(ctx.now) {
            Due::Nothing => Step::AwaitInit(self),
            Due::Resend => {
                ctx.out.stats.retransmitted += 1;
                ctx.out.send(&self.attempt.path, &self.request);
                if self.retransmission.sent() == TELLING && !self.attempt.quiet {
                    let reason = self.attempt.hint.clone();
                    let reason = reason.unwrap_or_else(|| self.unanswered().reason(ctx.now));
                    ctx.out.event(self.attempt.connection, Event::Unanswered { reason });
                }
                Step::AwaitInit(self)
            }
            Due::GiveUp => {
                let unanswered = self.unanswered().reason(ctx.now);
                Step::Failed(self.attempt.hint.unwrap_or(unanswered))
            }
        }
    }

    /// What has had no answer so far.
    pub(crate) fn unanswered(&self) -> Unanswered {
        let (sent, since) = (self.retransmission.sent(), self.attempt.began_at);
        let in_tcp = self.attempt.path.is_streamed();
        Unanswered { exchange: "IKE_SA_INIT", sent, since, in_tcp }
    }

    /// When the request is repeated or given up.
    pub(crate) fn timeout(&self) -> Timestamp {
        self.retransmission.next()
    }
}

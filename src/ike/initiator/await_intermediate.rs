//! IKE_INTERMEDIATE is sent (RFC 9242, RFC 9370 §2.2.2).
//!
//! Its answer is protected by keys that nobody has authenticated yet: whoever answered IKE_SA_INIT has
//! them. IKE_AUTH shows who that was, for it covers this exchange, too.

use super::super::context::Context;
use super::super::exchange::Retransmission;
use super::super::failure::FailureReason;
use super::super::fragments::{Reassembly, Sealed};
use super::super::intermediate;
use super::super::job::Work;
use super::super::payloads::{self, Payloads};
use super::super::protect::Opened;
use super::super::stats::Discard;
use super::super::view::Unanswered;
use super::working::{Stage, Working};
use super::{Keyed, Step};
use crate::crypto::kex::{KexError, KeyExchange};
use crate::crypto::secret::Secret;
use crate::time::Timestamp;
use crate::wire::ike::{ExchangeType, Header, covered};
use std::time::Duration;

/// What is asked, for people.
const EXCHANGE: &str = "IKE_INTERMEDIATE";

/// How long an answer may take: the peer does not keep a half-open IKE SA for much longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// IKE_INTERMEDIATE is sent.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct AwaitIntermediate {
    pub keyed: Keyed,
    key_exchange: KeyExchange,
    request: Sealed,
    /// What AUTH covers of it.
    covered: Vec<u8>,
    /// Fragments of the answer.
    answer: Reassembly,
    retransmission: Retransmission,
}

/// The peer has answered, and the secret is being computed.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct AgreeingMore {
    pub keyed: Keyed,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl AwaitIntermediate {
    /// Sends our half of the next key exchange.
    pub(super) fn send(
        mut keyed: Keyed,
        key_exchange: KeyExchange,
        ctx: &mut Context<'_>,
    ) -> Box<AwaitIntermediate> {
        let header = keyed.header(ExchangeType::IKE_INTERMEDIATE, keyed.transcript.next_id());
        let payloads = [payloads::public_value(&key_exchange)];
        let (key, remote) = (&mut keyed.keys.seal, keyed.path.remote);
        let request = keyed.fragmentation.on(&keyed.path).seal(key, &header, &payloads, remote);
        ctx.out.send_sealed(&keyed.path, &request);
        let mut retransmission = Retransmission::new(&keyed.config.retransmit, ctx.now);
        retransmission.shorten(ctx.now + PATIENCE);
        let (covered, answer) = (covered(&header, &payloads), Reassembly::default());
        Box::new(AwaitIntermediate {
            keyed,
            key_exchange,
            request,
            covered,
            answer,
            retransmission,
        })
    }

    /// One datagram whose header names this attempt.
    pub(crate) fn handle(
        mut self: Box<Self>,
        header: &Header,
        datagram: &[u8],
        ctx: &mut Context<'_>,
    ) -> Step {
        let fits = header.flags.response
            && !header.flags.initiator
            && header.exchange_type == ExchangeType::IKE_INTERMEDIATE
            && header.message_id == self.keyed.transcript.next_id()
            && header.responder_spi == self.keyed.id.remote;
        let (key, agreed) = (&self.keyed.keys.open, self.keyed.fragmentation.agreed);
        let opened = match fits {
            true => self.answer.open(key, agreed, datagram, ctx.now),
            false => Err(Discard::Unexpected),
        };
        match opened {
            Ok(Some(opened)) => self.answered(&opened, ctx),
            Ok(None) => Step::AwaitIntermediate(self),
            Err(reason) => {
                ctx.out.count(reason);
                Step::AwaitIntermediate(self)
            }
        }
    }

    fn answered(self: Box<Self>, opened: &Opened, ctx: &mut Context<'_>) -> Step {
        let public = match opened.payloads() {
            Ok(payloads) => self.check(Payloads(payloads)),
            Err(error) => Err(FailureReason::Breach(error.to_string())),
        };
        let AwaitIntermediate { keyed, key_exchange, covered, .. } = *self;
        match public {
            Ok(public) => {
                let work = Work::Agree { ours: key_exchange, public };
                let (request, response) = (covered, opened.covered().to_vec());
                let agreeing = AgreeingMore { keyed, request, response };
                Working::ask(Stage::AgreeingMore(Box::new(agreeing)), work, ctx)
            }
            Err(reason) => {
                keyed.abandon(ctx);
                Step::Failed(reason)
            }
        }
    }

    /// The peer's public value.
    fn check(&self, payloads: Payloads<'_>) -> Result<Vec<u8>, FailureReason> {
        if let Some(unknown) = payloads.unknown_critical() {
            let text = format!("unknown critical payload of type {}", unknown.0);
            return Err(FailureReason::Breach(text));
        }
        if let Some(error) = payloads.error() {
            let notify = error.notify_type;
            return Err(FailureReason::Refused { exchange: EXCHANGE, notify });
        }
        let group = self.key_exchange.group();
        intermediate::public_value(payloads, group, group.answer_len()).ok_or_else(|| {
            let text = "the answer to IKE_INTERMEDIATE holds no public value of the agreed method";
            FailureReason::Breach(text.to_owned())
        })
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(mut self: Box<Self>, ctx: &mut Context<'_>) -> Step {
        let Self { keyed, request, retransmission, .. } = &mut *self;
        match keyed.repeat(request, (retransmission, EXCHANGE), ctx) {
            Ok(()) => Step::AwaitIntermediate(self),
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

impl AgreeingMore {
    /// What came of the work.
    pub(super) fn settle(
        self: Box<Self>,
        shared: Result<Secret, KexError>,
        ctx: &mut Context<'_>,
    ) -> Step {
        let AgreeingMore { keyed, request, response } = *self;
        match shared {
            Ok(shared) => keyed.on_more(shared, (&request, &response), ctx),
            Err(error) => {
                ctx.out.count(Discard::PublicValue);
                keyed.abandon(ctx);
                Step::Failed(FailureReason::Breach(error.to_string()))
            }
        }
    }
}

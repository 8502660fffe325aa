//! The peer's attempt to connect: IKE_SA_INIT, IKE_INTERMEDIATE and IKE_AUTH as responder (RFC 7296
//! §1.2, §2.6, §2.21.2, RFC 9242).
//!
//! ```text
//!  ──►  HDR(0), [N(COOKIE),] SAi1, KEi, Ni, N(NAT…)        Working: Answering
//!       HDR, SAr1, KEr, Nr, N(NAT…)  ──►                             ──► HalfOpen
//!  ──►  HDR, SK {KEi(n)}                                   HalfOpen ──► Working: Mixing
//!       HDR, SK {KEr(n)}  ──►     for each beside the first          ──► HalfOpen
//!  ──►  HDR, SK {IDi, IDr, AUTH, SAi2, TSi, TSr}           HalfOpen ──► Working: Verifying
//!                                                            ──► Working: Signing
//!       HDR, SK {IDr, AUTH, SAr2, TSi, TSr}  ──►             ──► Established
//! ```
//!
//! A step without public-key work, such as a proof by a pre-shared key, passes `Working` by.
//!
//! IKE_SA_INIT is answered without knowing who asks, so it costs little and is bounded; see
//! [`half_open`](super::half_open). IKE_AUTH names the peer and proves the name, and only then
//! is it clear which connection is meant.

mod admission;
mod answering;
mod half_open;
mod intermediate;
mod working;

use super::event::IkeSaId;
use super::exchange::LastAnswer;
use super::failure::{FailureReason, NoProposal};
use super::path::Path;
use super::payloads::notify;
use super::sa::{Established, NoFirstChild};
use super::stats::Discard;
use crate::wire::ike::{
    ExchangeType, Flags, Header, IkeSpi, Message, MessageId, NotifyType, Payload,
};
pub(super) use answering::Answering;
pub(super) use half_open::HalfOpen;
pub(super) use working::Working;

/// What became of an IKE SA that a peer has begun.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Step {
    Working(Box<Working>),
    HalfOpen(Box<HalfOpen>),
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
    /// IKE_SA_INIT turned out not to be worth an answer.
    Dropped(Discard),
}

/// Why IKE_SA_INIT was not accepted, and what to answer, if anything.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct InitRefusal {
    pub count: Discard,
    pub answer: Option<Box<Payload>>,
    pub reason: Option<Box<FailureReason>>,
}

impl InitRefusal {
    /// Counted, and not answered.
    pub(super) fn silent(count: Discard) -> Self {
        InitRefusal { count, answer: None, reason: None }
    }

    /// Counted, and answered by one payload.
    pub(super) fn answered(count: Discard, answer: Payload) -> Self {
        InitRefusal { count, answer: Some(Box::new(answer)), reason: None }
    }

    fn explained(reason: FailureReason) -> Self {
        let answer = notify(NotifyType::NO_PROPOSAL_CHOSEN, []);
        let reason = Some(Box::new(reason));
        InitRefusal { reason, ..InitRefusal::answered(Discard::NoProposal, answer) }
    }

    fn no_proposal(refusal: NoProposal) -> Self {
        InitRefusal::explained(FailureReason::IkeProposal(refusal))
    }
}

/// The header of an answer.
fn answer_header(id: IkeSaId, exchange: ExchangeType, message_id: MessageId) -> Header {
    let flags = Flags { response: true, ..Flags::default() };
    Header::new(id.remote, id.local, exchange, flags, message_id)
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

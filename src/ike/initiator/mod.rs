//! Our attempt to connect: IKE_SA_INIT, IKE_INTERMEDIATE and IKE_AUTH as initiator (RFC 7296 §1.2,
//! §2.6, §2.23, RFC 9242).
//!
//! ```text
//!                                                          Working: Generating ──► AwaitInit
//!    HDR(0), [N(COOKIE),] SAi1, KEi, Ni, N(NAT…)  ──►
//!                          ◄──  HDR, SAr1, KEr, Nr, N(NAT…)      AwaitInit ──► Working: Agreeing
//!                                                                  ──► Working: Signing ──► AwaitAuth
//!    for each key exchange beside the first, before that:          ──► Working: GeneratingMore
//!    HDR, SK {KEi(n)}  ──►                                         ──► AwaitIntermediate
//!                          ◄──  HDR, SK {KEr(n)}                   ──► Working: AgreeingMore
//!    HDR, SK {IDi, IDr, AUTH, SAi2, TSi, TSr}  ──►
//!                          ◄──  HDR, SK {IDr, AUTH, SAr2, TSi, TSr}
//!                                                AwaitAuth ──► Working: Verifying ──► Established
//! ```
//!
//! A step without public-key work, such as the proof by a pre-shared key, passes `Working` by.
//!
//! Answers to IKE_SA_INIT carry no proof. One that accepts is taken at its word, and IKE_AUTH
//! shows whether it was the peer's. One that refuses is only remembered: a true answer may
//! still come, so the attempt goes on for a while (RFC 7296 §2.21.1).

mod attempt;
mod await_auth;
mod await_init;
mod await_intermediate;
mod keyed;
#[cfg(test)]
mod tests;
mod working;

use super::failure::FailureReason;
use super::sa::{Established, NoFirstChild};
use crate::wire::ike::Authentication;

/// With so many datagrams without an answer an operator is told: after about two seconds.
const TELLING: u32 = 4;
pub(super) use attempt::Attempt;
pub(super) use await_auth::AwaitAuth;
pub(super) use await_init::AwaitInit;
pub(super) use await_intermediate::AwaitIntermediate;
pub(super) use keyed::Keyed;
pub(super) use working::Working;

/// What became of an attempt.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Step {
    AwaitInit(Box<AwaitInit>),
    AwaitIntermediate(Box<AwaitIntermediate>),
    Working(Box<Working>),
    /// Both sides have keys and our proof is made: IKE_AUTH can be sent.
    Ready(Box<Keyed>, Authentication),
    AwaitAuth(Box<AwaitAuth>),
    Established {
        sa: Box<Established>,
        /// We have said that this is the only IKE SA with the peer.
        initial_contact: bool,
        child: Result<(), NoFirstChild>,
    },
    Failed(FailureReason),
}

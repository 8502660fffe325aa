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

mod await_auth;
mod await_init;

pub(super) use await_auth::{AfterAuth, AwaitAuth};
pub(super) use await_init::{AfterInit, AwaitInit};

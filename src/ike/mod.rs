//! IKEv2 (RFC 7296): an engine without I/O.
//!
//! [`Endpoint`] negotiates IKE SAs and Child SAs with configured peers, keeps their keys fresh
//! and watches whether the peers live. It takes datagrams, points in time and wishes, and gives
//! datagrams and [`Event`]s. It knows nothing of ESP packets, routes or tunnels' names.
//!
//! ```text
//!                          Endpoint
//!              ┌──────────────┼──────────────────┐
//!         connection     initiator, responder    sa: an established IKE SA
//!         wanted?        IKE_SA_INIT, IKE_AUTH    CREATE_CHILD_SA, INFORMATIONAL
//!         retry when?         │                   │
//!                             └── child, auth, keys, proposal, selector, exchange, liveness, path
//! ```
//!
//! Implemented: RFC 7296 with cookies (§2.6), NAT traversal (§2.23) with a check of the new path by
//! COOKIE2 (RFC 4555 §4.2.5), rekeying with all collisions (§2.8, §2.25); RFC 5282 and RFC 7634 (AEADs), RFC 7427 and RFC 8420 (signatures),
//! X.509 certificates (RFC 4945); fragmentation (RFC 7383); ML-KEM beside the first key exchange (RFC 9242, RFC 9370,
//! draft-ietf-ipsecme-ikev2-mlkem), and authentication of all of IKE_SA_INIT against downgrades; quick
//! crash detection (RFC 6290); post-quantum pre-shared keys (RFC 8784).
//! Addresses change by MOBIKE (RFC 4555), and all of it goes in TCP where UDP is not answered (RFC 9329). Not implemented, and not announced: EAP, certificates by URL, transport mode,
//! configuration payloads.
//!
//! No datagram changes anything before it has proved to be authentic, with two exceptions that
//! the protocol leaves no way around, both bounded: an IKE_SA_INIT request may make a half-open
//! IKE SA, and the first acceptable answer to our own IKE_SA_INIT is taken at its word until
//! IKE_AUTH shows whose it was.

#![warn(clippy::missing_errors_doc)]

mod aggfrag;
mod auth;
mod carrier;
mod child;
mod config;
mod connection;
mod connections;
mod context;
mod cookie;
mod crash;
mod endpoint;
mod event;
mod exchange;
mod failure;
mod fault;
mod fragments;
mod half_open;
mod initiator;
mod intermediate;
mod job;
mod keys;
mod limits;
mod liveness;
mod mobike;
mod path;
mod payloads;
mod ppk;
mod proposal;
mod protect;
mod responder;
mod sa;
mod selector;
mod slots;
mod sounding;
mod state;
mod stats;
mod transcript;
mod view;
mod ways;

pub use crate::pki::{Credentials, Ppk};
pub use crate::wire::ike::Identity;
pub use config::{
    Backoff, ConnectionConfig, ConnectionId, Encapsulation, EndpointConfig, HalfOpenLimits,
    Lifetime, LivenessConfig, Pair, PostQuantum, RemoteAddress, Retransmit, SlotConfig, SlotId,
    Way,
};
pub use endpoint::{Endpoint, Trial};
pub use event::{
    ChildId, ChildKeys, ChildUp, Established, Event, IkeSaId, NatStatus, Role, Strand, TimerReason,
    Transmit,
};
pub use failure::{AuthFailure, ChildRefusal, DownReason, FailureReason, NoProposal, PpkFailure};
pub use job::{Job, JobAnswer, JobId};
pub use stats::{Discard, Stats};
pub use view::{ChildView, ConnectionState, ConnectionView, IkeSecrets, IkeView, Unanswered};

#[cfg(test)]
mod tests;

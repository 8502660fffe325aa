//! Bidirectional Forwarding Detection inside tunnels (RFC 5880, RFC 5881): whether packets get
//! through in both directions, known within a few intervals.
//!
//! ```text
//!   inner packets, time ──► Sessions ──► inner packets to send, reports
//!                              │ one for each tunnel
//!                           Session ──► fsm::transition
//! ```
//!
//! [`fsm`] is the state machine as a table, [`Session`] what RFC 5880 §6.8 has around it, and
//! [`Sessions`] all sessions of a gateway with their addresses. The SA that a packet came by names
//! its session, so nobody outside a tunnel can reach one. What a session that goes down means for
//! routes is not decided here (RFC 5882).
//!
//! What is more than the RFCs ask for:
//! * Every authenticated packet of the tunnel is a sign of life, not Control packets alone.
//! * When a packet is overdue, polls follow each other as fast as the peer takes packets, so that
//!   lost packets are not taken for a lost path. RFC 5880 §6.8.7 would have them wait for our own
//!   Desired Min TX Interval, too.
//! * Time in which nobody listened does not count as silence ([`Sessions::on_deaf`]).
//!
//! Not implemented: authentication (the SA is), Echo, and Demand mode of our own; a peer in Demand
//! mode is sent what it asks for.

pub mod fsm;
mod repeats;
#[cfg(test)]
mod samples;
mod session;
mod sessions;

pub use repeats::{AGAIN, said};
pub use session::{Hint, Report, Role, Session, SessionConfig};
pub use sessions::{Discards, Endpoints, Heard, Output, Sessions};

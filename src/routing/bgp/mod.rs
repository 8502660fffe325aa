//! BGP-4 sessions (RFC 4271) without sockets or clocks: bytes and points in time in, bytes and
//! routes out. Which routes are believed, chosen and announced is decided elsewhere
//! ([`super::rib`] and [`super::Router`]).
//!
//! ```text
//!   bytes ─► framing ─► codec ─► session ─► Update, Refresh, Up, Down
//!                                   │
//!                   fsm: (state, event) ─► (state, steps)      one per TCP connection
//! ```
//!
//! RFCs: 4271 (BGP-4), 4760 (multiprotocol), 6793 (four-octet AS numbers), 2918 (route refresh),
//! 5492 (capabilities), 9072 (extended parameters), 8950 (IPv6 next hops of IPv4 routes), 6286
//! (identifiers), 6608 (FSM error subcodes), 7606 (error handling), 7607 (AS 0), 4486 (Cease
//! subcodes), 1997 (well-known communities), 7313 (enhanced route refresh),
//! 8654 (longer messages), 4724 (graceful restart, as the one that bears with a peer).
//!
//! Left out: the send hold timer (RFC 9687), MinRouteAdvertisementInterval (RFC 4271 §9.2.1.1: changes
//! are told at once); and that our routes be kept while we restart (RFC 4724 §4.1), since our tunnels
//! are not: packets have to go elsewhere for that time, and kept routes would keep them from it.

mod cause;
pub mod codec;
mod framing;
mod fsm;
mod message;
mod session;

pub use cause::{Cause, CeaseReason, Notification};
pub use framing::{Frame, FrameBuffer};
pub use fsm::{Event, State, Step, Transition, transition};
pub use message::{
    Announcement, AttributeFault, Capabilities, Family, GracefulRestart, Message, MessageType,
    Open, Refresh, Update,
};
pub use session::{DownReason, Negotiated, Output, Session, SessionConfig, Timer};

/// Most octets in a message (RFC 4271 §4.1).
pub const MAX_MESSAGE: usize = 4096;
/// Most octets in a message between speakers that have agreed on it, but for OPEN and KEEPALIVE
/// (RFC 8654 §4).
pub const MAX_EXTENDED_MESSAGE: usize = 65_535;
/// Octets of the message header: marker, length, type.
pub const HEADER: usize = 19;
/// The two-octet AS number that stands for one that does not fit (RFC 6793 §9).
pub const AS_TRANS: u16 = 23456;

/// One TCP connection, as the shell and the sessions name it to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    const ACCEPTED: u64 = 1 << 63;

    /// The name of the `n`th connection that the shell accepted; the shell counts.
    pub fn accepted(n: u64) -> ConnectionId {
        ConnectionId(n | Self::ACCEPTED)
    }

    /// The name of the `n`th connection that session number `session` opens.
    pub(super) fn opened(session: u32, n: u32) -> ConnectionId {
        ConnectionId((u64::from(session) << 31) | u64::from(n & 0x7fff_ffff))
    }
}

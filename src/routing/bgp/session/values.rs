//! What a session is told, agrees on and tells.

use crate::net::Asn;
use crate::routing::attributes::Role;
use crate::routing::bgp::codec::Context;
use crate::routing::bgp::{
    Capabilities, Cause, CeaseReason, ConnectionId, Family, Notification, Refresh, Update,
};
use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

/// What a session must know of both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Tells this session's connections from those of every other, earlier ones included.
    pub serial: u32,
    /// Our AS.
    pub local_asn: Asn,
    /// The AS that the peer must be of.
    pub remote_asn: Asn,
    /// Our BGP Identifier.
    pub identifier: Ipv4Addr,
    /// What we are to the peer (RFC 9234); `None` says nothing.
    pub role: Option<Role>,
    /// The peer must name its role (RFC 9234 §4.2, strict mode).
    pub strict_role: bool,
    /// The families that we carry.
    pub families: BTreeSet<Family>,
    /// Hold time that is proposed, in whole seconds; zero turns keepalives off.
    pub hold_time: Duration,
    /// Longest wait between attempts, and for one attempt.
    pub connect_retry: Duration,
    /// Never connect, only wait for the peer.
    pub passive: bool,
}

/// What both ends agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Hold time; zero when there are no keepalives.
    pub hold_time: Duration,
    /// How messages are read and written.
    pub context: Context,
    /// What the peer can.
    pub capabilities: Capabilities,
    /// The peer's BGP Identifier.
    pub identifier: Ipv4Addr,
}

/// What the session wants done, or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a TCP connection.
    Connect(ConnectionId),
    /// Send octets.
    Send(ConnectionId, Vec<u8>),
    /// Send what is queued, then close.
    Close(ConnectionId),
    /// Routes can be exchanged.
    Up,
    /// No routes can be exchanged any more; those of the peer are void.
    Down(DownReason),
    /// An attempt to come to a session ended; told when the reason is not one of those that pass.
    Failed(DownReason),
    /// The peer's routes changed.
    Update(Update),
    /// The peer wants to hear our routes of this family again, or tells its own again.
    Refresh(Family, Refresh),
}

/// Why an established session, or an attempt at one, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// The TCP connection ended, or could not be made.
    TransportClosed,
    /// The connection attempt took too long.
    ConnectTimeout,
    /// We ended it and said why.
    Sent(Cause),
    /// The peer ended it and said why.
    Received(Notification),
}

impl DownReason {
    /// Whether the peer may just restart: its connection is gone, and neither side has said why; or it has
    /// begun another (RFC 4724 §4.2).
    pub(crate) fn may_be_a_restart(&self) -> bool {
        match self {
            DownReason::TransportClosed => true,
            DownReason::Sent(cause) => *cause == Cause::Cease(CeaseReason::Collision),
            DownReason::ConnectTimeout | DownReason::Received(_) => false,
        }
    }

    /// Whether an attempt that ended for this reason may well succeed the next time: the peer is
    /// not there yet, or we have let go of it.
    pub fn may_pass(&self) -> bool {
        match self {
            DownReason::TransportClosed | DownReason::ConnectTimeout => true,
            DownReason::Sent(cause) => matches!(cause, Cause::Cease(_)),
            DownReason::Received(notification) => notification.code == CEASE,
        }
    }
}

/// Error code of a Cease (RFC 4271 §4.5).
const CEASE: u8 = 6;

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DownReason::TransportClosed => f.write_str("TCP connection closed"),
            DownReason::ConnectTimeout => f.write_str("TCP connection attempt timed out"),
            DownReason::Sent(cause) => write!(f, "sent {}", cause.notification()),
            DownReason::Received(notification) => write!(f, "peer sent {notification}"),
        }
    }
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A connection attempt has taken long enough (RFC 4271 §8.1.1).
    ConnectRetry,
    /// The peer must have been heard (RFC 4271 §4.4).
    Hold,
    /// The peer must hear us.
    Keepalive,
    /// The wait before the next attempt is over (IdleHoldTimer).
    IdleHold,
    /// The peer has had time to announce its routes again (RFC 4724 §4.2). The router's, not the
    /// session's.
    Stale,
}

//! What a router wants done, or tells.

use crate::net::{PeerId, Prefix};
use crate::routing::bgp::{ConnectionId, DownReason, Timer};
use crate::routing::rib::{Ranked, RejectReason};
use std::net::IpAddr;

/// The peers through which a prefix is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FibChange {
    /// Where packets go.
    pub prefix: Prefix,
    /// Through whose tunnel, best first; empty when none leads there.
    pub paths: Vec<Ranked>,
    /// The next hop in the VPC, where the prefix is at home there.
    pub home: Option<IpAddr>,
}

/// What the router wants done, or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a TCP connection from `local` to port 179 of `remote`.
    Connect {
        /// For whom.
        peer: PeerId,
        /// How it is named from now on.
        connection: ConnectionId,
        /// Source address.
        local: IpAddr,
        /// Destination address.
        remote: IpAddr,
    },
    /// Send octets on a connection.
    Send {
        /// Which.
        connection: ConnectionId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Send what is queued, then close; nothing to do when it is closed already.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Ways to prefixes changed.
    Fib(Vec<FibChange>),
    /// The session with a peer is established.
    NeighborUp {
        /// Whose.
        peer: PeerId,
    },
    /// The session with a peer ended.
    NeighborDown {
        /// Whose.
        peer: PeerId,
        /// Why.
        reason: DownReason,
    },
    /// Attempts to come to a session with a peer fail.
    NeighborFailed {
        /// Whose.
        peer: PeerId,
        /// Why.
        reason: DownReason,
    },
    /// A peer has announced four fifths of the prefixes that it may.
    NearLimit {
        /// Who.
        peer: PeerId,
        /// How many it has announced.
        count: usize,
        /// How many it may.
        limit: usize,
    },
    /// A peer announced what it may not.
    Rejected {
        /// Who.
        peer: PeerId,
        /// What.
        prefix: Prefix,
        /// Why not.
        why: RejectReason,
    },
}

/// What a deadline of the router is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A timer of a session.
    Timer {
        /// Whose session.
        peer: PeerId,
        /// Which of its timers.
        timer: Timer,
    },
    /// To go on with what had no room in a turn: at once, after whatever else waits.
    Work,
}

//! How long things of a peer may take, as values.

use std::time::Duration;

/// When SAs are replaced. These are hard limits: rekeying begins earlier, with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Lifetime of an IKE SA.
    pub ike: Duration,
    /// Lifetime of a Child SA.
    pub child: Duration,
    /// Bytes that a Child SA carries in one direction.
    pub child_bytes: u64,
    /// Packets that a Child SA carries in one direction.
    pub child_packets: u64,
}

/// How fast a dead peer is noticed (RFC 7296 §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// Time between probes.
    pub interval: Duration,
    /// Silence after which traffic moves to another peer.
    pub timeout: Duration,
    /// Silence after which the SAs are deleted.
    pub give_up: Duration,
}

/// How fast a path that carries nothing is noticed (RFC 5880).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bfd {
    /// Time between two packets, if the peer is not slower.
    pub interval: Duration,
    /// How many intervals of silence mean that the path is lost.
    pub multiplier: u8,
}

//! Connections as an operator sees them.

use super::config::SlotId;
use super::event::{ChildId, IkeSaId, NatStatus, Role};
use super::exchange::Retransmission;
use super::failure::FailureReason;
use super::path::Path;
use crate::crypto::secret::Secret;
use crate::crypto::suite::{Additional, EspSuite, IkeSuite};
use crate::net::EspSpi;
use crate::pki::Vouched;
use crate::time::Timestamp;
use crate::wire::ike::Identity;
use crate::wire::ike::TrafficSelector;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionView {
    /// What it is doing.
    pub state: ConnectionState,
    /// Its IKE SAs in use: one, but for moments.
    pub ike_sas: Vec<IkeView>,
    /// What an attempt that is under way has had no answer to.
    pub unanswered: Option<Unanswered>,
    /// When the next attempt to connect begins, if one is planned.
    pub retry_at: Option<Timestamp>,
    /// The last failure, and when it was.
    pub last_failure: Option<(Timestamp, FailureReason)>,
    /// Since when UDP has not been answered, while TCP is used for that (RFC 9329 §5.1).
    pub udp_silent_since: Option<Timestamp>,
    /// How often the peer has asked for more than it may have, and was put off.
    pub excess: u64,
}

/// A request of an attempt that has had no answer so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// What was asked.
    pub exchange: &'static str,
    /// How often.
    pub sent: u32,
    /// Since when.
    pub since: Timestamp,
    /// Whether in TCP (RFC 9329).
    pub in_tcp: bool,
}

impl Unanswered {
    /// How a request stands that is repeated like this on a path.
    pub(super) fn of(
        retransmission: &Retransmission,
        exchange: &'static str,
        path: &Path,
    ) -> Unanswered {
        let (sent, since) = (retransmission.sent(), retransmission.first_sent());
        Unanswered { exchange, sent, since, in_tcp: path.is_streamed() }
    }

    /// What is wrong when no answer comes any more.
    pub fn reason(&self, now: Timestamp) -> FailureReason {
        let Unanswered { exchange, sent, since, in_tcp } = *self;
        FailureReason::NoAnswer { exchange, sent, after: now.since(since), in_tcp }
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Nothing: it waits for the peer, or was taken down.
    Idle,
    /// Waiting to try again.
    Waiting,
    /// Trying to connect.
    Connecting,
    /// Up.
    Up,
    /// Up, but the peer does not answer since then.
    Unreachable(Timestamp),
}

/// One IKE SA in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IkeView {
    /// Its SPIs.
    pub id: IkeSaId,
    /// Who began it.
    pub role: Role,
    /// Its algorithms.
    pub suite: IkeSuite,
    /// Its key exchanges beside the first (RFC 9370).
    pub additional: Additional,
    /// Whether both sides have authenticated all of IKE_SA_INIT.
    pub covered_in_full: bool,
    /// Whether a post-quantum pre-shared key is in the keys (RFC 8784).
    pub ppk_in_use: bool,
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Who the peer is.
    pub remote_id: Identity,
    /// The certificate by which it proved that, if it was one.
    pub certificate: Option<Arc<Vouched>>,
    /// NATs on the way.
    pub nat: NatStatus,
    /// Since when it is there.
    pub established_at: Timestamp,
    /// When it gets new keys.
    pub rekey_at: Timestamp,
    /// When something authentic last came from the peer.
    pub last_heard: Timestamp,
    /// The last round-trip time measured.
    pub round_trip: Option<Duration>,
    /// Its Child SAs.
    pub children: Vec<ChildView>,
}

impl IkeView {
    /// All of its key exchanges, as in `curve25519+mlkem768`.
    pub fn key_exchanges(&self) -> String {
        let first = self.suite.group;
        match self.additional.is_none() {
            true => first.to_string(),
            false => format!("{first}+{}", self.additional),
        }
    }
}

/// The keys that protect the messages of an IKE SA, for whoever reads a capture.
#[derive(Debug)]
pub struct IkeSecrets {
    /// Its SPIs.
    pub id: IkeSaId,
    /// Who began it.
    pub role: Role,
    /// Its algorithms.
    pub suite: IkeSuite,
    /// SK_e ‖ SK_a of what we send.
    pub ours: Secret,
    /// SK_e ‖ SK_a of what the peer sends.
    pub theirs: Secret,
}

/// One Child SA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildView {
    /// The slot that it is for.
    pub slot: SlotId,
    /// Its number.
    pub child: ChildId,
    /// SPI of packets from the peer.
    pub inbound: EspSpi,
    /// SPI of packets to the peer.
    pub outbound: EspSpi,
    /// Its algorithms.
    pub suite: EspSuite,
    /// Traffic of our side.
    pub local_ts: Vec<TrafficSelector>,
    /// Traffic of the peer's side.
    pub remote_ts: Vec<TrafficSelector>,
    /// Since when it is there.
    pub installed_at: Timestamp,
    /// When it gets new keys.
    pub rekey_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it is in use, rather than being replaced or deleted.
    pub in_use: bool,
}

//! Between which addresses and ports an IKE SA runs: NAT detection, the move to port 4500,
//! keepalives and rebinding (RFC 7296 §2.23, RFC 3948 §2.2, §4).

use super::event::NatStatus;
use super::state::state_of_fields;
use crate::crypto::digest::sha1;
use crate::time::Timestamp;
use crate::wire::ike::{IkeSpi, Notify, NotifyType, Payload};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Both ends of the path, as we see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

/// NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP of a message that leaves on `path`.
/// With `force`, the source is one that nobody has, so that the peer sees a NAT in front of us.
pub(super) fn detection_payloads(spis: (IkeSpi, IkeSpi), path: &Path, force: bool) -> [Payload; 2] {
    let source = if force { SocketAddr::new([0, 0, 0, 0].into(), 0) } else { path.local };
    [
        (NotifyType::NAT_DETECTION_SOURCE_IP, source),
        (NotifyType::NAT_DETECTION_DESTINATION_IP, path.remote),
    ]
    .map(|(notify_type, address)| {
        Payload::Notify(Notify::new(notify_type, address_hash(spis, address)))
    })
}

/// What the peer's detection payloads say about the path on which they came; `None` when there
/// are none, which means that the peer does not support NAT traversal.
pub(super) fn detect(
    payloads: &[Payload],
    spis: (IkeSpi, IkeSpi),
    path: &Path,
) -> Option<NatStatus> {
    let hashes = |wanted: NotifyType| {
        payloads.iter().filter_map(move |payload| match payload {
            Payload::Notify(notify) if notify.notify_type == wanted => Some(&notify.data),
            _ => None,
        })
    };
    let sources = hashes(NotifyType::NAT_DETECTION_SOURCE_IP);
    let destinations = hashes(NotifyType::NAT_DETECTION_DESTINATION_IP);
    let (as_sent_from, as_sent_to) =
        (address_hash(spis, path.remote), address_hash(spis, path.local));
    let (sources, destinations): (Vec<_>, Vec<_>) = (sources.collect(), destinations.collect());
    if sources.is_empty() || destinations.is_empty() {
        return None;
    }
    Some(NatStatus {
        local: destinations.iter().all(|hash| hash.as_slice() != as_sent_to),
        remote: sources.iter().all(|hash| hash.as_slice() != as_sent_from),
    })
}

/// "SHA-1 digest of the SPIs (in the order they appear in the header), IP address, and port".
fn address_hash((initiator, responder): (IkeSpi, IkeSpi), address: SocketAddr) -> [u8; 20] {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(v4) => sha1(&[&initiator.0, &responder.0, &v4.octets(), &port]),
        IpAddr::V6(v6) => sha1(&[&initiator.0, &responder.0, &v6.octets(), &port]),
    }
}

/// A path together with what keeps it open and moves it.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct LivePath {
    path: Path,
    nat: NatStatus,
    keepalive_at: Timestamp,
}

impl LivePath {
    pub fn new(path: Path, nat: NatStatus, now: Timestamp) -> Self {
        LivePath { path, nat, keepalive_at: now }
    }

    pub fn path(&self) -> Path {
        self.path
    }

    pub fn nat(&self) -> NatStatus {
        self.nat
    }

    /// An authentic message that is not a replay came on `path`: follow the peer there, if it
    /// is behind a NAT. A host that is itself behind one should not, for an attacker could lead
    /// it astray (RFC 7296 §2.23). Returns whether the path has changed.
    pub fn on_authentic(&mut self, path: Path) -> bool {
        let may_follow = self.nat.remote && !self.nat.local;
        let moved = path.local == self.path.local && path.remote != self.path.remote;
        if may_follow && moved {
            self.path = path;
        }
        may_follow && moved
    }

    /// When the next keepalive is due: never, unless we are behind a NAT.
    pub fn keepalive_at(&self) -> Option<Timestamp> {
        self.nat.local.then_some(self.keepalive_at)
    }

    /// Whether a keepalive is to be sent now; plans the next.
    pub fn keepalive_due(&mut self, now: Timestamp, interval: Duration) -> bool {
        let due = self.keepalive_at().is_some_and(|at| at <= now);
        if due {
            self.keepalive_at = now + interval.max(Duration::from_secs(1));
        }
        due
    }
}

state_of_fields!(Path { local, remote });
state_of_fields!(LivePath { path, nat, keepalive_at });

#[cfg(test)]
mod tests;

//! Between which addresses and ports an IKE SA runs: NAT detection, the move to port 4500,
//! keepalives and rebinding (RFC 7296 §2.23, RFC 3948 §2.2, §4).

use super::event::NatStatus;
use super::state::state_of_fields;
use crate::crypto::digest::sha1;
use crate::net::is_streamed;
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

impl Path {
    /// The path between other addresses, and the same ports.
    pub(super) fn between(&self, local: IpAddr, remote: IpAddr) -> Path {
        let at = |ip, known: SocketAddr| SocketAddr::new(ip, known.port());
        Path { local: at(local, self.local), remote: at(remote, self.remote) }
    }

    /// Whether it is a TCP connection (RFC 9329), whose messages need no ports, NATs or sizes to be
    /// minded.
    pub(super) fn is_streamed(&self) -> bool {
        is_streamed(self.local)
    }

    /// Whether IKE has the non-ESP marker on it, for ESP goes the same way.
    pub(super) fn is_marked(&self, natt_port: u16) -> bool {
        self.is_streamed() || self.local.port() == natt_port
    }
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
/// are none, which means that the peer does not support NAT traversal. In TCP "no change should be
/// made" for a NAT (RFC 9329 §6.5), and nobody needs to know of one.
pub(super) fn detect(
    payloads: &[Payload],
    spis: (IkeSpi, IkeSpi),
    path: &Path,
) -> Option<NatStatus> {
    if path.is_streamed() {
        return Some(NatStatus::default());
    }
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

/// Whether the peer of a handshake on `path` will send ESP in UDP or TCP, the only forms that we speak:
/// the path is a TCP connection, or there is a NAT, real or claimed by one side (RFC 7296 §2.23), or
/// it is one of our kind.
pub(super) fn will_encapsulate(
    path: &Path,
    nat: NatStatus,
    claimed: bool,
    is_of_our_kind: bool,
) -> bool {
    path.is_streamed() || nat.local || nat.remote || claimed || is_of_our_kind
}

/// A path together with what keeps it open and moves it.
///
/// ```text
///             authentic, from elsewhere             our question is on its way there alone
///   (none) ────────────────────────────► Candidate ───────────────────────────────────────┐
///     ▲                                      │ nobody has answered from there in time      │
///     ├──────────────────────────────────────┘◄────────────────────────────────────────────┤
///     └───────── it is the path now ◄── the answer came from there, with the cookie ────────┘
/// ```
///
/// RFC 7296 §2.23 lets a host that is not behind a NAT follow the last authentic packet at once,
/// and asks the others not to follow at all: whoever can repeat a packet with another source leads
/// them astray. A question that only the new place can have seen lets everybody follow, and nobody
/// be led.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct LivePath {
    path: Path,
    nat: NatStatus,
    keepalive_at: Timestamp,
    candidate: Option<Candidate>,
}

/// A path on which the peer's authentic packets come, and that is not known to lead to it.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    path: Path,
    /// It is not asked there any longer then.
    until: Timestamp,
    /// What the peer is to send back, once it was asked.
    cookie: Option<Cookie>,
}

/// The data of a COOKIE2 notification (RFC 4555 §4.2.5): 8 to 64 octets that nobody can foresee.
pub(super) type Cookie = [u8; 16];

impl LivePath {
    pub(super) fn new(path: Path, nat: NatStatus, now: Timestamp) -> Self {
        LivePath { path, nat, keepalive_at: now, candidate: None }
    }

    /// That of an IKE SA which takes the place of the one that runs on this: what was about to be asked at the
    /// candidate is asked by the new one.
    pub(super) fn inherited(&self, now: Timestamp) -> Self {
        let candidate = self.candidate.map(|of| Candidate { cookie: None, ..of });
        LivePath { candidate, ..LivePath::new(self.path, self.nat, now) }
    }

    pub(super) fn path(&self) -> Path {
        self.path
    }

    pub(super) fn nat(&self) -> NatStatus {
        self.nat
    }

    /// Something authentic of the peer, and no replay, came on `path`, which may lead to it. If that
    /// is another it is to be asked there, until `until`; true when that is new.
    pub(super) fn on_seen_on(&mut self, path: Path, now: Timestamp, until: Timestamp) -> bool {
        self.forget_candidate(now);
        if path == self.path || self.candidate.is_some() {
            return false;
        }
        self.candidate = Some(Candidate { path, until, cookie: None });
        true
    }

    /// It runs elsewhere from now on.
    pub(super) fn relocate(&mut self, path: Path) {
        self.path = path;
        self.candidate = None;
    }

    /// The peer has said, from and to these addresses, that it is there. If that is elsewhere it is to
    /// be asked there, until `until`, whatever place was being asked before; true when that is new.
    pub(super) fn on_announced(&mut self, path: Path, until: Timestamp) -> bool {
        let known = self.candidate.is_some_and(|candidate| candidate.path == path);
        if path == self.path {
            self.candidate = None;
        } else if !known {
            self.candidate = Some(Candidate { path, until, cookie: None });
        }
        path != self.path && !known
    }

    /// Which side is behind a NAT now.
    pub(super) fn set_nat(&mut self, nat: NatStatus) {
        self.nat = nat;
    }

    /// Where the peer may be as well, while that is being found out.
    pub(super) fn candidate(&self) -> Option<Path> {
        self.candidate.map(|candidate| candidate.path)
    }

    /// Whether the peer is yet to be asked whether it is there.
    pub(super) fn wants_check(&self) -> bool {
        self.candidate.is_some_and(|candidate| candidate.cookie.is_none())
    }

    /// The peer is being asked at the candidate, until `until`, to send `cookie` back.
    pub(super) fn on_asked(&mut self, cookie: Cookie, until: Timestamp) {
        if let Some(candidate) = &mut self.candidate {
            (candidate.cookie, candidate.until) = (Some(cookie), until);
        }
    }

    /// The candidate, while the question with this cookie is for it alone.
    pub(super) fn asked_at(&self, cookie: &Cookie) -> Option<Path> {
        let asked = self.candidate.filter(|candidate| candidate.cookie == Some(*cookie));
        asked.map(|candidate| candidate.path)
    }

    /// The peer has answered from `from` the question that the candidate alone has got; `proved`
    /// says whether it has shown that it got it. Returns whether the path has changed.
    pub(super) fn on_checked(&mut self, from: SocketAddr, proved: bool) -> bool {
        let Some(candidate) = self.candidate.take() else { return false };
        let moves = proved && candidate.path.remote == from;
        if moves {
            self.path = candidate.path;
        }
        moves
    }

    /// Forgets a candidate from which nobody has answered in time.
    pub(super) fn forget_candidate(&mut self, now: Timestamp) {
        self.candidate.take_if(|candidate| candidate.until <= now);
    }

    /// When the candidate is forgotten.
    pub(super) fn candidate_until(&self) -> Option<Timestamp> {
        self.candidate.map(|candidate| candidate.until)
    }

    /// When the next keepalive is due: never, unless we are behind a NAT.
    pub(super) fn keepalive_at(&self) -> Option<Timestamp> {
        self.nat.local.then_some(self.keepalive_at)
    }

    /// Whether a keepalive is to be sent now; plans the next.
    pub(super) fn keepalive_due(&mut self, now: Timestamp, interval: Duration) -> bool {
        let due = self.keepalive_at().is_some_and(|at| at <= now);
        if due {
            self.keepalive_at = now + interval.max(Duration::from_secs(1));
        }
        due
    }
}

state_of_fields!(Path { local, remote });
state_of_fields!(LivePath { path, nat, keepalive_at, candidate });
state_of_fields!(Candidate { path, until, cookie });

#[cfg(test)]
mod tests;

//! What an endpoint tells its owner: datagrams to send, and events of connections.

use super::config::{SlotId, Way};
use super::failure::{DownReason, FailureReason};
use crate::crypto::secret::Secret;
use crate::crypto::suite::{Additional, EspSuite, IkeSuite};
use crate::net::EspSpi;
use crate::time::Timestamp;
use crate::wire::ike::{Header, Identity, IkeSpi, TrafficSelector};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A datagram to send, as it goes on the wire: with the non-ESP marker when it leaves from the
/// NAT traversal port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// From here.
    pub local: SocketAddr,
    /// To there.
    pub remote: SocketAddr,
    /// The payload of the UDP datagram.
    pub bytes: Vec<u8>,
    /// It must arrive in one piece or not at all: it measures the path.
    pub dont_fragment: bool,
}

/// One IKE SA, by the SPIs of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IkeSaId {
    /// Our SPI.
    pub local: IkeSpi,
    /// The peer's SPI.
    pub remote: IkeSpi,
}

impl IkeSaId {
    /// The IKE SA that a message is for, as its receiver knows it.
    pub(super) fn of_receiver(header: &Header) -> IkeSaId {
        let (initiator, responder) = (header.initiator_spi, header.responder_spi);
        match header.flags.initiator {
            true => IkeSaId { local: responder, remote: initiator },
            false => IkeSaId { local: initiator, remote: responder },
        }
    }
}

impl fmt::Display for IkeSaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.local, self.remote)
    }
}

/// One Child SA, never reused during the life of an endpoint. It keeps its number when its IKE
/// SA is rekeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId(pub u64);

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Child SA and all that take its place one after the other by rekeying: the number of the
/// first. A slot sends on one Child SA of each of its strands, which may be for different traffic
/// (RFC 7296 §1.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Strand(pub ChildId);

/// Which side of an exchange, or of the exchange that made an SA, we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We asked.
    Initiator,
    /// We answered.
    Responder,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Initiator => "initiator",
            Role::Responder => "responder",
        })
    }
}

/// What NAT detection found (RFC 7296 §2.23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatStatus {
    /// Our address was changed on its way.
    pub local: bool,
    /// The peer's address was changed on its way, or the peer says so to have UDP encapsulation.
    pub remote: bool,
}

/// One direction of a Child SA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildKeys {
    /// The SPI on the packets.
    pub spi: EspSpi,
    /// The algorithms.
    pub suite: EspSuite,
    /// Key and salt.
    pub keymat: Secret,
}

/// A Child SA to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildUp {
    /// The slot that it is for.
    pub slot: SlotId,
    /// Its number.
    pub child: ChildId,
    /// The Child SA whose place it takes; that one goes down in a separate event.
    pub replaces: Option<ChildId>,
    /// It and those before it.
    pub strand: Strand,
    /// From the peer; to be installed at once.
    pub inbound: ChildKeys,
    /// To the peer.
    pub outbound: ChildKeys,
    /// Traffic of our side.
    pub local_ts: Vec<TrafficSelector>,
    /// Traffic of the peer's side.
    pub remote_ts: Vec<TrafficSelector>,
    /// Outer address and port of our side.
    pub local: SocketAddr,
    /// Outer address and port of the peer's side.
    pub remote: SocketAddr,
    /// Whether its packets are AGGFRAG payloads (RFC 9347).
    pub aggfrag: bool,
    /// Whether outbound traffic of its strand moves to this Child SA now. If not, it moves at
    /// [`Event::ChildSendable`].
    pub sendable: bool,
    /// Our side of the exchange that made it.
    pub role: Role,
}

/// An event of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An IKE SA is up: both sides are authenticated.
    Established(Box<Established>),
    /// An IKE SA has new keys and SPIs; its Child SAs go on.
    IkeRekeyed {
        /// As it was.
        old: IkeSaId,
        /// As it is.
        new: IkeSaId,
        /// Its suite.
        suite: IkeSuite,
        /// Its key exchanges beside the first.
        additional: Additional,
    },
    /// A Child SA to install.
    ChildUp(Box<ChildUp>),
    /// Outbound traffic of a strand moves to this Child SA now.
    ChildSendable {
        /// The slot.
        slot: SlotId,
        /// Which Child SA.
        child: ChildId,
    },
    /// A Child SA is gone. Outbound ends at once; inbound may stay for packets under way.
    ChildDown {
        /// Its slot.
        slot: SlotId,
        /// Which.
        child: ChildId,
        /// Why.
        reason: DownReason,
    },
    /// The IKE SA and its Child SAs run between other addresses.
    Moved {
        /// Our address and port.
        local: SocketAddr,
        /// The peer's address and port.
        remote: SocketAddr,
        /// We have moved, rather than the peer.
        ours: bool,
    },
    /// The peer answers again.
    Alive {
        /// Round-trip time, when this answer shows it.
        rtt: Option<Duration>,
    },
    /// The peer does not answer. Its SAs stay, for it may come back.
    Unreachable {
        /// When the unanswered request was first sent.
        since: Timestamp,
    },
    /// The peer has answered a question of [`Endpoint::ask_way`](super::Endpoint::ask_way).
    WayAnswered {
        /// On which way.
        way: Way,
        /// When the question went out.
        asked: Timestamp,
    },
    /// The peer does not want us on this way, which was taken in place of one that worked (RFC 4555 §3.5,
    /// UNACCEPTABLE_ADDRESSES): the IKE SA goes back to that.
    WayRefused {
        /// Between which addresses.
        way: Way,
    },
    /// What came of [`Endpoint::measure`](super::Endpoint::measure).
    Measured {
        /// Octets of the IP packet; a little less than asked for where a cipher works in blocks.
        size: u16,
        /// It arrived in one piece. If not, a smaller message did.
        arrived: bool,
    },
    /// The peer has answered nothing by which the path could be measured, small messages neither.
    Unmeasured,
    /// The connection has no IKE SA any more.
    Down {
        /// Why the last one ended.
        reason: DownReason,
    },
    /// An attempt to connect failed, ours or the peer's, or an attempt to make one Child SA.
    Failed {
        /// The slot that got no Child SA; `None` when it is about the connection as a whole.
        slot: Option<SlotId>,
        /// Why.
        reason: FailureReason,
        /// When we try again, if we do.
        retry_at: Option<Timestamp>,
    },
    /// An attempt of ours goes on, and several requests of it had no answer. Told once an attempt.
    Unanswered {
        /// What was asked, or an answer that may have been forged.
        reason: FailureReason,
    },
    /// Somebody at the peer's address was refused, who has not proved to be the peer. It says
    /// nothing about the connection, but may tell an operator why the peer does not get in.
    Suspected {
        /// Why.
        reason: FailureReason,
    },
}

impl Event {
    /// The slot that the event is about; `None` when it is about the connection as a whole.
    pub fn slot(&self) -> Option<SlotId> {
        match self {
            Event::ChildUp(up) => Some(up.slot),
            Event::ChildSendable { slot, .. } | Event::ChildDown { slot, .. } => Some(*slot),
            Event::Failed { slot, .. } => *slot,
            Event::Established(_)
            | Event::IkeRekeyed { .. }
            | Event::Moved { .. }
            | Event::WayAnswered { .. }
            | Event::WayRefused { .. }
            | Event::Alive { .. }
            | Event::Unreachable { .. }
            | Event::Measured { .. }
            | Event::Unmeasured
            | Event::Down { .. }
            | Event::Unanswered { .. }
            | Event::Suspected { .. } => None,
        }
    }
}

/// An IKE SA that has come up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    /// Its SPIs.
    pub ike: IkeSaId,
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
    /// Who we said we are.
    pub local_id: Identity,
    /// Who the peer proved to be.
    pub remote_id: Identity,
    /// NATs on the way.
    pub nat: NatStatus,
    /// Whether the way is measured by requests in the IKE SA, which are surely answered. If not,
    /// [`Endpoint::measure`](super::Endpoint::measure) may end in [`Event::Unmeasured`].
    pub takes_probes: bool,
    /// Whether the peer names slots: then it is a gateway like this one.
    pub names_slots: bool,
}

/// What the next timeout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerReason {
    /// Repeat a request.
    Retransmit,
    /// Judge or probe a peer.
    Liveness,
    /// Keep a NAT's mapping.
    Keepalive,
    /// Make new keys.
    Rekey,
    /// Something has lived long enough.
    Expiry,
    /// Try to connect again.
    Reconnect,
    /// Create a missing Child SA.
    CreateChild,
}

//! What an operator decides: limits of an endpoint, and per connection who talks to whom, with
//! which algorithms, for which traffic and with how much patience.

use crate::crypto::secret::Secret;
pub use crate::crypto::suite::PostQuantum;
use crate::crypto::suite::{DEFAULT_IKE_SUITES, EspSuite, IkeSuite, default_esp_suites};
pub use crate::net::Encapsulation;
use crate::pki::{Credentials, Ppk};
use crate::random::Random;
use crate::wire::ike::{Identity, TrafficSelector};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// One configured connection, numbered by its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// One slot of a connection, numbered by its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u32);

/// What holds for all connections of an [`Endpoint`](super::Endpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointConfig {
    /// Local port without the non-ESP marker: 500.
    pub ike_port: u16,
    /// Local port with the non-ESP marker (RFC 7296 §2.23): 4500.
    pub natt_port: u16,
    /// Workers of the data plane, at least 1. Every inbound ESP SPI modulo this number names
    /// one, each in turn.
    pub workers: u32,
    /// How many strangers may be half-way in.
    pub half_open: HalfOpenLimits,
    /// Answers without protection per second, such as NO_PROPOSAL_CHOSEN or INVALID_IKE_SPI.
    /// Beyond it such datagrams are only counted.
    pub unprotected_replies_per_second: u32,
    /// Send and take messages in fragments, with peers that do so, too (RFC 7383).
    pub fragmentation: bool,
    /// Believe a peer's token that it has lost an IKE SA, and show ours (RFC 6290).
    pub crash_detection: bool,
    /// What our tokens are made of: 32 octets that outlive the process, and that no other gateway
    /// has (RFC 6290 §9.2). Without them we make none.
    pub crash_secret: Option<Secret>,
    /// Where peers may find us beside the address of their connection (RFC 4555 §3.4).
    pub addresses: BTreeSet<IpAddr>,
}

/// Bounds on IKE SAs whose initiator has not authenticated itself yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfOpenLimits {
    /// All together, but for those that are reserved.
    pub total: usize,
    /// From one address, or one /64 of IPv6.
    pub per_source: usize,
    /// So many from an address that is configured as a peer's have a place whoever else has
    /// taken all others.
    pub reserved_per_peer: usize,
    /// Above so many, an initiator must return a cookie first (RFC 7296 §2.6).
    pub cookies_above: usize,
    /// The same for so many from one address, so that nobody who only forges the address can
    /// take all its places.
    pub cookies_above_per_source: usize,
    /// How long one may take to authenticate.
    pub lifetime: Duration,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        EndpointConfig {
            ike_port: 500,
            natt_port: 4500,
            workers: 1,
            half_open: HalfOpenLimits::default(),
            unprotected_replies_per_second: 50,
            fragmentation: true,
            crash_detection: true,
            crash_secret: None,
            addresses: BTreeSet::new(),
        }
    }
}

impl Default for HalfOpenLimits {
    fn default() -> Self {
        HalfOpenLimits {
            total: 1000,
            per_source: 32,
            reserved_per_peer: 4,
            cookies_above: 64,
            cookies_above_per_source: 4,
            lifetime: Duration::from_secs(15),
        }
    }
}

/// Where the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteAddress {
    /// At this address. Port 500 begins on port 500 and moves to 4500; another port is talked to
    /// with the non-ESP marker from the start.
    At(SocketAddr),
    /// Anywhere: the connection only answers.
    Any,
}

impl RemoteAddress {
    /// Whether a datagram from `address` may be the peer's.
    pub fn admits(&self, address: IpAddr) -> bool {
        match self {
            RemoteAddress::At(remote) => remote.ip() == address,
            RemoteAddress::Any => true,
        }
    }
}

/// Between which addresses an IKE SA may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// Ours.
    pub local: IpAddr,
    /// The peer's.
    pub remote: IpAddr,
}

/// Traffic between one part of our side and one part of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Of our side.
    pub local: TrafficSelector,
    /// Of the peer's side.
    pub remote: TrafficSelector,
}

/// One slot of a connection: traffic that has a Child SA of its own, through all its rekeyings, or
/// several where the peer takes no more than a part of it in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotConfig {
    /// How both sides call it, at most [`SlotConfig::MAX_NAME`] octets: a peer that knows slots
    /// finds its own by this name, whatever else has the same selectors. Empty: by selectors.
    pub name: String,
    /// Offered and accepted for its Child SAs, best first.
    pub esp_suites: Vec<EspSuite>,
    /// Traffic of our side.
    pub local_ts: Vec<TrafficSelector>,
    /// Traffic of the peer's side.
    pub remote_ts: Vec<TrafficSelector>,
    /// What of it the owner has traffic for, at most [`SlotConfig::MAX_PAIRS`]. A peer may take a
    /// part only of what is offered (RFC 7296 §2.9); then each of these is asked for by itself that
    /// no Child SA touches.
    pub pairs: Vec<Pair>,
    /// Lifetime of a Child SA's keys.
    pub lifetime: Lifetime,
    /// Whether AGGFRAG payloads are wished for and granted (RFC 9347): packets that share a datagram, or
    /// are cut.
    pub aggfrag: bool,
    /// Whether there is no Child SA without (RFC 9347 §5.1).
    pub aggfrag_required: bool,
}

impl SlotConfig {
    /// Octets of a name at most.
    pub const MAX_NAME: usize = 255;
    /// Pairs that are asked for by themselves at most.
    pub const MAX_PAIRS: usize = 64;

    /// A slot without a name, with defaults for all that can have one.
    pub fn new(local_ts: Vec<TrafficSelector>, remote_ts: Vec<TrafficSelector>) -> Self {
        SlotConfig {
            name: String::new(),
            esp_suites: default_esp_suites(&DEFAULT_IKE_SUITES),
            local_ts,
            remote_ts,
            pairs: Vec::new(),
            lifetime: Lifetime::of(Duration::from_secs(3600)),
            aggfrag: false,
            aggfrag_required: false,
        }
    }

    /// Whether a Child SA made for `self` is just as good for `other`: all but the lifetime and what
    /// there may be besides equal.
    pub(super) fn same_traffic(&self, other: &SlotConfig) -> bool {
        let (lifetime, pairs) = (other.lifetime.clone(), other.pairs.clone());
        SlotConfig { lifetime, pairs, ..self.clone() } == *other
    }
}

/// One connection: an IKE SA to one peer and the slots for the Child SAs under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// Our address: that from which we initiate.
    pub local: IpAddr,
    /// Whether the peer may ask us at any other address of ours, too. Then the IKE SA runs where
    /// it was asked for (RFC 7296 §2.11), and another `local` changes nothing about it.
    pub anywhere: bool,
    /// The peer's.
    pub remote: RemoteAddress,
    /// Where the peer may be as well, and from where we reach it there; `remote` is where it is looked
    /// for. Another `remote` among them changes nothing about its IKE SA.
    pub ways: BTreeSet<Way>,
    /// Whether the peer may be elsewhere, too: `remote` is but where it is looked for. Then another
    /// `remote` changes nothing about its IKE SA.
    pub roams: bool,
    /// Who we are.
    pub local_id: Identity,
    /// Who the peer must be.
    pub remote_id: Identity,
    /// How both prove it.
    pub credentials: Credentials,
    /// Offered and accepted for the IKE SA, best first.
    pub ike_suites: Vec<IkeSuite>,
    /// Whether ML-KEM stands beside their key exchange.
    pub post_quantum: PostQuantum,
    /// What goes into the keys beside the key exchanges (RFC 8784).
    pub ppk: Option<Ppk>,
    /// What its Child SAs are for. IKE_AUTH makes that of the first slot, CREATE_CHILD_SA the
    /// others at once after.
    pub slots: BTreeMap<SlotId, SlotConfig>,
    /// Whether we bring the connection up and keep it up, rather than wait for the peer.
    pub initiate: bool,
    /// When a silent peer counts as unreachable, and when as gone.
    pub liveness: LivenessConfig,
    /// Lifetime of an IKE SA's keys.
    pub ike_lifetime: Lifetime,
    /// How requests are repeated until an answer comes.
    pub retransmit: Retransmit,
    /// How long to wait between attempts to connect.
    pub reconnect: Backoff,
    /// Make the peer believe in a NAT on our side, so that it encapsulates ESP in UDP: the only
    /// form of ESP that we speak (RFC 7296 §2.23).
    pub force_encapsulation: bool,
    /// The operator wants no IKE SA with this peer now: it has none, and one that has proved to be
    /// the peer is refused and told why.
    pub refuses: bool,
    /// Whether the addresses of its IKE SAs may change (RFC 4555), if the peer knows how.
    pub mobike: bool,
    /// Names of slots that the operator wants no Child SA for now.
    pub refused_slots: BTreeSet<String>,
    /// Whether IKE and ESP go in UDP or in TCP (RFC 9329).
    pub encapsulation: Encapsulation,
    /// The TCP port where the peer listens.
    pub tcp_port: u16,
}

impl ConnectionConfig {
    /// A connection of one slot, with defaults for all that can have one.
    pub fn new(
        local: IpAddr,
        remote: RemoteAddress,
        (local_id, remote_id): (Identity, Identity),
        credentials: Credentials,
        (local_ts, remote_ts): (Vec<TrafficSelector>, Vec<TrafficSelector>),
    ) -> Self {
        ConnectionConfig {
            local,
            anywhere: false,
            remote,
            ways: BTreeSet::new(),
            roams: false,
            local_id,
            remote_id,
            credentials,
            ike_suites: DEFAULT_IKE_SUITES.to_vec(),
            post_quantum: PostQuantum::default(),
            ppk: None,
            slots: BTreeMap::from([(SlotId(0), SlotConfig::new(local_ts, remote_ts))]),
            initiate: true,
            liveness: LivenessConfig::default(),
            ike_lifetime: Lifetime::of(Duration::from_secs(4 * 3600)),
            retransmit: Retransmit::default(),
            reconnect: Backoff::default(),
            force_encapsulation: true,
            refuses: false,
            mobike: true,
            refused_slots: BTreeSet::new(),
            encapsulation: Encapsulation::default(),
            tcp_port: 4500,
        }
    }

    /// The first slot, whose Child SA IKE_AUTH makes.
    pub fn first_slot(&self) -> Option<(SlotId, &SlotConfig)> {
        self.slots.first_key_value().map(|(&id, slot)| (id, slot))
    }

    /// Child SAs that its slots may have: one each, or one for each pair of its traffic.
    pub(super) fn strands(&self) -> usize {
        self.slots.values().map(|slot| 1 + slot.pairs.len()).sum()
    }

    /// Whether the peer may speak from this address.
    pub fn admits(&self, address: IpAddr) -> bool {
        let is_there = |way: &Way| way.remote == address;
        self.roams || self.remote.admits(address) || self.ways.iter().any(is_there)
    }

    /// Whether the peer, when it is looked for at `remote` of another configuration, may be there.
    fn leads_to(&self, remote: RemoteAddress) -> bool {
        match (self.remote, remote) {
            (RemoteAddress::At(ours), RemoteAddress::At(theirs)) => {
                self.roams || ours.port() == theirs.port() && self.admits(theirs.ip())
            }
            (RemoteAddress::Any, _) | (_, RemoteAddress::Any) => self.roams,
        }
    }

    /// Whether an IKE SA made under `self` is just as good under `other`: all but timers, slots,
    /// refusals and certificates equal, and the addresses unless they do not matter.
    pub fn same_peer(&self, other: &ConnectionConfig) -> bool {
        let rest_of_other = ConnectionConfig {
            local: if self.anywhere { other.local } else { self.local },
            remote: if other.leads_to(self.remote) { other.remote } else { self.remote },
            ways: other.ways.clone(),
            initiate: other.initiate,
            liveness: other.liveness.clone(),
            ike_lifetime: other.ike_lifetime.clone(),
            slots: other.slots.clone(),
            retransmit: other.retransmit.clone(),
            reconnect: other.reconnect.clone(),
            refuses: other.refuses,
            refused_slots: other.refused_slots.clone(),
            credentials: match self.credentials.continues_as(&other.credentials) {
                true => other.credentials.clone(),
                false => self.credentials.clone(),
            },
            ..self.clone()
        };
        rest_of_other == *other
    }
}

/// Probing of a peer (RFC 7296 §2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivenessConfig {
    /// From one probe to the next.
    pub interval: Duration,
    /// A request unanswered for so long makes the peer unreachable; twice as long when ESP or
    /// IKE traffic of the peer still comes in.
    pub timeout: Duration,
    /// Silence for so long ends the IKE SA.
    pub give_up: Duration,
    /// Unreachable for so long, a connection that initiates begins anew beside the old IKE SA,
    /// for a peer that restarted.
    pub restart_after: Duration,
    /// From one NAT keepalive to the next, when we are behind a NAT (RFC 3948 §4).
    pub keepalive: Duration,
}

impl Default for LivenessConfig {
    fn default() -> Self {
        LivenessConfig {
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(1500),
            give_up: Duration::from_secs(30),
            restart_after: Duration::from_secs(2),
            keepalive: Duration::from_secs(20),
        }
    }
}

/// How long keys may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// New keys are made after so long …
    pub soft: Duration,
    /// … less a random part of this, so that both sides seldom begin at once.
    pub jitter: Duration,
    /// The keys end after so long, replaced or not.
    pub hard: Duration,
}

impl Lifetime {
    /// A lifetime that ends at `hard`, with new keys made at nine tenths of it or a little before.
    pub fn of(hard: Duration) -> Self {
        Lifetime { soft: hard * 9 / 10, jitter: hard / 10, hard }
    }

    /// After how long new keys are to be made this time (RFC 7296 §2.8.1).
    pub fn some_time_before_soft(&self, random: &mut dyn Random) -> Duration {
        let jitter = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        self.soft.saturating_sub(Duration::from_micros(random.below(jitter.saturating_add(1))))
    }
}

/// The schedule on which one request is repeated (RFC 7296 §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retransmit {
    /// Wait before the first repetition.
    pub first: Duration,
    /// Every wait is so many hundredths of the one before.
    pub growth_percent: u32,
    /// But never longer than this.
    pub cap: Duration,
    /// A handshake request unanswered for so long has failed.
    pub give_up: Duration,
}

impl Default for Retransmit {
    fn default() -> Self {
        Retransmit {
            first: Duration::from_millis(300),
            growth_percent: 180,
            cap: Duration::from_secs(5),
            give_up: Duration::from_secs(60),
        }
    }
}

/// Growing, jittered waits between attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait; doubled by every failure.
    pub first: Duration,
    /// The longest.
    pub cap: Duration,
}

impl Backoff {
    /// The wait after so many failures in a row before this one. Half of it is random, so that
    /// two sides do not keep colliding.
    pub(super) fn wait(&self, failures: u32, random: &mut dyn Random) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.min(16));
        let wait = doubled.min(self.cap);
        let half = u64::try_from(wait.as_micros() / 2).unwrap_or(u64::MAX);
        wait / 2 + Duration::from_micros(random.below(half.saturating_add(1)))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { first: Duration::from_millis(500), cap: Duration::from_secs(30) }
    }
}

#[cfg(test)]
mod tests;

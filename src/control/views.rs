//! What a gateway shows of itself.

mod arrivals;
mod bfd;
mod bgp;
mod certificate;
mod counters;
mod events;
mod keys;
mod names;
mod nat;
mod places;
mod plan;
mod planned;
mod probe;
mod routes;
mod sas;
mod verdict;
mod vpcs;
mod vrrp;
mod why;

pub use arrivals::{ArrivalsView, PassageView, ReportView};
pub use bfd::{BfdView, PathState};
pub use bgp::BgpView;
pub use certificate::{CertificateView, CertificatesView};
pub use counters::{MetricsView, PeerMetrics, StatsView};
pub use events::{Code, EventView, EventsView, FailureView, Severity};
pub use keys::{EspKeysView, IkeKeysView, KeyText, KeysView};
pub use names::NameView;
pub use nat::{EgressView, NatView, PublicView, VpcNatView};
pub use places::PlaceView;
pub use plan::{ChangeView, PlanView};
pub use planned::{DrainView, Planned, Standing};
pub use probe::{ProbeState, ProbeView};
pub use routes::{PathView, RejectedRouteView, RouteView, RoutesView, ShareView, VpcRoutes};
pub use sas::{ChildSaState, ChildSaView, IkeSaView, ReplayView, Role, SasView, TunnelSas};
pub use verdict::Verdict;
pub use vpcs::{MapView, SegmentView, StationView, VpcRouterView, VpcView, VpcsView, VtepView};
pub use vrrp::{Family, TroubleView, VirtualRouterState, VirtualRouterView, VrrpView};
pub use why::{StepView, WayView, WhyView};

use crate::net::{Asn, Prefix};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;

/// The gateway itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GatewayView {
    /// Its name.
    pub name: String,
    /// Its region; empty when not said.
    pub region: String,
    /// Its zone; empty when not said.
    pub zone: String,
    /// The version of vpngw that runs.
    pub version: String,
    /// The identity that peers expect.
    pub identity: String,
    /// Its autonomous system.
    pub asn: Option<Asn>,
    /// Its BGP Identifier.
    pub router_id: Ipv4Addr,
    /// How long it has been running.
    pub up_for_ms: u64,
    /// While others are to be used instead of it: how far that has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainView>,
}

/// `GET /v1/peers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PeersView {
    /// Who answers.
    pub gateway: GatewayView,
    /// The peers in the order of their names.
    pub peers: Vec<PeerSummary>,
}

/// A peer in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PeerSummary {
    /// Its name.
    pub name: String,
    /// The VPC of its tunnel.
    pub vpc: String,
    /// Where it is, with the port in use; `None` while it may be anywhere.
    pub remote: Option<SocketAddr>,
    /// Whether all is well with it, in one word.
    #[serde(default)]
    pub verdict: Verdict,
    /// How the tunnel is.
    pub state: PeerState,
    /// For how long it has been so.
    pub state_for_ms: u64,
    /// The suite of the IKE SA.
    pub ike_suite: Option<String>,
    /// The suite of the Child SA in use.
    pub esp_suite: Option<String>,
    /// The last round-trip time.
    pub rtt_us: Option<u64>,
    /// What came from the peer and was let through.
    pub received: Traffic,
    /// What went to the peer.
    pub sent: Traffic,
    /// Prefixes that it announced (or that are static) and that are accepted.
    pub prefixes_accepted: u32,
    /// Prefixes that it announced and that are not.
    pub prefixes_rejected: u32,
    /// Prefixes whose traffic goes to this peer now, as the host carries it out.
    pub prefixes_active: u32,
    /// Prefixes whose traffic would go to this peer, did the host not refuse.
    #[serde(default)]
    pub prefixes_refused: u32,
    /// What the host refuses of all that this peer's traffic needs: the first of it, with why.
    #[serde(default)]
    pub refusal: Option<RefusalView>,
    /// The key exchanges of the IKE SA, as in `curve25519+mlkem768`: with ML-KEM what is recorded today
    /// is of no use to who has a quantum computer later.
    #[serde(default)]
    pub key_exchange: Option<String>,
    /// Whether IKE and ESP go in TCP (RFC 9329).
    #[serde(default)]
    pub in_tcp: bool,
    /// Weak suites that the configuration admits for this peer (`allow_weak`).
    #[serde(default)]
    pub weak_suites: Vec<String>,
    /// What BFD says about the path; `None` while there is no session.
    #[serde(default)]
    pub bfd: Option<BfdView>,
    /// The state of the BGP session inside the tunnel while it is not established: nothing that the
    /// peer could announce is in use.
    #[serde(default)]
    pub bgp_waits: Option<String>,
    /// The host behind the peer without whose answers others are preferred (`probe`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeView>,
    /// By whose wish it is not used, or others are used before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<Planned>,
    /// What went wrong last; if nothing did, why somebody at its address was refused.
    pub last_failure: Option<FailureView>,
}

/// How a tunnel is, as the data plane sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// A Child SA stands, and packets pass in it both ways; or, where the peer does not let that be
    /// found out, it answers IKE.
    Up,
    /// A Child SA stands, but packets do not pass; its traffic goes elsewhere.
    Unreachable,
    /// There is no Child SA; one is being negotiated.
    Connecting,
    /// There is no Child SA and nobody is making one.
    Down,
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PeerState::Up => "up",
            PeerState::Unreachable => "unreachable",
            PeerState::Connecting => "connecting",
            PeerState::Down => "down",
        })
    }
}

/// Whether packets pass in the Child SA that carries data, as far as the peer lets it be found out, by
/// BFD or by questions inside ESP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DataPath {
    /// The peer speaks no BFD and answers no questions inside ESP: only IKE says how it is.
    #[default]
    Unknown,
    /// Both ways.
    Passes,
    /// Both ways, but not for long enough to leave another tunnel for this one.
    PassesAgain,
    /// Packets of the peer come in, and it shows that nothing which we send arrives there.
    NothingArrives,
    /// Packets of the peer come in, but no answers.
    NoAnswers,
    /// Nothing comes in.
    NothingComes,
    /// The peer says that it takes no packets by this path any more.
    PeerClosed,
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataPath::Unknown => {
                "not known: the peer neither speaks BFD nor answers questions inside ESP"
            }
            DataPath::Passes => "passes both ways",
            DataPath::PassesAgain => {
                "passes both ways again, and is watched before it is preferred"
            }
            DataPath::NothingArrives => "what we send does not arrive, what the peer sends does",
            DataPath::NoAnswers => "packets of the peer come in, but no answers",
            DataPath::NothingComes => "nothing of the peer comes in",
            DataPath::PeerClosed => "the peer has closed its end of the path",
        })
    }
}

/// Traffic in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Traffic {
    /// Inner packets since the start.
    pub packets: u64,
    /// Inner bytes since the start.
    pub bytes: u64,
    /// The rate over the last seconds.
    pub bits_per_second: u64,
}

/// Something that the gateway wants from its host and does not get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusalView {
    /// What.
    pub what: String,
    /// The host's words.
    pub reason: String,
    /// How often in a row it refused; it is asked again.
    pub times: u32,
}

/// `GET /v1/peers/{name}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PeerView {
    /// Who answers.
    pub gateway: String,
    /// What the one line says.
    #[serde(flatten)]
    pub summary: PeerSummary,
    /// The host name that says where it is, and what is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<NameView>,
    /// Its addresses, where several are written or its name has several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<PlaceView>,
    /// Who we say we are.
    pub local_identity: String,
    /// Who the peer must prove to be.
    pub remote_identity: String,
    /// How both prove it: `psk`, `public_key` or `certificate`.
    pub authentication: String,
    /// The certificates of both.
    #[serde(default)]
    pub certificates: CertificatesView,
    /// For how long UDP has not been answered, where that is why the tunnel goes in TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp_silent_for_ms: Option<u64>,
    /// Our side of the tunnel on the underlay; with port 0 in TCP, whose port on our side means nothing.
    pub local: Option<SocketAddr>,
    /// The network namespace in which the VPC lives; `None` is the daemon's own.
    #[serde(default)]
    pub netns: Option<String>,
    /// Our address inside the tunnel.
    #[serde(default)]
    pub inside_local: Option<IpAddr>,
    /// The peer's.
    #[serde(default)]
    pub inside_remote: Option<IpAddr>,
    /// LOCAL_PREF of routes through it.
    pub local_preference: u32,
    /// Its weight where it may share flows with others; `None` where the VPC has no multipath.
    #[serde(default)]
    pub weight: Option<u8>,
    /// The peers that share flows with it now.
    #[serde(default)]
    pub shares_with: Vec<String>,
    /// MTU inside the tunnel.
    pub inner_mtu: Option<u16>,
    /// Whether we wish that packets share datagrams and are cut; what came of it, each Child SA says.
    #[serde(default)]
    pub aggfrag: bool,
    /// Bits per second at which datagrams leave, whether there are packets or not.
    #[serde(default)]
    pub constant_rate: Option<NonZeroU64>,
    /// Bits per second of the datagrams that the peer is sent at most.
    #[serde(default)]
    pub rate_limit: Option<NonZeroU64>,
    /// MTU of the path on the underlay, once the peer was connected.
    #[serde(default)]
    pub path_mtu: Option<PathMtuView>,
    /// The IKE SA.
    pub ike_sa: Option<IkeSaView>,
    /// Child SAs, the one in use first.
    pub child_sas: Vec<ChildSaView>,
    /// Packets that were not let through, by reason; reasons that never happened are left out.
    pub discards: BTreeMap<String, u64>,
    /// Whether the peer answers.
    pub liveness: LivenessView,
    /// Whether packets pass in the Child SA in use.
    #[serde(default)]
    pub data_path: DataPath,
    /// The BGP session inside the tunnel.
    pub bgp: Option<BgpView>,
    /// Which prefixes of ours the peer knows by others.
    #[serde(default)]
    pub maps: Vec<MapView>,
    /// Prefixes of the peer that no Child SA permits packets to, the first of them.
    #[serde(default)]
    pub unreached: Vec<Prefix>,
    /// Where its Child SAs permit some protocols or ports only: those, the first of them.
    #[serde(default)]
    pub parts: Vec<String>,
    /// What the host refuses of all that this peer's traffic needs, the first of it.
    #[serde(default)]
    pub refusals: Vec<RefusalView>,
    /// Why somebody at its address was refused last, who has not proved to be the peer.
    #[serde(default)]
    pub suspicion: Option<FailureView>,
    /// How often it has asked for more than one peer may have, and was put off.
    #[serde(default)]
    pub excess: u64,
    /// What happens next, the soonest first.
    pub timers: Vec<TimerView>,
    /// What happened last, the latest first.
    pub events: Vec<EventView>,
}

/// How long an IP packet to a peer may be that is not fragmented on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PathMtuView {
    /// Octets.
    pub bytes: u16,
    /// By what it is known: `configured`, `icmp` or `probed`.
    pub known_by: String,
    /// What the configuration allows at most.
    pub configured: u16,
}

/// Whether the peer answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LivenessView {
    /// Time between probes.
    pub interval_ms: u64,
    /// Silence after which traffic moves.
    pub timeout_ms: u64,
    /// Silence after which the SAs are deleted.
    pub give_up_ms: u64,
    /// When something authentic came last.
    pub heard_ago_ms: Option<u64>,
}

/// Something that will happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimerView {
    /// What.
    pub what: String,
    /// When.
    pub in_ms: u64,
}

//! The contract between a running gateway and those who look at it or steer it: requests,
//! replies and the views that replies carry.
//!
//! It travels as JSON over HTTP on a Unix socket, so `curl --unix-socket` speaks it as well as
//! `vpnctl`. Sockets and printing live elsewhere; here are the values and their HTTP form.
//!
//! Times in views are spans that end (`…_ago_ms`, `…_for_ms`) or begin (`…_in_ms`) when the view
//! was made: a gateway's clock has no date.

mod http;
mod metrics;
mod pages;
mod views;

pub use http::{HttpReply, Method};
pub use metrics::render as render_metrics;
pub use pages::{Mark, Page};
pub use views::{
    ArrivalsView, BfdView, BgpView, CertificateView, CertificatesView, ChangeView, ChildSaState,
    ChildSaView, Code, DataPath, DrainView, EgressView, EspKeysView, EventView, EventsView,
    FailureView, Family, GatewayView, IkeKeysView, IkeSaView, KeyText, KeysView, LivenessView,
    MapView, MetricsView, NameView, NatView, PassageView, PathMtuView, PathState, PathView,
    PeerMetrics, PeerState, PeerSummary, PeerView, PeersView, PlaceView, PlanView, Planned,
    ProbeState, ProbeView, PublicView, RefusalView, RejectedRouteView, ReplayView, ReportView,
    Role, RouteView, RoutesView, SasView, SegmentView, Severity, ShareView, Standing, StationView,
    StatsView, StepView, TimerView, Traffic, TroubleView, TunnelSas, Verdict, VirtualRouterState,
    VirtualRouterView, VpcNatView, VpcRouterView, VpcRoutes, VpcView, VpcsView, VrrpView, VtepView,
    WayView, WhyView,
};

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a gateway is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// All peers, one line each.
    Peers,
    /// One peer in depth.
    Peer(String),
    /// All routes with their choice.
    Routes,
    /// All SAs.
    Sas,
    /// The virtual routers.
    Vrrp,
    /// The VPCs on this side, with the segments of their hosts.
    Vpcs,
    /// What is translated between public addresses and hosts of the VPCs.
    Nat,
    /// Counters of the gateway as a whole.
    Stats,
    /// Everything that can be counted, for Prometheus.
    Metrics,
    /// What happened behind the event of this number.
    Events {
        /// The last event that is known already; 0 for all that are remembered.
        after: u64,
    },
    /// What becomes of a packet to an address.
    Why {
        /// Where it goes.
        to: IpAddr,
        /// Where it comes from.
        from: Option<IpAddr>,
        /// Its protocol and ports, which say by what tunnel it leaves where several share.
        ports: Option<Ports>,
    },
    /// Read the configuration again. This one is for the daemon: a gateway reads no files.
    Reload {
        /// Take it back after so many seconds unless it is confirmed.
        confirm: Option<u64>,
    },
    /// The configuration that was reloaded stays. For the daemon.
    Confirm,
    /// What a reload would do. For the daemon.
    Plan,
    /// What is logged, or is to be from now on. For the daemon.
    Log {
        /// The filter from now on; `None` asks for the one that holds.
        filter: Option<String>,
    },
    /// Replace SAs of a peer now.
    Rekey {
        /// The peer's name.
        peer: String,
        /// Which SAs.
        sa: SaKind,
    },
    /// Tell the keys of a peer's SAs. Only root is answered.
    Keys {
        /// The peer's name.
        peer: String,
    },
    /// Ask a peer what has arrived there, and tell what it has reported before.
    Arrivals {
        /// The peer's name.
        peer: String,
    },
    /// Start the tunnel to a peer.
    Initiate {
        /// The peer's name.
        peer: String,
    },
    /// Lead peers and hosts to other gateways, until [`Request::Undrain`].
    Drain,
    /// Take part again.
    Undrain,
    /// How far draining has come.
    DrainState,
    /// Close the tunnel to a peer and refuse it until [`Request::Enable`].
    Disable {
        /// The peer's name.
        peer: String,
    },
    /// Let a peer in again.
    Enable {
        /// The peer's name.
        peer: String,
    },
    /// Close the tunnel to a peer and leave it closed until it is initiated.
    Terminate {
        /// The peer's name.
        peer: String,
    },
}

/// The two kinds of SA (RFC 7296 §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SaKind {
    /// The SA that protects IKE itself.
    Ike,
    /// The SAs that carry traffic.
    Child,
}

/// What a gateway answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To [`Request::Peers`].
    Peers(PeersView),
    /// To [`Request::Peer`].
    Peer(Box<PeerView>),
    /// To [`Request::Routes`].
    Routes(RoutesView),
    /// To [`Request::Sas`].
    Sas(SasView),
    /// To [`Request::Vrrp`].
    Vrrp(VrrpView),
    /// To [`Request::Vpcs`].
    Vpcs(VpcsView),
    /// To [`Request::Nat`].
    Nat(NatView),
    /// To [`Request::Stats`].
    Stats(StatsView),
    /// To [`Request::Metrics`].
    Metrics(Box<MetricsView>),
    /// To [`Request::Events`].
    Events(EventsView),
    /// To [`Request::Why`].
    Why(WhyView),
    /// To [`Request::Plan`].
    Plan(PlanView),
    /// To [`Request::Keys`].
    Keys(KeysView),
    /// To [`Request::Arrivals`].
    Arrivals(ArrivalsView),
    /// To [`Request::DrainState`].
    Drain(DrainView),
    /// To a request for an action: it was started.
    Done(Done),
    /// The request could not be answered.
    Failed(Failure),
}

/// An action that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Done {
    /// What happens now, in a sentence.
    pub message: String,
}

/// What tells flows between the same two hosts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The IP protocol, by its number.
    pub protocol: u8,
    /// Port of the sender.
    pub source: u16,
    /// Port of the receiver.
    pub destination: u16,
}

/// Why a request could not be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[error("{message}")]
pub struct Failure {
    /// The kind of failure, for programs.
    pub kind: FailureKind,
    /// What is wrong and what to do, for people.
    pub message: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// There is no such path, or not with this method.
    BadRequest,
    /// There is no peer of this name.
    NoSuchPeer,
    /// The new configuration is invalid; the old one goes on.
    InvalidConfig,
    /// Not for this user.
    NotAllowed,
    /// The tunnel is not in a state in which this can be done.
    NotNow,
}

impl Failure {
    /// A peer that is not configured; `names` are those that are.
    pub fn no_such_peer<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Failure {
        let names: Vec<&str> = names.collect();
        let message = format!("there is no peer {name:?}; the peers are: {}", names.join(", "));
        Failure { kind: FailureKind::NoSuchPeer, message }
    }
}

impl Reply {
    /// An action that was started.
    pub fn done(message: impl Into<String>) -> Reply {
        Reply::Done(Done { message: message.into() })
    }

    /// A failure.
    pub fn failed(kind: FailureKind, message: impl Into<String>) -> Reply {
        Reply::Failed(Failure { kind, message: message.into() })
    }
}

#[cfg(test)]
pub(crate) mod tests;

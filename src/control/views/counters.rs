//! What is counted and measured: `vpnctl stats` and the metrics.

use super::{GatewayView, PeerSummary, VirtualRouterView, VpcsView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `GET /metrics`, before it is text.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsView {
    /// Who answers.
    pub gateway: GatewayView,
    /// The peers in the order of their names.
    pub peers: Vec<PeerMetrics>,
    /// The virtual routers.
    pub virtual_routers: Vec<VirtualRouterView>,
    /// The VPCs.
    pub vpcs: VpcsView,
    /// Counters of the gateway as a whole.
    pub stats: StatsView,
}

/// What is measured of one peer.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerMetrics {
    /// What the one line says.
    pub summary: PeerSummary,
    /// MTU of the path on the underlay, once the peer was connected.
    pub path_mtu: Option<u16>,
    /// Packets that were not let through, by reason; reasons that never happened are left out.
    pub discards: BTreeMap<String, u64>,
    /// When certificates of the tunnel expire, in seconds since 1970: our own and the peer's.
    pub own_certificate_expires: Option<u64>,
    /// See there.
    pub peer_certificate_expires: Option<u64>,
}

/// `GET /v1/stats`: counters of the gateway as a whole, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatsView {
    /// Who answers.
    pub gateway: String,
    /// IKE messages and exchanges, by what became of them.
    pub ike: BTreeMap<String, u64>,
    /// Packets that belong to no tunnel and were discarded, by reason.
    pub discards: BTreeMap<String, u64>,
    /// What happened in the data plane outside any tunnel.
    #[serde(default)]
    pub dataplane: BTreeMap<String, u64>,
    /// What became of the gateway's wishes to its host.
    #[serde(default)]
    pub host: BTreeMap<String, u64>,
    /// How many of them the host refuses now.
    #[serde(default)]
    pub host_refuses: u64,
}

//! What is counted and measured: `vpnctl stats` and the metrics.

use super::{GatewayView, NatView, PeerSummary, PlaceView, VirtualRouterView, VpcsView};
use crate::control::SaKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `GET /metrics`, before it is text.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsView {
    /// Who answers.
    pub gateway: GatewayView,
    /// The time of day, in milliseconds since 1970.
    pub unix_ms: u64,
    /// How often things happened to the gateway as a whole, by the codes of events.
    pub events: BTreeMap<String, u64>,
    /// Whether the last attempt at another configuration went well, or there was none.
    pub reload_successful: bool,
    /// When the configuration in use was taken over.
    pub reloaded_ago_ms: u64,
    /// The peers in the order of their names.
    pub peers: Vec<PeerMetrics>,
    /// The virtual routers.
    pub virtual_routers: Vec<VirtualRouterView>,
    /// The VPCs.
    pub vpcs: VpcsView,
    /// What is translated.
    pub nat: NatView,
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
    /// How often things happened to the tunnel, by the codes of events.
    pub events: BTreeMap<String, u64>,
    /// How often keys were replaced, by the kind of SA.
    pub rekeys: [(SaKind, u64); 2],
    /// The soonest time to replace keys, by the kind of SA; without SAs there is none.
    pub rekey_in_ms: [(SaKind, Option<u64>); 2],
    /// Sequence numbers of the SAs in use that have not arrived, and stand behind one that has.
    pub lost: u64,
    /// Prefixes that we announce to the peer by BGP; `None` without BGP.
    pub announced: Option<u32>,
    /// When certificates of the tunnel expire, in seconds since 1970: our own and the peer's.
    pub own_certificate_expires: Option<u64>,
    /// See there.
    pub peer_certificate_expires: Option<u64>,
    /// Its addresses, where it has several.
    pub places: Vec<PlaceView>,
}

/// `GET /v1/stats`: counters of the gateway as a whole, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Policy rules of the host that may lead what they mark past the gateway's, each in a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_rules: Vec<String>,
}

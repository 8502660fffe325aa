//! BGP sessions (RFC 4271).

use crate::net::Asn;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A BGP session (RFC 4271 §8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BgpView {
    /// The state of the session, as the RFC calls it.
    pub state: String,
    /// For how long it has been in it.
    pub state_for_ms: u64,
    /// Our address inside the tunnel.
    pub local: IpAddr,
    /// The peer's address inside the tunnel.
    pub remote: IpAddr,
    /// Our autonomous system.
    pub local_asn: Asn,
    /// The peer's autonomous system.
    pub remote_asn: Asn,
    /// The agreed Hold Time.
    pub hold_time_ms: u64,
    /// Prefixes that we announce to it.
    pub prefixes_announced: u32,
    /// Why the session ended last.
    pub last_down: Option<String>,
    /// What the peer can beside what every speaker can, while the session stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peer_can: Vec<String>,
    /// Prefixes that hold on although the peer, which has restarted or tells everything again, has not
    /// announced them again yet.
    #[serde(default, skip_serializing_if = "is_none")]
    pub prefixes_stale: u32,
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

//! Peers that have several addresses.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One of the addresses at which a peer may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlaceView {
    /// The peer's address.
    pub address: IpAddr,
    /// From which of ours it is spoken to there; none while there is no way.
    #[serde(default)]
    pub local: Option<IpAddr>,
    /// Whether the tunnel is there; without a tunnel, whether the peer is looked for there.
    pub in_use: bool,
    /// The mean of the last ten round trips of questions there; none before, and where the peer answers none.
    #[serde(default)]
    pub mean_rtt_us: Option<u64>,
    /// The mean difference between one of them and the next.
    #[serde(default)]
    pub jitter_us: Option<u64>,
    /// Of the last fifty questions, those whose fate is known.
    #[serde(default)]
    pub asked: u32,
    /// Those of them that were not answered.
    #[serde(default)]
    pub lost: u32,
}

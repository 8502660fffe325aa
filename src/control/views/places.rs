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
}

//! Peers that are found by a host name.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A host name of a peer, and what is known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NameView {
    /// The name.
    pub name: String,
    /// Its addresses at which the peer may be, in the order in which they are tried.
    pub addresses: Vec<IpAddr>,
    /// What else it means that it should not, in a sentence for each.
    #[serde(default)]
    pub complaints: Vec<String>,
    /// Why the last look-up has found nothing of use; what was known before goes on to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When the last look-up ended.
    #[serde(default)]
    pub looked_up_ago_ms: Option<u64>,
    /// When the next one begins; none while one is under way.
    #[serde(default)]
    pub next_look_up_in_ms: Option<u64>,
}

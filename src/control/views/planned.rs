//! Planned work: what the operator has said to a gateway, and how far it has come.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the operator has said to a running gateway and what outlives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Others are to be used instead of this gateway (`vpnctl drain`).
    pub drained: bool,
    /// Peers, by name, that the operator wants nothing of (`vpnctl disable`).
    pub disabled: BTreeSet<String>,
}

/// `GET /v1/drained`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DrainView {
    /// Who answers.
    pub gateway: String,
    /// How long others are to be used.
    pub drained_for_ms: u64,
    /// Whether nothing is carried any more.
    pub quiet: bool,
    /// For how long nothing was carried; at most as long as it is drained.
    pub quiet_for_ms: u64,
    /// Peers that something was carried for just now, the first of them.
    pub carries_for: Vec<String>,
}

/// By whose wish a tunnel is not used, or others are used before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Planned {
    /// The peer is disabled here.
    Disabled,
    /// This gateway is drained.
    DrainedHere,
    /// The peer says that it is drained.
    DrainedThere,
}

impl Planned {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Planned::Disabled => "disabled",
            Planned::DrainedHere => "drained_here",
            Planned::DrainedThere => "drained_there",
        }
    }
}

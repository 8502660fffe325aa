//! A host behind a peer that is asked whether it answers.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The host that `probe` of a `[[peer]]` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProbeView {
    /// Its address.
    pub address: IpAddr,
    /// Whether it answers.
    pub state: ProbeState,
    /// The round trip to it while it answers.
    pub rtt_us: Option<u64>,
}

/// Whether a host behind a peer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// It was not asked for long enough.
    Unknown,
    /// It does.
    Answers,
    /// It does not: other peers are preferred.
    Silent,
}

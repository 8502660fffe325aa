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
    /// The last round trip to it while it answers.
    pub rtt_us: Option<u64>,
    /// The mean of the last ten.
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
    /// It does, and the way there is poorer than the operator wants it: other peers are preferred.
    Poor,
}

//! What becomes of a packet to an address, step by step.

use super::ShareView;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `GET /v1/why/{address}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WhyView {
    /// Who answers.
    pub gateway: String,
    /// Where the packet goes.
    pub to: IpAddr,
    /// Where it comes from; `None` when that was not said.
    pub from: Option<IpAddr>,
    /// The way in each VPC that has to do with the address.
    pub ways: Vec<WayView>,
}

/// The way of a packet in one VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WayView {
    /// The VPC.
    pub vpc: String,
    /// Where it ends up: a peer's name, `here`, or `nobody`.
    pub through: String,
    /// The peers that share the flows to the prefix; empty where one carries all. Then `through` is the
    /// one that this flow takes, or the first of them when the flow was not said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<ShareView>,
    /// Whether it gets there, as far as can be seen from here.
    pub arrives: bool,
    /// The steps, in the order in which they are taken.
    pub steps: Vec<StepView>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepView {
    /// What is asked, in a word: `source`, `prefix`, `paths`, `choice`, `group`, `flow`, `kernel`, `map`,
    /// `sa`, `underlay`, `rejected`.
    pub step: String,
    /// What comes of it.
    pub says: String,
    /// Whether the packet goes on from here.
    pub passes: bool,
}

//! What a reload would do.

use serde::{Deserialize, Serialize};

/// `GET /v1/plan`: what the file would change that the gateway runs by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlanView {
    /// Who answers.
    pub gateway: String,
    /// What happens to which tunnels and VPCs; the others do not notice.
    pub changes: Vec<ChangeView>,
    /// The keys that differ, each with both values.
    pub details: Vec<String>,
    /// Why it cannot be done without a restart.
    #[serde(default)]
    pub refused: Option<String>,
}

/// What happens to some tunnels or VPCs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangeView {
    /// What happens to them.
    pub what: String,
    /// Their names.
    pub names: Vec<String>,
}

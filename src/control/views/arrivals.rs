//! How much of what either end of a tunnel sends arrives at the other.

use serde::{Deserialize, Serialize};

/// `POST /v1/peers/{peer}/arrivals`: counts of ESP packets since the ends are connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArrivalsView {
    /// Who answers.
    pub gateway: String,
    /// About whom.
    pub peer: String,
    /// The number of the inquiry that has just gone out to the peer; none where the peer is not a
    /// gateway like this one, or not connected.
    pub inquiry: Option<u64>,
    /// The last report of the peer.
    pub report: Option<ReportView>,
    /// What has become of the peer's packets.
    pub here: PassageView,
}

/// What a peer has reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportView {
    /// The inquiry that it answers.
    pub inquiry: u64,
    /// What had become of our packets there.
    pub there: PassageView,
    /// What had become of the peer's packets here when the report came.
    pub here: PassageView,
}

/// What has become of the packets of one direction, as far as later ones have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PassageView {
    /// They have come.
    pub arrived: u64,
    /// They have not.
    pub lost: u64,
}

impl PassageView {
    /// What has come since `before`; none when counting has begun anew in between.
    pub fn since(&self, before: &PassageView) -> Option<PassageView> {
        Some(PassageView {
            arrived: self.arrived.checked_sub(before.arrived)?,
            // Late packets make it less.
            lost: self.lost.saturating_sub(before.lost),
        })
    }

    /// How many were sent.
    pub fn sent(&self) -> u64 {
        self.arrived.saturating_add(self.lost)
    }
}

//! BFD sessions (RFC 5880).

use serde::{Deserialize, Serialize};
use std::fmt;

/// The BFD session inside a tunnel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BfdView {
    /// What is made of it.
    pub path: PathState,
    /// In which direction the path was lost, or by whose wish.
    pub why: Option<String>,
    /// Whether a lost path is known to carry something in the other direction.
    #[serde(default)]
    pub one_way: bool,
    /// The state of our session, as the RFC calls it.
    pub state: String,
    /// For how long it has been in it.
    pub state_for_ms: u64,
    /// Why it is in it, as the RFC calls it.
    pub diagnostic: String,
    /// The state of the peer's session, while it says one.
    pub remote_state: Option<String>,
    /// Why that is in it.
    pub remote_diagnostic: Option<String>,
    /// Time between our packets, before jitter.
    pub interval_us: u64,
    /// Silence after which the path is lost.
    pub detection_time_us: u64,
    /// Time from a poll to its answer.
    pub rtt_us: Option<u64>,
    /// How often the path was lost of late.
    pub losses: u32,
}

/// What BFD says about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PathState {
    /// Nothing: the peer does not speak BFD, or not yet.
    Unwatched,
    /// Packets get through in both directions.
    Works,
    /// They do not.
    Lost,
    /// They do again, and for a while other paths are preferred.
    Held,
}

impl fmt::Display for PathState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathState::Unwatched => "unwatched",
            PathState::Works => "works",
            PathState::Lost => "lost",
            PathState::Held => "held",
        })
    }
}

//! Views of the virtual routers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// `GET /v1/vrrp`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VrrpView {
    /// Who answers.
    pub gateway: String,
    /// The virtual routers.
    pub routers: Vec<VirtualRouterView>,
}

/// A virtual router (RFC 9568).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VirtualRouterView {
    /// The VPC.
    pub vpc: String,
    /// The interface.
    pub interface: String,
    /// Its VRID.
    pub vrid: u8,
    /// Its address family.
    pub family: Family,
    /// Whether we answer for its addresses.
    pub state: VirtualRouterState,
    /// For how long it has been so.
    pub state_for_ms: u64,
    /// Our priority now.
    pub priority: u8,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The Active Router as last heard of, when it is another one.
    pub active_router: Option<IpAddr>,
    /// Advertisements that were not taken in, and claims of others to its addresses, by reason.
    pub discards: BTreeMap<String, u64>,
    /// What was last wrong with another station.
    pub last_trouble: Option<TroubleView>,
}

/// Something that was wrong with another station of the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TroubleView {
    /// What, and what to do about it.
    pub what: String,
    /// How long ago.
    pub ago_ms: u64,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        })
    }
}

/// The state of a virtual router (RFC 9568 §6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VirtualRouterState {
    /// It waits for its interface.
    Initialize,
    /// Another router answers for the addresses.
    Backup,
    /// We answer for them.
    Active,
}

impl fmt::Display for VirtualRouterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VirtualRouterState::Initialize => "initialize",
            VirtualRouterState::Backup => "backup",
            VirtualRouterState::Active => "active",
        })
    }
}

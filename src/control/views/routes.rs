//! Routes as an operator sees them, and why each is used or not.

use crate::net::Prefix;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `GET /v1/routes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RoutesView {
    /// Who answers.
    pub gateway: String,
    /// The routes by VPC.
    pub vpcs: Vec<VpcRoutes>,
}

/// The routes of one VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VpcRoutes {
    /// The VPC.
    pub vpc: String,
    /// Its routes in the order of their prefixes.
    pub routes: Vec<RouteView>,
    /// What peers announced and may not.
    pub rejected: Vec<RejectedRouteView>,
}

/// The routes to one prefix and the choice between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteView {
    /// The prefix.
    pub prefix: Prefix,
    /// Whether it is our own.
    pub local: bool,
    /// The peer to which traffic goes now, or the router of the VPC; `None` for our own and for
    /// unreachable prefixes.
    pub active: Option<String>,
    /// The peers that share its flows now, `active` first; empty where one carries all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<ShareView>,
    /// The next hop in the VPC, where one of its routers has announced the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<IpAddr>,
    /// Why this one, in words.
    pub reason: String,
    /// All paths, the best first.
    pub paths: Vec<PathView>,
}

/// What a peer carries of what several share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShareView {
    /// The peer.
    pub peer: String,
    /// The part of all flows that takes it, in percent.
    pub percent: f64,
}

/// One way to a prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PathView {
    /// The peer it leads through.
    pub peer: String,
    /// Whether its tunnel carries traffic now.
    pub usable: bool,
    /// LOCAL_PREF.
    pub local_preference: u32,
    /// AS_PATH as BGP tools print it; empty for static routes.
    pub as_path: String,
}

/// An announced prefix that is not used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RejectedRouteView {
    /// The prefix.
    pub prefix: Prefix,
    /// Who announced it.
    pub peer: String,
    /// Why it is not used.
    pub reason: String,
}

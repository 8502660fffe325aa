//! Views of the VPCs and of the segments in which their hosts are.

use super::{BgpView, FailureView, RefusalView};
use crate::net::Prefix;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `GET /v1/vpcs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VpcsView {
    /// Who answers.
    pub gateway: String,
    /// The VPCs.
    pub vpcs: Vec<VpcView>,
    /// Packets of VXLAN that came to us with no VNI of ours, and were dropped.
    pub unknown_vni: u64,
}

/// A VPC on this side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VpcView {
    /// Its name.
    pub vpc: String,
    /// Its network namespace; `None` is the daemon's.
    pub netns: Option<String>,
    /// Its TUN device.
    pub device: String,
    /// The MTU of that, in bytes.
    pub mtu: u16,
    /// The interface towards its hosts.
    pub interface: Option<String>,
    /// Its prefixes on this side.
    pub prefixes: Vec<Prefix>,
    /// Which of them, or of what covers them, peers know by others.
    #[serde(default)]
    pub maps: Vec<MapView>,
    /// The segment in which its hosts are, where they are in one.
    pub segment: Option<SegmentView>,
    /// Its routers that speak BGP with us.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<VpcRouterView>,
    /// What of it the host refuses now.
    pub refusals: Vec<RefusalView>,
}

/// A prefix that peers know by another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MapView {
    /// As hosts on this side have it.
    pub inside: Prefix,
    /// As the peers know it.
    pub outside: Prefix,
    /// These peers; `None` is all of the VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub towards: Option<Vec<String>>,
}

/// A router of a VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VpcRouterView {
    /// Its name.
    pub name: String,
    /// The session with it.
    pub bgp: BgpView,
    /// Whether the session is established.
    pub up: bool,
    /// Prefixes of it that may be used.
    pub prefixes_accepted: u32,
    /// Prefixes of it that may not.
    pub prefixes_rejected: u32,
    /// Why there is no session, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<FailureView>,
}

/// A VXLAN segment (RFC 7348), as last counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SegmentView {
    /// Its VNI.
    pub vni: u32,
    /// Our end.
    pub local: IpAddr,
    /// The UDP port of all ends.
    pub port: u16,
    /// Its MTU in bytes.
    pub mtu: u16,
    /// Whether its device stands, behind its guard.
    pub up: bool,
    /// The VTEPs that may send into it.
    pub vteps: Vec<VtepView>,
    /// Where each of its stations was last heard.
    pub stations: Vec<StationView>,
    /// Packets with its VNI from others than these VTEPs, which were dropped.
    pub refused: u64,
}

/// Another end of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VtepView {
    /// Its address.
    pub address: IpAddr,
    /// Packets that it has sent to us.
    pub packets: u64,
    /// Their bytes, with the outer headers.
    pub bytes: u64,
}

/// A station of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StationView {
    /// Its Ethernet address.
    pub mac: String,
    /// The VTEP that it is behind.
    pub vtep: IpAddr,
}

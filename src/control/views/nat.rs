//! Views of what is translated between public addresses and hosts of the VPCs.

use super::RefusalView;
use crate::net::Prefix;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// `GET /v1/nat`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NatView {
    /// Who answers.
    pub gateway: String,
    /// The VPCs that have public addresses.
    pub vpcs: Vec<VpcNatView>,
}

/// What is translated in a VPC, as last counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VpcNatView {
    /// Its name.
    pub vpc: String,
    /// The device by which translated packets come and go.
    pub outlet: String,
    /// Whether it stands, with what translates before it.
    pub up: bool,
    /// Whether packets for its public addresses come here: its virtual router is active here, or it has
    /// none.
    pub serving: bool,
    /// Public addresses of hosts and services.
    pub public: Vec<PublicView>,
    /// From where other hosts speak to the world.
    pub egress: Vec<EgressView>,
    /// Connections that this host remembers in the VPC's namespace.
    pub open: u64,
    /// Packets from the underlay for no host, which were dropped.
    pub refused: u64,
    /// Packets from the underlay with a source of the VPC's or behind its peers, which were dropped.
    pub spoofed: u64,
    /// Packets of connections that nobody knows here, which were reset.
    pub lost: u64,
    /// Packets that would have left as they are, and were dropped.
    pub untranslated: u64,
    /// What of it the host refuses now.
    pub refusals: Vec<RefusalView>,
}

/// A public address, or ports of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PublicView {
    /// The public address.
    pub address: Ipv4Addr,
    /// Protocol and ports, as in `tcp/443`; `None` is the whole address.
    pub ports: Option<String>,
    /// The host, with its port where it is another.
    pub to: String,
    /// Connections that were begun from outside.
    pub connections: u64,
}

/// Hosts that speak from a public address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EgressView {
    /// The public address.
    pub address: Ipv4Addr,
    /// The hosts.
    pub from: Vec<Prefix>,
    /// The first port that this gateway uses.
    pub first_port: u16,
    /// The last one.
    pub last_port: u16,
    /// Connections that were begun.
    pub connections: u64,
}

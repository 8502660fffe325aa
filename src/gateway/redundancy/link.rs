//! An interface towards hosts, as the virtual routers on it see it.

use crate::gateway::LinkState;
use crate::net::{MacAddress, VpcId};
use std::net::IpAddr;
use std::time::Duration;

/// Time between looks at an interface until all on it could be opened: a link-local address takes
/// a second to settle.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// How long another station's claim to a virtual address is left alone: who takes over rightly
/// has told the one before it by then.
pub(super) const DELIBERATION: Duration = Duration::from_secs(1);
/// Least time between two defences of an address (DEFEND_INTERVAL of RFC 5227 §1.1).
pub(super) const DEFENCE: Duration = Duration::from_secs(10);

/// An interface, named by where it lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId {
    /// The VPC.
    pub vpc: VpcId,
    /// The interface.
    pub interface: String,
}

impl LinkId {
    /// The interface of a name.
    pub(super) fn new(vpc: VpcId, interface: &str) -> LinkId {
        LinkId { vpc, interface: interface.to_owned() }
    }
}

/// What is known of an interface.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Its Ethernet address, which answers and announcements bear.
    pub mac: Option<MacAddress>,
}

/// The address that a virtual router of a family sends from; `None` while it cannot.
pub(super) fn source(link: &LinkState, ipv4: bool) -> Option<IpAddr> {
    let address = if ipv4 { link.ipv4.map(IpAddr::V4) } else { link.ipv6.map(IpAddr::V6) };
    address.filter(|_| link.up)
}

//! Which authenticated inner packets are for the gateway itself and not for the host's kernel.

use super::flow::Flow;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// One thing that the gateway answers for itself, at one of its inside addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// The inner destination.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: u8,
    /// The destination port; for ICMP the type and code (RFC 7296 §3.13.1).
    pub port: u16,
}

/// What the gateway answers for itself in one VPC; nothing unless the gateway says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Our addresses inside the tunnels.
    pub inside: BTreeSet<IpAddr>,
    /// What is answered at them.
    pub answered: BTreeSet<Service>,
}

impl Services {
    /// Whether a whole packet of this flow is for the gateway.
    pub(super) fn take(&self, flow: &Flow) -> bool {
        let service = flow.destination_port().map(|port| Service {
            address: flow.destination,
            protocol: flow.protocol(),
            port,
        });
        service.is_some_and(|service| self.answered.contains(&service))
    }

    /// Whether the gateway tells the sender that a packet to `destination` has used up its hops:
    /// it has an address to say so from, and this is not where the packet was going.
    pub(super) fn report_expired(&self, destination: IpAddr) -> bool {
        !self.inside.contains(&destination)
            && self.inside.iter().any(|own| own.is_ipv4() == destination.is_ipv4())
    }
}

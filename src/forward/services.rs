//! What a gateway is as a host: its addresses, and what is answered and offered at them.

use super::flow::Flow;
use crate::net::PrefixSet;
use crate::wire::ip::InnerPacket;
use crate::wire::probe;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

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

/// A service of the host that everybody behind the peers may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The protocol.
    pub protocol: u8,
    /// The first of its ports.
    pub first: u16,
    /// The last.
    pub last: u16,
}

/// What the gateway is as a host in one VPC; nothing is answered or offered unless it says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Services {
    /// Our addresses inside the tunnels.
    pub inside: BTreeSet<IpAddr>,
    /// The peers' addresses inside the tunnels.
    pub peers: BTreeSet<IpAddr>,
    /// What is answered at ours, beside BGP.
    pub answered: BTreeSet<Service>,
    /// What the host's kernel takes for itself where the VPC lives: its addresses, and those at
    /// which it is one of several (broadcast, anycast). Everything where nobody has looked yet.
    pub own: Arc<PrefixSet>,
    /// What is offered there.
    pub offered: Vec<Offer>,
    /// The addresses from which the gateway asks hosts behind peers whether they answer.
    pub probing: BTreeSet<IpAddr>,
    /// The addresses from which the gateway tells senders that a packet has used up its hops.
    pub hops: BTreeSet<IpAddr>,
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

    /// Whether a packet of this flow answers a question of the gateway to a host behind a peer.
    pub(super) fn asked_for(&self, flow: &Flow, inner: &InnerPacket, packet: &[u8]) -> bool {
        flow.is_icmp()
            && self.probing.contains(&flow.destination)
            && probe::is_answer(inner, packet)
    }

    /// Whether the operator lets everybody behind the peers use what the flow asks for.
    pub(super) fn offers(&self, flow: &Flow) -> bool {
        let Some(port) = flow.destination_port() else { return false };
        let is_meant = |offer: &Offer| {
            offer.protocol == flow.protocol() && (offer.first..=offer.last).contains(&port)
        };
        self.offered.iter().any(is_meant)
    }

    /// Whether the gateway tells senders that a packet of a family has used up its hops.
    pub(super) fn report_expired(&self, ipv4: bool) -> bool {
        self.hops.iter().any(|own| own.is_ipv4() == ipv4)
    }
}

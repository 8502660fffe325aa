//! Inner packets for the gateway itself, and those that it makes: echo at the inside addresses, and
//! the errors by which traceroute shows the gateway as a hop. They come from the address that the host
//! speaks from, which the peers' hosts know. BFD's packets come to the inside addresses, too, and go
//! to its sessions instead.
//!
//! What comes in has passed its SA's selectors and the VPC's policy; an answer leaves by the tunnel
//! that brought the question, never by another.

use super::io::Output;
use super::{Gateway, Vpc};
use crate::forward::Service;
use crate::net::{PeerId, VpcId};
use crate::time::Timestamp;
use crate::wire::bfd;
use crate::wire::icmp::{self, IcmpType, Icmpv6Type, Problem};
use crate::wire::ip::{InnerPacket, protocol};
use std::collections::BTreeSet;
use std::net::IpAddr;

impl Gateway {
    /// Takes an authenticated inner packet that the packet path judged to be for the gateway.
    pub fn handle_inner(&mut self, peer: PeerId, vpc: VpcId, packet: &[u8], now: Timestamp) {
        if self.take_answer(vpc, packet, now) {
            return;
        }
        let answer = self.vpcs.get(&vpc).and_then(|vpc| answer(vpc, packet));
        if let (Some(packet), Some(tunnel)) = (answer, self.publisher.tunnel(peer)) {
            self.outputs.push_back(Output::Inner { tunnel, packet });
        }
    }
}

/// What the sender of a packet is told.
fn answer(vpc: &Vpc, packet: &[u8]) -> Option<Vec<u8>> {
    let inner = InnerPacket::parse(packet).ok()?;
    if vpc.inside.contains(&inner.destination) {
        return icmp::echo_reply(packet);
    }
    let mut hops = vpc.services.hops.iter().filter(|own| own.is_ipv4() == inner.is_ipv4());
    let own = hops.next().filter(|_| inner.ttl <= 1)?;
    icmp::error_about(packet, Problem::TimeExceeded, *own)
}

/// What the gateway answers for itself at these inside addresses.
pub(super) fn answered(inside: &BTreeSet<IpAddr>) -> BTreeSet<Service> {
    let echo = |address: &IpAddr| {
        let (protocol, icmp_type) = match address {
            IpAddr::V4(_) => (protocol::ICMP, IcmpType::ECHO.0),
            IpAddr::V6(_) => (protocol::ICMPV6, Icmpv6Type::ECHO_REQUEST.0),
        };
        Service { address: *address, protocol, port: u16::from_be_bytes([icmp_type, 0]) }
    };
    let bfd = |&address: &IpAddr| Service { address, protocol: protocol::UDP, port: bfd::PORT };
    inside.iter().map(echo).chain(inside.iter().map(bfd)).collect()
}

//! A packet as policy sees it: addresses, protocol, ports.

use super::Selectors;
use crate::esp::Discard;
use crate::wire::icmp;
use crate::wire::ip::{Fragment, InnerPacket, protocol};
use crate::wire::tcp::{self, TcpHeader};
use std::net::IpAddr;

/// BGP's port.
const BGP: u16 = 179;

/// What selectors and prefix policies ask about; packets of one flow are equal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub source: IpAddr,
    pub destination: IpAddr,
    protocol: u8,
    /// Source and destination port; `None` where the packet shows none.
    ports: Option<(u16, u16)>,
    later_fragment: bool,
}

impl Flow {
    pub fn of(inner: &InnerPacket, packet: &[u8]) -> Flow {
        Flow {
            source: inner.source,
            destination: inner.destination,
            protocol: inner.protocol,
            ports: inner.ports(packet),
            later_fragment: inner.fragment == Fragment::Later,
        }
    }

    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Source and destination port.
    pub fn ports(&self) -> Option<(u16, u16)> {
        self.ports
    }

    /// What is known of them otherwise.
    pub fn set_ports(&mut self, ports: Option<(u16, u16)>) {
        self.ports = ports;
    }

    pub fn destination_port(&self) -> Option<u16> {
        self.ports.map(|(_, destination)| destination)
    }

    /// Whether it is ICMP of either family.
    pub fn is_icmp(&self) -> bool {
        matches!(self.protocol, protocol::ICMP | protocol::ICMPV6)
    }

    /// Whether it is a BGP session (RFC 4271 §8.2.1), or of a protocol that has no ports.
    pub fn is_bgp_or_portless(&self) -> bool {
        match self.protocol {
            protocol::TCP => self.ports.is_some_and(|(from, to)| from == BGP || to == BGP),
            protocol::UDP | protocol::UDP_LITE | protocol::SCTP => false,
            _ => true,
        }
    }

    /// Multicast, broadcast, loopback and link-local traffic never crosses the tunnel. The ends of
    /// a tunnel are neighbours on one link, though: what `is_inside` says is an inside address of
    /// either may be link-local (RFC 3927 §2.7 speaks of routers between links).
    pub fn check_forwardable(&self, is_inside: impl Fn(IpAddr) -> bool) -> Result<(), Discard> {
        let stays = |addr| !(crosses_links(addr) || is_link_local(addr) && is_inside(addr));
        if stays(self.source) || stays(self.destination) {
            return Err(Discard::NotForwardable);
        }
        Ok(())
    }

    /// The flow that an ICMP error is about, turned round: from the host that the packet was for, to
    /// the host that sent it, which the error is for (RFC 4301 §6.2). `None` for anything else.
    pub fn complained_of(inner: &InnerPacket, packet: &[u8]) -> Option<Flow> {
        let quoted = icmp::quoted(inner, packet)?;
        let flow = Flow {
            source: quoted.destination,
            destination: quoted.source,
            protocol: quoted.protocol,
            ports: quoted.ports.map(|(source, destination)| (destination, source)),
            later_fragment: quoted.ports.is_none(),
        };
        (flow.destination == inner.destination).then_some(flow)
    }

    /// Checks both ends against the selectors of an SA (RFC 4301 §5.1, §5.2).
    pub fn check_selectors(
        &self,
        source: &Selectors,
        destination: &Selectors,
    ) -> Result<(), Discard> {
        let (source_port, destination_port) = self.ports.unzip();
        let permitted = source.permit(self.source, self.protocol, source_port)
            && destination.permit(self.destination, self.protocol, destination_port);
        match (permitted, self.later_fragment) {
            (true, _) => Ok(()),
            (false, true) => Err(Discard::Fragment),
            (false, false) => Err(Discard::SelectorMismatch),
        }
    }
}

fn is_link_local(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn crosses_links(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => {
            !(v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified())
        }
        IpAddr::V6(v6) => {
            !(v6.is_multicast()
                || v6.is_loopback()
                || v6.is_unicast_link_local()
                || v6.is_unspecified())
        }
    }
}

/// Lowers the MSS that a SYN announces to what fits into a packet of `mtu` bytes (RFC 4459 §3.2),
/// so that no segment of the connection has to be fragmented or refused.
pub(super) fn clamp_mss(packet: &mut [u8], inner: &InnerPacket, mtu: u16) {
    if inner.protocol != protocol::TCP || inner.fragment == Fragment::Later {
        return;
    }
    let Some(segment) = packet.get_mut(inner.transport_offset..) else { return };
    let flags = segment.get(TcpHeader::FLAGS_AT).copied().unwrap_or(0);
    if flags & tcp::flags::SYN != 0 {
        // RFC 9293 §3.7.1: the MSS counts neither IP nor TCP options.
        let headers = if inner.is_ipv4() { 40 } else { 60 };
        tcp::clamp_mss(segment, mtu.saturating_sub(headers));
    }
}

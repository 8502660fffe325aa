//! A packet as policy sees it: addresses, protocol, ports.

use super::Selectors;
use crate::esp::Discard;
use crate::wire::icmp::{self, IcmpType, Icmpv6Type};
use crate::wire::ip::{Fragment, InnerPacket, protocol};
use crate::wire::tcp::{self, TcpHeader};
use std::net::IpAddr;

/// What selectors and prefix policies ask about; packets of one flow are equal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    pub source: IpAddr,
    pub destination: IpAddr,
    protocol: u8,
    /// Source and destination port; `None` where the packet shows none.
    ports: Option<(u16, u16)>,
    later_fragment: bool,
}

/// What packets between two hosts have in common, whatever their ports: all that prefixes are
/// asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Between {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
}

impl Between {
    /// The two hosts of a packet.
    #[inline]
    pub(super) fn of(inner: &InnerPacket) -> Between {
        let InnerPacket { source, destination, protocol, .. } = *inner;
        Between { source, destination, protocol }
    }
}

impl Flow {
    pub(super) fn of(inner: &InnerPacket, packet: &[u8]) -> Flow {
        Flow {
            source: inner.source,
            destination: inner.destination,
            protocol: inner.protocol,
            ports: inner.ports(packet),
            later_fragment: inner.fragment == Fragment::Later,
        }
    }

    pub(super) fn protocol(&self) -> u8 {
        self.protocol
    }

    /// What is known of them otherwise.
    pub(super) fn set_ports(&mut self, ports: Option<(u16, u16)>) {
        self.ports = ports;
    }

    pub(super) fn destination_port(&self) -> Option<u16> {
        self.ports.map(|(_, destination)| destination)
    }

    /// Source and destination port.
    pub(super) fn ports(&self) -> Option<(u16, u16)> {
        self.ports
    }

    /// Whether it is ICMP of either family.
    pub(super) fn is_icmp(&self) -> bool {
        matches!(self.protocol, protocol::ICMP | protocol::ICMPV6)
    }

    /// The type of an ICMP message that shows it.
    pub(super) fn icmp_type(&self) -> Option<u8> {
        let (type_and_code, _) = self.ports.filter(|_| self.is_icmp())?;
        Some(type_and_code.to_be_bytes()[0])
    }

    /// The flow in the other direction.
    pub(super) fn turned_round(&self) -> Flow {
        Flow {
            source: self.destination,
            destination: self.source,
            ports: self.ports.map(|(source, destination)| (destination, source)),
            ..*self
        }
    }

    /// Multicast, broadcast, loopback and link-local traffic never crosses the tunnel. The ends of
    /// a tunnel are neighbours on one link, though: what `is_inside` says is an inside address of
    /// either may be link-local (RFC 3927 §2.7 speaks of routers between links).
    pub(super) fn check_forwardable(
        &self,
        is_inside: impl Fn(IpAddr) -> bool,
    ) -> Result<(), Discard> {
        let stays = |addr| !(crosses_links(addr) || is_link_local(addr) && is_inside(addr));
        if stays(self.source) || stays(self.destination) || self.is_neighbor_discovery() {
            return Err(Discard::NotForwardable);
        }
        Ok(())
    }

    /// Neighbor Discovery is about one link (RFC 4861 §4).
    fn is_neighbor_discovery(&self) -> bool {
        let discovery = Icmpv6Type::ROUTER_SOLICITATION.0..=Icmpv6Type::REDIRECT.0;
        let kind = self.icmp_type().filter(|_| self.protocol == protocol::ICMPV6);
        kind.is_some_and(|kind| discovery.contains(&kind))
    }

    /// The flow that an ICMP error is about, turned round: from the host that the packet was for, to
    /// the host that sent it, which the error is for (RFC 4301 §6.2). `None` when this is no error.
    ///
    /// # Errors
    ///
    /// When the error quotes no packet of the host that it is sent to: whoever sent it has seen none,
    /// and wants to make a host believe what is not so.
    pub(super) fn complained_of(
        &self,
        inner: &InnerPacket,
        packet: &[u8],
    ) -> Result<Option<Flow>, Discard> {
        // What a later fragment holds is judged with the first.
        if inner.fragment == Fragment::Later || !self.is_icmp_error() {
            return Ok(None);
        }
        let quoted = icmp::quoted(inner, packet).ok_or(Discard::IcmpUnrelated)?;
        let flow = Flow {
            source: quoted.destination,
            destination: quoted.source,
            protocol: quoted.protocol,
            ports: quoted.ports.map(|(source, destination)| (destination, source)),
            later_fragment: quoted.ports.is_none(),
        };
        if flow.destination != self.destination {
            return Err(Discard::IcmpUnrelated);
        }
        Ok(Some(flow))
    }

    /// Whether it is a message about another packet, Redirect and Source Quench among them.
    fn is_icmp_error(&self) -> bool {
        match (self.protocol, self.icmp_type()) {
            (protocol::ICMP, Some(kind)) => matches!(
                IcmpType(kind),
                IcmpType::DESTINATION_UNREACHABLE
                    | IcmpType::SOURCE_QUENCH
                    | IcmpType::REDIRECT
                    | IcmpType::TIME_EXCEEDED
                    | IcmpType::PARAMETER_PROBLEM
            ),
            (protocol::ICMPV6, Some(kind)) => kind < Icmpv6Type::ECHO_REQUEST.0, // RFC 4443 §2.1
            _ => false,
        }
    }

    /// Checks both ends against the selectors of an SA (RFC 4301 §5.1, §5.2).
    pub(super) fn check_selectors(
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

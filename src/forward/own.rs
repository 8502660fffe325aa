//! What may go to addresses of our own: a gateway is a host beside being a router, and its services
//! are for nobody behind a peer unless the operator says so.

use super::flow::Flow;
use super::{InboundEntry, Neighbor, VpcTable};
use crate::esp::Discard;
use crate::wire::icmp::{IcmpType, Icmpv6Type};
use crate::wire::ip::{Fragment, InnerPacket, protocol};
use crate::wire::tcp::{TcpHeader, flags};

/// BGP's port (RFC 4271 §8.2.1).
const BGP: u16 = 179;

/// A packet that has passed the policy, on its way to an address of ours.
pub(super) struct Visitor<'p> {
    pub flow: &'p Flow,
    pub inner: &'p InnerPacket,
    pub packet: &'p [u8],
}

impl Visitor<'_> {
    /// At an inside address the peer whose end of the tunnel it is reaches BGP, and everybody may
    /// ask whether it is there.
    pub(super) fn check_inside(&self, entry: &InboundEntry) -> Result<(), Discard> {
        if self.is_answer_or_question() {
            return Ok(());
        }
        let neighbor = entry.neighbor.filter(|neighbor| neighbor.is_between(self.flow));
        let neighbor = neighbor
            .filter(|neighbor| neighbor.bgp && self.is_bgp())
            .ok_or(Discard::NotForGateway)?;
        self.check_hop_limit(neighbor)
    }

    /// At another address of the host it gets answers to what it has asked, is asked whether it is
    /// there, and offers what the operator permits.
    pub(super) fn check_own(&self, table: &VpcTable) -> Result<(), Discard> {
        let expected = self.is_answer_or_question()
            || self.is_later_fragment()
            || self.flow.protocol() == protocol::TCP && self.goes_on()
            || table.services.offers(self.flow)
            || table.conversations.knows(self.flow);
        if expected { Ok(()) } else { Err(Discard::NotForGateway) }
    }

    /// RFC 5082 §3: what the peer itself has sent, no router has forwarded.
    fn check_hop_limit(&self, neighbor: Neighbor) -> Result<(), Discard> {
        let was_forwarded = self.inner.ttl != u8::MAX;
        if neighbor.ttl_security && was_forwarded { Err(Discard::HopLimit) } else { Ok(()) }
    }

    /// An echo request, its reply, an error (whose quote was looked at before), or a later fragment
    /// of one of these.
    fn is_answer_or_question(&self) -> bool {
        match (self.flow.protocol(), self.flow.icmp_type()) {
            (protocol::ICMP, Some(kind)) => matches!(
                IcmpType(kind),
                IcmpType::ECHO
                    | IcmpType::ECHO_REPLY
                    | IcmpType::DESTINATION_UNREACHABLE
                    | IcmpType::TIME_EXCEEDED
                    | IcmpType::PARAMETER_PROBLEM
            ),
            (protocol::ICMPV6, Some(kind)) => matches!(
                Icmpv6Type(kind),
                Icmpv6Type::ECHO_REQUEST
                    | Icmpv6Type::ECHO_REPLY
                    | Icmpv6Type::DESTINATION_UNREACHABLE
                    | Icmpv6Type::PACKET_TOO_BIG
                    | Icmpv6Type::TIME_EXCEEDED
                    | Icmpv6Type::PARAMETER_PROBLEM
            ),
            (protocol::ICMP | protocol::ICMPV6, None) => self.is_later_fragment(),
            _ => false,
        }
    }

    /// Without its first fragment, which is judged, it is put together to nothing.
    fn is_later_fragment(&self) -> bool {
        self.inner.fragment == Fragment::Later
    }

    /// A session that the peer begins, one that it answers, or a later fragment of one.
    fn is_bgp(&self) -> bool {
        self.flow.protocol() == protocol::TCP
            && match self.flow.ports() {
                _ if self.is_later_fragment() => true,
                Some((_, BGP)) => true,
                Some((BGP, _)) => self.goes_on(),
                Some(_) | None => false,
            }
    }

    /// A TCP segment of a connection that exists on the other side, or of none: it begins none here
    /// (RFC 9293 §3.5). One whose control bits are in another fragment is not believed (RFC 3128).
    fn goes_on(&self) -> bool {
        let control = self.packet.get(self.inner.transport_offset..self.inner.total_len);
        let control = control.and_then(|segment| segment.get(TcpHeader::FLAGS_AT));
        control.is_some_and(|control| {
            control & (flags::ACK | flags::RST) != 0
                && control & (flags::SYN | flags::ACK) != flags::SYN
        })
    }
}

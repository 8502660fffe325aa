//! From the TUN device to the underlay (RFC 4301 §5.1).

use super::datagram::Datagram;
use super::flow::{self, Between, Flow};
use super::fragment::Fragments;
use super::packing::{Packers, Packing};
use super::shaping::{Cut, Gate};
use super::{Held, NextHops, Snapshot, TunnelEntry, VpcTable};
use crate::esp::ecn::Ecn;
use crate::esp::{self, Discard};
use crate::net::{Dscp, VpcId};
use crate::offload::{Segment, SuperPacket};
use crate::time::Timestamp;
use crate::wire::aggfrag::{AGGFRAG_PAYLOAD, AggfragHeader, PAD};
use crate::wire::echo::Echo;
use crate::wire::icmp::{self, Problem};
use crate::wire::ip::{Fragment, InnerPacket, protocol};
use std::net::IpAddr;

/// TTL of what the host itself sends into a tunnel: its sockets and its routes say so. Whoever
/// forwards a packet makes it smaller (RFC 5082 §2.1).
pub(super) const OWN_HOP_LIMIT: u8 = 255;
const ECHO_TOS: u8 = Dscp::CS6.put_into(0);

/// What UDP over IPv4 carries (RFC 768, RFC 791 §3.1); fragments of it leave by the underlay.
const LONGEST_DATAGRAM: usize = 65_535 - 20 - 8;

/// Where sealed datagrams go, and what is said to inner hosts.
pub trait Egress {
    /// Makes room for a datagram of `length` bytes to the tunnel's peer with the outer TOS `tos`
    /// and has `seal` fill it. One for which [`TunnelEntry::fits_whole`] does not hold is to be
    /// fragmented on the underlay. `Err` is what `seal` says, or that there is no room.
    fn datagram(
        &mut self,
        tunnel: &TunnelEntry,
        tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard>;

    /// May have an ICMP error made for the host that sent the packet and takes it; how often, is
    /// the implementor's to limit. `None` when this host is told nothing.
    fn reply(&mut self, error: impl FnOnce() -> Option<Vec<u8>>);
}

/// Sends what one device has to send, over one snapshot. Remembers between which hosts it sent last
/// and by which SA, so that what prefixes and selectors say is asked once for all their packets; where
/// tunnels share flows, once for all packets of a flow. Packets that may share datagrams leave with
/// [`finish`](Outbound::finish).
#[derive(Debug)]
pub struct Outbound<'s> {
    snapshot: &'s Snapshot,
    vpc: VpcId,
    table: Option<&'s VpcTable>,
    last: Option<Last<'s>>,
    packing: Packing<'s>,
    gate: Gate,
}

/// How the last packet left.
#[derive(Debug)]
struct Last<'s> {
    between: Between,
    /// What ports it had, if by others it might have left by another tunnel.
    ports: Option<Option<(u16, u16)>>,
    tunnel: &'s TunnelEntry,
}

/// The tunnel that a packet takes.
struct Hop<'s> {
    tunnel: &'s TunnelEntry,
    /// Whether other flows between the same hosts may take others.
    is_shared: bool,
}

impl<'s> Outbound<'s> {
    /// Begins with packets of a VPC, which are there at `now`.
    pub fn new(snapshot: &'s Snapshot, vpc: VpcId, now: Timestamp) -> Self {
        Outbound::with(Packers::default(), snapshot, vpc, now)
    }

    /// The same, in the memory of an earlier turn.
    pub fn with(packers: Packers, snapshot: &'s Snapshot, vpc: VpcId, now: Timestamp) -> Self {
        let (packing, gate) = (Packing::new(packers), Gate::new(now));
        Outbound { snapshot, vpc, table: snapshot.vpc(vpc), last: None, packing, gate }
    }

    /// The packets that have begun to wait, once: [`Held::release`] is due for each peer.
    pub fn take_began(&mut self) -> Vec<Held> {
        self.gate.take_began()
    }

    /// Octets that wait now and did not before.
    #[inline]
    pub fn kept(&self) -> usize {
        self.gate.kept
    }

    /// Sends what waits for others to share a datagram with, and gives the memory back.
    pub fn finish(mut self, egress: &mut impl Egress) -> Packers {
        self.packing.seal(None, egress);
        self.packing.into_packers()
    }

    /// Sends one packet, or all that a super-packet stands for. What is discarded is counted here.
    pub fn send(
        &mut self,
        mut packet: SuperPacket<'_>,
        egress: &mut impl Egress,
    ) -> Result<(), Discard> {
        let packets = packet.count() as u64;
        let table = self.table.ok_or(Discard::NoRoute);
        let table = table.inspect_err(|reason| self.snapshot.discards.add(*reason))?;
        let count = |reason: &Discard| table.discards.add_many(*reason, packets);
        let inner = InnerPacket::parse(packet.bytes()).map_err(|_| Discard::MalformedInner);
        let mut inner = inner.inspect_err(count)?;
        let (tunnel, sent) = match self.known(&inner, packet.bytes()) {
            Some(tunnel) => {
                tunnel.translation.outward(&mut inner, packet.bytes_mut());
                (tunnel, self.pass(tunnel, &inner, &mut packet, egress))
            }
            None => {
                let flow = Flow::of(&inner, packet.bytes());
                let hop = route(self.vpc, table, &flow, &inner, packet.bytes());
                let hop = hop.inspect_err(count)?;
                (hop.tunnel, self.send_anew(hop, (flow, &mut inner), &mut packet, egress))
            }
        };
        sent.inspect_err(|reason| tunnel.counters.discards.add_many(*reason, packets))
    }

    /// The tunnel by the SA that takes the packet, if it is between the same hosts as the last one and,
    /// where that matters, of the same flow.
    #[inline]
    fn known(&self, inner: &InnerPacket, packet: &[u8]) -> Option<&'s TunnelEntry> {
        let last = self.last.as_ref()?;
        let is_same = last.between == Between::of(inner) && is_plain(inner);
        let is_same = is_same && last.ports.is_none_or(|ports| is_of(ports, inner, packet));
        is_same.then_some(last.tunnel)
    }

    fn send_anew(
        &mut self,
        Hop { tunnel, is_shared }: Hop<'s>,
        (mut flow, inner): (Flow, &mut InnerPacket),
        packet: &mut SuperPacket<'_>,
        egress: &mut impl Egress,
    ) -> Result<(), Discard> {
        let between = Between::of(inner);
        tunnel.translation.outward(inner, packet.bytes_mut());
        flow.source = inner.source;
        if let Some(waiting) = tunnel.gathers(inner) {
            let datagram = Datagram::of(inner, &flow, packet.bytes()).ok_or(Discard::Fragment)?;
            let whole = waiting.add(datagram, packet.bytes())?;
            return whole.map_or(Ok(()), |whole| self.send_gathered(tunnel, whole, egress));
        }
        let flow = tunnel.flow_of(flow, inner, packet.bytes());
        let tunnel = sa_for(&flow, tunnel, inner, packet.bytes())?;
        let is_told_apart = !is_shared || inner.fragment == Fragment::Whole;
        let lasts = is_plain(inner) && !tunnel.asks_for_ports() && is_told_apart;
        let ports = is_shared.then(|| flow.ports());
        self.last = lasts.then_some(Last { between, ports, tunnel });
        self.pass(tunnel, inner, packet, egress)
    }

    /// Sends what the peer may be sent now; the rest waits.
    #[inline]
    fn pass(
        &mut self,
        tunnel: &'s TunnelEntry,
        inner: &InnerPacket,
        packet: &mut SuperPacket<'_>,
        egress: &mut impl Egress,
    ) -> Result<(), Discard> {
        if let Some(shaper) = &tunnel.shaper
            && !self.gate.passes((tunnel, shaper), inner, (&mut *packet, Cut::IfTooLong))
        {
            return Ok(());
        }
        send(tunnel, inner, packet, &mut self.packing, egress)
    }

    /// Sends a datagram whose fragments have waited for each other.
    #[cold]
    fn send_gathered(
        &mut self,
        tunnel: &'s TunnelEntry,
        mut whole: Vec<u8>,
        egress: &mut impl Egress,
    ) -> Result<(), Discard> {
        let inner = InnerPacket::parse(&whole).map_err(|_| Discard::MalformedInner)?;
        let tunnel = sa_for(&Flow::of(&inner, &whole), tunnel, &inner, &whole)?;
        let mut packet = SuperPacket::whole(&mut whole);
        if let Some(shaper) = &tunnel.shaper
            && !self.gate.passes((tunnel, shaper), &inner, (&mut packet, Cut::Never))
        {
            return Ok(());
        }
        send_whole(tunnel, &inner, &mut packet, &mut self.packing, egress)
    }
}

/// Sends a packet that the underlay is to cut if it is too long.
pub(super) fn send_whole<'t>(
    tunnel: &'t TunnelEntry,
    inner: &InnerPacket,
    packet: &mut SuperPacket<'_>,
    packing: &mut Packing<'t>,
    egress: &mut impl Egress,
) -> Result<(), Discard> {
    if tunnel.aggfrag {
        packing.push(tunnel, inner, packet, egress);
        return Ok(());
    }
    if tunnel.outbound.layout().sealed_len(packet.total()) > LONGEST_DATAGRAM {
        return Err(Discard::TooBig);
    }
    Sealer::new(tunnel, inner).seal_all(packet, egress)
}

/// Whether a packet between the same hosts is whole and has these ports.
fn is_of(ports: Option<(u16, u16)>, inner: &InnerPacket, packet: &[u8]) -> bool {
    inner.fragment == Fragment::Whole && inner.ports(packet) == ports
}

/// Whether a packet's ends tell all that is asked about it: it is no message about another packet,
/// and not the host's own.
#[inline]
fn is_plain(inner: &InnerPacket) -> bool {
    let is_icmp = matches!(inner.protocol, protocol::ICMP | protocol::ICMPV6);
    !is_icmp && inner.ttl != OWN_HOP_LIMIT
}

/// Finds the tunnel of a packet that may leave.
fn route<'s>(
    vpc: VpcId,
    table: &'s VpcTable,
    flow: &Flow,
    inner: &InnerPacket,
    packet: &[u8],
) -> Result<Hop<'s>, Discard> {
    flow.check_forwardable(|addr| table.is_inside(addr))?;
    check_source(table, flow, inner, packet)?;
    check_destination(table, flow)?;
    let (_, group) = table.fib.longest_match(inner.destination).ok_or(Discard::NoRoute)?;
    let (tunnel, is_shared) = match table.next_hops(*group).ok_or(Discard::TunnelDown)? {
        NextHops::One(tunnel) => (Some(tunnel.as_ref()), false),
        NextHops::Shared(shared) => (shared.member_for(flow, inner, packet), true),
    };
    let tunnel = tunnel.filter(|tunnel| tunnel.vpc == vpc).ok_or(Discard::TunnelDown)?;
    Ok(Hop { tunnel, is_shared })
}

/// Packets of one VPC never leave by a tunnel of another, whatever the host's routes say: the
/// source is of this VPC, or the packet is an ICMP error about one to it (RFC 4301 §6.2).
fn check_source(
    table: &VpcTable,
    flow: &Flow,
    inner: &InnerPacket,
    packet: &[u8],
) -> Result<(), Discard> {
    let is_ours = |address| table.sources.covers_addr(address);
    match flow.complained_of(inner, packet)? {
        Some(about) if !is_ours(about.source) => return Err(Discard::IcmpUnrelated),
        None if !is_ours(flow.source) => return Err(Discard::SourceNotAllowed),
        Some(_) | None => {}
    }
    let services = &table.services;
    if inner.ttl == OWN_HOP_LIMIT {
        note_conversation(table, flow);
    } else if services.inside.contains(&flow.source) {
        return Err(Discard::SourceNotAllowed);
    }
    if services.peers.contains(&flow.source) {
        return Err(Discard::SourceNotAllowed);
    }
    Ok(())
}

/// What the host itself sends, of which nothing but the flow tells the answer.
fn note_conversation(table: &VpcTable, flow: &Flow) {
    let tells_by_itself = flow.is_icmp() || flow.protocol() == protocol::TCP;
    if !tells_by_itself && table.services.own.covers_addr(flow.source) {
        table.conversations.note(flow);
    }
}

/// The ends of a tunnel speak with each other; others may ask whether they are there.
fn check_destination(table: &VpcTable, flow: &Flow) -> Result<(), Discard> {
    let services = &table.services;
    let is_stranger = services.peers.contains(&flow.destination)
        && !flow.is_icmp()
        && !services.inside.contains(&flow.source);
    if is_stranger { Err(Discard::NotForGateway) } else { Ok(()) }
}

/// Sends a packet that the gateway itself has made to the peer of `tunnel`, by this tunnel
/// whatever the routes say. What is discarded is counted here.
pub fn originate(
    tunnel: &TunnelEntry,
    packet: &mut [u8],
    egress: &mut impl Egress,
) -> Result<(), Discard> {
    let inner = InnerPacket::parse(packet).map_err(|_| Discard::MalformedInner);
    inner
        .and_then(|mut inner| {
            tunnel.translation.outward(&mut inner, packet);
            let flow = tunnel.flow_of(Flow::of(&inner, packet), &inner, packet);
            let tunnel = sa_for(&flow, tunnel, &inner, packet)?;
            if let Some(pacer) = &tunnel.pacer {
                pacer.push_first(&packet[..inner.total_len])?;
                tunnel.counters.count_own_sent(1);
                return Ok(());
            }
            let mut packing = Packing::default();
            send(tunnel, &inner, &mut SuperPacket::whole(packet), &mut packing, egress)?;
            // What the gateway says itself shares with nobody, and keeps its class of service.
            packing.seal(Some(Ecn::NotEct.put_into(inner.tos)), egress);
            Ok(())
        })
        .inspect_err(|reason| tunnel.counters.discards.add(*reason))
}

/// Sends an echo by this tunnel. What is discarded is counted here.
pub fn originate_echo(
    tunnel: &TunnelEntry,
    echo: &Echo,
    egress: &mut impl Egress,
) -> Result<(), Discard> {
    let content = echo.encode();
    if let Some(pacer) = &tunnel.pacer {
        pacer.push_word(&content);
        return Ok(());
    }
    // An SA of AGGFRAG payloads carries nothing else (RFC 9347 §2.3); it has padding for words that are
    // nobody's.
    let padding = [&AggfragHeader::plain(0)[..], &[PAD]].concat();
    let (next_header, head) = match tunnel.aggfrag {
        true => (AGGFRAG_PAYLOAD, &padding[..]),
        false => (esp::NEXT_HEADER_DUMMY, &[][..]),
    };
    let octets = head.len() + content.len();
    let length = tunnel.outbound.layout().sealed_len(octets);
    let mut seal = || {
        let mut train = tunnel.outbound.reserve(1, octets as u64)?;
        egress
            .datagram(tunnel, ECHO_TOS, length, |out| train.seal(next_header, head, &content, out))
    };
    seal().inspect_err(|reason| tunnel.counters.discards.add(*reason))
}

/// The tunnel by an SA that takes the packet, or else by one out of whose other direction the
/// packet came that this one is an ICMP error about (RFC 4301 §6.2).
#[inline]
pub(super) fn sa_for<'t>(
    flow: &Flow,
    tunnel: &'t TunnelEntry,
    inner: &InnerPacket,
    packet: &[u8],
) -> Result<&'t TunnelEntry, Discard> {
    tunnel.by_sa_for(flow).or_else(|reason| {
        let about = flow.complained_of(inner, packet)?.ok_or(reason)?;
        tunnel.by_sa_for(&about).map_err(|_| reason)
    })
}

pub(super) fn send<'t>(
    tunnel: &'t TunnelEntry,
    inner: &InnerPacket,
    packet: &mut SuperPacket<'_>,
    packing: &mut Packing<'t>,
    egress: &mut impl Egress,
) -> Result<(), Discard> {
    if tunnel.aggfrag {
        packing.push(tunnel, inner, packet, egress);
        return Ok(());
    }
    if let Some(single) = packet.single_mut() {
        flow::clamp_mss(single, inner, tunnel.inner_mtu);
    }
    let (sealer, longest) = (Sealer::new(tunnel, inner), packet.longest());
    if longest <= promised(tunnel, inner) {
        return sealer.seal_all(packet, egress);
    }
    if !inner.dont_fragment {
        return sealer.fragment_all(packet, egress);
    }
    let leaves = longest <= tunnel.link_mtu.into();
    // An echo request is answered then; ping would take the error for the end of it.
    let asks = matches!(inner.protocol, protocol::ICMP | protocol::ICMPV6);
    if !(leaves && asks) {
        tell_too_big(tunnel, inner, packet, egress);
    }
    // Until the sender has learned what fits: a path that shrinks loses no packet.
    if leaves { sealer.seal_all(packet, egress) } else { Err(Discard::TooBig) }
}

/// The longest packet that hosts may send. IPv6 wants 1280 octets of every link (RFC 8200 §5): where
/// the path has no room for that, the datagram around the packet is fragmented (RFC 2473 §7.1).
fn promised(tunnel: &TunnelEntry, inner: &InnerPacket) -> usize {
    const IPV6_MINIMUM: u16 = 1280;
    let promised = if inner.is_ipv4() { 0 } else { IPV6_MINIMUM };
    tunnel.inner_mtu.max(promised).into()
}

/// Tells the sender the size that fits (RFC 1191 §4, RFC 8201 §4; RFC 4301 §8.2.1).
///
/// The answer comes from the address that the packet was sent to: an address of our own would be
/// taken for a spoofed one when it comes in from the TUN device.
fn tell_too_big(
    tunnel: &TunnelEntry,
    inner: &InnerPacket,
    packet: &SuperPacket<'_>,
    egress: &mut impl Egress,
) {
    let from: IpAddr = inner.destination;
    let mtu = u16::try_from(promised(tunnel, inner)).unwrap_or(u16::MAX);
    egress.reply(|| {
        let mut segments = packet.segments();
        let first = segments.next()?;
        let original = [first.head, first.payload].concat();
        let mut error = icmp::error_about(&original, Problem::TooBig { mtu }, from)?;
        let mut headers = InnerPacket::parse(&error).ok()?;
        tunnel.translation.inward(&mut headers, &mut error);
        Some(error)
    });
}

/// Seals packets of one flow for one tunnel.
struct Sealer<'s> {
    tunnel: &'s TunnelEntry,
    inner: &'s InnerPacket,
    /// Outer TOS.
    tos: u8,
}

impl<'s> Sealer<'s> {
    /// What the host itself says keeps its class, whatever the hosts behind it have.
    #[inline]
    fn new(tunnel: &'s TunnelEntry, inner: &'s InnerPacket) -> Sealer<'s> {
        let tos = match inner.ttl {
            OWN_HOP_LIMIT => inner.tos,
            _ => tunnel.dscp.tos_for(inner.tos),
        };
        Sealer { tunnel, inner, tos }
    }

    fn seal_all(&self, packet: &SuperPacket<'_>, egress: &mut impl Egress) -> Result<(), Discard> {
        let (packets, bytes) = (packet.count(), packet.total() as u64);
        let mut train = self.tunnel.outbound.reserve(packets as u32, bytes)?;
        let mut segments = packet.segments();
        while let Some(segment) = segments.next() {
            self.seal(&mut train, segment, egress)?;
        }
        self.count(packets as u64, bytes);
        Ok(())
    }

    #[inline]
    fn count(&self, packets: u64, bytes: u64) {
        self.tunnel.counters.count_sent(packets, bytes);
        if self.inner.ttl == OWN_HOP_LIMIT {
            self.tunnel.counters.count_own_sent(packets);
        }
    }

    /// Cuts every packet to what fits, and seals the pieces.
    fn fragment_all(
        &self,
        packet: &SuperPacket<'_>,
        egress: &mut impl Egress,
    ) -> Result<(), Discard> {
        let mtu = usize::from(self.tunnel.inner_mtu);
        let mut segments = packet.segments();
        while let Some(segment) = segments.next() {
            let mut fragments = Fragments::new(segment, mtu).ok_or(Discard::TooBig)?;
            while let Some(fragment) = fragments.next() {
                let bytes = fragment.len() as u64;
                let mut train = self.tunnel.outbound.reserve(1, bytes)?;
                self.seal(&mut train, fragment, egress)?;
                self.count(1, bytes);
            }
        }
        Ok(())
    }

    fn seal(
        &self,
        train: &mut esp::Train<'_>,
        segment: Segment<'_>,
        egress: &mut impl Egress,
    ) -> Result<(), Discard> {
        let next_header = self.inner.esp_next_header();
        let length = self.tunnel.outbound.layout().sealed_len(segment.len());
        egress.datagram(self.tunnel, self.tos, length, |out| {
            train.seal(next_header, segment.head, segment.payload, out)
        })
    }
}

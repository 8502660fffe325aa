//! From the underlay to the TUN device (RFC 4301 §5.2).

use super::flow::{self, Between, Flow};
use super::own::Visitor;
use super::{Familiar, InboundEntry, Snapshot, VpcTable};
use crate::esp::aggfrag::{Aggregate, Packets, Room};
use crate::esp::{Content, Discard, Opened, ecn};
use crate::net::{EspSpi, PeerId, VpcId};
use crate::time::Timestamp;
use crate::wire::aggfrag::PAD;
use crate::wire::echo::Echo;
use crate::wire::esp::EspHeader;
use crate::wire::ip::{self, Fragment, InnerPacket};
use std::net::SocketAddr;

/// An inner packet that passed its SA's selectors and its VPC's prefix policy. Only this may be
/// written to a TUN device, and only to that of [`vpc`](Permitted::vpc).
#[derive(Debug)]
pub struct Permitted<'a> {
    vpc: VpcId,
    protocol: u8,
    packet: &'a mut [u8],
}

impl<'a> Permitted<'a> {
    /// The VPC whose device gets the packet.
    pub fn vpc(&self) -> VpcId {
        self.vpc
    }

    /// The protocol behind the packet's IP headers.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The inner packet.
    pub fn packet(self) -> &'a [u8] {
        self.packet
    }
}

/// An inner packet that passed the same checks and is for the gateway itself.
#[derive(Debug)]
pub struct ForGateway<'a> {
    /// Who sealed it.
    pub peer: PeerId,
    /// The VPC that it belongs to.
    pub vpc: VpcId,
    /// The inner packet.
    pub packet: &'a [u8],
    /// What the gateway has seen, and need not see again.
    pub familiar: &'a Familiar,
}

/// Where an inner packet goes.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// To the hosts of its VPC, or to this host's kernel.
    ToHost(Permitted<'a>),
    /// To the gateway itself: one of its [`Services`](super::Services), or a packet that has used up its hops.
    ToGateway(ForGateway<'a>),
    /// No inner packet: a peer asks whether its packets come through, or answers that ours do.
    Echo(PeerId, Echo),
    /// To where [`Inbound::unpack`] takes it apart: packets and pieces of packets.
    Aggregate(Aggregate<'a>),
}

/// Authenticated packets come from elsewhere: the peer may have moved, or somebody repeats its
/// packets with another source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strayed {
    /// Who sealed them.
    pub peer: PeerId,
    /// Under this SA.
    pub spi: EspSpi,
    /// From there.
    pub remote: SocketAddr,
}

/// Receives one batch of datagrams over one snapshot. Remembers the last SA and the last
/// permitted flow, so that a train of one flow is looked up and judged once.
#[derive(Debug)]
pub struct Inbound<'s> {
    snapshot: &'s Snapshot,
    now: Timestamp,
    last: Option<Last<'s>>,
}

#[derive(Debug)]
struct Last<'s> {
    spi: EspSpi,
    entry: &'s InboundEntry,
    table: Option<&'s VpcTable>,
    permitted: Option<(Common, Receiver)>,
    packets: u64,
    bytes: u64,
    /// Of these packets those that are for this host or the gateway.
    own: u64,
    now: Timestamp,
    /// Whether a packet was authentic.
    heard: bool,
}

/// What packets have in common that are judged alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Common {
    /// Their ends, where no port matters.
    Between(Between),
    /// The flow.
    Flow(Flow),
}

/// Who takes packets of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiver {
    /// The hosts of the VPC.
    Hosts,
    /// This host's kernel: the packet is for one of its addresses.
    Kernel,
    /// The gateway itself takes whole packets; the kernel puts fragments together.
    Gateway,
    /// The gateway itself takes this packet, and others of the flow may be for anybody.
    Prober,
}

impl<'s> Inbound<'s> {
    /// Begins a batch, which came in at `now`.
    pub fn new(snapshot: &'s Snapshot, now: Timestamp) -> Self {
        Inbound { snapshot, now, last: None }
    }

    /// Opens an ESP packet in place and judges what is inside. `outer_tos` is the TOS of the
    /// datagram that brought it. What is discarded is counted here.
    pub fn open<'a>(
        &mut self,
        outer_tos: u8,
        datagram: &'a mut [u8],
    ) -> Result<Verdict<'a>, Discard>
    where
        's: 'a,
    {
        let discards = &self.snapshot.discards;
        let last = self.find(datagram).inspect_err(|reason| discards.add(*reason))?;
        last.open(outer_tos, datagram)
            .inspect_err(|reason| last.entry.counters.discards.add(*reason))
    }

    /// Takes apart what was opened last.
    ///
    /// # Errors
    ///
    /// Why nothing is in it. What is discarded is counted here.
    pub fn unpack<'a>(
        &mut self,
        aggregate: Aggregate<'a>,
        room: &mut Room<'a>,
    ) -> Result<Packets<'a>, Discard> {
        let last = self.last.as_ref().ok_or(Discard::UnknownSpi)?;
        let unpacker = last.entry.aggfrag.as_ref().ok_or(Discard::NotTunnelMode)?;
        let discards = &last.entry.counters.discards;
        let packets = aggregate
            .unpack(unpacker, self.now, room)
            .inspect_err(|reason| discards.add(*reason))?;
        if packets.given_up() > 0 {
            discards.add_many(Discard::IncompletePacket, packets.given_up());
        }
        Ok(packets)
    }

    /// Judges the next packet of what was opened last; `None` after the last of them. `outer_tos` is
    /// as in [`open`](Inbound::open). What is discarded is counted here.
    pub fn judge_next<'a>(
        &mut self,
        outer_tos: u8,
        packets: &mut Packets<'a>,
    ) -> Option<Result<Verdict<'a>, Discard>>
    where
        's: 'a,
    {
        let last = self.last.as_mut()?;
        let verdict = match packets.next() {
            Some(opened) => opened.and_then(|opened| last.admit(outer_tos, opened)),
            None => {
                // All other padding is nobody's.
                let word = packets.take_padding()?.strip_prefix(&[PAD])?;
                Ok(Verdict::Echo(last.entry.peer, Echo::at_start_of(word).ok()?))
            }
        };
        Some(verdict.inspect_err(|reason| last.entry.counters.discards.add(*reason)))
    }

    /// What came from elsewhere than its peer is believed to be, if the packet that was opened
    /// last was sent from `remote`. Only a packet that was opened says anything.
    #[inline]
    pub fn strayed(&self, remote: SocketAddr) -> Option<Strayed> {
        let last = self.last.as_ref().filter(|last| last.entry.remote != remote)?;
        Some(Strayed { peer: last.entry.peer, spi: last.spi, remote })
    }

    fn find(&mut self, datagram: &[u8]) -> Result<&mut Last<'s>, Discard> {
        let header = EspHeader::parse(datagram).map_err(|_| Discard::MalformedEsp)?;
        if self.last.as_ref().is_none_or(|last| last.spi != header.spi) {
            let entry = self.snapshot.inbound.get(header.spi).ok_or(Discard::UnknownSpi)?;
            let table = self.snapshot.vpc(entry.vpc);
            self.last = Some(Last {
                spi: header.spi,
                entry,
                table,
                permitted: None,
                packets: 0,
                bytes: 0,
                own: 0,
                now: self.now,
                heard: false,
            });
        }
        self.last.as_mut().ok_or(Discard::UnknownSpi)
    }
}

impl<'s> Last<'s> {
    /// Whatever is in it, an authentic packet shows that the peer lives.
    fn open_any<'a>(&mut self, datagram: &'a mut [u8]) -> Result<Content<'a>, Discard> {
        let content = self.entry.sa.open_any(datagram)?;
        self.heard = true;
        Ok(content)
    }

    fn open<'a>(&mut self, outer_tos: u8, datagram: &'a mut [u8]) -> Result<Verdict<'a>, Discard>
    where
        's: 'a,
    {
        match self.open_any(datagram)? {
            Content::Packet(opened) => self.admit(outer_tos, opened),
            Content::Dummy(content) => {
                let echo = Echo::decode(content).map_err(|_| Discard::Dummy)?;
                Ok(Verdict::Echo(self.entry.peer, echo))
            }
            Content::Aggregate(aggregate) => match self.entry.aggfrag {
                Some(_) => Ok(Verdict::Aggregate(aggregate)),
                None => Err(Discard::NotTunnelMode),
            },
        }
    }

    /// Judges a packet, and makes it what the hosts of the VPC are to see.
    #[inline]
    fn admit<'a>(&mut self, outer_tos: u8, opened: Opened<'a>) -> Result<Verdict<'a>, Discard>
    where
        's: 'a,
    {
        let Opened { packet: mut inner, inner: packet, .. } = opened;
        let receiver = self.judge(&inner, packet)?;
        self.entry.translation.inward(&mut inner, packet);
        let tos = ecn::decapsulate(inner.tos, outer_tos)?;
        if tos != inner.tos {
            ip::set_tos(packet, tos);
        }
        flow::clamp_mss(packet, &inner, self.entry.inner_mtu);
        self.packets += 1;
        self.bytes += packet.len() as u64;
        self.own += u64::from(receiver != Receiver::Hosts);
        let (vpc, peer, protocol) = (self.entry.vpc, self.entry.peer, inner.protocol);
        Ok(match receiver {
            Receiver::Hosts | Receiver::Kernel => {
                Verdict::ToHost(Permitted { vpc, protocol, packet })
            }
            Receiver::Gateway | Receiver::Prober => {
                let familiar = &self.entry.counters.familiar;
                Verdict::ToGateway(ForGateway { peer, vpc, packet, familiar })
            }
        })
    }

    /// The packet is permitted, and somebody takes it.
    #[inline]
    fn judge(&mut self, inner: &InnerPacket, packet: &[u8]) -> Result<Receiver, Discard> {
        let receiver = match self.permitted {
            Some((Common::Between(permitted), receiver)) if permitted == Between::of(inner) => {
                receiver
            }
            _ => self.judge_flow(self.entry.flow_of(inner, packet), inner, packet)?,
        };
        Ok(match (receiver, inner.fragment) {
            (Receiver::Hosts, _) if inner.ttl <= 1 && self.reports_expired(inner) => {
                Receiver::Gateway
            }
            (Receiver::Gateway, Fragment::First | Fragment::Later) => Receiver::Kernel,
            (receiver, _) => receiver,
        })
    }

    fn reports_expired(&self, inner: &InnerPacket) -> bool {
        self.table.is_some_and(|table| table.services.report_expired(inner.is_ipv4()))
    }

    fn judge_flow(
        &mut self,
        flow: Flow,
        inner: &InnerPacket,
        packet: &[u8],
    ) -> Result<Receiver, Discard> {
        if let Some((Common::Flow(permitted), receiver)) = self.permitted
            && permitted == flow
        {
            return Ok(receiver);
        }
        let about = flow.complained_of(inner, packet)?;
        match &about {
            Some(about) => self.check_error(&flow, about)?,
            None => self.check_policy(&flow)?,
        }
        let mut here = flow;
        here.destination = self.entry.translation.inward_address(flow.destination);
        let receiver = self.receiver(&here, inner, packet)?;
        // Errors of one flow are about different packets, and what is for us ourselves depends on
        // more than the flow: each is judged for itself.
        let lasts = about.is_none() && !matches!(receiver, Receiver::Kernel | Receiver::Prober);
        let port_matters =
            receiver != Receiver::Hosts || flow.is_icmp() || self.entry.asks_for_ports();
        let common = match port_matters {
            true => Common::Flow(flow),
            false => Common::Between(Between::of(inner)),
        };
        self.permitted = lasts.then_some((common, receiver));
        Ok(receiver)
    }

    /// Who takes a flow that is permitted; nobody, when it is for us and not welcome.
    fn receiver(
        &self,
        flow: &Flow,
        inner: &InnerPacket,
        packet: &[u8],
    ) -> Result<Receiver, Discard> {
        let Some(table) = self.table else { return Ok(Receiver::Hosts) };
        if table.services.asked_for(flow, inner, packet) {
            return Ok(Receiver::Prober);
        }
        let visitor = Visitor { flow, inner, packet };
        if table.services.take(flow) {
            // Echo is for everybody, anything else is a matter between the ends of the tunnel.
            let is_neighbor = || self.entry.neighbor.is_some_and(|one| one.is_between(flow));
            let is_welcome = flow.is_icmp() || is_neighbor();
            return is_welcome.then_some(Receiver::Gateway).ok_or(Discard::NotForGateway);
        }
        if table.services.inside.contains(&flow.destination) {
            visitor.check_inside(self.entry)?;
        } else if table.services.own.covers_addr(flow.destination) {
            visitor.check_own(table)?;
        } else {
            return Ok(Receiver::Hosts);
        }
        Ok(Receiver::Kernel)
    }

    /// The packet is what the SA was negotiated for, comes from where the peer may send from and
    /// goes where it may send to.
    fn check_policy(&self, flow: &Flow) -> Result<(), Discard> {
        let entry = self.entry;
        flow.check_selectors(&entry.remote_ts, &entry.local_ts)?;
        if !entry.may_send_from(flow.source) {
            return Err(Discard::SourceNotAllowed);
        }
        if !entry.local_prefixes.covers_addr(flow.destination) {
            return Err(Discard::DestinationNotLocal);
        }
        flow.check_forwardable(|addr| entry.is_inside(addr))
    }

    /// An ICMP error passes for the packet that it quotes: that was one of ours, to where the peer
    /// may send from. So a router behind the peer may complain from an address that the peer may not
    /// announce, and nobody may about what he has not seen (RFC 4301 §6.2).
    fn check_error(&self, flow: &Flow, about: &Flow) -> Result<(), Discard> {
        self.check_policy(about).map_err(|_| Discard::IcmpUnrelated)?;
        let entry = self.entry;
        if entry.may_send_from(flow.source) {
            return flow.check_forwardable(|addr| entry.is_inside(addr));
        }
        let is_own = |table: &VpcTable| table.services.own.covers_addr(flow.source);
        let is_ours = entry.translation.is_about(flow.source)
            || entry.home.covers_addr(flow.source)
            || entry.local_prefixes.covers_addr(flow.source);
        if is_ours || self.table.is_some_and(is_own) {
            return Err(Discard::SourceNotAllowed);
        }
        flow.check_forwardable(|_| false)
    }
}

impl Drop for Last<'_> {
    fn drop(&mut self) {
        if self.heard {
            self.entry.counters.hear(self.now);
        }
        if self.packets > 0 {
            self.entry.counters.count_received(self.packets, self.bytes);
        }
        if self.own > 0 {
            self.entry.counters.count_own_received(self.own);
        }
    }
}

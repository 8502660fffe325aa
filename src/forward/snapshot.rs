//! The tables that the gateway publishes and the packet path reads.
//!
//! ```text
//!   destination ──fib──► GroupId ──groups──► NextHops: one tunnel, or several by flow
//!   TunnelEntry: OutboundSa, addresses ──► the next
//!   SPI ──inbound──► InboundSa, VPC, what the peer may send
//! ```

use super::flow::Flow;
use super::fragment_ports::FragmentPorts;
use super::{
    Chunked, Conversations, InboundTable, NextHops, Reassembly, Selectors, Services, Shaper,
    Translation, TunnelCounters,
};
use crate::esp::aggfrag::{Pacer, Unpacker};
use crate::esp::{Discard, DiscardCounters, InboundSa, OutboundSa};
use crate::net::{OuterDscp, PeerId, Prefix, PrefixMap, PrefixSet, VpcId};
use crate::wire::ip::{Fragment, InnerPacket};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Everything that the packet path knows, at one moment. Parts that a change leaves alone are
/// shared with the snapshot before.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Counts up with every publication.
    pub generation: u64,
    /// The VPCs by number.
    pub vpcs: Chunked<Arc<VpcTable>>,
    /// The SAs that can receive, of all VPCs.
    pub inbound: InboundTable,
    /// Datagrams discarded before a tunnel was known.
    pub discards: Arc<DiscardCounters>,
    /// The tunnels with SAs of a constant rate.
    pub paced: Arc<BTreeMap<PeerId, Arc<TunnelEntry>>>,
    /// The tunnels whose peers are sent no more than some rate, by the peer's number.
    pub shaped: Chunked<Arc<TunnelEntry>>,
}

/// A set of prefixes that share their next hops, by its place in [`VpcTable::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// Forwarding of one VPC.
#[derive(Clone, Debug, Default)]
pub struct VpcTable {
    /// Prefixes of the VPC in other regions.
    pub fib: Arc<PrefixMap<GroupId>>,
    /// The tunnel that each group uses now, or those that share its flows; none when all of its next
    /// hops are down, which discards what is routed to it.
    pub groups: Chunked<NextHops>,
    /// Inner sources that belong to the VPC: its prefixes and our inside addresses, and with
    /// transit what its peers may announce.
    pub sources: Arc<PrefixSet>,
    /// What the gateway is as a host.
    pub services: Arc<Services>,
    /// What the host itself has begun to talk about.
    pub conversations: Arc<Conversations>,
    /// Packets of the VPC discarded before a tunnel was chosen.
    pub discards: Arc<DiscardCounters>,
}

/// A tunnel as packets leave by one of its SAs, and by the next where this one does not take them.
#[derive(Clone, Debug)]
pub struct TunnelEntry {
    /// The peer at the other end.
    pub peer: PeerId,
    /// The VPC that it belongs to; only packets of this VPC are sealed.
    pub vpc: VpcId,
    /// The SA to seal with.
    pub outbound: Arc<OutboundSa>,
    /// Our end of the underlay: one of the addresses that the data plane listens on.
    pub local: SocketAddr,
    /// The peer's end of the underlay.
    pub remote: SocketAddr,
    /// The DSCP of datagrams around packets of hosts.
    pub dscp: OuterDscp,
    /// By which addresses the peer knows ours.
    pub translation: Translation,
    /// Which inner sources the SA takes, as the peer knows them.
    pub local_ts: Selectors,
    /// Which inner destinations the SA takes.
    pub remote_ts: Selectors,
    /// Longest inner packet in bytes that reaches the peer in one piece; with `aggfrag`, the longest payload.
    pub inner_mtu: u16,
    /// Whether packets share datagrams and are cut where a datagram ends (RFC 9347): none is too big.
    pub aggfrag: bool,
    /// Where packets wait, if the SA has a constant rate.
    pub pacer: Option<Arc<Pacer>>,
    /// Where packets wait beyond a rate, if the peer is sent no more than that.
    pub shaper: Option<Arc<Shaper>>,
    /// Longest inner packet in bytes that is sent in any case, if it must be in IP fragments around
    /// it: what would fit, did the path carry what the operator says.
    pub link_mtu: u16,
    /// Where traffic and discards of the tunnel are counted.
    pub counters: Arc<TunnelCounters>,
    /// The ports of datagrams that leave in fragments.
    pub fragments: Arc<FragmentPorts>,
    /// The datagrams that are put together first, where the peer would not know the ports of later
    /// fragments and an SA asks for them.
    pub reassembly: Option<Arc<Reassembly>>,
    /// The same tunnel by another SA, for packets that this one does not take; most have one SA.
    pub next: Option<Box<TunnelEntry>>,
}

impl TunnelEntry {
    /// Whether the path carries a sealed datagram of so many bytes in one piece.
    pub fn fits_whole(&self, length: usize) -> bool {
        length <= self.outbound.layout().sealed_len(self.inner_mtu.into())
    }
}

/// An inbound SA, and what may come out of it.
#[derive(Clone, Debug)]
pub struct InboundEntry {
    /// The SA to open with.
    pub sa: Arc<InboundSa>,
    /// The peer that seals.
    pub peer: PeerId,
    /// The VPC whose TUN device gets the packets, and no other.
    pub vpc: VpcId,
    /// Where the peer is believed to be on the underlay.
    pub remote: SocketAddr,
    /// Inner sources that the peer may use: what it may announce, and its inside addresses.
    pub allowed_sources: Arc<PrefixSet>,
    /// Inner sources that it may not use though a wider prefix permits them, as we know them: this VPC's
    /// prefixes here, and our inside addresses.
    pub home: Arc<PrefixSet>,
    /// The ends of the tunnel, when they speak BGP.
    pub neighbor: Option<Neighbor>,
    /// By which addresses the peer knows ours.
    pub translation: Translation,
    /// Inner destinations that it may reach, as it knows them: this VPC's prefixes here, and our inside
    /// addresses.
    pub local_prefixes: Arc<PrefixSet>,
    /// Which inner destinations the SA takes, as the peer knows them.
    pub local_ts: Selectors,
    /// Which inner sources the SA takes.
    pub remote_ts: Selectors,
    /// Longest inner packet that fits the way back, for the MSS that hosts announce.
    pub inner_mtu: u16,
    /// Where the pieces of cut packets wait, if the SA carries AGGFRAG payloads (RFC 9347).
    pub aggfrag: Option<Arc<Unpacker>>,
    /// Where traffic and discards of the tunnel are counted.
    pub counters: Arc<TunnelCounters>,
    /// The ports of datagrams that come in fragments.
    pub fragments: Arc<FragmentPorts>,
}

/// The two ends of a tunnel that speak with each other inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Our inside address.
    pub local: IpAddr,
    /// The peer's.
    pub remote: IpAddr,
    /// Whether they speak BGP.
    pub bgp: bool,
    /// Whether only packets of BGP count that no router has forwarded (RFC 5082).
    pub ttl_security: bool,
}

impl Neighbor {
    /// Whether a flow comes from the peer's end to ours.
    pub(super) fn is_between(&self, flow: &Flow) -> bool {
        (flow.source, flow.destination) == (self.remote, self.local)
    }
}

impl Snapshot {
    /// The forwarding table of a VPC.
    pub fn vpc(&self, vpc: VpcId) -> Option<&VpcTable> {
        self.vpcs.get(usize::from(vpc.0)).map(Arc::as_ref)
    }
}

impl TunnelEntry {
    /// A packet that leaves by this tunnel; a later fragment has the ports of its first where some
    /// SA asks for them.
    #[inline]
    pub(super) fn flow_of(&self, mut flow: Flow, inner: &InnerPacket, packet: &[u8]) -> Flow {
        if inner.fragment != Fragment::Whole && self.asks_for_ports() {
            self.fragments.complete(&mut flow, inner, packet);
        }
        flow
    }

    /// Where a fragment waits for the others of its datagram; `None` for a packet that leaves as it is.
    #[inline]
    pub(super) fn gathers(&self, inner: &InnerPacket) -> Option<&Reassembly> {
        let may_wait = inner.fragment != Fragment::Whole && inner.is_ipv4();
        let reassembly = self.reassembly.as_deref().filter(|_| may_wait)?;
        self.asks_for_ports().then_some(reassembly)
    }

    /// Whether one of its SAs takes packets of some ports only.
    pub(super) fn asks_for_ports(&self) -> bool {
        self.sas().any(TunnelEntry::names_ports)
    }

    fn names_ports(&self) -> bool {
        self.local_ts.name_ports() || self.remote_ts.name_ports()
    }

    /// Whether one of its SAs has a constant rate.
    pub fn is_paced(&self) -> bool {
        self.sas().any(|entry| entry.pacer.is_some())
    }

    /// The tunnel by each of its SAs.
    pub(super) fn sas(&self) -> impl Iterator<Item = &TunnelEntry> {
        std::iter::successors(Some(self), |entry| entry.next.as_deref())
    }

    /// The tunnel by the first of its SAs whose selectors permit the flow (RFC 4301 §4.4.1, §5.1);
    /// why there is none is what the first one says.
    #[inline]
    pub(super) fn by_sa_for(&self, flow: &Flow) -> Result<&TunnelEntry, Discard> {
        let takes = |entry: &TunnelEntry| flow.check_selectors(&entry.local_ts, &entry.remote_ts);
        let Err(reason) = takes(self) else { return Ok(self) };
        self.sas().skip(1).find(|entry| takes(entry).is_ok()).ok_or(reason)
    }
}

impl InboundEntry {
    /// A packet that came in by this SA; a later fragment has the ports of its first where the SA
    /// asks for them.
    #[inline]
    pub(super) fn flow_of(&self, inner: &InnerPacket, packet: &[u8]) -> Flow {
        let mut flow = Flow::of(inner, packet);
        if inner.fragment != Fragment::Whole && self.asks_for_ports() {
            self.fragments.complete(&mut flow, inner, packet);
        }
        flow
    }

    /// Whether the SA takes packets of some ports only.
    pub(super) fn asks_for_ports(&self) -> bool {
        self.local_ts.name_ports() || self.remote_ts.name_ports()
    }

    /// Whether the peer may send from an address: what lies on our side is the peer's only where it is
    /// named by itself, as an inside address is.
    pub(super) fn may_send_from(&self, source: IpAddr) -> bool {
        let is_ours = self.translation.is_about(source) || self.home.covers_addr(source);
        self.allowed_sources.covers_addr(source)
            && (!is_ours || self.allowed_sources.contains(&Prefix::host(source)))
    }

    /// Whether this is an inside address of ours or of the peer, not one of a prefix.
    pub(super) fn is_inside(&self, address: IpAddr) -> bool {
        let host = Prefix::host(address);
        self.allowed_sources.contains(&host) || self.local_prefixes.contains(&host)
    }
}

impl VpcTable {
    /// Whether this is an inside address of ours or of a peer.
    pub(super) fn is_inside(&self, address: IpAddr) -> bool {
        self.services.inside.contains(&address) || self.services.peers.contains(&address)
    }

    /// How packets of a group leave now.
    #[inline]
    pub(super) fn next_hops(&self, group: GroupId) -> Option<&NextHops> {
        self.groups.get(group.0 as usize)
    }
}

//! The tables that the gateway publishes and the packet path reads.
//!
//! ```text
//!   destination ──fib──► GroupId ──groups──► TunnelIndex ──tunnels──► OutboundSa, addresses
//!   SPI ──inbound──► InboundSa, VPC, what the peer may send
//! ```

use super::{Selectors, TunnelCounters};
use crate::esp::{DiscardCounters, InboundSa, OutboundSa};
use crate::net::{EspSpi, PeerId, PrefixMap, PrefixSet, VpcId};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

/// Everything that the packet path knows, at one moment. Parts that a change leaves alone are
/// shared with the snapshot before.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Counts up with every publication.
    pub generation: u64,
    /// The VPCs by number.
    pub vpcs: BTreeMap<VpcId, Arc<VpcTable>>,
    /// The tunnels that can send, of all VPCs.
    pub tunnels: Vec<TunnelEntry>,
    /// The SAs that can receive, of all VPCs.
    pub inbound: Arc<InboundTable>,
    /// Datagrams discarded before a tunnel was known.
    pub discards: Arc<DiscardCounters>,
}

/// A set of prefixes that share their next hops, by its place in [`VpcTable::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// A tunnel, by its place in [`Snapshot::tunnels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelIndex(pub u32);

/// Forwarding of one VPC.
#[derive(Clone, Debug, Default)]
pub struct VpcTable {
    /// Prefixes of the VPC in other regions.
    pub fib: Arc<PrefixMap<GroupId>>,
    /// The tunnel that each group uses now; `None` when all of its next hops are down, which
    /// discards what is routed to it.
    pub groups: Vec<Option<TunnelIndex>>,
    /// Packets of the VPC discarded before a tunnel was chosen.
    pub discards: Arc<DiscardCounters>,
}

/// A tunnel as packets leave by it.
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
    /// Which inner sources the SA takes.
    pub local_ts: Selectors,
    /// Which inner destinations the SA takes.
    pub remote_ts: Selectors,
    /// Longest inner packet in bytes.
    pub inner_mtu: u16,
    /// Where traffic and discards of the tunnel are counted.
    pub counters: Arc<TunnelCounters>,
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
    /// Inner sources that the peer may use: what it may announce, and its inside addresses.
    pub allowed_sources: Arc<PrefixSet>,
    /// Inner destinations that it may reach: this VPC's prefixes here, and our inside addresses.
    pub local_prefixes: Arc<PrefixSet>,
    /// Which inner destinations the SA takes.
    pub local_ts: Selectors,
    /// Which inner sources the SA takes.
    pub remote_ts: Selectors,
    /// Longest inner packet that fits the way back, for the MSS that hosts announce.
    pub inner_mtu: u16,
    /// Where traffic and discards of the tunnel are counted.
    pub counters: Arc<TunnelCounters>,
}

impl Snapshot {
    /// The forwarding table of a VPC.
    pub fn vpc(&self, vpc: VpcId) -> Option<&VpcTable> {
        self.vpcs.get(&vpc).map(Arc::as_ref)
    }

    pub(super) fn tunnel(&self, index: TunnelIndex) -> Option<&TunnelEntry> {
        self.tunnels.get(index.0 as usize)
    }
}

impl VpcTable {
    /// The tunnel that a group uses now.
    pub(super) fn active(&self, group: GroupId) -> Option<TunnelIndex> {
        self.groups.get(group.0 as usize).copied().flatten()
    }
}

/// Inbound SAs by SPI.
#[derive(Clone, Debug, Default)]
pub struct InboundTable(HashMap<EspSpi, InboundEntry, BuildHasherDefault<SpiHasher>>);

impl InboundTable {
    /// The SA with this SPI.
    #[inline]
    pub fn get(&self, spi: EspSpi) -> Option<&InboundEntry> {
        self.0.get(&spi)
    }

    /// Adds an SA and returns the one that had its SPI.
    pub fn insert(&mut self, spi: EspSpi, entry: InboundEntry) -> Option<InboundEntry> {
        self.0.insert(spi, entry)
    }

    /// Removes an SA.
    pub fn remove(&mut self, spi: EspSpi) -> Option<InboundEntry> {
        self.0.remove(&spi)
    }

    /// How many SAs there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(EspSpi, InboundEntry)> for InboundTable {
    fn from_iter<I: IntoIterator<Item = (EspSpi, InboundEntry)>>(entries: I) -> Self {
        InboundTable(entries.into_iter().collect())
    }
}

/// Hashes an SPI by one multiplication. We choose our inbound SPIs ourselves, at random, so
/// nobody else can make them collide.
#[derive(Clone, Debug, Default)]
struct SpiHasher(u64);

impl Hasher for SpiHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.0 = (self.0 ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

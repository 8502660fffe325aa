//! Two gateways as snapshots: what the west seals the east opens.

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use vpngw::crypto::secret::Secret;
use vpngw::esp::aggfrag::Unpacker;
use vpngw::esp::{Discard, InboundSa, Limits, OutboundSa, Reservation, SaConfig};
use vpngw::forward::{
    Buckets, Egress, GroupId, InboundEntry, Member, NextHops, Selectors, Shared, Snapshot,
    Translation, TunnelEntry, VpcTable,
};
use vpngw::net::{EspSpi, Mapping, OuterDscp, PeerId, Prefix, PrefixMap, PrefixSet, VpcId};
use vpngw::wire::ike::TrafficSelector;

pub(crate) const VPC: VpcId = VpcId(0);
const MTU: u16 = 1438;
/// Prefixes of each side: as many as a small company has.
pub(crate) const PREFIXES: u8 = 64;

/// The gateway that sends.
pub(crate) fn west() -> Snapshot {
    sending(NextHops::One(tunnel(Translation::default(), false)))
}

/// The same, whose packets share datagrams.
pub(crate) fn packed_west() -> Snapshot {
    sending(NextHops::One(tunnel(Translation::default(), true)))
}

/// The same with two tunnels that share flows.
pub(crate) fn sharing_west() -> Snapshot {
    let member = |key| Member { key, weight: NonZeroU8::MIN };
    let buckets = Arc::new(Buckets::of(&[member(0x1234_5678), member(0x8765_4321)]));
    let members = [(); 2].map(|()| tunnel(Translation::default(), false)).into();
    sending(NextHops::Shared(Arc::new(Shared { members, buckets })))
}

/// The same, known to the peer by other prefixes.
pub(crate) fn mapped_west() -> Snapshot {
    sending(NextHops::One(tunnel(translation("10.1.0.0/16", "100.64.0.0/16"), false)))
}

/// What one mapping asks for.
fn translation(inside: &str, outside: &str) -> Translation {
    let prefix = |text: &str| text.parse::<Prefix>().expect("a prefix");
    let mapping = Mapping::new(prefix(inside), prefix(outside)).expect("of one length");
    Translation::of(&[mapping].into_iter().collect())
}

fn tunnel(translation: Translation, aggfrag: bool) -> Arc<TunnelEntry> {
    Arc::new(TunnelEntry {
        peer: PeerId(1),
        vpc: VPC,
        outbound: Arc::new(
            OutboundSa::new(Reservation::first_use(sa())).expect("the key fits the suite"),
        ),
        local: SocketAddr::from(([192, 0, 2, 1], 4500)),
        remote: SocketAddr::from(([192, 0, 2, 2], 4500)),
        dscp: OuterDscp::default(),
        translation,
        local_ts: everything(),
        remote_ts: everything(),
        inner_mtu: MTU,
        aggfrag,
        pacer: None,
        shaper: None,
        link_mtu: MTU,
        counters: Arc::default(),
        fragments: Arc::default(),
        reassembly: None,
        next: None,
    })
}

fn sending(next_hops: NextHops) -> Snapshot {
    let fib: PrefixMap<GroupId> = prefixes(2).map(|prefix| (prefix, GroupId(0))).collect();
    let groups = [(0, next_hops)].into_iter().collect();
    let sources: PrefixSet = prefixes(1).collect();
    let sources = Arc::new(sources);
    let table = VpcTable { fib: Arc::new(fib), groups, sources, ..VpcTable::default() };
    let vpcs = [(usize::from(VPC.0), Arc::new(table))].into_iter().collect();
    Snapshot { vpcs, ..Snapshot::default() }
}

/// The gateway that receives.
pub(crate) fn east() -> Snapshot {
    receiving(Translation::default(), None)
}

/// The same, to which packets come that share datagrams.
pub(crate) fn packed_east() -> Snapshot {
    receiving(Translation::default(), Some(Arc::default()))
}

/// The same, whose hosts have other addresses than those to which the west sends.
pub(crate) fn mapped_east() -> Snapshot {
    receiving(translation("172.20.0.0/16", "10.2.0.0/16"), None)
}

fn receiving(translation: Translation, aggfrag: Option<Arc<Unpacker>>) -> Snapshot {
    let sa = InboundSa::new(sa()).expect("the key fits the suite");
    let spi = sa.spi();
    let entry = InboundEntry {
        sa: Arc::new(sa),
        peer: PeerId(1),
        vpc: VPC,
        remote: SocketAddr::from(([192, 0, 2, 1], 4500)),
        allowed_sources: Arc::new(prefixes(1).collect::<PrefixSet>()),
        home: Arc::new(prefixes(2).collect::<PrefixSet>()),
        neighbor: None,
        local_prefixes: Arc::new(prefixes(2).collect::<PrefixSet>()),
        translation,
        local_ts: everything(),
        remote_ts: everything(),
        inner_mtu: MTU,
        aggfrag,
        counters: Arc::default(),
        fragments: Arc::default(),
    };
    let inbound = [(spi, entry)].into_iter().collect();
    Snapshot { inbound, ..Snapshot::default() }
}

/// The SA between them.
pub(crate) fn sa() -> SaConfig {
    SaConfig {
        spi: EspSpi(300),
        suite: "aes256gcm16-esn".parse().expect("a suite's name"),
        keymat: Secret::copy_of(&[9; 36]),
        hard: Limits::NONE,
        soft: Limits::NONE,
        replay_window: 8192,
    }
}

/// The prefixes of the site whose second octet this is.
pub(crate) fn prefixes(second: u8) -> impl Iterator<Item = Prefix> {
    let text = move |third: u8| format!("10.{second}.{third}.0/24");
    (0..PREFIXES).map(move |third| text(third).parse().expect("a prefix"))
}

fn everything() -> Selectors {
    [Prefix::all_ipv4(), Prefix::all_ipv6()]
        .map(TrafficSelector::any_protocol)
        .into_iter()
        .collect()
}

/// A send buffer that never fills: every datagram takes the place of the one before.
pub(crate) struct NoEgress {
    buffer: Vec<u8>,
    length: usize,
}

impl Default for NoEgress {
    fn default() -> NoEgress {
        NoEgress { buffer: vec![0; 2048], length: 0 }
    }
}

impl NoEgress {
    /// The last datagram.
    pub(crate) fn into_datagram(mut self) -> Vec<u8> {
        self.buffer.truncate(self.length);
        self.buffer
    }
}

impl Egress for NoEgress {
    fn datagram(
        &mut self,
        _tunnel: &TunnelEntry,
        _tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        let room = self.buffer.get_mut(..length).ok_or(Discard::NoBuffer)?;
        self.length = seal(room)?;
        Ok(())
    }

    fn reply(&mut self, _error: impl FnOnce() -> Option<Vec<u8>>) {}
}

/// A send buffer that keeps all.
#[derive(Default)]
pub(crate) struct Kept(pub Vec<Vec<u8>>);

impl Egress for Kept {
    fn datagram(
        &mut self,
        _tunnel: &TunnelEntry,
        _tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        let mut datagram = vec![0; length];
        let length = seal(&mut datagram)?;
        datagram.truncate(length);
        self.0.push(datagram);
        Ok(())
    }

    fn reply(&mut self, _error: impl FnOnce() -> Option<Vec<u8>>) {}
}

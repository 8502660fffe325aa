//! From the gateway's state to the immutable snapshot that the packet path reads.
//!
//! A snapshot is made when something that packets depend on changed, at most once per input.
//! FIBs are shared with the snapshot before it unless they changed, so a failover costs as much
//! as there are groups and tunnels, whatever the number of prefixes.

use super::routes::Group;
use super::sas::Child;
use super::tunnel::Tunnel;
use super::vpc::{self, Vpc};
use crate::config::{Config, PeerConfig};
use crate::esp::{self, DiscardCounters, InboundSa};
use crate::forward::{
    InboundEntry, InboundTable, Selectors, Snapshot, TunnelEntry, TunnelIndex, VpcTable,
};
use crate::net::{EspSpi, PeerId, PrefixSet, VpcId};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Makes snapshots when they are due.
#[derive(Debug, Default)]
pub struct Publisher {
    due: bool,
    generation: u64,
    discards: Arc<DiscardCounters>,
}

/// What a snapshot is made from.
#[derive(Clone, Copy)]
pub struct Sources<'g> {
    /// The running configuration.
    pub config: &'g Config,
    /// Routes.
    pub vpcs: &'g BTreeMap<VpcId, Vpc>,
    /// SAs.
    pub tunnels: &'g BTreeMap<PeerId, Tunnel>,
}

impl Publisher {
    /// Something changed that packets depend on.
    pub fn mark(&mut self) {
        self.due = true;
    }

    /// Datagrams discarded before a tunnel was known.
    pub fn discards(&self) -> &DiscardCounters {
        &self.discards
    }

    /// The next snapshot, if one is due.
    pub fn publish(&mut self, sources: Sources<'_>) -> Option<Arc<Snapshot>> {
        if !std::mem::take(&mut self.due) {
            return None;
        }
        self.generation += 1;
        let (tunnels, places) = sources.tunnels();
        let table = |(id, vpc): (&VpcId, &Vpc)| (*id, Arc::new(vpc_table(vpc, &places)));
        Some(Arc::new(Snapshot {
            vpcs: sources.vpcs.iter().map(table).collect(),
            tunnels,
            inbound: Arc::new(sources.inbound()),
            generation: self.generation,
            discards: Arc::clone(&self.discards),
        }))
    }
}

impl Sources<'_> {
    fn peers(&self) -> impl Iterator<Item = (PeerId, &Tunnel, &PeerConfig)> {
        self.tunnels.iter().filter_map(|(id, tunnel)| {
            let config = self.config.peers.get(id)?;
            Some((*id, tunnel, config))
        })
    }

    /// Every tunnel that can send, and where in the list each peer's stands.
    fn tunnels(&self) -> (Vec<TunnelEntry>, BTreeMap<PeerId, TunnelIndex>) {
        let (mut entries, mut places) = (Vec::new(), BTreeMap::new());
        for (peer, tunnel, _) in self.peers() {
            if let Some((_, child)) = tunnel.sas.sending() {
                places.insert(peer, tunnel_index(entries.len()));
                entries.push(self.tunnel_entry(peer, tunnel, child));
            }
        }
        (entries, places)
    }

    fn tunnel_entry(&self, peer: PeerId, tunnel: &Tunnel, child: &Child) -> TunnelEntry {
        TunnelEntry {
            peer,
            vpc: tunnel.vpc,
            outbound: Arc::clone(&child.outbound),
            local: child.local,
            remote: child.remote,
            local_ts: child.local_ts.clone(),
            remote_ts: child.remote_ts.clone(),
            inner_mtu: inner_mtu(self.config, tunnel.vpc, child.remote.is_ipv4()),
            counters: Arc::clone(&tunnel.counters),
        }
    }

    /// Every SA that may receive, with what may come out of it.
    fn inbound(&self) -> InboundTable {
        let mut table = InboundTable::default();
        for (peer, tunnel, config) in self.peers() {
            let Some(vpc) = self.vpcs.get(&tunnel.vpc) else { continue };
            let sources = Arc::new(vpc::sources(config));
            let live = tunnel.sas.children().map(|(_, child)| Receiving {
                sa: &child.inbound,
                selectors: (&child.local_ts, &child.remote_ts),
                remote: child.remote,
            });
            let draining = tunnel.sas.draining().iter().map(|sa| Receiving {
                sa: &sa.inbound,
                selectors: (&sa.local_ts, &sa.remote_ts),
                remote: sa.remote,
            });
            for receiving in live.chain(draining) {
                let mtu = inner_mtu(self.config, tunnel.vpc, receiving.remote.is_ipv4());
                let (spi, entry) = receiving.entry(peer, tunnel, &sources, vpc, mtu);
                table.insert(spi, entry);
            }
        }
        table
    }
}

/// The MTU of a VPC's device: what fits the roomiest of its tunnels. A tunnel with less room
/// tells the hosts by itself.
pub fn device_mtu(config: &Config, vpc: VpcId) -> u16 {
    let remote = |(_, peer): (PeerId, &PeerConfig)| peer.remote_address;
    let all_ipv6 = config.peers_of(vpc).all(|peer| remote(peer).is_some_and(|r| r.is_ipv6()));
    inner_mtu(config, vpc, !all_ipv6)
}

/// The longest inner packet that fits the underlay: what IP and UDP leave, less ESP's overhead,
/// and no more than the VPC's own limit.
pub fn inner_mtu(config: &Config, vpc: VpcId, ipv4: bool) -> u16 {
    let headers: u16 = if ipv4 { 20 + 8 } else { 40 + 8 };
    let room = usize::from(config.gateway.underlay_mtu.saturating_sub(headers));
    let fits = u16::try_from(esp::max_inner(room)).unwrap_or(u16::MAX);
    let limit = config.vpcs.get(&vpc).and_then(|vpc| vpc.mtu);
    limit.map_or(fits, |limit| limit.min(fits))
}

/// An SA that may receive.
struct Receiving<'t> {
    sa: &'t Arc<InboundSa>,
    selectors: (&'t Selectors, &'t Selectors),
    remote: SocketAddr,
}

impl Receiving<'_> {
    fn entry(
        &self,
        peer: PeerId,
        tunnel: &Tunnel,
        sources: &Arc<PrefixSet>,
        vpc: &Vpc,
        inner_mtu: u16,
    ) -> (EspSpi, InboundEntry) {
        let (local_ts, remote_ts) = self.selectors;
        let entry = InboundEntry {
            sa: Arc::clone(self.sa),
            peer,
            vpc: vpc.id,
            allowed_sources: Arc::clone(sources),
            local_prefixes: Arc::clone(&vpc.destinations),
            local_ts: local_ts.clone(),
            remote_ts: remote_ts.clone(),
            inner_mtu,
            counters: Arc::clone(&tunnel.counters),
        };
        (self.sa.spi(), entry)
    }
}

fn vpc_table(vpc: &Vpc, places: &BTreeMap<PeerId, TunnelIndex>) -> VpcTable {
    let active = |group: &Option<Group>| {
        let choice = group.as_ref()?.choice.as_ref()?;
        places.get(&choice.peer).copied()
    };
    VpcTable {
        fib: vpc.routes.fib(),
        groups: vpc.routes.groups().iter().map(active).collect(),
        discards: Arc::clone(&vpc.discards),
    }
}

fn tunnel_index(place: usize) -> TunnelIndex {
    TunnelIndex(u32::try_from(place).unwrap_or(u32::MAX))
}

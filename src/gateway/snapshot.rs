//! From the gateway's state to the immutable snapshot that the packet path reads.
//!
//! A snapshot is made when something that packets depend on changed, at most once per input. It
//! is the one before with the marked tunnels and VPCs put in anew; everything else is shared. So
//! one Child SA more costs about the same whatever the number of tunnels, and a failover as much
//! as the tunnel has groups, whatever the number of prefixes.

use super::routes::Group;
use super::sas::Child;
use super::tunnel::Tunnel;
use super::vpc::Vpc;
use crate::config::{Config, PeerConfig, VpcConfig};
use crate::esp::aggfrag::Unpacker;
use crate::esp::{DiscardCounters, InboundSa, Layout};
use crate::forward::{InboundEntry, NextHops, Selectors, Shared, Snapshot, TunnelEntry, VpcTable};
use crate::net::{EspSpi, PeerId, VpcId};
use crate::visits::Counted;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// Makes snapshots when they are due.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    /// The last one, as it was published.
    snapshot: Snapshot,
    /// What is published of each tunnel.
    published: BTreeMap<PeerId, Published>,
    tunnels: BTreeSet<PeerId>,
    vpcs: BTreeSet<VpcId>,
}

/// What is published of one tunnel.
#[derive(Debug, Default)]
struct Published {
    outbound: Option<Arc<TunnelEntry>>,
    inbound: Vec<EspSpi>,
}

/// What a snapshot is made from.
#[derive(Clone, Copy)]
pub(super) struct Sources<'g> {
    /// The running configuration.
    pub config: &'g Config,
    /// SAs.
    pub tunnels: &'g Counted<PeerId, Tunnel>,
}

impl Publisher {
    /// Something of a tunnel changed that packets depend on.
    pub(super) fn mark_tunnel(&mut self, peer: PeerId) {
        self.tunnels.insert(peer);
    }

    /// Something of a VPC's routes changed.
    pub(super) fn mark_vpc(&mut self, vpc: VpcId) {
        self.vpcs.insert(vpc);
    }

    /// The tunnel to a peer, as it was published.
    pub(super) fn tunnel(&self, peer: PeerId) -> Option<Arc<TunnelEntry>> {
        self.published.get(&peer)?.outbound.clone()
    }

    /// Datagrams discarded before a tunnel was known.
    pub(super) fn discards(&self) -> &DiscardCounters {
        &self.snapshot.discards
    }

    /// The next snapshot, if one is due.
    pub(super) fn publish(
        &mut self,
        sources: Sources<'_>,
        vpcs: &mut BTreeMap<VpcId, Vpc>,
    ) -> Option<Arc<Snapshot>> {
        if self.tunnels.is_empty() && self.vpcs.is_empty() {
            return None;
        }
        while let Some(peer) = self.tunnels.pop_first() {
            self.put_tunnel(peer, sources, vpcs);
        }
        while let Some(id) = self.vpcs.pop_first() {
            self.put_vpc(id, vpcs.get_mut(&id));
        }
        self.snapshot.generation += 1;
        Some(Arc::new(self.snapshot.clone()))
    }

    /// Puts a tunnel's SAs in the place of those that were published.
    fn put_tunnel(&mut self, peer: PeerId, sources: Sources<'_>, vpcs: &BTreeMap<VpcId, Vpc>) {
        let published = self.published.entry(peer).or_default();
        for spi in std::mem::take(&mut published.inbound) {
            self.snapshot.inbound.remove(spi);
        }
        let Some(tunnel) = sources.tunnels.get(&peer) else {
            self.published.remove(&peer);
            list_shaped(&mut self.snapshot, peer, None);
            return list_paced(&mut self.snapshot, peer, None);
        };
        published.outbound = sources.tunnel_entry(peer, tunnel).map(Arc::new);
        // What waits for a peer that does not get it goes no further: its hosts send again, by another path.
        let usable = published.outbound.as_ref().filter(|_| tunnel.health().is_usable());
        list_shaped(&mut self.snapshot, peer, usable);
        list_paced(&mut self.snapshot, peer, published.outbound.as_ref());
        let Some(vpc) = vpcs.get(&tunnel.vpc) else { return };
        for receiving in receiving(tunnel) {
            let (layout, ipv4) = (receiving.sa.layout(), receiving.remote.is_ipv4());
            let underlay = path_mtu(sources.config, tunnel);
            let mtu = match receiving.aggfrag {
                Some(_) => hosts_mtu(sources.config, tunnel.vpc),
                None => inner_mtu(sources.config, tunnel.vpc, ipv4, layout, underlay),
            };
            let (spi, entry) = receiving.entry(peer, tunnel, vpc, mtu);
            self.snapshot.inbound.insert(spi, entry);
            published.inbound.push(spi);
        }
    }

    /// Takes over what changed of a VPC's routes.
    fn put_vpc(&mut self, id: VpcId, vpc: Option<&mut Vpc>) {
        let place = usize::from(id.0);
        let Some(vpc) = vpc else { return self.snapshot.vpcs.set(place, None) };
        let mut table = match self.snapshot.vpcs.get(place) {
            Some(table) => VpcTable::clone(table),
            None => VpcTable { discards: Arc::clone(&vpc.discards), ..VpcTable::default() },
        };
        table.fib = vpc.routes.fib();
        table.services = Arc::clone(&vpc.services);
        table.conversations = Arc::clone(&vpc.conversations);
        table.sources = Arc::clone(&vpc.destinations);
        for (id, group) in vpc.routes.take_changed() {
            let next_hops = group.and_then(|group| self.next_hops(group));
            table.groups.set(id.0 as usize, next_hops);
        }
        self.snapshot.vpcs.set(place, Some(Arc::new(table)));
    }

    /// The tunnels of a group, as they were published: who is chosen has an SA that sends, and was published
    /// with it before. Were one missing, the whole group would be closed.
    fn next_hops(&self, group: &Group) -> Option<NextHops> {
        let choice = group.choice.as_ref()?;
        let Some(buckets) = &group.buckets else {
            return self.tunnel(*choice.peers.first()?).map(NextHops::One);
        };
        let members: Option<Box<_>> = choice.peers.iter().map(|peer| self.tunnel(*peer)).collect();
        debug_assert!(members.is_some(), "chosen and not published: {:?}", choice.peers);
        let (members, buckets) = (members?, Arc::clone(buckets));
        Some(NextHops::Shared(Arc::new(Shared { members, buckets })))
    }
}

/// Puts a tunnel among those for which packets may wait because of a rate, or takes it away.
fn list_shaped(snapshot: &mut Snapshot, peer: PeerId, tunnel: Option<&Arc<TunnelEntry>>) {
    let shaped = tunnel.filter(|tunnel| tunnel.shaper.is_some());
    snapshot.shaped.set(peer.0 as usize, shaped.cloned());
}

/// Puts a tunnel among those that send by the clock, or takes it away. What stays the same is shared with the
/// snapshot before.
fn list_paced(snapshot: &mut Snapshot, peer: PeerId, tunnel: Option<&Arc<TunnelEntry>>) {
    let paced = tunnel.filter(|tunnel| tunnel.is_paced());
    if paced.is_none() && !snapshot.paced.contains_key(&peer) {
        return;
    }
    let all = Arc::make_mut(&mut snapshot.paced);
    match paced {
        Some(tunnel) => all.insert(peer, Arc::clone(tunnel)),
        None => all.remove(&peer),
    };
}

impl Sources<'_> {
    /// The tunnel by each of the SAs that send, the newest first.
    fn tunnel_entry(&self, peer: PeerId, tunnel: &Tunnel) -> Option<TunnelEntry> {
        tunnel.sas.sending().rev().fold(None, |next, (_, child)| {
            Some(self.entry_by(peer, tunnel, child, next.map(Box::new)))
        })
    }

    fn entry_by(
        &self,
        peer: PeerId,
        tunnel: &Tunnel,
        child: &Child,
        next: Option<Box<TunnelEntry>>,
    ) -> TunnelEntry {
        TunnelEntry {
            peer,
            vpc: tunnel.vpc,
            outbound: Arc::clone(&child.outbound),
            local: child.local,
            remote: child.remote,
            dscp: self.config.peers.get(&peer).map(|peer| peer.dscp).unwrap_or_default(),
            translation: tunnel.translation.clone(),
            local_ts: child.local_ts.clone(),
            remote_ts: child.remote_ts.clone(),
            inner_mtu: carried_mtu(self.config, tunnel, child),
            aggfrag: child.aggfrag.is_some(),
            pacer: child.pacer.clone(),
            shaper: tunnel.shaper.clone(),
            link_mtu: link_mtu(self.config, tunnel, child),
            counters: Arc::clone(&tunnel.counters),
            fragments: Arc::clone(&tunnel.sent_fragments),
            // A gateway like this one keeps the ports of first fragments in mind, and inner fragments
            // cross networks that drop outer ones.
            reassembly: (!tunnel.probing.is_kin()).then(|| Arc::clone(&tunnel.reassembly)),
            next,
        }
    }
}

/// The MTU of a VPC's device: what fits the roomiest of its tunnels, and that of the underlay where
/// one may cut packets. A tunnel with less room tells the hosts by itself.
pub fn device_mtu(config: &Config, vpc: VpcId) -> u16 {
    if config.peers_of(vpc).any(|(_, peer)| peer.aggfrag) {
        return hosts_mtu(config, vpc);
    }
    let remote = |(_, peer): (PeerId, &PeerConfig)| peer.remote_address;
    let all_ipv6 = config.peers_of(vpc).all(|peer| remote(peer).is_some_and(|r| r.is_ipv6()));
    let limit = config.gateway.underlay_mtu;
    let fitting = |layout| inner_mtu(config, vpc, !all_ipv6, layout, limit);
    let suites = config.peers_of(vpc).flat_map(|(_, peer)| &peer.esp_suites);
    let longest = suites.map(|suite| fitting(Layout::of(suite.cipher))).max();
    longest.unwrap_or_else(|| fitting(Layout::default()))
}

/// The longest packet of hosts that reaches the peer whole by the SA by which a tunnel sends, as far as
/// is known of the path.
pub(super) fn sending_mtu(config: &Config, tunnel: &Tunnel, child: &Child) -> u16 {
    match child.aggfrag {
        Some(_) => hosts_mtu(config, tunnel.vpc),
        None => carried_mtu(config, tunnel, child),
    }
}

/// The longest packet of hosts, where the path's size does not matter (RFC 9347 §2.2.7): what the
/// underlay carries, so that hosts behind need not know of tunnels.
fn hosts_mtu(config: &Config, vpc: VpcId) -> u16 {
    let underlay = config.gateway.underlay_mtu;
    let limit = config.vpcs.get(&vpc).and_then(VpcConfig::mtu_limit);
    limit.map_or(underlay, |limit| limit.min(underlay))
}

/// The longest payload that reaches the peer in one piece: an inner packet, which the VPC may limit, or
/// what holds several.
fn carried_mtu(config: &Config, tunnel: &Tunnel, child: &Child) -> u16 {
    let (ipv4, layout) = (child.remote.is_ipv4(), child.outbound.layout());
    match child.aggfrag {
        Some(_) => fitting(ipv4, layout, path_mtu(config, tunnel)),
        None => inner_mtu(config, tunnel.vpc, ipv4, layout, path_mtu(config, tunnel)),
    }
}

/// The longest inner packet that would fit, did the path carry what the configuration says. Routers
/// fragment IPv4 for us; IPv6 only the host does, which knows less of the path than we.
fn link_mtu(config: &Config, tunnel: &Tunnel, child: &Child) -> u16 {
    if !child.remote.is_ipv4() {
        return carried_mtu(config, tunnel, child);
    }
    let layout = child.outbound.layout();
    inner_mtu(config, tunnel.vpc, true, layout, config.gateway.underlay_mtu)
}

/// What the path to the peer carries, as far as is known.
fn path_mtu(config: &Config, tunnel: &Tunnel) -> u16 {
    let limit = config.gateway.underlay_mtu;
    tunnel.path_mtu.map_or(limit, |path| path.min(limit))
}

/// The longest inner packet that fits an underlay of this MTU, and no more than the VPC's own limit.
fn inner_mtu(config: &Config, vpc: VpcId, ipv4: bool, layout: Layout, underlay: u16) -> u16 {
    let fits = fitting(ipv4, layout, underlay);
    let limit = config.vpcs.get(&vpc).and_then(VpcConfig::mtu_limit);
    limit.map_or(fits, |limit| limit.min(fits))
}

/// What IP, UDP and ESP leave of an underlay of this MTU.
fn fitting(ipv4: bool, layout: Layout, underlay: u16) -> u16 {
    let headers: u16 = if ipv4 { 20 + 8 } else { 40 + 8 };
    let room = usize::from(underlay.saturating_sub(headers));
    u16::try_from(layout.max_inner(room)).unwrap_or(u16::MAX)
}

/// An SA that may receive.
struct Receiving<'t> {
    sa: &'t Arc<InboundSa>,
    selectors: (&'t Selectors, &'t Selectors),
    remote: SocketAddr,
    aggfrag: Option<&'t Arc<Unpacker>>,
}

/// Every SA of a tunnel that may receive.
fn receiving(tunnel: &Tunnel) -> impl Iterator<Item = Receiving<'_>> {
    let live = tunnel.sas.children().map(|(_, child)| Receiving {
        sa: &child.inbound,
        selectors: (&child.local_ts, &child.remote_ts),
        remote: child.remote,
        aggfrag: child.aggfrag.as_ref(),
    });
    let draining = tunnel.sas.draining().iter().map(|sa| Receiving {
        sa: &sa.inbound,
        selectors: (&sa.local_ts, &sa.remote_ts),
        remote: sa.remote,
        aggfrag: sa.aggfrag.as_ref(),
    });
    live.chain(draining)
}

impl Receiving<'_> {
    fn entry(
        &self,
        peer: PeerId,
        tunnel: &Tunnel,
        vpc: &Vpc,
        inner_mtu: u16,
    ) -> (EspSpi, InboundEntry) {
        let (local_ts, remote_ts) = self.selectors;
        let entry = InboundEntry {
            sa: Arc::clone(self.sa),
            peer,
            vpc: vpc.id,
            remote: self.remote,
            allowed_sources: Arc::clone(&tunnel.sources),
            home: Arc::clone(&vpc.home),
            neighbor: tunnel.neighbor,
            translation: tunnel.translation.clone(),
            local_prefixes: vpc.destinations_known_by(&tunnel.maps),
            local_ts: local_ts.clone(),
            remote_ts: remote_ts.clone(),
            inner_mtu,
            aggfrag: self.aggfrag.cloned(),
            counters: Arc::clone(&tunnel.counters),
            fragments: Arc::clone(&tunnel.received_fragments),
        };
        (self.sa.spi(), entry)
    }
}

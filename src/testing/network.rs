//! The virtual network: nodes, LANs, the underlay between them, and time that moves from event
//! to event.

mod lan;
mod pipes;
mod uplinks;

pub(super) use lan::next_hop;

use super::deployment::{Deployment, Site};
use super::dns::Dns;
use super::node::{Emission, Node};
use super::packet::{self, UDP};
use super::weather::Weather;
use crate::control::Standing;
use crate::gateway::Datagram;
use crate::net::{HostName, PeerId, RemoteId, VpcId, is_streamed};
use crate::random::{Random, Seeded};
use crate::time::Timestamp;
use crate::wire::esp::{Encapsulated, classify};
use lan::{Host, Station};
use pipes::Pipes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;
use uplinks::Uplinks;

/// Bytes that every host packet carries and no datagram of the underlay may show.
const MARKER: &[u8; 16] = b"INNER PLAINTEXT!";
/// The port of both ends of a probe.
pub(super) const PROBE_PORT: u16 = 9;
/// How long a frame takes over the LAN.
const LAN_DELAY: Duration = Duration::from_micros(200);

/// A packet from host to host, as the network remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// Its VPC.
    pub vpc: VpcId,
    /// The region it was sent from.
    pub from: u8,
    /// The region it was sent to.
    pub to: u8,
    /// Whether it is IPv4.
    pub ipv4: bool,
}

#[derive(Debug)]
enum Arrival {
    Underlay(Datagram),
    Vrrp { from: usize, to: usize, vpc: VpcId, source: IpAddr, bytes: Vec<u8> },
    Frame { from: Station, to: Station, vpc: VpcId, bytes: Vec<u8> },
    Name { node: usize, remote: RemoteId, host: HostName },
}

/// Kinds of datagrams of the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Ike,
    Esp,
}

impl Kind {
    /// On port 500 there is nothing but IKE.
    fn of(datagram: &Datagram) -> Kind {
        let is_esp = matches!(classify(&datagram.bytes), Encapsulated::Esp(_));
        if is_esp && datagram.local.port() != 500 { Kind::Esp } else { Kind::Ike }
    }
}

/// Gateways, and all that is between them.
pub(super) struct Network {
    /// What the clock shows.
    pub now: Timestamp,
    /// How the underlay treats datagrams.
    pub weather: Weather,
    /// The longest IP packet that the underlay carries in one piece.
    pub underlay_mtu: usize,
    /// Whether its routers say so of a packet that may not be fragmented and is longer.
    pub routers_speak: bool,
    /// Whether nothing passes but TCP connections.
    pub drops_datagrams: bool,
    /// What names mean.
    pub dns: Dns,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// Packets that reached a host and are no probes.
    pub answers: Vec<Vec<u8>>,
    sites: Vec<Site>,
    addresses: Vec<IpAddr>,
    /// By how much the NAT in front of each node shifts its ports.
    shifts: Vec<u16>,
    nodes: Vec<Option<Node>>,
    deadlines: Vec<Option<Timestamp>>,
    deployment: Deployment,
    cuts: BTreeSet<(usize, usize)>,
    /// Paths that carry nothing from the first node to the second.
    one_way_cuts: BTreeSet<(usize, usize)>,
    filters: BTreeSet<(usize, usize, Kind)>,
    pipes: Pipes,
    uplinks: Uplinks,
    hosts: BTreeMap<(u8, VpcId), Host>,
    muted: BTreeSet<u8>,
    split: BTreeSet<u8>,
    random: Seeded,
    arrivals: BTreeMap<(Timestamp, u64), Arrival>,
    counted: u64,
    probes: BTreeMap<u64, Probe>,
    /// The probes that arrived, and by which node.
    delivered: BTreeMap<u64, usize>,
    trace: u64,
}

impl Network {
    /// Starts all gateways of a deployment within the first second, in fair weather.
    pub(super) fn start(deployment: Deployment, seed: u64) -> Network {
        let mut network = Network::without_gateways(deployment, seed);
        for node in 0..network.nodes.len() {
            let pause = Duration::from_millis(network.random.below(150));
            network.run(pause);
            network.boot(node);
        }
        network
    }

    /// The network of a deployment of which no gateway runs yet.
    pub(super) fn without_gateways(deployment: Deployment, seed: u64) -> Network {
        Network {
            now: Timestamp::ZERO,
            weather: Weather::FAIR,
            underlay_mtu: usize::MAX,
            routers_speak: true,
            drops_datagrams: false,
            dns: Dns::default(),
            violations: Vec::new(),
            answers: Vec::new(),
            sites: deployment.sites.clone(),
            addresses: deployment.sites.iter().map(|site| site.underlay()).collect(),
            shifts: vec![0; deployment.sites.len()],
            nodes: deployment.sites.iter().map(|_| None).collect(),
            deadlines: vec![None; deployment.sites.len()],
            deployment,
            cuts: BTreeSet::new(),
            one_way_cuts: BTreeSet::new(),
            filters: BTreeSet::new(),
            pipes: Pipes::default(),
            uplinks: Uplinks::default(),
            hosts: BTreeMap::new(),
            muted: BTreeSet::new(),
            split: BTreeSet::new(),
            random: Seeded::new(seed),
            arrivals: BTreeMap::new(),
            counted: 0,
            probes: BTreeMap::new(),
            delivered: BTreeMap::new(),
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// The dice of the network, for scenarios that are made by the seed.
    pub(super) fn random(&mut self) -> &mut Seeded {
        &mut self.random
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A running node.
    pub(super) fn node(&mut self, node: usize) -> &mut Node {
        self.nodes[node].as_mut().expect("the node runs")
    }

    /// Whether a node runs.
    pub(super) fn runs(&self, node: usize) -> bool {
        self.nodes[node].is_some()
    }

    /// A node loses its power: its state is gone, nobody is told.
    pub(super) fn crash(&mut self, node: usize) {
        (self.nodes[node], self.deadlines[node]) = (None, None);
        self.pipes.break_of(self.addresses[node]);
    }

    /// A node starts with nothing but its configuration.
    pub(super) fn boot(&mut self, node: usize) {
        self.boot_as(node, &Standing::default());
    }

    /// A node starts with its configuration and what its operator has said before.
    pub(super) fn boot_as(&mut self, node: usize, standing: &Standing) {
        let config = self.deployment.configs[node].clone();
        let seed = self.random.u64();
        let address = self.addresses[node];
        self.nodes[node] = Some(Node::start(standing, config, address, seed, self.now));
        self.collect(node);
    }

    /// Another address leads to a node from now on, whose host learns of it at once.
    pub(super) fn renumber(&mut self, node: usize, address: IpAddr) {
        self.addresses[node] = address;
        self.with_node(node, |node, now| node.renumber(Some(address), now));
    }

    /// The NAT in front of a node maps its ports to others from now on, shifted by so many.
    pub(super) fn rebind(&mut self, node: usize, shift: u16) {
        self.shifts[node] = shift;
    }

    /// Cuts the path between two nodes, in both directions.
    pub(super) fn cut(&mut self, a: usize, b: usize) {
        self.cuts.insert((a.min(b), a.max(b)));
    }

    /// Cuts the path from one node to another; the way back stays.
    pub(super) fn cut_one_way(&mut self, from: usize, to: usize) {
        self.one_way_cuts.insert((from, to));
    }

    /// Mends all cuts between two nodes.
    pub(super) fn mend_between(&mut self, a: usize, b: usize) {
        self.cuts.remove(&(a.min(b), a.max(b)));
        self.one_way_cuts.remove(&(a, b));
        self.one_way_cuts.remove(&(b, a));
    }

    /// All TCP connections of the underlay break.
    pub(super) fn break_connections(&mut self) {
        self.pipes.break_all();
    }

    /// Mends every cut.
    pub(super) fn mend(&mut self) {
        self.cuts.clear();
        self.one_way_cuts.clear();
        self.filters.clear();
    }

    /// Something on the way from one node to another drops datagrams of one kind.
    pub(super) fn filter(&mut self, from: usize, to: usize, kind: Kind) {
        self.filters.insert((from, to, kind));
    }

    /// Mends every cut, starts every node, and makes the weather fair.
    pub(super) fn heal(&mut self) {
        self.mend();
        self.weather = Weather::FAIR;
        for node in 0..self.nodes.len() {
            if !self.runs(node) {
                self.boot(node);
            }
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.next_event().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = end;
    }

    /// Does something to a node, then carries what comes of it.
    pub(super) fn with_node<R>(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Node, Timestamp) -> R,
    ) -> R {
        let now = self.now;
        let result = act(self.node(node), now);
        self.collect(node);
        result
    }

    /// Sends a packet from a host of a region to a host of another, by the gateway that the host
    /// finds at its next hop's address; without one it is lost.
    pub(super) fn probe(&mut self, probe: Probe) -> u64 {
        self.probe_from(probe, PROBE_PORT)
    }

    /// The same of another flow: from this port.
    pub(super) fn probe_from(&mut self, probe: Probe, port: u16) -> u64 {
        self.counted += 1;
        let id = self.counted;
        let [high, low] = port.to_be_bytes();
        let mut payload = vec![high, low, 0, 9, 0, 32, 0, 0];
        payload.extend(MARKER);
        payload.extend(id.to_be_bytes());
        let (src, dst) = (host(probe.from, probe.ipv4), host(probe.to, probe.ipv4));
        let inner = packet::ip(src, dst, UDP, &payload);
        self.probes.insert(id, probe.clone());
        self.send_from_host(probe.from, probe.vpc, inner);
        id
    }

    /// Whether a probe has arrived.
    pub(super) fn arrived(&self, id: u64) -> bool {
        self.delivered.contains_key(&id)
    }

    /// The node by which a probe has arrived.
    pub(super) fn arrived_by(&self, id: u64) -> Option<usize> {
        self.delivered.get(&id).copied()
    }

    /// How often each probe went into a tunnel since the last call.
    pub(super) fn take_sealed(&mut self) -> BTreeMap<u64, usize> {
        let mut times = BTreeMap::new();
        for node in self.nodes.iter_mut().flatten() {
            for id in std::mem::take(&mut node.sealed) {
                *times.entry(id).or_default() += 1;
            }
        }
        times
    }

    /// Sends a packet between all pairs of regions in both families and all VPCs; returns those
    /// that have not arrived a second later.
    pub(super) fn unreachable(&mut self) -> Vec<Probe> {
        let ids: Vec<u64> = self.all_pairs().into_iter().map(|probe| self.probe(probe)).collect();
        self.run(Duration::from_secs(1));
        let missing = ids.into_iter().filter(|id| !self.arrived(*id));
        missing.map(|id| self.probes[&id].clone()).collect()
    }

    /// What is wrong with the tunnels: every pair of peers must have exactly one live tunnel,
    /// and both must mean the same SAs by it.
    pub(super) fn tunnel_faults(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for a in 0..self.nodes.len() {
            for b in a + 1..self.nodes.len() {
                for (here, there) in self.peerings(a, b) {
                    let (ours, theirs) = (self.spis(a, here), self.spis(b, there));
                    let mirrored: Vec<_> = theirs.iter().map(|(i, o)| (*o, *i)).collect();
                    if ours.len() != 1 || ours != mirrored {
                        faults.push(format!("{a}-{b} {here:?}: {ours:x?} against {theirs:x?}"));
                    }
                }
            }
        }
        faults
    }

    /// A number that two runs share only when every datagram was the same at the same time.
    pub(super) fn trace(&self) -> u64 {
        self.trace
    }

    fn spis(&mut self, node: usize, peer: PeerId) -> Vec<(u32, u32)> {
        self.node(node).gateway.child_spis(peer)
    }

    /// The peers by which two nodes know each other, one pair per VPC.
    fn peerings(&self, a: usize, b: usize) -> Vec<(PeerId, PeerId)> {
        let known = |at: usize, other: usize| {
            let address = self.sites[other].underlay();
            let peers = self.deployment.configs[at].peers.iter();
            peers.filter(move |(_, peer)| peer.places().any(|place| place == address))
        };
        known(a, b)
            .flat_map(|(here, peer)| {
                known(b, a)
                    .filter(|(_, other)| other.vpc == peer.vpc)
                    .map(|(there, _)| (*here, *there))
            })
            .collect()
    }

    /// By what names a node knows another, one for each VPC.
    pub(super) fn names_of(&self, node: usize, other: usize) -> Vec<String> {
        let peers = &self.deployment.configs[node].peers;
        self.peerings(node, other).into_iter().map(|(here, _)| peers[&here].name.clone()).collect()
    }

    /// A packet from every region to every other.
    pub(super) fn all_pairs(&self) -> Vec<Probe> {
        let regions: BTreeSet<u8> = self.sites.iter().map(|site| site.region).collect();
        let vpcs: Vec<VpcId> = self.deployment.configs[0].vpcs.keys().copied().collect();
        let mut probes = Vec::new();
        for &from in &regions {
            for &to in regions.iter().filter(|&&to| to != from) {
                for &vpc in &vpcs {
                    for ipv4 in [true, false] {
                        probes.push(Probe { vpc, from, to, ipv4 });
                    }
                }
            }
        }
        probes
    }

    fn next_event(&self) -> Option<Timestamp> {
        let timers = self.deadlines.iter().flatten().copied();
        timers.chain(self.arrivals.keys().next().map(|(at, _)| *at)).min()
    }

    fn step(&mut self) {
        while let Some(entry) = self.arrivals.first_entry().filter(|e| e.key().0 <= self.now) {
            let arrival = entry.remove();
            self.arrive(arrival);
        }
        for node in 0..self.nodes.len() {
            if self.deadlines[node].is_some_and(|at| at <= self.now) {
                self.with_node(node, |node, now| node.handle_timeout(now));
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Underlay(datagram)
                if is_streamed(datagram.local) && !self.pipes.stands(&datagram) => {}
            Arrival::Underlay(datagram) => {
                self.note(&datagram);
                let to = self.node_at(datagram.local.ip());
                if let Some(node) = to.filter(|node| self.runs(*node)) {
                    self.with_node(node, |node, now| node.receive(&datagram, now));
                }
            }
            Arrival::Vrrp { from, to, vpc, source, bytes } => {
                if self.hears(to, Station::Node(from)) {
                    self.with_node(to, |node, now| node.receive_vrrp(vpc, source, &bytes, now));
                }
            }
            Arrival::Frame { from, to, vpc, bytes } => self.frame_arrives(from, to, vpc, &bytes),
            Arrival::Name { node, remote, host } => self.answer_name(node, remote, &host),
        }
    }

    /// Takes over what a node emitted, and when it wants to be woken.
    fn collect(&mut self, node: usize) {
        while let Some(emission) = self.nodes[node].as_mut().and_then(Node::poll_emission) {
            match emission {
                Emission::Underlay(datagram) => self.carry(node, datagram),
                Emission::Whole(datagram) => self.carry_whole(node, datagram),
                Emission::Vrrp { vpc, source, bytes } => self.multicast(node, vpc, source, &bytes),
                Emission::Frame { vpc, bytes } => {
                    self.spread(self.sites[node].region, Station::Node(node), vpc, &bytes);
                }
                Emission::Host { vpc, packet } => self.deliver(node, vpc, &packet),
                Emission::Question { remote, host } => {
                    self.schedule(self.dns.delay, Arrival::Name { node, remote, host });
                }
                Emission::Leak { vpc, packet } => {
                    let seen = packet::read(&packet);
                    let text = format!("{} left node {node} {vpc:?} in the clear", seen.dst);
                    self.violations.push(text);
                }
            }
        }
        self.deadlines[node] = self.nodes[node].as_ref().and_then(Node::poll_timeout);
    }

    /// What is too long for the underlay is lost; a router may say so.
    fn carry_whole(&mut self, from: usize, datagram: Datagram) {
        if is_streamed(datagram.local) {
            return self.carry(from, datagram);
        }
        let headers = if datagram.remote.is_ipv4() { 20 + 8 } else { 40 + 8 };
        if datagram.bytes.len() + headers <= self.underlay_mtu {
            return self.carry(from, datagram);
        }
        if self.routers_speak {
            let (local, remote) = (datagram.local, datagram.remote);
            let mtu = u16::try_from(self.underlay_mtu).expect("a packet that is longer");
            let now = self.now;
            self.node(from).operate(now, |gateway, at| {
                gateway.handle_too_big(local, remote, mtu, at.now);
            });
        }
    }

    fn carry(&mut self, from: usize, datagram: Datagram) {
        if datagram.bytes.windows(MARKER.len()).any(|window| window == MARKER) {
            self.violations.push(format!("plaintext on the underlay: {datagram:?}"));
        }
        let to = self.node_at(datagram.remote.ip());
        let is_from_here = self.node_at(datagram.local.ip()) == Some(from);
        let kind = Kind::of(&datagram);
        let cut = to.is_none_or(|to| {
            self.cuts.contains(&(from.min(to), from.max(to)))
                || self.one_way_cuts.contains(&(from, to))
                || self.filters.contains(&(from, to, kind))
        });
        if is_streamed(datagram.local) {
            return self.pipe(from, datagram, cut || !is_from_here);
        }
        let ends = [datagram.local.ip(), datagram.remote.ip()];
        let weather = self.uplinks.weather(ends, self.weather);
        let (cut, weather) = (cut || weather.is_none(), weather.unwrap_or(self.weather));
        let arrivals = weather.arrivals(&mut self.random);
        if cut || !is_from_here || self.drops_datagrams {
            return;
        }
        let Some(seen) = self.translated(from, to, datagram) else { return };
        for after in arrivals {
            self.schedule(after, Arrival::Underlay(seen.clone()));
        }
    }

    fn node_at(&self, address: IpAddr) -> Option<usize> {
        let first = self.addresses.iter().position(|one| *one == address);
        first.or_else(|| self.uplinks.node_at(address))
    }

    /// Carries a message in the TCP connection of its way, which is made if that is for the sender to do.
    fn pipe(&mut self, from: usize, sent: Datagram, is_cut: bool) {
        if is_cut {
            return;
        }
        let way = (sent.local.ip(), sent.remote);
        if self.pipes.is_new(&sent) && self.node(from).gateway.may_open_stream(way) {
            self.pipes.make(&sent);
        }
        if let Some(seen) = self.pipes.through(&sent) {
            self.schedule(self.weather.delay, Arrival::Underlay(seen));
        }
    }

    /// A datagram as it arrives behind the NATs of both nodes; `None` when that of the receiver has
    /// no such port.
    fn translated(&self, from: usize, to: Option<usize>, sent: Datagram) -> Option<Datagram> {
        let (mut local, mut remote) = (sent.remote, sent.local);
        remote.set_port(remote.port() + self.shifts[from]);
        local.set_port(local.port().checked_sub(self.shifts[to?])?);
        Some(Datagram { local, remote, ..sent })
    }

    /// A node that has crashed meanwhile asks anew when it starts.
    fn answer_name(&mut self, node: usize, remote: RemoteId, host: &HostName) {
        if self.runs(node) {
            let answer = self.dns.answer(host);
            self.with_node(node, |node, now| node.hear_of_name(remote, host, answer, now));
        }
    }

    fn schedule(&mut self, after: Duration, arrival: Arrival) {
        self.counted += 1;
        self.arrivals.insert((self.now + after, self.counted), arrival);
    }

    fn deliver(&mut self, node: usize, vpc: VpcId, packet: &[u8]) {
        let seen = packet::read(packet);
        let id = probe_id(seen.payload);
        let probe = id.and_then(|id| Some((id, self.probes.get(&id)?)));
        let Some((id, probe)) = probe else { return self.answers.push(packet.to_vec()) };
        if probe.vpc != vpc || probe.to != self.sites[node].region {
            self.violations.push(format!("{probe:?} came out at node {node} in {vpc:?}"));
        }
        self.delivered.insert(id, node);
    }

    /// Adds a datagram to the trace (FNV-1a).
    fn note(&mut self, datagram: &Datagram) {
        let time = self.now.as_micros().to_be_bytes();
        let path = format!("{}>{}", datagram.remote, datagram.local);
        for byte in time.iter().chain(path.as_bytes()).chain(&datagram.bytes) {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// The number of a probe, which stands behind the marker; `None` of other packets.
pub(super) fn probe_id(payload: &[u8]) -> Option<u64> {
    let is_probe = payload.get(8..24)? == MARKER;
    let id = payload.get(24..32)?.try_into().ok()?;
    is_probe.then_some(u64::from_be_bytes(id))
}

/// A host of a region.
pub(super) fn host(region: u8, ipv4: bool) -> IpAddr {
    match ipv4 {
        true => IpAddr::from([10, region, 1, 10]),
        false => IpAddr::from([0xfd00, u16::from(region), 0, 0, 0, 0, 1, 10]),
    }
}

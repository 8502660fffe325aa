//! The gateway as one pure state: inputs in, outputs out.
//!
//! It composes the IKE engine, a router and next-hop groups per VPC, the virtual routers, and
//! the SAs, and publishes immutable snapshots for the packet path. Every verb that takes an
//! input settles: it passes what one engine says on to the others until all are quiet, and
//! queues what the outside must do. Nothing here reads a clock, a socket or a file.
//!
//! An input costs the same with ten tunnels and with ten thousand: who is touched is noted
//! (`Dirty`), and settling looks at nobody else. Deadlines stand in one queue.
//!
//! ```text
//!   datagrams ──► ike ──► Tunnel ──► health ──► VpcRoutes (groups) ──► Snapshot ──► packet path
//!                                      │              ▲
//!   TCP ◄───────────► Router ◄─────────┘              └── FIB ◄── Router
//!   LAN ◄───────────► Redundancy (VRRP)                           └── World ◄──► netlink
//! ```

mod beyond;
mod bfd;
mod chronicle;
mod connection;
mod counting;
mod diagnosis;
mod events;
mod failover;
mod faults;
mod fib;
mod hints;
mod inner;
mod inspection;
mod io;
mod multipath;
mod names;
mod operator;
mod own;
mod pairs;
mod papers;
mod path;
mod path_mtu;
mod places;
mod planned;
mod probing;
mod quality;
mod rates;
mod reconfigure;
mod redundancy;
mod renewal;
mod returning;
mod routes;
mod sas;
mod settle;
mod silence;
mod sizes;
mod snapshot;
mod status;
mod streams;
mod survey;
mod surveying;
mod telling;
mod tunnel;
mod underlay;
mod unsent;
mod vpc;
mod vpc_routers;
mod waking;
pub mod world;

pub use failover::Health;
pub use io::{
    BfdOutput, Datagram, Lan, LinkState, Output, Shield, TcpInput, TcpOutput, VrrpOutput,
};
pub use names::Found;
pub use reconfigure::{NeedsRestart, Reloaded};
pub use snapshot::device_mtu;
pub use streams::StreamOutput;
pub use unsent::Unsent;
pub use waking::Why;

use crate::config::{Config, PaperFiles};
use crate::control::Standing;
use crate::crypto::secret::Secret;
use crate::forward::Strayed;
use crate::ike;
use crate::moment::Moment;
use crate::net::{PeerId, RemoteId, VpcId};
use crate::routing::ConnectionId;
use crate::time::{Timers, Timestamp};
use crate::visits::Counted;
use events::Journal;
use inspection::Inspection;
use redundancy::Redundancy;
use snapshot::Publisher;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use telling::Telling;
use tunnel::Tunnel;
use vpc::Vpc;
use world::{Answer, Host, World};

/// A whole gateway.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    started: Timestamp,
    ike: ike::Endpoint,
    vpcs: BTreeMap<VpcId, Vpc>,
    tunnels: Counted<PeerId, Tunnel>,
    /// The peers that share a connection, by the remote gateway.
    remotes: BTreeMap<RemoteId, BTreeSet<PeerId>>,
    /// The peers whose tunnel an operator has closed while others go on over the same connection.
    closed: BTreeSet<PeerId>,
    /// What the operator has planned for it and for peers.
    planned: planned::Planned,
    /// The peers by name.
    names: BTreeMap<String, PeerId>,
    redundancy: Redundancy,
    world: World,
    host: Host,
    /// What was told of files that are of no use, and of which what was there before goes on.
    kept_papers: BTreeMap<PaperFiles, String>,
    /// What was told of the host's rules that ask for a mark.
    marking_rules: BTreeSet<String>,
    listening: Vec<IpAddr>,
    /// The addresses on which the shell has sockets.
    sockets: BTreeSet<IpAddr>,
    reach: underlay::Reach,
    streams: streams::Streams,
    /// The remote gateways that have several addresses, or a host name.
    places: places::Places,
    surveys: surveying::Surveys,
    /// From where every peer is reached.
    local_addresses: BTreeMap<PeerId, IpAddr>,
    publisher: Publisher,
    /// The tunnels that BFD was told to watch.
    watched: BTreeSet<PeerId>,
    hints: hints::Hints,
    beginnings: path::Beginnings,
    /// The peers are told that we go.
    leaving: bool,
    tcp: VecDeque<TcpOutput>,
    outputs: VecDeque<Output>,
    dataplane: BTreeMap<String, u64>,
    dirty: Dirty,
    /// The VPCs whose routers have something left to do.
    busy: VecDeque<VpcId>,
    timers: Timers<Why>,
    inspection: Inspection,
    unsent: unsent::Tally,
    ways: sizes::Ways,
    journal: Journal,
    /// How much was told of what the host refuses.
    refusals: Telling,
    papers: papers::Papers,
    /// What came to the segments of VPCs.
    segments: BTreeMap<VpcId, world::SegmentCounters>,
    /// What was translated in VPCs.
    nat: BTreeMap<VpcId, world::NatCounters>,
}

/// Who was touched since the gateway last settled.
#[derive(Debug, Default)]
struct Dirty {
    tunnels: BTreeSet<PeerId>,
    /// Those that go another way through the underlay.
    moved: BTreeSet<PeerId>,
    vpcs: BTreeSet<VpcId>,
    /// Those of whom there may be events to take down.
    told: BTreeSet<PeerId>,
}

impl Gateway {
    /// A gateway that starts to connect to its peers, on a host of which nothing is known.
    pub fn new(config: Config, workers: u32, at: &mut Moment<'_>) -> Gateway {
        Gateway::on_host(config, Host::default(), workers, at)
    }

    /// A gateway that starts to connect to its peers, on a host as it was found. It listens on
    /// what [`Host::sockets`] says.
    pub fn on_host(config: Config, host: Host, workers: u32, at: &mut Moment<'_>) -> Gateway {
        Gateway::standing_as(&Standing::default(), config, host, workers, at)
    }

    /// What outlives the process shows peers that a restart has taken their IKE SAs from us
    /// (RFC 6290): 32 octets that no other gateway has.
    pub fn set_crash_secret(&mut self, secret: Secret) {
        self.ike.set_crash_secret(secret);
    }

    /// A gateway to which the operator has said something that outlives its process.
    pub fn standing_as(
        standing: &Standing,
        config: Config,
        host: Host,
        workers: u32,
        at: &mut Moment<'_>,
    ) -> Gateway {
        let ike = ike::Endpoint::new(connection::endpoint_config(&config, workers), at);
        let mut gateway = Gateway {
            started: at.now,
            ike,
            vpcs: BTreeMap::new(),
            tunnels: Counted::default(),
            remotes: BTreeMap::new(),
            closed: BTreeSet::new(),
            planned: planned::Planned::default(),
            names: BTreeMap::new(),
            redundancy: Redundancy::default(),
            world: World::default(),
            kept_papers: BTreeMap::new(),
            marking_rules: BTreeSet::new(),
            listening: host.listening(&config),
            local_addresses: connection::local_addresses(&config, &host),
            sockets: host.sockets(&config),
            reach: underlay::Reach::default(),
            streams: streams::Streams::default(),
            places: places::Places::default(),
            surveys: surveying::Surveys::default(),
            host,
            publisher: Publisher::default(),
            watched: BTreeSet::new(),
            hints: hints::Hints::default(),
            beginnings: path::Beginnings::default(),
            leaving: false,
            tcp: VecDeque::new(),
            outputs: VecDeque::new(),
            dataplane: BTreeMap::new(),
            dirty: Dirty::default(),
            busy: VecDeque::new(),
            timers: Timers::default(),
            inspection: Inspection::default(),
            unsent: unsent::Tally::default(),
            ways: sizes::Ways::default(),
            journal: Journal::default(),
            refusals: Telling::default(),
            papers: papers::Papers::default(),
            segments: BTreeMap::new(),
            nat: BTreeMap::new(),
            config,
        };
        gateway.resume(standing, at.now);
        gateway.start(at);
        gateway
    }

    /// Takes a datagram from an IKE port, or an IKE message from the port for NAT traversal
    /// (with its non-ESP marker).
    pub fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
        at: &mut Moment<'_>,
    ) {
        self.ike.handle_datagram(local, remote, bytes, at);
        self.settle(at.now);
    }

    /// Takes that authenticated ESP of a peer came to `local` from elsewhere than it is believed to
    /// be. It is asked there; until it answers, nothing else goes there (RFC 7296 §2.23).
    pub fn handle_strayed(&mut self, local: SocketAddr, strayed: Strayed, at: &mut Moment<'_>) {
        let Strayed { peer, spi, remote } = strayed;
        let child = self.tunnels.get(&peer).and_then(|tunnel| tunnel.sas.receiving_by(spi));
        if let Some(child) = child {
            self.ike.on_inbound_from(child, (local, remote), at);
            self.settle(at.now);
        }
    }

    /// Takes what happened to a connection of a VPC's BGP sessions.
    pub fn handle_tcp(
        &mut self,
        vpc: VpcId,
        connection: ConnectionId,
        input: TcpInput,
        now: Timestamp,
    ) {
        self.dirty.vpcs.insert(vpc);
        if let Some(vpc) = self.vpcs.get_mut(&vpc) {
            let router = &mut vpc.router;
            match input {
                TcpInput::Connected => router.handle_connected(connection, now),
                TcpInput::ConnectFailed => router.handle_connect_failed(connection, now),
                TcpInput::Accepted { local, remote } => {
                    router.handle_accepted(connection, local, remote, now);
                }
                TcpInput::Bytes(bytes) => router.handle_bytes(connection, &bytes, now),
                TcpInput::Closed => router.handle_closed(connection, now),
            }
        }
        self.settle(now);
    }

    /// Takes a VRRP packet that came in on an interface, from its version field on. The shell has
    /// checked that it was sent to the VRRP group with a TTL of 255 (RFC 9568 §5.1.1.3).
    pub fn handle_vrrp(
        &mut self,
        vpc: VpcId,
        interface: &str,
        source: IpAddr,
        bytes: &[u8],
        now: Timestamp,
    ) {
        self.redundancy.handle_packet(vpc, interface, source, bytes, now);
        self.on_frame(vpc, interface, now);
        self.queue_lan_outputs();
    }

    /// Takes a neighbour frame (ARP, or a Neighbor Solicitation or Advertisement) that came in on
    /// an interface.
    pub fn handle_neighbor_frame(
        &mut self,
        vpc: VpcId,
        interface: &str,
        bytes: &[u8],
        now: Timestamp,
    ) {
        self.redundancy.handle_frame(vpc, interface, bytes, now);
        self.on_frame(vpc, interface, now);
        self.queue_lan_outputs();
    }

    /// Takes the state of an interface towards hosts.
    pub fn handle_link(&mut self, link: &LinkState, now: Timestamp) {
        if let (Some(vpc), Some(config)) =
            (self.vpcs.get_mut(&link.vpc), self.config.vpcs.get(&link.vpc))
        {
            let was_dead_end = vpc.is_dead_end();
            vpc.handle_link(config, link, now);
            self.timers.arm(Why::Network(link.vpc), vpc.in_doubt_until);
            let turned = vpc.is_dead_end() != was_dead_end;
            self.follow_network(link.vpc, turned);
        }
        self.redundancy.handle_link(link, now);
        self.settle(now);
    }

    /// The state of an interface towards hosts could not be seen; it is asked for again.
    pub fn handle_unseen_link(&mut self, vpc: VpcId, interface: &str, now: Timestamp) {
        self.redundancy.handle_unseen_link(vpc, interface, now);
        self.queue_lan_outputs();
    }

    /// Takes what the host says about wishes, and about itself.
    pub fn handle_world(&mut self, answers: Vec<Answer>, now: Timestamp) {
        for answer in answers {
            self.on_world(answer, now);
        }
        self.settle(now);
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, at: &mut Moment<'_>) {
        self.ike.handle_timeout(at);
        self.redundancy.handle_timeout(at.now);
        self.world.handle_timeout(at.now);
        while let Some(why) = self.timers.pop_due(at.now) {
            self.wake(why, at);
        }
        self.settle(at.now);
        self.go_on(at.now);
    }

    /// Whether an input has brought more than a turn has room for: [`Gateway::go_on`] is due, after
    /// whatever else waits, and what peers announce has to wait.
    pub fn is_busy(&self) -> bool {
        !self.busy.is_empty() || self.world.is_looking()
    }

    /// A turn of what is left to do; VPCs have turns one after the other.
    pub fn go_on(&mut self, now: Timestamp) {
        if !self.is_busy() {
            return;
        }
        self.compare_world();
        if let Some(id) = self.busy.pop_front() {
            self.dirty.vpcs.insert(id);
            if let Some(vpc) = self.vpcs.get_mut(&id) {
                vpc.router.handle_timeout(now);
            }
        }
        self.settle(now);
    }

    /// The next piece of public-key work to do, elsewhere and in any order; every one that is
    /// taken must be answered. What is not taken yet waits here, and is forgotten when nobody
    /// needs it any more.
    pub fn poll_job(&mut self) -> Option<ike::Job> {
        self.ike.poll_job()
    }

    /// Takes the answer to a job.
    pub fn handle_job(&mut self, answer: ike::JobAnswer, at: &mut Moment<'_>) {
        self.ike.handle_job(answer, at);
        self.settle(at.now);
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The running configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the tunnel to a peer carries packets.
    pub fn health(&self, peer: PeerId) -> Health {
        self.tunnels.get(&peer).map_or(Health::Down, Tunnel::health)
    }

    /// The SPIs of the Child SAs with a peer, inbound and outbound.
    #[cfg(any(test, fuzzing))]
    pub fn child_spis(&self, peer: PeerId) -> Vec<(u32, u32)> {
        let tunnel = self.tunnels.get(&peer);
        let children = tunnel.into_iter().flat_map(|tunnel| tunnel.sas.children());
        children.map(|(_, child)| (child.inbound.spi().0, child.outbound.spi().0)).collect()
    }

    /// How many tunnels, neighbours, connections and IKE SAs were looked at since the last call.
    #[cfg(test)]
    pub fn take_visits(&self) -> u64 {
        let routers: u64 = self.vpcs.values().map(|vpc| vpc.router.take_visits()).sum();
        self.tunnels.visits().take() + routers + self.ike.take_visits()
    }

    /// Whether no IKE exchange is under way: after [`Gateway::shutdown`], whether the peers know.
    pub fn is_idle(&self) -> bool {
        self.ike.is_idle()
    }
}

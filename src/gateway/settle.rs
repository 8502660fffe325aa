//! Passing on: what one engine says becomes input of the others until all are quiet.

use super::failover::Health;
use super::io::Datagram;
use super::sas::Finding;
use super::snapshot::Sources;
use super::tunnel::Tunnel;
use super::vpc::Vpc;
use super::vpc::configured_items;
use super::{Gateway, INSPECTIONS_PER_SAMPLE, Output, TcpOutput, connection, kernel::KernelItem};
use crate::ike::Event;
use crate::moment::Moment;
use crate::net::{PeerId, VpcId};
use crate::routing::Action;
use crate::time::Timestamp;

impl Gateway {
    /// Sets everything up that the configuration names.
    pub(super) fn start(&mut self, at: &mut Moment<'_>) {
        let vpcs: Vec<VpcId> = self.config.vpcs.keys().copied().collect();
        for id in vpcs {
            self.vpcs.insert(id, Vpc::new(id, &self.config, at.now, at.random));
            if let Some(config) = self.config.vpcs.get(&id) {
                self.redundancy.configure(id, config, at.now);
            }
        }
        self.reconcile_kernel();
        self.listen();
        let peers: Vec<PeerId> = self.config.peers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.add_peer(peer, at));
        self.publisher.mark();
        self.settle(at.now);
    }

    /// Begins with a configured peer.
    pub(super) fn add_peer(&mut self, peer: PeerId, at: &mut Moment<'_>) {
        let Some(config) = self.config.peers.get(&peer) else { return };
        self.tunnels.insert(peer, Tunnel::new(config, at.now));
        if let Some(vpc) = self.vpcs.get_mut(&config.vpc) {
            vpc.add_neighbor(peer, config, at.now);
        }
        let connection = connection::connection_config(&self.config.gateway, config);
        self.ike.add_connection(connection::id(peer), connection, at);
    }

    /// Wants from the kernel what the configuration names.
    pub(super) fn reconcile_kernel(&mut self) {
        let configured = configured_items(&self.config);
        let learned = |item: &KernelItem| match item {
            KernelItem::Guard { .. } | KernelItem::Address { .. } => false,
            KernelItem::Route { vpc, prefix } => {
                self.vpcs.get(vpc).is_some_and(|vpc| vpc.routes.group_of(prefix).is_some())
            }
        };
        self.kernel.reconcile(&configured, |item| !learned(item));
    }

    fn listen(&mut self) {
        for (&vpc, state) in &self.vpcs {
            let listens = state.inside.iter().map(|&local| TcpOutput::Listen { vpc, local });
            self.tcp.extend(listens);
        }
    }

    /// Passes on until all engines are quiet, then queues what the outside must do.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some((id, event)) = self.ike.poll_event() {
            self.on_ike_event(connection::peer(id), event, now);
        }
        // The flip is published before the routers hear of it: what they then say about every
        // prefix of a peer must not hold up the packets.
        if self.reselect() {
            self.queue_snapshot();
        }
        self.tell_routers(now);
        self.pass_on_routing(now);
        self.reselect();
        self.tell_virtual_routers(now);
        self.queue_outputs();
    }

    fn on_ike_event(&mut self, peer: PeerId, event: Event, now: Timestamp) {
        if let (Some(tunnel), Some(config)) =
            (self.tunnels.get_mut(&peer), self.config.peers.get(&peer))
        {
            tunnel.on_event(event, config, now);
            self.publisher.mark();
        }
    }

    /// Flips next-hop groups to what the tunnels can carry now; says whether one flipped.
    fn reselect(&mut self) -> bool {
        let tunnels = &self.tunnels;
        let health = |peer| tunnels.get(&peer).map_or(Health::Down, Tunnel::health);
        let mut flipped = false;
        for vpc in self.vpcs.values_mut() {
            flipped |= vpc.routes.reselect(health);
        }
        if flipped {
            self.publisher.mark();
        }
        flipped
    }

    fn tell_routers(&mut self, now: Timestamp) {
        for (&peer, tunnel) in &mut self.tunnels {
            let usable = tunnel.health() == Health::Usable;
            if tunnel.routed == usable {
                continue;
            }
            tunnel.routed = usable;
            if let Some(vpc) = self.vpcs.get_mut(&tunnel.vpc) {
                vpc.router.on_tunnel(peer, usable, now);
            }
        }
    }

    fn pass_on_routing(&mut self, now: Timestamp) {
        let vpcs: Vec<VpcId> = self.vpcs.keys().copied().collect();
        for id in vpcs {
            while let Some(action) = self.vpcs.get_mut(&id).and_then(|vpc| vpc.router.poll_action())
            {
                self.on_routing_action(id, action, now);
            }
        }
    }

    fn on_routing_action(&mut self, vpc: VpcId, action: Action, now: Timestamp) {
        match action {
            Action::Connect { connection, local, remote, .. } => {
                self.tcp.push_back(TcpOutput::Connect { vpc, connection, local, remote });
            }
            Action::Send { connection, bytes } => {
                self.tcp.push_back(TcpOutput::Send { vpc, connection, bytes });
            }
            Action::Close { connection } => {
                self.tcp.push_back(TcpOutput::Close { vpc, connection });
            }
            Action::Fib(changes) => {
                if let Some(vpc) = self.vpcs.get_mut(&vpc) {
                    vpc.learn(&changes, &mut self.kernel);
                }
                self.publisher.mark();
            }
            Action::NeighborUp { peer } => self.note(peer, "BGP session up".to_owned(), now),
            Action::NeighborDown { peer, reason } => {
                self.note(peer, format!("BGP session down: {reason}"), now);
            }
            Action::Rejected { peer, prefix, why } => {
                self.note(peer, format!("announcement of {prefix} rejected: {why}"), now);
            }
        }
    }

    fn note(&mut self, peer: PeerId, text: String, now: Timestamp) {
        if let Some(tunnel) = self.tunnels.get_mut(&peer) {
            tunnel.note(text, now);
        }
    }

    /// Virtual routers follow whether some tunnel of their VPC carries packets.
    fn tell_virtual_routers(&mut self, now: Timestamp) {
        for &id in self.vpcs.keys() {
            let mut here = self.tunnels.values().filter(|tunnel| tunnel.vpc == id);
            let isolated = !here.any(|tunnel| tunnel.health() == Health::Usable);
            self.redundancy.on_isolation(id, isolated, now);
        }
    }

    fn queue_snapshot(&mut self) {
        let sources = Sources { config: &self.config, vpcs: &self.vpcs, tunnels: &self.tunnels };
        self.outputs.extend(self.publisher.publish(sources).map(Output::Publish));
    }

    /// Queues what the outside must do. A route or an address is there before a connection that
    /// needs it; a snapshot is published before the peer is told that it may use the SAs in it.
    fn queue_outputs(&mut self) {
        let effects = std::iter::from_fn(|| self.kernel.poll_effect());
        self.outputs.extend(effects.map(Output::Kernel));
        self.queue_snapshot();
        let outputs = &mut self.outputs;
        outputs.extend(self.tcp.drain(..).map(Output::Tcp));
        outputs.extend(std::iter::from_fn(|| self.redundancy.poll_output()).map(Output::Vrrp));
        while let Some(transmit) = self.ike.poll_transmit() {
            let (local, remote, bytes) = (transmit.local, transmit.remote, transmit.bytes);
            outputs.push_back(Output::Datagram(Datagram { local, remote, bytes }));
        }
    }

    /// Looks at the counters of all SAs: packets that came in are signs of life, soft limits
    /// begin a rekeying.
    pub(super) fn inspect(&mut self, at: &mut Moment<'_>) {
        self.inspections += 1;
        let samples = self.inspections.is_multiple_of(INSPECTIONS_PER_SAMPLE);
        for tunnel in self.tunnels.values_mut() {
            for finding in tunnel.sas.inspect() {
                match finding {
                    Finding::Inbound(child) => self.ike.on_inbound_traffic(child, at.now),
                    Finding::SoftLimit(child) => self.ike.on_soft_limit(child, at),
                }
            }
            if samples {
                tunnel.sample(at.now);
            }
        }
    }
}

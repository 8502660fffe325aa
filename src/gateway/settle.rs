//! Passing on: what one engine says becomes input of the others until all are quiet.
//!
//! ```text
//!   event ──► its tunnel ──► the groups that rank it ──► its VPC: router, virtual routers
//! ```
//!
//! Who was touched is marked as dirty on the way; nobody else is looked at.

use super::diagnosis::Fact;
use super::failover::Health;
use super::io::Datagram;
use super::path::Bfd;
use super::snapshot::Sources;
use super::tunnel::Tunnel;
use super::vpc::Vpc;
use super::vpc_routers::Listeners;
use super::world::{VirtualMac, Wish, ways};
use super::{Gateway, Output, TcpOutput, VrrpOutput, Why, connection};
use crate::control::Code;
use crate::forward::Shaper;
use crate::ike::{self, Event};
use crate::moment::Moment;
use crate::net::{PeerId, RemoteId, VpcId};
use crate::routing::Action;
use crate::time::Timestamp;
use std::net::IpAddr;

impl Gateway {
    /// Sets everything up that the configuration names.
    pub(super) fn start(&mut self, at: &mut Moment<'_>) {
        let vpcs: Vec<VpcId> = self.config.vpcs.keys().copied().collect();
        vpcs.into_iter().for_each(|id| self.add_vpc(id, at));
        self.reserve_underlay(at.now);
        self.reconcile_world(at.now);
        self.follow_addresses();
        self.listen();
        let peers: Vec<PeerId> = self.config.peers.keys().copied().collect();
        self.follow_places(at.now);
        peers.into_iter().for_each(|peer| self.add_peer(peer, at));
        self.renew_papers(at);
        self.dirty.vpcs.extend(self.vpcs.keys());
        self.take_note(
            Code::Started,
            format!("started: vpngw {}", env!("CARGO_PKG_VERSION")),
            at.now,
        );
        self.settle(at.now);
    }

    /// Begins with a configured VPC.
    pub(super) fn add_vpc(&mut self, id: VpcId, at: &mut Moment<'_>) {
        let mut vpc = Vpc::new(id, &self.config, at.now, at.random);
        vpc.router.set_leaving(self.planned.leads_away(), at.now);
        self.vpcs.insert(id, vpc);
        self.publisher.mark_vpc(id);
        if let Some(config) = self.config.vpcs.get(&id) {
            self.redundancy.configure(id, config, at.now);
        }
        self.tell_standing_refusals(id, at.now);
    }

    /// Begins with a configured peer.
    pub(super) fn add_peer(&mut self, peer: PeerId, at: &mut Moment<'_>) {
        let Some(config) = self.config.peers.get(&peer) else { return };
        self.names.insert(config.name.clone(), peer);
        self.planned.on_added(peer, &config.name);
        let (remote, mut tunnel) = (config.remote, Tunnel::new(config, at.now));
        tunnel.join(self.ike.view(connection::id(remote)).map(|ike| ike.state), at.now);
        tunnel.shaper = Shaper::of(None, config.rate_limit, at.random);
        tunnel.disabled = self.planned.is_disabled(peer);
        tunnel.path_mtu = self.ways.mtu(remote).map(|(mtu, _)| mtu);
        self.tunnels.insert(peer, tunnel);
        self.remotes.entry(remote).or_default().insert(peer);
        self.dirty.tunnels.insert(peer);
        if let Some(vpc) = self.vpcs.get_mut(&config.vpc) {
            vpc.add_neighbor(peer, config, at.now);
        }
        self.connect(remote, at);
    }

    /// Tells the IKE engine of the peers that share a connection: it is made, changed or deleted.
    pub(super) fn connect(&mut self, remote: RemoteId, at: &mut Moment<'_>) {
        let id = connection::id(remote);
        self.note_ways(remote);
        self.follow_ways(remote, at.now);
        match self.wanted_connection(remote) {
            Some(connection) => self.ike.update_connection(id, connection, at),
            None => {
                self.remotes.remove(&remote);
                self.forget_way(remote);
                self.ike.remove_connection(id, at);
            }
        }
    }

    /// The connection to a remote gateway with the peers that are wanted of those that share it. When
    /// none is, it stays, to refuse them.
    fn wanted_connection(&self, remote: RemoteId) -> Option<ike::ConnectionConfig> {
        let sharing = || self.remotes.get(&remote).into_iter().flatten().copied();
        let disabled = || sharing().filter(|peer| self.planned.is_cut_off(*peer));
        let open = sharing().filter(|peer| !self.closed.contains(peer));
        let open: Vec<PeerId> = open.filter(|peer| !self.planned.is_cut_off(*peer)).collect();
        let all = (&self.config, &self.local_addresses);
        if open.is_empty() && disabled().next().is_some() {
            let config = connection::connection_config(all.0, all.1, disabled())?;
            return Some(ike::ConnectionConfig { refuses: true, initiate: false, ..config });
        }
        let ways = self.ways_to(open.first().copied()?);
        let config = connection::connection_config(all.0, all.1, open)?;
        let config = ike::ConnectionConfig { ways, ..config };
        let vpc_of = |peer| self.config.vpcs.get(&self.config.peers.get(&peer)?.vpc);
        let refused = disabled().filter_map(|peer| Some(vpc_of(peer)?.name.clone()));
        Some(ike::ConnectionConfig { refused_slots: refused.collect(), ..config })
    }

    fn listen(&mut self) {
        self.relisten(&Listeners::new());
    }

    /// Passes on until all engines are quiet, then queues what the outside must do.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some((id, event)) = self.ike.poll_event() {
            self.on_ike_event(connection::remote(id), event, now);
        }
        let tunnels = std::mem::take(&mut self.dirty.tunnels);
        tunnels.iter().for_each(|peer| self.follow_tunnel(*peer, now));
        // The flip is published before the routers hear of it: what they then say about every
        // prefix of a peer must not hold up the packets.
        if self.reselect() {
            self.queue_snapshot();
        }
        tunnels.iter().for_each(|peer| self.tell_router(*peer, now));
        self.tell_refusals(now);
        let moved = self.dirty.vpcs.clone();
        self.pass_on_routing(now);
        self.reselect();
        self.tell_moves(&moved, now);
        self.tell_virtual_routers(now);
        self.queue_outputs();
        tunnels.iter().for_each(|peer| self.follow_streams(*peer));
        tunnels.iter().for_each(|peer| self.follow_path(*peer));
        let moved = std::mem::take(&mut self.dirty.moved);
        moved.into_iter().for_each(|peer| self.ask_anew(peer));
        self.dirty.told.extend(tunnels);
        self.take_down();
    }

    /// An event of a slot is for its tunnel; any other for all tunnels that share the connection.
    fn on_ike_event(&mut self, remote: RemoteId, event: Event, now: Timestamp) {
        self.follow_place(remote, &event, now);
        if self.follow_survey(remote, &event, now) || self.follow_event(remote, &event, now) {
            return;
        }
        let sharing = self.remotes.get(&remote).into_iter().flatten();
        let peers: Vec<PeerId> = match event.slot() {
            Some(slot) => vec![connection::peer(slot)],
            None => sharing.copied().collect(),
        };
        for peer in peers {
            if let (Some(tunnel), Some(config)) =
                (self.tunnels.get_mut(&peer), self.config.peers.get(&peer))
            {
                tunnel.on_event(&event, config, now);
                tunnel.path.wait_for_others(&mut self.beginnings, now);
                self.dirty.tunnels.insert(peer);
                if let Event::Moved { .. } = event {
                    self.dirty.moved.insert(peer);
                }
            }
        }
    }

    /// Takes the consequences of a change of a tunnel that are its own.
    fn follow_tunnel(&mut self, peer: PeerId, now: Timestamp) {
        self.publisher.mark_tunnel(peer);
        if let Some(tunnel) = self.tunnels.get_mut(&peer) {
            let sending = tunnel.sas.sending().next().map(|(child, _)| child);
            match tunnel.watch.says() {
                Bfd::SaysNothing => tunnel.probing.on_sending(sending, now),
                Bfd::Works | Bfd::Lost(_) => tunnel.probing.rest(),
            }
        }
        self.plan_probe(peer);
        let probe = self.config.peers.get(&peer).and_then(|config| config.probe);
        if let Some(tunnel) = self.tunnels.get_mut(&peer) {
            tunnel.beyond.follow(probe, now);
        }
        let tunnel = self.tunnels.get(&peer);
        let beyond = tunnel.and_then(|tunnel| tunnel.beyond.poll_timeout());
        self.timers.arm(Why::Beyond(peer), beyond);
        self.timers.arm(Why::Drain(peer), tunnel.and_then(|tunnel| tunnel.sas.poll_timeout()));
        self.timers.arm(Why::Path(peer), tunnel.and_then(|tunnel| tunnel.path.poll_timeout()));
        let Some(tunnel) = tunnel else { return };
        if !tunnel.is_quiet() && self.inspection.add(peer) {
            self.timers.arm(Why::Inspection, Some(now + self.inspection.interval()));
        }
        self.dirty.vpcs.insert(tunnel.vpc);
        if let Some(vpc) = self.vpcs.get_mut(&tunnel.vpc) {
            vpc.routes.mark(peer);
        }
    }

    /// Flips next-hop groups to what the tunnels can carry now; says whether one flipped.
    fn reselect(&mut self) -> bool {
        let tunnels = &self.tunnels;
        let health = |peer| tunnels.get(&peer).map_or(Health::Down, Tunnel::health);
        let mut flipped = false;
        for id in &self.dirty.vpcs {
            if let Some(vpc) = self.vpcs.get_mut(id) {
                flipped |= vpc.routes.reselect(health);
                if vpc.routes.is_unpublished() {
                    self.publisher.mark_vpc(*id);
                }
            }
        }
        flipped
    }

    /// Tells the router of its VPC where a tunnel leads, and when it carries packets or does not.
    fn tell_router(&mut self, peer: PeerId, now: Timestamp) {
        let Some(tunnel) = self.tunnels.get_mut(&peer) else { return };
        if let (Some(reach), Some(vpc)) = (tunnel.sas.reach(), self.vpcs.get_mut(&tunnel.vpc)) {
            vpc.router.set_reach(peer, reach, now);
        }
        let health = tunnel.health();
        let before = std::mem::replace(&mut tunnel.told, health);
        let vpc = self.vpcs.get_mut(&tunnel.vpc).filter(|_| before != health);
        if let Some(vpc) = vpc {
            vpc.on_tunnel(peer, before, health, now);
        }
        if before != health {
            self.doubt_way(peer, now);
        }
    }

    pub(super) fn pass_on_routing(&mut self, now: Timestamp) {
        for id in self.dirty.vpcs.clone() {
            while let Some(action) = self.vpcs.get_mut(&id).and_then(|vpc| vpc.router.poll_action())
            {
                self.on_routing_action(id, action, now);
            }
        }
    }

    pub(super) fn on_routing_action(&mut self, vpc: VpcId, action: Action, now: Timestamp) {
        if self.tell_of_router(vpc, &action, now) {
            return;
        }
        match action {
            Action::Connect { peer, connection, local, remote } => {
                let lan = self.lan_towards(vpc, peer);
                self.tcp.push_back(TcpOutput::Connect { vpc, connection, local, remote, lan });
            }
            Action::Send { connection, bytes } => {
                self.tcp.push_back(TcpOutput::Send { vpc, connection, bytes });
            }
            Action::Close { connection } => {
                self.tcp.push_back(TcpOutput::Close { vpc, connection });
            }
            Action::Fib(changes) => {
                if let Some(vpc) = self.vpcs.get_mut(&vpc) {
                    vpc.learn(&changes, &mut self.world);
                }
            }
            Action::NeighborUp { peer } => {
                self.on_session(vpc, peer, true);
                self.about(peer, |tunnel, _| {
                    tunnel.tell(Fact::new(Code::BgpUp, "BGP session up"), now);
                });
            }
            Action::NeighborDown { peer, reason } => {
                self.on_session(vpc, peer, false);
                self.tell_bgp(peer, &reason, now);
            }
            Action::NeighborFailed { peer, reason } => self.tell_bgp(peer, &reason, now),
            Action::NearLimit { peer, count, limit } => self.about(peer, |tunnel, config| {
                tunnel.note(Fact::of_near_limit(count, limit, &config.into()), now);
            }),
            Action::Rejected { peer, prefix, why } => self.about(peer, |tunnel, config| {
                tunnel.note_rejection(Fact::of_rejection(prefix, why, &config.into()), now);
            }),
        }
    }

    fn on_session(&mut self, vpc: VpcId, peer: PeerId, up: bool) {
        if let Some(vpc) = self.vpcs.get_mut(&vpc) {
            vpc.on_session(peer, up);
        }
    }

    /// Virtual routers follow whether some tunnel of their VPC carries packets. The VPCs are
    /// quiet then, and wait for their next timer.
    fn tell_virtual_routers(&mut self, now: Timestamp) {
        while let Some(id) = self.dirty.vpcs.pop_first() {
            let Some(vpc) = self.vpcs.get(&id) else { continue };
            self.redundancy.on_isolation(id, vpc.is_isolated(), now);
            if vpc.router.is_busy() {
                self.timers.arm(Why::Router(id), None);
                if !self.busy.contains(&id) {
                    self.busy.push_back(id);
                }
                continue;
            }
            let deadline = vpc.router.poll_timeout().map(|(at, _)| at);
            self.timers.arm(Why::Router(id), deadline);
        }
    }

    fn queue_snapshot(&mut self) {
        let sources = Sources { config: &self.config, tunnels: &self.tunnels };
        let snapshot = self.publisher.publish(sources, &mut self.vpcs);
        self.outputs.extend(snapshot.map(Output::Publish));
    }

    /// Queues what the outside must do. A route or an address is there before a connection that
    /// needs it; a snapshot is published before the peer is told that it may use the SAs in it.
    fn queue_outputs(&mut self) {
        self.queue_lan_outputs();
        self.queue_snapshot();
        let outputs = &mut self.outputs;
        outputs.extend(self.tcp.drain(..).map(Output::Tcp));
        while let Some(transmit) = self.ike.poll_transmit() {
            let (local, remote, bytes) = (transmit.local, transmit.remote, transmit.bytes);
            let datagram = Datagram { local, remote, bytes };
            outputs.push_back(match transmit.dont_fragment {
                true => Output::Probe(datagram),
                false => Output::Datagram(datagram),
            });
        }
    }

    /// Queues what the virtual routers and the host's wishes want; it depends on nothing else.
    /// Virtual addresses stand on the VPC's device, so that they can be pinged and traced.
    pub(super) fn queue_lan_outputs(&mut self) {
        while let Some(output) = self.redundancy.poll_output() {
            match &output {
                VrrpOutput::Install { vpc, interface, vrid, addresses } => {
                    addresses_of_device(*vpc, addresses).for_each(|wish| self.world.add(wish));
                    if self.has_segment(*vpc, interface) {
                        let macs = virtual_macs((*vpc, interface), *vrid, addresses);
                        macs.for_each(|wish| self.world.add(wish));
                    }
                    self.move_publics(*vpc);
                }
                VrrpOutput::Withdraw { vpc, interface, vrid, addresses } => {
                    addresses_of_device(*vpc, addresses).for_each(|wish| self.world.remove(&wish));
                    let macs = virtual_macs((*vpc, interface), *vrid, addresses);
                    macs.for_each(|wish| self.world.remove(&wish));
                    self.move_publics(*vpc);
                }
                VrrpOutput::Look { .. }
                | VrrpOutput::Join { .. }
                | VrrpOutput::Heed { .. }
                | VrrpOutput::Leave { .. }
                | VrrpOutput::Send { .. }
                | VrrpOutput::Frame { .. } => {}
            }
            self.outputs.push_back(Output::Vrrp(output));
        }
        let changes = std::iter::from_fn(|| self.world.poll_change());
        self.outputs.extend(changes.map(Output::World));
    }

    /// Packets for the public addresses of a VPC come here while its virtual router is active here.
    fn move_publics(&mut self, id: VpcId) {
        let Some(vpc) = self.config.vpcs.get(&id) else { return };
        let serves = self.redundancy.serves_publics(id);
        for wish in ways(id, vpc) {
            match serves {
                true => self.world.add(wish),
                false => self.world.remove(&wish),
            }
        }
    }

    /// Whether an interface is the device of the VPC's segment.
    fn has_segment(&self, vpc: VpcId, interface: &str) -> bool {
        let vxlan = self.config.vpcs.get(&vpc).and_then(|vpc| vpc.vxlan.as_ref());
        vxlan.is_some_and(|vxlan| vxlan.interface == interface)
    }
}

/// The Ethernet address of a virtual router, whose addresses are all of one family.
fn virtual_macs(
    (vpc, interface): (VpcId, &str),
    vrid: u8,
    addresses: &[IpAddr],
) -> impl Iterator<Item = Wish> {
    let family = addresses.first().map(IpAddr::is_ipv4);
    let interface = interface.to_owned();
    family.into_iter().map(move |ipv4| {
        Wish::VirtualMac(VirtualMac { vpc, interface: interface.clone(), vrid, ipv4 })
    })
}

/// The virtual addresses that may stand on a device; a link-local one belongs to its link.
fn addresses_of_device(vpc: VpcId, addresses: &[IpAddr]) -> impl Iterator<Item = Wish> {
    let is_of_link =
        |address: &IpAddr| matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    let may_stand = addresses.iter().filter(move |address| !is_of_link(address));
    may_stand.map(move |&address| Wish::Address { vpc, address })
}

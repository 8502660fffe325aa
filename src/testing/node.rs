//! A host that runs a gateway: the gateway, the packet path, the kernel's routes and addresses,
//! and the streams that BGP uses. It does what the shell does, without Linux.

use super::kernel::{self, Kernel, LOOPBACK, Traveller, UNDERLAY, Way};
use super::network::probe_id;
use super::packet;
use super::stream::{Stack, StreamEvent, StreamId};
use crate::config::Config;
use crate::control::Standing;
use crate::crypto::digest::sha256;
use crate::crypto::secret::Secret;
use crate::esp::aggfrag::Room;
use crate::forward::{self, Held, Inbound, Outbound, Outcome, Snapshot, TunnelEntry, Verdict};
use crate::gateway::world::{Answer, Change, Trouble, Wish};
use crate::gateway::{
    BfdOutput, Datagram, Found, Gateway, LinkState, Output, StreamOutput, TcpInput, TcpOutput,
    VrrpOutput,
};
use crate::moment::Moment;
use crate::net::{HostName, MacAddress, PeerId, Prefix, RemoteId, VpcId, is_streamed};
use crate::offload::SuperPacket;
use crate::random::Seeded;
use crate::routing::ConnectionId;
use crate::routing::bfd::{self, fsm};
use crate::time::Timestamp;
use crate::wire::bfd::State;
use crate::wire::esp::{Encapsulated, classify};
use crate::wire::{icmp, udp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// What a node gives to the network.
#[derive(Debug)]
pub(super) enum Emission {
    /// A datagram on the underlay, which may be fragmented there.
    Underlay(Datagram),
    /// A datagram on the underlay that may not.
    Whole(Datagram),
    /// A VRRP packet on the LAN of a VPC.
    Vrrp { vpc: VpcId, source: IpAddr, bytes: Vec<u8> },
    /// An Ethernet frame on the LAN of a VPC.
    Frame { vpc: VpcId, bytes: Vec<u8> },
    /// An inner packet to a host on the LAN of a VPC.
    Host { vpc: VpcId, packet: Vec<u8> },
    /// A name to be looked up.
    Question { remote: RemoteId, host: HostName },
    /// An inner packet that would leave by the host's default route, in the clear.
    Leak { vpc: VpcId, packet: Vec<u8> },
}

/// What a VPC has at this host.
#[derive(Default)]
struct VpcHost {
    stack: Stack,
    streams: BTreeMap<StreamId, ConnectionId>,
    accepted: u64,
    virtual_addresses: BTreeSet<IpAddr>,
}

/// Where a gateway is that listens everywhere.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A host with a running gateway.
pub(super) struct Node {
    /// The gateway.
    pub gateway: Gateway,
    /// The configuration that it was started with.
    pub config: Config,
    /// Packets that came to the host's own addresses on its LANs and that are no pings.
    pub own_packets: Vec<Vec<u8>>,
    /// Probes that went into tunnels.
    pub sealed: Vec<u64>,
    /// The TCP connections of the underlay that the gateway has a use for.
    pub used_streams: BTreeSet<(IpAddr, SocketAddr)>,
    random: Seeded,
    snapshot: Arc<Snapshot>,
    bfd: bfd::Sessions,
    watched: BTreeMap<PeerId, Arc<TunnelEntry>>,
    vpcs: BTreeMap<VpcId, VpcHost>,
    kernel: Kernel,
    sockets: BTreeSet<IpAddr>,
    emissions: VecDeque<Emission>,
    /// When more of a constant rate is due.
    paced_at: Option<Timestamp>,
    /// Packets that wait because of a rate, and when to look at them.
    held: Vec<(Timestamp, Held)>,
    lan_up: bool,
    lan_has_ipv4: bool,
    mac: MacAddress,
}

impl Node {
    /// Starts a gateway with what its operator has said before; its LAN interfaces are up.
    pub(super) fn start(
        standing: &Standing,
        config: Config,
        address: IpAddr,
        seed: u64,
        now: Timestamp,
    ) -> Node {
        let mut random = Seeded::new(seed);
        let host = kernel::host(&config, address);
        let sockets = host.sockets(&config);
        let at = &mut Moment::simulated(now, &mut random);
        let mut gateway = Gateway::standing_as(standing, config.clone(), host, 1, at);
        gateway.set_crash_secret(Secret::copy_of(&sha256(&[config.gateway.name.as_bytes()])));
        let vpcs = config.vpcs.keys().map(|id| (*id, VpcHost::default())).collect();
        let [a, b, c, d] = config.gateway.router_id.octets();
        let mut node = Node {
            gateway,
            config,
            own_packets: Vec::new(),
            sealed: Vec::new(),
            used_streams: BTreeSet::new(),
            random,
            snapshot: Arc::default(),
            bfd: bfd::Sessions::default(),
            watched: BTreeMap::new(),
            vpcs,
            kernel: Kernel::default(),
            sockets,
            emissions: VecDeque::new(),
            paced_at: None,
            held: Vec::new(),
            lan_up: true,
            lan_has_ipv4: true,
            mac: MacAddress([2, 0, a, b, c, d]),
        };
        node.set_lan(true, now);
        node
    }

    /// Sets the LAN interfaces of all VPCs up or down.
    pub(super) fn set_lan(&mut self, up: bool, now: Timestamp) {
        let vpcs: Vec<(VpcId, String)> = self
            .config
            .vpcs
            .iter()
            .filter_map(|(id, vpc)| Some((*id, vpc.interface.clone()?)))
            .collect();
        self.lan_up = up;
        vpcs.into_iter().for_each(|(vpc, interface)| self.report_link(vpc, interface, now));
        self.carry_out(now);
    }

    fn report_link(&mut self, vpc: VpcId, interface: String, now: Timestamp) {
        let own = self.config.gateway.router_id;
        let (ipv4, ipv6) = (Some(own).filter(|_| self.lan_has_ipv4), Some(link_local(own)));
        let (up, mac) = (self.lan_up, Some(self.mac));
        let link = LinkState { vpc, interface, up, mac, ipv4, ipv6, complete: true };
        self.gateway.handle_link(&link, now);
    }

    /// Whether the LAN interfaces are up.
    pub(super) fn has_lan(&self) -> bool {
        self.lan_up
    }

    /// Whether a frame to this station is for the node: by its interface, or by a virtual router.
    pub(super) fn receives(&self, mac: MacAddress) -> bool {
        self.mac == mac || self.kernel.receives(mac)
    }

    /// The LAN interfaces lose their IPv4 address, or get it back.
    pub(super) fn set_lan_ipv4(&mut self, has_ipv4: bool, now: Timestamp) {
        self.lan_has_ipv4 = has_ipv4;
        self.set_lan(true, now);
    }

    /// The LAN interfaces get another Ethernet address, as after a move to another machine.
    pub(super) fn replace_interface(&mut self, now: Timestamp) {
        self.mac.0[1] += 1;
        self.set_lan(true, now);
    }

    /// Takes a neighbour frame from the LAN.
    pub(super) fn receive_frame(&mut self, vpc: VpcId, bytes: &[u8], now: Timestamp) {
        let Some(interface) = self.config.vpcs.get(&vpc).and_then(|vpc| vpc.interface.clone())
        else {
            return;
        };
        self.gateway.handle_neighbor_frame(vpc, &interface, bytes, now);
        self.carry_out(now);
    }

    /// The host has this address on the underlay now, or none, in place of the one before.
    pub(super) fn renumber(&mut self, address: Option<IpAddr>, now: Timestamp) {
        let config = self.gateway.config();
        let unspecified = IpAddr::from([0; 4]);
        let mut host = kernel::host(config, address.unwrap_or(unspecified));
        if address.is_none() {
            host.devices.values_mut().for_each(|device| device.addresses.clear());
            host.sources.clear();
        }
        let answers = vec![Answer::Devices(None, host.devices), Answer::Sources(host.sources)];
        self.gateway.handle_world(answers, now);
        self.carry_out(now);
    }

    /// The host gets one more address, and reaches its peers from there rather than from elsewhere.
    pub(super) fn prefer(&mut self, address: IpAddr, now: Timestamp) {
        let config = self.gateway.config();
        let mut host = kernel::host(config, address);
        for device in host.devices.values_mut().filter(|device| device.is_default) {
            device.addresses.extend(&self.sockets);
        }
        let answers = vec![Answer::Devices(None, host.devices), Answer::Sources(host.sources)];
        self.gateway.handle_world(answers, now);
        self.carry_out(now);
    }

    /// Takes a datagram from the underlay, if there is a socket for it.
    pub(super) fn receive(&mut self, datagram: &Datagram, now: Timestamp) {
        let Datagram { local, remote, bytes } = datagram;
        if !self.sockets.contains(&local.ip()) {
            return;
        }
        let natt = is_streamed(*local) || local.port() == self.config.gateway.natt_port;
        match classify(bytes) {
            Encapsulated::Esp(_) if natt => self.open(datagram, now),
            _ => self.gateway.handle_datagram(
                *local,
                *remote,
                bytes,
                &mut Moment::simulated(now, &mut self.random),
            ),
        }
        self.carry_out(now);
    }

    /// Takes a VRRP packet from the LAN.
    pub(super) fn receive_vrrp(
        &mut self,
        vpc: VpcId,
        source: IpAddr,
        bytes: &[u8],
        now: Timestamp,
    ) {
        let Some(interface) = self.config.vpcs.get(&vpc).and_then(|vpc| vpc.interface.clone())
        else {
            return;
        };
        self.gateway.handle_vrrp(vpc, &interface, source, bytes, now);
        self.carry_out(now);
    }

    /// Routes a packet that a host of the LAN sent.
    pub(super) fn forward(&mut self, vpc: VpcId, packet: Vec<u8>, now: Timestamp) {
        let interface = self.interface(vpc);
        self.route(vpc, &interface, packet, now);
        self.carry_out(now);
    }

    /// Whether a packet that came from the underlay in the clear would get to a host.
    pub(super) fn plain_enters(&self, vpc: VpcId, packet: &[u8]) -> bool {
        let seen = packet::read(packet);
        let traveller = Traveller { vpc, input: UNDERLAY, src: seen.src, dst: seen.dst };
        self.kernel.way(traveller, self.gateway.config()) == Way::Lan
    }

    /// The way of a packet that came in by a device.
    pub(super) fn way(&self, vpc: VpcId, input: &str, src: IpAddr, dst: IpAddr) -> Way {
        self.kernel.way(Traveller { vpc, input, src, dst }, self.gateway.config())
    }

    /// A device of the host has other addresses now; the shell looks.
    pub(super) fn set_addresses(&mut self, device: &str, addresses: &[IpAddr], now: Timestamp) {
        let address = self.config.gateway.listen.first().copied();
        let mut devices = kernel::host(&self.config, address.unwrap_or(LOCALHOST)).devices;
        if let Some(device) = devices.get_mut(device) {
            device.addresses = addresses.iter().copied().collect();
            device.local = addresses.iter().copied().map(Prefix::host).collect();
        }
        self.gateway.handle_world(vec![Answer::Devices(None, devices)], now);
        self.carry_out(now);
    }

    /// Lets the kernel refuse a wish, or do it again.
    pub(super) fn refuse(&mut self, wish: &Wish, refuses: bool) {
        self.kernel.refuse(wish.clone(), refuses);
    }

    /// What stands in the kernel.
    pub(super) fn standing(&self) -> &BTreeSet<Wish> {
        self.kernel.standing()
    }

    /// Somebody takes wishes away; the kernel tells.
    pub(super) fn take_away(&mut self, wishes: &[Wish], now: Timestamp) {
        let taken = wishes.iter().filter(|wish| self.kernel.take_away(wish));
        let lost = taken.cloned().map(Answer::Lost).collect();
        self.gateway.handle_world(lost, now);
        self.carry_out(now);
    }

    /// The kernel tells that something is gone.
    pub(super) fn tell_trouble(&mut self, trouble: Trouble, now: Timestamp) {
        self.gateway.handle_world(vec![Answer::Trouble(trouble)], now);
        self.carry_out(now);
    }

    /// The device of a VPC goes down and up; the shell looks what is left.
    pub(super) fn bounce_device(&mut self, vpc: VpcId, now: Timestamp) {
        self.kernel.bounce(vpc);
        let netns = self.gateway.config().vpcs.get(&vpc).and_then(|vpc| vpc.netns.clone());
        let lives_here = |wish: &&Wish| match wish {
            Wish::Rule(rule) => rule.netns == netns,
            other => other.vpc().is_none_or(|of| of == vpc),
        };
        let found = self.kernel.standing().iter().filter(lives_here).cloned().collect();
        self.gateway.handle_world(vec![Answer::Found(netns, found)], now);
        self.carry_out(now);
    }

    /// Takes what the DNS says of a name.
    pub(super) fn hear_of_name(
        &mut self,
        remote: RemoteId,
        host: &HostName,
        answer: Result<Found, String>,
        now: Timestamp,
    ) {
        let answer = answer.map(|found| {
            let source = self.sockets.first().copied();
            let sources = found.addresses.iter().filter_map(|to| Some((*to, source?))).collect();
            Found { sources, ..found }
        });
        let at = &mut Moment::simulated(now, &mut self.random);
        self.gateway.handle_look_up(remote, host, answer, at);
        self.carry_out(now);
    }

    fn interface(&self, vpc: VpcId) -> String {
        let vpc = self.gateway.config().vpcs.get(&vpc);
        vpc.and_then(|vpc| vpc.interface.clone()).unwrap_or_default()
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        for host in self.vpcs.values_mut() {
            host.stack.handle_timeout(now);
        }
        if self.gateway.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.gateway.handle_timeout(&mut Moment::simulated(now, &mut self.random));
        }
        self.watch_paths(now);
        self.keep_pace(now);
        self.release(now);
        self.carry_out(now);
    }

    /// What the thread of constant rates does when its time has come.
    fn keep_pace(&mut self, now: Timestamp) {
        let (paced, mut outcome) = (Arc::clone(&self.snapshot.paced), Outcome::default());
        let due = paced.values().filter_map(|tunnel| forward::keep_pace(tunnel, now, &mut outcome));
        self.paced_at = due.min();
        self.emit(outcome);
    }

    /// What a worker does with packets that wait because of a rate.
    fn release(&mut self, now: Timestamp) {
        for (at, held) in mem::take(&mut self.held) {
            let mut outcome = Outcome::default();
            let tunnel = self.snapshot.shaped.get(held.peer.0 as usize).map(Arc::as_ref);
            let again = match at <= now {
                true => held.release(tunnel, now, &mut outcome).next,
                false => Some(at),
            };
            self.held.extend(again.map(|at| (at, held)));
            self.emit(outcome);
        }
    }

    /// A packet for BFD goes to its session if it says something new.
    fn take_control(&mut self, peer: PeerId, packet: &[u8], now: Timestamp) {
        let Some(tunnel) = self.watched.get(&peer) else { return };
        let (familiar, said) = (&tunnel.counters.familiar, bfd::said(packet));
        if said.is_some_and(|said| familiar.knows(said, now)) {
            return;
        }
        self.bfd.handle_packet(peer, packet, &mut Moment::simulated(now, &mut self.random));
        match (self.bfd.is_content(peer), said) {
            (true, Some(said)) => familiar.learn(said, now + bfd::AGAIN),
            (true, None) => {}
            (false, _) => familiar.forget(),
        }
    }

    /// What the thread of BFD does when its time has come.
    fn watch_paths(&mut self, now: Timestamp) {
        let (watched, at) = (&self.watched, &mut Moment::simulated(now, &mut self.random));
        let heard = |peer| watched.get(&peer)?.counters.last_heard();
        self.bfd.handle_silence(now, at, &heard);
        self.bfd.handle_timeout(at, &heard);
    }

    /// When something is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let stacks = self.vpcs.values().filter_map(|host| host.stack.poll_timeout());
        let bfd = self.bfd.poll_timeout().into_iter().chain(self.bfd.poll_silence());
        let pace = self.paced_at.into_iter().chain(self.held.iter().map(|(at, _)| *at));
        stacks.chain(bfd).chain(pace).chain(self.gateway.poll_timeout().map(|(at, _)| at)).min()
    }

    /// What the network must carry next.
    pub(super) fn poll_emission(&mut self) -> Option<Emission> {
        self.emissions.pop_front()
    }

    /// Whether the node answers for the virtual addresses of a VPC, in one family.
    pub(super) fn is_active_router(&self, vpc: VpcId, ipv4: bool) -> bool {
        let held = |host: &VpcHost| host.virtual_addresses.iter().any(|a| a.is_ipv4() == ipv4);
        self.vpcs.get(&vpc).is_some_and(held)
    }

    /// Whether an address stands on the device of a VPC.
    pub(super) fn has_address(&self, vpc: VpcId, address: IpAddr) -> bool {
        self.kernel.has_address(vpc, address)
    }

    /// The running gateway with the dice that its verbs need.
    pub(super) fn operate(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut Gateway, &mut Moment<'_>),
    ) {
        act(&mut self.gateway, &mut Moment::simulated(now, &mut self.random));
        self.carry_out(now);
    }

    /// Carries out outputs and moves streams until nothing is left to do.
    fn carry_out(&mut self, now: Timestamp) {
        loop {
            while let Some(output) = self.gateway.poll_output() {
                self.carry_out_one(output, now);
            }
            let worked = self.work(now) | self.move_bfd(now);
            if !self.move_streams(now) && !worked {
                return;
            }
        }
    }

    /// Does the gateway's public-key work on the spot; says whether there was any.
    fn work(&mut self, now: Timestamp) -> bool {
        let Some(job) = self.gateway.poll_job() else { return false };
        self.gateway.handle_job(job.run(), &mut Moment::simulated(now, &mut self.random));
        true
    }

    /// Sends what BFD wants sent and tells the gateway what it reports; says whether it did.
    fn move_bfd(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while let Some(output) = self.bfd.poll_output() {
            any = true;
            match output {
                bfd::Output::Send { peer, mut packet } => {
                    let Some(tunnel) = self.watched.get(&peer).cloned() else { continue };
                    let mut outcome = Outcome::default();
                    outcome.discarded =
                        forward::originate(&tunnel, &mut packet, &mut outcome).err();
                    self.emit(outcome);
                }
                bfd::Output::Report { peer, report } => {
                    let tunnel = self.watched.get(&peer).filter(|_| report.state != State::Up);
                    tunnel.inspect(|tunnel| tunnel.counters.familiar.forget());
                    self.gateway.handle_bfd(peer, report, now);
                }
            }
        }
        any
    }

    fn carry_out_bfd(&mut self, output: BfdOutput, now: Timestamp) {
        let at = &mut Moment::simulated(now, &mut self.random);
        match output {
            BfdOutput::Watch { peer, tunnel, endpoints, config } => {
                tunnel.counters.familiar.forget();
                self.watched.insert(peer, tunnel);
                self.bfd.set(peer, endpoints, config, at);
            }
            BfdOutput::HoldDown { peer, path_ends } => {
                let why = if path_ends { fsm::Event::PathEnds } else { fsm::Event::Disable };
                self.bfd.administer(peer, why, at);
            }
            BfdOutput::Forget { peer } => {
                self.watched.remove(&peer);
                self.bfd.remove(peer);
            }
            BfdOutput::Hint { peer, hint } => self.bfd.on_hint(peer, hint, at),
        }
    }

    fn carry_out_one(&mut self, output: Output, now: Timestamp) {
        match output {
            Output::Datagram(datagram) => self.emissions.push_back(Emission::Underlay(datagram)),
            Output::Probe(datagram) => self.emissions.push_back(Emission::Whole(datagram)),
            Output::Listen(addresses) => self.sockets = addresses,
            Output::Stream(StreamOutput::Keep(way)) => drop(self.used_streams.insert(way)),
            Output::Stream(StreamOutput::Release(way)) => {
                self.used_streams.remove(&way);
            }
            Output::Publish(snapshot) => {
                self.snapshot = snapshot;
                self.keep_pace(now);
            }
            Output::World(change) => {
                // Sockets on a device go with it.
                if let Change::Remove(Wish::Device { vpc, .. }) = &change {
                    self.vpcs.remove(vpc);
                }
                let answer = self.kernel.change(change);
                self.gateway.handle_world(vec![answer], now);
            }
            Output::Tcp(output) => self.carry_out_tcp(output, now),
            Output::Vrrp(output) => self.carry_out_vrrp(output, now),
            Output::Bfd(output) => self.carry_out_bfd(output, now),
            Output::LookUp { remote, host } => {
                self.emissions.push_back(Emission::Question { remote, host });
            }
            // The virtual underlay has one way to everybody.
            Output::WatchWays => {}
            Output::Echo { tunnel, echo } => {
                let mut outcome = Outcome::default();
                outcome.discarded = forward::originate_echo(&tunnel, &echo, &mut outcome).err();
                self.emit(outcome);
            }
            Output::Inner { tunnel, mut packet } => {
                let mut outcome = Outcome::default();
                outcome.discarded = forward::originate(&tunnel, &mut packet, &mut outcome).err();
                self.emit(outcome);
            }
        }
    }

    fn carry_out_tcp(&mut self, output: TcpOutput, now: Timestamp) {
        match output {
            TcpOutput::Listen { vpc, local, .. } => self.host(vpc).stack.listen(local),
            TcpOutput::Unlisten { vpc, local } => self.host(vpc).stack.unlisten(local),
            TcpOutput::Connect { vpc, connection, local, remote, .. } => {
                let Some(host) = self.vpcs.get_mut(&vpc) else { return };
                let stream = host.stack.connect(local, remote, now, &mut self.random);
                host.streams.insert(stream, connection);
            }
            TcpOutput::Send { vpc, connection, bytes } => {
                let host = self.host(vpc);
                if let Some(stream) = host.stream_of(connection) {
                    host.stack.send(stream, &bytes, now);
                }
            }
            TcpOutput::Close { vpc, connection } => {
                let host = self.host(vpc);
                if let Some(stream) = host.stream_of(connection) {
                    host.stack.close(stream, now);
                    host.streams.remove(&stream);
                }
            }
        }
    }

    fn carry_out_vrrp(&mut self, output: VrrpOutput, now: Timestamp) {
        match output {
            VrrpOutput::Join { vpc, interface } | VrrpOutput::Look { vpc, interface } => {
                self.report_link(vpc, interface, now);
            }
            // The virtual underlay has no Ethernet.
            VrrpOutput::Heed { .. } | VrrpOutput::Leave { .. } => {}
            VrrpOutput::Frame { vpc, .. } if vpc == VpcId::UNDERLAY => {}
            VrrpOutput::Frame { vpc, bytes, .. } => {
                self.emissions.push_back(Emission::Frame { vpc, bytes });
            }
            VrrpOutput::Send { vpc, source, bytes, .. } => {
                self.emissions.push_back(Emission::Vrrp { vpc, source, bytes });
            }
            VrrpOutput::Install { vpc, addresses, .. } => {
                self.host(vpc).virtual_addresses.extend(addresses);
            }
            VrrpOutput::Withdraw { vpc, addresses, .. } => {
                let host = self.host(vpc);
                addresses.iter().for_each(|address| {
                    host.virtual_addresses.remove(address);
                });
            }
        }
    }

    fn host(&mut self, vpc: VpcId) -> &mut VpcHost {
        self.vpcs.entry(vpc).or_default()
    }

    /// Passes packets of streams to the routes and events of streams to the gateway.
    fn move_streams(&mut self, now: Timestamp) -> bool {
        let vpcs: Vec<VpcId> = self.vpcs.keys().copied().collect();
        let mut any = false;
        for vpc in vpcs {
            while let Some(packet) = self.host(vpc).stack.poll_packet() {
                any = true;
                self.route(vpc, LOOPBACK, packet, now);
            }
            while let Some(event) = self.host(vpc).stack.poll_event() {
                any = true;
                self.on_stream(vpc, event, now);
            }
        }
        any
    }

    fn on_stream(&mut self, vpc: VpcId, event: StreamEvent, now: Timestamp) {
        let host = self.host(vpc);
        let (connection, input) = match event {
            StreamEvent::Accepted { stream, local, remote } => {
                host.accepted += 1;
                let connection = ConnectionId::accepted(host.accepted);
                host.streams.insert(stream, connection);
                (Some(connection), TcpInput::Accepted { local, remote })
            }
            StreamEvent::Connected(stream) => {
                (host.streams.get(&stream).copied(), TcpInput::Connected)
            }
            StreamEvent::Bytes(stream, bytes) => {
                (host.streams.get(&stream).copied(), TcpInput::Bytes(bytes))
            }
            StreamEvent::Refused(stream) => (host.streams.remove(&stream), TcpInput::ConnectFailed),
            StreamEvent::Closed(stream) => (host.streams.remove(&stream), TcpInput::Closed),
        };
        if let Some(connection) = connection {
            self.gateway.handle_tcp(vpc, connection, input, now);
        }
    }

    fn is_lan_address(&self, vpc: VpcId, address: IpAddr) -> bool {
        let underlay = self.config.gateway.listen.first().copied().unwrap_or(LOCALHOST);
        let prefixes = self.config.vpcs.get(&vpc).map(|vpc| vpc.prefixes.as_slice());
        let mut prefixes = prefixes.unwrap_or_default().iter();
        prefixes.any(|prefix| kernel::lan_address(prefix, underlay) == address)
    }

    /// The kernel's decision about an inner packet that came in by a device.
    fn route(&mut self, vpc: VpcId, input: &str, packet: Vec<u8>, now: Timestamp) {
        let seen = packet::read(&packet);
        let traveller = Traveller { vpc, input, src: seen.src, dst: seen.dst };
        let is_ipv4 = seen.dst.is_ipv4();
        match self.kernel.way(traveller, self.gateway.config()) {
            Way::Tunnel => self.seal(vpc, packet, now),
            Way::Lan if is_ipv4 && !self.lan_has_ipv4 => {}
            Way::Lan => self.emissions.push_back(Emission::Host { vpc, packet }),
            Way::Nowhere => {}
            Way::Clear => self.emissions.push_back(Emission::Leak { vpc, packet }),
        }
    }

    /// LAN → WAN: what a worker does with one packet from the TUN device.
    fn seal(&mut self, vpc: VpcId, mut packet: Vec<u8>, now: Timestamp) {
        self.sealed.extend(probe_id(packet::read(&packet).payload));
        let (snapshot, mut outcome) = (Arc::clone(&self.snapshot), Outcome::default());
        let mut outbound = Outbound::new(&snapshot, vpc, now);
        // Counted by reason where it is decided.
        let _ = outbound.send(SuperPacket::whole(&mut packet), &mut outcome);
        self.held.extend(outbound.take_began().into_iter().map(|held| (now, held)));
        outbound.finish(&mut outcome);
        let reply = outcome.reply.take();
        self.emissions.extend(reply.map(|packet| Emission::Host { vpc, packet }));
        self.emit(outcome);
    }

    fn emit(&mut self, outcome: Outcome) {
        for datagram in outcome.datagrams {
            let forward::Datagram { local, remote, bytes, whole, .. } = datagram;
            let datagram = Datagram { local, remote, bytes };
            self.emissions.push_back(match whole {
                true => Emission::Whole(datagram),
                false => Emission::Underlay(datagram),
            });
        }
    }

    /// WAN → LAN: what a worker does with one datagram from the underlay.
    fn open(&mut self, datagram: &Datagram, now: Timestamp) {
        let (mut bytes, snapshot) = (datagram.bytes.clone(), Arc::clone(&self.snapshot));
        let mut inbound = Inbound::new(&snapshot, now);
        let Ok(verdict) = inbound.open(0, &mut bytes) else { return };
        if let Some(strayed) = inbound.strayed(datagram.remote) {
            let at = &mut Moment::simulated(now, &mut self.random);
            self.gateway.handle_strayed(datagram.local, strayed, at);
        }
        let Verdict::Aggregate(aggregate) = verdict else {
            return self.take(verdict, now);
        };
        let mut memory = Vec::new();
        let mut room = Room::new(&mut memory);
        let Ok(mut packets) = inbound.unpack(aggregate, &mut room) else { return };
        while let Some(verdict) = inbound.judge_next(0, &mut packets) {
            verdict.into_iter().for_each(|verdict| self.take(verdict, now));
        }
    }

    /// What becomes of an inner packet.
    fn take(&mut self, verdict: Verdict<'_>, now: Timestamp) {
        let permitted = match verdict {
            Verdict::ToHost(permitted) => permitted,
            Verdict::Aggregate(_) => return,
            Verdict::ToGateway(inner) if is_bfd(inner.packet) => {
                return self.take_control(inner.peer, inner.packet, now);
            }
            Verdict::ToGateway(inner) => {
                return self.gateway.handle_inner(inner.peer, inner.vpc, inner.packet, now);
            }
            Verdict::Echo(peer, echo) => return self.gateway.handle_echo(peer, echo, now),
        };
        let vpc = permitted.vpc();
        let packet = permitted.packet().to_vec();
        let seen = packet::read(&packet);
        if self.kernel.has_address(vpc, seen.dst) {
            self.host(vpc).stack.handle_packet(&seen, now);
        } else if self.is_lan_address(vpc, seen.dst) {
            match icmp::echo_reply(&packet) {
                Some(reply) => self.route(vpc, LOOPBACK, reply, now),
                None => self.own_packets.push(packet),
            }
        } else {
            let device = self.gateway.config().vpcs.get(&vpc).map(|vpc| vpc.tun.clone());
            self.route(vpc, &device.unwrap_or_default(), packet, now);
        }
    }
}

impl VpcHost {
    fn stream_of(&self, connection: ConnectionId) -> Option<StreamId> {
        self.streams.iter().find(|(_, id)| **id == connection).map(|(stream, _)| *stream)
    }
}

fn is_bfd(packet: &[u8]) -> bool {
    let port = udp::Datagram::in_packet(packet).map(|datagram| datagram.destination_port);
    port == Some(crate::wire::bfd::PORT)
}

fn link_local(own: std::net::Ipv4Addr) -> std::net::Ipv6Addr {
    let [a, b, c, d] = own.octets().map(u16::from);
    std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, a, b, c, d)
}

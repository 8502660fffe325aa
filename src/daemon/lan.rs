//! The interfaces towards hosts: their state, VRRP packets, and the virtual addresses.
//!
//! A task per interface owns its sockets. Virtual addresses stand on the VPC's TUN device, which
//! dies with the process, and are answered for in user space: the kernel of a daemon that was
//! killed must not go on answering for them (see `os::neighbor`).

use super::kernel::Place;
use crate::gateway::{LinkState, VrrpOutput};
use crate::net::VpcId;
use crate::os::neighbor::Responder;
use crate::os::netlink::{InterfaceAddress, LinkEvent, LinkWatch, Netlink};
use crate::os::vrrp::{Family, Received, VrrpSocket};
use crate::wire::ethernet::{self, MacAddress};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

/// Events that wait for the gateway before an interface is no longer read.
const BACKLOG: usize = 256;
/// Time between attempts to open a socket: a link-local address takes a second to settle.
const RETRY: Duration = Duration::from_millis(500);
/// Announcements are repeated after this, for switches and hosts that missed the first.
const REANNOUNCE: Duration = Duration::from_secs(1);

/// What happened on an interface.
#[derive(Debug)]
pub enum LanEvent {
    /// Its state changed.
    Link(LinkState),
    /// A VRRP packet came in.
    Vrrp {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
        /// Who sent it.
        source: IpAddr,
        /// The packet.
        bytes: Vec<u8>,
    },
}

/// What an interface is told.
#[derive(Debug)]
enum Command {
    /// Report the state again, for a configuration that has not heard it.
    Report,
    /// Do what a virtual router wants.
    Vrrp(VrrpOutput),
}

/// All interfaces towards hosts.
#[derive(Debug)]
pub struct Lans {
    places: BTreeMap<VpcId, Place>,
    commands: BTreeMap<(VpcId, String), mpsc::UnboundedSender<Command>>,
    events: mpsc::Sender<LanEvent>,
}

impl Lans {
    /// No interfaces yet; what happens on them comes out of the receiver.
    pub fn new(places: BTreeMap<VpcId, Place>) -> (Lans, mpsc::Receiver<LanEvent>) {
        let (events, receiver) = mpsc::channel(BACKLOG);
        (Lans { places, commands: BTreeMap::new(), events }, receiver)
    }

    /// Watches an interface from now on; what is watched already reports its state again.
    pub fn watch(&mut self, vpc: VpcId, interface: &str) {
        if let Some(commands) = self.lan(vpc, interface) {
            let _ = commands.send(Command::Report);
        }
    }

    /// Does what a virtual router wants.
    pub fn carry_out(&mut self, output: VrrpOutput) {
        let (vpc, interface) = match &output {
            VrrpOutput::Join { vpc, interface }
            | VrrpOutput::Send { vpc, interface, .. }
            | VrrpOutput::Install { vpc, interface, .. }
            | VrrpOutput::Withdraw { vpc, interface, .. } => (*vpc, interface.clone()),
        };
        if let Some(commands) = self.lan(vpc, &interface) {
            let _ = commands.send(Command::Vrrp(output));
        }
    }

    fn lan(&mut self, vpc: VpcId, interface: &str) -> Option<&mpsc::UnboundedSender<Command>> {
        let key = (vpc, interface.to_owned());
        if !self.commands.contains_key(&key) {
            let place = self.places.get(&vpc)?.clone();
            match Lan::open(vpc, interface, place) {
                Ok(lan) => {
                    let (commands, queue) = mpsc::unbounded_channel();
                    tokio::spawn(lan.run(queue, self.events.clone()));
                    self.commands.insert(key.clone(), commands);
                }
                Err(error) => warn!(
                    interface,
                    error = format!("{error:#}"),
                    "the interface cannot be watched; its virtual routers do not run"
                ),
            }
        }
        self.commands.get(&key)
    }
}

/// One interface.
struct Lan {
    vpc: VpcId,
    interface: String,
    place: Place,
    netlink: Netlink,
    watch: Option<LinkWatch>,
    joined: bool,
    ipv4: Option<VrrpSocket>,
    ipv6: Option<VrrpSocket>,
    responder: Option<Responder>,
    held: BTreeSet<IpAddr>,
    reported: Option<LinkState>,
    next_look: Instant,
    reannounce: Option<Instant>,
}

impl Lan {
    fn open(vpc: VpcId, interface: &str, place: Place) -> Result<Lan> {
        let namespace = place.namespace.as_deref();
        Ok(Lan {
            vpc,
            interface: interface.to_owned(),
            netlink: Netlink::open(namespace)?,
            watch: Some(LinkWatch::open(namespace)?),
            place,
            joined: false,
            ipv4: None,
            ipv6: None,
            responder: None,
            held: BTreeSet::new(),
            reported: None,
            next_look: Instant::now(),
            reannounce: None,
        })
    }

    async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        events: mpsc::Sender<LanEvent>,
    ) {
        loop {
            let reannounce = self.reannounce.unwrap_or_else(far);
            let received = tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => { self.obey(command).await; None }
                    None => return,
                },
                event = next_event(&mut self.watch) => { self.on_link_event(event); None }
                () = sleep_until(self.next_look) => { self.look(&events).await; None }
                () = sleep_until(reannounce) => { self.announce(); self.reannounce = None; None }
                received = receive(&self.ipv4) => self.ipv4_or_closed(received),
                received = receive(&self.ipv6) => self.ipv6_or_closed(received),
            };
            if let Some(Received { source, bytes }) = received {
                let (vpc, interface) = (self.vpc, self.interface.clone());
                let _ = events.send(LanEvent::Vrrp { vpc, interface, source, bytes }).await;
            }
        }
    }

    /// Looks at the interface when its state may have changed; a watch that has ended is opened
    /// again then.
    fn on_link_event(&mut self, event: Option<LinkEvent>) {
        match event {
            Some(LinkEvent::Changed(link) | LinkEvent::Removed(link)) => {
                if link.name == self.interface {
                    self.look_within(Duration::ZERO);
                }
            }
            Some(LinkEvent::Overrun) => self.look_within(Duration::ZERO),
            None => {
                self.watch = None;
                self.look_within(RETRY);
            }
        }
    }

    /// Looks at the interface at that time, or before when that is due anyway.
    fn look_within(&mut self, time: Duration) {
        self.next_look = self.next_look.min(Instant::now() + time);
    }

    fn ipv4_or_closed(&mut self, received: std::io::Result<Received>) -> Option<Received> {
        received
            .inspect_err(|error| self.on_socket_error(error))
            .inspect_err(|_| self.ipv4 = None)
            .ok()
    }

    fn ipv6_or_closed(&mut self, received: std::io::Result<Received>) -> Option<Received> {
        received
            .inspect_err(|error| self.on_socket_error(error))
            .inspect_err(|_| self.ipv6 = None)
            .ok()
    }

    fn on_socket_error(&mut self, error: &std::io::Error) {
        debug!(interface = self.interface, %error, "receiving VRRP advertisements");
        self.look_within(RETRY);
    }

    async fn look(&mut self, events: &mpsc::Sender<LanEvent>) {
        if self.watch.is_none() {
            let opened = LinkWatch::open(self.place.namespace.as_deref());
            self.watch = opened.inspect_err(|error| warn!("{error:#}")).ok();
        }
        self.refresh(events).await;
        self.next_look = if self.is_complete() { far() } else { Instant::now() + RETRY };
    }

    /// Whether nothing is left to try: changes are watched, and the link is down or all sockets
    /// are open.
    fn is_complete(&self) -> bool {
        let Some(link) = &self.reported else { return false };
        let open = self.ipv4.is_some() && self.ipv6.is_some();
        self.watch.is_some() && (!link.up || !self.joined || open)
    }

    /// Looks at the interface, opens what is missing, and reports what is new.
    async fn refresh(&mut self, events: &mpsc::Sender<LanEvent>) {
        let link = match self.netlink.find_link(&self.interface).await {
            Ok(link) => link,
            Err(error) => return self.on_netlink_error(&error),
        };
        let up = link.is_some_and(|link| link.is_running);
        if up && self.joined {
            self.open_sockets();
        } else {
            (self.ipv4, self.ipv6, self.responder) = (None, None, None);
        }
        let state = LinkState {
            vpc: self.vpc,
            interface: self.interface.clone(),
            up,
            ipv4: self.ipv4.as_ref().and_then(|socket| as_ipv4(socket.source())),
            ipv6: self.ipv6.as_ref().and_then(|socket| as_ipv6(socket.source())),
        };
        if self.reported.as_ref() != Some(&state) {
            self.reported = Some(state.clone());
            let _ = events.send(LanEvent::Link(state)).await;
        }
    }

    /// What cannot be seen is not down: the state stays, until another look succeeds.
    fn on_netlink_error(&mut self, error: &anyhow::Error) {
        warn!(error = format!("{error:#}"), "the state of the interface is not known");
        self.reported = None;
        if let Ok(netlink) = Netlink::open(self.place.namespace.as_deref()) {
            self.netlink = netlink;
        }
    }

    fn open_sockets(&mut self) {
        let namespace = self.place.namespace.as_deref();
        for (socket, family) in [(&mut self.ipv4, Family::V4), (&mut self.ipv6, Family::V6)] {
            if socket.is_none() {
                *socket = VrrpSocket::open(namespace, &self.interface, family)
                    .inspect_err(|error| debug!("{error:#}"))
                    .ok();
            }
        }
        if self.responder.is_none() {
            self.responder = Responder::start(namespace, &self.interface)
                .inspect_err(|error| {
                    warn!(error = format!("{error:#}"), "virtual addresses cannot be answered for")
                })
                .ok();
            if let Some(responder) = &self.responder {
                self.held.iter().for_each(|address| responder.hold(*address));
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Report => self.report_again(),
            Command::Vrrp(output) => self.carry_out(output).await,
        }
    }

    async fn carry_out(&mut self, output: VrrpOutput) {
        match output {
            VrrpOutput::Join { .. } => {
                self.joined = true;
                self.report_again();
            }
            VrrpOutput::Send { source, bytes, .. } => self.send(source, &bytes),
            VrrpOutput::Install { vrid, addresses, .. } => {
                info!(interface = self.interface, vrid, ?addresses, "active router");
                for address in addresses {
                    self.hold(address).await;
                }
                self.announce();
                self.reannounce = Some(Instant::now() + REANNOUNCE);
            }
            VrrpOutput::Withdraw { addresses, .. } => {
                info!(interface = self.interface, ?addresses, "no longer active router");
                for address in addresses {
                    self.release(address).await;
                }
            }
        }
    }

    /// Looks at the interface at once, opens what is missing, and reports even what is known.
    fn report_again(&mut self) {
        self.reported = None;
        self.look_within(Duration::ZERO);
    }

    fn send(&self, source: IpAddr, bytes: &[u8]) {
        let socket = if source.is_ipv4() { &self.ipv4 } else { &self.ipv6 };
        if let Some(Err(error)) = socket.as_ref().map(|socket| socket.send(bytes)) {
            debug!(interface = self.interface, %error, "sending a VRRP advertisement");
        }
    }

    async fn hold(&mut self, address: IpAddr) {
        self.held.insert(address);
        if let Some(responder) = &self.responder {
            responder.hold(address);
        }
        if !is_link_local(address) {
            let added =
                self.netlink.add_address(&self.place.device, InterfaceAddress::host(address));
            if let Err(error) = added.await {
                warn!(%address, error = format!("{error:#}"), "the virtual address cannot be pinged");
            }
        }
    }

    async fn release(&mut self, address: IpAddr) {
        self.held.remove(&address);
        if let Some(responder) = &self.responder {
            responder.release(address);
        }
        let gone = self.netlink.remove_address(&self.place.device, InterfaceAddress::host(address));
        if let Err(error) = gone.await {
            warn!(%address, error = format!("{error:#}"), "a virtual address stays on the device");
        }
    }

    /// Tells hosts and switches where the virtual addresses are now (RFC 9568 §6.4.2).
    fn announce(&self) {
        let Some(responder) = &self.responder else { return };
        let mac = MacAddress(responder.mac());
        for address in &self.held {
            let frame = ethernet::announcement(*address, mac);
            if let Err(error) = responder.send(&frame) {
                debug!(%address, %error, "announcing a virtual address");
            }
        }
    }
}

async fn next_event(watch: &mut Option<LinkWatch>) -> Option<LinkEvent> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

async fn receive(socket: &Option<VrrpSocket>) -> std::io::Result<Received> {
    match socket {
        Some(socket) => socket.receive().await,
        None => std::future::pending().await,
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

fn as_ipv4(address: IpAddr) -> Option<std::net::Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn as_ipv6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    as_ipv6(address).is_some_and(|address| address.is_unicast_link_local())
}

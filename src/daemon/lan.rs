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

/// All interfaces towards hosts.
#[derive(Debug)]
pub struct Lans {
    places: BTreeMap<VpcId, Place>,
    commands: BTreeMap<(VpcId, String), mpsc::UnboundedSender<VrrpOutput>>,
    events: mpsc::Sender<LanEvent>,
}

impl Lans {
    /// No interfaces yet; what happens on them comes out of the receiver.
    pub fn new(places: BTreeMap<VpcId, Place>) -> (Lans, mpsc::Receiver<LanEvent>) {
        let (events, receiver) = mpsc::channel(BACKLOG);
        (Lans { places, commands: BTreeMap::new(), events }, receiver)
    }

    /// Watches an interface from now on.
    pub fn watch(&mut self, vpc: VpcId, interface: &str) {
        self.lan(vpc, interface);
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
            let _ = commands.send(output);
        }
    }

    fn lan(&mut self, vpc: VpcId, interface: &str) -> Option<&mpsc::UnboundedSender<VrrpOutput>> {
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
    watch: LinkWatch,
    joined: bool,
    ipv4: Option<VrrpSocket>,
    ipv6: Option<VrrpSocket>,
    responder: Option<Responder>,
    held: BTreeSet<IpAddr>,
    reported: Option<LinkState>,
    reannounce: Option<Instant>,
}

impl Lan {
    fn open(vpc: VpcId, interface: &str, place: Place) -> Result<Lan> {
        let namespace = place.namespace.as_deref();
        Ok(Lan {
            vpc,
            interface: interface.to_owned(),
            netlink: Netlink::open(namespace)?,
            watch: LinkWatch::open(namespace)?,
            place,
            joined: false,
            ipv4: None,
            ipv6: None,
            responder: None,
            held: BTreeSet::new(),
            reported: None,
            reannounce: None,
        })
    }

    async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<VrrpOutput>,
        events: mpsc::Sender<LanEvent>,
    ) {
        let mut retry = Instant::now();
        loop {
            let reannounce = self.reannounce.unwrap_or_else(far);
            let received = tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => { self.carry_out(command).await; None }
                    None => return,
                },
                event = self.watch.next() => match event {
                    Some(event) => { if self.concerns(&event) { retry = Instant::now(); } None }
                    None => { retry = Instant::now() + RETRY; None }
                },
                () = sleep_until(retry) => {
                    self.refresh(&events).await;
                    retry = if self.is_complete() { far() } else { Instant::now() + RETRY };
                    None
                }
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

    fn concerns(&self, event: &LinkEvent) -> bool {
        match event {
            LinkEvent::Changed(link) | LinkEvent::Removed(link) => link.name == self.interface,
        }
    }

    fn ipv4_or_closed(&mut self, received: std::io::Result<Received>) -> Option<Received> {
        received.inspect_err(|_| self.ipv4 = None).ok()
    }

    fn ipv6_or_closed(&mut self, received: std::io::Result<Received>) -> Option<Received> {
        received.inspect_err(|_| self.ipv6 = None).ok()
    }

    /// Whether nothing is left to try: the link is down, or all sockets are open.
    fn is_complete(&self) -> bool {
        let up = self.reported.as_ref().is_some_and(|link| link.up);
        !up || !self.joined || (self.ipv4.is_some() && self.ipv6.is_some())
    }

    /// Looks at the interface, opens what is missing, and reports what is new.
    async fn refresh(&mut self, events: &mpsc::Sender<LanEvent>) {
        let link = self.netlink.find_link(&self.interface).await.ok().flatten();
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

    async fn carry_out(&mut self, command: VrrpOutput) {
        match command {
            VrrpOutput::Join { .. } => {
                self.joined = true;
                self.open_sockets_later();
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

    /// Makes the next look at the interface open sockets.
    fn open_sockets_later(&mut self) {
        self.reported = None;
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

//! One interface towards hosts: its sockets, and the watch for changes of its state.

use super::LanEvent;
use crate::gateway::{LinkState, VrrpOutput};
use crate::net::VpcId;
use crate::os::neighbor::NeighborSocket;
use crate::os::netlink::{Link, LinkEvent, LinkWatch, Netlink};
use crate::os::vrrp::{Family, Received, VrrpSocket};
use crate::wire::neighbor::{IPV6_MARKS, solicited_node};
use crate::wire::vrrp;
use anyhow::Result;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// What an interface is told.
#[derive(Debug)]
pub(super) enum Command {
    /// Report the state again, for a configuration that has not heard it.
    Report,
    /// Do what a virtual router wants.
    Vrrp(VrrpOutput),
}

/// What woke the task.
enum Happening {
    Command(Command),
    Changed(Option<LinkEvent>),
    Vrrp(Family, io::Result<Received>),
    Frame(io::Result<Vec<u8>>),
}

/// One interface.
pub(super) struct Interface {
    vpc: VpcId,
    name: String,
    namespace: Option<String>,
    netlink: Netlink,
    watch: Option<LinkWatch>,
    joined: bool,
    heeded: bool,
    ipv4: Option<VrrpSocket>,
    ipv6: Option<VrrpSocket>,
    neighbors: Option<NeighborSocket>,
    held: BTreeSet<IpAddr>,
    reported: Option<LinkState>,
    index: Option<u32>,
}

impl Interface {
    /// An interface that is looked at as soon as it is told something.
    pub(super) fn open(vpc: VpcId, name: &str, namespace: Option<String>) -> Result<Interface> {
        Ok(Interface {
            vpc,
            name: name.to_owned(),
            netlink: Netlink::open(namespace.as_deref())?,
            watch: Some(LinkWatch::open(namespace.as_deref())?),
            namespace,
            joined: false,
            heeded: false,
            ipv4: None,
            ipv6: None,
            neighbors: None,
            held: BTreeSet::new(),
            reported: None,
            index: None,
        })
    }

    /// Carries until nobody can tell it anything any more.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        events: mpsc::Sender<LanEvent>,
    ) {
        loop {
            let happening = tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => Happening::Command(command),
                    None => return,
                },
                event = changed(&mut self.watch) => Happening::Changed(event),
                received = received(&self.ipv4) => Happening::Vrrp(Family::V4, received),
                received = received(&self.ipv6) => Happening::Vrrp(Family::V6, received),
                frame = frame(&self.neighbors) => Happening::Frame(frame),
            };
            if let Some(event) = self.handle(happening).await {
                let _ = events.send(event).await;
            }
        }
    }

    async fn handle(&mut self, happening: Happening) -> Option<LanEvent> {
        match happening {
            Happening::Command(command) => self.obey(command).await,
            Happening::Changed(event) if self.concerns_us(event.as_ref()) => self.look().await,
            Happening::Changed(_) => None,
            Happening::Vrrp(_, Ok(Received { source, bytes })) => {
                let (vpc, interface) = (self.vpc, self.name.clone());
                Some(LanEvent::Vrrp { vpc, interface, source, bytes })
            }
            Happening::Frame(Ok(bytes)) => {
                let (vpc, interface) = (self.vpc, self.name.clone());
                Some(LanEvent::Frame { vpc, interface, bytes })
            }
            Happening::Vrrp(family, Err(error)) => {
                debug!(interface = self.name, %error, "receiving VRRP advertisements");
                *self.socket(family) = None;
                Some(self.report_incomplete())
            }
            Happening::Frame(Err(error)) => {
                debug!(interface = self.name, %error, "receiving neighbour frames");
                self.neighbors = None;
                Some(self.report_incomplete())
            }
        }
    }

    fn socket(&mut self, family: Family) -> &mut Option<VrrpSocket> {
        match family {
            Family::V4 => &mut self.ipv4,
            Family::V6 => &mut self.ipv6,
        }
    }

    /// Whether the interface may be another than before. A watch that has ended is opened again
    /// with the next look.
    fn concerns_us(&mut self, event: Option<&LinkEvent>) -> bool {
        match event {
            Some(LinkEvent::Changed(link) | LinkEvent::Removed(link)) => link.name == self.name,
            Some(LinkEvent::Addresses(index)) => self.index == Some(*index),
            Some(LinkEvent::Overrun) => true,
            None => {
                self.watch = None;
                true
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Option<LanEvent> {
        match command {
            Command::Report => {
                self.reported = None;
                self.look().await
            }
            Command::Vrrp(output) => self.carry_out(output).await,
        }
    }

    async fn carry_out(&mut self, output: VrrpOutput) -> Option<LanEvent> {
        match output {
            VrrpOutput::Join { .. } => {
                (self.joined, self.reported) = (true, None);
                return self.look().await;
            }
            VrrpOutput::Heed { .. } => {
                (self.heeded, self.reported) = (true, None);
                return self.look().await;
            }
            // The task ends with its queue.
            VrrpOutput::Leave { .. } => {}
            VrrpOutput::Look { .. } => return self.look().await,
            VrrpOutput::Send { source, mac: None, bytes, .. } => self.send(source, &bytes),
            VrrpOutput::Send { source, mac: Some(mac), bytes, .. } => {
                self.send_frame(&vrrp::frame(mac, source, &bytes));
            }
            VrrpOutput::Frame { bytes, .. } => self.send_frame(&bytes),
            VrrpOutput::Install { addresses, .. } => {
                self.held.extend(addresses);
                self.join_groups();
            }
            VrrpOutput::Withdraw { addresses, .. } => {
                self.held.retain(|held| !addresses.contains(held));
                self.join_groups();
            }
        }
        None
    }

    /// Looks at the interface, opens what is missing, and reports what is new.
    async fn look(&mut self) -> Option<LanEvent> {
        if self.watch.is_none() {
            let opened = LinkWatch::open(self.namespace.as_deref());
            self.watch = opened.inspect_err(|error| warn!("{error:#}")).ok();
        }
        match self.netlink.find_link(&self.name).await {
            Ok(link) => {
                self.ask_again(link.as_ref()).await;
                self.report(link)
            }
            Err(error) => Some(self.on_netlink_error(&error)),
        }
    }

    /// A link that has come back has hosts that the kernel has asked in vain.
    async fn ask_again(&self, link: Option<&Link>) {
        let was_down = self.reported.as_ref().is_some_and(|before| !before.up);
        if let Some(link) = link.filter(|link| was_down && link.is_running)
            && let Err(error) = self.netlink.forget_unanswering(link.index).await
        {
            debug!("{error:#}");
        }
    }

    fn report(&mut self, link: Option<Link>) -> Option<LanEvent> {
        self.index = link.as_ref().map(|link| link.index);
        let up = link.as_ref().is_some_and(|link| link.is_running);
        if up && self.joined {
            self.open_sockets();
        } else if up && self.heeded {
            self.open_neighbors();
        } else {
            (self.ipv4, self.ipv6, self.neighbors) = (None, None, None);
        }
        let state = LinkState {
            vpc: self.vpc,
            interface: self.name.clone(),
            up,
            mac: link.and_then(|link| link.mac),
            ipv4: self.ipv4.as_ref().and_then(|socket| match socket.source() {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            }),
            ipv6: self.ipv6.as_ref().and_then(|socket| match socket.source() {
                IpAddr::V6(address) => Some(address),
                IpAddr::V4(_) => None,
            }),
            complete: self.watch.is_some() && (!up || self.is_open()),
        };
        let news = self.reported.as_ref() != Some(&state);
        self.reported = Some(state.clone());
        news.then_some(LanEvent::Link(state))
    }

    /// Whether everything that is to be received here can be.
    fn is_open(&self) -> bool {
        let vrrp = self.ipv4.is_some() && self.ipv6.is_some();
        let heeds = self.joined || self.heeded;
        (vrrp || !self.joined) && (self.neighbors.is_some() || !heeds)
    }

    /// A socket has ended: the interface must be looked at again.
    fn report_incomplete(&mut self) -> LanEvent {
        self.reported = None;
        LanEvent::Unseen { vpc: self.vpc, interface: self.name.clone() }
    }

    fn on_netlink_error(&mut self, error: &anyhow::Error) -> LanEvent {
        warn!(error = format!("{error:#}"), "the state of the interface is not known");
        if let Ok(netlink) = Netlink::open(self.namespace.as_deref()) {
            self.netlink = netlink;
        }
        self.report_incomplete()
    }

    /// Opens what is not open, and opens anew what has another address than the interface.
    fn open_sockets(&mut self) {
        let (namespace, name) = (self.namespace.as_deref(), self.name.as_str());
        for (socket, family) in [(&mut self.ipv4, Family::V4), (&mut self.ipv6, Family::V6)] {
            if socket.as_ref().is_none_or(|socket| !socket.is_current(namespace, name)) {
                *socket = VrrpSocket::open(namespace, name, family)
                    .inspect_err(|error| debug!("{error:#}"))
                    .ok();
            }
        }
        self.open_neighbors();
    }

    fn open_neighbors(&mut self) {
        let (namespace, name) = (self.namespace.as_deref(), self.name.as_str());
        if self.neighbors.is_none() {
            self.neighbors = NeighborSocket::open(namespace, name, &IPV6_MARKS)
                .inspect_err(|error| {
                    warn!(error = format!("{error:#}"), "virtual addresses cannot be answered for")
                })
                .ok();
            self.join_groups();
        }
    }

    /// Joins the groups on which the held addresses are asked for.
    fn join_groups(&mut self) {
        let group = |address: &IpAddr| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(solicited_node(*address)),
        };
        let groups = self.held.iter().filter_map(group).collect();
        if let Some(neighbors) = &mut self.neighbors {
            neighbors.join(&groups);
        }
    }

    fn send(&self, source: IpAddr, bytes: &[u8]) {
        let socket = if source.is_ipv4() { &self.ipv4 } else { &self.ipv6 };
        if let Some(Err(error)) = socket.as_ref().map(|socket| socket.send(bytes)) {
            debug!(interface = self.name, %error, "sending a VRRP advertisement");
        }
    }

    /// A lost answer is asked for again, and an announcement is repeated.
    fn send_frame(&self, bytes: &[u8]) {
        if let Some(Err(error)) = self.neighbors.as_ref().map(|socket| socket.send(bytes)) {
            debug!(interface = self.name, %error, "sending a neighbour frame");
        }
    }
}

async fn changed(watch: &mut Option<LinkWatch>) -> Option<LinkEvent> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

async fn received(socket: &Option<VrrpSocket>) -> io::Result<Received> {
    match socket {
        Some(socket) => socket.receive().await,
        None => std::future::pending().await,
    }
}

async fn frame(socket: &Option<NeighborSocket>) -> io::Result<Vec<u8>> {
    match socket {
        Some(socket) => socket.receive().await,
        None => std::future::pending().await,
    }
}

//! Changes of devices and of their addresses as they happen, and what somebody else takes away.

use std::io;
use std::net::IpAddr;

use anyhow::Result;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use nix::libc;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::sys::{AsyncSocket, SocketAddr};
use socket2::{SockFilter, SockRef};
use tokio::task::JoinHandle;

use super::{Author, Link, MAIN_TABLE, Route, Rule, address, route, rule};
use crate::net::Prefix;
use crate::os::netns;

/// Where a message says who has caused it (`nlmsg_pid`).
const AUTHOR: u32 = 12;

/// What happened to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is new, or something of it has changed: the state it has now.
    Changed(Link),
    /// It is gone.
    Removed(Link),
    /// The device of this number has other addresses than before.
    Addresses(u32),
    /// The kernel had more to tell than we took: some changes were lost, so look anew.
    Overrun,
}

/// What the kernel multicasts to some groups of one namespace, until it is dropped.
#[derive(Debug)]
struct Multicast {
    messages: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
    connection: JoinHandle<()>,
}

impl Multicast {
    /// Joins groups in a namespace by name; `None` is that of this thread. Needs a tokio runtime.
    fn join(
        namespace: Option<&str>,
        groups: &[MulticastGroup],
        filter: &[SockFilter],
    ) -> Result<Self> {
        let runtime = tokio::runtime::Handle::current();
        let connect = || -> io::Result<_> {
            let _inside = runtime.enter();
            let mut joined = rtnetlink::new_multicast_connection(groups)?;
            if !filter.is_empty() {
                SockRef::from(joined.0.socket_mut().socket_ref()).attach_filter(filter)?;
            }
            Ok(joined)
        };
        let (connection, _, messages) = netns::within_or_here(namespace, connect)??;
        Ok(Multicast { messages, connection: tokio::spawn(connection) })
    }

    /// Waits for the next message; `None` when the kernel has closed the connection.
    async fn next(&mut self) -> Option<NetlinkPayload<RouteNetlinkMessage>> {
        let (message, _) = self.messages.next().await?;
        Some(message.payload)
    }
}

impl Drop for Multicast {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// The changes in one namespace since the watch was opened.
#[derive(Debug)]
pub struct LinkWatch(Multicast);

impl LinkWatch {
    /// Watches a namespace by name; `None` is that of this thread. Needs a tokio runtime.
    pub fn open(namespace: Option<&str>) -> Result<Self> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        Multicast::join(namespace, &groups, &[]).map(LinkWatch)
    }

    /// Waits for the next change; `None` when the kernel has closed the connection.
    /// Cancelling the wait loses none.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        loop {
            match self.0.next().await? {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                    return Some(LinkEvent::Changed(Link::from_message(&link)));
                }
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) => {
                    return Some(LinkEvent::Removed(Link::from_message(&link)));
                }
                NetlinkPayload::InnerMessage(
                    RouteNetlinkMessage::NewAddress(address)
                    | RouteNetlinkMessage::DelAddress(address),
                ) => return Some(LinkEvent::Addresses(address.header.index)),
                NetlinkPayload::Overrun(_) => return Some(LinkEvent::Overrun),
                _ => {}
            }
        }
    }
}

/// What somebody took away, or what may have taken something away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A route of ours. Its device is not named: it may be gone.
    Route(Route),
    /// A rule of ours.
    Rule(Rule),
    /// A route of somebody else's has come.
    WayFound(Prefix),
    /// A route of somebody else's has come into a table that is not the main one: this.
    Elsewhere(u32),
    /// A route of somebody else's has gone.
    WayLost(Prefix),
    /// This device is gone, or cannot carry packets now.
    Device(String),
    /// A device does not have this address any more.
    Address(IpAddr),
    /// Devices or addresses changed, or messages were lost: look anew. Routes that go with their
    /// device are not told one by one.
    Unknown,
}

/// What goes of ours in one namespace, and what may take ours along, since the watch was opened.
#[derive(Debug)]
pub struct LossWatch(Multicast);

impl LossWatch {
    /// Watches a namespace by name; `None` is that of this thread. What `author` does is not told
    /// ([`change_routes`](super::Netlink::change_routes)): the kernel does not even copy it. Needs a tokio
    /// runtime.
    pub fn open(namespace: Option<&str>, author: Author) -> Result<Self> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Ipv4Rule,
            MulticastGroup::Ipv6Rule,
        ];
        Multicast::join(namespace, &groups, &all_but(author)).map(LossWatch)
    }

    /// Waits for the next loss; `None` when the kernel has closed the connection. Cancelling the
    /// wait loses none.
    pub async fn next(&mut self) -> Option<Loss> {
        loop {
            let loss = match self.0.next().await? {
                NetlinkPayload::InnerMessage(message) => loss(message),
                NetlinkPayload::Overrun(_) => Some(Loss::Unknown),
                _ => None,
            };
            if loss.is_some() {
                return loss;
            }
        }
    }
}

/// A filter for what somebody else than `author` has caused (`nlmsg_pid`).
fn all_but(author: Author) -> [SockFilter; 4] {
    // A filter reads numbers as they come in a network; netlink has them as the host does.
    let author = u32::from_be_bytes(author.0.to_ne_bytes());
    let (load, equals) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ);
    [
        SockFilter::new(load as u16, 0, 0, AUTHOR),
        SockFilter::new((equals | libc::BPF_K) as u16, 0, 1, author),
        SockFilter::new(libc::BPF_RET as u16, 0, 0, 0),
        SockFilter::new(libc::BPF_RET as u16, 0, 0, u32::MAX),
    ]
}

fn loss(message: RouteNetlinkMessage) -> Option<Loss> {
    match message {
        RouteNetlinkMessage::DelRoute(route) if route::is_ours(&route) => {
            route::read(&route, |_| Some(String::new())).map(Loss::Route)
        }
        RouteNetlinkMessage::NewRoute(route) => match route::table(&route) {
            MAIN_TABLE => foreign(&route, Loss::WayFound),
            _ if route::is_ours(&route)
                && route::read(&route, |_| Some(String::new())).is_some() =>
            {
                None
            }
            _ if route::taken_locally(&route).is_some() => Some(Loss::Unknown),
            table => Some(Loss::Elsewhere(table)),
        },
        RouteNetlinkMessage::DelRoute(route) => foreign(&route, Loss::WayLost),
        RouteNetlinkMessage::DelRule(rule) if rule::is_ours(&rule) => {
            Rule::read(&rule).map(Loss::Rule)
        }
        // Ours may stand behind another one now.
        RouteNetlinkMessage::NewRule(rule) | RouteNetlinkMessage::DelRule(rule)
            if !rule::is_ours(&rule) =>
        {
            Some(Loss::Unknown)
        }
        RouteNetlinkMessage::NewLink(link) => {
            let link = Link::from_message(&link);
            Some(if link.is_running { Loss::Unknown } else { Loss::Device(link.name) })
        }
        RouteNetlinkMessage::DelLink(link) => Some(Loss::Device(Link::from_message(&link).name)),
        RouteNetlinkMessage::NewAddress(_) => Some(Loss::Unknown),
        RouteNetlinkMessage::DelAddress(message) => {
            let gone = address::read(&message).map(|gone| Loss::Address(gone.address));
            Some(gone.unwrap_or(Loss::Unknown))
        }
        _ => None,
    }
}

/// What a route of somebody else's tells. With a local one the kernel takes other packets for
/// itself.
fn foreign(route: &RouteMessage, tell: impl Fn(Prefix) -> Loss) -> Option<Loss> {
    if route::is_ours(route) {
        return None;
    }
    if route::taken_locally(route).is_some() {
        return Some(Loss::Unknown);
    }
    route::destination(route).map(tell)
}

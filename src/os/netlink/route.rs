//! Routes.

mod changing;
mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use changing::Changing;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol,
    RouteScope, RouteType,
};

use super::{Link, Netlink, PROTOCOL};
use crate::net::Prefix;
use tokio::task::spawn_blocking;

/// The table that the kernel keeps of its own addresses (`RT_TABLE_LOCAL`).
const LOCAL_TABLE: u8 = 255;

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// Out of a device, straight to the destination.
    Device(String),
    /// To a router.
    Gateway(IpAddr),
    /// Nowhere, and the sender is told.
    Unreachable,
    /// Nowhere, in silence.
    Blackhole,
    /// To whatever the next table says.
    Throw,
}

/// A route of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The destinations.
    pub prefix: Prefix,
    /// Where they lead.
    pub via: Via,
    /// Among routes to one prefix the lowest wins; 0 leaves the kernel's default (0 for IPv4,
    /// 1024 for IPv6).
    pub metric: u32,
    /// The routing table; the main one is 254.
    pub table: u32,
    /// The largest packet that fits, where it is smaller than the device's MTU.
    pub mtu: Option<u32>,
    /// The address from which the host itself sends there (`RTA_PREFSRC`); `None` leaves the
    /// choice to the kernel.
    pub source: Option<IpAddr>,
    /// The TTL with which it does (`RTAX_HOPLIMIT`), where it is another than the host's default.
    pub hop_limit: Option<u32>,
}

impl Route {
    /// A route in the main table, with the default metric.
    pub fn new(prefix: Prefix, via: Via) -> Self {
        let table = u32::from(RouteHeader::RT_TABLE_MAIN);
        Route { prefix, via, metric: 0, table, mtu: None, source: None, hop_limit: None }
    }

    /// The same route in another table.
    pub fn in_table(self, table: u32) -> Self {
        Route { table, ..self }
    }

    /// The same route with a metric.
    pub fn with_metric(self, metric: u32) -> Self {
        Route { metric, ..self }
    }

    fn kind(&self) -> RouteType {
        match self.via {
            Via::Device(_) | Via::Gateway(_) => RouteType::Unicast,
            Via::Unreachable => RouteType::Unreachable,
            Via::Blackhole => RouteType::BlackHole,
            Via::Throw => RouteType::Throw,
        }
    }

    fn message(&self, protocol: u8, device: Option<u32>) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(&self.prefix),
            destination_prefix_length: self.prefix.len(),
            table: u8::try_from(self.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
            protocol: RouteProtocol::from(protocol),
            scope: RouteScope::Universe,
            kind: self.kind(),
            ..RouteHeader::default()
        };
        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Destination(self.prefix.addr().into()));
        attributes.push(RouteAttribute::Table(self.table));
        attributes.extend(device.map(RouteAttribute::Oif));
        if let Via::Gateway(gateway) = self.via {
            attributes.push(RouteAttribute::Gateway(gateway.into()));
        }
        if self.metric != 0 {
            attributes.push(RouteAttribute::Priority(self.metric));
        }
        let hop_limit = self.hop_limit.map(RouteMetric::Hoplimit);
        let metrics: Vec<_> = self.mtu.map(RouteMetric::Mtu).into_iter().chain(hop_limit).collect();
        if !metrics.is_empty() {
            attributes.push(RouteAttribute::Metrics(metrics));
        }
        let source = self.source.map(RouteAddress::from);
        attributes.extend(source.map(RouteAttribute::PrefSource));
        message
    }
}

/// What the routes of a host say about its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceRoutes {
    /// The devices out of which a default route of the main table leads.
    pub defaults: BTreeSet<String>,
    /// By device, the routes of the main table out of it that were asked about.
    pub main: BTreeMap<String, BTreeSet<Prefix>>,
    /// By device, where the kernel takes packets for itself: at its own addresses, at broadcast
    /// and at anycast addresses.
    pub local: BTreeMap<String, BTreeSet<Prefix>>,
}

/// A change of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteChange {
    /// Adds a route, or replaces the one with the same prefix, table and metric.
    Set(Route),
    /// Removes a route of ours. The protocol is part of what the kernel compares, so that a
    /// route which somebody else has made to the same prefix stays.
    Remove(Route),
}

impl RouteChange {
    fn route(&self) -> &Route {
        match self {
            RouteChange::Set(route) | RouteChange::Remove(route) => route,
        }
    }
}

impl Netlink {
    /// Adds a route, or replaces the one with the same prefix, table and metric.
    pub async fn set_route(&self, route: &Route) -> Result<()> {
        let outcomes = self.change_routes(vec![RouteChange::Set(route.clone())]).await;
        outcomes.into_iter().collect()
    }

    /// Makes many changes in their order, many of them in one call; one outcome for each.
    pub async fn change_routes(&self, changes: Vec<RouteChange>) -> Vec<Result<()>> {
        let (bulk, protocol, count) = (Arc::clone(&self.bulk), self.protocol, changes.len());
        let changing = move || Changing::new(&bulk, protocol, &changes).change(&changes);
        let outcomes = spawn_blocking(changing).await;
        outcomes.unwrap_or_else(|error| {
            (0..count).map(|_| Err(anyhow!("changing routes: {error}"))).collect()
        })
    }
}

/// Where the kernel takes packets for itself, if that is what the route says. Other tables than the
/// local one are for packets that somebody has marked, as transparent proxies do.
pub(super) fn taken_locally(message: &RouteMessage) -> Option<Prefix> {
    let RouteHeader { kind, table, .. } = message.header;
    let is_taken = matches!(kind, RouteType::Local | RouteType::Broadcast | RouteType::Anycast);
    if !is_taken || table != LOCAL_TABLE {
        return None;
    }
    let destination = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => ip(address),
        _ => None,
    });
    let any = || unspecified(message.header.address_family);
    Prefix::containing(destination.unwrap_or_else(any), message.header.destination_prefix_length)
}

fn unspecified(family: AddressFamily) -> IpAddr {
    match family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        _ => IpAddr::from([0; 16]),
    }
}

/// Whether a route carries our [`PROTOCOL`].
pub(super) fn is_ours(message: &RouteMessage) -> bool {
    message.header.protocol == RouteProtocol::from(PROTOCOL)
}

/// The table that a route stands in: the header has room for small numbers only.
pub(super) fn table(message: &RouteMessage) -> u32 {
    let number = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(number) => Some(*number),
        _ => None,
    });
    number.unwrap_or(message.header.table.into())
}

fn name_of(links: &[Link]) -> impl Fn(u32) -> Option<String> {
    |index| links.iter().find(|link| link.index == index).map(|link| link.name.clone())
}

/// The devices that a route leads out of.
fn outputs(message: &RouteMessage) -> Vec<u32> {
    let mut outputs = Vec::new();
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => outputs.push(*index),
            RouteAttribute::MultiPath(hops) => {
                outputs.extend(hops.iter().map(|hop| hop.interface_index));
            }
            _ => {}
        }
    }
    outputs
}

fn family(prefix: &Prefix) -> AddressFamily {
    if prefix.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// Where a route leads to.
pub(super) fn destination(message: &RouteMessage) -> Option<Prefix> {
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => ip(address),
        _ => None,
    });
    let any = || unspecified(message.header.address_family);
    let length = message.header.destination_prefix_length;
    match (address, length) {
        (Some(address), _) => Prefix::containing(address, length),
        (None, 0) => Prefix::containing(any(), 0),
        (None, _) => None,
    }
}

/// `None` for kinds of route that we never make.
pub(super) fn read(message: &RouteMessage, name: impl Fn(u32) -> Option<String>) -> Option<Route> {
    let destination = unspecified(message.header.address_family);
    let (mut destination, mut device, mut gateway) = (destination, None, None);
    let (mut metric, mut table, mut mtu) = (0, u32::from(message.header.table), None);
    let (mut source, mut hop_limit) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(address)?,
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Oif(index) => device = name(*index),
            RouteAttribute::Priority(value) => metric = *value,
            RouteAttribute::Table(value) => table = *value,
            RouteAttribute::PrefSource(address) => source = ip(address),
            RouteAttribute::Metrics(metrics) => {
                mtu = metrics.iter().find_map(mtu_of);
                hop_limit = metrics.iter().find_map(hop_limit_of);
            }
            _ => {}
        }
    }
    let via = match message.header.kind {
        RouteType::Unicast => gateway.map(Via::Gateway).or(device.map(Via::Device))?,
        RouteType::Unreachable => Via::Unreachable,
        RouteType::BlackHole => Via::Blackhole,
        RouteType::Throw => Via::Throw,
        _ => return None,
    };
    let prefix = format!("{destination}/{}", message.header.destination_prefix_length);
    Some(Route { prefix: prefix.parse().ok()?, via, metric, table, mtu, source, hop_limit })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn mtu_of(metric: &RouteMetric) -> Option<u32> {
    match metric {
        RouteMetric::Mtu(mtu) => Some(*mtu),
        _ => None,
    }
}

fn hop_limit_of(metric: &RouteMetric) -> Option<u32> {
    match metric {
        RouteMetric::Hoplimit(hop_limit) => Some(*hop_limit),
        _ => None,
    }
}

//! Routes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use nix::errno::Errno;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol,
    RouteScope, RouteType,
};

use super::{Link, Netlink, PROTOCOL, errno, unless};
use crate::net::Prefix;

/// The table that the kernel keeps of its own addresses (`RT_TABLE_LOCAL`).
const LOCAL_TABLE: u8 = 255;
/// How many requests are on the way to the kernel at once.
const PIPELINE: usize = 256;

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
        let device = self.device_index(route).await?;
        self.change_route(&RouteChange::Set(route.clone()), device).await
    }

    /// Makes many changes in their order, many of them on the way at once; one outcome for each.
    pub async fn change_routes(&self, changes: Vec<RouteChange>) -> Vec<Result<()>> {
        let mut devices = BTreeMap::new();
        for change in &changes {
            if let Via::Device(name) = &change.route().via
                && !devices.contains_key(name)
            {
                let link = self.find_link(name).await.ok().flatten();
                devices.insert(name.clone(), link.map(|link| link.index));
            }
        }
        let index = |route: &Route| match &route.via {
            Via::Device(name) => devices.get(name).copied().flatten(),
            Via::Gateway(_) | Via::Unreachable | Via::Blackhole | Via::Throw => None,
        };
        let requests = changes.into_iter().map(|change| {
            let device = index(change.route());
            async move { self.change_route(&change, device).await }
        });
        futures::stream::iter(requests).buffered(PIPELINE).collect().await
    }

    async fn change_route(&self, change: &RouteChange, device: Option<u32>) -> Result<()> {
        let route = change.route();
        let leads_out = matches!(route.via, Via::Device(_)) && device.is_none();
        match change {
            RouteChange::Set(_) if leads_out => {
                bail!("adding a route to {}: its device is gone", route.prefix)
            }
            RouteChange::Set(_) => {
                let mut added = self.replace_route(route, device).await;
                // The route matters more than a source that the host does not have (any more).
                if route.source.is_some() && is_invalid(&added) {
                    let without = Route { source: None, ..route.clone() };
                    added = self.replace_route(&without, device).await;
                }
                added.with_context(|| format!("adding a route to {}", route.prefix))
            }
            RouteChange::Remove(_) if leads_out => Ok(()),
            RouteChange::Remove(_) => {
                let any_source = Route { source: None, ..route.clone() };
                let message = any_source.message(self.protocol, device);
                let removed = self.handle.route().del(message).execute().await;
                unless(removed, &[Errno::ESRCH, Errno::ENODEV])
                    .with_context(|| format!("removing the route to {}", route.prefix))
            }
        }
    }

    async fn replace_route(
        &self,
        route: &Route,
        device: Option<u32>,
    ) -> Result<(), rtnetlink::Error> {
        let message = route.message(self.protocol, device);
        self.handle.route().add(message).replace().execute().await
    }

    async fn device_index(&self, route: &Route) -> Result<Option<u32>> {
        match &route.via {
            Via::Device(name) => Ok(self.find_link(name).await?.map(|link| link.index)),
            Via::Gateway(_) | Via::Unreachable | Via::Blackhole | Via::Throw => Ok(None),
        }
    }

    /// How the routes of the host go over its devices: those of the main table that have to do with
    /// one of `prefixes`, and all local ones.
    pub async fn device_routes(&self, prefixes: &BTreeSet<Prefix>) -> Result<DeviceRoutes> {
        let links = self.links().await?;
        let name = name_of(&links);
        let is_asked = |to: &Prefix| prefixes.iter().any(|prefix| prefix.overlaps(to));
        let mut found = DeviceRoutes::default();
        for message in self.route_messages().await? {
            let main = message.header.table == RouteHeader::RT_TABLE_MAIN;
            let devices = outputs(&message).into_iter().filter_map(&name);
            if main && message.header.destination_prefix_length == 0 {
                found.defaults.extend(devices);
            } else if let Some(prefix) = taken_locally(&message) {
                for device in devices {
                    found.local.entry(device).or_default().insert(prefix);
                }
            } else if main && let Some(to) = destination(&message).filter(is_asked) {
                for device in devices {
                    found.main.entry(device).or_default().insert(to);
                }
            }
        }
        Ok(found)
    }

    /// All routes that carry our [`PROTOCOL`], in every table.
    pub async fn our_routes(&self) -> Result<Vec<Route>> {
        let links = self.links().await?;
        let name = name_of(&links);
        let messages = self.our_route_messages().await?;
        Ok(messages.iter().filter_map(|message| read(message, &name)).collect())
    }

    /// The routes of the main table, whoever made them.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub async fn main_routes(&self) -> Result<Vec<Route>> {
        let links = self.links().await?;
        let name = name_of(&links);
        let messages = self.route_messages().await?;
        let main = messages.iter().filter(|m| m.header.table == RouteHeader::RT_TABLE_MAIN);
        Ok(main.filter_map(|message| read(message, &name)).collect())
    }

    /// Takes the routes that nobody knows out of tables that are ours alone; says which they were.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub async fn remove_strangers(
        &self,
        is_our_table: impl Fn(u32) -> bool,
        is_known: impl Fn(&Route) -> bool,
    ) -> Result<Vec<String>> {
        let links = self.links().await?;
        let name = name_of(&links);
        let knows =
            |message: &RouteMessage| read(message, &name).is_some_and(|route| is_known(&route));
        let mut messages = self.route_messages().await?;
        messages.retain(|message| {
            is_our_table(table(message)) && !(is_ours(message) && knows(message))
        });
        let mut removed = Vec::new();
        for message in messages {
            let words = destination(&message).map_or("a route".to_owned(), |to| to.to_string());
            let outcome = self.handle.route().del(message).execute().await;
            unless(outcome, &[Errno::ESRCH]).with_context(|| format!("removing {words}"))?;
            removed.push(words);
        }
        Ok(removed)
    }

    async fn our_route_messages(&self) -> Result<Vec<RouteMessage>> {
        let mut messages = self.route_messages().await?;
        messages.retain(is_ours);
        Ok(messages)
    }

    async fn route_messages(&self) -> Result<Vec<RouteMessage>> {
        let mut all = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut query = RouteMessage::default();
            query.header.address_family = family;
            let answers = self.handle.route().get(query).execute();
            let messages: Vec<RouteMessage> =
                answers.try_collect().await.context("listing routes")?;
            all.extend(messages);
        }
        Ok(all)
    }
}

fn is_invalid(outcome: &Result<(), rtnetlink::Error>) -> bool {
    outcome.as_ref().is_err_and(|error| errno(error) == Some(Errno::EINVAL))
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

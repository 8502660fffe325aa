//! Routes.

use std::net::IpAddr;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol,
    RouteScope, RouteType,
};

use super::{Netlink, PROTOCOL, unless};
use crate::net::Prefix;

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
}

impl Route {
    /// A route in the main table, with the default metric.
    pub fn new(prefix: Prefix, via: Via) -> Self {
        let table = u32::from(RouteHeader::RT_TABLE_MAIN);
        Route { prefix, via, metric: 0, table, mtu: None }
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
        let metrics = self.mtu.map(|mtu| vec![RouteMetric::Mtu(mtu)]);
        attributes.extend(metrics.map(RouteAttribute::Metrics));
        message
    }
}

impl Netlink {
    /// Adds a route, or replaces the one with the same prefix, table and metric.
    pub async fn set_route(&self, route: &Route) -> Result<()> {
        let device = match &route.via {
            Via::Device(name) => Some(self.link(name).await?.index),
            Via::Gateway(_) | Via::Unreachable | Via::Blackhole => None,
        };
        let request = self.handle.route().add(route.message(self.protocol, device)).replace();
        request.execute().await.with_context(|| format!("adding a route to {}", route.prefix))
    }

    /// Removes a route of ours. The protocol is part of what the kernel compares, so that a
    /// route which somebody else has made to the same prefix stays.
    pub async fn remove_route(&self, route: &Route) -> Result<()> {
        let device = match &route.via {
            Via::Device(name) => match self.find_link(name).await? {
                Some(link) => Some(link.index),
                None => return Ok(()),
            },
            Via::Gateway(_) | Via::Unreachable | Via::Blackhole => None,
        };
        let removed = self.handle.route().del(route.message(self.protocol, device)).execute().await;
        unless(removed, &[Errno::ESRCH, Errno::ENODEV])
            .with_context(|| format!("removing the route to {}", route.prefix))
    }

    /// All routes that carry our [`PROTOCOL`], in every table.
    pub async fn our_routes(&self) -> Result<Vec<Route>> {
        let links = self.links().await?;
        let name =
            |index| links.iter().find(|link| link.index == index).map(|link| link.name.clone());
        let messages = self.our_route_messages().await?;
        Ok(messages.iter().filter_map(|message| read(message, name)).collect())
    }

    /// Removes what an earlier run has left behind.
    pub async fn remove_our_routes(&self) -> Result<()> {
        for message in self.our_route_messages().await? {
            let removed = self.handle.route().del(message).execute().await;
            unless(removed, &[Errno::ESRCH]).context("removing a stale route")?;
        }
        Ok(())
    }

    async fn our_route_messages(&self) -> Result<Vec<RouteMessage>> {
        let mut ours = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut query = RouteMessage::default();
            query.header.address_family = family;
            let answers = self.handle.route().get(query).execute();
            let messages: Vec<RouteMessage> =
                answers.try_collect().await.context("listing routes")?;
            let marked = RouteProtocol::from(PROTOCOL);
            ours.extend(messages.into_iter().filter(|route| route.header.protocol == marked));
        }
        Ok(ours)
    }
}

fn family(prefix: &Prefix) -> AddressFamily {
    if prefix.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// `None` for kinds of route that we never make.
fn read(message: &RouteMessage, name: impl Fn(u32) -> Option<String>) -> Option<Route> {
    let unspecified = match message.header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        _ => IpAddr::from([0; 16]),
    };
    let (mut destination, mut device, mut gateway) = (unspecified, None, None);
    let (mut metric, mut table, mut mtu) = (0, u32::from(message.header.table), None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(address)?,
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Oif(index) => device = name(*index),
            RouteAttribute::Priority(value) => metric = *value,
            RouteAttribute::Table(value) => table = *value,
            RouteAttribute::Metrics(metrics) => mtu = metrics.iter().find_map(mtu_of),
            _ => {}
        }
    }
    let via = match message.header.kind {
        RouteType::Unicast => gateway.map(Via::Gateway).or(device.map(Via::Device))?,
        RouteType::Unreachable => Via::Unreachable,
        RouteType::BlackHole => Via::Blackhole,
        _ => return None,
    };
    let prefix = format!("{destination}/{}", message.header.destination_prefix_length);
    Some(Route { prefix: prefix.parse().ok()?, via, metric, table, mtu })
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

//! What stands on the host now: of ours in one namespace, and the devices of the underlay.

use super::Place;
use super::words::{wish_of_route, wish_of_rule};
use super::{outlets, segments};
use crate::gateway::world::{ForeignRule, Host, HostDevice, Questions, Wish};
use crate::net::{Prefix, VpcId};
use crate::os::netlink::{InterfaceAddress, Netlink, Rule};
use crate::os::udp::mark;
use anyhow::{Context, Result};
use socket2::Socket;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// All of ours in a namespace; what is marked as ours and is no wish is left out.
pub(super) async fn found(
    netlink: &Netlink,
    namespace: Option<&str>,
    places: &BTreeMap<VpcId, Place>,
) -> Result<BTreeSet<Wish>> {
    let mut found: BTreeSet<Wish> =
        netlink.gather_our_routes(|route| wish_of_route(&route)).await?;
    let rules = netlink.our_rules().await?;
    found.extend(rules.iter().filter_map(|rule| wish_of_rule(rule, namespace)));
    for (&vpc, place) in places.iter().filter(|(_, p)| p.namespace.as_deref() == namespace) {
        let ours = netlink.our_addresses(&place.device).await?;
        let alone = ours.iter().filter(|one| **one == InterfaceAddress::host(one.address));
        found.extend(alone.map(|one| Wish::Address { vpc, address: one.address }));
        if namespace.is_some() {
            let segments = segments::found(netlink, namespace, vpc).await?;
            let interface = segments.first().map(|one| one.name.clone()).unwrap_or_default();
            let macs = segments::found_virtual_macs(netlink, vpc, &interface).await?;
            found.extend(segments.into_iter().map(Box::new).map(Wish::Segment));
            found.extend(macs.into_iter().map(Wish::VirtualMac));
            let outlets = outlets::found(netlink, namespace, vpc).await?;
            found.extend(outlets.into_iter().map(Box::new).map(Wish::Outlet));
        }
    }
    Ok(found)
}

/// The policy rules of others in a namespace.
pub(super) async fn foreign(netlink: &Netlink) -> Result<BTreeSet<ForeignRule>> {
    let rules = netlink.foreign_rules().await?;
    let foreign = |rule: Rule| ForeignRule {
        ipv4: rule.ipv4,
        priority: rule.priority,
        input: rule.input,
        source: rule.source,
        destination: rule.destination,
        mark: rule.mark.is_some(),
    };
    Ok(rules.into_iter().map(foreign).collect())
}

/// The devices of a namespace, with their routes that have to do with `homes`.
pub(super) async fn devices(
    netlink: &Netlink,
    homes: &BTreeSet<Prefix>,
) -> Result<BTreeMap<String, HostDevice>> {
    let mut routes = netlink.device_routes(homes).await?;
    let mut devices = BTreeMap::new();
    for link in netlink.links().await? {
        let addresses = netlink.addresses(&link.name).await?;
        let network = |one: &InterfaceAddress| Prefix::containing(one.address, one.prefix_len);
        let device = HostDevice {
            addresses: addresses.iter().map(|one| one.address).collect(),
            networks: addresses.iter().filter_map(network).collect(),
            is_default: routes.defaults.contains(&link.name),
            routes: routes.main.remove(&link.name).unwrap_or_default(),
            local: routes.local.remove(&link.name).unwrap_or_default(),
            is_down: !link.is_running,
        };
        devices.insert(link.name, device);
    }
    Ok(devices)
}

/// The address from which the kernel would send to each of [`Questions::remotes`].
pub(crate) fn sources(remotes: BTreeSet<IpAddr>) -> BTreeMap<IpAddr, IpAddr> {
    let answer = |remote: IpAddr| Some((remote, source_towards(remote).ok()?));
    remotes.into_iter().filter_map(answer).collect()
}

fn source_towards(remote: IpAddr) -> Result<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).context("opening a socket")?;
    // It asks for the way that the tunnels' own datagrams take.
    mark(&Socket::from(socket.try_clone()?)).context("marking a socket")?;
    socket.connect(SocketAddr::new(remote, 9)).context("asking for a route")?;
    Ok(socket.local_addr()?.ip())
}

/// The host as a configuration asks about it, with the namespaces that are named. What cannot be
/// seen is left out.
pub(crate) async fn host(questions: Questions, namespaces: BTreeSet<String>) -> Result<Host> {
    let netlink = Netlink::here()?;
    let mut elsewhere = BTreeMap::new();
    for name in namespaces {
        if let Ok(netlink) = Netlink::open(Some(&name)) {
            elsewhere.insert(name, devices(&netlink, &questions.homes).await?);
        }
    }
    let rules = BTreeMap::from([(None, foreign(&netlink).await?)]);
    let devices = devices(&netlink, &questions.homes).await?;
    Ok(Host { devices, elsewhere, rules, sources: sources(questions.remotes) })
}

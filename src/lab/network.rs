//! Topologies made real: namespaces, cables, addresses and settings, all by netlink, so that
//! no tool needs to be installed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use anyhow::{Context, Result};

use super::topology::{Cable, Node, Plug, Role, Segment, Topology};
use crate::config::defaults::VXLAN_PORT;
use crate::os::netlink::{Netlink, Route, Vxlan};
use crate::os::process::Process;
use crate::os::{netns, sysctl};

/// How long a process in a namespace that goes may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// The name of a cable's far end until it has moved to its node.
const IN_TRANSIT: &str = "in-transit";

/// Every node, before it has devices: whatever the machine's defaults are, the lab's are these.
const COMMON: [(&str, &str); 7] = [
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.all.arp_ignore", "0"),
    ("net.ipv4.conf.default.arp_ignore", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.default.router_solicitations", "0"),
];
const FORWARDING: [(&str, &str); 4] = [
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    // Two subnets of a VPC share a link: without this each packet between them draws an
    // ICMP redirect.
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
];
const SWITCHING: [(&str, &str); 1] = [("net.ipv6.conf.default.disable_ipv6", "1")];

/// The namespace of a node.
pub fn namespace(prefix: &str, node: &str) -> String {
    format!("{prefix}-{node}")
}

/// Makes the namespaces and everything in them. What an earlier run has left must be gone.
pub async fn build(prefix: &str, topology: &Topology) -> Result<()> {
    let mut nodes = BTreeMap::new();
    for node in &topology.nodes {
        let netlink = prepare(prefix, node).await;
        let netlink = netlink.with_context(|| format!("making the node {}", node.name))?;
        nodes.insert(node.name.as_str(), netlink);
    }
    for cable in &topology.cables {
        lay(prefix, cable, &nodes).await?;
    }
    for node in &topology.nodes {
        let Some(netlink) = nodes.get(node.name.as_str()) else { continue };
        let done = address(netlink, node).await;
        done.with_context(|| format!("giving {} its addresses", node.name))?;
        let done = segments(prefix, netlink, node).await;
        done.with_context(|| format!("giving {} its segments", node.name))?;
    }
    Ok(())
}

/// Ends what runs in the namespaces of a topology and removes them. What is not there is no
/// error.
pub fn remove(prefix: &str, topology: &Topology) -> Result<()> {
    let names: Vec<String> =
        topology.nodes.iter().map(|node| namespace(prefix, &node.name)).collect();
    end_processes(&names)?;
    names.iter().try_for_each(|name| netns::delete(name))
}

/// Ends the processes that live in any of these namespaces: they can only be ours.
fn end_processes(namespaces: &[String]) -> Result<()> {
    let identities: Vec<(u64, u64)> =
        namespaces.iter().filter_map(|name| identity(&netns::path(name))).collect();
    let processes: Vec<Process> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let own = identity(format!("/proc/{pid}/ns/net").as_ref());
            own.is_some_and(|own| identities.contains(&own))
        })
        .filter_map(|pid| Process::of(pid).ok())
        .collect();
    for process in &processes {
        process.signal(nix::sys::signal::Signal::SIGTERM)?;
    }
    processes.iter().try_for_each(|process| process.end(PATIENCE))
}

/// Two paths lead to one namespace when device and inode agree (`namespaces(7)`).
fn identity(path: &std::path::Path) -> Option<(u64, u64)> {
    let facts = fs::metadata(path).ok()?;
    Some((facts.dev(), facts.ino()))
}

async fn prepare(prefix: &str, node: &Node) -> Result<Netlink> {
    let name = namespace(prefix, &node.name);
    netns::create(&name)?;
    let specific: &[(&str, &str)] = match node.role {
        Role::Host | Role::World => &[],
        Role::Gateway | Role::Router | Role::Vpc => &FORWARDING,
        Role::Switch | Role::Compute => &SWITCHING,
    };
    for (key, value) in COMMON.iter().chain(specific) {
        sysctl::write(Some(&name), key, value)?;
    }
    let netlink = Netlink::open(Some(&name))?.as_administrator();
    netlink.set_up("lo").await?;
    for bridge in &node.bridges {
        netlink.add_bridge(bridge).await?;
        netlink.set_up(bridge).await?;
    }
    Ok(netlink)
}

async fn lay(prefix: &str, cable: &Cable, nodes: &BTreeMap<&str, Netlink>) -> Result<()> {
    let [one, other] = &cable.ends;
    let node = |plug: &Plug| {
        nodes.get(plug.node.as_str()).with_context(|| format!("there is no node {}", plug.node))
    };
    let (here, there) = (node(one)?, node(other)?);
    here.add_veth(&one.device, IN_TRANSIT).await?;
    here.move_link(IN_TRANSIT, &namespace(prefix, &other.node)).await?;
    there.rename(IN_TRANSIT, &other.device).await?;
    for (netlink, plug) in [(here, one), (there, other)] {
        if let Some(bridge) = &plug.bridge {
            netlink.set_bridge(&plug.device, bridge).await?;
        }
        netlink.set_up(&plug.device).await?;
    }
    Ok(())
}

/// VXLAN devices, once the node has the address that they come from.
async fn segments(prefix: &str, netlink: &Netlink, node: &Node) -> Result<()> {
    let here = node.segments.iter().filter(|segment| node.bridges.contains(&segment.bridge));
    for Segment { device, vni, local, vteps, bridge } in here {
        let vxlan =
            Vxlan { name: device.clone(), vni: *vni, local: *local, port: VXLAN_PORT, mtu: 1450 };
        netlink.add_vxlan(&vxlan, &namespace(prefix, &node.name)).await?;
        for vtep in vteps {
            netlink.add_to_flood_list(device, *vtep).await?;
        }
        netlink.set_bridge(device, bridge).await?;
        netlink.set_up(device).await?;
    }
    Ok(())
}

async fn address(netlink: &Netlink, node: &Node) -> Result<()> {
    for (device, mtu) in &node.mtus {
        netlink.set_mtu(device, *mtu).await?;
    }
    for (device, address) in &node.addresses {
        netlink.add_address(device, *address).await?;
    }
    for (prefix, via) in &node.routes {
        netlink.set_route(&Route::new(*prefix, via.clone())).await?;
    }
    Ok(())
}

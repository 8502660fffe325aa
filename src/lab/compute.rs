//! Three regions whose hosts are virtual machines on compute nodes: two tenants with equal prefixes,
//! kept apart by a VXLAN segment and a network namespace each.
//!
//! ```text
//!                          underlay, as in the reference deployment
//!                 10.79.R.10/24                              10.79.R.20/24
//!                  ┌───┴─────────────────┐                  ┌───┴────
//!             wan0 │      REGION-a       │             wan0 │ REGION-b        vpngwd
//!                  │ REGION-a-red  -blue │ a namespace      │
//!                  │  vx-red    vx-blue  │ for each tenant  │
//!             fab0 │.2                   │             fab0 │.3
//!                  └───┬─────────────────┘                  └───┬────
//!                 REGION-fabric   10.9.R.0/24                   │              VXLAN only
//!                  ┌───┴──────────────────────┬─────────────────┘
//!             fab0 │.11                       │.12
//!             REGION-node-a              REGION-node-b                         bridges
//!              │         │                │         │
//!         REGION-red-a  -blue-a      REGION-red-b  -blue-b                     virtual machines
//!
//!  The world is behind the underlay: `world`, 198.51.100.2. It reaches 203.0.113.(16 R + 2 ... 4), which
//!  both gateways of region R translate.
//!
//!  region R (1 East, 2 North, 3 South)        zone a                zone b
//!  virtual machine, of either tenant          10.R.1.10/24          10.R.2.10/24
//!                                             fd00:R:0:1::10/64     fd00:R:0:2::10/64
//!  gateway in either segment                  10.R.{1,2}.2/24       10.R.{1,2}.3/24
//!  the virtual machine's router (VRRP)        10.R.1.1              10.R.2.1
//! ```

use super::reference::{REGIONS, UNDERLAY, ZONES, gateway};
use std::net::Ipv4Addr;

use super::topology::{Plug, Role, Segment, Topology, plug, port};

/// The tenants with the VNIs of their segments.
pub const TENANTS: [(&str, u32); 2] = [("red", 100), ("blue", 200)];
/// A host that is no VPC's, beyond the underlay.
pub const WORLD: &str = "world";
/// What VXLAN over IPv4 leaves of 1500 bytes.
const MTU: u32 = 1450;

/// The deployment that the files in `configs/compute/` describe; the bridges of its compute nodes are
/// the kernel's, or come later.
pub fn three_regions(has_bridges: bool) -> Topology {
    let mut topology = Topology::default();
    topology.node(UNDERLAY, Role::Router).address(WORLD, "198.51.100.1/24");
    topology
        .node(WORLD, Role::World)
        .address("eth0", "198.51.100.2/24")
        .route("0.0.0.0/0", "198.51.100.1");
    topology.cable(plug(WORLD, "eth0"), plug(UNDERLAY, WORLD));
    for (region, number) in REGIONS {
        add_region(&mut topology, region, number, has_bridges);
    }
    topology
}

/// The namespace of a tenant at a gateway.
pub fn vpc(gateway: &str, tenant: &str) -> String {
    format!("{gateway}-{tenant}")
}

/// The compute node of a zone.
pub fn node(region: &str, zone: &str) -> String {
    format!("{region}-node-{zone}")
}

/// The public addresses of a region: red's service and egress, red's machine in zone b, blue's service.
pub fn public_addresses(region: &str) -> Option<[Ipv4Addr; 3]> {
    let (_, number) = REGIONS.into_iter().find(|(name, _)| *name == region)?;
    Some([2, 3, 4].map(|last| Ipv4Addr::new(203, 0, 113, 16 * number + last)))
}

/// The virtual machine of a tenant in a zone.
pub fn machine(region: &str, tenant: &str, zone: &str) -> String {
    format!("{region}-{tenant}-{zone}")
}

/// Region, tenant and zone of a virtual machine.
pub fn place(machine: &str) -> Option<(&str, &str, &str)> {
    let (region, rest) = machine.split_once('-')?;
    let (tenant, zone) = rest.split_once('-')?;
    Some((region, tenant, zone))
}

/// The switch of a region's compute nodes.
fn fabric(region: &str) -> String {
    format!("{region}-fabric")
}

fn add_region(topology: &mut Topology, region: &str, number: u8, has_bridges: bool) {
    topology.node(fabric(region), Role::Switch).bridge("br0");
    if let Some(underlay) = topology.nodes.iter_mut().find(|node| node.name == UNDERLAY) {
        underlay.bridge(region).address(region, &format!("10.79.{number}.1/24"));
        underlay.address(region, &format!("203.0.113.{}/28", 16 * number + 1));
    }
    for (zone, place) in ZONES {
        add_gateway(topology, region, number, zone, place);
        add_node(topology, (region, number), (zone, place), has_bridges);
    }
}

fn add_gateway(topology: &mut Topology, region: &str, number: u8, zone: &str, place: u8) {
    let name = gateway(region, zone);
    topology
        .node(&name, Role::Gateway)
        .address("wan0", &format!("10.79.{number}.{}/24", place * 10))
        .address("fab0", &format!("10.9.{number}.{}/24", place + 1))
        .route("0.0.0.0/0", &format!("10.79.{number}.1"));
    topology.cable(plug(&name, "wan0"), port(UNDERLAY, &name, region));
    topology.cable(plug(&name, "fab0"), port(&fabric(region), &name, "br0"));
    for (tenant, _) in TENANTS {
        topology.node(vpc(&name, tenant), Role::Vpc);
    }
}

/// A compute node: a bridge for each tenant, with a segment and a virtual machine at it.
fn add_node(
    topology: &mut Topology,
    (region, number): (&str, u8),
    (zone, place): (&str, u8),
    has_bridges: bool,
) {
    let name = node(region, zone);
    let local = [10, 9, number, place + 10];
    let vteps = [2, 3, 11, 12].map(|last| [10, 9, number, last]);
    let others = vteps.into_iter().filter(|vtep| *vtep != local).map(Into::into);
    let node = topology.node(&name, Role::Compute);
    node.address("fab0", &format!("10.9.{number}.{}/24", place + 10));
    for (tenant, vni) in TENANTS {
        if has_bridges {
            node.bridge(tenant);
        }
        node.segment(Segment {
            device: format!("vx-{tenant}"),
            vni,
            local: local.into(),
            vteps: others.clone().collect(),
            bridge: tenant.to_owned(),
        });
    }
    topology.cable(plug(&name, "fab0"), port(&fabric(region), &format!("node-{zone}"), "br0"));
    for (tenant, _) in TENANTS {
        let machine = machine(region, tenant, zone);
        topology
            .node(&machine, Role::Host)
            .address("eth0", &format!("10.{number}.{place}.10/24"))
            .address("eth0", &format!("fd00:{number}:0:{place}::10/64"))
            .mtu("eth0", MTU)
            .route("0.0.0.0/0", &format!("10.{number}.{place}.1"))
            .route("::/0", &format!("fd00:{number}:0:{place}::1"));
        let device = format!("vm-{tenant}");
        let there = plug(&name, &device);
        let bridge = has_bridges.then(|| tenant.to_owned());
        topology.cable(plug(&machine, "eth0"), Plug { bridge, ..there });
    }
}

#[cfg(test)]
mod tests;

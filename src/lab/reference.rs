//! The reference deployment: three regions, two zones each, full mesh between the regions.
//!
//! ```text
//!                         underlay (routes between the regions)
//!                 10.79.1.1/24      10.79.2.1/24      10.79.3.1/24
//!                  ┌───┴────┐        ┌───┴────┐        ┌───┴────┐
//!             wan0 │.10     │.20     │.10     │.20     │.10     │.20
//!               east-a   east-b   north-a  north-b  south-a  south-b     vpngwd
//!             vpc0 │.2      │.3      │        │        │        │
//!                  └───┬────┘        └───┬────┘        └───┬────┘
//!                   east-vpc         north-vpc          south-vpc        a bridge each
//!                  ┌───┴────┐        ┌───┴────┐        ┌───┴────┐
//!            host-a│.1.10   │.2.10   │        │        │        │host-b
//!
//!  region R (1 East, 2 North, 3 South)   zone a              zone b
//!  gateway on the underlay               10.79.R.10/24       10.79.R.20/24
//!  gateway in the VPC                    10.R.{1,2}.2/24     10.R.{1,2}.3/24
//!                                        fd00:R:0:{1,2}::2   fd00:R:0:{1,2}::3  /64
//!  host                                  10.R.1.10/24        10.R.2.10/24
//!                                        fd00:R:0:1::10/64   fd00:R:0:2::10/64
//!  the host's router (VRRP)              10.R.1.1            10.R.2.1
//!                                        fd00:R:0:1::1       fd00:R:0:2::1
//! ```

use super::topology::{Role, Topology, plug, port};

/// The regions with their numbers.
pub const REGIONS: [(&str, u8); 3] = [("east", 1), ("north", 2), ("south", 3)];
/// The zones with their subnet's number.
pub const ZONES: [(&str, u8); 2] = [("a", 1), ("b", 2)];
/// The router between the regions.
pub const UNDERLAY: &str = "underlay";

/// The deployment that the files in `configs/` describe.
pub fn three_regions() -> Topology {
    let mut topology = Topology::default();
    topology.node(UNDERLAY, Role::Router);
    for (region, number) in REGIONS {
        add_region(&mut topology, region, number);
    }
    topology
}

/// The name of a host.
pub fn host(region: &str, zone: &str) -> String {
    format!("{region}-host-{zone}")
}

/// The name of a gateway, and of its zone.
pub fn gateway(region: &str, zone: &str) -> String {
    format!("{region}-{zone}")
}

/// The gateway and the host that go down with a zone.
pub fn in_zone(name: &str) -> Option<(String, String)> {
    let (region, zone) = name.split_once('-')?;
    let is_known = REGIONS.iter().any(|(known, _)| *known == region)
        && ZONES.iter().any(|(known, _)| *known == zone);
    is_known.then(|| (gateway(region, zone), host(region, zone)))
}

fn add_region(topology: &mut Topology, region: &str, number: u8) {
    let switch = format!("{region}-vpc");
    topology.node(&switch, Role::Switch).bridge("br0");
    if let Some(underlay) = topology.nodes.iter_mut().find(|node| node.name == UNDERLAY) {
        underlay.bridge(region).address(region, &format!("10.79.{number}.1/24"));
    }
    for (zone, subnet) in ZONES {
        add_gateway(topology, region, number, zone, subnet);
        add_host(topology, region, number, zone, subnet);
    }
}

fn add_gateway(topology: &mut Topology, region: &str, number: u8, zone: &str, place: u8) {
    let (name, last) = (gateway(region, zone), place + 1);
    topology
        .node(&name, Role::Gateway)
        .address("wan0", &format!("10.79.{number}.{}/24", place * 10))
        .address("vpc0", &format!("10.{number}.1.{last}/24"))
        .address("vpc0", &format!("10.{number}.2.{last}/24"))
        .address("vpc0", &format!("fd00:{number}:0:1::{last}/64"))
        .address("vpc0", &format!("fd00:{number}:0:2::{last}/64"))
        .route("0.0.0.0/0", &format!("10.79.{number}.1"));
    topology.cable(plug(&name, "wan0"), port(UNDERLAY, &name, region));
    topology.cable(plug(&name, "vpc0"), port(&format!("{region}-vpc"), &name, "br0"));
}

fn add_host(topology: &mut Topology, region: &str, number: u8, zone: &str, subnet: u8) {
    let name = host(region, zone);
    topology
        .node(&name, Role::Host)
        .address("eth0", &format!("10.{number}.{subnet}.10/24"))
        .address("eth0", &format!("fd00:{number}:0:{subnet}::10/64"))
        .route("0.0.0.0/0", &format!("10.{number}.{subnet}.1"))
        .route("::/0", &format!("fd00:{number}:0:{subnet}::1"));
    topology.cable(plug(&name, "eth0"), port(&format!("{region}-vpc"), &name, "br0"));
}

#[cfg(test)]
mod tests;

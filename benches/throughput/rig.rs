//! The network that every contestant runs in: two sites, a router between their gateways.

use anyhow::{Context, Result, bail};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use vpngw::lab::topology::{Node, Role, Segment, Topology, plug, port};
use vpngw::lab::{network, wait_for};
use vpngw::os::netlink::{Netlink, Route, Via};
use vpngw::os::{netns, process};

/// In front of every namespace's name.
const PREFIX: &str = "vpnbench";
/// Longest time until a tunnel passes packets.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway of the rig.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    /// Its node.
    pub gateway: &'static str,
    /// The gateway's address on the underlay.
    pub underlay: &'static str,
    /// The network behind it.
    pub lan: &'static str,
    /// The router's address at the gateway.
    pub router: &'static str,
    /// By which prefix the other side knows the network, where prefixes are translated.
    pub known_as: &'static str,
    /// The hosts' next hop.
    pub next_hop: &'static str,
    /// Its host.
    pub host: &'static str,
    /// The host's address.
    pub address: &'static str,
    /// The namespace of the VPC, where the hosts are in a segment.
    pub vpc: &'static str,
    /// The gateway's end of the segment.
    pub vtep: &'static str,
    /// The compute node, where there is one.
    pub node: &'static str,
    /// Its end.
    pub node_vtep: &'static str,
}

/// What is between a gateway and its hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A cable.
    Plain,
    /// A compute node, which puts its host's packets into VXLAN.
    Vxlan,
}

/// The two sites.
pub(crate) const SITES: [Site; 2] = [
    Site {
        gateway: "g1",
        underlay: "10.79.1.1",
        lan: "10.71.1.0/24",
        router: "10.79.1.2",
        known_as: "100.71.1.0/24",
        next_hop: "10.71.1.1",
        host: "h1",
        address: "10.71.1.2/24",
        node: "n1",
        vpc: "g1-site",
        vtep: "10.9.1.1",
        node_vtep: "10.9.1.11",
    },
    Site {
        gateway: "g2",
        underlay: "10.79.2.1",
        lan: "10.71.2.0/24",
        router: "10.79.2.2",
        known_as: "100.71.2.0/24",
        next_hop: "10.71.2.1",
        host: "h2",
        address: "10.71.2.2/24",
        node: "n2",
        vpc: "g2-site",
        vtep: "10.9.2.1",
        node_vtep: "10.9.2.11",
    },
];
/// What VXLAN over IPv4 leaves of 1500 bytes.
const SEGMENT_MTU: u32 = 1450;
/// The host that receives.
pub(crate) const RECEIVER: &str = "10.71.2.2";

/// The rig, up; it goes with everything that runs in it when this is dropped.
pub(crate) struct Rig {
    topology: Topology,
    folder: tempfile::TempDir,
}

impl Rig {
    /// Builds the namespaces; removes what an earlier run has left.
    pub(crate) fn build(shape: Shape) -> Result<Rig> {
        let topology = match shape {
            Shape::Plain => dumbbell(),
            Shape::Vxlan => segments(),
        };
        network::remove(PREFIX, &segments())?;
        let folder = tempfile::tempdir()?;
        let rig = Rig { topology, folder };
        wait_for(network::build(PREFIX, &rig.topology))?;
        Ok(rig)
    }

    /// A place for configurations and logs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The log of a gateway's program.
    pub(crate) fn log(&self, node: &str) -> PathBuf {
        self.folder().join(format!("{node}.log"))
    }

    /// The namespace of a node.
    pub(crate) fn namespace(&self, node: &str) -> String {
        network::namespace(PREFIX, node)
    }

    /// Starts a program in a node, with its output piped.
    pub(crate) fn spawn(&self, node: &str, argv: &[&str]) -> Result<std::process::Child> {
        let (program, arguments) = argv.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        netns::place(&mut command, &self.namespace(node))?;
        command.spawn().with_context(|| format!("starting {program}"))
    }

    /// Runs a program in a node to its end.
    pub(crate) fn run(&self, node: &str, argv: &[&str]) -> Result<Output> {
        Ok(self.spawn(node, argv)?.wait_with_output()?)
    }

    /// Starts a gateway's program, which runs on until the rig goes.
    pub(crate) fn start(&self, node: &str, command: &mut Command) -> Result<process::Process> {
        vpngw::lab::daemon::start_in(command, &self.namespace(node), &self.log(node))
    }

    /// Adds a route in a node.
    pub(crate) fn route(&self, node: &str, prefix: &str, via: Via) -> Result<()> {
        let route = Route::new(prefix.parse()?, via);
        let namespace = self.namespace(node);
        wait_for(async { Netlink::open(Some(&namespace))?.set_route(&route).await })
    }

    /// Waits for a device, sets its MTU and brings it up.
    pub(crate) fn bring_up(&self, node: &str, device: &str, mtu: u32) -> Result<()> {
        let namespace = self.namespace(node);
        self.wait(&format!("{device} in {node}"), || {
            wait_for(async {
                let netlink = Netlink::open(Some(&namespace))?;
                netlink.set_mtu(device, mtu).await?;
                netlink.set_up(device).await
            })
            .is_ok()
        })
    }

    /// Waits until h1 reaches h2.
    pub(crate) fn wait_for_ping(&self, receiver: &str) -> Result<()> {
        let ping = ["ping", "-n", "-c", "1", "-W", "1", receiver];
        self.wait("a ping from h1 to h2", || {
            self.run("h1", &ping).is_ok_and(|output| output.status.success())
        })
        .with_context(|| {
            SITES.map(|site| vpngw::lab::daemon::last_lines(&self.log(site.gateway))).join("\n")
        })
    }

    /// Waits until something holds.
    pub(crate) fn wait(&self, what: &str, holds: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            if Instant::now() > deadline {
                bail!("waited in vain for {what}");
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Err(error) = network::remove(PREFIX, &self.topology) {
            eprintln!("left behind: {error:#}");
        }
    }
}

fn dumbbell() -> Topology {
    let mut topology = wan();
    for site in SITES {
        let gateway = topology.nodes.iter_mut().find(|node| node.name == site.gateway);
        gateway.map(|gateway| gateway.address("lan0", &format!("{}/24", site.next_hop)));
        add_host(&mut topology, site);
        topology.cable(plug(site.host, "eth0"), plug(site.gateway, "lan0"));
    }
    topology
}

/// The same with a compute node between each gateway and its host.
fn segments() -> Topology {
    let mut topology = wan();
    for site in SITES {
        let gateway = topology.nodes.iter_mut().find(|node| node.name == site.gateway);
        gateway.map(|gateway| gateway.address("fab0", &format!("{}/24", site.vtep)));
        topology.node(site.vpc, Role::Vpc);
        add_host(&mut topology, site).mtu("eth0", SEGMENT_MTU);
        topology
            .node(site.node, Role::Compute)
            .address("fab0", &format!("{}/24", site.node_vtep))
            .bridge("br0")
            .segment(Segment {
                device: "vx0".to_owned(),
                vni: 100,
                local: literal(site.node_vtep),
                vteps: vec![literal(site.vtep)],
                bridge: "br0".to_owned(),
            });
        topology.cable(plug(site.node, "fab0"), plug(site.gateway, "fab0"));
        topology.cable(plug(site.host, "eth0"), port(site.node, "vm0", "br0"));
    }
    topology
}

fn add_host(topology: &mut Topology, site: Site) -> &mut Node {
    let host = topology.node(site.host, Role::Host);
    host.address("eth0", site.address).route("0.0.0.0/0", site.next_hop)
}

/// The gateways, with a router between them.
fn wan() -> Topology {
    let mut topology = Topology::default();
    topology
        .node("g1", Role::Gateway)
        .address("wan0", "10.79.1.1/24")
        .route("10.79.2.0/24", "10.79.1.2");
    topology
        .node("g2", Role::Gateway)
        .address("wan0", "10.79.2.1/24")
        .route("10.79.1.0/24", "10.79.2.2");
    topology
        .node("net", Role::Router)
        .address("net1", "10.79.1.2/24")
        .address("net2", "10.79.2.2/24");
    topology.cable(plug("g1", "wan0"), plug("net", "net1"));
    topology.cable(plug("g2", "wan0"), plug("net", "net2"));
    topology
}

fn literal(address: &str) -> IpAddr {
    address.parse().expect("an address of the rig")
}

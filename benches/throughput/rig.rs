//! The network that every contestant runs in: two sites, a router between their gateways.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use vpngw::lab::topology::{Role, Topology, plug};
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
}

/// The two sites.
pub(crate) const SITES: [Site; 2] = [
    Site { gateway: "g1", underlay: "10.79.1.1", lan: "10.71.1.0/24", router: "10.79.1.2" },
    Site { gateway: "g2", underlay: "10.79.2.1", lan: "10.71.2.0/24", router: "10.79.2.2" },
];
/// The host that receives.
pub(crate) const RECEIVER: &str = "10.71.2.2";

/// The rig, up; it goes with everything that runs in it when this is dropped.
pub(crate) struct Rig {
    topology: Topology,
    folder: tempfile::TempDir,
}

impl Rig {
    /// Builds the namespaces; removes what an earlier run has left.
    pub(crate) fn build() -> Result<Rig> {
        let topology = dumbbell();
        network::remove(PREFIX, &topology)?;
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
    pub(crate) fn wait_for_ping(&self) -> Result<()> {
        let ping = ["ping", "-n", "-c", "1", "-W", "1", RECEIVER];
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
    let mut topology = Topology::default();
    topology.node("h1", Role::Host).address("eth0", "10.71.1.2/24").route("0.0.0.0/0", "10.71.1.1");
    topology.node("h2", Role::Host).address("eth0", "10.71.2.2/24").route("0.0.0.0/0", "10.71.2.1");
    topology
        .node("g1", Role::Gateway)
        .address("lan0", "10.71.1.1/24")
        .address("wan0", "10.79.1.1/24")
        .route("10.79.2.0/24", "10.79.1.2");
    topology
        .node("g2", Role::Gateway)
        .address("lan0", "10.71.2.1/24")
        .address("wan0", "10.79.2.1/24")
        .route("10.79.1.0/24", "10.79.2.2");
    topology
        .node("net", Role::Router)
        .address("net1", "10.79.1.2/24")
        .address("net2", "10.79.2.2/24");
    topology.cable(plug("h1", "eth0"), plug("g1", "lan0"));
    topology.cable(plug("h2", "eth0"), plug("g2", "lan0"));
    topology.cable(plug("g1", "wan0"), plug("net", "net1"));
    topology.cable(plug("g2", "wan0"), plug("net", "net2"));
    topology
}

//! Two network namespaces with a cable between them: `gw`, where who answers runs, and `gen`, where
//! every address of the initiators is at home.

use anyhow::{Context, Result, ensure};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use vpngw::lab::topology::{Role, Topology, plug};
use vpngw::lab::{network, wait_for};
use vpngw::os::netns;

/// In front of every namespace's name.
const PREFIX: &str = "vpnhand";
/// The responder's address.
pub(crate) const RESPONDER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 79, 1, 1));
/// What is behind the responder.
pub(crate) const BEHIND_RESPONDER: &str = "10.1.0.0/16";
/// The initiators' addresses, from the second on.
const INITIATORS: &str = "10.100.0.0/14";
const FIRST_INITIATOR: u32 = u32::from_be_bytes([10, 100, 0, 1]);
const FIRST_INSIDE: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// The network behind the first initiator.
const FIRST_NETWORK: u32 = u32::from_be_bytes([20, 0, 0, 0]);

/// The address of an initiator.
pub(crate) fn address_of(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(FIRST_INITIATOR + number).into()
}

/// What is behind an initiator.
pub(crate) fn behind(number: u32) -> String {
    format!("{}/24", Ipv4Addr::from_bits(FIRST_NETWORK + number * 256))
}

/// The addresses inside an initiator's tunnel (RFC 2544's range): the responder's, and its own.
pub(crate) fn inside(number: u32) -> (IpAddr, IpAddr) {
    let at = |offset| Ipv4Addr::from_bits(FIRST_INSIDE + 2 * number + offset).into();
    (at(0), at(1))
}

/// Whom an initiator says that it is.
pub(crate) fn identity_of(number: u32) -> String {
    format!("p{number}.test")
}

/// The rig, up; it goes with everything that runs in it when this is dropped.
pub(crate) struct Rig {
    topology: Topology,
    folder: tempfile::TempDir,
}

impl Rig {
    /// Builds the namespaces; removes what an earlier run has left.
    pub(crate) fn build() -> Result<Rig> {
        let topology = cable();
        network::remove(PREFIX, &topology)?;
        let rig = Rig { topology, folder: tempfile::tempdir()? };
        wait_for(network::build(PREFIX, &rig.topology))?;
        rig.ip(Node::Responder, &["addr", "add", "10.1.0.1/16", "dev", "lo"])?;
        rig.ip(Node::Initiators, &["route", "add", "local", INITIATORS, "dev", "lo"])?;
        Ok(rig)
    }

    /// A place for configurations, keys and logs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The name of a namespace.
    pub(crate) fn namespace(&self, node: Node) -> String {
        network::namespace(PREFIX, node.name())
    }

    fn ip(&self, node: Node, words: &[&str]) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(words);
        netns::place(&mut command, &self.namespace(node))?;
        let status = command.status().context("running ip (iproute2)")?;
        ensure!(status.success(), "ip {} has failed", words.join(" "));
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

/// A namespace of the rig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Responder,
    Initiators,
}

impl Node {
    fn name(self) -> &'static str {
        match self {
            Node::Responder => "gw",
            Node::Initiators => "gen",
        }
    }
}

fn cable() -> Topology {
    let mut topology = Topology::default();
    let responder = topology.node(Node::Responder.name(), Role::Gateway);
    responder.address("wan0", "10.79.1.1/24").route(INITIATORS, "10.79.1.2");
    topology.node(Node::Initiators.name(), Role::Host).address("wan0", "10.79.1.2/24");
    topology.cable(plug(Node::Responder.name(), "wan0"), plug(Node::Initiators.name(), "wan0"));
    topology
}

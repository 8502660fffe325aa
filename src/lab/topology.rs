//! Networks as data: which namespaces there are, how they are cabled, who has which address.
//!
//! Nothing here touches the system; [`super::network`] makes a topology real.

use crate::net::InterfaceAddress;
use crate::net::Prefix;
use crate::os::netlink::Via;
use std::net::IpAddr;

/// What a node does with packets that are not for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An end system.
    Host,
    /// An end system that is no VPC's.
    World,
    /// Runs vpngwd, or a peer of it; forwards.
    Gateway,
    /// Forwards; its cables may share a bridge.
    Router,
    /// Forwards frames, has no addresses.
    Switch,
    /// A VPC at a gateway: its TUN device and that of its segment are made there; forwards.
    Vpc,
    /// Runs virtual machines: forwards their frames, and has an address of its own.
    Compute,
}

/// A network namespace with its devices.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, to which a lab puts its prefix.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Bridges inside it.
    pub bridges: Vec<String>,
    /// Addresses of its devices.
    pub addresses: Vec<(String, InterfaceAddress)>,
    /// Its static routes.
    pub routes: Vec<(Prefix, Via)>,
    /// The MTU of devices that differ from others, in bytes.
    pub mtus: Vec<(String, u32)>,
    /// VXLAN devices at its bridges.
    pub segments: Vec<Segment>,
}

/// A VXLAN device that is a port of a bridge (RFC 7348).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name.
    pub device: String,
    /// Its VNI.
    pub vni: u32,
    /// The node's own end.
    pub local: IpAddr,
    /// The other ends.
    pub vteps: Vec<IpAddr>,
    /// The bridge.
    pub bridge: String,
}

/// One end of a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plug {
    /// The node.
    pub node: String,
    /// The device there.
    pub device: String,
    /// The bridge that the device is a port of.
    pub bridge: Option<String>,
}

/// A pair of connected devices.
#[derive(Clone, Debug)]
pub struct Cable {
    /// One end, then the other.
    pub ends: [Plug; 2],
}

/// A whole network.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Its namespaces.
    pub nodes: Vec<Node>,
    /// What connects them.
    pub cables: Vec<Cable>,
}

impl Topology {
    /// Adds a node.
    pub fn node(&mut self, name: impl Into<String>, role: Role) -> &mut Node {
        let node = Node {
            name: name.into(),
            role,
            bridges: Vec::new(),
            addresses: Vec::new(),
            routes: Vec::new(),
            mtus: Vec::new(),
            segments: Vec::new(),
        };
        self.nodes.push(node);
        let last = self.nodes.len() - 1;
        &mut self.nodes[last]
    }

    /// Connects two devices, which come to be by this.
    pub fn cable(&mut self, one: Plug, other: Plug) {
        self.cables.push(Cable { ends: [one, other] });
    }

    /// The names of the nodes of a role, in the order of their making.
    pub fn names(&self, role: Role) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter(move |node| node.role == role).map(|node| node.name.as_str())
    }

    /// A node by name.
    pub fn find(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The far end of the cable at a device: where the cable can be pulled.
    pub fn far_end(&self, node: &str, device: &str) -> Option<&Plug> {
        let is_here = |plug: &Plug| plug.node == node && plug.device == device;
        self.cables.iter().find_map(|cable| match &cable.ends {
            [one, other] if is_here(one) => Some(other),
            [other, one] if is_here(one) => Some(other),
            _ => None,
        })
    }
}

impl Node {
    /// Gives a device an address such as `10.1.1.2/24`.
    pub fn address(&mut self, device: &str, address: &str) -> &mut Self {
        self.addresses.push((device.to_owned(), literal(address)));
        self
    }

    /// Adds a route, such as `0.0.0.0/0` by `10.1.1.1`.
    pub fn route(&mut self, prefix: &str, gateway: &str) -> &mut Self {
        self.routes.push((literal(prefix), Via::Gateway(literal(gateway))));
        self
    }

    /// Gives a device another MTU.
    pub fn mtu(&mut self, device: &str, mtu: u32) -> &mut Self {
        self.mtus.push((device.to_owned(), mtu));
        self
    }

    /// Adds a VXLAN device at one of its bridges.
    pub fn segment(&mut self, segment: Segment) -> &mut Self {
        self.segments.push(segment);
        self
    }

    /// Adds a bridge.
    pub fn bridge(&mut self, name: &str) -> &mut Self {
        self.bridges.push(name.to_owned());
        self
    }
}

/// A device that stands for itself.
pub fn plug(node: &str, device: &str) -> Plug {
    Plug { node: node.to_owned(), device: device.to_owned(), bridge: None }
}

/// A device that is a port of a bridge.
pub fn port(node: &str, device: &str, bridge: &str) -> Plug {
    Plug { bridge: Some(bridge.to_owned()), ..plug(node, device) }
}

/// Topologies are written in this source, so a text that does not parse is a defect here.
fn literal<T: std::str::FromStr>(text: &str) -> T {
    match text.parse() {
        Ok(value) => value,
        Err(_) => unreachable!("'{text}' is written in a topology and must parse"),
    }
}

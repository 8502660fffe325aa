//! What goes into a gateway and what comes out of it, as values. The shell moves these between
//! the gateway and Linux; the virtual network of the tests moves them between gateways.

use super::streams::StreamOutput;
use super::world::Change;
use crate::crypto::secret::Secret;
use crate::forward::{Snapshot, TunnelEntry};
use crate::net::{HostName, MacAddress, PeerId, RemoteId, VpcId};
use crate::routing::ConnectionId;
use crate::routing::bfd;
use crate::wire::echo::Echo;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Something that the gateway wants done. Outputs are carried out in the order they come out:
/// a snapshot that can receive on a new SA is published before the message that lets the peer
/// send on it.
#[derive(Debug)]
pub enum Output {
    /// Send an IKE datagram on the underlay.
    Datagram(Datagram),
    /// Send an IKE datagram on the underlay in one piece or not at all, as ESP is sent: it measures
    /// the path.
    Probe(Datagram),
    /// Receive on the IKE ports of exactly these addresses.
    Listen(BTreeSet<IpAddr>),
    /// Hand the packet path a new snapshot.
    Publish(Arc<Snapshot>),
    /// Do something with BGP's connections.
    Tcp(TcpOutput),
    /// Do something about a TCP connection of the underlay (RFC 9329).
    Stream(StreamOutput),
    /// Change something of the host.
    World(Change),
    /// Do something for a virtual router.
    Vrrp(VrrpOutput),
    /// Do something about the BFD session inside a tunnel.
    Bfd(BfdOutput),
    /// Look a name up; [`Gateway::handle_look_up`](super::Gateway::handle_look_up) takes what comes of it.
    LookUp {
        /// The remote gateway that has it.
        remote: RemoteId,
        /// The name.
        host: HostName,
    },
    /// Watch the ways to where peers are looked for now ([`Host::questions`](super::world::Host::questions)).
    WatchWays,
    /// Seal an echo and send it, ahead of data.
    Echo {
        /// The tunnel by which it leaves.
        tunnel: Arc<TunnelEntry>,
        /// What it says.
        echo: Echo,
    },
    /// Seal an inner packet of the gateway's own and send it, ahead of data.
    Inner {
        /// The tunnel by which it leaves.
        tunnel: Arc<TunnelEntry>,
        /// The whole packet.
        packet: Vec<u8>,
    },
}

/// What to do about BFD sessions (RFC 5880). They run beside the gateway, by a clock that nothing
/// here delays ([`bfd::Sessions`]); what they tell comes in by
/// [`Gateway::handle_bfd`](super::Gateway::handle_bfd).
#[derive(Clone, Debug)]
pub enum BfdOutput {
    /// Watch the path to a peer, by this tunnel from now on.
    Watch {
        /// The peer.
        peer: PeerId,
        /// The tunnel.
        tunnel: Arc<TunnelEntry>,
        /// The inside addresses.
        endpoints: bfd::Endpoints,
        /// How.
        config: bfd::SessionConfig,
    },
    /// Hold a session down and tell the peer why (RFC 5880 §6.8.16).
    HoldDown {
        /// The peer.
        peer: PeerId,
        /// Whether the path is about to end; else our operator does not want BFD.
        path_ends: bool,
    },
    /// Do not watch a path any more.
    Forget {
        /// The peer.
        peer: PeerId,
    },
    /// Ask a peer at once.
    Hint {
        /// The peer.
        peer: PeerId,
        /// Why.
        hint: bfd::Hint,
    },
}

/// A datagram on the underlay, as on the wire: from port 4500 with the non-ESP marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Our address and port: one of those that we receive on.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// The UDP payload.
    pub bytes: Vec<u8>,
}

/// What to do with the connections of a VPC's BGP sessions (TCP port 179).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOutput {
    /// Accept connections to an address of ours.
    Listen {
        /// The VPC in whose network namespace the address lives.
        vpc: VpcId,
        /// The address.
        local: IpAddr,
        /// The VPC's network, for its routers; `None` is inside the tunnels.
        lan: Option<Lan>,
    },
    /// Stop accepting connections to an address of ours.
    Unlisten {
        /// The VPC.
        vpc: VpcId,
        /// The address.
        local: IpAddr,
    },
    /// Connect.
    Connect {
        /// The VPC.
        vpc: VpcId,
        /// The connection's name from now on.
        connection: ConnectionId,
        /// Our address.
        local: IpAddr,
        /// The peer's address.
        remote: IpAddr,
        /// The VPC's network, for one of its routers; `None` is inside the tunnels.
        lan: Option<Lan>,
    },
    /// Send bytes.
    Send {
        /// The VPC.
        vpc: VpcId,
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Send what is queued, then close.
    Close {
        /// The VPC.
        vpc: VpcId,
        /// The connection.
        connection: ConnectionId,
    },
}

/// The network of a VPC, over which alone sessions with its routers run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lan {
    /// The interface.
    pub interface: String,
    /// The routers by their addresses: nobody else is listened to.
    pub routers: BTreeMap<IpAddr, Shield>,
}

/// What a session with a router is shielded by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shield {
    /// The password that signs every segment (RFC 2385).
    pub password: Option<Secret>,
    /// Only packets are taken that no router has forwarded (RFC 5082).
    pub ttl_security: bool,
}

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpInput {
    /// A connection that we asked for stands.
    Connected,
    /// A connection that we asked for could not be made.
    ConnectFailed,
    /// A peer connected to a listening address.
    Accepted {
        /// Our inside address.
        local: IpAddr,
        /// The peer's inside address.
        remote: IpAddr,
    },
    /// Bytes arrived.
    Bytes(Vec<u8>),
    /// The connection ended, for whatever reason.
    Closed,
}

/// What to do for the virtual routers (RFC 9568) on an interface towards hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VrrpOutput {
    /// Look at an interface again, open what is missing, and tell its state.
    Look {
        /// The VPC in whose network namespace the interface lives.
        vpc: VpcId,
        /// The interface.
        interface: String,
    },
    /// Receive advertisements and neighbour frames on an interface from now on, and tell its
    /// state even when it was told before: a new virtual router waits for it.
    Join {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
    },
    /// Receive neighbour frames on an interface from now on, and tell its state.
    Heed {
        /// [`VpcId::UNDERLAY`].
        vpc: VpcId,
        /// The interface.
        interface: String,
    },
    /// Receive nothing there any more.
    Leave {
        /// [`VpcId::UNDERLAY`].
        vpc: VpcId,
        /// The interface.
        interface: String,
    },
    /// Multicast an advertisement.
    Send {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
        /// Our address on the interface, the packet's source.
        source: IpAddr,
        /// The Ethernet address that it comes from where that is the virtual router's
        /// (RFC 9568 §7.3), and not the interface's own.
        mac: Option<MacAddress>,
        /// The VRRP packet, from its version field to its last address.
        bytes: Vec<u8>,
    },
    /// Send an Ethernet frame: an answer about a virtual address, or an announcement of one.
    Frame {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
        /// The frame, from its destination address on.
        bytes: Vec<u8>,
    },
    /// The virtual addresses are ours now: receive what is sent to the groups on which IPv6
    /// addresses are asked for (RFC 4291 §2.7.1). Questions about them come in as frames.
    Install {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
        /// The virtual router.
        vrid: u8,
        /// The virtual addresses.
        addresses: Vec<IpAddr>,
    },
    /// The virtual addresses are not ours any more.
    Withdraw {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
        /// The virtual router.
        vrid: u8,
        /// The virtual addresses.
        addresses: Vec<IpAddr>,
    },
}

impl VrrpOutput {
    /// Where it is to be done.
    pub fn place(&self) -> (VpcId, &str) {
        match self {
            VrrpOutput::Look { vpc, interface }
            | VrrpOutput::Join { vpc, interface }
            | VrrpOutput::Heed { vpc, interface }
            | VrrpOutput::Leave { vpc, interface }
            | VrrpOutput::Send { vpc, interface, .. }
            | VrrpOutput::Frame { vpc, interface, .. }
            | VrrpOutput::Install { vpc, interface, .. }
            | VrrpOutput::Withdraw { vpc, interface, .. } => (*vpc, interface),
        }
    }
}

/// The state of an interface towards hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// The VPC in whose network namespace the interface lives.
    pub vpc: VpcId,
    /// The interface's name.
    pub interface: String,
    /// Whether it carries packets.
    pub up: bool,
    /// Its Ethernet address.
    pub mac: Option<MacAddress>,
    /// Its first IPv4 address that is not a virtual one.
    pub ipv4: Option<Ipv4Addr>,
    /// Its link-local IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether all that was asked for on it could be opened; what is missing may come later.
    pub complete: bool,
}

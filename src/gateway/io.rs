//! What goes into a gateway and what comes out of it, as values. The shell moves these between
//! the gateway and Linux; the virtual network of the tests moves them between gateways.

use super::kernel::KernelEffect;
use crate::forward::Snapshot;
use crate::net::VpcId;
use crate::routing::ConnectionId;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Something that the gateway wants done. Outputs are carried out in the order they come out:
/// a snapshot that can receive on a new SA is published before the message that lets the peer
/// send on it.
#[derive(Debug)]
pub enum Output {
    /// Send an IKE datagram on the underlay.
    Datagram(Datagram),
    /// Hand the packet path a new snapshot.
    Publish(Arc<Snapshot>),
    /// Do something with BGP's connections.
    Tcp(TcpOutput),
    /// Change an address or a route of the host.
    Kernel(KernelEffect),
    /// Do something for a virtual router.
    Vrrp(VrrpOutput),
}

/// A datagram on the underlay, as on the wire: from port 4500 with the non-ESP marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Our address and port; an unspecified address leaves the choice to the routing table.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// The UDP payload.
    pub bytes: Vec<u8>,
}

/// What to do with the connections of a VPC's BGP sessions (TCP port 179).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOutput {
    /// Accept connections to an inside address.
    Listen {
        /// The VPC in whose network namespace the address lives.
        vpc: VpcId,
        /// The inside address.
        local: IpAddr,
    },
    /// Stop accepting connections to an inside address.
    Unlisten {
        /// The VPC.
        vpc: VpcId,
        /// The inside address.
        local: IpAddr,
    },
    /// Connect.
    Connect {
        /// The VPC.
        vpc: VpcId,
        /// The connection's name from now on.
        connection: ConnectionId,
        /// Our inside address.
        local: IpAddr,
        /// The peer's inside address.
        remote: IpAddr,
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

/// What to do for a virtual router (RFC 9568) on an interface towards hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VrrpOutput {
    /// Receive advertisements on an interface, and tell its state even when it was told before:
    /// a new virtual router waits for it.
    Join {
        /// The VPC in whose network namespace the interface lives.
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
        /// The VRRP packet, from its version field to its last address.
        bytes: Vec<u8>,
    },
    /// Put the virtual addresses on the interface and tell the hosts (gratuitous ARP,
    /// unsolicited neighbour advertisement).
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
    /// Take the virtual addresses off the interface.
    Withdraw {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
        /// The virtual addresses.
        addresses: Vec<IpAddr>,
    },
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
    /// Its first IPv4 address that is not a virtual one.
    pub ipv4: Option<Ipv4Addr>,
    /// Its link-local IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
}

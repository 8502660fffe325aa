//! Whether a way through the underlay is made of datagrams or is a TCP connection (RFC 9329).
//!
//! A way is named by both its ends, as addresses and ports. Our end of one that goes in TCP has no
//! port: the peer's end names the connection, and where we are the TCP Originator, whose port
//! changes with every connection, one takes the place of another and the way stays the same.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// In what IKE and ESP go through the underlay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encapsulation {
    /// In UDP; the peer's TCP connections are not taken either.
    #[default]
    Udp,
    /// In UDP, and in TCP while UDP is not answered (RFC 9329 §5.1).
    Auto,
    /// In TCP.
    Tcp,
}

impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Encapsulation::Udp => "udp",
            Encapsulation::Auto => "auto",
            Encapsulation::Tcp => "tcp",
        })
    }
}

/// A way in TCP: our address, and the peer's end.
pub type StreamWay = (IpAddr, SocketAddr);

/// Our end of a way that goes in TCP, at this address of ours.
pub fn streamed(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 0)
}

/// Whether a way with this end of ours goes in TCP.
#[inline]
pub fn is_streamed(local: SocketAddr) -> bool {
    local.port() == 0
}

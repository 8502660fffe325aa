//! Raw sockets that hear what ICMP says of packets that did not arrive: "destination unreachable", of
//! which "fragmentation needed" is one, and ICMPv6's "packet too big"; nothing else. What the messages
//! mean is not known here.
#![expect(unsafe_code, reason = "filters of raw sockets have no safe interface")]

use super::readiness;
use anyhow::{Context, Result};
use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::mem::size_of;
use std::os::fd::AsRawFd;
use tokio::io::unix::AsyncFd;

/// Option of a raw IPv4 socket: the types that it does not hear, as a bit set (linux/icmp.h).
const ICMP_FILTER: libc::c_int = 1;
/// The same of a raw ICMPv6 socket (linux/icmpv6.h).
const ICMPV6_FILTER: libc::c_int = 1;
const SOL_RAW: libc::c_int = 255;
const DESTINATION_UNREACHABLE: u32 = 3;
const DESTINATION_UNREACHABLE_V6: u32 = 1;
const PACKET_TOO_BIG: u32 = 2;
/// Errors quote no more than the smallest MTU (RFC 4443 §3.2); IPv4 adds its own header.
const MESSAGE_MAX: usize = 1500;
/// Bytes of the receive buffer: errors that come faster are lost.
const BUFFER: usize = 64 << 10;

/// Hears the errors of one family. Needs a tokio runtime and CAP_NET_RAW.
#[derive(Debug)]
pub struct UnreachableSocket {
    socket: AsyncFd<Socket>,
    ipv4: bool,
}

impl UnreachableSocket {
    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// When the right to do so is missing, or the family.
    pub fn open(ipv4: bool) -> Result<UnreachableSocket> {
        let open = || {
            let (domain, protocol) = match ipv4 {
                true => (Domain::IPV4, Protocol::ICMPV4),
                false => (Domain::IPV6, Protocol::ICMPV6),
            };
            let kind = Type::RAW.nonblocking().cloexec();
            let socket = Socket::new(domain, kind, Some(protocol))?;
            socket.set_recv_buffer_size(BUFFER)?;
            filter(&socket, ipv4)?;
            readiness::watch(socket)
        };
        let socket = open().context("opening a raw socket for ICMP errors")?;
        Ok(UnreachableSocket { socket, ipv4 })
    }

    /// Whether it is IPv4 that it hears.
    pub fn is_ipv4(&self) -> bool {
        self.ipv4
    }

    /// Waits for the next error: from its ICMP header on.
    pub async fn receive(&self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; MESSAGE_MAX];
        let interest = tokio::io::Interest::READABLE;
        let length = self.socket.async_io(interest, |mut socket| socket.read(&mut buffer)).await?;
        let message = buffer.get(..length).unwrap_or_default();
        // Only a raw IPv4 socket gives the IP header, too.
        let header = match (self.ipv4, message.first()) {
            (true, Some(first)) => usize::from(first & 0x0f) * 4,
            (true, None) | (false, _) => 0,
        };
        Ok(message.get(header..).unwrap_or_default().to_vec())
    }
}

/// Lets these types of messages through.
fn filter(socket: &Socket, ipv4: bool) -> io::Result<()> {
    if ipv4 {
        let blocked: u32 = !(1 << DESTINATION_UNREACHABLE);
        return set(socket, SOL_RAW, ICMP_FILTER, blocked);
    }
    let mut blocked = [u32::MAX; 8];
    blocked[0] = !(1 << PACKET_TOO_BIG | 1 << DESTINATION_UNREACHABLE_V6);
    set(socket, libc::IPPROTO_ICMPV6, ICMPV6_FILTER, blocked)
}

fn set<T>(socket: &Socket, level: i32, name: i32, value: T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which lives through the call; the
    // kernel copies it before it returns.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

//! UDP sockets for ESP in UDP (RFC 3948): one socket a worker on the same address, datagrams
//! steered to workers by SPI, segmentation offload in both directions, DSCP and ECN of every datagram.
//!
//! Checksums are always real: GRO merges no datagram without one, and RFC 3948 §2.1 lets a receiver
//! take either.
//!
//! ESP never leaves as IP fragments: what is too long comes back as EMSGSIZE, and routers answer
//! that it is. IKE must arrive whatever its length (RFC 7296 §2), so it leaves by a socket of its own
//! that lets hosts and routers fragment.
#![expect(unsafe_code, reason = "sendmmsg and recvmmsg with control messages of their own")]

mod fragments;
mod receive;
mod send;
mod table;

pub use receive::{MAX_DATAGRAM, Message, ReceiveBatch};
pub use send::{
    COMMON_TRAIN_SEGMENTS, MAX_TRAIN_BYTES, MAX_TRAIN_SEGMENTS, MAX_TRAINS, SendBatch, Train,
};

use super::dscp::mark_as_control;
use crate::net::Dscp;
use anyhow::{Context, Result, anyhow};
use fragments::Fragmenter;
use nix::libc;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::mem::offset_of;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Socket buffers in bytes: a few milliseconds at full rate.
const BUFFER: libc::c_int = 16 << 20;
/// What every path carries (RFC 8200 §5), in bytes.
const IPV6_MINIMUM_MTU: libc::c_int = 1280;
/// What marks our sockets on the underlay (`SO_MARK`): policy rules know their packets by it.
pub const MARK: u32 = 79;

/// Whether what a socket sends may become IP fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fragmentation {
    /// Never: the DF bit is set, and a datagram beyond the interface's MTU is an error.
    Never,
    /// Here and, for IPv4, on the way. Over IPv6 [`Fragmenter`] cuts.
    Allowed,
}

/// The sockets of one address.
#[derive(Debug)]
pub struct Group {
    /// One for each worker. What they send is never fragmented.
    pub workers: Vec<UdpSocket>,
    /// What it sends may be fragmented. It receives nothing.
    pub fragmenting: UdpSocket,
}

/// A bound, unconnected, non-blocking socket of a group.
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket,
    local: SocketAddr,
    fragmentation: Fragmentation,
    fragmenter: Option<Fragmenter>,
}

/// Binds `workers` sockets to `local`. A datagram whose first four bytes are the number `n` goes to
/// socket `n mod workers`: an ESP packet by its SPI, IKE (whose marker is zero) to the first.
pub fn open_group(local: SocketAddr, workers: usize) -> Result<Group> {
    probe(local)?;
    let count = u32::try_from(workers).ok().filter(|&count| count > 0);
    let count = count.ok_or_else(|| anyhow!("a socket group needs a worker"))?;
    let open_worker = || open(local, Fragmentation::Never).context(fault(local));
    let first = open_worker()?;
    steer(&first, count).context("no steering of UDP datagrams by SPI")?;
    let others = (1..count).map(|_| open_worker());
    let workers = std::iter::once(Ok(first)).chain(others).collect::<Result<_>>()?;
    // Bound last, it stands behind all sockets that the steering can name.
    let fragmenting = open(local, Fragmentation::Allowed).context(fault(local))?;
    Ok(Group { workers, fragmenting })
}

/// Finds out whether somebody else has the port: with `SO_REUSEPORT` two daemons of one user
/// would share it without an error, and each would get half of the datagrams.
fn probe(local: SocketAddr) -> Result<()> {
    let alone = new_socket(local).context(fault(local))?;
    alone.bind(&SockAddr::from(local)).map_err(|error| explain(local, error))
}

fn explain(local: SocketAddr, error: io::Error) -> anyhow::Error {
    let sentence = match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            format!("UDP {local} is in use by another program (another IPsec daemon?); stop it")
        }
        Some(libc::EADDRNOTAVAIL) => {
            format!("UDP {local}: this machine does not have the address {}", local.ip())
        }
        Some(libc::EACCES) => format!("UDP {local}: ports below 1024 need CAP_NET_BIND_SERVICE"),
        _ => fault(local),
    };
    anyhow::Error::new(error).context(sentence)
}

fn fault(local: SocketAddr) -> String {
    format!("cannot open UDP {local}")
}

/// Marks a socket as one of the underlay ([`MARK`]). Without the right to do so it stays as it is:
/// such a daemon has no right to make routes either.
pub fn mark(socket: &Socket) -> io::Result<()> {
    match socket.set_mark(MARK) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        outcome => outcome,
    }
}

fn new_socket(local: SocketAddr) -> io::Result<Socket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(local), kind, Some(Protocol::UDP))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn open(local: SocketAddr, fragmentation: Fragmentation) -> io::Result<UdpSocket> {
    let socket = new_socket(local)?;
    socket.set_reuse_port(true)?;
    mark(&socket)?;
    set_buffers(&socket)?;
    // Absent below Linux 5.0: datagrams then come one by one.
    let _ = set(&socket, libc::SOL_UDP, libc::UDP_GRO, 1);
    if local.is_ipv4() {
        set(&socket, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
    } else {
        set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
    }
    mark_as_control(&socket, local.is_ipv4())?;
    set_fragmentation(&socket, local, fragmentation)?;
    socket.bind(&SockAddr::from(local))?;
    Ok(UdpSocket { socket, local, fragmentation, fragmenter: fragmenter(local, fragmentation) })
}

/// What cuts in the kernel's place, for one address and where we may.
fn fragmenter(local: SocketAddr, is: Fragmentation) -> Option<Fragmenter> {
    match (local, is) {
        (SocketAddr::V6(local), Fragmentation::Allowed) if !local.ip().is_unspecified() => {
            Fragmenter::open(local).ok()
        }
        (SocketAddr::V4(_) | SocketAddr::V6(_), _) => None,
    }
}

/// Lets what a socket on `local` sends become IP fragments.
pub fn allow_fragments(socket: &Socket, local: SocketAddr) -> io::Result<()> {
    set_fragmentation(socket, local, Fragmentation::Allowed)
}

fn set_fragmentation(socket: &Socket, local: SocketAddr, is: Fragmentation) -> io::Result<()> {
    let (v4, v6, v6_only_whole) = match is {
        Fragmentation::Never => (libc::IP_PMTUDISC_PROBE, libc::IPV6_PMTUDISC_PROBE, 1),
        Fragmentation::Allowed => (libc::IP_PMTUDISC_DONT, libc::IPV6_PMTUDISC_DONT, 0),
    };
    if local.is_ipv4() {
        return set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, v4);
    }
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, v6)?;
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, v6_only_whole)?;
    // No router fragments IPv6: the host must not count on more than every path carries.
    match is {
        Fragmentation::Never => Ok(()),
        Fragmentation::Allowed => set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU, IPV6_MINIMUM_MTU),
    }
}

/// Whether this host has an address, so that datagrams can leave from it.
pub fn is_ours(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// What the host's route to `remote` carries in one piece, in octets of an IP packet: the interface's
/// MTU, or less where the host has learned so.
pub fn route_mtu(local: IpAddr, remote: SocketAddr) -> io::Result<u16> {
    let local = SocketAddr::new(local, 0);
    let socket = new_socket(local)?;
    mark(&socket)?;
    socket.bind(&SockAddr::from(local))?;
    socket.connect(&SockAddr::from(remote))?;
    let (level, name) = match remote.is_ipv4() {
        true => (libc::IPPROTO_IP, libc::IP_MTU),
        false => (libc::IPPROTO_IPV6, libc::IPV6_MTU),
    };
    let mut mtu: libc::c_int = 0;
    let mut length = size_of_val(&mtu) as libc::socklen_t;
    // SAFETY: the pointers are to a value of `length` octets and to that length, both of which live
    // through the call.
    let result = unsafe {
        let value = (&raw mut mtu).cast();
        libc::getsockopt(socket.as_raw_fd(), level, name, value, &raw mut length)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // Longer packets than IP has are no less than the longest.
    Ok(u16::try_from(mtu.max(0)).unwrap_or(u16::MAX))
}

/// Large buffers: beyond the sysctl's limit where we may, else up to it.
fn set_buffers(socket: &Socket) -> io::Result<()> {
    if set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER).is_err() {
        socket.set_recv_buffer_size(BUFFER as usize)?;
    }
    if set(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, BUFFER).is_err() {
        socket.set_send_buffer_size(BUFFER as usize)?;
    }
    Ok(())
}

/// Attaches `return (first four bytes) mod workers` to the whole group of `first`. The program sees
/// the UDP payload; where that has fewer than four bytes (a keepalive) it returns zero.
fn steer(first: &UdpSocket, workers: u32) -> io::Result<()> {
    let instruction = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let mut program = [
        instruction((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0),
        instruction((libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K) as u16, workers),
        // RET | A; libc does not name BPF_A on every target.
        instruction(libc::BPF_RET as u16 | 0x10, 0),
    ];
    // A `sock_fprog` as octets: the kernel copies those between its fields, too, which would be anything.
    let mut whole = [0_u8; size_of::<libc::sock_fprog>()];
    let (length, at) = (program.len() as u16, offset_of!(libc::sock_fprog, filter));
    whole[..size_of::<u16>()].copy_from_slice(&length.to_ne_bytes());
    let filter = program.as_mut_ptr().expose_provenance();
    whole[at..at + size_of::<usize>()].copy_from_slice(&filter.to_ne_bytes());
    set(&first.socket, libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, whole)
}

fn set<T>(socket: &Socket, level: i32, name: i32, value: T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which lives through the call; the
    // kernel copies it, and what a program's pointer points at, before it returns.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl UdpSocket {
    /// The address that the socket is bound to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether what is to leave from `local` leaves by it: `whole`, or in fragments if it must.
    #[inline]
    pub fn is_way_out(&self, local: SocketAddr, whole: bool) -> bool {
        self.local == local && (self.fragmentation == Fragmentation::Allowed) != whole
    }

    /// Sends one datagram now or not at all.
    pub fn send_to(&self, remote: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        match self.cutting(remote) {
            Some((fragmenter, remote)) => fragmenter.send(remote, Dscp::CS6.put_into(0), bytes),
            None => self.socket.send_to(bytes, &SockAddr::from(remote)).map(drop),
        }
    }

    /// Whether it takes trains of several datagrams.
    pub fn takes_trains(&self) -> bool {
        self.fragmenter.is_none()
    }

    fn cutting(&self, remote: SocketAddr) -> Option<(&Fragmenter, SocketAddrV6)> {
        match (&self.fragmenter, remote) {
            (Some(fragmenter), SocketAddr::V6(remote)) => Some((fragmenter, remote)),
            (Some(_) | None, SocketAddr::V4(_) | SocketAddr::V6(_)) => None,
        }
    }

    /// Another handle of the same socket, for another thread.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        let (local, fragmentation) = (self.local, self.fragmentation);
        let fragmenter = self.fragmenter.as_ref().map(Fragmenter::try_clone).transpose()?;
        Ok(UdpSocket { socket: self.socket.try_clone()?, local, fragmentation, fragmenter })
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests;

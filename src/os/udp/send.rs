//! Sending: trains of equal datagrams, each train one message with `UDP_SEGMENT`, many messages in
//! one `sendmmsg`.

use super::UdpSocket;
use super::table::{Slot, Table};
use nix::libc;
use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// Most datagrams in a train (`UDP_MAX_SEGMENTS` since Linux 6.9); kernels that take fewer say
/// EINVAL.
pub const MAX_TRAIN_SEGMENTS: usize = 128;
/// Most datagrams in a train that every kernel with GSO takes.
pub const COMMON_TRAIN_SEGMENTS: usize = 64;
/// Most bytes in a train: the longest UDP payload over IPv4.
pub const MAX_TRAIN_BYTES: usize = 65507;
/// Most trains in one call.
pub const MAX_TRAINS: usize = 64;

/// Space for the control messages TOS (an int) and UDP_SEGMENT (a u16), with alignment.
const CONTROL: usize = 64;

/// Datagrams of one length, the last maybe shorter, that lie one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Train {
    /// Where the first begins in the buffer.
    pub start: usize,
    /// Bytes of all of them.
    pub length: usize,
    /// Bytes of each but the last.
    pub segment: usize,
    /// How many.
    pub count: usize,
    /// To whom.
    pub remote: SocketAddr,
    /// The outer TOS or traffic class: DSCP and ECN.
    pub tos: u8,
}

/// The arrays of one `sendmmsg` call, kept from call to call.
pub struct SendBatch {
    table: Table<MAX_TRAINS, CONTROL>,
}

impl Default for SendBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl SendBatch {
    /// Arrays for [`MAX_TRAINS`] trains.
    pub fn new() -> Self {
        SendBatch { table: Table::new() }
    }

    /// Sends the first of `trains` that the socket takes, at most [`MAX_TRAINS`], and returns how
    /// many those were. An error means that the first of them was refused. A train that does not
    /// lie in `buffer` is an error too, as is one of several datagrams where the socket
    /// [takes none](UdpSocket::takes_trains).
    pub fn send(
        &mut self,
        socket: &UdpSocket,
        buffer: &[u8],
        trains: &[Train],
    ) -> io::Result<usize> {
        if let Some(train) = trains.first()
            && let Some((fragmenter, remote)) = socket.cutting(train.remote)
        {
            let bytes = buffer.get(train.start..train.start + train.length);
            let alone = bytes.filter(|_| train.count == 1).ok_or(io::ErrorKind::InvalidInput)?;
            return fragmenter.send(remote, train.tos, alone).map(|()| 1);
        }
        let count = trains.len().min(MAX_TRAINS);
        let places = self.table.headers.iter_mut().zip(self.table.slots.iter_mut());
        for (train, (header, slot)) in trains.iter().take(count).zip(places) {
            let bytes = buffer
                .get(train.start..train.start + train.length)
                .ok_or(io::ErrorKind::InvalidInput)?;
            slot.fill(bytes, train);
            header.msg_hdr = slot.train_header(train);
        }
        let (fd, headers) = (socket.as_raw_fd(), self.table.headers.as_mut_ptr());
        // SAFETY: the first `count` headers point at slots of `self` and slices of `buffer`, all of
        // which are borrowed for the call.
        let sent =
            unsafe { libc::sendmmsg(fd, headers, count as libc::c_uint, libc::MSG_DONTWAIT) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

impl Slot<CONTROL> {
    fn fill(&mut self, bytes: &[u8], train: &Train) {
        self.part =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        write_address(&mut self.address, train.remote);
    }

    /// The header of one message, with its control messages written into this slot.
    fn train_header(&mut self, train: &Train) -> libc::msghdr {
        let mut header = self.header(address_length(train.remote));
        let tos = libc::c_int::from(train.tos);
        let (level, kind) = match train.remote {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
        };
        let mut used = put_control(&header, 0, level, kind, tos);
        if train.count > 1 {
            used =
                put_control(&header, used, libc::SOL_UDP, libc::UDP_SEGMENT, train.segment as u16);
        }
        header.msg_controllen = used as _;
        header
    }
}

/// Writes one control message at `at` and returns where the next one goes.
fn put_control<T>(header: &libc::msghdr, at: usize, level: i32, kind: i32, value: T) -> usize {
    let size = size_of::<T>() as libc::c_uint;
    // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
    let (space, length) = unsafe { (libc::CMSG_SPACE(size) as usize, libc::CMSG_LEN(size)) };
    debug_assert!(at + space <= CONTROL);
    // SAFETY: `msg_control` points at CONTROL aligned bytes; TOS and UDP_SEGMENT together take 48
    // of them, so header and data lie inside, and every multiple of CMSG_SPACE is aligned.
    unsafe {
        let message: *mut libc::cmsghdr = header.msg_control.cast::<u8>().add(at).cast();
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = length as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
    }
    at + space
}

fn address_length(remote: SocketAddr) -> libc::socklen_t {
    match remote {
        SocketAddr::V4(_) => size_of::<libc::sockaddr_in>() as libc::socklen_t,
        SocketAddr::V6(_) => size_of::<libc::sockaddr_in6>() as libc::socklen_t,
    }
}

fn write_address(place: &mut libc::sockaddr_in6, remote: SocketAddr) {
    match remote {
        SocketAddr::V4(v4) => {
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_in is shorter than the sockaddr_in6 that the place holds, and
            // its alignment is no greater.
            unsafe { (&raw mut *place).cast::<libc::sockaddr_in>().write(address) };
        }
        SocketAddr::V6(v6) => {
            *place = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
        }
    }
}

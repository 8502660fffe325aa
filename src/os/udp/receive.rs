//! Receiving: several messages in one `recvmmsg`, each a train of datagrams where GRO merged them.

use super::UdpSocket;
use super::table::{Slot, Table};
use nix::libc;
use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;

/// Longest message: the longest UDP datagram, or a train of them.
pub const MAX_DATAGRAM: usize = 1 << 16;
/// Messages in one call.
const MESSAGES: usize = 8;
/// Space for the control messages TOS and UDP_GRO, with alignment and to spare.
const CONTROL: usize = 128;

/// One message: datagrams of equal length, the last maybe shorter.
#[derive(Debug)]
pub struct Message<'a> {
    /// The datagrams, one behind the other.
    pub bytes: &'a mut [u8],
    /// Length of each but the last; never zero.
    pub segment: usize,
    /// The sender.
    pub remote: SocketAddr,
    /// The outer TOS or traffic class: DSCP and ECN.
    pub tos: u8,
}

/// Buffers and arrays of one `recvmmsg` call, kept from call to call.
pub struct ReceiveBatch {
    buffers: Box<[u8]>,
    table: Table<MESSAGES, CONTROL>,
    received: usize,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl ReceiveBatch {
    /// Buffers for eight messages of [`MAX_DATAGRAM`] bytes.
    pub fn new() -> Self {
        ReceiveBatch {
            buffers: vec![0; MESSAGES * MAX_DATAGRAM].into_boxed_slice(),
            table: Table::new(),
            received: 0,
        }
    }

    /// Takes what the socket holds, without waiting, and returns the number of messages: zero when
    /// there was nothing, [`Self::full`] when there may be more.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.received = 0;
        let buffers = self.buffers.chunks_exact_mut(MAX_DATAGRAM);
        let places = self.table.headers.iter_mut().zip(self.table.slots.iter_mut());
        for (buffer, (header, slot)) in buffers.zip(places) {
            slot.part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            header.msg_hdr = slot.header(size_of::<libc::sockaddr_in6>() as libc::socklen_t);
        }
        // SAFETY: the headers point at slots and buffers of `self`, borrowed for the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.table.headers.as_mut_ptr(),
                MESSAGES as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => self.received = count,
            Err(_) => {
                let error = io::Error::last_os_error();
                let nothing = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted];
                if !nothing.contains(&error.kind()) {
                    return Err(error);
                }
            }
        }
        Ok(self.received)
    }

    /// Whether the last call filled every buffer.
    pub fn full(&self) -> bool {
        self.received == MESSAGES
    }

    /// What the last call brought. Messages that were cut short are left out.
    pub fn messages(&mut self) -> impl Iterator<Item = Message<'_>> {
        let buffers = self.buffers.chunks_exact_mut(MAX_DATAGRAM);
        let places = self.table.headers.iter().zip(self.table.slots.iter());
        buffers.zip(places).take(self.received).filter_map(|(buffer, (header, slot))| {
            let length = header.msg_len as usize;
            let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            let bytes = buffer.get_mut(..length).filter(|bytes| whole && !bytes.is_empty())?;
            let (tos, segment) = slot.facts(header.msg_hdr.msg_controllen);
            let segment = segment.filter(|&size| size > 0).unwrap_or(length);
            Some(Message { bytes, segment, remote: slot.remote()?, tos })
        })
    }
}

impl Slot<CONTROL> {
    /// TOS and length of a datagram, from the first `length` bytes of control messages.
    fn facts(&self, length: usize) -> (u8, Option<usize>) {
        let mut rest = self.control.0.get(..length.min(CONTROL)).unwrap_or_default();
        let (mut tos, mut segment) = (0, None);
        while let Some((level, kind, value, next)) = control_message(rest) {
            match (level, kind) {
                // One byte for IPv4, an int for IPv6 and UDP_GRO.
                (libc::IPPROTO_IP, libc::IP_TOS) => tos = value.first().copied().unwrap_or(0),
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => tos = int(value) as u8,
                (libc::SOL_UDP, libc::UDP_GRO) => segment = usize::try_from(int(value)).ok(),
                _ => {}
            }
            rest = next;
        }
        (tos, segment)
    }

    fn remote(&self) -> Option<SocketAddr> {
        match libc::c_int::from(self.address.sin6_family) {
            libc::AF_INET => {
                // SAFETY: the kernel wrote a sockaddr_in here, which is shorter than the place.
                let v4 = unsafe { (&raw const self.address).cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some((ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                let v6 = &self.address;
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

/// The first control message of `bytes`: level, type, value, and what lies behind it.
fn control_message(bytes: &[u8]) -> Option<(i32, i32, &[u8], &[u8])> {
    const HEADER: usize = size_of::<libc::cmsghdr>();
    let head = bytes.get(..HEADER)?;
    // SAFETY: HEADER bytes are there, and the read asks for no alignment.
    let message = unsafe { head.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
    let length = message.cmsg_len;
    let value = bytes.get(HEADER..length)?;
    let next = bytes.get(length.next_multiple_of(align_of::<libc::cmsghdr>())..);
    Some((message.cmsg_level, message.cmsg_type, value, next.unwrap_or_default()))
}

fn int(value: &[u8]) -> libc::c_int {
    value.first_chunk().map_or(0, |bytes| libc::c_int::from_ne_bytes(*bytes))
}

//! Whole Ethernet frames of one device (`packet(7)`).
#![expect(unsafe_code, reason = "link-layer addresses have no safe constructor")]

use std::io::{self, Read};
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};

use super::netns;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// Which frames a socket receives, by their EtherType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    /// Every frame, in both directions.
    pub const ALL: EtherType = EtherType(0x0003);
    /// ARP, as received.
    pub const ARP: EtherType = EtherType(0x0806);
    /// IPv6, as received.
    pub const IPV6: EtherType = EtherType(0x86dd);
}

/// A socket that sends frames on a device and receives those of one [`EtherType`].
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
    mac: Mac,
    index: u32,
}

impl PacketSocket {
    /// Opens a device of a namespace; `None` is that of this thread.
    pub fn open(namespace: Option<&str>, device: &str, frames: EtherType) -> Result<Self> {
        Self::open_filtered(namespace, device, frames, &[])
    }

    /// Opens a device with a classic BPF program that picks frames in the kernel.
    pub fn open_filtered(
        namespace: Option<&str>,
        device: &str,
        frames: EtherType,
        filter: &[SockFilter],
    ) -> Result<Self> {
        netns::within_or_here(namespace, || Self::open_here(device, frames, filter))?
            .with_context(|| format!("opening {device} for raw frames"))
    }

    fn open_here(device: &str, frames: EtherType, filter: &[SockFilter]) -> Result<Self> {
        let index = if_nametoindex(device)?;
        // Protocol 0 receives nothing until the filter stands and `bind` names the protocol.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        if !filter.is_empty() {
            socket.attach_filter(filter)?;
        }
        socket.bind(&link_address(index, frames)?)?;
        let mac = own_mac(&socket)?;
        Ok(PacketSocket { socket, mac, index })
    }

    /// The device's own Ethernet address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// The device's number.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Sends one frame, from its destination address on.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(drop)
    }

    /// Receives one frame; what does not fit into `frame` is cut off.
    pub fn receive(&self, frame: &mut [u8]) -> io::Result<usize> {
        (&self.socket).read(frame)
    }

    /// Bounds how long [`receive`](Self::receive) waits; it then fails with `WouldBlock`.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(patience))
    }

    /// Makes [`receive`](Self::receive) return at once, for use with an event loop.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        self.socket.set_nonblocking(true)
    }

    /// Asks the kernel to keep more frames than by default.
    pub fn set_buffer(&self, bytes: usize) -> io::Result<()> {
        self.socket.set_recv_buffer_size(bytes)
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn link_address(index: u32, frames: EtherType) -> io::Result<SockAddr> {
    let family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    // SAFETY: the storage is zeroed and larger than a `sockaddr_ll`, for which all-zero is a
    // valid value; the length written is that of the value written.
    let (_, address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = storage.cast::<libc::sockaddr_ll>();
            (*link).sll_family = family;
            (*link).sll_protocol = frames.0.to_be();
            (*link).sll_ifindex = index.cast_signed();
            *length = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })?
    };
    Ok(address)
}

/// A bound socket's own address carries the device's Ethernet address.
fn own_mac(socket: &Socket) -> Result<Mac> {
    let address = socket.local_addr()?;
    let mut link: libc::sockaddr_ll = {
        // SAFETY: all-zero is a valid `sockaddr_ll`.
        unsafe { mem::zeroed() }
    };
    let length = (address.len() as usize).min(mem::size_of_val(&link));
    // SAFETY: both sides hold at least `length` bytes and do not overlap; every bit pattern is
    // a valid `sockaddr_ll`.
    unsafe {
        std::ptr::copy_nonoverlapping(
            address.as_ptr().cast::<u8>(),
            (&raw mut link).cast::<u8>(),
            length,
        );
    }
    let [a, b, c, d, e, f, ..] = link.sll_addr;
    Ok([a, b, c, d, e, f])
}

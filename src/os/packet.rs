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
use crate::net::EtherType;

/// Which frames a socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Every frame, in both directions.
    All,
    /// Those of a kind, as received.
    Of(EtherType),
}

/// An octet that a frame must have at an offset.
pub type Mark = (usize, u8);

/// A socket that sends frames on a device and receives some.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
    index: u32,
}

impl PacketSocket {
    /// Opens a device of a namespace; `None` is that of this thread.
    pub fn open(namespace: Option<&str>, device: &str, frames: Frames) -> Result<Self> {
        Self::open_marked::<0>(namespace, device, frames, &[])
    }

    /// Opens a device for frames that have all marks of one line; no line lets all pass. The
    /// kernel picks them, so that the traffic which passes the device is never copied.
    pub fn open_marked<const N: usize>(
        namespace: Option<&str>,
        device: &str,
        frames: Frames,
        marks: &[[Mark; N]],
    ) -> Result<Self> {
        netns::within_or_here(namespace, || Self::open_here(device, frames, &filter(marks)))?
            .with_context(|| format!("opening {device} for raw frames"))
    }

    fn open_here(device: &str, frames: Frames, filter: &[SockFilter]) -> Result<Self> {
        let index = if_nametoindex(device)?;
        // Protocol 0 receives nothing until the filter stands and `bind` names the protocol.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        if !filter.is_empty() {
            socket.attach_filter(filter)?;
        }
        socket.bind(&link_address(index, frames)?)?;
        Ok(PacketSocket { socket, index })
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

fn link_address(index: u32, frames: Frames) -> io::Result<SockAddr> {
    let family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    let protocol = match frames {
        Frames::All => u16::try_from(libc::ETH_P_ALL).unwrap_or_default(),
        Frames::Of(kind) => kind.0,
    };
    // SAFETY: the storage is zeroed and larger than a `sockaddr_ll`, for which all-zero is a
    // valid value; the length written is that of the value written.
    let (_, address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = storage.cast::<libc::sockaddr_ll>();
            (*link).sll_family = family;
            (*link).sll_protocol = protocol.to_be();
            (*link).sll_ifindex = index.cast_signed();
            *length = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })?
    };
    Ok(address)
}

fn filter<const N: usize>(marks: &[[Mark; N]]) -> Vec<SockFilter> {
    let as_filter = |step: Step| {
        SockFilter::new(step.code, step.jump_if_true, step.jump_if_false, step.operand)
    };
    program(marks).into_iter().map(as_filter).collect()
}

/// A step of a classic BPF program.
#[derive(Clone, Copy, Debug)]
struct Step {
    code: u16,
    jump_if_true: u8,
    jump_if_false: u8,
    operand: u32,
}

const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// The program that takes frames with all marks of one line; empty for no line.
fn program<const N: usize>(marks: &[[Mark; N]]) -> Vec<Step> {
    let step = |code, operand| Step { code, jump_if_true: 0, jump_if_false: 0, operand };
    let mut program = Vec::new();
    for line in marks {
        for (position, &(at, octet)) in line.iter().enumerate() {
            program.push(step(LOAD_BYTE, at as u32));
            // Past the rest of this line, two steps a mark, and its end.
            let jump_if_false = ((N - 1 - position) * 2 + 1) as u8;
            program.push(Step { jump_if_false, ..step(JUMP_IF_EQUAL, octet.into()) });
        }
        program.push(step(RETURN, u32::MAX));
    }
    if !program.is_empty() {
        program.push(step(RETURN, 0));
    }
    program
}

#[cfg(test)]
mod tests;

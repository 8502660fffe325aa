//! One UDP socket for all addresses of the initiators, which says to which of them a datagram came
//! (`IP_PKTINFO`, ip(7)).

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Room for what thousands of responders' answers take.
const BUFFER: usize = 16 << 20;

pub(crate) struct Socket {
    inner: UdpSocket,
    port: u16,
}

/// A datagram, by where it is in the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub length: usize,
}

impl Socket {
    /// A socket of this port, in the namespace of the calling thread.
    pub(crate) fn bind(port: u16) -> Result<Socket> {
        let inner = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
        inner.set_nonblocking(true)?;
        setsockopt(&inner, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(&inner, sockopt::RcvBufForce, &BUFFER)?;
        setsockopt(&inner, sockopt::SndBufForce, &BUFFER)?;
        Ok(Socket { inner, port })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }

    /// Sends from an address of ours. What does not fit is lost, as on any network.
    pub(crate) fn send(&self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) -> Result<()> {
        let (SocketAddr::V4(local), SocketAddr::V4(remote)) = (local, remote) else {
            anyhow::bail!("the rig has no IPv6")
        };
        let from = libc::in_addr { s_addr: u32::from(*local.ip()).to_be() };
        let nowhere = libc::in_addr { s_addr: 0 };
        let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: from, ipi_addr: nowhere };
        let control = [ControlMessage::Ipv4PacketInfo(&info)];
        let to = SockaddrIn::from(remote);
        let parts = [IoSlice::new(bytes)];
        let sent = sendmsg(self.inner.as_raw_fd(), &parts, &control, MsgFlags::empty(), Some(&to));
        match sent {
            Ok(_) | Err(Errno::EAGAIN | Errno::ENOBUFS) => Ok(()),
            Err(error) => Err(error).context("sending"),
        }
    }

    /// The next datagram, if there is one.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Option<Arrival>> {
        let mut space = nix::cmsg_space!(libc::in_pktinfo);
        let mut parts = [IoSliceMut::new(buffer)];
        let descriptor = self.inner.as_raw_fd();
        let message = match recvmsg::<SockaddrIn>(
            descriptor,
            &mut parts,
            Some(&mut space),
            MsgFlags::empty(),
        ) {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(None),
            Err(error) => return Err(error).context("receiving"),
        };
        let remote = SocketAddrV4::from(message.address.context("a datagram from nowhere")?);
        let local = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
            }
            _ => None,
        });
        let local = SocketAddr::from((local.context("a datagram to nowhere")?, self.port));
        Ok(Some(Arrival { local, remote: remote.into(), length: message.bytes }))
    }
}

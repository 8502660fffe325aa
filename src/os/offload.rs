//! What a device does in place of the kernel (`ethtool(8)`).
#![expect(unsafe_code, reason = "the request and its value are passed by address")]

use std::io;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::libc;
use socket2::{Domain, Socket, Type};

use super::netns;

// `linux/sockios.h`, `linux/ethtool.h`
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_STXCSUM: u32 = 0x17;

#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// From now on the kernel itself finishes the checksums of what it sends by a device: a veth leaves
/// that to hardware that is not there, and who reads from its other end without the kernel sees
/// packets with wrong ones.
pub fn finish_checksums(namespace: Option<&str>, device: &str) -> Result<()> {
    netns::within_or_here(namespace, || finish_checksums_here(device))?
        .with_context(|| format!("turning transmit checksumming of {device} off"))
}

fn finish_checksums_here(device: &str) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let mut value = EthtoolValue { command: ETHTOOL_STXCSUM, data: 0 };
    let mut name = [0; libc::IFNAMSIZ];
    // One octet stays for the end.
    for (to, from) in name.iter_mut().take(libc::IFNAMSIZ - 1).zip(device.bytes()) {
        *to = from.cast_signed();
    }
    let mut request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut value).cast() },
    };
    // SAFETY: the kernel reads and writes `request` and, through it, `value`, which both live until
    // the call returns; both have the layout that this command asks for.
    match unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

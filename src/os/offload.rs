//! What a device does in place of the kernel (`ethtool(8)`).
#![expect(unsafe_code, reason = "the request and its value are passed by address")]

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::libc;
use socket2::{Domain, Socket, Type};

use super::{ifreq, netns};

// `linux/sockios.h`, `linux/ethtool.h`
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GTXCSUM: u32 = 0x16;
const ETHTOOL_STXCSUM: u32 = 0x17;
/// Where the driver's name stands in what `ETHTOOL_GDRVINFO` gives.
const DRIVER: Range<usize> = 4..36;
/// Where the value of other commands stands, behind the command.
const VALUE: Range<usize> = 4..8;

/// A command and its value; larger than what any of these commands reads or writes.
type Exchange = [u8; 256];

/// From now on the kernel itself finishes the checksums of what it sends by a device: a veth leaves
/// that to hardware that is not there, and who reads from its other end without the kernel sees
/// packets with wrong ones.
pub fn finish_checksums(namespace: Option<&str>, device: &str) -> Result<()> {
    exchange(namespace, device, ETHTOOL_STXCSUM)
        .map(drop)
        .with_context(|| format!("turning transmit checksumming of {device} off"))
}

/// Whether the kernel leaves checksums of what it sends to a device.
///
/// # Errors
///
/// When there is no such device, or its driver tells nothing.
pub fn leaves_checksums(namespace: Option<&str>, device: &str) -> Result<bool> {
    let answer = exchange(namespace, device, ETHTOOL_GTXCSUM)
        .with_context(|| format!("asking {device} for its checksums"))?;
    Ok(answer.get(VALUE).is_some_and(|value| value != [0; 4]))
}

/// The driver of a device, such as `veth`.
///
/// # Errors
///
/// When there is no such device, or its driver tells nothing.
pub fn driver(namespace: Option<&str>, device: &str) -> Result<String> {
    let answer = exchange(namespace, device, ETHTOOL_GDRVINFO)
        .with_context(|| format!("asking {device} for its driver"))?;
    let name = answer.get(DRIVER).unwrap_or_default();
    let name = name.split(|octet| *octet == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// Gives a device a command with the value 0, and takes what it answers.
fn exchange(namespace: Option<&str>, device: &str, command: u32) -> Result<Exchange> {
    Ok(netns::within_or_here(namespace, || exchange_here(device, command))??)
}

fn exchange_here(device: &str, command: u32) -> io::Result<Exchange> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let mut value: Exchange = [0; 256];
    value[..4].copy_from_slice(&command.to_ne_bytes());
    let about = ifreq::about(device, ifreq::Value { ifru_data: (&raw mut value).cast() });
    let mut request = about.ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel reads and writes `request` and, through it, `value`, which both live until
    // the call returns; the structures of these commands begin with the command and are shorter.
    match unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) } {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}

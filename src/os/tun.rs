//! TUN devices with several queues, virtio-net headers and segmentation offload.
//!
//! The device is made in the namespace of its VPC; its queues work from any thread afterwards. It
//! vanishes when the last queue is dropped, so nothing is left behind when the process dies.

use super::netns;
use anyhow::{Context, Result, bail};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use tun_rs::{DeviceBuilder, SyncDevice};

/// What a TUN device is to be.
#[derive(Clone, Debug)]
pub struct TunConfig {
    /// Interface name, at most 15 bytes.
    pub name: String,
    /// The named network namespace in which it appears; `None` for our own.
    pub netns: Option<String>,
    /// Interface MTU in bytes: the longest inner packet.
    pub mtu: u16,
    /// How many queues: one for each worker.
    pub queues: usize,
    /// Length of the transmit queue in (super-)packets; `None` leaves the kernel's default of 500.
    pub transmit_queue: Option<u32>,
}

/// One queue of a TUN device, non-blocking. Packets have a virtio-net header in front.
pub struct TunQueue {
    device: SyncDevice,
    name: String,
}

/// Makes the device, sets its MTU and brings it up.
pub fn open(config: &TunConfig) -> Result<Vec<TunQueue>> {
    netns::within_or_here(config.netns.as_deref(), || make(config))?
        .with_context(|| format!("no TUN device {}", config.name))
}

fn make(config: &TunConfig) -> Result<Vec<TunQueue>> {
    if nix::net::if_::if_nametoindex(config.name.as_str()).is_ok() {
        bail!("a device of this name exists already; stop its owner or choose another name");
    }
    let mut builder = DeviceBuilder::new()
        .name(&config.name)
        .mtu(config.mtu)
        .multi_queue(true)
        .offload(true)
        .enable(true);
    if let Some(length) = config.transmit_queue {
        builder = builder.tx_queue_len(length);
    }
    let first = builder.build_sync().map_err(explain)?;
    let mut queues = Vec::with_capacity(config.queues);
    for _ in 1..config.queues {
        queues.push(TunQueue::new(first.try_clone().map_err(explain)?, config)?);
    }
    queues.insert(0, TunQueue::new(first, config)?);
    Ok(queues)
}

/// Says what to do about the errors that are not the device's fault.
fn explain(error: io::Error) -> anyhow::Error {
    let remedy = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            "/dev/net/tun is missing; load the module with: modprobe tun"
        }
        Some(libc::EPERM | libc::EACCES) => {
            "CAP_NET_ADMIN is missing; run as root or grant the capability"
        }
        Some(libc::EBUSY) => "the name is in use by another program",
        Some(libc::EINVAL) => "the name or the options are not accepted by this kernel",
        _ => return error.into(),
    };
    anyhow::Error::new(error).context(remedy)
}

impl TunQueue {
    fn new(device: SyncDevice, config: &TunConfig) -> Result<TunQueue> {
        device.set_nonblocking(true)?;
        Ok(TunQueue { device, name: config.name.clone() })
    }

    /// The name of the device when it was made.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads one packet with its virtio-net header; `None` when there is none now.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.device.recv(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes one packet, gathered from a virtio-net header and what follows it.
    pub fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.device.send_vectored(parts).map(drop)
    }
}

impl AsRawFd for TunQueue {
    fn as_raw_fd(&self) -> RawFd {
        self.device.as_raw_fd()
    }
}

impl AsFd for TunQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

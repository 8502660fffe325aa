//! What the daemon needs from the machine before it starts. Every check that fails says in one
//! sentence what is missing and how to get it.

use std::fs::OpenOptions;
use std::io;

use ::caps::{CapSet, CapsHashSet};

pub use ::caps::Capability;
use anyhow::{Result, bail};
use nix::sys::prctl;

use super::sysctl;

/// Ports below 1024: IKE's 500 and BGP's 179.
pub const NET_BIND_SERVICE: Capability = Capability::CAP_NET_BIND_SERVICE;
/// Devices, addresses and routes.
pub const NET_ADMIN: Capability = Capability::CAP_NET_ADMIN;
/// VRRP and neighbour announcements.
pub const NET_RAW: Capability = Capability::CAP_NET_RAW;
/// Entering network namespaces.
pub const SYS_ADMIN: Capability = Capability::CAP_SYS_ADMIN;
/// Locking memory beyond the limit: keys are not swapped out.
pub const IPC_LOCK: Capability = Capability::CAP_IPC_LOCK;
/// Letting BFD run before others when the processor is busy.
pub const SYS_NICE: Capability = Capability::CAP_SYS_NICE;
/// Reading key files of another user again at a reload.
pub const DAC_READ_SEARCH: Capability = Capability::CAP_DAC_READ_SEARCH;

/// Checks that this thread holds all of `needed` (`capabilities(7)`).
///
/// # Errors
///
/// Names what is missing.
pub fn require(needed: &[Capability]) -> Result<()> {
    let held = ::caps::read(None, CapSet::Effective)?;
    let missing: Vec<_> =
        needed.iter().filter(|cap| !held.contains(cap)).map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "vpngwd lacks {}: run it as root, or grant it with AmbientCapabilities= in its unit",
        missing.join(" and ")
    );
}

/// Whether a process could change routes.
pub fn has_net_admin(process: i32) -> bool {
    has(process, NET_ADMIN)
}

/// Whether a process holds a capability.
pub fn has(process: i32, capability: Capability) -> bool {
    ::caps::has_cap(Some(process), CapSet::Effective, capability).unwrap_or(false)
}

/// Gives up, for ever, every capability of this thread beside `wanted`, and with it of the threads
/// that it starts from now on. Those of `wanted` that are not held are not gained.
///
/// # Errors
///
/// When the kernel refuses.
pub fn keep_only(wanted: &[Capability]) -> Result<()> {
    let held = ::caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = held.into_iter().filter(|cap| wanted.contains(cap)).collect();
    // What cannot be gained cannot be misused. It takes CAP_SETPCAP, which root has and the packaged
    // unit, whose bounding set is small already, has not.
    for surplus in ::caps::all().into_iter().filter(|cap| !kept.contains(cap)) {
        let _ = ::caps::drop(None, CapSet::Bounding, surplus);
    }
    prctl::set_no_new_privs()?;
    ::caps::clear(None, CapSet::Ambient)?;
    // Only `nft` is ever executed, for which this is enough.
    let inherited = kept.iter().copied().filter(|cap| *cap == NET_ADMIN).collect();
    ::caps::set(None, CapSet::Inheritable, &inherited)?;
    ::caps::set(None, CapSet::Ambient, &inherited)?;
    ::caps::set(None, CapSet::Effective, &kept)?;
    Ok(::caps::set(None, CapSet::Permitted, &kept)?)
}

/// Checks that TUN devices can be made.
///
/// # Errors
///
/// Says whether permission or the kernel module is missing.
pub fn require_tun() -> Result<()> {
    match OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            bail!("/dev/net/tun may not be opened: allow it with DeviceAllow=/dev/net/tun rw")
        }
        Err(error) => {
            bail!("/dev/net/tun cannot be opened ({error}): load the module with 'modprobe tun'")
        }
    }
}

/// The forwarding settings that are off in a namespace, as the commands that turn them on.
/// The daemon warns of them: without forwarding the kernel drops what the tunnels carry.
pub fn forwarding_off(namespace: Option<&str>) -> Vec<&'static str> {
    let off = |key: &str| sysctl::read(namespace, key).is_ok_and(|value| value == "0");
    [
        ("net.ipv4.ip_forward", "sysctl -w net.ipv4.ip_forward=1"),
        ("net.ipv6.conf.all.forwarding", "sysctl -w net.ipv6.conf.all.forwarding=1"),
    ]
    .into_iter()
    .filter(|(key, _)| off(key))
    .map(|(_, remedy)| remedy)
    .collect()
}

#[cfg(test)]
mod tests;

//! Requests about one device by its name (`netdevice(7)`).
#![expect(unsafe_code, reason = "requests are passed by address")]

use nix::libc;
use std::os::fd::AsRawFd;

/// What a request says beside the device's name, or its answer does.
pub(super) type Value = libc::__c_anonymous_ifr_ifru;

/// A request about a device; `None` when no device can have that name.
pub(super) fn about(device: &str, value: Value) -> Option<libc::ifreq> {
    let mut name = [0; libc::IFNAMSIZ];
    // One octet stays for the end.
    if device.len() >= name.len() {
        return None;
    }
    for (to, from) in name.iter_mut().zip(device.bytes()) {
        *to = from.cast_signed();
    }
    Some(libc::ifreq { ifr_name: name, ifr_ifru: value })
}

/// The number of a device in the namespace that a socket was opened in, if it is there.
pub(super) fn index(socket: &impl AsRawFd, device: &str) -> Option<u32> {
    let mut request = about(device, Value { ifru_ifindex: 0 })?;
    // SAFETY: the kernel reads and writes `request`, which lives until the call returns.
    let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request) };
    // SAFETY: a number stands there before the call, and after it.
    let number = unsafe { request.ifr_ifru.ifru_ifindex };
    if outcome == 0 { u32::try_from(number).ok() } else { None }
}

#[cfg(test)]
mod tests;

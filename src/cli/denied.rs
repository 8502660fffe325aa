//! What the host does not let us do where a gateway runs, and what would help.

use anyhow::Error;
use nix::errno::Errno;
use std::io;

/// An error of a socket that a command of `vpnctl` needs, with its remedy.
pub(super) fn denied(error: Error, command: &str) -> Error {
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    let remedy = match cause.map(Errno::from_raw) {
        Some(Errno::EADDRNOTAVAIL | Errno::ENODEV) => format!(
            "the gateway's addresses and devices are not here; where it runs in a network namespace, so must \
             vpnctl: ip netns exec NAME vpnctl {command} …"
        ),
        _ => format!("run vpnctl as root (sudo vpnctl {command} …)"),
    };
    error.context(remedy)
}

#[cfg(test)]
mod tests;

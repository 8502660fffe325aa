//! Why the system did not send a datagram, in the gateway's words.

use crate::gateway::Unsent;
use crate::os::udp;
use std::io;
use std::net::IpAddr;

/// What an error of a send call means, for what was to leave from `local`.
pub(super) fn reason(error: &io::Error, local: IpAddr) -> Unsent {
    match error.raw_os_error() {
        Some(libc::EMSGSIZE) => Unsent::TooBig,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN) => {
            Unsent::NoRoute
        }
        Some(libc::EPERM | libc::EACCES) => Unsent::Denied,
        // A route of the type blackhole says so, too.
        Some(libc::EINVAL) if udp::is_ours(local) => Unsent::NoRoute,
        Some(libc::EADDRNOTAVAIL | libc::EINVAL) => Unsent::NoAddress,
        Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => Unsent::Busy,
        Some(errno) => Unsent::Other(errno),
        None => match error.kind() {
            io::ErrorKind::WouldBlock => Unsent::Busy,
            io::ErrorKind::AddrNotAvailable => Unsent::NoAddress,
            _ => Unsent::Other(0),
        },
    }
}

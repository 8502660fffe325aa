//! Why the system did not send a datagram, in the gateway's words.

use crate::gateway::Unsent;
use std::io;

/// What an error of a send call means.
pub(super) fn reason(error: &io::Error) -> Unsent {
    match error.raw_os_error() {
        Some(libc::EMSGSIZE) => Unsent::TooBig,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN) => {
            Unsent::NoRoute
        }
        Some(libc::EPERM | libc::EACCES) => Unsent::Denied,
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

//! Descriptors watched by the runtime.
#![expect(unsafe_code, reason = "the runtime trusts that a descriptor stays open")]

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::unix::AsyncFd;

/// A type that owns one descriptor, keeps it open for its whole life and never swaps it.
pub(super) trait OwnsDescriptor: AsRawFd {}

impl OwnsDescriptor for socket2::Socket {}
impl OwnsDescriptor for super::packet::PacketSocket {}

/// Registers a nonblocking socket with the current runtime.
pub(super) fn watch<T: OwnsDescriptor>(socket: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: the `AsyncFd` takes the socket over, and by the trait's contract its descriptor
    // is open and the same until the socket is dropped.
    unsafe { AsyncFd::register(socket).map_err(io::Error::from) }
}

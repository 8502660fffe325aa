//! A queue to a thread that runs before all others: nobody who puts something in can hold it up.
//!
//! The standard library's channel wakes its receiver with a lock in its hand that the receiver takes
//! next. A sender of ordinary priority loses the processor there, to the very thread that it wakes;
//! and on a busy machine that thread then waits until the sender's turn comes again. So the receiver
//! here never sleeps inside the channel: it sleeps on an eventfd, of which the kernel takes care.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Puts items in.
#[derive(Debug)]
pub(super) struct Sender<T> {
    items: mpsc::Sender<T>,
    bell: Arc<EventFd>,
}

/// Takes them out, in the order they came.
#[derive(Debug)]
pub(super) struct Receiver<T> {
    items: mpsc::Receiver<T>,
    bell: Arc<EventFd>,
}

/// Both ends.
///
/// # Errors
///
/// When the process may open no more files.
pub(super) fn queue<T>() -> io::Result<(Sender<T>, Receiver<T>)> {
    let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let (bell, (sender, receiver)) = (Arc::new(bell), mpsc::channel());
    let receiver = Receiver { items: receiver, bell: Arc::clone(&bell) };
    Ok((Sender { items: sender, bell }, receiver))
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender { items: self.items.clone(), bell: Arc::clone(&self.bell) }
    }
}

impl<T> Sender<T> {
    /// Puts an item in; says whether somebody may still take it out.
    pub(super) fn send(&self, item: T) -> bool {
        let is_in = self.items.send(item).is_ok();
        // It fails only when the counter is full, and then the receiver is about to wake up.
        let _ = self.bell.write(1);
        is_in
    }
}

impl<T> Receiver<T> {
    /// The next item that is there.
    pub(super) fn next(&self) -> Option<T> {
        self.items.try_recv().ok()
    }

    /// Waits for an item for so long at most; without a time as long as it takes. It may also return
    /// early without one.
    pub(super) fn wait(&self, time: Option<Duration>) -> Option<T> {
        if let Some(item) = self.next() {
            return Some(item);
        }
        let mut bell = [PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut bell, time.map(TimeSpec::from), None) {
            // Silenced before anything is taken out: what comes after that rings again.
            Ok(_) | Err(Errno::EINTR) => drop(self.bell.read()),
            Err(error) => tracing::error!(%error, "waiting for the thread's orders"),
        }
        self.next()
    }
}

#[cfg(test)]
mod tests;

//! What a worker is told: a few things a turn, so that its sockets and devices have their turn, too.

use nix::sys::eventfd::EventFd;
use std::iter;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// What is taken in at once: a peer that sends without a pause in TCP has 128 KiB of a turn.
const TURN: usize = 4;

/// Where a worker is told something, which wakes it.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    items: Receiver<T>,
    wake: Arc<EventFd>,
}

impl<T> Inbox<T> {
    /// Whoever puts something in writes to `wake` then.
    pub(super) fn new(items: Receiver<T>, wake: Arc<EventFd>) -> Inbox<T> {
        Inbox { items, wake }
    }

    /// What has come, as much as a turn takes; for the rest the worker is woken again.
    pub(super) fn turn(&self) -> Vec<T> {
        // Clearing first: what comes now wakes us again.
        let _ = self.wake.read();
        let turn: Vec<T> = iter::from_fn(|| self.items.try_recv().ok()).take(TURN).collect();
        if turn.len() == TURN {
            let _ = self.wake.write(1);
        }
        turn
    }
}

#[cfg(test)]
mod tests;

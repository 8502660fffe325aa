//! Packets that wait because of their peer's rate: one worker releases those of a peer, whoever has read them,
//! so that they keep their order.

use super::{Command, Ear};
use crate::forward::Held;
use crate::net::PeerId;
use crate::time::{Timers, Timestamp};
use nix::sys::epoll::EpollTimeout;
use std::collections::BTreeMap;

/// What a worker has to release.
pub(super) struct Releasing {
    /// This worker's place among all.
    index: usize,
    ears: Vec<Ear>,
    held: BTreeMap<PeerId, Held>,
    due: Timers<PeerId>,
}

impl Releasing {
    /// Nothing yet.
    pub(super) fn new(index: usize, ears: Vec<Ear>) -> Releasing {
        Releasing { index, ears, held: BTreeMap::new(), due: Timers::default() }
    }

    /// Sees to it that packets are released, by this worker or another.
    pub(super) fn begin(&mut self, held: Held, now: Timestamp) {
        let owner = held.peer.0 as usize % self.ears.len().max(1);
        match self.ears.get(owner).filter(|_| owner != self.index) {
            // A worker that has ended reports that itself.
            Some(ear) => drop(ear.tell(Command::Release(held))),
            None => self.hold(held, now),
        }
    }

    /// Releases packets from now on.
    pub(super) fn hold(&mut self, held: Held, now: Timestamp) {
        self.due.arm(held.peer, Some(now));
        self.held.insert(held.peer, held);
    }

    /// Whether there is nothing to release.
    pub(super) fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// Whose packets are due.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Held> {
        let peer = self.due.pop_due(now)?;
        self.held.get(&peer).cloned()
    }

    /// When to look at a peer's packets again; `None` when nothing waits any more.
    pub(super) fn again(&mut self, peer: PeerId, at: Option<Timestamp>) {
        if at.is_none() {
            self.held.remove(&peer);
        }
        self.due.arm(peer, at);
    }

    /// How long the worker may wait for something else.
    pub(super) fn timeout(&self, now: Timestamp) -> EpollTimeout {
        let Some((at, _)) = self.due.next() else { return EpollTimeout::NONE };
        let millis = at.since(now).as_micros().div_ceil(1000);
        u16::try_from(millis).unwrap_or(u16::MAX).into()
    }
}

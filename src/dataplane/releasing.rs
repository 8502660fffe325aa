//! Packets that wait because of their peer's rate: one worker releases those of a peer, whoever has read them,
//! so that they keep their order.

use super::{Command, Ear};
use crate::forward::{Held, Released};
use crate::net::PeerId;
use crate::time::{Timers, Timestamp};
use nix::sys::epoll::EpollTimeout;
use std::collections::BTreeMap;

/// Octets that are released before the worker looks at other work, of all peers together.
const BUDGET: usize = 256 << 10;

/// Which packets: a peer that is begun anew has others, and what waited for the one before goes.
type Key = (PeerId, usize);

/// What a worker has to release.
pub(super) struct Releasing {
    /// This worker's place among all.
    index: usize,
    ears: Vec<Ear>,
    held: BTreeMap<Key, Held>,
    due: Timers<Key>,
    /// Octets that may still be released before other work.
    budget: usize,
}

impl Releasing {
    /// Nothing yet.
    pub(super) fn new(index: usize, ears: Vec<Ear>) -> Releasing {
        Releasing { index, ears, held: BTreeMap::new(), due: Timers::default(), budget: BUDGET }
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
        self.due.arm(held.key(), Some(now));
        self.held.insert(held.key(), held);
    }

    /// Whether there is nothing to release.
    pub(super) fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// Other work has had its turn.
    pub(super) fn begin_turn(&mut self) {
        self.budget = BUDGET;
    }

    /// Whose packets are due, until so many have been released that other work comes first.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Held> {
        if self.budget == 0 {
            return None;
        }
        let key = self.due.pop_due(now)?;
        self.held.get(&key).cloned()
    }

    /// Takes in what came of the packets that were due.
    pub(super) fn again(&mut self, held: &Held, released: Released) {
        self.budget = self.budget.saturating_sub(released.octets);
        if released.next.is_none() {
            self.held.remove(&held.key());
        }
        self.due.arm(held.key(), released.next);
    }

    /// How long the worker may wait for something else.
    pub(super) fn timeout(&self, now: Timestamp) -> EpollTimeout {
        let Some((at, _)) = self.due.next() else { return EpollTimeout::NONE };
        let millis = at.since(now).as_micros().div_ceil(1000);
        u16::try_from(millis).unwrap_or(u16::MAX).into()
    }
}

#[cfg(test)]
mod tests;

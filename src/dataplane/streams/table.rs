//! All connections by their way, and where messages go into them.

use super::lanes::{Lanes, Queue, Urgency};
use crate::dataplane::counters::DataplaneCounters;
use crate::esp::Discard;
use crate::forward::TunnelEntry;
use crate::net::StreamWay;
use crate::wire::stream::{HEADER, frame, header};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Of 10,000 connections some forty stand on one.
const SHELVES: usize = 256;

/// Where messages go into connections.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Outlets(pub(super) Arc<Table>);

/// Connections by their way. Who looks for one never waits for who puts one in: the thread of BFD runs
/// before all others, and strangers come and go as they like.
#[derive(Debug)]
pub(super) struct Table {
    /// A change makes the shelf anew that it is about, which is a small part of all.
    shelves: [ArcSwap<Shelf>; SHELVES],
    /// Who changes something holds the number of the last connection.
    last: Mutex<u64>,
}

type Shelf = BTreeMap<StreamWay, Arc<Outlet>>;

/// The near end of a connection. Once it is dropped the connection ends.
#[derive(Debug)]
pub(super) struct Outlet {
    number: u64,
    /// We have made it.
    is_ours: bool,
    lanes: Lanes,
    pub(super) kept: watch::Sender<bool>,
}

/// The other end, for the conversation.
pub(super) struct Pipe {
    pub(super) number: u64,
    pub(super) queue: Queue,
    pub(super) kept: watch::Receiver<bool>,
}

impl Default for Table {
    fn default() -> Self {
        Table { shelves: std::array::from_fn(|_| ArcSwap::default()), last: Mutex::default() }
    }
}

impl Table {
    pub(super) fn find(&self, way: StreamWay) -> Option<Arc<Outlet>> {
        self.shelf(way).load().get(&way).cloned()
    }

    /// A connection that we make, which is the one of this way from now on.
    pub(super) fn open(&self, way: StreamWay, is_used: bool) -> Pipe {
        self.insert(way, self.last(), (true, is_used))
    }

    /// A connection that we take in the place of an earlier one from the same port, with what use there
    /// was for that; `None` where we have made one ourselves, for there a stranger behind the NAT of a
    /// peer has a port that looks like the peer's.
    pub(super) fn accept(&self, way: StreamWay) -> Option<Pipe> {
        let last = self.last();
        let earlier = self.find(way);
        if earlier.as_ref().is_some_and(|outlet| outlet.is_ours) {
            return None;
        }
        let is_used = earlier.is_some_and(|outlet| *outlet.kept.borrow());
        Some(self.insert(way, last, (false, is_used)))
    }

    fn insert(
        &self,
        way: StreamWay,
        mut last: MutexGuard<'_, u64>,
        (is_ours, is_used): (bool, bool),
    ) -> Pipe {
        let (lanes, queue) = Lanes::new();
        let (kept, is_kept) = watch::channel(is_used);
        *last += 1;
        let outlet = Arc::new(Outlet { number: *last, is_ours, lanes, kept });
        self.change(way, |shelf| drop(shelf.insert(way, outlet)));
        Pipe { number: *last, queue, kept: is_kept }
    }

    /// A connection has ended; another may have its place.
    pub(super) fn remove(&self, way: StreamWay, number: u64) {
        let _last = self.last();
        if self.find(way).is_some_and(|outlet| outlet.number == number) {
            self.change(way, |shelf| drop(shelf.remove(&way)));
        }
    }

    fn change(&self, way: StreamWay, change: impl FnOnce(&mut Shelf)) {
        let shelf = self.shelf(way);
        let mut changed = Shelf::clone(&shelf.load());
        change(&mut changed);
        shelf.store(Arc::new(changed));
    }

    fn last(&self) -> MutexGuard<'_, u64> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self, way: StreamWay) -> &ArcSwap<Shelf> {
        let mut hasher = DefaultHasher::new();
        way.hash(&mut hasher);
        &self.shelves[hasher.finish() as usize % SHELVES]
    }
}

impl Outlets {
    /// Seals a packet of at most `length` octets for the connection of a tunnel.
    pub(in super::super) fn seal(
        &self,
        tunnel: &TunnelEntry,
        (length, urgency): (usize, Urgency),
        counters: &DataplaneCounters,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        let outlet = self.0.find((tunnel.local.ip(), tunnel.remote));
        let outlet = outlet.ok_or(Discard::SendFailed)?;
        if !outlet.lanes.has_room(urgency, HEADER + length) {
            counters.streams_full.add(1);
            return Err(Discard::NoBuffer);
        }
        let mut framed = vec![0; HEADER + length];
        let sealed = seal(&mut framed[HEADER..])?;
        framed.truncate(HEADER + sealed);
        let length = header(sealed).ok_or(Discard::NoBuffer)?;
        framed[..HEADER].copy_from_slice(&length);
        if !outlet.lanes.put(urgency, framed) {
            counters.streams_full.add(1);
            return Err(Discard::NoBuffer);
        }
        Ok(())
    }

    pub(super) fn send(&self, way: StreamWay, message: &[u8]) -> io::Result<()> {
        let outlet = self.0.find(way).ok_or(io::ErrorKind::NotConnected)?;
        let framed = frame(message).ok_or(io::ErrorKind::InvalidInput)?;
        let sent = outlet.lanes.put(Urgency::Urgent, framed);
        sent.then_some(()).ok_or(io::ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests;

//! All connections by their way, and where messages go into them.

use super::Way;
use super::lanes::{Lanes, Queue, Urgency};
use crate::dataplane::counters::DataplaneCounters;
use crate::esp::Discard;
use crate::forward::TunnelEntry;
use crate::wire::stream::{HEADER, frame, header};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Where messages go into connections.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Outlets(pub(super) Arc<Table>);

#[derive(Debug, Default)]
pub(super) struct Table(RwLock<BTreeMap<Way, Arc<Outlet>>>);

/// The near end of a connection. Once it is dropped the connection ends.
#[derive(Debug)]
pub(super) struct Outlet {
    number: u64,
    lanes: Lanes,
    pub(super) kept: watch::Sender<bool>,
}

/// The other end, for the conversation.
pub(super) struct Pipe {
    pub(super) number: u64,
    pub(super) queue: Queue,
    pub(super) kept: watch::Receiver<bool>,
}

impl Table {
    pub(super) fn find(&self, way: Way) -> Option<Arc<Outlet>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&way).cloned()
    }

    /// A new connection, which is the one of this way from now on.
    pub(super) fn insert(&self, way: Way, number: u64, is_used: bool) -> Pipe {
        let (lanes, queue) = Lanes::new();
        let (kept, is_kept) = watch::channel(is_used);
        let outlet = Arc::new(Outlet { number, lanes, kept });
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(way, outlet);
        Pipe { number, queue, kept: is_kept }
    }

    /// A connection has ended; another may have its place.
    pub(super) fn remove(&self, way: Way, number: u64) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.get(&way).is_some_and(|outlet| outlet.number == number) {
            all.remove(&way);
        }
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

    pub(super) fn send(&self, way: Way, message: &[u8]) -> io::Result<()> {
        let outlet = self.0.find(way).ok_or(io::ErrorKind::NotConnected)?;
        let framed = frame(message).ok_or(io::ErrorKind::InvalidInput)?;
        let sent = outlet.lanes.put(Urgency::Urgent, framed);
        sent.then_some(()).ok_or(io::ErrorKind::WouldBlock.into())
    }
}

//! All IKE SAs of an endpoint, by our own SPI, and the established ones of each connection.

use super::super::config::ConnectionId;
use super::super::event::TimerReason;
use super::super::exchange::LastAnswer;
use super::super::initiator::{self, AwaitAuth, AwaitInit, AwaitIntermediate};
use super::super::job::JobId;
use super::super::path::Path;
use super::super::responder::{self, HalfOpen};
use super::super::sa::Established;
use crate::time::Timestamp;
use crate::visits::Visits;
use crate::wire::ike::IkeSpi;
use std::collections::{BTreeMap, BTreeSet};

/// IKE SAs that are over and whose last answer we keep, at most.
const MAX_OVER: usize = 1024;

/// An IKE SA in one of its states, or what remains of it.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum IkeSa {
    /// Our attempt waits for public-key work.
    Initiating(Box<initiator::Working>),
    AwaitInit(Box<AwaitInit>),
    AwaitIntermediate(Box<AwaitIntermediate>),
    AwaitAuth(Box<AwaitAuth>),
    /// A peer's attempt waits for public-key work.
    Responding(Box<responder::Working>),
    HalfOpen(Box<HalfOpen>),
    Established(Box<Established>),
    Over(LastAnswer, Path),
}

impl IkeSa {
    /// When it wants to be called, and what for.
    pub(super) fn timeout(&self) -> Option<(Timestamp, TimerReason)> {
        match self {
            IkeSa::Initiating(state) => Some((state.timeout(), TimerReason::Expiry)),
            IkeSa::Responding(state) => Some((state.expires_at, TimerReason::Expiry)),
            IkeSa::AwaitInit(state) => Some((state.timeout(), TimerReason::Retransmit)),
            IkeSa::AwaitIntermediate(state) => Some((state.timeout(), TimerReason::Retransmit)),
            IkeSa::AwaitAuth(state) => Some((state.timeout(), TimerReason::Retransmit)),
            IkeSa::HalfOpen(state) => Some((state.expires_at, TimerReason::Expiry)),
            IkeSa::Established(sa) => sa.timeout(),
            IkeSa::Over(answer, _) => Some((answer.expires_at, TimerReason::Expiry)),
        }
    }

    fn established(&self) -> Option<&Established> {
        match self {
            IkeSa::Established(sa) => Some(sa),
            IkeSa::Initiating(_)
            | IkeSa::AwaitInit(_)
            | IkeSa::AwaitIntermediate(_)
            | IkeSa::AwaitAuth(_) => None,
            IkeSa::Responding(_) | IkeSa::HalfOpen(_) | IkeSa::Over(..) => None,
        }
    }

    /// Whether it goes on when this job is done.
    pub(super) fn awaits(&self, job: JobId) -> bool {
        match self {
            IkeSa::Initiating(state) => state.awaits(job),
            IkeSa::Responding(state) => state.awaits(job),
            IkeSa::AwaitInit(_)
            | IkeSa::AwaitIntermediate(_)
            | IkeSa::AwaitAuth(_)
            | IkeSa::HalfOpen(_) => false,
            IkeSa::Established(sa) => sa.awaits(job),
            IkeSa::Over(..) => false,
        }
    }
}

/// The IKE SAs of an endpoint.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Sas {
    all: BTreeMap<IkeSpi, IkeSa>,
    of_connection: BTreeSet<(ConnectionId, IkeSpi)>,
    half_open: usize,
    over: usize,
    touched: BTreeSet<IkeSpi>,
    visits: Visits,
}

impl Sas {
    /// Puts an IKE SA into its place.
    pub(super) fn put(&mut self, spi: IkeSpi, sa: IkeSa) {
        self.take(spi);
        self.visits.one();
        self.touched.insert(spi);
        match &sa {
            IkeSa::Established(sa) => {
                self.of_connection.insert((sa.connection, spi));
            }
            IkeSa::Responding(_) | IkeSa::HalfOpen(_) => self.half_open += 1,
            IkeSa::Over(..) => self.over += 1,
            IkeSa::Initiating(_)
            | IkeSa::AwaitInit(_)
            | IkeSa::AwaitIntermediate(_)
            | IkeSa::AwaitAuth(_) => {}
        }
        self.all.insert(spi, sa);
    }

    /// Keeps the last answer of an IKE SA that is over, if there is room.
    pub(super) fn put_over(&mut self, spi: IkeSpi, answer: LastAnswer, path: Path) {
        if self.over < MAX_OVER {
            self.put(spi, IkeSa::Over(answer, path));
        }
    }

    /// Takes the IKE SA out that waits for this job.
    pub(super) fn take_awaiting(&mut self, job: JobId) -> Option<IkeSa> {
        let awaited = self.get(job.sa).is_some_and(|sa| sa.awaits(job));
        if awaited { self.take(job.sa) } else { None }
    }

    /// Takes an IKE SA out, to give it another state or none.
    pub(super) fn take(&mut self, spi: IkeSpi) -> Option<IkeSa> {
        let sa = self.all.remove(&spi)?;
        self.visits.one();
        self.touched.insert(spi);
        match &sa {
            IkeSa::Established(sa) => {
                self.of_connection.remove(&(sa.connection, spi));
            }
            IkeSa::Responding(_) | IkeSa::HalfOpen(_) => self.half_open -= 1,
            IkeSa::Over(..) => self.over -= 1,
            IkeSa::Initiating(_)
            | IkeSa::AwaitInit(_)
            | IkeSa::AwaitIntermediate(_)
            | IkeSa::AwaitAuth(_) => {}
        }
        Some(sa)
    }

    /// An IKE SA that was put, taken or changed since it was last named here.
    pub(super) fn next_touched(&mut self) -> Option<IkeSpi> {
        self.touched.pop_first()
    }

    /// The IKE SA with this SPI of ours.
    pub(super) fn get(&self, spi: IkeSpi) -> Option<&IkeSa> {
        self.visits.one();
        self.all.get(&spi)
    }

    /// The same, if it is established.
    pub(super) fn established(&self, spi: IkeSpi) -> Option<&Established> {
        self.get(spi).and_then(IkeSa::established)
    }

    /// The same, to be changed: its timer will be set anew.
    pub(super) fn established_mut(&mut self, spi: IkeSpi) -> Option<&mut Established> {
        self.visits.one();
        self.touched.insert(spi);
        match self.all.get_mut(&spi)? {
            IkeSa::Established(sa) => Some(sa),
            IkeSa::Initiating(_)
            | IkeSa::AwaitInit(_)
            | IkeSa::AwaitIntermediate(_)
            | IkeSa::AwaitAuth(_) => None,
            IkeSa::Responding(_) | IkeSa::HalfOpen(_) | IkeSa::Over(..) => None,
        }
    }

    /// The SPIs of a connection's established IKE SAs.
    pub(super) fn spis_of(&self, id: ConnectionId) -> Vec<IkeSpi> {
        let all = (id, IkeSpi([0; 8]))..=(id, IkeSpi([0xff; 8]));
        self.of_connection.range(all).map(|(_, spi)| *spi).collect()
    }

    /// A connection's established IKE SAs.
    pub(super) fn established_of(&self, id: ConnectionId) -> impl Iterator<Item = &Established> {
        self.spis_of(id).into_iter().filter_map(|spi| self.established(spi))
    }

    /// Of a connection's established IKE SAs, those in use.
    pub(super) fn active_of(&self, id: ConnectionId) -> impl Iterator<Item = &Established> {
        self.established_of(id).filter(|sa| sa.is_active())
    }

    /// The SPIs of a connection's IKE SAs in use.
    pub(super) fn active_spis(&self, id: ConnectionId) -> Vec<IkeSpi> {
        self.active_of(id).map(|sa| sa.id().local).collect()
    }

    /// All established ones.
    pub(super) fn all_established(&self) -> impl Iterator<Item = &Established> {
        self.all.values().filter_map(IkeSa::established)
    }

    /// The last answers of those that are over, and where they went.
    pub(super) fn all_over(&self) -> impl Iterator<Item = (IkeSpi, &LastAnswer, &Path)> {
        self.all.iter().filter_map(|(spi, sa)| match sa {
            IkeSa::Over(answer, path) => Some((*spi, answer, path)),
            _ => None,
        })
    }

    /// Whether none is left that a peer has yet to hear of.
    pub(super) fn is_idle(&self) -> bool {
        self.all.len() == self.half_open + self.over
    }

    /// All of them, for the model of the tests.
    #[cfg(test)]
    pub(super) fn walk(&self) -> impl Iterator<Item = (&IkeSpi, &IkeSa)> {
        self.all.iter()
    }

    /// Counts the IKE SAs that were handed out.
    #[cfg(test)]
    pub(super) fn visits(&self) -> &Visits {
        &self.visits
    }
}

//! Bounds on strangers: how many half-open IKE SAs there are, by whom, and how often we answer
//! without protection (RFC 7296 §2.6, §2.21.1, RFC 8019).
//!
//! Nobody keeps others out: a peer at an address that is configured has places of its own, and
//! when all others are taken, who has the most gives one to who has far fewer.

use super::config::HalfOpenLimits;
use super::event::IkeSaId;
use super::limits::Source;
use super::stats::Discard;
use crate::time::{Bucket, Rate, Timestamp};
use crate::wire::ike::IkeSpi;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Who began a half-open IKE SA: where, and under which SPI.
type Origin = (SocketAddr, IkeSpi);

/// Half-open IKE SAs by whom they are with.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct HalfOpenIndex {
    by_origin: BTreeMap<Origin, IkeSpi>,
    /// The oldest first.
    by_source: BTreeMap<Source, VecDeque<Origin>>,
    /// How many each source has.
    crowds: BTreeSet<(usize, Source)>,
}

/// A place for one more half-open IKE SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// When this one gives way: our SPI of it.
    InsteadOf(IkeSpi),
}

impl HalfOpenIndex {
    /// Our SPI of the half-open IKE SA that the same initiator began.
    pub(super) fn find(&self, remote: SocketAddr, initiator: IkeSpi) -> Option<IkeSpi> {
        self.by_origin.get(&(remote, initiator)).copied()
    }

    /// Whether an initiator at this address must show that it gets what we send there, while so
    /// many pieces of public-key work are under way.
    pub(super) fn wants_cookie(
        &self,
        source: IpAddr,
        work: usize,
        limits: &HalfOpenLimits,
    ) -> bool {
        self.by_origin.len().max(work) >= limits.cookies_above
            || self.from(Source::of(source)) >= limits.cookies_above_per_source
    }

    fn from(&self, source: Source) -> usize {
        self.by_source.get(&source).map_or(0, VecDeque::len)
    }

    /// The place for one more, of an initiator whose address `is_configured` as a peer's or not.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) fn place(
        &self,
        source: IpAddr,
        is_configured: bool,
        limits: &HalfOpenLimits,
    ) -> Result<Place, Discard> {
        let has = self.from(Source::of(source));
        if has >= limits.per_source {
            return Err(Discard::HalfOpenPerSource);
        }
        let reserved = is_configured && has < limits.reserved_per_peer;
        if reserved || self.by_origin.len() < limits.total {
            return Ok(Place::Free);
        }
        let (most, crowd) = *self.crowds.last().ok_or(Discard::HalfOpenTotal)?;
        // Not between equals: a crowd of strangers would displace each other without end.
        let oldest =
            self.by_source.get(&crowd).filter(|_| has + 1 < most).and_then(VecDeque::front);
        let oldest = oldest.and_then(|origin| self.by_origin.get(origin));
        oldest.map(|spi| Place::InsteadOf(*spi)).ok_or(Discard::HalfOpenTotal)
    }

    /// Takes a place for the half-open IKE SA that an initiator at `remote` began.
    pub(super) fn insert(&mut self, remote: SocketAddr, id: IkeSaId) {
        let origin = (remote, id.remote);
        if self.by_origin.insert(origin, id.local).is_none() {
            self.change(Source::of(remote.ip()), |crowd| crowd.push_back(origin));
        }
    }

    /// Gives the place back; without effect when it is not taken.
    pub(super) fn remove(&mut self, remote: SocketAddr, id: IkeSaId) {
        let origin = (remote, id.remote);
        if self.by_origin.remove(&origin).is_some() {
            self.change(Source::of(remote.ip()), |crowd| crowd.retain(|other| *other != origin));
        }
    }

    fn change(&mut self, source: Source, change: impl FnOnce(&mut VecDeque<Origin>)) {
        let mut crowd = self.by_source.remove(&source).unwrap_or_default();
        self.crowds.remove(&(crowd.len(), source));
        change(&mut crowd);
        if !crowd.is_empty() {
            self.crowds.insert((crowd.len(), source));
            self.by_source.insert(source, crowd);
        }
    }
}

/// So many answers a second to datagrams without protection, and no more.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct ReplyLimit(Bucket);

impl ReplyLimit {
    /// Whether one more answer may be given, which counts as given if so.
    pub(super) fn allows(&mut self, per_second: u32, now: Timestamp) -> bool {
        let every = Duration::from_secs(1).checked_div(per_second);
        every.is_some_and(|every| self.0.take(Rate { burst: per_second, every }, now))
    }
}

#[cfg(test)]
mod tests;

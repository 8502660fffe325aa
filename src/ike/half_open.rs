//! Bounds on strangers: how many half-open IKE SAs there are, by whom, and how often we answer
//! without protection (RFC 7296 §2.6, §2.21.1).

use super::config::HalfOpenLimits;
use super::event::IkeSaId;
use super::stats::Discard;
use crate::time::Timestamp;
use crate::wire::ike::IkeSpi;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Half-open IKE SAs by whom they are with.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct HalfOpenIndex {
    by_origin: BTreeMap<(SocketAddr, IkeSpi), IkeSpi>,
    per_source: BTreeMap<IpAddr, usize>,
}

impl HalfOpenIndex {
    /// Our SPI of the half-open IKE SA that the same initiator began.
    pub fn find(&self, remote: SocketAddr, initiator: IkeSpi) -> Option<IkeSpi> {
        self.by_origin.get(&(remote, initiator)).copied()
    }

    /// Whether an initiator at this address must show that it gets what we send there, while so
    /// many pieces of public-key work are under way.
    pub fn wants_cookie(&self, source: IpAddr, work: usize, limits: &HalfOpenLimits) -> bool {
        self.by_origin.len().max(work) >= limits.cookies_above
            || self.from(source) >= limits.cookies_above_per_source
    }

    fn from(&self, source: IpAddr) -> usize {
        self.per_source.get(&source).copied().unwrap_or(0)
    }

    /// Whether there is room for one more.
    pub fn admits(&self, source: IpAddr, limits: &HalfOpenLimits) -> Result<(), Discard> {
        if self.by_origin.len() >= limits.total {
            return Err(Discard::HalfOpenTotal);
        }
        if self.from(source) >= limits.per_source {
            return Err(Discard::HalfOpenPerSource);
        }
        Ok(())
    }

    /// Takes a place for the half-open IKE SA that an initiator at `remote` began.
    pub fn insert(&mut self, remote: SocketAddr, id: IkeSaId) {
        self.by_origin.insert((remote, id.remote), id.local);
        *self.per_source.entry(remote.ip()).or_default() += 1;
    }

    /// Gives the place back; without effect when it is not taken.
    pub fn remove(&mut self, remote: SocketAddr, id: IkeSaId) {
        if self.by_origin.remove(&(remote, id.remote)).is_none() {
            return;
        }
        if let Some(count) = self.per_source.get_mut(&remote.ip()) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&remote.ip());
            }
        }
    }
}

/// So many answers a second to datagrams without protection, and no more.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct ReplyLimit {
    second: Timestamp,
    given: u32,
}

impl ReplyLimit {
    /// A limit whose first second begins now.
    pub fn new(now: Timestamp) -> Self {
        ReplyLimit { second: now, given: 0 }
    }

    /// Whether one more answer may be given, which counts as given if so.
    pub fn allows(&mut self, per_second: u32, now: Timestamp) -> bool {
        if now - self.second >= Duration::from_secs(1) {
            *self = ReplyLimit::new(now);
        }
        self.given = self.given.saturating_add(1);
        self.given <= per_second
    }
}

#[cfg(test)]
mod tests;

//! Peers whose place is a host name: when it is looked up, and what it means. A name only says where to
//! look ([`super::places`]): who the peer is it has to prove, and it may come from anywhere.
//!
//! ```text
//!   time, a peer that does not answer ──► look-up ──► Meaning ──► where the peer is looked for
//!                                                        └──────► reserved like written addresses
//! ```
//!
//! An IKE SA that works stays where it is, whatever the name means by now. What an answer said holds
//! until another comes, for the DNS may fail when it is needed (RFC 8767).

mod telling;

use super::{Gateway, Output, connection};
use crate::config::{Meaning, PeerConfig};
use crate::moment::Moment;
use crate::net::{HostName, RemoteId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// So many of our addresses towards a peer are remembered, twice what a name may mean, before those that
/// nobody needs are looked for.
const SOURCES_OF_A_PEER: usize = 16;

/// An answer holds for at least so long, whatever its TTL is, also for a peer that does not answer.
const SHORTEST: Duration = Duration::from_secs(5);
/// An answer holds no longer than this.
const LONGEST: Duration = Duration::from_secs(3600);
/// The wait after the first failure, doubled by every other (RFC 9520 §3.2: 1 second at least).
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// The longest wait after a failure (RFC 9520 §3.2: 5 minutes at most).
const LAST_RETRY: Duration = Duration::from_secs(60);

/// What the DNS, or the host's own table, says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its addresses, of both families.
    pub addresses: BTreeSet<IpAddr>,
    /// From where the host would send to them; those without a route are left out.
    pub sources: BTreeMap<IpAddr, IpAddr>,
    /// For how long that holds: the shortest TTL of the records.
    pub ttl: Duration,
}

/// A name, and what is known of it.
#[derive(Debug)]
pub(super) struct Name {
    /// The name.
    pub(super) host: HostName,
    /// What it means, as far as was ever answered.
    pub(super) meaning: Meaning,
    /// Whether a look-up is under way.
    is_asked: bool,
    /// When the last look-up ended.
    pub(super) answered: Option<Timestamp>,
    /// Why it found nothing of use.
    pub(super) failure: Option<String>,
    failures: u32,
    /// When it is looked up next.
    pub(super) due: Option<Timestamp>,
}

impl Name {
    pub(super) fn new(host: HostName, now: Timestamp) -> Name {
        Name {
            host,
            meaning: Meaning::default(),
            is_asked: false,
            answered: None,
            failure: None,
            failures: 0,
            due: Some(now),
        }
    }

    /// It is looked up again now, unless that is being done.
    pub(super) fn renew(&mut self, now: Timestamp) {
        self.due = (!self.is_asked).then_some(now);
    }

    /// Begins a look-up that is due; says whether one is.
    pub(super) fn begin(&mut self, now: Timestamp) -> bool {
        let begins = !self.is_asked && self.due.is_some_and(|due| due <= now);
        if begins {
            (self.is_asked, self.due) = (true, None);
        }
        begins
    }

    /// The peer does not answer: the name may mean something else by now.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        let soonest = self.answered.map_or(now, |answered| (answered + SHORTEST).max(now));
        self.due = self.due.map(|due| due.min(soonest));
    }

    /// Plans the next look-up after one that has found what is of use for `ttl`, or nothing.
    fn end(&mut self, ttl: Option<Duration>, now: Timestamp) {
        (self.is_asked, self.answered) = (false, Some(now));
        let wait = match ttl {
            Some(ttl) => {
                self.failures = 0;
                ttl.clamp(SHORTEST, LONGEST)
            }
            None => {
                self.failures = self.failures.saturating_add(1);
                let doubled = FIRST_RETRY.saturating_mul(1 << (self.failures - 1).min(8));
                doubled.min(LAST_RETRY)
            }
        };
        self.due = Some(now + wait);
    }
}

impl Gateway {
    /// Takes what became of [`Output::LookUp`]: what was found, or why nothing was.
    pub fn handle_look_up(
        &mut self,
        remote: RemoteId,
        host: &HostName,
        answer: Result<Found, String>,
        at: &mut Moment<'_>,
    ) {
        let current = |name: &Name| name.host == *host && name.is_asked;
        if !self.places.name_of(remote).is_some_and(current) {
            return;
        }
        let answer = answer.and_then(|found| {
            let mut own = self.host.addresses();
            own.extend(&self.listening);
            let mut meaning = Meaning::of(&found.addresses, remote, &self.config, &own);
            meaning.usable.sort_by_key(|address| !found.sources.contains_key(address));
            let usable = |(to, _): &(IpAddr, IpAddr)| meaning.usable.contains(to);
            self.host.sources.extend(found.sources.into_iter().filter(usable));
            match meaning.usable.as_slice() {
                [] => Err(telling::of_no_use(host, &meaning)),
                _ => Ok((meaning, found.ttl)),
            }
        });
        let Some(name) = self.places.name_of_mut(remote) else { return };
        name.end(answer.as_ref().ok().map(|(_, ttl)| *ttl), at.now);
        match answer {
            Ok((meaning, _)) => self.adopt(remote, meaning, at),
            Err(why) => self.tell_unresolved(remote, why, at.now),
        }
        self.forget_sources();
        self.plan_place(remote, at.now);
        self.settle(at.now);
    }

    /// Forgets our addresses towards what no peer's name means any more, once they are many.
    fn forget_sources(&mut self) {
        let peers = self.config.peers.values().flat_map(PeerConfig::places);
        if self.host.sources.len() > SOURCES_OF_A_PEER * (self.config.peers.len() + 1) {
            let meant: BTreeSet<IpAddr> = peers.collect();
            self.host.sources.retain(|to, _| meant.contains(to));
        }
    }

    /// What the name means is the peer's as if it were written, and the underlay's, also where it is not
    /// looked for yet.
    fn learn_places(&mut self, remote: RemoteId, at: &mut Moment<'_>) {
        let usable = self.usable_places(remote);
        for id in self.remotes.get(&remote).cloned().unwrap_or_default() {
            if let Some(peer) = self.config.peers.get_mut(&id) {
                peer.remote_addresses.clone_from(&usable);
            }
        }
        self.reserve_underlay(at.now);
        self.connect(remote, at);
        self.outputs.push_back(Output::WatchWays);
        self.expect_host(at.now);
    }

    /// The name means this from now on. A connection that works stays where it is.
    fn adopt(&mut self, remote: RemoteId, meaning: Meaning, at: &mut Moment<'_>) {
        let here = self.place_of(remote);
        let works = self.is_up(remote);
        let is_there = |address: &IpAddr| meaning.usable.contains(address);
        let stays = here.is_some() && (works || here.as_ref().is_some_and(is_there));
        let first = meaning.usable.first().copied().filter(|_| !stays);
        let Some(name) = self.places.name_of_mut(remote) else { return };
        name.failure = None;
        let before = std::mem::replace(&mut name.meaning, meaning);
        if name.meaning != before {
            let [known, now] = [&before, &name.meaning].map(Meaning::addresses);
            let is_elsewhere = known != now;
            self.tell_meaning(remote, &before, at.now);
            if is_elsewhere {
                self.learn_places(remote, at);
            }
        }
        if let Some(address) = first {
            self.look_for(remote, address, at);
            // One that was looked for nowhere has begun by itself.
            if here.is_some() {
                self.ike.on_another_way(connection::id(remote), at);
            }
        }
    }
}

#[cfg(test)]
mod tests;

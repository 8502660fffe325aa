//! Peers whose place is a host name: when it is looked up, and at which of the addresses that it means
//! the peer is looked for. A name only says where to look: who the peer is it has to prove, and it may
//! come from anywhere.
//!
//! ```text
//!   time, a peer that does not answer ──► look-up ──► Meaning ──► where the peer is looked for
//!                                                        └──────► reserved like written addresses
//! ```
//!
//! An IKE SA that works stays where it is, whatever the name means by now. What an answer said holds
//! until another comes, for the DNS may fail when it is needed (RFC 8767).

mod telling;

use super::{Gateway, Output, Why, connection};
use crate::config::{Config, Meaning};
use crate::ike::{ConnectionState, Event};
use crate::moment::Moment;
use crate::net::{HostName, PeerId, RemoteId};
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

/// The names of remote gateways that have one.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<RemoteId, Name>);

/// A name, and what is known of it.
#[derive(Debug)]
pub(super) struct Name {
    /// The name.
    pub(super) host: HostName,
    /// The tunnels to the gateway.
    peers: Vec<PeerId>,
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
    /// Where to look for the peer from now on.
    turn: Option<Turn>,
}

/// Another address is the peer's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nobody answers here: the next one, at once.
    Next,
    /// We were refused here: the next one, when it is time for another attempt.
    Later,
    /// The peer was met there.
    To(IpAddr),
}

impl Name {
    fn new(host: HostName, now: Timestamp) -> Name {
        Name {
            host,
            peers: Vec::new(),
            meaning: Meaning::default(),
            is_asked: false,
            answered: None,
            failure: None,
            failures: 0,
            due: Some(now),
            turn: None,
        }
    }

    /// When there is something to do.
    fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        if self.turn.is_some() { Some(now) } else { self.due }
    }

    /// Begins a look-up that is due; says whether one is.
    fn begin(&mut self, now: Timestamp) -> bool {
        let begins = !self.is_asked && self.due.is_some_and(|due| due <= now);
        if begins {
            (self.is_asked, self.due) = (true, None);
        }
        begins
    }

    /// The peer does not answer: the name may mean something else by now.
    fn hurry(&mut self, now: Timestamp) {
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

    /// The address after this one, the first after the last.
    fn after(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let usable = &self.meaning.usable;
        let at = usable.iter().position(|one| Some(*one) == address);
        let next = at.map_or(0, |at| at + 1);
        usable.get(next).or(usable.first()).copied()
    }
}

impl Names {
    /// The one of a remote gateway.
    pub(super) fn of(&self, remote: RemoteId) -> Option<&Name> {
        self.0.get(&remote)
    }

    /// All addresses that they mean.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.0.values().flat_map(|name| name.meaning.usable.iter().copied())
    }
}

impl Gateway {
    /// A configuration with the places that are known for its names.
    pub fn placed(&self, mut config: Config) -> Config {
        let known = |remote: RemoteId, host: &HostName| {
            let name = self.places.0.get(&remote).filter(|name| name.host == *host)?;
            let peer = name.peers.first().and_then(|peer| self.config.peers.get(peer))?;
            peer.remote_address
        };
        for peer in config.peers.values_mut() {
            if let Some(host) = &peer.remote_name {
                peer.remote_address = known(peer.remote, host);
            }
        }
        config
    }

    /// Goes over to the names of the configuration. All are looked up at once: what their addresses are
    /// held against may be another, too.
    pub(super) fn follow_names(&mut self, now: Timestamp) {
        let mut known = std::mem::take(&mut self.places.0);
        let names = &mut self.places.0;
        for (peer, config) in &self.config.peers {
            let Some(host) = &config.remote_name else { continue };
            let name = names.entry(config.remote).or_insert_with(|| {
                let before = known.remove(&config.remote).filter(|name| name.host == *host);
                let name = before.unwrap_or_else(|| Name::new(host.clone(), now));
                let due = (!name.is_asked).then_some(now);
                Name { peers: Vec::new(), due, ..name }
            });
            name.peers.push(*peer);
        }
        known.into_keys().for_each(|remote| self.timers.arm(Why::Name(remote), None));
        let all: Vec<RemoteId> = self.places.0.keys().copied().collect();
        all.into_iter().for_each(|remote| self.plan_name(remote, now));
    }

    fn plan_name(&mut self, remote: RemoteId, now: Timestamp) {
        let deadline = self.places.of(remote).and_then(|name| name.deadline(now));
        self.timers.arm(Why::Name(remote), deadline);
    }

    /// Something is to be done about the name of a remote gateway.
    pub(super) fn wake_name(&mut self, remote: RemoteId, at: &mut Moment<'_>) {
        let here = self.place_of(remote);
        let Some(name) = self.places.0.get_mut(&remote) else { return };
        let hastens = name.turn == Some(Turn::Next);
        let next = match name.turn.take() {
            Some(Turn::Next | Turn::Later) => name.after(here),
            Some(Turn::To(address)) => Some(address),
            None => None,
        };
        if name.begin(at.now) {
            self.outputs.push_back(Output::LookUp { remote, host: name.host.clone() });
        }
        if let Some(address) = next.filter(|next| Some(*next) != here) {
            self.look_for(remote, address, at);
            if hastens {
                self.ike.on_another_way(connection::id(remote), at);
            }
        }
        self.plan_name(remote, at.now);
    }

    /// Takes what became of [`Output::LookUp`]: what was found, or why nothing was.
    pub fn handle_look_up(
        &mut self,
        remote: RemoteId,
        host: &HostName,
        answer: Result<Found, String>,
        at: &mut Moment<'_>,
    ) {
        let current = |name: &Name| name.host == *host && name.is_asked;
        if !self.places.of(remote).is_some_and(current) {
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
        let Some(name) = self.places.0.get_mut(&remote) else { return };
        name.end(answer.as_ref().ok().map(|(_, ttl)| *ttl), at.now);
        match answer {
            Ok((meaning, _)) => self.adopt(remote, meaning, at),
            Err(why) => self.tell_unresolved(remote, why, at.now),
        }
        self.forget_sources();
        self.plan_name(remote, at.now);
        self.settle(at.now);
    }

    /// Forgets our addresses towards what no peer's name means any more, once they are many.
    fn forget_sources(&mut self) {
        let peers = self.config.peers.values().filter_map(|peer| peer.remote_address);
        if self.host.sources.len() > SOURCES_OF_A_PEER * (self.config.peers.len() + 1) {
            let meant: BTreeSet<IpAddr> = peers.chain(self.places.addresses()).collect();
            self.host.sources.retain(|to, _| meant.contains(to));
        }
    }

    /// The name means this from now on. A connection that works stays where it is.
    fn adopt(&mut self, remote: RemoteId, meaning: Meaning, at: &mut Moment<'_>) {
        let here = self.place_of(remote);
        let works = self.is_up(remote);
        let is_there = |address: &IpAddr| meaning.usable.contains(address);
        let stays = here.is_some() && (works || here.as_ref().is_some_and(is_there));
        let first = meaning.usable.first().copied().filter(|_| !stays);
        let Some(name) = self.places.0.get_mut(&remote) else { return };
        name.failure = None;
        let before = std::mem::replace(&mut name.meaning, meaning);
        if name.meaning != before {
            let [known, now] = [&before, &name.meaning].map(Meaning::addresses);
            let is_elsewhere = known != now;
            self.tell_meaning(remote, &before, at.now);
            if is_elsewhere {
                self.reserve_underlay(at.now);
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

    fn is_up(&self, remote: RemoteId) -> bool {
        let view = self.ike.view(connection::id(remote));
        view.is_some_and(|view| view.state == ConnectionState::Up)
    }

    /// Where a remote gateway is looked for.
    fn place_of(&self, remote: RemoteId) -> Option<IpAddr> {
        let peer = self.places.of(remote)?.peers.first()?;
        self.config.peers.get(peer)?.remote_address
    }

    /// A remote gateway is looked for at another address from the next attempt on.
    fn look_for(&mut self, remote: RemoteId, address: IpAddr, at: &mut Moment<'_>) {
        let peers = self.places.of(remote).map(|name| name.peers.clone());
        for id in peers.unwrap_or_default() {
            let Some(peer) = self.config.peers.get_mut(&id) else { continue };
            peer.remote_address = Some(address);
            let local = connection::local_address_of(&self.config, &self.host, id);
            self.local_addresses.extend(local.map(|local| (id, local)));
        }
        self.connect(remote, at);
        self.outputs.push_back(Output::WatchWays);
        self.expect_host(at.now);
    }

    /// What an event of the IKE engine says of where a remote gateway is. One that is up, or that has
    /// begun to answer, is where it is looked for.
    pub(super) fn follow_place(&mut self, remote: RemoteId, event: &Event, now: Timestamp) {
        let is_unheard = matches!(event, Event::Unanswered { .. })
            && self.ike.is_unheard(connection::id(remote));
        let stands =
            matches!(event, Event::Unanswered { .. } | Event::Failed { .. }) && self.is_up(remote);
        let Some(name) = self.places.0.get_mut(&remote) else { return };
        match event {
            Event::Established(facts) => {
                let met = facts.remote.ip();
                name.turn = Some(Turn::To(met)).filter(|_| name.meaning.usable.contains(&met));
            }
            Event::Unanswered { .. } if is_unheard && !stands => {
                name.turn = Some(Turn::Next);
                name.hurry(now);
            }
            Event::Failed { slot: None, retry_at: Some(_), .. } if !stands => {
                name.turn = Some(Turn::Later);
                name.hurry(now);
            }
            Event::Unanswered { .. } | Event::Unreachable { .. } | Event::Down { .. } => {
                name.hurry(now);
            }
            Event::IkeRekeyed { .. }
            | Event::ChildUp(_)
            | Event::ChildSendable { .. }
            | Event::ChildDown { .. }
            | Event::Moved { .. }
            | Event::Alive { .. }
            | Event::Measured { .. }
            | Event::Unmeasured
            | Event::Failed { .. }
            | Event::Suspected { .. } => return,
        }
        self.plan_name(remote, now);
    }
}

#[cfg(test)]
mod tests;

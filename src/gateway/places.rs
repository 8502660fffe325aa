//! At which of several addresses a peer is looked for: those that are written, or those that its name
//! means ([`super::names`]).
//!
//! ```text
//!   nobody answers, or who does refuses ──► the next address ──► the next attempt goes there
//!   the peer was met, or has moved ───────► that address
//! ```
//!
//! An IKE SA that works stays where it is. The running configuration says where the peer is looked for
//! ([`PeerConfig::remote_address`](crate::config::PeerConfig)), so that routes and sockets follow.

use super::names::Name;
use super::{Gateway, Output, Why, connection};
use crate::config::Config;
use crate::ike::{ConnectionState, Event, Way};
use crate::moment::Moment;
use crate::net::{HostName, PeerId, RemoteId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The remote gateways that have several addresses, or a name.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<RemoteId, Place>);

/// Where a remote gateway is looked for.
#[derive(Debug, Default)]
struct Place {
    /// Its name, unless its addresses are written.
    name: Option<Name>,
    /// Where to look for it from now on.
    turn: Option<Turn>,
    /// The ways there that the IKE engine was told of last.
    told: BTreeSet<Way>,
}

/// Another address is the peer's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nobody answers here: the next one, at once.
    Next,
    /// We were refused here, or are answered no longer: the next one, when it is time for another
    /// attempt.
    Later,
    /// The peer was met there.
    To(IpAddr),
}

impl Place {
    /// When there is something to do.
    fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        if self.turn.is_some() { Some(now) } else { self.name.as_ref()?.due }
    }
}

impl Places {
    /// The name of a remote gateway that has one.
    pub(super) fn name_of(&self, remote: RemoteId) -> Option<&Name> {
        self.0.get(&remote)?.name.as_ref()
    }

    /// The same, to be changed.
    pub(super) fn name_of_mut(&mut self, remote: RemoteId) -> Option<&mut Name> {
        self.0.get_mut(&remote)?.name.as_mut()
    }
}

/// The address after this one, the first after the last.
fn after(usable: &[IpAddr], address: Option<IpAddr>) -> Option<IpAddr> {
    let at = usable.iter().position(|one| Some(*one) == address);
    let next = at.map_or(0, |at| at + 1);
    usable.get(next).or(usable.first()).copied()
}

impl Gateway {
    /// A configuration with the places that are known of its peers.
    pub fn placed(&self, mut config: Config) -> Config {
        let before = |remote| self.config.peers.get(&self.first_at(remote)?);
        let has_name = |remote, host: &HostName| {
            self.places.name_of(remote).is_some_and(|name| name.host == *host)
        };
        for peer in config.peers.values_mut() {
            let Some(before) = before(peer.remote) else { continue };
            if peer.remote_name.as_ref().is_some_and(|host| has_name(peer.remote, host)) {
                peer.remote_address = before.remote_address;
                peer.remote_addresses.clone_from(&before.remote_addresses);
            } else if let Some(here) = before.remote_address
                && peer.remote_addresses.contains(&here)
            {
                peer.remote_address = Some(here);
            }
        }
        config
    }

    /// Goes over to the places of the configuration. All names are looked up at once: what their
    /// addresses are held against may be another, too.
    pub(super) fn follow_places(&mut self, now: Timestamp) {
        let mut known = std::mem::take(&mut self.places.0);
        for config in self.config.peers.values() {
            let host = config.remote_name.as_ref();
            let has_several = host.is_some() || !config.remote_addresses.is_empty();
            if !has_several || self.places.0.contains_key(&config.remote) {
                continue;
            }
            let Place { name: before, told, .. } = known.remove(&config.remote).unwrap_or_default();
            let name = host.map(|host| {
                let before = before.filter(|name| name.host == *host);
                let mut name = before.unwrap_or_else(|| Name::new(host.clone(), now));
                name.renew(now);
                name
            });
            self.places.0.insert(config.remote, Place { name, turn: None, told });
        }
        known.into_keys().for_each(|remote| self.timers.arm(Why::Place(remote), None));
        let all: Vec<RemoteId> = self.places.0.keys().copied().collect();
        all.into_iter().for_each(|remote| self.plan_place(remote, now));
    }

    pub(super) fn plan_place(&mut self, remote: RemoteId, now: Timestamp) {
        let deadline = self.places.0.get(&remote).and_then(|place| place.deadline(now));
        self.timers.arm(Why::Place(remote), deadline);
    }

    /// Something is to be done about where a remote gateway is.
    pub(super) fn wake_place(&mut self, remote: RemoteId, at: &mut Moment<'_>) {
        let here = self.place_of(remote);
        let usable = self.usable_places(remote);
        let Some(place) = self.places.0.get_mut(&remote) else { return };
        let hastens = place.turn == Some(Turn::Next);
        let next = match place.turn.take() {
            Some(Turn::Next | Turn::Later) => after(&usable, here),
            Some(Turn::To(address)) => Some(address),
            None => None,
        };
        if let Some(name) = &mut place.name
            && name.begin(at.now)
        {
            self.outputs.push_back(Output::LookUp { remote, host: name.host.clone() });
        }
        if let Some(address) = next.filter(|next| Some(*next) != here) {
            self.look_for(remote, address, at);
            if hastens {
                self.ike.on_another_way(connection::id(remote), at);
            }
        }
        self.plan_place(remote, at.now);
    }

    pub(super) fn is_up(&self, remote: RemoteId) -> bool {
        let view = self.ike.view(connection::id(remote));
        view.is_some_and(|view| view.state == ConnectionState::Up)
    }

    /// A tunnel to a remote gateway.
    fn first_at(&self, remote: RemoteId) -> Option<PeerId> {
        self.remotes.get(&remote)?.first().copied()
    }

    /// Where a remote gateway is looked for.
    pub(super) fn place_of(&self, remote: RemoteId) -> Option<IpAddr> {
        self.config.peers.get(&self.first_at(remote)?)?.remote_address
    }

    /// Where a remote gateway with several addresses may be, in the order of trying.
    pub(super) fn usable_places(&self, remote: RemoteId) -> Vec<IpAddr> {
        if let Some(name) = self.places.name_of(remote) {
            return name.meaning.usable.clone();
        }
        let config = self.first_at(remote).and_then(|peer| self.config.peers.get(&peer));
        config.map(|config| config.remote_addresses.clone()).unwrap_or_default()
    }

    /// The ways to a peer that has several addresses.
    pub(super) fn ways_to(&self, peer: PeerId) -> BTreeSet<Way> {
        let Some(config) = self.config.peers.get(&peer) else { return BTreeSet::new() };
        let way = |remote: &IpAddr| {
            let told = self.host.local_towards(&self.config, config, *remote);
            let local = told.unwrap_or_else(|| connection::listens(&self.config, remote.is_ipv4()));
            Way { local, remote: *remote }
        };
        let several = Some(&config.remote_addresses).filter(|places| places.len() > 1);
        several.into_iter().flatten().map(way).collect()
    }

    /// The IKE engine is told of the ways to a remote gateway.
    pub(super) fn note_ways(&mut self, remote: RemoteId) {
        let ways = self.first_at(remote).map(|peer| self.ways_to(peer)).unwrap_or_default();
        if let Some(place) = self.places.0.get_mut(&remote) {
            place.told = ways;
        }
    }

    /// The remote gateways to which the ways are others than the IKE engine was told.
    pub(super) fn led_elsewhere(&self) -> BTreeSet<RemoteId> {
        let ways_to = |remote| self.first_at(remote).map(|peer| self.ways_to(peer));
        let places = self.places.0.iter();
        let others =
            places.filter(|(remote, place)| ways_to(**remote).as_ref() != Some(&place.told));
        others.map(|(remote, _)| *remote).collect()
    }

    /// A remote gateway is looked for at another address from the next attempt on. The host was asked
    /// before from which address it sends there.
    pub(super) fn look_for(&mut self, remote: RemoteId, address: IpAddr, at: &mut Moment<'_>) {
        for id in self.remotes.get(&remote).cloned().unwrap_or_default() {
            let Some(peer) = self.config.peers.get_mut(&id) else { continue };
            peer.remote_address = Some(address);
            let local = connection::local_address_of(&self.config, &self.host, id);
            self.local_addresses.extend(local.map(|local| (id, local)));
        }
        self.connect(remote, at);
    }

    /// What an event of the IKE engine says of where a remote gateway is. One that is up, or that has
    /// begun to answer, is where it is looked for.
    pub(super) fn follow_place(&mut self, remote: RemoteId, event: &Event, now: Timestamp) {
        let is_unheard = matches!(event, Event::Unanswered { .. })
            && self.ike.is_unheard(connection::id(remote));
        let stands =
            matches!(event, Event::Unanswered { .. } | Event::Failed { .. }) && self.is_up(remote);
        if !self.places.0.contains_key(&remote) {
            return;
        }
        let turn = match event {
            Event::Established(facts) => self.turn_to(remote, facts.remote.ip()),
            Event::Moved { remote: met, .. } => self.turn_to(remote, met.ip()),
            Event::Alive { .. } => {
                let view = self.ike.view(connection::id(remote));
                let met = view.and_then(|view| Some(view.ike_sas.first()?.remote.ip()));
                met.and_then(|met| self.turn_to(remote, met))
            }
            // An attempt elsewhere comes to nothing, and the IKE SA stands where it is.
            Event::Unanswered { .. } | Event::Failed { slot: None, .. } if stands => {
                self.ways.ends(remote).and_then(|here| self.turn_to(remote, here.remote))
            }
            Event::Unanswered { .. } if is_unheard => Some(Turn::Next),
            Event::Failed { slot: None, retry_at: Some(_), .. } => Some(Turn::Later),
            // Whether the IKE SA can move or not: where nobody answers no attempt is begun.
            Event::Unreachable { .. } => Some(Turn::Later),
            Event::Unanswered { .. } | Event::Down { .. } => None,
            Event::IkeRekeyed { .. }
            | Event::ChildUp(_)
            | Event::ChildSendable { .. }
            | Event::ChildDown { .. }
            | Event::WayAnswered { .. }
            | Event::WayRefused { .. }
            | Event::Measured { .. }
            | Event::Unmeasured
            | Event::Failed { .. }
            | Event::Suspected { .. } => return,
        };
        let Some(place) = self.places.0.get_mut(&remote) else { return };
        place.turn = turn.or(place.turn);
        let is_met =
            matches!(event, Event::Established(_) | Event::Moved { .. } | Event::Alive { .. });
        if let Some(name) = place.name.as_mut().filter(|_| !is_met) {
            name.hurry(now);
        }
        self.plan_place(remote, now);
    }

    /// The peer was met there: it is looked for there, if it is one of its places.
    fn turn_to(&self, remote: RemoteId, met: IpAddr) -> Option<Turn> {
        self.usable_places(remote).contains(&met).then_some(Turn::To(met))
    }
}

#[cfg(test)]
mod tests;

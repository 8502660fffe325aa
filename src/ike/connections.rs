//! All connections of an endpoint, found by what a message says: by the addresses that it came
//! from and to, and by the identities that it names. Nobody walks over all of them.
//!
//! IKE_SA_INIT does not say which connection is meant. What is needed to answer it, the suites
//! of all that the addresses admit, is kept ready per pair of addresses; see [`Acceptable`].

use super::config::{ConnectionConfig, ConnectionId, Encapsulation, PostQuantum, RemoteAddress};
use super::connection::Connection;
use super::limits::NAMED_AUTHORITIES;
use super::path::Path;
use super::proposal::Beside;
use crate::crypto::suite::IkeSuite;
use crate::pki::KeyIdentifier;
use crate::visits::Visits;
use crate::wire::ike::Identity;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A connection that may be meant, as it is configured.
pub(super) type Candidate = (ConnectionId, Arc<ConnectionConfig>);

/// What the connections that may be meant by an IKE_SA_INIT accept together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acceptable {
    /// Their suites without repetition, in the order of the connections.
    pub suites: Vec<IkeSuite>,
    /// The key exchanges that may stand beside the first.
    pub beside: Beside,
    /// Whether one of them wants the peer to see a NAT in front of us.
    pub force_encapsulation: bool,
    /// The authorities of which they take certificates.
    pub authorities: Vec<KeyIdentifier>,
    /// Whether one of them has a post-quantum pre-shared key.
    pub has_ppk: bool,
}

/// The connections between the same two addresses.
#[derive(Clone, Debug, Default)]
struct Place {
    members: BTreeSet<ConnectionId>,
    /// By their list of suites: of 10,000 connections most have the same.
    by_suites: BTreeMap<Vec<IkeSuite>, BTreeSet<ConnectionId>>,
    forcing: BTreeSet<ConnectionId>,
    /// Those with a post-quantum pre-shared key.
    with_ppk: BTreeSet<ConnectionId>,
    /// How many want ML-KEM how much.
    post_quantum: BTreeMap<PostQuantum, usize>,
    /// How many take certificates of each authority.
    authorities: BTreeMap<KeyIdentifier, usize>,
}

/// Our address, `None` if it does not matter, and the peer's; `None` is [`RemoteAddress::Any`].
type PlaceKey = (Option<IpAddr>, Option<IpAddr>);

/// The connections of an endpoint, with their indices.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: BTreeMap<ConnectionId, Connection>,
    places: BTreeMap<PlaceKey, Place>,
    /// By the peer's identity, then by ours.
    identities: BTreeMap<Identity, BTreeMap<Identity, BTreeSet<ConnectionId>>>,
    touched: BTreeSet<ConnectionId>,
    visits: Visits,
}

impl Connections {
    /// Adds a connection in place of the one that has this number.
    pub(super) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        self.remove(id);
        let config = connection.config.clone();
        self.settle_in(id, &config);
        let of_peer = self.identities.entry(config.remote_id.clone()).or_default();
        of_peer.entry(config.local_id.clone()).or_default().insert(id);
        self.touched.insert(id);
        self.all.insert(id, connection);
    }

    /// Takes a connection out.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        let Some(connection) = self.all.remove(&id) else { return };
        self.touched.insert(id);
        let config = &connection.config;
        self.clear_out(id, config);
        let Some(of_peer) = self.identities.get_mut(&config.remote_id) else { return };
        if let Some(pair) = of_peer.get_mut(&config.local_id) {
            pair.remove(&id);
        }
        of_peer.retain(|_, pair| !pair.is_empty());
        if of_peer.is_empty() {
            self.identities.remove(&config.remote_id);
        }
    }

    /// The connection of a number.
    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.visits.one();
        self.all.get(&id)
    }

    /// Configures a connection otherwise, but for its identities.
    pub(super) fn reconfigure(&mut self, id: ConnectionId, config: Arc<ConnectionConfig>) {
        let Some(connection) = self.all.get_mut(&id) else { return };
        let old = std::mem::replace(&mut connection.config, config.clone());
        self.clear_out(id, &old);
        self.settle_in(id, &config);
        self.touched.insert(id);
    }

    fn settle_in(&mut self, id: ConnectionId, config: &ConnectionConfig) {
        for key in places_of(config) {
            self.places.entry(key).or_default().insert(id, config);
        }
    }

    fn clear_out(&mut self, id: ConnectionId, config: &ConnectionConfig) {
        for key in places_of(config) {
            let Some(place) = self.places.get_mut(&key) else { continue };
            place.remove(id, config);
            if place.members.is_empty() {
                self.places.remove(&key);
            }
        }
    }

    /// The connection of a number, to be changed: its timer will be set anew. Its configuration
    /// stays as it is, for it is indexed.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.visits.one();
        self.touched.insert(id);
        self.all.get_mut(&id)
    }

    /// Its timer will be set anew.
    pub(super) fn touch(&mut self, id: ConnectionId) {
        self.touched.insert(id);
    }

    /// A connection that was added, removed or changed since it was last named here.
    pub(super) fn next_touched(&mut self) -> Option<ConnectionId> {
        self.touched.pop_first()
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.all.iter().map(|(&id, connection)| (id, connection))
    }

    /// All of them, for the model of the tests.
    #[cfg(test)]
    pub(super) fn walk(&self) -> impl Iterator<Item = (&ConnectionId, &Connection)> {
        self.all.iter()
    }

    /// Counts the connections that were handed out.
    #[cfg(test)]
    pub(super) fn visits(&self) -> &Visits {
        &self.visits
    }

    /// What an IKE_SA_INIT on this path may be answered with; `None` when no connection can be
    /// meant.
    pub(super) fn acceptable(&self, path: Path) -> Option<Acceptable> {
        let places: Vec<&Place> = self.places_of(path).into_iter().flatten().collect();
        let lists = places.iter().flat_map(|place| &place.by_suites);
        let mut lists: Vec<_> = lists.map(|(suites, ids)| (ids.first(), suites)).collect();
        lists.sort();
        let mut suites = Vec::new();
        for suite in lists.into_iter().flat_map(|(_, suites)| suites) {
            if !suites.contains(suite) {
                suites.push(*suite);
            }
        }
        let force_encapsulation = places.iter().any(|place| !place.forcing.is_empty());
        let named = places.iter().flat_map(|place| place.authorities.keys()).copied();
        let named: BTreeSet<KeyIdentifier> = named.collect();
        let authorities = named.into_iter().take(NAMED_AUTHORITIES).collect();
        let wanted = places.iter().flat_map(|place| place.post_quantum.keys()).copied();
        let beside = Beside::of_all(wanted);
        let has_ppk = places.iter().any(|place| !place.with_ppk.is_empty());
        let acceptable = Acceptable { suites, beside, force_encapsulation, authorities, has_ppk };
        (!places.is_empty()).then_some(acceptable)
    }

    /// The connections whose peer is configured to be at the far end of this very path.
    pub(super) fn at_address(&self, path: Path) -> Vec<ConnectionId> {
        let remote = Some(path.remote.ip());
        let fixed = [Some(path.local.ip()), None].map(|local| self.places.get(&(local, remote)));
        let members = fixed.into_iter().flatten().flat_map(|place| &place.members).copied();
        members.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether some peer is configured to be at the far end of this very path.
    pub(super) fn expects(&self, path: Path) -> bool {
        let remote = Some(path.remote.ip());
        let at = |local| self.places.contains_key(&(local, remote));
        at(Some(path.local.ip())) || at(None)
    }

    /// The connections that a peer on this path may mean by its identity, and by ours if it
    /// names one.
    pub(super) fn named(
        &self,
        peer: &Identity,
        ours: Option<&Identity>,
        path: Path,
    ) -> impl Iterator<Item = Candidate> + use<> {
        let of_peer = self.identities.get(peer).into_iter().flatten();
        let fitting = of_peer.filter(move |(own, _)| ours.is_none_or(|ours| *own == ours));
        let ids: BTreeSet<ConnectionId> = fitting.flat_map(|(_, ids)| ids).copied().collect();
        let candidates = ids.into_iter().filter_map(|id| self.candidate(id));
        let mut fitting: Vec<Candidate> =
            candidates.filter(|(_, config)| admits(config, path)).collect();
        // Of several the one that initiates from this very address.
        fitting.sort_by_key(|(_, config)| config.local != path.local.ip());
        fitting.into_iter()
    }

    /// The first connection that this path admits, but with another peer than the one that
    /// presents itself.
    pub(super) fn of_somebody_else(&self, presented: &Identity, path: Path) -> Option<Candidate> {
        let other = |candidate: &Candidate| candidate.1.remote_id != *presented;
        let first =
            |place: &Place| place.members.iter().filter_map(|id| self.candidate(*id)).find(other);
        let firsts = self.places_of(path).into_iter().flatten().filter_map(first);
        firsts.min_by_key(|(id, _)| *id)
    }

    /// The connections between the same two identities as this one, itself among them.
    pub(super) fn between_the_same(&self, config: &ConnectionConfig) -> Vec<ConnectionId> {
        let of_peer = self.identities.get(&config.remote_id);
        let pair = of_peer.and_then(|of_peer| of_peer.get(&config.local_id));
        pair.map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }

    fn candidate(&self, id: ConnectionId) -> Option<Candidate> {
        self.get(id).map(|connection| (id, connection.config.clone()))
    }

    /// Those of peers anywhere, and those of peers at this very address; those that are asked at
    /// this very address of ours, and those that are asked at any.
    fn places_of(&self, path: Path) -> [Option<&Place>; 4] {
        let (local, remote) = (Some(path.local.ip()), Some(path.remote.ip()));
        [(local, None), (local, remote), (None, None), (None, remote)]
            .map(|key| self.places.get(&key))
    }
}

impl Place {
    fn insert(&mut self, id: ConnectionId, config: &ConnectionConfig) {
        self.members.insert(id);
        self.by_suites.entry(config.ike_suites.clone()).or_default().insert(id);
        if config.force_encapsulation {
            self.forcing.insert(id);
        }
        if config.ppk.is_some() {
            self.with_ppk.insert(id);
        }
        for authority in config.credentials.authorities() {
            *self.authorities.entry(authority).or_default() += 1;
        }
        *self.post_quantum.entry(config.post_quantum).or_default() += 1;
    }

    fn remove(&mut self, id: ConnectionId, config: &ConnectionConfig) {
        self.members.remove(&id);
        self.forcing.remove(&id);
        self.with_ppk.remove(&id);
        for authority in config.credentials.authorities() {
            if let Some(count) = self.authorities.get_mut(&authority) {
                *count -= 1;
            }
        }
        self.authorities.retain(|_, count| *count > 0);
        if let Some(count) = self.post_quantum.get_mut(&config.post_quantum) {
            *count -= 1;
        }
        self.post_quantum.retain(|_, count| *count > 0);
        if let Some(ids) = self.by_suites.get_mut(&config.ike_suites) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_suites.remove(&config.ike_suites);
            }
        }
    }
}

/// One of a peer with several addresses has a place at each; one that roams has a place at its address,
/// as whoever is known there, and one anywhere.
fn places_of(config: &ConnectionConfig) -> BTreeSet<PlaceKey> {
    let remote = match config.remote {
        RemoteAddress::At(remote) => Some(remote.ip()),
        RemoteAddress::Any => None,
    };
    let elsewhere = config.roams.then_some(None);
    let local = Some(config.local).filter(|_| !config.anywhere);
    let ways = config.ways.iter().map(|way| Some(way.remote));
    elsewhere.into_iter().chain([remote]).chain(ways).map(|remote| (local, remote)).collect()
}

fn admits(config: &ConnectionConfig, path: Path) -> bool {
    let as_agreed = !path.is_streamed() || config.encapsulation != Encapsulation::Udp;
    as_agreed
        && (config.anywhere || config.local == path.local.ip())
        && config.admits(path.remote.ip())
}

#[cfg(test)]
mod tests;

//! The ways to peers with several addresses are measured while a tunnel is up, and it goes to the better one.
//!
//! ```text
//!   every second: a question on each way (ike::ways) ──► Survey ──► better, or the one in use is dead
//!                                                                     │
//!        the peer answers from there ◄── by MOBIKE (RFC 4555) ────────┤
//!        a new IKE SA stands there   ◄── without, unless by name ─────┘
//! ```
//!
//! Who began the IKE SA asks and decides; the other side follows.

use super::diagnosis::Fact;
use super::failover::Health;
use super::survey::{Change, Survey};
use super::{Gateway, Why, connection};
use crate::control::{Code, PlaceView};
use crate::ike::{Event, IkeView, Trial, Way};
use crate::moment::Moment;
use crate::net::{PeerId, RemoteId};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The ways to remote gateways that have several addresses.
#[derive(Debug, Default)]
pub(super) struct Surveys(BTreeMap<RemoteId, Survey>);

impl Gateway {
    /// The ways to a remote gateway may be others now.
    pub(super) fn follow_ways(&mut self, remote: RemoteId, now: Timestamp) {
        let peer = self.remotes.get(&remote).and_then(|peers| peers.first().copied());
        let config = peer.and_then(|peer| self.config.peers.get(&peer));
        let Some((peer, config)) = peer.zip(config) else { return self.forget_survey(remote) };
        let ways = self.ways_to(peer);
        let order = config.remote_addresses.iter();
        let ways = order.flat_map(|to| ways.iter().filter(move |way| way.remote == *to));
        // What works stays at our address where it is, whichever the routing table names by now.
        let here = self.ways.ends(remote).filter(|_| self.is_up(remote));
        let in_use = |way: &Way| here.filter(|here| here.remote == way.remote);
        let ways: Vec<Way> = ways.map(|way| in_use(way).unwrap_or(*way)).collect();
        if ways.len() < 2 {
            return self.forget_survey(remote);
        }
        self.surveys.0.entry(remote).or_default().follow(ways);
        if !self.timers.is_armed(&Why::Survey(remote)) && self.is_up(remote) {
            self.timers.arm(Why::Survey(remote), Some(now));
        }
    }

    /// A remote gateway has one address, or is not configured any more.
    fn forget_survey(&mut self, remote: RemoteId) {
        self.surveys.0.remove(&remote);
        self.timers.arm(Why::Survey(remote), None);
    }

    /// What an event of the IKE engine means for the ways to a remote gateway; says whether it means
    /// nothing else.
    pub(super) fn follow_survey(
        &mut self,
        remote: RemoteId,
        event: &Event,
        now: Timestamp,
    ) -> bool {
        let Some(survey) = self.surveys.0.get_mut(&remote) else {
            return matches!(event, Event::WayAnswered { .. } | Event::WayRefused { .. });
        };
        match event {
            Event::WayAnswered { way, asked } => {
                survey.on_answer(*way, *asked, now);
                return true;
            }
            Event::WayRefused { way } => {
                survey.on_refused(*way);
                return true;
            }
            Event::Established(facts) => {
                survey.on_established();
                survey.on_arrived(between(facts.local, facts.remote), now);
                self.timers.arm(Why::Survey(remote), Some(now));
            }
            Event::Moved { local, remote: there, .. } => {
                survey.on_arrived(between(*local, *there), now);
            }
            Event::IkeRekeyed { .. } => self.timers.arm(Why::Survey(remote), Some(now)),
            Event::Down { .. } => {
                survey.pause();
                self.timers.arm(Why::Survey(remote), None);
            }
            Event::Failed { slot: None, .. } => survey.on_failed(),
            Event::ChildUp(_)
            | Event::ChildSendable { .. }
            | Event::ChildDown { .. }
            | Event::Alive { .. }
            | Event::Unreachable { .. }
            | Event::Measured { .. }
            | Event::Unmeasured
            | Event::Unanswered { .. }
            | Event::Failed { .. }
            | Event::Suspected { .. } => {}
        }
        false
    }

    /// Packets pass to a peer again, or not any more. When they pass to nobody there, another way is taken.
    pub(super) fn doubt_way(&mut self, peer: PeerId, now: Timestamp) {
        let Some(remote) = self.config.peers.get(&peer).map(|peer| peer.remote) else { return };
        let Some(survey) = self.surveys.0.get_mut(&remote) else { return };
        let tunnels = self.remotes.get(&remote).into_iter().flatten();
        let health = || tunnels.clone().filter_map(|peer| Some(self.tunnels.get(peer)?.health()));
        let some_lost = health().any(|health| health == Health::Unreachable);
        let none_carries = health().all(|one| matches!(one, Health::Unreachable | Health::Down));
        let is_dead = some_lost && none_carries;
        survey.on_doubt(is_dead, now);
        if is_dead {
            self.timers.arm(Why::Survey(remote), Some(now));
        }
    }

    /// A round of questions, and what the last ones say. It is the last one while there is nothing to ask.
    pub(super) fn wake_survey(&mut self, remote: RemoteId, at: &mut Moment<'_>) {
        self.follow_ways(remote, at.now);
        let here = self.ways.ends(remote);
        let Some(survey) = self.surveys.0.get_mut(&remote) else { return };
        let change = here.and_then(|here| survey.poll_change(here));
        let taken = here.and_then(|here| survey.judge(here, at.now));
        if let Some(change) = change {
            self.tell_change(remote, change, at.now);
        }
        if let Some(((way, reason), here)) = taken.zip(here) {
            self.take_way(remote, Change { from: here, to: way, reason }, at);
        }
        let asks = self.ask_ways(remote, at);
        let Some(survey) = self.surveys.0.get_mut(&remote) else { return };
        let next = asks.then(|| survey.next_round(here, at.now));
        if !asks {
            survey.pause();
        }
        let silent = survey.poll_silent(at.now);
        self.timers.arm(Why::Survey(remote), next);
        if let Some(way) = silent {
            self.tell_silent(remote, way, at.now);
        }
    }

    /// A question on each way, each in its turn the first; says whether there was one.
    fn ask_ways(&mut self, remote: RemoteId, at: &mut Moment<'_>) -> bool {
        let Some(survey) = self.surveys.0.get_mut(&remote) else { return false };
        let ways = survey.next_ways();
        let mut asks = false;
        for way in ways {
            if self.leads(way)
                && self.ike.ask_way(connection::id(remote), way, at)
                && let Some(survey) = self.surveys.0.get_mut(&remote)
            {
                survey.on_asked(way, at.now);
                asks = true;
            }
        }
        asks
    }

    /// Whether the host has a way there, as far as is known.
    fn leads(&self, way: Way) -> bool {
        !way.local.is_unspecified() && !self.reach.is_lost(way.remote)
    }

    fn take_way(&mut self, remote: RemoteId, change: Change, at: &mut Moment<'_>) {
        let id = connection::id(remote);
        let has_name = self.places.name_of(remote).is_some();
        let trial = self.ike.try_way(id, change.to, at);
        // Behind another address of a name may be another gateway with the same identity.
        if trial == Trial::NotOurs || trial == Trial::TakesNew && has_name {
            return;
        }
        if let Some(survey) = self.surveys.0.get_mut(&remote) {
            survey.on_trial(change);
        }
        if trial == Trial::TakesNew {
            self.look_for(remote, change.to.remote, at);
            self.ike.replace(id, at);
        }
    }

    /// Another way was taken.
    fn tell_change(&mut self, remote: RemoteId, change: Change, now: Timestamp) {
        let Change { from, to, reason } = change;
        let text = format!("{} is left for {}: {reason}", from.remote, to.remote);
        self.note_of(remote, &|| Fact::new(Code::PlaceLeft, text.clone()), now);
    }

    /// A peer that answers elsewhere answers nothing there.
    fn tell_silent(&mut self, remote: RemoteId, way: Way, now: Timestamp) {
        let Way { local, remote: there } = way;
        let text = format!("{there} has answered no question from {local} for 30 s");
        let remedy = format!("does UDP pass to {there}, and does the peer listen there?");
        self.note_of(remote, &|| Fact::new(Code::PlaceSilent, text.clone()).remedy(&remedy), now);
    }

    fn note_of(&mut self, remote: RemoteId, fact: &dyn Fn() -> Fact, now: Timestamp) {
        for peer in self.remotes.get(&remote).into_iter().flatten() {
            if let Some(tunnel) = self.tunnels.get_mut(peer) {
                tunnel.note(fact(), now);
                self.dirty.told.insert(*peer);
            }
        }
    }

    /// The addresses of a peer that has several, with the IKE SA in use.
    pub(super) fn place_views(
        &self,
        peer: PeerId,
        ike_sa: Option<&IkeView>,
        now: Timestamp,
    ) -> Vec<PlaceView> {
        let Some(config) = self.config.peers.get(&peer) else { return Vec::new() };
        let here = ike_sa.map(|ike| ike.remote.ip()).or(config.remote_address);
        let survey = self.surveys.0.get(&config.remote);
        let view = |way: Way| {
            let measures = survey.and_then(|survey| survey.measure(way, now)).unwrap_or_default();
            PlaceView {
                address: way.remote,
                local: self.leads(way).then_some(way.local),
                in_use: Some(way.remote) == here,
                mean_rtt_us: measures.round_trip.map(micros),
                jitter_us: measures.jitter.map(micros),
                asked: u32::try_from(measures.asked).unwrap_or(u32::MAX),
                lost: u32::try_from(measures.lost).unwrap_or(u32::MAX),
            }
        };
        let ways = survey.map(|survey| survey.ways().collect::<Vec<_>>());
        ways.unwrap_or_default().into_iter().map(view).collect()
    }
}

fn between(local: SocketAddr, remote: SocketAddr) -> Way {
    Way { local: local.ip(), remote: remote.ip() }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

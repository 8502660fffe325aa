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
use super::survey::{INTERVAL, Reason, Survey};
use super::{Gateway, Why, connection};
use crate::control::{Code, PlaceView};
use crate::ike::{Event, IkeView, Trial, Way};
use crate::moment::Moment;
use crate::net::{PeerId, RemoteId};
use crate::time::Timestamp;
use std::collections::BTreeMap;
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
        let ways: Vec<Way> = order
            .flat_map(|to| ways.iter().filter(move |way| way.remote == *to))
            .copied()
            .collect();
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
            return matches!(event, Event::WayAnswered { .. });
        };
        match event {
            Event::WayAnswered { way, asked } => {
                survey.on_answer(*way, *asked, now);
                return true;
            }
            Event::Established(_) => {
                survey.is_dead = false;
                self.timers.arm(Why::Survey(remote), Some(now));
            }
            Event::Down { .. } => {
                survey.pause();
                self.timers.arm(Why::Survey(remote), None);
            }
            Event::Moved { .. } => survey.is_dead = false,
            Event::IkeRekeyed { .. }
            | Event::ChildUp(_)
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
        survey.is_dead = some_lost && none_carries;
        if survey.is_dead {
            self.timers.arm(Why::Survey(remote), Some(now));
        }
    }

    /// A round of questions, and what the last ones say.
    pub(super) fn wake_survey(&mut self, remote: RemoteId, at: &mut Moment<'_>) {
        let id = connection::id(remote);
        let here = self.ways.ends(remote);
        let Some(survey) = self.surveys.0.get_mut(&remote) else { return };
        let taken = here.and_then(|here| survey.judge(here, at.now));
        let ways: Vec<Way> = survey.ways().collect();
        if let Some(((way, reason), here)) = taken.zip(here) {
            self.take_way(remote, (here, way), reason, at);
        }
        let is_unspecified = |way: &Way| way.local.is_unspecified();
        for way in ways.into_iter().filter(|way| !is_unspecified(way)) {
            if self.ike.ask_way(id, way, at)
                && let Some(survey) = self.surveys.0.get_mut(&remote)
            {
                survey.on_asked(way, at.now);
            }
        }
        self.timers.arm(Why::Survey(remote), Some(at.now + INTERVAL));
    }

    fn take_way(
        &mut self,
        remote: RemoteId,
        (here, way): (Way, Way),
        reason: Reason,
        at: &mut Moment<'_>,
    ) {
        let id = connection::id(remote);
        let has_name = self.places.name_of(remote).is_some();
        match self.ike.try_way(id, way, at) {
            Trial::Asked => {}
            // Behind another address of a name may be another gateway with the same identity.
            Trial::TakesNew if !has_name => {
                self.look_for(remote, way.remote, at);
                self.ike.replace(id, at);
            }
            Trial::TakesNew | Trial::NotOurs => return,
        }
        let text = match here.remote == way.remote {
            true => format!("{} is left for {}: {reason}", here.local, way.local),
            false => format!("{} is left for {}: {reason}", here.remote, way.remote),
        };
        for peer in self.remotes.get(&remote).into_iter().flatten() {
            if let Some(tunnel) = self.tunnels.get_mut(peer) {
                tunnel.note(Fact::new(Code::PlaceLeft, text.clone()), at.now);
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
                local: Some(way.local).filter(|local| !local.is_unspecified()),
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

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

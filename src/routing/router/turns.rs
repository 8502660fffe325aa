//! What follows from an input, in turns: sessions' outputs into the table, the table's decisions to the
//! data plane and to the peers. A turn looks at so many prefixes and no more, whatever peers have
//! announced; what is left waits for the next, which the router asks for by [`Why::Work`](super::Why::Work).

use super::neighbor::Neighbor;
use super::{Action, FibChange, Router};
use crate::net::{PeerId, Prefix};
use crate::routing::bgp::{self, Refresh};
use crate::routing::rib::Decided;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Prefixes that a turn takes in from sessions, and prefixes that it decides about.
pub(super) const TURN: usize = 256;

impl Router {
    /// Whether a turn has left something to do.
    pub fn is_busy(&self) -> bool {
        self.unfinished.is_some()
    }

    /// A turn.
    pub(super) fn settle(&mut self, now: Timestamp) {
        self.drain(now);
        let decided = self.rib.decide(TURN);
        let rerouted = decided.iter().filter(|decided| decided.is_rerouted);
        let changes: Vec<FibChange> =
            rerouted.map(|decided| self.fib_change(decided.prefix)).collect();
        if !changes.is_empty() {
            self.actions.push_back(Action::Fib(changes));
        }
        if !decided.is_empty() && (self.config.transit || self.has_vpc_side()) {
            let prefixes: BTreeSet<Prefix> =
                decided.iter().map(|Decided { prefix, .. }| *prefix).collect();
            self.export(&prefixes);
            self.drain(now);
        }
        let is_done = self.touched.is_empty() && self.rib.is_decided();
        self.unfinished = (!is_done).then_some(now);
    }

    fn fib_change(&self, prefix: Prefix) -> FibChange {
        let (paths, home) = self.rib.ways(&prefix);
        FibChange { prefix, paths, home }
    }

    /// Handles what the touched sessions put out, as far as a turn has room.
    pub(super) fn drain(&mut self, now: Timestamp) {
        let mut room = TURN;
        while room > 0
            && let Some(peer) = self.touched.pop_first()
        {
            room = self.drain_one(peer, room, now);
        }
        if !self.touched.is_empty() {
            self.unfinished = Some(now);
        }
    }

    /// Handles all that the session of a neighbour puts out.
    pub(super) fn drain_fully(&mut self, peer: PeerId, now: Timestamp) {
        self.touched.remove(&peer);
        self.drain_one(peer, usize::MAX, now);
    }

    /// Handles what a session puts out, until it is silent or the room is used up, and keeps its
    /// timers. Comes back with the room that is left.
    fn drain_one(&mut self, peer: PeerId, mut room: usize, now: Timestamp) -> usize {
        while room > 0 {
            let Some(output) = self.next_output(peer) else { break };
            room = self.handle_output(peer, output, room, now);
        }
        if room == 0 {
            self.touched.insert(peer);
        }
        let speaker = self.neighbors.get(&peer).and_then(Neighbor::speaker);
        let deadline = speaker.and_then(|speaker| speaker.session.poll_timeout());
        let stale_until = self.neighbors.get(&peer).and_then(|neighbor| neighbor.stale_until);
        let deadline = deadline.map(|(at, _)| at).into_iter().chain(stale_until).min();
        self.timers.arm(peer, deadline);
        room
    }

    fn next_output(&mut self, peer: PeerId) -> Option<bgp::Output> {
        let neighbor = self.neighbors.get_mut(&peer)?;
        let rest = neighbor.rest_of_update.take().map(bgp::Output::Update);
        rest.or_else(|| neighbor.speaker_mut()?.session.poll_output())
    }

    /// Comes back with the room that is left: a prefix takes one, and so does an output without any.
    fn handle_output(
        &mut self,
        peer: PeerId,
        output: bgp::Output,
        room: usize,
        now: Timestamp,
    ) -> usize {
        match output {
            bgp::Output::Update(update) => return self.take_in(peer, update, room, now),
            bgp::Output::Connect(connection) => {
                self.owners.insert(connection, peer);
                let addresses = self.neighbors.get(&peer).and_then(Neighbor::addresses);
                if let Some((local, remote)) = addresses {
                    self.actions.push_back(Action::Connect { peer, connection, local, remote });
                }
            }
            bgp::Output::Send(connection, bytes) => {
                self.actions.push_back(Action::Send { connection, bytes });
            }
            bgp::Output::Close(connection) => {
                self.owners.remove(&connection);
                self.actions.push_back(Action::Close { connection });
            }
            bgp::Output::Up => self.on_up(peer, now),
            bgp::Output::Down(reason) => self.on_down(peer, reason, now),
            bgp::Output::Failed(reason) => {
                self.actions.push_back(Action::NeighborFailed { peer, reason });
            }
            bgp::Output::Refresh(family, Refresh::Wanted) => self.tell_again(peer, family),
            bgp::Output::Refresh(family, Refresh::Begins) => self.on_refresh(peer, family, now),
            bgp::Output::Refresh(family, Refresh::Ends) => self.sweep(peer, Some(family)),
        }
        room - 1
    }

    /// Takes in of an UPDATE what there is room for; the rest waits before all that comes later.
    fn take_in(
        &mut self,
        peer: PeerId,
        mut update: bgp::Update,
        room: usize,
        now: Timestamp,
    ) -> usize {
        let rest = update.split_off(room);
        let taken = update.prefix_count().max(1);
        self.on_update(peer, update, now);
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.rest_of_update = rest;
        }
        room - taken
    }
}

//! The session with one neighbour: all TCP connections to it, of which one at most survives
//! (RFC 4271 §6.8, §8.2.1), their timers, and the waits between attempts.
//!
//! Every connection, ours or the peer's, is an instance of the state machine ([`super::fsm`]).
//! This file feeds it events and carries out its steps; it decides nothing that the machine
//! decides.

mod connection;
mod handshake;
mod input;
mod values;

pub use values::{DownReason, Negotiated, Output, SessionConfig, Timer};

use super::codec;
use super::{Cause, CeaseReason, ConnectionId, Frame, State, Step, Transition, transition};
use crate::random::{Random, Seeded};
use crate::time::{Timestamp, soonest};
use connection::Connection;
use input::Input;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Time that the peer's OPEN may take. RFC 4271 §8.2.2 suggests four minutes; inside a tunnel
/// that stands, half a minute is long.
const OPEN_HOLD_TIME: Duration = Duration::from_secs(30);
/// The first wait after a failure; it doubles up to the configured `connect_retry`.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// So many attempts that may well succeed the next time have to fail before that is told.
const TELLING: u32 = 3;
/// The wait after a neighbour announced too much: the operator has to look.
const EXCESS_WAIT: Duration = Duration::from_secs(60);
/// A session that lasted this long was sound: the next failure starts counting anew.
const SOUND_AFTER: Duration = Duration::from_secs(10);
/// An established session yields to a new connection of the peer once it is this old. Younger, the
/// two are a collision; older, the peer has lost the old one, or it would not have opened another
/// (RFC 4271 §6.8, CollisionDetectEstablishedState).
const COLLISION_WINDOW: Duration = Duration::from_secs(5);
/// Connections of the peer that are looked at at a time.
const MAX_INCOMING: usize = 2;

/// Whether connections are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// None; those of the peer are refused.
    Stopped,
    /// None of ours: the tunnel is down. What stands may stay, the peer may come.
    Paused,
    /// One.
    Running,
}

/// A connection among those of one session.
type Key = u32;

/// The session with one neighbour.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    mode: Mode,
    connections: BTreeMap<Key, Connection>,
    next_key: Key,
    opened: u32,
    idle_hold: Option<Timestamp>,
    /// The neighbour may not even connect before this.
    refused_until: Timestamp,
    failures: u32,
    /// Whether there was one; before, we are new to the peer (RFC 4724 §4.1).
    was_established: bool,
    last_failure: Option<DownReason>,
    jitter: Seeded,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A session that does nothing until it is started.
    pub fn new(config: SessionConfig, seed: u64) -> Session {
        Session {
            config,
            mode: Mode::Stopped,
            connections: BTreeMap::new(),
            next_key: 0,
            opened: 0,
            idle_hold: None,
            refused_until: Timestamp::ZERO,
            failures: 0,
            was_established: false,
            last_failure: None,
            jitter: Seeded::new(seed),
            outputs: VecDeque::new(),
        }
    }

    /// Connects now, unless a session stands or is coming about.
    pub fn start(&mut self, now: Timestamp) {
        self.mode = Mode::Running;
        if now >= self.refused_until {
            self.idle_hold = None;
            self.connect(now);
        }
    }

    /// Makes no further attempt. An established session may live through it, up to its hold time.
    pub fn pause(&mut self, now: Timestamp) {
        if self.mode == Mode::Stopped {
            return;
        }
        self.mode = Mode::Paused;
        self.idle_hold = None;
        for key in self.keys(|connection| connection.state < State::Established) {
            self.fire(key, &Input::Stop(CeaseReason::Shutdown), now);
        }
    }

    /// Ends everything and refuses the peer until the next start.
    pub fn stop(&mut self, reason: CeaseReason, now: Timestamp) {
        self.mode = Mode::Stopped;
        self.idle_hold = None;
        for key in self.keys(|_| true) {
            self.fire(key, &Input::Stop(reason), now);
        }
    }

    /// Ends the established session for a reason that its routes gave.
    pub fn end(&mut self, reason: CeaseReason, now: Timestamp) {
        for key in self.keys(|connection| connection.state == State::Established) {
            self.fire(key, &Input::Stop(reason), now);
        }
    }

    /// Where the session stands: the most advanced of its connections.
    pub fn state(&self) -> State {
        let furthest = self.connections.values().map(|connection| connection.state).max();
        let waiting = match self.mode {
            Mode::Stopped | Mode::Paused => State::Idle,
            Mode::Running => State::Active,
        };
        furthest.unwrap_or(State::Idle).max(waiting)
    }

    /// What was agreed, while the session is established.
    pub fn established(&self) -> Option<&Negotiated> {
        let established = |connection: &&Connection| connection.state == State::Established;
        self.connections.values().find(established)?.negotiated.as_ref()
    }

    /// Why the last attempt or session ended.
    pub fn last_failure(&self) -> Option<&DownReason> {
        self.last_failure.as_ref()
    }

    /// Sends a message that was encoded for this session, while it is established.
    pub fn send(&mut self, message: Vec<u8>) {
        let established = |connection: &&Connection| connection.state == State::Established;
        if let Some(id) = self.connections.values().find(established).and_then(|c| c.id) {
            self.outputs.push_back(Output::Send(id, message));
        }
    }

    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The earliest deadline.
    pub fn poll_timeout(&self) -> Option<(Timestamp, Timer)> {
        let of_connections = self.connections.values().map(Connection::deadline);
        let idle_hold = self.idle_hold.map(|at| (at, Timer::IdleHold));
        soonest(of_connections.chain([idle_hold]))
    }

    /// A connection of ours stands.
    pub fn handle_connected(&mut self, id: ConnectionId, now: Timestamp) {
        if let Some(key) = self.key_of(id) {
            self.fire(key, &Input::Connected, now);
        }
    }

    /// The peer connected.
    pub fn handle_accepted(&mut self, id: ConnectionId, now: Timestamp) {
        if self.mode == Mode::Stopped || now < self.refused_until {
            self.outputs.push_back(Output::Close(id));
            return;
        }
        self.make_room(now);
        let key = self.insert(Connection::incoming(id));
        self.fire(key, &Input::StartPassive, now);
        self.fire(key, &Input::Connected, now);
    }

    /// A connection could not be made, or is gone.
    pub fn handle_closed(&mut self, id: ConnectionId, now: Timestamp) {
        if let Some(key) = self.key_of(id) {
            self.fire(key, &Input::Closed, now);
        }
    }

    /// Octets arrived.
    pub fn handle_bytes(&mut self, id: ConnectionId, mut bytes: &[u8], now: Timestamp) {
        while let Some(key) = self.key_of(id) {
            let Some(connection) = self.connections.get_mut(&key) else { return };
            match connection.frames.next(&mut bytes) {
                Ok(Some(frame)) => self.handle_frame(key, &frame, now),
                Ok(None) => return,
                Err(cause) => self.fire(key, &Input::HeaderError(cause), now),
            }
        }
    }

    /// Every timer that is due fires.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        for key in self.keys(|_| true) {
            for timer in [Timer::Hold, Timer::ConnectRetry, Timer::Keepalive] {
                if self.connections.get_mut(&key).is_some_and(|c| c.take_due(timer, now)) {
                    self.expire(key, timer, now);
                }
            }
        }
        if self.idle_hold.is_some_and(|at| at <= now) {
            self.idle_hold = None;
            self.connect(now);
        }
    }

    fn expire(&mut self, key: Key, timer: Timer, now: Timestamp) {
        match timer {
            Timer::Hold => self.fire(key, &Input::HoldTimer, now),
            Timer::ConnectRetry => {
                self.last_failure = Some(DownReason::ConnectTimeout);
                self.outputs.push_back(Output::Failed(DownReason::ConnectTimeout));
                self.fire(key, &Input::ConnectRetryTimer, now);
            }
            Timer::Keepalive => self.fire(key, &Input::KeepaliveTimer, now),
            Timer::IdleHold | Timer::Stale => {}
        }
    }

    fn handle_frame(&mut self, key: Key, frame: &Frame, now: Timestamp) {
        let Some(connection) = self.connections.get(&key) else { return };
        match Input::of(frame, connection) {
            Ok(input) => self.fire(key, &input, now),
            Err(open) => self.handle_open(key, &open, now),
        }
    }

    /// The one place where a connection changes its state.
    fn fire(&mut self, key: Key, input: &Input, now: Timestamp) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let (before, event) = (connection.state, input.event());
        let Transition { next, steps } = transition(before, event);
        connection.state = next;
        if let Input::Open(Some(negotiated)) = input {
            if negotiated.context.extended_messages {
                connection.frames.extend();
            }
            connection.negotiated = Some(negotiated.clone());
        }
        if before != next {
            let (asn, connection) = (self.config.remote_asn, connection.id);
            tracing::debug!(%asn, ?connection, ?event, from = %before, to = %next, "BGP state");
        }
        for step in steps {
            self.carry_out(key, *step, before, input, now);
        }
        match (before, next) {
            (State::Established, State::Established) => {}
            (_, State::Established) => self.on_established(key, now),
            (_, State::Idle) => {
                self.on_ended(key, before, input.end_reason(before, steps), now);
            }
            // The peer's connection is gone; to wait for another is the session's business.
            (State::OpenSent, State::Active) if self.is_incoming(key) => {
                self.on_ended(key, before, DownReason::TransportClosed, now);
            }
            _ => {}
        }
    }

    fn carry_out(&mut self, key: Key, step: Step, state: State, input: &Input, now: Timestamp) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        match step {
            Step::Connect => {
                self.opened += 1;
                let id = ConnectionId::opened(self.config.serial, self.opened);
                connection.attempt(id);
                self.outputs.push_back(Output::Connect(id));
            }
            Step::StartConnectRetry => {
                let wait = jittered(self.config.connect_retry, &mut self.jitter);
                connection.connect_retry = Some(now + wait);
            }
            Step::StopConnectRetry => connection.connect_retry = None,
            Step::SendOpen => {
                connection.hold = Some(now + OPEN_HOLD_TIME);
                self.write(key, codec::open(&self.config.open(!self.was_established)));
            }
            Step::SendKeepalive => {
                let interval = jittered(connection.hold_time() / 3, &mut self.jitter);
                connection.keepalive = (!interval.is_zero()).then_some(now + interval);
                self.write(key, codec::keepalive());
            }
            Step::RestartHold => {
                let hold_time = connection.hold_time();
                connection.hold = (!hold_time.is_zero()).then_some(now + hold_time);
            }
            Step::Notify => {
                if let Some(cause) = input.cause() {
                    self.write(key, codec::notification(&cause.notification()));
                }
            }
            Step::NotifyUnexpected => {
                let notification = Cause::Unexpected(state).notification();
                self.write(key, codec::notification(&notification));
            }
            Step::Drop => self.outputs.extend(connection.drop_transport().map(Output::Close)),
            Step::Deliver => self.outputs.extend(input.delivery()),
        }
    }

    fn write(&mut self, key: Key, message: Vec<u8>) {
        if let Some(id) = self.connections.get(&key).and_then(|connection| connection.id) {
            self.outputs.push_back(Output::Send(id, message));
        }
    }

    fn on_established(&mut self, key: Key, now: Timestamp) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.established_at = now;
        }
        self.idle_hold = None;
        self.was_established = true;
        self.outputs.push_back(Output::Up);
        for other in self.keys(|connection| connection.state < State::OpenSent) {
            self.fire(other, &Input::Collision, now);
        }
    }

    fn on_ended(&mut self, key: Key, before: State, reason: DownReason, now: Timestamp) {
        let Some(connection) = self.connections.remove(&key) else { return };
        let was_established = before == State::Established;
        // One of several attempts is no failure while another goes on.
        if !was_established && self.state() >= State::OpenSent {
            return;
        }
        let sound = was_established && now.since(connection.established_at) >= SOUND_AFTER;
        self.failures = if sound { 0 } else { self.failures.saturating_add(1) };
        let excess = [CeaseReason::TooManyPrefixes, CeaseReason::OutOfResources];
        let ended_for = |why| reason == DownReason::Sent(Cause::Cease(why));
        if excess.into_iter().any(ended_for) {
            self.refused_until = now + EXCESS_WAIT;
        }
        self.last_failure = Some(reason.clone());
        match was_established {
            true => self.outputs.push_back(Output::Down(reason)),
            false if !reason.may_pass() || self.failures >= TELLING => {
                self.outputs.push_back(Output::Failed(reason));
            }
            false => {}
        }
        self.schedule(now);
    }

    /// Plans the next attempt when nothing else is under way.
    fn schedule(&mut self, now: Timestamp) {
        if self.mode != Mode::Running || !self.connections.is_empty() || self.config.passive {
            return;
        }
        let doubled = FIRST_RETRY.saturating_mul(1 << self.failures.min(16));
        let wait = jittered(doubled.min(self.config.connect_retry), &mut self.jitter);
        self.idle_hold = Some((now + wait).max(self.refused_until));
    }

    /// Opens a connection when there is none.
    fn connect(&mut self, now: Timestamp) {
        if self.mode == Mode::Running && self.connections.is_empty() && !self.config.passive {
            let key = self.insert(Connection::outgoing());
            self.fire(key, &Input::Start, now);
        }
    }

    /// Lets go of the oldest unfinished connection of a peer that opens many.
    fn make_room(&mut self, now: Timestamp) {
        let unfinished = self.keys(|c| c.incoming && c.state < State::Established);
        if let [oldest, ..] = unfinished.as_slice()
            && unfinished.len() >= MAX_INCOMING
        {
            self.fire(*oldest, &Input::Collision, now);
        }
    }

    fn insert(&mut self, connection: Connection) -> Key {
        self.next_key = self.next_key.wrapping_add(1);
        self.connections.insert(self.next_key, connection);
        self.next_key
    }

    fn keys(&self, wanted: impl Fn(&Connection) -> bool) -> Vec<Key> {
        let matching = self.connections.iter().filter(|(_, connection)| wanted(connection));
        matching.map(|(key, _)| *key).collect()
    }

    fn is_incoming(&self, key: Key) -> bool {
        self.connections.get(&key).is_some_and(|connection| connection.incoming)
    }

    fn key_of(&self, id: ConnectionId) -> Option<Key> {
        let named = |(_, connection): &(&Key, &Connection)| connection.id == Some(id);
        self.connections.iter().find(named).map(|(key, _)| *key)
    }
}

/// RFC 4271 §10: a time between three quarters and the whole of `base`.
fn jittered(base: Duration, random: &mut Seeded) -> Duration {
    let micros = u64::try_from(base.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(micros - random.below(micros / 4 + 1))
}

#[cfg(test)]
mod tests;

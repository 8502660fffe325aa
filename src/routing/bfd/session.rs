//! One session: the variables of RFC 5880 §6.8.1 and what is done with them.
//!
//! ```text
//!   last sign of life          overdue: polls follow each other          Detection Time
//!        ├───────── interval · 9/8 ─────┬──────────────────────────────────────┤ Down
//!   heard                            suspect                                 judged
//! ```

mod timing;

use super::fsm::{self, Event, Transition};
use crate::random::Random;
use crate::time::Timestamp;
use crate::wire::bfd::{ControlPacket, Diagnostic, State};
use std::time::Duration;
use timing::{Announced, InForce};

/// The least time between two packets of a session, whatever the peer asks for: it may demand an
/// answer to every packet (§6.8.7 lets answers be limited).
const SPACING: Duration = Duration::from_millis(1);
/// How long other packets stand in for the peer's Control packets: a peer whose BFD has ended is
/// not up because it still sends data.
const BORROWED: Duration = Duration::from_secs(3);

/// Who begins (§6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends from the start.
    Active,
    /// Sends when the peer has.
    Passive,
}

/// What is wanted of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Time between two packets while the session is up, if the peer is not slower; at least 1 ms.
    pub interval: Duration,
    /// How many intervals of silence mean that the path is lost; zero counts as one.
    pub detect_mult: u8,
    /// Who begins.
    pub role: Role,
    /// Whether what is behind us cannot be reached. The peer is told; the session stays up, as it is
    /// about the path between us (§6.8.17).
    pub beyond_is_down: bool,
    /// Whether our operator wants others to be used instead of us while the path still works. A session
    /// that is up stays up and tells the peer by the diagnostic "Administratively Down", which others than
    /// our kind ignore in this state.
    pub is_leaving: bool,
}

/// What something else than BFD says about the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It may be lost.
    MayBeLost,
    /// It is another one from now on.
    AnotherPath,
}

/// Why a packet means nothing to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Your Discriminator is not ours (§6.8.6).
    OtherSession,
    /// Our session is held down.
    AdminDown,
}

/// What a session tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Our state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Why it is our state.
    pub diagnostic: Diagnostic,
    /// What the peer last said of its state, and why; `None` while it says nothing.
    pub remote: Option<(State, Diagnostic)>,
    /// Time between our packets, before jitter.
    pub interval: Duration,
    /// Silence after which the session goes down.
    pub detection_time: Duration,
    /// Time from a poll to its answer, when one showed it.
    pub round_trip: Option<Duration>,
}

/// What the peer's last packet said.
#[derive(Clone, Copy, Debug)]
struct Remote {
    state: State,
    diagnostic: Diagnostic,
    discriminator: u32,
    demand: bool,
    detect_mult: u8,
    desired_min_tx: Duration,
    required_min_rx: Duration,
}

/// A Poll Sequence (§6.5).
#[derive(Clone, Copy, Debug)]
struct Poll {
    /// When its first packet left, and how many have.
    began: Timestamp,
    packets: u32,
    /// What we announce has changed since: its answer may not be about that.
    is_outdated: bool,
    /// When it began no answer to an earlier one was on its way that could be taken for its own.
    is_alone: bool,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    discriminator: u32,
    state: State,
    since: Timestamp,
    diagnostic: Diagnostic,
    remote: Option<Remote>,
    /// The last sign of life, and the last Control packet.
    heard: Timestamp,
    controlled: Timestamp,
    /// A packet of the peer is overdue.
    overdue: bool,
    /// When something said that the path may be lost.
    hinted: Option<Timestamp>,
    poll: Option<Poll>,
    /// There is to be another Poll Sequence when a packet without Final shows that no answer to the
    /// last one is on its way (§6.8.3).
    polls_again: bool,
    /// A Poll Sequence has ended with an answer to one of several packets: the others' may be on their way.
    answers_follow: bool,
    /// The peer polls and has no answer yet.
    final_due: bool,
    in_force: InForce,
    transmitted: Option<Timestamp>,
    /// When a packet is due that does not wait for its turn.
    urgent_at: Option<Timestamp>,
    /// When the next periodic packet is due, and by which period.
    periodic_at: Option<Timestamp>,
    period: Option<Duration>,
    round_trip: Option<Duration>,
}

impl Session {
    /// A session in Down, whose first packet is due at once; `discriminator` is not zero.
    pub fn new(config: SessionConfig, discriminator: u32, now: Timestamp) -> Session {
        let config = bounded(config);
        Session {
            in_force: InForce::of(Announced::of(State::Down, config.interval, None)),
            config,
            discriminator,
            state: State::Down,
            since: now,
            diagnostic: Diagnostic::NONE,
            remote: None,
            heard: now,
            controlled: now,
            overdue: false,
            hinted: None,
            poll: None,
            polls_again: false,
            answers_follow: false,
            final_due: false,
            transmitted: None,
            urgent_at: (config.role == Role::Active).then_some(now),
            periodic_at: None,
            period: None,
            round_trip: None,
        }
    }

    /// Our name of it.
    pub fn discriminator(&self) -> u32 {
        self.discriminator
    }

    /// Goes over to other settings; a session that is up stays up (§6.8.3).
    pub fn configure(&mut self, config: SessionConfig, now: Timestamp) {
        let config = bounded(config);
        let old = std::mem::replace(&mut self.config, config);
        if old == config {
            return;
        }
        if self.state == State::Up && config.interval > old.interval {
            self.in_force.keep_sending_every(old.interval);
        }
        let says = |config: &SessionConfig| (config.beyond_is_down, config.is_leaving);
        if self.state == State::Up && says(&config) != says(&old) {
            self.poll_for_change(now);
        }
        self.adopt(now);
        self.hasten(now);
    }

    /// Our operator holds the session down, or the path is about to end (§6.8.16), or the
    /// operator wants it again.
    pub fn handle_administration(&mut self, event: Event, now: Timestamp) {
        self.fire(event, now);
    }

    /// A Control packet came (§6.8.6).
    pub fn handle_packet(
        &mut self,
        packet: &ControlPacket,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<(), Ignored> {
        if packet.your_discriminator != 0 && packet.your_discriminator != self.discriminator {
            return Err(Ignored::OtherSession);
        }
        self.remote = Some(Remote::of(packet));
        self.controlled = now;
        match packet.is_final {
            true => self.end_poll(now),
            false => self.on_no_answer(now),
        }
        if self.state == State::AdminDown {
            return Err(Ignored::AdminDown);
        }
        self.fire(Event::Heard(packet.state), now);
        (self.heard, self.overdue) = (self.heard.max(now), false);
        if packet.poll {
            self.final_due = true;
            self.hasten(now);
        }
        self.adopt(now);
        self.replan(random);
        Ok(())
    }

    /// An authenticated packet of the peer, of whatever kind, came at `at`.
    pub fn on_life(&mut self, at: Timestamp) {
        self.heard = self.heard.max(at);
    }

    /// For this long until `now` nobody listened: it was no silence.
    pub fn on_deaf(&mut self, lateness: Duration, now: Timestamp) {
        self.hinted = self.hinted.map(|hinted| hinted + lateness);
        self.heard = (self.heard + lateness).min(now.max(self.heard));
        self.controlled = (self.controlled + lateness).min(now.max(self.controlled));
    }

    /// A path that may be lost: the peer is asked at once, several times, and has one interval and
    /// the way to it and back to show that it is not. Another path: it is asked at once, and has a
    /// whole Detection Time; a session that is down need not wait for its turn.
    pub fn on_hint(&mut self, hint: Hint, now: Timestamp) {
        match (hint, self.state) {
            (Hint::MayBeLost, State::Up) if !self.overdue => {
                self.hinted = Some(now);
                self.suspect(now);
            }
            (Hint::AnotherPath, State::Up) => {
                (self.heard, self.controlled, self.round_trip) = (now, now, None);
                self.begin_poll(now);
                self.hasten(now);
            }
            (Hint::AnotherPath, State::Down | State::Init) => self.hasten(now),
            (Hint::MayBeLost, State::Up | State::Down | State::Init) | (_, State::AdminDown) => {}
        }
    }

    /// Asks at once when a packet is overdue.
    pub fn handle_timeout(&mut self, now: Timestamp, random: &mut dyn Random) {
        if self.suspect_at().is_some_and(|at| at <= now) {
            self.suspect(now);
        } else if self.overdue && self.heard + self.overdue_after() > now {
            self.overdue = false;
        }
        self.replan(random);
    }

    /// Goes down when nothing was heard for a Detection Time that ended at `end` or before. Whoever
    /// calls has told of all that was heard until then.
    pub fn handle_silence(&mut self, end: Timestamp, now: Timestamp, random: &mut dyn Random) {
        if self.judged_at().is_some_and(|at| at <= end) {
            self.remote = None;
            self.fire(Event::DetectionTimeExpires, now);
            self.replan(random);
        }
    }

    /// The packet that is due.
    pub fn poll_transmit(
        &mut self,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Option<ControlPacket> {
        self.transmit_at().filter(|at| *at <= now)?;
        let answers = std::mem::take(&mut self.final_due);
        (self.transmitted, self.urgent_at) = (Some(now), None);
        match &mut self.poll {
            // An answer cannot ask; the question follows.
            Some(poll) if answers && poll.packets == 0 => self.hasten(now),
            Some(poll) if !answers => poll.count(now),
            Some(_) | None => {}
        }
        self.plan(random);
        Some(self.packet(answers))
    }

    /// When [`Session::handle_timeout`] or [`Session::poll_transmit`] has something to do.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.suspect_at().into_iter().chain(self.transmit_at()).min()
    }

    /// When the Detection Time ends: the time for [`Session::handle_silence`].
    pub fn poll_silence(&self) -> Option<Timestamp> {
        self.judged_at()
    }

    /// Whether a packet that says what the last one said tells it nothing but that the peer lives.
    pub fn is_content(&self) -> bool {
        self.state == State::Up
            && !self.overdue
            && self.poll.is_none()
            && !self.polls_again
            && !self.final_due
    }

    /// What the session tells of itself.
    pub fn report(&self) -> Report {
        Report {
            state: self.state,
            since: self.since,
            diagnostic: self.diagnostic,
            remote: self.remote.map(|remote| (remote.state, remote.diagnostic)),
            interval: self.regular_period(),
            detection_time: self.detection_time(),
            round_trip: self.round_trip,
        }
    }

    /// The one place where the state changes.
    fn fire(&mut self, event: Event, now: Timestamp) {
        let Transition { next, diagnostic } = fsm::transition(self.state, event);
        if next == self.state {
            return;
        }
        self.diagnostic = diagnostic.unwrap_or(self.diagnostic);
        (self.state, self.since, self.overdue, self.hinted) = (next, now, false, None);
        (self.poll, self.polls_again, self.answers_follow) = (None, false, false);
        self.in_force = InForce::of(Announced::of(next, self.config.interval, None));
        if next == State::Up {
            // What we said of our intervals was said for a session that is down (§6.8.3).
            self.begin_poll(now);
        }
        self.hasten(now);
    }

    /// A changed packet is not kept back until the next one is due (§6.8.7).
    fn hasten(&mut self, now: Timestamp) {
        if self.config.role == Role::Passive && self.remote.is_none() {
            return;
        }
        self.urgent_at
            .get_or_insert(self.transmitted.map_or(now, |last| (last + SPACING).max(now)));
    }

    fn transmit_at(&self) -> Option<Timestamp> {
        self.urgent_at.into_iter().chain(self.periodic_at).min()
    }

    fn suspect(&mut self, now: Timestamp) {
        self.overdue = true;
        self.begin_poll(now);
        self.hasten(now);
    }

    fn begin_poll(&mut self, now: Timestamp) {
        let is_alone = !self.answers_follow && !self.polls_again;
        self.poll.get_or_insert(Poll { began: now, packets: 0, is_outdated: false, is_alone });
    }

    /// What we announce has changed. While answers to an earlier poll may come, nobody knows what they are
    /// answers to.
    fn poll_for_change(&mut self, now: Timestamp) {
        match &mut self.poll {
            Some(poll) if poll.packets > 0 || !poll.is_alone => poll.is_outdated = true,
            Some(_) => {}
            None if self.polls_again || self.answers_follow => self.polls_again = true,
            None => self.begin_poll(now),
        }
    }

    /// A packet without Final: answers to polls that have ended do not follow any more.
    fn on_no_answer(&mut self, now: Timestamp) {
        self.answers_follow = false;
        if std::mem::take(&mut self.polls_again) {
            self.begin_poll(now);
            self.hasten(now);
        }
    }

    fn end_poll(&mut self, now: Timestamp) {
        let Some(poll) = self.poll.take_if(|poll| poll.packets > 0) else { return };
        let is_answered_alone = poll.packets == 1 && poll.is_alone;
        if is_answered_alone {
            // Of several packets nobody knows which one is answered.
            self.round_trip = Some(now.since(poll.began));
        }
        self.answers_follow = !is_answered_alone;
        self.polls_again |= poll.is_outdated;
        if !self.polls_again {
            self.in_force.settle();
        }
    }

    /// What we announce follows from what the peer has said; a change is polled for (§6.8.3).
    fn adopt(&mut self, now: Timestamp) {
        let before = self.in_force.announced;
        let after = self.announced();
        if before != after {
            self.in_force.announce(after, self.state);
            if self.state == State::Up {
                self.poll_for_change(now);
                self.hasten(now);
            }
        }
    }

    fn announced(&self) -> Announced {
        let remote = self.remote.filter(|remote| remote.state == State::Up);
        Announced::of(self.state, self.config.interval, remote.map(|remote| remote.desired_min_tx))
    }

    /// What the peer is told with a state: while the session is up, what follows from our settings.
    fn said(&self) -> Diagnostic {
        match self.state {
            State::Up if self.config.beyond_is_down => Diagnostic::CONCATENATED_PATH_DOWN,
            State::Up if self.config.is_leaving => Diagnostic::ADMINISTRATIVELY_DOWN,
            State::AdminDown | State::Down | State::Init | State::Up => self.diagnostic,
        }
    }

    fn packet(&self, answers: bool) -> ControlPacket {
        let Announced { desired_min_tx, required_min_rx } = self.announced();
        ControlPacket {
            diagnostic: self.said(),
            state: self.state,
            poll: !answers && self.poll.is_some(),
            is_final: answers,
            control_plane_independent: false,
            demand: false,
            detect_mult: self.config.detect_mult,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.map_or(0, |remote| remote.discriminator),
            desired_min_tx: timing::micros(desired_min_tx),
            required_min_rx: timing::micros(required_min_rx),
            required_min_echo_rx: 0,
        }
    }
}

/// No packet each instant, and no Detection Time of nothing.
fn bounded(config: SessionConfig) -> SessionConfig {
    let detect_mult = config.detect_mult.max(1);
    SessionConfig { interval: config.interval.max(SPACING), detect_mult, ..config }
}

impl Poll {
    /// One of its packets leaves.
    fn count(&mut self, now: Timestamp) {
        self.began = if self.packets == 0 { now } else { self.began };
        self.packets = self.packets.saturating_add(1);
    }
}

impl Remote {
    fn of(packet: &ControlPacket) -> Remote {
        Remote {
            state: packet.state,
            diagnostic: packet.diagnostic,
            discriminator: packet.my_discriminator,
            demand: packet.demand,
            detect_mult: packet.detect_mult,
            desired_min_tx: Duration::from_micros(packet.desired_min_tx.into()),
            required_min_rx: Duration::from_micros(packet.required_min_rx.into()),
        }
    }
}

#[cfg(test)]
mod tests;

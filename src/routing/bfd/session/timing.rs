//! The intervals of a session (RFC 5880 §6.8.2 to §6.8.4): what is announced, what is in force,
//! and the deadlines that follow.

use super::{BORROWED, Role, Session};
use crate::random::Random;
use crate::time::Timestamp;
use crate::wire::bfd::State;
use std::time::Duration;

/// Nobody sends faster than this while its session is not up (§6.8.3).
const SLOW: Duration = Duration::from_secs(1);
/// While a packet is overdue, polls follow each other in this part of the interval, if the peer
/// takes them so fast.
const POLLS_PER_INTERVAL: u32 = 8;
/// Deadlines are rounded to a power of two near this part of the period, so that packets of many
/// sessions leave in one go.
const GRAIN: u64 = 32;
/// Jitter in thousandths of the period (§6.8.7: 750 to 1000, of which rounding takes up to 32);
/// with a multiplier of one the upper end is 900.
const JITTER_FROM: u64 = 790;

/// What our packets say of our intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// bfd.DesiredMinTxInterval.
    pub desired_min_tx: Duration,
    /// bfd.RequiredMinRxInterval.
    pub required_min_rx: Duration,
}

impl Announced {
    /// What is announced in `state` with an interval of our own, to a peer that sends no faster
    /// than it desires; `None` while it is not up.
    ///
    /// We could always receive faster than at our interval. We say so only to a peer that does not
    /// use it for packets of every day, so that it may poll faster when a packet is overdue.
    pub(super) fn of(
        state: State,
        interval: Duration,
        remote_desires: Option<Duration>,
    ) -> Announced {
        let desired_min_tx = if state == State::Up { interval } else { interval.max(SLOW) };
        let may_poll = state == State::Up && remote_desires.is_some_and(|tx| tx >= interval);
        let required_min_rx = if may_poll { interval / POLLS_PER_INTERVAL } else { interval };
        Announced { desired_min_tx, required_min_rx }
    }
}

/// What was announced, and what of an earlier announcement holds on until the peer has answered a
/// poll (§6.8.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct InForce {
    pub announced: Announced,
    /// We go on sending this fast, although we want to be slower.
    faster_tx: Option<Duration>,
    /// The peer may go on sending this slowly, although we can be faster.
    slower_rx: Option<Duration>,
}

impl InForce {
    /// What is in force from the first announcement on.
    pub(super) fn of(announced: Announced) -> InForce {
        InForce { announced, faster_tx: None, slower_rx: None }
    }

    /// The operator wants a longer interval than this one.
    pub(super) fn keep_sending_every(&mut self, interval: Duration) {
        self.faster_tx = Some(self.faster_tx.map_or(interval, |tx| tx.min(interval)));
    }

    /// From now on this is announced.
    pub(super) fn announce(&mut self, announced: Announced, state: State) {
        let before = self.announced.required_min_rx;
        if state == State::Up && announced.required_min_rx < before {
            self.slower_rx = Some(self.slower_rx.map_or(before, |rx| rx.max(before)));
        }
        self.announced = announced;
    }

    /// The peer knows what was announced.
    pub(super) fn settle(&mut self) {
        (self.faster_tx, self.slower_rx) = (None, None);
    }
}

impl Session {
    /// The Detection Time (§6.8.4); before the peer has said anything, what ours would be.
    pub(super) fn detection_time(&self) -> Duration {
        let mult = self.remote.map_or(self.config.detect_mult, |remote| remote.detect_mult);
        self.expected_interval() * u32::from(mult.max(1))
    }

    /// How long the peer takes at most from one packet to the next.
    fn expected_interval(&self) -> Duration {
        let required = self.in_force.announced.required_min_rx;
        let required = self.in_force.slower_rx.map_or(required, |rx| rx.max(required));
        self.remote.map_or(required, |remote| remote.desired_min_tx.max(required))
    }

    /// Silence after which a packet is overdue: the peer's longest interval, and something for the
    /// way.
    pub(super) fn overdue_after(&self) -> Duration {
        self.expected_interval() * 9 / 8
    }

    /// When a packet becomes overdue.
    pub(super) fn suspect_at(&self) -> Option<Timestamp> {
        (self.state == State::Up && !self.overdue).then(|| self.heard + self.overdue_after())
    }

    /// When the Detection Time ends. In Down it ends what is known of the peer, its discriminator
    /// above all (§6.8.1, bfd.RemoteDiscr).
    pub(super) fn judged_at(&self) -> Option<Timestamp> {
        self.remote?;
        let heard = match self.state {
            State::Up => self.heard.min(self.controlled + BORROWED),
            State::Init | State::Down | State::AdminDown => self.controlled,
        };
        let end = heard + self.detection_time();
        Some(self.hint_ends().map_or(end, |hint_ends| hint_ends.min(end)))
    }

    /// When a hint that nothing has refuted counts. What was on its way to us then refutes nothing.
    fn hint_ends(&self) -> Option<Timestamp> {
        let round_trip = self.round_trip.unwrap_or_default();
        let hinted = self.hinted.filter(|hinted| self.heard <= *hinted + round_trip / 2)?;
        Some(hinted + self.expected_interval().max(self.config.interval) + round_trip * 2)
    }

    /// The time between two periodic packets without jitter; `None` when none may be sent
    /// (§6.8.7).
    fn periodic(&self) -> Option<Duration> {
        let Some(remote) = self.remote else {
            return (self.config.role == Role::Active).then(|| self.regular_period());
        };
        let both_up = self.state == State::Up && remote.state == State::Up;
        let is_asked_not_to = remote.demand && both_up && self.poll.is_none();
        if remote.required_min_rx.is_zero() || is_asked_not_to {
            return None;
        }
        let polls = self.config.interval / POLLS_PER_INTERVAL;
        match self.overdue {
            true => Some(polls.max(remote.required_min_rx)),
            false => Some(self.regular_period()),
        }
    }

    /// The time between two packets while nothing is overdue (§6.8.2).
    pub(super) fn regular_period(&self) -> Duration {
        let desired = self.announced().desired_min_tx;
        let desired = self.in_force.faster_tx.map_or(desired, |tx| tx.min(desired));
        self.remote.map_or(desired, |remote| remote.required_min_rx.max(desired))
    }

    /// Plans the next periodic packet, counted from the one that left last.
    pub(super) fn plan(&mut self, random: &mut dyn Random) {
        self.period = self.periodic();
        let last = self.transmitted.unwrap_or(self.since);
        self.periodic_at = self.period.map(|period| self.jittered(last, period, random));
    }

    /// Plans it anew when the period has changed.
    pub(super) fn replan(&mut self, random: &mut dyn Random) {
        if self.period != self.periodic() {
            self.plan(random);
        }
    }

    fn jittered(&self, last: Timestamp, period: Duration, random: &mut dyn Random) -> Timestamp {
        let period = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        let to = if self.config.detect_mult <= 1 { 900 } else { 1000 };
        let thousandths = JITTER_FROM + random.below(to - JITTER_FROM + 1);
        let after = (u128::from(period) * u128::from(thousandths) / 1000) as u64;
        let grain = (period / GRAIN).max(1);
        let grain = 1 << grain.ilog2();
        let at = last.as_micros().saturating_add(after);
        Timestamp::from_micros(at / grain * grain)
    }
}

/// Microseconds as the field has them.
pub(super) fn micros(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}

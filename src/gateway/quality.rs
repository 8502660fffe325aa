//! How good the way to the host behind a peer is: round trips, jitter and loss of the last questions
//! ([`super::beyond`]), and whether they stay within the limits that the operator has set. Pure numbers:
//! who asks and what is made of the verdict stands elsewhere.
//!
//! ```text
//!              a limit is exceeded
//!   Good ──────────────────────────────────────────────► Poor
//!     ▲                                                    │
//!     └── three quarters of every limit, for 50 questions ─┘
//!         on end; twice as many with every time of late
//! ```

use crate::config::{LOSS_WINDOW, QualityLimits};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// The questions over which loss is counted: the last to which no answer can come any more.
pub(super) const WINDOW: usize = LOSS_WINDOW as usize;
/// As many may wait for their answers where loss has a limit: `timeout` is so many of `interval` at most.
const KEPT: usize = 2 * WINDOW;
/// The answers that a mean is made of.
const ANSWERS: usize = 10;
/// The longest wait for a path that gets poor again and again, in doublings.
const MOST_DOUBLINGS: u32 = 4;
/// So many questions on end without trouble make all trouble forgotten.
const CALM: usize = 16 * WINDOW;
/// Within limits is who has used up no more than so many quarters of them.
const WITHIN: u128 = 3;

/// Which limit is exceeded, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// The mean round trip.
    RoundTrip(Duration),
    /// The mean difference between a round trip and the next.
    Jitter(Duration),
    /// Questions without an answer.
    Loss(usize),
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Excess::RoundTrip(mean) => write!(f, "round trips of {mean:.1?}"),
            Excess::Jitter(mean) => write!(f, "round trips that differ by {mean:.1?}"),
            Excess::Loss(lost) => {
                write!(f, "{lost} of the last {WINDOW} questions without an answer")
            }
        }
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    /// A limit is exceeded.
    Poor(Excess),
    /// All are kept again, and have been for long enough.
    Good,
}

/// What the last questions have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measures {
    /// Mean of the last round trips; `None` while they are too few.
    pub round_trip: Option<Duration>,
    /// Mean difference between one of them and the next (RFC 5481 §4.1).
    pub jitter: Option<Duration>,
    /// Of the last questions those to which no answer can come any more.
    pub asked: usize,
    /// Those of them that were not answered.
    pub lost: usize,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    at: Timestamp,
    round_trip: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For so many questions.
    Good { questions: usize },
    /// Within three quarters of the limits for so many questions.
    Poor { within: usize },
}

/// The questions to one host, and the verdict.
#[derive(Debug)]
pub(super) struct Quality {
    /// The oldest first.
    questions: VecDeque<Question>,
    state: State,
    /// How often of late it got poor.
    times: u32,
}

impl Default for Quality {
    fn default() -> Self {
        let questions = VecDeque::with_capacity(KEPT);
        Quality { questions, state: State::Good { questions: 0 }, times: 0 }
    }
}

impl Quality {
    /// Whether others are to be preferred.
    pub(super) fn is_poor(&self) -> bool {
        matches!(self.state, State::Poor { .. })
    }

    /// A question goes out now.
    pub(super) fn on_asked(&mut self, now: Timestamp) {
        if self.questions.len() == KEPT {
            self.questions.pop_front();
        }
        self.questions.push_back(Question { at: now, round_trip: None });
    }

    /// The question that went out at `asked` is answered.
    pub(super) fn on_answer(&mut self, asked: Timestamp, now: Timestamp) {
        let place = self.questions.binary_search_by_key(&asked, |question| question.at);
        if let Some(question) = place.ok().and_then(|place| self.questions.get_mut(place)) {
            question.round_trip.get_or_insert(now.since(asked));
        }
    }

    /// Whether a question is answered that is no older than `age`.
    pub(super) fn has_answered_within(&self, age: Duration, now: Timestamp) -> bool {
        let is_late = |question: &&Question| now.since(question.at) <= age;
        self.questions.iter().rev().take_while(is_late).any(|one| one.round_trip.is_some())
    }

    /// Whether no question is answered that is no older than `age`, and one of them is older than `patience`.
    pub(super) fn is_silent(&self, age: Duration, patience: Duration, now: Timestamp) -> bool {
        let is_late = |question: &&Question| now.since(question.at) <= age;
        let asked = || self.questions.iter().rev().take_while(is_late);
        let is_over = |question: &Question| now.since(question.at) >= patience;
        asked().any(is_over) && asked().all(|question| question.round_trip.is_none())
    }

    /// Nobody asks for a while: what was found before says nothing of what comes after, but the verdict
    /// stands.
    pub(super) fn pause(&mut self) {
        self.questions.clear();
        if let State::Poor { within } = &mut self.state {
            *within = 0;
        }
    }

    /// What the last questions have shown; one that is older than `timeout` has no answer to come.
    pub(super) fn measure(&self, timeout: Duration, now: Timestamp) -> Measures {
        let newest_first = self.questions.iter().rev();
        // Of younger ones those that are answered are known, and those that are lost are not.
        let is_over = |question: &&Question| now.since(question.at) >= timeout;
        let over = newest_first.clone().filter(is_over).take(WINDOW);
        let asked = over.clone().count();
        let lost = over.filter(|question| question.round_trip.is_none()).count();
        let answered = newest_first.filter_map(|question| question.round_trip);
        let last: Vec<Duration> = answered.take(ANSWERS).collect();
        if last.len() < ANSWERS {
            return Measures { asked, lost, ..Measures::default() };
        }
        let steps = last.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
        Measures {
            round_trip: Some(last.iter().sum::<Duration>() / ANSWERS as u32),
            jitter: Some(steps.sum::<Duration>() / (ANSWERS as u32 - 1)),
            asked,
            lost,
        }
    }

    /// Holds the last questions against the limits: once for each, before the next goes out.
    pub(super) fn judge(
        &mut self,
        limits: QualityLimits,
        timeout: Duration,
        now: Timestamp,
    ) -> Option<Shift> {
        let measures = self.measure(timeout, now);
        match (self.state, exceeded(limits, measures, 4)) {
            (State::Good { .. }, Some(excess)) => {
                self.times = (self.times + 1).min(MOST_DOUBLINGS + 1);
                self.state = State::Poor { within: 0 };
                Some(Shift::Poor(excess))
            }
            (State::Good { questions }, None) => {
                self.times = if questions < CALM { self.times } else { 0 };
                self.state = State::Good { questions: questions.saturating_add(1) };
                None
            }
            (State::Poor { within }, _) => {
                let is_within =
                    measures.tell_of(limits) && exceeded(limits, measures, WITHIN).is_none();
                let within = if is_within { within + 1 } else { 0 };
                let is_back = within >= WINDOW << self.times.saturating_sub(1);
                self.state = match is_back {
                    true => State::Good { questions: 0 },
                    false => State::Poor { within },
                };
                is_back.then_some(Shift::Good)
            }
        }
    }
}

impl Measures {
    /// Whether all is known that has a limit.
    fn tell_of(&self, limits: QualityLimits) -> bool {
        let round_trips = limits.round_trip.is_none() || self.round_trip.is_some();
        let loss = limits.loss.is_none() || self.asked > 0;
        round_trips && loss && (limits.jitter.is_none() || self.jitter.is_some())
    }
}

/// The first limit of which more than so many quarters are used up.
fn exceeded(limits: QualityLimits, measures: Measures, quarters: u128) -> Option<Excess> {
    let is_over = |value: Duration, limit: Option<Duration>| {
        limit.is_some_and(|limit| value.as_nanos() * 4 > limit.as_nanos() * quarters)
    };
    let loss = limits.loss.filter(|loss| {
        measures.lost as u128 * 100 * 4 > u128::from(*loss) * WINDOW as u128 * quarters
    });
    let round_trip = measures.round_trip.filter(|mean| is_over(*mean, limits.round_trip));
    let jitter = measures.jitter.filter(|mean| is_over(*mean, limits.jitter));
    let of_loss = loss.map(|_| Excess::Loss(measures.lost));
    of_loss.or(round_trip.map(Excess::RoundTrip)).or(jitter.map(Excess::Jitter))
}

#[cfg(test)]
mod tests;

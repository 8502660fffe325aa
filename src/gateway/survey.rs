//! How the ways to a peer with several addresses fare, and when another is to be taken than the one in
//! use. Pure numbers: who asks and what is made of the verdict stands in [`super::surveying`].
//!
//! ```text
//!   better, or written first and no worse, for 10 rounds on end ──► take it
//!     │ in a round it is not                                          │
//!     ▼                                                               ▼
//!   counted from the beginning                     the next takes twice as many rounds
//! ```
//!
//! What is better by a margin is not worse by less than it, so two ways that stay as they are never take turns;
//! and of two that change, the more often they did the longer the next change waits.

use super::quality::{Measures, Quality};
use crate::ike::Way;
use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;

/// From one round of questions to the next.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);
/// A question that is unanswered for so long counts as lost.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);
/// The rounds in which another way is to be better before it is taken, at first.
const HOLD: u32 = 10;
/// The longest wait is so many times doubled: more than five minutes.
const MOST_DOUBLINGS: u32 = 5;
/// So many rounds without a change make one of them forgotten.
const CALM: u32 = 800;
/// Percent of questions by which the loss of a better way is lower: six of fifty are seldom chance …
const LOSS: usize = 12;
/// … and time by which its round trips are shorter at least, beside a fifth.
const TIME: Duration = Duration::from_millis(5);
/// What still counts as no worse: one question in fifty more, a tenth and this more time.
const SAME_LOSS: usize = 2;
const SAME_TIME: Duration = Duration::from_millis(2);

/// Why another way is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Fewer questions are lost: percent, there and here.
    Loss { there: usize, here: usize },
    /// Round trips are shorter or steadier: the mean with twice the jitter, there and here.
    Time { there: Duration, here: Duration },
    /// It is written first, and no worse.
    First,
    /// Nothing passes on the one in use.
    Dead,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Loss { there, here } => {
                write!(f, "{there} % of questions are lost there, and {here} % here")
            }
            Reason::Time { there, here } => write!(
                f,
                "round trips with twice their jitter are {there:.1?} there, and {here:.1?} here"
            ),
            Reason::First => f.write_str("it is written first, and no worse"),
            Reason::Dead => f.write_str("nothing passes here"),
        }
    }
}

/// The ways to one peer.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// In the order in which they are written.
    ways: Vec<(Way, Quality)>,
    /// In so many rounds on end another was better.
    better: u32,
    /// How often of late another was taken.
    changes: u32,
    /// Rounds since, or since one of them was forgotten.
    calm: u32,
    /// Nothing passes on the way in use.
    pub(super) is_dead: bool,
}

impl Survey {
    /// These are the ways now; what is known of those that stay is kept.
    pub(super) fn follow(&mut self, ways: impl IntoIterator<Item = Way>) {
        let mut known = std::mem::take(&mut self.ways);
        for way in ways {
            let place = known.iter().position(|(one, _)| *one == way);
            let quality = place.map(|place| known.swap_remove(place).1);
            self.ways.push((way, quality.unwrap_or_default()));
        }
    }

    /// The ways, in their order.
    pub(super) fn ways(&self) -> impl Iterator<Item = Way> {
        self.ways.iter().map(|(way, _)| *way)
    }

    /// A question goes out on this way now.
    pub(super) fn on_asked(&mut self, way: Way, now: Timestamp) {
        if let Some(quality) = self.quality_mut(way) {
            quality.on_asked(now);
        }
    }

    /// The question that went out then is answered.
    pub(super) fn on_answer(&mut self, way: Way, asked: Timestamp, now: Timestamp) {
        if let Some(quality) = self.quality_mut(way) {
            quality.on_answer(asked, now);
        }
    }

    /// Nobody asks for a while.
    pub(super) fn pause(&mut self) {
        self.ways.iter_mut().for_each(|(_, quality)| quality.pause());
        (self.better, self.is_dead) = (0, false);
    }

    /// What the last questions on a way have shown.
    pub(super) fn measure(&self, way: Way, now: Timestamp) -> Option<Measures> {
        let (_, quality) = self.ways.iter().find(|(one, _)| *one == way)?;
        Some(quality.measure(TIMEOUT, now))
    }

    /// A round is over: which way to take in place of `here`, and why.
    pub(super) fn judge(&mut self, here: Way, now: Timestamp) -> Option<(Way, Reason)> {
        if self.is_dead {
            let other = self.best_beside(here, now, |_, _| Some(Reason::Dead))?;
            self.on_change();
            return Some(other);
        }
        self.calm += 1;
        if self.calm == CALM {
            (self.calm, self.changes) = (0, self.changes.saturating_sub(1));
        }
        let place = self.ways.iter().position(|(way, _)| *way == here)?;
        let known = self.measure(here, now)?;
        // Of a peer that answers no such question nothing is known.
        let is_known = known.round_trip.is_some() || known.lost < known.asked;
        let better = |at: usize, one: Measures| is_better(one, known, at < place);
        let other = self.best_beside(here, now, better).filter(|_| is_known);
        self.better = if other.is_some() { self.better + 1 } else { 0 };
        let other = other.filter(|_| self.better >= HOLD << self.changes.min(MOST_DOUBLINGS))?;
        self.on_change();
        Some(other)
    }

    /// The best of the other ways that answer and of which `why` says something, which gets their places
    /// and measures.
    fn best_beside(
        &self,
        here: Way,
        now: Timestamp,
        why: impl Fn(usize, Measures) -> Option<Reason>,
    ) -> Option<(Way, Reason)> {
        let others = self.ways.iter().enumerate().filter(|(_, (way, _))| *way != here);
        let answering =
            others.filter(|(_, (_, quality))| quality.has_answered_within(TIMEOUT, now));
        let judged = answering.filter_map(|(at, (way, quality))| {
            let measures = quality.measure(TIMEOUT, now);
            Some((*way, measures, why(at, measures)?))
        });
        let best = judged.min_by_key(|(_, measures, _)| {
            (loss(*measures), time(*measures).unwrap_or(Duration::MAX))
        });
        best.map(|(way, _, reason)| (way, reason))
    }

    fn on_change(&mut self) {
        self.changes = (self.changes + 1).min(MOST_DOUBLINGS);
        (self.better, self.calm, self.is_dead) = (0, 0, false);
    }

    fn quality_mut(&mut self, way: Way) -> Option<&mut Quality> {
        let known = self.ways.iter_mut().find(|(one, _)| *one == way);
        known.map(|(_, quality)| quality)
    }
}

/// Whether one way is to be taken in place of the one in use, and why.
fn is_better(one: Measures, here: Measures, is_first: bool) -> Option<Reason> {
    let (there_time, here_time) = (time(one)?, time(here));
    let [there, loss] = [one, here].map(loss);
    if there + LOSS <= loss {
        return Some(Reason::Loss { there, here: loss });
    }
    if there >= loss + LOSS {
        return None;
    }
    let here_time = here_time?;
    let reason = Reason::Time { there: there_time, here: here_time };
    if there <= loss + SAME_LOSS && there_time * 5 / 4 + TIME <= here_time {
        return Some(reason);
    }
    let is_same = there <= loss && there_time <= here_time * 11 / 10 + SAME_TIME;
    (is_first && is_same).then_some(Reason::First)
}

/// Percent of questions without an answer.
fn loss(measures: Measures) -> usize {
    (measures.lost * 100).checked_div(measures.asked).unwrap_or(0)
}

/// What a packet takes there and back, with what it may take more.
fn time(measures: Measures) -> Option<Duration> {
    Some(measures.round_trip? + measures.jitter? * 2)
}

#[cfg(test)]
mod tests;

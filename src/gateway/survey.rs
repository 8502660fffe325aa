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
//! A dead way is left at once, the first time; after another change only when its peer does not answer
//! questions there either, for what nothing passes on may be a busy host, wherever its tunnel goes.
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
/// Which way answers nothing for so long is told.
const SILENCE: Duration = Duration::from_secs(30);
/// The oldest question of that time is so old at least.
const MOST_SILENCE: Duration = Duration::from_secs(27);
/// An answer on a way that may be dead is waited for so long at least, and at most.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(150);
const LONGEST_PATIENCE: Duration = Duration::from_millis(800);
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

/// A way, and how it fares.
#[derive(Debug)]
struct Surveyed {
    way: Way,
    quality: Quality,
    /// In so many rounds on end it was better than the one in use.
    better: u32,
    /// It has answered: who answers no such question is not the worse for it.
    has_answered: bool,
    /// The peer does not want us there.
    is_refused: bool,
    /// It was told that nothing is answered there.
    is_told: bool,
}

/// Nothing passes on the way in use.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    since: Timestamp,
    /// All ways have been asked since.
    is_asked: bool,
    /// Another way has been taken since, and nothing passes there either.
    has_moved: bool,
}

/// Another way is being taken, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The way that is left.
    pub from: Way,
    /// The way that is taken.
    pub to: Way,
    /// Why.
    pub reason: Reason,
}

/// The ways to one peer.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// In the order in which they are written.
    ways: Vec<Surveyed>,
    /// Which of them is asked first.
    first: usize,
    /// How often of late another was taken.
    changes: u32,
    /// Rounds since, or since one of them was forgotten.
    calm: u32,
    doubt: Option<Doubt>,
    /// What is being tried, and has not come about.
    trial: Option<Change>,
}

impl Surveyed {
    fn new(way: Way) -> Surveyed {
        let quality = Quality::default();
        Surveyed { way, quality, better: 0, has_answered: false, is_refused: false, is_told: false }
    }
}

impl Survey {
    /// These are the ways now; what is known of those that stay is kept.
    pub(super) fn follow(&mut self, ways: impl IntoIterator<Item = Way>) {
        let mut known = std::mem::take(&mut self.ways);
        for way in ways {
            let place = known.iter().position(|one| one.way == way);
            let known = place.map(|place| known.swap_remove(place));
            self.ways.push(known.unwrap_or_else(|| Surveyed::new(way)));
        }
    }

    /// The ways, in their order.
    pub(super) fn ways(&self) -> impl Iterator<Item = Way> {
        self.ways.iter().map(|one| one.way)
    }

    /// The same, to be asked: whoever was first is the last the next time, so that none of them alone is asked
    /// too much by a peer that answers so much and no more.
    pub(super) fn next_ways(&mut self) -> Vec<Way> {
        let mut ways: Vec<Way> = self.ways().collect();
        if !ways.is_empty() {
            self.first = (self.first + 1) % ways.len();
            ways.rotate_left(self.first);
        }
        ways
    }

    /// A question goes out on this way now.
    pub(super) fn on_asked(&mut self, way: Way, now: Timestamp) {
        if let Some(one) = self.of_mut(way) {
            one.quality.on_asked(now);
        }
    }

    /// The question that went out then is answered.
    pub(super) fn on_answer(&mut self, way: Way, asked: Timestamp, now: Timestamp) {
        if let Some(one) = self.of_mut(way) {
            one.quality.on_answer(asked, now);
            (one.has_answered, one.is_told) = (true, false);
        }
    }

    /// The peer does not want us on this way, as long as the IKE SA stands.
    pub(super) fn on_refused(&mut self, way: Way) {
        self.trial = None;
        if let Some(one) = self.of_mut(way) {
            one.is_refused = true;
        }
    }

    /// Nothing passes on the way in use, or it does again.
    pub(super) fn on_doubt(&mut self, is_dead: bool, now: Timestamp) {
        let doubt = Doubt { since: now, is_asked: false, has_moved: false };
        self.doubt = is_dead.then(|| self.doubt.unwrap_or(doubt));
    }

    /// Nobody asks for a while.
    pub(super) fn pause(&mut self) {
        for one in &mut self.ways {
            one.quality.pause();
            one.better = 0;
        }
        (self.doubt, self.trial) = (None, None);
    }

    /// A new IKE SA stands: the peer may say something else of where it wants us.
    pub(super) fn on_established(&mut self) {
        self.ways.iter_mut().for_each(|one| one.is_refused = false);
    }

    /// What the last questions on a way have shown.
    pub(super) fn measure(&self, way: Way, now: Timestamp) -> Option<Measures> {
        Some(self.of(way)?.quality.measure(TIMEOUT, now))
    }

    /// A round is over: which way to take in place of `here`, and why. It counts when it comes about
    /// ([`Survey::poll_change`]); until then it is said again, of a dead way in each round.
    pub(super) fn judge(&mut self, here: Way, now: Timestamp) -> Option<(Way, Reason)> {
        if let Some(doubt) = self.doubt {
            let others = self.answering(here, now).map(|one| (one, Reason::Dead));
            let best = self.best(others.collect(), now);
            // A busy host may keep packets from passing anywhere.
            let is_to_blame = self.changes == 0 && !doubt.has_moved;
            return best.filter(|_| is_to_blame || self.is_silent(here, doubt, now));
        }
        self.calm += 1;
        if self.calm == CALM {
            (self.calm, self.changes) = (0, self.changes.saturating_sub(1));
        }
        let place = self.ways.iter().position(|one| one.way == here)?;
        let known = self.measure(here, now)?;
        let is_known = self.ways.get(place).is_some_and(|here| here.has_answered);
        let better = |one: usize| {
            let measures = self.ways.get(one)?.quality.measure(TIMEOUT, now);
            Some((one, is_better(measures, known, one < place).filter(|_| is_known)?))
        };
        let better: Vec<(usize, Reason)> = self.answering(here, now).filter_map(better).collect();
        for (place, one) in self.ways.iter_mut().enumerate() {
            let is_better = better.iter().any(|(better, _)| *better == place);
            one.better = if is_better { one.better + 1 } else { 0 };
        }
        let hold = HOLD << self.changes.min(MOST_DOUBLINGS);
        let has_held = |one: usize| self.ways.get(one).is_some_and(|one| one.better >= hold);
        let held = better.into_iter().filter(|(one, _)| has_held(*one)).collect();
        let other = self.best(held, now)?;
        self.ways.iter_mut().for_each(|one| one.better = 0);
        Some(other)
    }

    /// A way that has answered nothing for [`SILENCE`], while another answers; each is told once.
    pub(super) fn poll_silent(&mut self, now: Timestamp) -> Option<Way> {
        let answers = |one: &Surveyed| one.quality.has_answered_within(TIMEOUT, now);
        let some_answers = self.ways.iter().any(answers);
        let is_silent = |one: &&mut Surveyed| one.quality.is_silent(SILENCE, MOST_SILENCE, now);
        let mut untold = self.ways.iter_mut().filter(|one| some_answers && !one.is_told);
        let silent = untold.find(is_silent)?;
        silent.is_told = true;
        Some(silent.way)
    }

    /// The other ways that answer and that the peer may want us on, by their places.
    fn answering(&self, here: Way, now: Timestamp) -> impl Iterator<Item = usize> {
        let others = self.ways.iter().enumerate().filter(move |(_, one)| one.way != here);
        let answers = move |one: &Surveyed| one.quality.has_answered_within(TIMEOUT, now);
        others.filter(move |(_, one)| !one.is_refused && answers(one)).map(|(place, _)| place)
    }

    /// The best of some ways.
    fn best(&self, of: Vec<(usize, Reason)>, now: Timestamp) -> Option<(Way, Reason)> {
        let ways =
            of.into_iter().filter_map(|(place, reason)| Some((self.ways.get(place)?, reason)));
        let rank = |one: &Surveyed| {
            let measures = one.quality.measure(TIMEOUT, now);
            (loss(measures), time(measures).unwrap_or(Duration::MAX))
        };
        let best = ways.min_by_key(|(one, _)| rank(one));
        best.map(|(one, reason)| (one.way, reason))
    }

    /// Whether a way has answered nothing since it was doubted, although there was time.
    fn is_silent(&self, way: Way, doubt: Doubt, now: Timestamp) -> bool {
        let patience = self.patience(way, now);
        self.of(way).is_none_or(|one| one.quality.is_silent(now.since(doubt.since), patience, now))
    }

    /// How long an answer on a way is waited for.
    fn patience(&self, way: Way, now: Timestamp) -> Duration {
        let usual = self.measure(way, now).and_then(|measures| measures.round_trip);
        usual.map_or(LONGEST_PATIENCE, |usual| usual * 2).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE)
    }

    /// All ways have been asked: when the next round begins.
    pub(super) fn next_round(&mut self, here: Option<Way>, now: Timestamp) -> Timestamp {
        let patience = here.map_or(LONGEST_PATIENCE, |here| self.patience(here, now));
        match &mut self.doubt {
            Some(doubt) if !doubt.is_asked => {
                doubt.is_asked = true;
                now + patience
            }
            _ => now + INTERVAL,
        }
    }

    /// Another way is being tried.
    pub(super) fn on_trial(&mut self, trial: Change) {
        self.trial = Some(trial);
    }

    /// What was being tried does not come about.
    pub(super) fn on_failed(&mut self) {
        self.trial = None;
    }

    /// The IKE SA runs there now.
    pub(super) fn on_arrived(&mut self, at: Way, now: Timestamp) {
        let is_still_there = self.trial.is_some_and(|trial| trial.from == at);
        self.trial.take_if(|trial| ![trial.from, trial.to].contains(&at));
        if let Some(doubt) = self.doubt.as_mut().filter(|_| !is_still_there) {
            *doubt = Doubt { since: now, is_asked: false, has_moved: true };
        }
    }

    /// What has come about: the IKE SA is where it was to go, and the peer has had the time to refuse that.
    pub(super) fn poll_change(&mut self, here: Way) -> Option<Change> {
        let change = self.trial.take_if(|trial| trial.to == here)?;
        self.changes = (self.changes + 1).min(MOST_DOUBLINGS);
        self.calm = 0;
        self.ways.iter_mut().for_each(|one| one.better = 0);
        Some(change)
    }

    fn of(&self, way: Way) -> Option<&Surveyed> {
        self.ways.iter().find(|one| one.way == way)
    }

    fn of_mut(&mut self, way: Way) -> Option<&mut Surveyed> {
        self.ways.iter_mut().find(|one| one.way == way)
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

//! The moment at which an input reaches an engine: what the clocks say and the dice to roll.
//!
//! Every verb that may draw a random number or look at the calendar takes one `&mut Moment`.
//! Verbs that need the monotonic time alone take a [`Timestamp`].

use crate::random::Random;
use crate::time::{Timestamp, WallTime};

/// Time, calendar and chance, as the caller has them.
pub struct Moment<'a> {
    /// The monotonic time: timers and ages.
    pub now: Timestamp,
    /// The calendar time: validity of certificates, state that outlives the process.
    pub wall: WallTime,
    /// The dice; secure outside tests.
    pub random: &'a mut dyn Random,
}

impl<'a> Moment<'a> {
    /// A moment of a run whose owner reads both clocks.
    pub fn new(now: Timestamp, wall: WallTime, random: &'a mut dyn Random) -> Self {
        Moment { now, wall, random }
    }

    /// A moment in virtual time: the calendar runs beside it from [`WallTime::SIMULATED`].
    pub fn simulated(now: Timestamp, random: &'a mut dyn Random) -> Self {
        Moment { now, wall: WallTime::SIMULATED + now.since(Timestamp::ZERO), random }
    }
}

//! Points in time as values: nothing here can read a clock.
//!
//! The shell reads the monotonic clock and hands a [`Timestamp`] to every verb of every engine;
//! simulations make their own. A timestamp counts microseconds from a start that only the
//! caller knows, so two timestamps compare and subtract, and mean nothing else.

mod bucket;
mod timers;

pub use bucket::{Bucket, Rate};
pub use timers::Timers;

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point in time, in microseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The start from which all timestamps of one run are counted.
    pub const ZERO: Timestamp = Timestamp(0);
    /// Later than every point in time that a run reaches.
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// The timestamp `micros` microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Timestamp(micros)
    }

    /// The timestamp `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Timestamp(millis.saturating_mul(1000))
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, duration: Duration) -> Timestamp {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(micros))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Timestamp> for Timestamp {
    type Output = Duration;
    fn sub(self, earlier: Timestamp) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A point of the calendar, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(u64);

impl WallTime {
    /// Where the calendar of simulations begins: 2025-01-01T00:00:00Z.
    pub const SIMULATED: WallTime = WallTime(1_735_689_600_000_000);

    /// The point `micros` microseconds after the beginning of 1970.
    pub const fn from_unix_micros(micros: u64) -> Self {
        WallTime(micros)
    }

    /// Microseconds since the beginning of 1970.
    pub const fn as_unix_micros(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`; zero when `earlier` is later, as after a clock was set back.
    pub const fn since(self, earlier: WallTime) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for WallTime {
    type Output = WallTime;
    fn add(self, duration: Duration) -> WallTime {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        WallTime(self.0.saturating_add(micros))
    }
}

/// The earliest of some deadlines, with the reason that stands beside it.
pub fn soonest<R>(
    deadlines: impl IntoIterator<Item = Option<(Timestamp, R)>>,
) -> Option<(Timestamp, R)> {
    deadlines.into_iter().flatten().min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests;

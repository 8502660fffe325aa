//! The clocks of the host: the monotonic one as [`Timestamp`]s, the calendar as [`WallTime`].

use crate::time::{Timestamp, WallTime};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock; copies of one clock agree with each other, on every thread.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts at [`Timestamp::ZERO`] now.
    pub fn start() -> Self {
        Clock { start: Instant::now() }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        Timestamp::ZERO + self.start.elapsed()
    }

    /// What the calendar of the host says; it may have been set back.
    pub fn wall() -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime::from_unix_micros(0) + since
    }

    /// The instant that a timestamp of this clock names, for timers of the runtime.
    ///
    /// Timestamps too far ahead to be an `Instant` (such as [`Timestamp::MAX`]) become a day
    /// from now: a timer that wakes up early does no harm.
    pub fn instant(&self, at: Timestamp) -> Instant {
        const FAR: std::time::Duration = std::time::Duration::from_secs(86_400);
        let after = at.since(Timestamp::ZERO).min(self.start.elapsed() + FAR);
        self.start + after
    }
}

#[cfg(test)]
mod tests;

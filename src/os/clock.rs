//! The clocks of the host: the monotonic one as [`Timestamp`]s, the calendar as [`WallTime`].
#![expect(unsafe_code, reason = "adjtimex has no safe wrapper")]

use crate::time::{Timestamp, WallTime};
use nix::libc;
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

    /// Whether something keeps the calendar right, as NTP does (`adjtimex(2)`). A kernel that does not
    /// say so keeps its clock by itself.
    pub fn is_synchronised() -> bool {
        // SAFETY: all-zero is a valid `timex`, and one that changes nothing.
        let mut state: libc::timex = unsafe { std::mem::zeroed() };
        // SAFETY: the structure outlives the call.
        let outcome = unsafe { libc::adjtimex(&raw mut state) };
        outcome < 0 || state.status & libc::STA_UNSYNC == 0
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

//! Token buckets: how often something may happen, by the rate of each kind of thing.
//!
//! A bucket is the point in time at which it will be full again (the generic cell rate algorithm,
//! ITU-T I.371 §A): taking a token moves that point, and nothing happens as time passes.

use super::Timestamp;
use std::time::Duration;

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So often at once.
    pub burst: u32,
    /// Once more after every such time.
    pub every: Duration,
}

impl Rate {
    /// The time between two, in whole microseconds as points in time count them.
    fn step(self) -> Duration {
        (Timestamp::ZERO + self.every) - Timestamp::ZERO
    }
}

/// What is left of a [`Rate`] for one who uses it up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: Timestamp,
}

impl Bucket {
    /// Whether it may happen at `now`; nothing is taken.
    pub fn has(&self, rate: Rate, now: Timestamp) -> bool {
        self.after(rate, now) - now <= rate.step().saturating_mul(rate.burst)
    }

    /// Whether it may happen at `now`, and counts as having happened if so.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> bool {
        let has = self.has(rate, now);
        if has {
            self.full_at = self.after(rate, now);
        }
        has
    }

    /// From when on the bucket is as good as a new one.
    pub fn full_at(&self) -> Timestamp {
        self.full_at
    }

    /// When it would be full after one more.
    fn after(&self, rate: Rate, now: Timestamp) -> Timestamp {
        self.full_at.max(now) + rate.every
    }
}

#[cfg(test)]
mod tests;

//! How much is logged: a peer that makes us write the same line again and again gets a few of them,
//! then a count. Without this an authenticated peer, or a flood, fills the disk.
//!
//! Lines are told apart by where they are written in the source and by whom they are about. What
//! is asked for at DEBUG and TRACE is written as asked.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of one kind about one subject that may follow each other at once.
const BURST: f64 = 30.0;
/// Lines a second after that.
const RATE: f64 = 1.0;
/// Kinds and subjects that are told apart: several of each of ten thousand peers. Beyond, those
/// that have been quiet are forgotten, and others share what is left.
const REMEMBERED: usize = 1 << 17;
/// Time between two looks for those that have been quiet.
const SWEEP: Duration = Duration::from_secs(1);
/// Fields that name a subject: names and numbers of ours, not what a stranger can choose.
const SUBJECTS: [&str; 4] = ["peer", "connection", "vpc", "interface"];
/// Where the counts of what was left out are written.
const TARGET: &str = "vpngw::log";

/// Leaves out what is written too often.
#[derive(Debug, Default)]
pub(super) struct Limit {
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    by_kind: BTreeMap<u64, Bucket>,
    swept: Option<Instant>,
}

/// What one kind of line may still write.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    left_out: u64,
}

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == TARGET {
            return true;
        }
        let mut kind = Kind(DefaultHasher::new());
        metadata.callsite().hash(&mut kind.0);
        event.record(&mut kind);
        let verdict = self.take(kind.0.finish(), Instant::now());
        if let Some(left_out @ 1..) = verdict {
            let place = metadata.target();
            tracing::warn!(target: TARGET, left_out, place, "lines like the next were left out");
        }
        verdict.is_some()
    }
}

impl Limit {
    /// Whether a line of this kind may be written now: how many were left out before it.
    fn take(&self, kind: u64, now: Instant) -> Option<u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.of(kind, now);
        *bucket = bucket.refilled(now);
        if bucket.tokens < 1.0 {
            bucket.left_out += 1;
            return None;
        }
        bucket.tokens -= 1.0;
        Some(std::mem::take(&mut bucket.left_out))
    }
}

impl Buckets {
    /// The bucket of a kind; the one of all others when too many are remembered.
    fn of(&mut self, kind: u64, now: Instant) -> &mut Bucket {
        if !self.has_room_for(kind) && self.swept.is_none_or(|swept| now >= swept + SWEEP) {
            self.swept = Some(now);
            self.by_kind.retain(|_, bucket| bucket.refilled(now).tokens < BURST);
        }
        let kind = if self.has_room_for(kind) { kind } else { 0 };
        self.by_kind.entry(kind).or_insert(Bucket::full(now))
    }

    fn has_room_for(&self, kind: u64) -> bool {
        self.by_kind.len() < REMEMBERED || self.by_kind.contains_key(&kind)
    }
}

impl Bucket {
    fn full(now: Instant) -> Bucket {
        Bucket { tokens: BURST, filled: now, left_out: 0 }
    }

    fn refilled(self, now: Instant) -> Bucket {
        let earned = now.saturating_duration_since(self.filled).as_secs_f64() * RATE;
        Bucket { tokens: (self.tokens + earned).min(BURST), filled: now, ..self }
    }
}

/// What lines are told apart by.
struct Kind(DefaultHasher);

impl Visit for Kind {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if SUBJECTS.contains(&field.name()) {
            format!("{value:?}").hash(&mut self.0);
        }
    }
}

#[cfg(test)]
mod tests;

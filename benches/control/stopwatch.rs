//! CPU time of this thread, and the median of many measurements.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Calls that are timed together when one alone is too short for the clock.
const BATCH: u32 = 64;
/// Shorter than this, a call is timed in batches.
const SHORT: Duration = Duration::from_micros(20);
/// Enough measurements of one cell.
const ENOUGH: usize = 200;
/// A cell is measured for this long when that is not enough measurements.
const PATIENCE: Duration = Duration::from_millis(300);

/// CPU time that this thread has used.
pub(crate) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The result of `work`, and the CPU time that it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = cpu_time();
    let result = work();
    (result, cpu_time() - begin)
}

/// What one cell shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Measured.
    Took(Took),
    /// Given up at the time limit.
    OverLimit,
    /// Not measured: what it needs took too long.
    LeftOut,
}

/// Measurements of one kind of event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Took {
    /// Median.
    pub median: Duration,
    /// Mean, which shows what is paid rarely.
    pub mean: Duration,
    /// The longest.
    pub worst: Duration,
    /// How many measurements.
    pub count: usize,
}

impl Cell {
    /// Median, mean and maximum of some measurements.
    pub(crate) fn of(mut samples: Vec<Duration>) -> Cell {
        samples.sort();
        let (Some(&median), Some(&worst)) = (samples.get(samples.len() / 2), samples.last()) else {
            return Cell::LeftOut;
        };
        let count = samples.len();
        let mean = samples.iter().sum::<Duration>() / u32::try_from(count).unwrap_or(u32::MAX);
        Cell::Took(Took { median, mean, worst, count })
    }
}

/// Ends a loop when its share of CPU time is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Duration);

impl Deadline {
    /// When this thread has used `limit` more.
    pub(crate) fn after(limit: Duration) -> Deadline {
        Deadline(cpu_time() + limit)
    }

    /// Whether it has.
    pub(crate) fn is_over(self) -> bool {
        cpu_time() >= self.0
    }
}

/// Repeats `work` until the median can be trusted; short work in batches.
pub(crate) fn repeat<T>(mut work: impl FnMut() -> T) -> Cell {
    let (_, first) = timed(&mut work);
    let batch = if first < SHORT { BATCH } else { 1 };
    let deadline = Deadline::after(PATIENCE);
    let mut samples = vec![first];
    if batch > 1 {
        samples.clear();
    }
    while samples.is_empty() || (samples.len() < ENOUGH && !deadline.is_over()) {
        let ((), took) = timed(|| (0..batch).for_each(|_| drop(std::hint::black_box(work()))));
        samples.push(took / batch);
    }
    Cell::of(samples)
}

//! CoDel (RFC 8289): tells a queue that stands from one that only takes up a burst, by how long packets wait.

use crate::time::Timestamp;
use std::time::Duration;

/// A queue stands when packets have waited for longer than the target throughout such a time: the round-trip
/// time of slow paths (RFC 8289 §4.2); ten times the target where that is longer, of which it is a tenth at most
/// (RFC 8289 §3.2).
const INTERVAL: Duration = Duration::from_millis(100);
/// The longest that packets may wait while a queue stands (RFC 8289 §4.3).
pub(super) const TARGET: Duration = Duration::from_millis(5);

/// What one queue is known by.
#[derive(Debug, Default)]
pub(super) struct Codel {
    /// When the queue will have stood for long enough, if packets go on to wait.
    first_above_time: Option<Timestamp>,
    /// While packets are dropped: when the next one is.
    drop_next: Option<Timestamp>,
    /// Packets dropped since dropping began, and when it began the last time.
    count: u32,
    last_count: u32,
    /// When dropping ended, which soon after begins where it was.
    left_at: Option<Timestamp>,
}

impl Codel {
    /// Whether the packet that comes out of the queue at `now` is to be dropped, or marked. It has waited for
    /// `sojourn`; `is_last` says that hardly more than it is there.
    pub(super) fn judge(
        &mut self,
        sojourn: Duration,
        is_last: bool,
        target: Duration,
        now: Timestamp,
    ) -> bool {
        let interval = INTERVAL.max(target * 10);
        let stands = self.stands(sojourn < target || is_last, interval, now);
        let Some(drop_next) = self.drop_next else {
            if stands {
                self.begin(interval, now);
            }
            return stands;
        };
        if !stands {
            (self.drop_next, self.left_at) = (None, Some(drop_next));
            return false;
        }
        let is_due = now >= drop_next;
        if is_due {
            self.count = self.count.saturating_add(1);
            self.drop_next = Some(self.control_law(drop_next, interval));
        }
        is_due
    }

    /// The state machine of RFC 8289 §5.5, `dodequeue`.
    fn stands(&mut self, is_fine: bool, interval: Duration, now: Timestamp) -> bool {
        if is_fine {
            self.first_above_time = None;
            return false;
        }
        now >= *self.first_above_time.get_or_insert(now + interval)
    }

    /// A queue that stands again soon is dropped from as often as the last time (RFC 8289 §5.4).
    fn begin(&mut self, interval: Duration, now: Timestamp) {
        let delta = self.count.saturating_sub(self.last_count);
        let is_recent = self.left_at.is_some_and(|left| now.since(left) < interval * 16);
        self.count = if delta > 1 && is_recent { delta } else { 1 };
        self.drop_next = Some(self.control_law(now, interval));
        self.last_count = self.count;
    }

    /// Drops come closer together with the square root of their number (RFC 8289 §3.3).
    fn control_law(&self, since: Timestamp, interval: Duration) -> Timestamp {
        since + interval.div_f64(f64::from(self.count.max(1)).sqrt())
    }
}

#[cfg(test)]
mod tests;

//! What a path does to datagrams, by the dice of the network's seed.

use crate::random::Random;
use std::time::Duration;

/// How a path treats datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Datagrams lost, in a hundred.
    pub loss: u64,
    /// Datagrams that arrive twice, in a hundred.
    pub duplication: u64,
    /// The shortest time under way.
    pub delay: Duration,
    /// More than the shortest time by up to this: datagrams overtake each other.
    pub jitter: Duration,
}

impl Weather {
    /// Nothing is lost, nothing overtakes.
    pub(super) const FAIR: Weather = Weather {
        loss: 0,
        duplication: 0,
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
    };

    /// A path as bad as `random` makes it: up to a quarter lost, a tenth repeated, much disorder.
    pub(super) fn foul(random: &mut dyn Random) -> Weather {
        Weather {
            loss: random.below(26),
            duplication: random.below(11),
            delay: Duration::from_millis(1 + random.below(40)),
            jitter: Duration::from_millis(random.below(80)),
        }
    }

    /// When the copies of one datagram arrive, counted from now; none when it is lost.
    pub(super) fn arrivals(&self, random: &mut dyn Random) -> Vec<Duration> {
        if random.below(100) < self.loss {
            return Vec::new();
        }
        let copies = if random.below(100) < self.duplication { 2 } else { 1 };
        (0..copies).map(|_| self.delay + self.extra(random)).collect()
    }

    fn extra(&self, random: &mut dyn Random) -> Duration {
        let micros = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(random.below(micros + 1))
    }
}

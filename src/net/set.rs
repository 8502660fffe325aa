//! Sets of prefixes, which every packet between new ends is held against.

use super::{Prefix, PrefixMap};
use std::fmt;
use std::net::IpAddr;

/// A set of prefixes, asked whether it covers an address or a prefix.
#[derive(Clone, Default, PartialEq)]
pub struct PrefixSet {
    prefixes: PrefixMap<()>,
    /// The same addresses as spans: what packets ask is answered by a few comparisons.
    v4: Spans<u32>,
    v6: Spans<u128>,
}

impl PrefixSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a prefix.
    pub fn insert(&mut self, prefix: Prefix) {
        self.prefixes.insert(prefix, ());
        match (prefix.addr(), prefix.last_addr()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.v4.add(first.to_bits(), last.to_bits()),
            (IpAddr::V6(first), IpAddr::V6(last)) => self.v6.add(first.to_bits(), last.to_bits()),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
    }

    /// Whether `addr` lies in one of the prefixes.
    #[inline]
    pub fn covers_addr(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(four) => self.v4.hold(four.to_bits()),
            IpAddr::V6(six) => self.v6.hold(six.to_bits()),
        }
    }

    /// Whether exactly `prefix` was added.
    pub fn contains(&self, prefix: &Prefix) -> bool {
        self.prefixes.get(prefix).is_some()
    }

    /// Whether one of the prefixes covers `prefix`.
    pub fn covers(&self, prefix: &Prefix) -> bool {
        self.prefixes.longest_cover(prefix).is_some()
    }

    /// All prefixes of the set, as they were added.
    pub fn iter(&self) -> impl Iterator<Item = Prefix> {
        self.prefixes.iter().map(|(prefix, ())| prefix)
    }

    /// Whether the set holds no prefix.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }
}

impl FromIterator<Prefix> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Self {
        let mut set = PrefixSet::new();
        prefixes.into_iter().for_each(|prefix| set.insert(prefix));
        set
    }
}

impl fmt::Debug for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// First and last number of each span: in order, and with something between any two.
#[derive(Clone, Default, PartialEq)]
struct Spans<N>(Vec<(N, N)>);

/// What spans are of.
trait Number: Copy + Ord {
    /// The number before, or this one if there is none.
    fn before(self) -> Self;
    /// The number behind, or this one if there is none.
    fn behind(self) -> Self;
}

macro_rules! number {
    ($($kind:ty),*) => {
        $(impl Number for $kind {
            fn before(self) -> Self {
                self.saturating_sub(1)
            }

            fn behind(self) -> Self {
                self.saturating_add(1)
            }
        })*
    };
}

number!(u32, u128);

impl<N: Number> Spans<N> {
    /// Adds the span from `first` to `last`, and makes one of all that it touches.
    fn add(&mut self, first: N, last: N) {
        let begin = self.0.partition_point(|(_, end)| *end < first.before());
        let end = self.0.partition_point(|(start, _)| *start <= last.behind());
        let touched = &self.0[begin..end];
        let first = touched.first().map_or(first, |(start, _)| first.min(*start));
        let last = touched.last().map_or(last, |(_, end)| last.max(*end));
        self.0.splice(begin..end, [(first, last)]);
    }

    /// Whether one of the spans holds `number`.
    #[inline]
    fn hold(&self, number: N) -> bool {
        let behind = self.0.partition_point(|(start, _)| *start <= number);
        let before = behind.checked_sub(1).and_then(|place| self.0.get(place));
        before.is_some_and(|(_, end)| number <= *end)
    }
}

#[cfg(test)]
mod tests;

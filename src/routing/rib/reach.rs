//! Which destinations the tunnel of a neighbour takes: a peer may let less through its SAs than it
//! announces (RFC 7296 §2.9).

use crate::net::{AddressRange, Prefix};

/// The destinations that a tunnel takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// All of both families.
    #[default]
    Everything,
    /// Only these.
    Ranges(Vec<AddressRange>),
}

/// How much of a prefix a tunnel takes; the least comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// All of it.
    Whole,
    /// Some of it.
    Part,
    /// Nothing.
    None,
}

impl Reach {
    /// What these ranges reach together.
    pub fn of(ranges: impl IntoIterator<Item = AddressRange>) -> Reach {
        let mut ranges: Vec<AddressRange> = ranges.into_iter().collect();
        ranges.sort_unstable();
        ranges.dedup();
        let families = [Prefix::all_ipv4(), Prefix::all_ipv6()].map(AddressRange::from);
        match families.iter().all(|family| ranges.contains(family)) {
            true => Reach::Everything,
            false => Reach::Ranges(ranges),
        }
    }

    /// How much of a prefix is reached. Ranges that only together hold all of it count as a part.
    pub fn share_of(&self, prefix: &Prefix) -> Share {
        let Reach::Ranges(ranges) = self else { return Share::Whole };
        let wanted = AddressRange::from(*prefix);
        if ranges.iter().any(|range| range.covers(&wanted)) {
            return Share::Whole;
        }
        let touched = ranges.iter().any(|range| range.intersection(&wanted).is_some());
        if touched { Share::Part } else { Share::None }
    }
}

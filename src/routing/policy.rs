//! What an operator says of routes: rules that let them pass, change them or keep them out. The first
//! rule that fits decides; where none does, routes pass as they are. Which prefixes a peer may announce
//! at all, and which are ours to announce, is said elsewhere, and no rule makes them more (RFC 8212).
//!
//! ```text
//!   route ──► rule 1 ──► rule 2 ──► … ──► as it is
//!               └ fits: reject, or change and take
//! ```

use crate::net::{Asn, Community, Prefix, PrefixSet};
use crate::routing::attributes::Attributes;
pub use crate::routing::attributes::Role;
use std::ops::RangeInclusive;

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which routes it is about.
    pub fits: Fits,
    /// What becomes of them.
    pub then: Then,
}

/// Which routes a rule is about: those for which all that is named holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fits {
    /// The prefix lies in one of these.
    pub prefixes: Option<PrefixSet>,
    /// The length of the prefix is one of these.
    pub lengths: Option<RangeInclusive<u8>>,
    /// The route carries this mark.
    pub community: Option<Community>,
    /// The route has crossed this AS.
    pub through: Option<Asn>,
    /// The route starts in this AS.
    pub origin: Option<Asn>,
    /// The AS path is longer than this (RFC 4271 §9.1.2.2 a).
    pub longer_than: Option<usize>,
}

/// What becomes of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is kept out.
    Reject,
    /// It passes, changed.
    Take(Change),
}

/// How a route is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// How much it is preferred here, in place of what the peer's section says.
    pub local_preference: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Marks that it gets.
    pub add: Vec<Community>,
    /// Marks that it loses, before it gets others.
    pub remove: Vec<Community>,
    /// How often our AS is put in front once more.
    pub prepend: u8,
}

/// What the first rule that fits says; `None` when no rule fits.
pub fn first<'r>(rules: &'r [Rule], prefix: &Prefix, route: &Attributes) -> Option<&'r Then> {
    rules.iter().find(|rule| rule.fits.hold(prefix, route)).map(|rule| &rule.then)
}

impl Fits {
    fn hold(&self, prefix: &Prefix, route: &Attributes) -> bool {
        let prefixes = self.prefixes.as_ref().is_none_or(|within| within.covers(prefix));
        let lengths = self.lengths.as_ref().is_none_or(|lengths| lengths.contains(&prefix.len()));
        prefixes
            && lengths
            && self.community.is_none_or(|community| route.carries(community))
            && self.through.is_none_or(|asn| route.as_path.contains(asn))
            && self.origin.is_none_or(|asn| route.as_path.asns().last() == Some(asn))
            && self.longer_than.is_none_or(|most| route.as_path.length() > most)
    }
}

impl Change {
    /// The route as it passes; `own` is our AS.
    pub fn apply(&self, route: Attributes, own: Asn) -> Attributes {
        let mut route = route;
        self.remove.iter().for_each(|community| route.remove_community(*community));
        for community in self.add.iter().copied() {
            if !route.carries(community) {
                route.add_community(community);
            }
        }
        let as_path = (0..self.prepend).fold(route.as_path, |path, _| path.prepended(own));
        Attributes { as_path, med: self.med.or(route.med), ..route }
    }
}

#[cfg(test)]
mod tests;

//! What route reflectors leave on a route that they pass on inside an AS (RFC 4456 §8): by it a route
//! that has come back is known, and one that has come a longer way inside the AS.

use super::Attributes;
use std::net::Ipv4Addr;

/// ORIGINATOR_ID and CLUSTER_LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reflection {
    /// The BGP Identifier of the speaker that brought the route into the AS.
    pub originator: Option<Ipv4Addr>,
    /// The clusters that it has crossed, the last one first.
    pub clusters: Vec<Ipv4Addr>,
}

impl Reflection {
    /// What it takes of memory, in octets.
    pub(super) fn octets(&self) -> usize {
        size_of::<Reflection>() + size_of_val(self.clusters.as_slice())
    }
}

impl Attributes {
    /// Whether the route has come back to the speaker that bears this identifier: as the one that
    /// brought it, or as a reflector, whose cluster is named like it unless told otherwise (§8).
    pub fn has_come_back_to(&self, identifier: Ipv4Addr) -> bool {
        self.reflection.as_ref().is_some_and(|reflection| {
            reflection.originator == Some(identifier) || reflection.clusters.contains(&identifier)
        })
    }

    /// How many clusters the route has crossed (§9).
    pub fn clusters(&self) -> usize {
        self.reflection.as_ref().map_or(0, |reflection| reflection.clusters.len())
    }

    /// The identifier by which the route is compared with others: of the speaker that brought it,
    /// else of the one that announced it (§9).
    pub fn originator(&self) -> Option<Ipv4Addr> {
        self.reflection.as_ref()?.originator
    }
}

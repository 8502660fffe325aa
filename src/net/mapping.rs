//! Prefixes that stand for each other, address by address: what is behind the prefix stays, so that
//! every address has one counterpart, and every part of one prefix is a prefix of the other.
//!
//! RFC 6296 §2.6 has 16 more bits of an IPv6 address changed, so that no checksum has to. We do not: a part
//! of the prefix would be none any more that could be announced, some addresses would have no counterpart,
//! and people would not know their hosts again. The checksums are kept right instead.

use super::Prefix;
use std::net::IpAddr;
use std::sync::Arc;

/// Two prefixes of one family and one length that stand for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapping {
    inside: Prefix,
    outside: Prefix,
}

impl Mapping {
    /// `outside` stands for `inside`; `None` when they differ in family or length.
    pub fn new(inside: Prefix, outside: Prefix) -> Option<Mapping> {
        let alike = inside.is_ipv4() == outside.is_ipv4() && inside.len() == outside.len();
        alike.then_some(Mapping { inside, outside })
    }

    /// The prefix as those know it who use it.
    pub fn inside(&self) -> Prefix {
        self.inside
    }

    /// The prefix as others know it.
    pub fn outside(&self) -> Prefix {
        self.outside
    }
}

/// The mappings that hold towards one peer; none for most. No two of them overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mappings(Arc<[Mapping]>);

impl Mappings {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping> {
        self.0.iter()
    }

    /// The prefixes as the peer knows them.
    pub fn outsides(&self) -> impl Iterator<Item = Prefix> {
        self.0.iter().map(Mapping::outside)
    }

    /// How the peer knows an address of ours.
    pub fn outward(&self, address: IpAddr) -> IpAddr {
        self.outward_prefix(&Prefix::host(address)).addr()
    }

    /// How we know an address of ours that the peer names.
    pub fn inward(&self, address: IpAddr) -> IpAddr {
        self.inward_prefix(&Prefix::host(address)).addr()
    }

    /// How the peer knows a prefix of ours: one that a mapping covers.
    pub fn outward_prefix(&self, prefix: &Prefix) -> Prefix {
        let mapping = self.0.iter().find(|mapping| mapping.inside.covers(prefix));
        mapping.map_or(*prefix, |mapping| moved(prefix, &mapping.outside))
    }

    /// How we know a prefix of ours that the peer names.
    pub fn inward_prefix(&self, prefix: &Prefix) -> Prefix {
        let mapping = self.0.iter().find(|mapping| mapping.outside.covers(prefix));
        mapping.map_or(*prefix, |mapping| moved(prefix, &mapping.inside))
    }
}

impl FromIterator<Mapping> for Mappings {
    fn from_iter<I: IntoIterator<Item = Mapping>>(mappings: I) -> Self {
        let mut mappings: Vec<Mapping> = mappings.into_iter().collect();
        mappings.sort();
        Mappings(mappings.into())
    }
}

/// What is behind the first bits of `prefix`, behind `front`, a prefix of its family.
fn moved(prefix: &Prefix, front: &Prefix) -> Prefix {
    let address = match (prefix.addr(), front.addr()) {
        (IpAddr::V4(rest), IpAddr::V4(first)) => {
            let behind = u32::MAX.checked_shr(front.len().into()).unwrap_or(0);
            IpAddr::V4((first.to_bits() | rest.to_bits() & behind).into())
        }
        (IpAddr::V6(rest), IpAddr::V6(first)) => {
            let behind = u128::MAX.checked_shr(front.len().into()).unwrap_or(0);
            IpAddr::V6((first.to_bits() | rest.to_bits() & behind).into())
        }
        (other, _) => other,
    };
    Prefix::containing(address, prefix.len()).unwrap_or(*prefix)
}

#[cfg(test)]
mod tests;

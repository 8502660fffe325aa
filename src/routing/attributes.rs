//! Path attributes as values (RFC 4271 §5): what a BGP session delivers, the decision process
//! compares and an export carries on. Bytes are the codec's business ([`super::bgp`]), choice
//! is the routing table's ([`super::rib`]); neither knows the other, both know these.

mod reflection;
mod role;

pub use reflection::Reflection;
pub use role::{Role, role_name};

use crate::net::{Asn, Community};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Where a route came from in the first place (RFC 4271 §5.1.1); the lower is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// From within the originating AS.
    Igp,
    /// From EGP (RFC 904).
    Egp,
    /// By some other means.
    Incomplete,
}

/// One segment of an AS_PATH (RFC 4271 §4.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The ASes that were crossed, the nearest first.
    Sequence(Vec<Asn>),
    /// ASes in no order, left by aggregation.
    Set(Vec<Asn>),
}

impl Segment {
    /// The AS numbers of the segment.
    pub fn asns(&self) -> &[Asn] {
        match self {
            Segment::Sequence(asns) | Segment::Set(asns) => asns,
        }
    }

    /// What the segment adds to the length of a path: a set counts as one (RFC 4271 §9.1.2.2 a).
    pub fn length(&self) -> usize {
        match self {
            Segment::Sequence(asns) => asns.len(),
            Segment::Set(_) => 1,
        }
    }
}

/// The ASes that a route has crossed (RFC 4271 §5.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsPath(pub Vec<Segment>);

impl AsPath {
    /// Most AS numbers in one segment: the count is one octet.
    const SEGMENT_MAX: usize = 255;

    /// A path of one sequence; empty when `asns` is.
    pub fn sequence(asns: impl IntoIterator<Item = Asn>) -> AsPath {
        let asns: Vec<Asn> = asns.into_iter().collect();
        AsPath(asns.chunks(Self::SEGMENT_MAX).map(|part| Segment::Sequence(part.into())).collect())
    }

    /// Whether ASes stand in it without their order, which nobody may announce any more (RFC 9774).
    pub fn has_set(&self) -> bool {
        self.0.iter().any(|segment| matches!(segment, Segment::Set(_)))
    }

    /// The length that the decision process compares (RFC 4271 §9.1.2.2 a).
    pub fn length(&self) -> usize {
        self.0.iter().map(Segment::length).sum()
    }

    /// Every AS number of the path, the nearest first.
    pub fn asns(&self) -> impl Iterator<Item = Asn> {
        self.0.iter().flat_map(|segment| segment.asns().iter().copied())
    }

    /// Whether the route has crossed `asn`.
    pub fn contains(&self, asn: Asn) -> bool {
        self.asns().any(|crossed| crossed == asn)
    }

    /// The neighbouring AS: the leftmost of a leading sequence (RFC 4271 §9.1.2.2 c).
    pub fn neighbor(&self) -> Option<Asn> {
        match self.0.first()? {
            Segment::Sequence(asns) => asns.first().copied(),
            Segment::Set(_) => None,
        }
    }

    /// The path with `asn` in front, as it is announced to another AS (RFC 4271 §5.1.2 b).
    pub fn prepended(&self, asn: Asn) -> AsPath {
        let mut segments = self.0.clone();
        match segments.first_mut() {
            Some(Segment::Sequence(asns)) if asns.len() < Self::SEGMENT_MAX => asns.insert(0, asn),
            _ => segments.insert(0, Segment::Sequence(vec![asn])),
        }
        AsPath(segments)
    }
}

impl fmt::Display for AsPath {
    /// As operators write it: `65002 65010 {65020 65021}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().enumerate() {
            let gap = if place > 0 { " " } else { "" };
            let words: Vec<String> = segment.asns().iter().map(Asn::to_string).collect();
            match segment {
                Segment::Sequence(_) => write!(f, "{gap}{}", words.join(" "))?,
                Segment::Set(_) => write!(f, "{gap}{{{}}}", words.join(" "))?,
            }
        }
        Ok(())
    }
}

/// Who aggregated a route (RFC 4271 §5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aggregator {
    /// The AS that aggregated.
    pub asn: Asn,
    /// The speaker that aggregated.
    pub address: Ipv4Addr,
}

/// An optional transitive attribute that is carried on without being interpreted (RFC 4271 §5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransitiveAttribute {
    /// Attribute type code.
    pub code: u8,
    /// Whether a speaker on the way did not know it.
    pub partial: bool,
    /// The value as it came.
    pub body: Vec<u8>,
}

/// The attributes of one path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, four-octet numbers throughout (RFC 6793).
    pub as_path: AsPath,
    /// NEXT_HOP, or the next hop of MP_REACH_NLRI. For information: the tunnel is the next hop.
    pub next_hop: IpAddr,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; only between speakers of one AS.
    pub local_preference: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// How route reflectors of our AS have passed the route on; `None` when none has.
    pub reflection: Option<Box<Reflection>>,
    /// Other optional transitive attributes, by ascending code.
    pub transitive: Vec<TransitiveAttribute>,
}

/// Attribute codes of COMMUNITIES (RFC 1997) and LARGE_COMMUNITY (RFC 8092).
const COMMUNITIES: u8 = 8;
const LARGE_COMMUNITIES: u8 = 32;
/// The path is about to go (RFC 8326 §3).
const GRACEFUL_SHUTDOWN: Community = Community::Standard(0xffff_0000);
/// Not to other ASes (RFC 1997).
const NO_EXPORT: Community = Community::Standard(0xffff_ff01);
/// Not to any other speaker (RFC 1997).
const NO_ADVERTISE: Community = Community::Standard(0xffff_ff02);
/// Not to other ASes, members of a confederation included (RFC 1997).
const NO_EXPORT_SUBCONFED: Community = Community::Standard(0xffff_ff03);

impl Attributes {
    /// The attributes of a route that starts here.
    pub fn originated(next_hop: IpAddr) -> Attributes {
        Attributes {
            origin: Origin::Igp,
            as_path: AsPath::default(),
            next_hop,
            med: None,
            local_preference: None,
            atomic_aggregate: false,
            aggregator: None,
            reflection: None,
            transitive: Vec::new(),
        }
    }

    /// What the attributes take of memory, in octets.
    pub fn octets(&self) -> usize {
        let segments = self.as_path.0.iter();
        let path = segments.map(|segment| size_of::<Segment>() + size_of_val(segment.asns()));
        let transitive = self.transitive.iter();
        let transitive = transitive.map(|one| size_of::<TransitiveAttribute>() + one.body.len());
        let reflection = self.reflection.iter().map(|reflection| reflection.octets());
        let beside = path.sum::<usize>() + transitive.sum::<usize>() + reflection.sum::<usize>();
        size_of::<Attributes>() + beside
    }

    /// Whether the route's communities (RFC 1997) let it be announced to an internal or an
    /// external speaker.
    pub fn may_be_announced(&self, external: bool) -> bool {
        let stays_inside = self.carries(NO_EXPORT) || self.carries(NO_EXPORT_SUBCONFED);
        let stays_here = self.carries(NO_ADVERTISE);
        !stays_here && (!external || !stays_inside)
    }

    /// Whether whoever announced the path says that it is about to go (RFC 8326).
    pub fn is_shutting_down(&self) -> bool {
        self.carries(GRACEFUL_SHUTDOWN)
    }

    /// The attributes with the word that the path is about to go (RFC 8326 §4.1).
    pub fn shutting_down(mut self) -> Attributes {
        if !self.is_shutting_down() {
            self.add_community(GRACEFUL_SHUTDOWN);
        }
        self
    }

    /// Whether the route carries a community.
    pub fn carries(&self, community: Community) -> bool {
        let (code, octets) = encoded(community);
        let list = self.transitive.iter().find(|attribute| attribute.code == code);
        list.is_some_and(|list| list.body.chunks_exact(octets.len()).any(|one| one == octets))
    }

    /// Puts a community behind those that there are.
    pub fn add_community(&mut self, community: Community) {
        let (code, octets) = encoded(community);
        match self.transitive.iter_mut().find(|attribute| attribute.code == code) {
            Some(list) => list.body.extend(octets),
            None => {
                self.transitive.push(TransitiveAttribute { code, partial: false, body: octets });
                self.transitive.sort();
            }
        }
    }

    /// Takes a community away. A list without any is none (RFC 7606 §7.8).
    pub fn remove_community(&mut self, community: Community) {
        let (code, octets) = encoded(community);
        for list in self.transitive.iter_mut().filter(|attribute| attribute.code == code) {
            let left = list.body.chunks_exact(octets.len()).filter(|one| *one != octets);
            list.body = left.flatten().copied().collect();
        }
        self.transitive.retain(|attribute| attribute.code != code || !attribute.body.is_empty());
    }
}

/// The attribute that a community stands in, and its octets there.
fn encoded(community: Community) -> (u8, Vec<u8>) {
    match community {
        Community::Standard(value) => (COMMUNITIES, value.to_be_bytes().to_vec()),
        Community::Large(asn, one, two) => {
            (LARGE_COMMUNITIES, [asn.0, one, two].map(u32::to_be_bytes).concat())
        }
    }
}

#[cfg(test)]
mod tests;

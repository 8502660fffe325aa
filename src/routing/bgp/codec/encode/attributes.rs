//! The attribute list of an UPDATE, written with the flags and in the order that strict peers
//! want (RFC 4271 §4.3, §5; RFC 6793 §4.2.2).

use super::{Context, two_octet};
use crate::net::Asn;
use crate::routing::attributes::{Aggregator, AsPath, Attributes, Origin, Segment};
use crate::routing::bgp::AS_TRANS;
use netgauze_bgp_pkt::nlri::{Ipv4UnicastAddress, Ipv6UnicastAddress};
use netgauze_bgp_pkt::path_attribute as wire;
use netgauze_bgp_pkt::path_attribute::{PathAttribute, PathAttributeValue as Value};
use netgauze_parse_utils::WritablePdu;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of NEXT_HOP.
pub(super) const NEXT_HOP_LEN: usize = 7;
/// Octets of MP_REACH_NLRI without its prefixes: header, AFI, SAFI, sized next hop, reserved.
pub(super) const MP_REACH_FIXED: usize = 4 + 3 + 17 + 1;
/// Octets of MP_UNREACH_NLRI without its prefixes.
pub(super) const MP_UNREACH_FIXED: usize = 4 + 3;

const AS4_PATH: u8 = 17;
const AS4_AGGREGATOR: u8 = 18;
/// How many attributes come before NEXT_HOP: ORIGIN and AS_PATH.
const NEXT_HOP_PLACE: usize = 2;

/// Everything but the next hop, in ascending order of the codes.
pub(super) fn common(attributes: &Attributes, context: &Context) -> Vec<PathAttribute> {
    let mut list = vec![
        well_known(Value::Origin(origin(attributes.origin))),
        well_known(Value::AsPath(as_path(&attributes.as_path, context.four_octet))),
    ];
    if let Some(med) = attributes.med {
        let med = wire::MultiExitDiscriminator::new(med);
        list.push(with_flags(true, false, false, Value::MultiExitDiscriminator(med)));
    }
    // RFC 4271 §5.1.5: to internal peers always, to external ones never.
    if let Some(preference) = attributes.local_preference.filter(|_| context.internal) {
        list.push(well_known(Value::LocalPreference(wire::LocalPreference::new(preference))));
    }
    if attributes.atomic_aggregate {
        list.push(well_known(Value::AtomicAggregate(wire::AtomicAggregate)));
    }
    if let Some(value) = attributes.aggregator {
        let value = aggregator(value, context.four_octet);
        list.push(with_flags(true, true, false, Value::Aggregator(value)));
    }
    let mut later = carried(attributes);
    if !context.four_octet {
        later.extend(for_old_speakers(attributes));
    }
    later.sort_by_key(|(code, _)| *code);
    list.extend(later.into_iter().map(|(_, attribute)| attribute));
    list.into_iter().flatten().collect()
}

/// The list with NEXT_HOP in its place after AS_PATH.
pub(super) fn with_next_hop(common: &[PathAttribute], next_hop: Ipv4Addr) -> Vec<PathAttribute> {
    let next_hop = well_known(Value::NextHop(wire::NextHop::new(next_hop)));
    let (before, after) = common.split_at(NEXT_HOP_PLACE.min(common.len()));
    before.iter().cloned().chain(next_hop).chain(after.iter().cloned()).collect()
}

/// MP_REACH_NLRI for IPv4 with an IPv6 next hop (RFC 8950 §3).
pub(super) fn mp_reach_ipv4(
    next_hop: Ipv6Addr,
    nlri: Vec<Ipv4UnicastAddress>,
) -> Option<PathAttribute> {
    let (next_hop, nlri) = (next_hop.into(), nlri.into_boxed_slice());
    let reach = wire::MpReach::Ipv4Unicast { next_hop, next_hop_local: None, nlri };
    PathAttribute::from(true, false, false, true, Value::MpReach(reach)).ok()
}

/// MP_REACH_NLRI for IPv6; an IPv4 next hop is written mapped (RFC 4291 §2.5.5.2).
pub(super) fn mp_reach_ipv6(
    next_hop: IpAddr,
    nlri: Vec<Ipv6UnicastAddress>,
) -> Option<PathAttribute> {
    let next_hop_global: Ipv6Addr = match next_hop {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let nlri = nlri.into_boxed_slice();
    let reach = wire::MpReach::Ipv6Unicast { next_hop_global, next_hop_local: None, nlri };
    PathAttribute::from(true, false, false, true, Value::MpReach(reach)).ok()
}

/// MP_UNREACH_NLRI for IPv6.
pub(super) fn mp_unreach(nlri: Vec<Ipv6UnicastAddress>) -> Option<PathAttribute> {
    let unreach = wire::MpUnreach::Ipv6Unicast { nlri: nlri.into_boxed_slice() };
    PathAttribute::from(true, false, false, true, Value::MpUnreach(unreach)).ok()
}

fn well_known(value: Value) -> Option<PathAttribute> {
    with_flags(false, true, false, value)
}

/// The extended length only where it is needed: some speakers refuse it elsewhere.
fn with_flags(
    optional: bool,
    transitive: bool,
    partial: bool,
    value: Value,
) -> Option<PathAttribute> {
    let short = PathAttribute::from(optional, transitive, partial, false, value).ok()?;
    if short.len() <= 3 + usize::from(u8::MAX) {
        return Some(short);
    }
    PathAttribute::from(optional, transitive, partial, true, short.value().clone()).ok()
}

fn origin(origin: Origin) -> wire::Origin {
    match origin {
        Origin::Igp => wire::Origin::IGP,
        Origin::Egp => wire::Origin::EGP,
        Origin::Incomplete => wire::Origin::Incomplete,
    }
}

fn kind(segment: &Segment) -> wire::AsPathSegmentType {
    match segment {
        Segment::Sequence(_) => wire::AsPathSegmentType::AsSequence,
        Segment::Set(_) => wire::AsPathSegmentType::AsSet,
    }
}

fn as_path(path: &AsPath, four_octet: bool) -> wire::AsPath {
    if four_octet {
        return wire::AsPath::as4_path_segments(four_octet_segments(path));
    }
    let narrow = |segment: &Segment| {
        let asns: Vec<u16> = segment.asns().iter().map(|asn| two_octet(*asn)).collect();
        wire::As2PathSegment::new(kind(segment), asns)
    };
    wire::AsPath::as2_path_segments(path.0.iter().map(narrow).collect::<Vec<_>>())
}

fn four_octet_segments(path: &AsPath) -> Vec<wire::As4PathSegment> {
    let wide = |segment: &Segment| {
        let asns: Vec<u32> = segment.asns().iter().map(|asn| asn.0).collect();
        wire::As4PathSegment::new(kind(segment), asns)
    };
    path.0.iter().map(wide).collect()
}

fn aggregator(aggregator: Aggregator, four_octet: bool) -> wire::Aggregator {
    let Aggregator { asn, address } = aggregator;
    if four_octet {
        wire::Aggregator::As4Aggregator(wire::As4Aggregator::new(asn.0, address))
    } else {
        wire::Aggregator::As2Aggregator(wire::As2Aggregator::new(two_octet(asn), address))
    }
}

/// Attributes that are passed on as they came, with their codes.
fn carried(attributes: &Attributes) -> Vec<(u8, Option<PathAttribute>)> {
    let carry = |attribute: &crate::routing::attributes::TransitiveAttribute| {
        let value = wire::UnknownAttribute::new(attribute.code, attribute.body.clone());
        let value = Value::UnknownAttribute(value);
        (attribute.code, with_flags(true, true, attribute.partial, value))
    };
    attributes.transitive.iter().map(carry).collect()
}

/// What tells a two-octet speaker, and those behind it, the numbers that its fields cannot hold.
fn for_old_speakers(attributes: &Attributes) -> Vec<(u8, Option<PathAttribute>)> {
    let wide = |asn: Asn| asn.0 > u16::MAX.into();
    let mut list = Vec::new();
    if attributes.as_path.asns().any(wide) {
        let path = wire::As4Path::new(four_octet_segments(&attributes.as_path));
        list.push((AS4_PATH, with_flags(true, true, false, Value::As4Path(path))));
    }
    if let Some(Aggregator { asn, address }) = attributes.aggregator.filter(|a| wide(a.asn)) {
        debug_assert_eq!(two_octet(asn), AS_TRANS);
        let body = [asn.0.to_be_bytes(), address.octets()].concat();
        let value = Value::UnknownAttribute(wire::UnknownAttribute::new(AS4_AGGREGATOR, body));
        list.push((AS4_AGGREGATOR, with_flags(true, true, false, value)));
    }
    list
}

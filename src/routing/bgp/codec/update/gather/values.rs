//! Values of single attributes. Every function gets exactly one attribute's octets; `None` is
//! "malformed", and what that means is the caller's table.

use crate::net::Asn;
use crate::routing::attributes::{Aggregator, AsPath, Origin, Segment};
use crate::routing::bgp::Family;
use netgauze_bgp_pkt::path_attribute as wire;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::{ParseFromWithOneInput, ParseFromWithTwoInputs};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// RFC 4271 §5.1.1; `sized` starts with the length.
pub(super) fn origin(sized: &[u8]) -> Option<Origin> {
    let extended = sized.len() > 2;
    let mut reader = SliceReader::new(sized);
    let origin = wire::Origin::parse(&mut reader, extended).ok()?;
    reader.is_empty().then_some(match origin {
        wire::Origin::IGP => Origin::Igp,
        wire::Origin::EGP => Origin::Egp,
        wire::Origin::Incomplete => Origin::Incomplete,
    })
}

/// RFC 4271 §5.1.2 with AS numbers of four or two octets (RFC 6793). AS 0 makes it malformed
/// (RFC 7607 §2).
pub(super) fn as_path(sized: &[u8], extended: bool, four_octet: bool) -> Option<AsPath> {
    let mut reader = SliceReader::new(sized);
    let path = wire::AsPath::parse(&mut reader, extended, four_octet).ok()?;
    let segments: Vec<Segment> = match path {
        wire::AsPath::As4PathSegments(segments) => segments
            .iter()
            .map(|part| segment(part.segment_type(), part.as_numbers().iter().copied()))
            .collect(),
        wire::AsPath::As2PathSegments(segments) => segments
            .iter()
            .map(|part| segment(part.segment_type(), part.as_numbers().iter().map(|n| (*n).into())))
            .collect(),
    };
    let path = AsPath(segments);
    let sound = reader.is_empty() && !path.contains(Asn(0));
    sound.then_some(path)
}

fn segment(kind: wire::AsPathSegmentType, numbers: impl Iterator<Item = u32>) -> Segment {
    let asns = numbers.map(Asn).collect();
    match kind {
        wire::AsPathSegmentType::AsSequence => Segment::Sequence(asns),
        wire::AsPathSegmentType::AsSet => Segment::Set(asns),
    }
}

/// RFC 4271 §5.1.3 and §6.3: an address that a host can have.
pub(super) fn next_hop(sized: &[u8], extended: bool) -> Option<Ipv4Addr> {
    let mut reader = SliceReader::new(sized);
    let address = wire::NextHop::parse(&mut reader, extended).ok()?.next_hop();
    let host = !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
    host.then_some(address)
}

/// MULTI_EXIT_DISC, LOCAL_PREF: four octets.
pub(super) fn number(body: &[u8]) -> Option<u32> {
    body.try_into().ok().map(u32::from_be_bytes)
}

/// RFC 4456 §8: one cluster at least.
pub(super) fn clusters(body: &[u8]) -> Option<Vec<Ipv4Addr>> {
    let (clusters, rest) = body.as_chunks::<4>();
    let clusters = clusters.iter().map(|cluster| Ipv4Addr::from(*cluster)).collect();
    (!body.is_empty() && rest.is_empty()).then_some(clusters)
}

/// RFC 4271 §5.1.7 and RFC 6793 §3.
pub(super) fn aggregator(body: &[u8], four_octet: bool) -> Option<Aggregator> {
    let (asn, address) = body.split_last_chunk::<4>()?;
    let asn = match (asn, four_octet) {
        (&[a, b, c, d], true) => u32::from_be_bytes([a, b, c, d]),
        (&[a, b], false) => u16::from_be_bytes([a, b]).into(),
        _ => return None,
    };
    (asn != 0).then_some(Aggregator { asn: Asn(asn), address: Ipv4Addr::from(*address) })
}

/// AFI and SAFI in front of multiprotocol attributes; `None` inside for a family not ours.
pub(super) fn afi_safi(body: &[u8]) -> Option<(Option<Family>, &[u8])> {
    let ([high, low, safi], rest) = body.split_first_chunk::<3>()?;
    Some((Family::from_afi_safi(u16::from_be_bytes([*high, *low]), *safi), rest))
}

/// Next hop and NLRI of MP_REACH_NLRI, with the reserved octet between them (RFC 4760 §3).
pub(super) fn sized_next_hop(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (next_hop, rest) = rest.split_at_checked((*length).into())?;
    let (_reserved, nlri) = rest.split_first()?;
    Some((next_hop, nlri))
}

/// The global address of the next hop; a link-local one after it is passed over (RFC 2545 §3).
/// That of IPv4 routes may be an IPv6 address only where both agreed to it (RFC 8950).
pub(super) fn mp_next_hop(bytes: &[u8], family: Family, extended: bool) -> Option<IpAddr> {
    let v4 = || bytes.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into());
    let v6 = || bytes.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into());
    match (family, bytes.len()) {
        (Family::Ipv4, 4) => v4(),
        (Family::Ipv4, 16 | 32) if extended => v6(),
        (Family::Ipv6, 16 | 32) => v6(),
        (Family::Ipv4 | Family::Ipv6, _) => None,
    }
}

/// AS_PATH of an old speaker, whose tail is replaced by AS4_PATH (RFC 6793 §4.2.3).
pub(super) fn merge(as_path: AsPath, as4_path: AsPath) -> AsPath {
    let Some(mut leading) = as_path.length().checked_sub(as4_path.length()) else {
        return as_path;
    };
    let mut segments = Vec::new();
    for segment in as_path.0 {
        if leading == 0 {
            break;
        }
        let taken = segment.length().min(leading);
        leading -= taken;
        segments.push(match segment {
            Segment::Sequence(asns) => Segment::Sequence(asns.into_iter().take(taken).collect()),
            Segment::Set(asns) => Segment::Set(asns),
        });
    }
    segments.extend(as4_path.0);
    AsPath(joined(segments))
}

/// Neighbouring sequences made one, as long as the count fits its octet.
fn joined(segments: Vec<Segment>) -> Vec<Segment> {
    let mut whole: Vec<Segment> = Vec::new();
    for segment in segments {
        match (whole.last_mut(), segment) {
            (Some(Segment::Sequence(before)), Segment::Sequence(asns))
                if before.len() + asns.len() <= 255 =>
            {
                before.extend(asns);
            }
            (_, segment) => whole.push(segment),
        }
    }
    whole
}

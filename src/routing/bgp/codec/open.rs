//! OPEN and its capabilities, read (RFC 4271 §4.2 and §6.2, RFC 5492, RFC 9072).

use crate::net::Asn;
use crate::routing::bgp::{Capabilities, Cause, Family, GracefulRestart, Open};
use netgauze_bgp_pkt::capabilities::{
    BgpCapability, ExtendedNextHopEncoding, GracefulRestartCapability,
};
use netgauze_iana::address_family::{AddressFamily, AddressType};
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFrom;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const VERSION: u8 = 4;
const PARAMETER_CAPABILITIES: u8 = 2;
/// Capability code of BGP Role (RFC 9234 §4.1); values that nobody knows yet count, too.
const BGP_ROLE: u8 = 9;
/// In place of a length and a parameter type: lengths of two octets follow (RFC 9072 §2).
const EXTENDED: u8 = 255;

/// Reads the body of an OPEN.
pub(super) fn decode(body: &[u8]) -> Result<Open, Cause> {
    let [version, as_high, as_low, hold_high, hold_low, id @ .., _] =
        body.first_chunk::<10>().ok_or(Cause::MalformedOpen)?;
    if *version != VERSION {
        return Err(Cause::UnsupportedVersion);
    }
    let identifier = Ipv4Addr::from(*id);
    let hold_time = u16::from_be_bytes([*hold_high, *hold_low]);
    if matches!(hold_time, 1 | 2) {
        return Err(Cause::UnacceptableHoldTime);
    }
    // RFC 6286 §2.1: any value but zero is an identifier.
    if identifier.is_unspecified() {
        return Err(Cause::BadIdentifier);
    }
    let mut open = Open {
        asn: Asn(u16::from_be_bytes([*as_high, *as_low]).into()),
        four_octet: false,
        hold_time,
        identifier,
        families: BTreeSet::new(),
        capabilities: Capabilities::default(),
    };
    for (kind, value) in parameters(body.get(9..).unwrap_or_default())? {
        if kind != PARAMETER_CAPABILITIES {
            return Err(Cause::UnsupportedParameter);
        }
        read_capabilities(value, &mut open)?;
    }
    if open.families.is_empty() {
        open.families.insert(Family::Ipv4);
    }
    Ok(open)
}

/// The optional parameters: `bytes` starts with their length.
fn parameters(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>, Cause> {
    match bytes {
        [EXTENDED, EXTENDED, high, low, rest @ ..] => {
            cut(rest, u16::from_be_bytes([*high, *low]).into(), wide_tlv)
        }
        [length, rest @ ..] => cut(rest, (*length).into(), narrow_tlv),
        [] => Err(Cause::MalformedOpen),
    }
}

type Tlv<'a> = (u8, &'a [u8], &'a [u8]);

fn cut<'a>(
    mut bytes: &'a [u8],
    length: usize,
    next: fn(&'a [u8]) -> Option<Tlv<'a>>,
) -> Result<Vec<(u8, &'a [u8])>, Cause> {
    if bytes.len() != length {
        return Err(Cause::MalformedOpen);
    }
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (kind, value, rest) = next(bytes).ok_or(Cause::MalformedOpen)?;
        parts.push((kind, value));
        bytes = rest;
    }
    Ok(parts)
}

fn narrow_tlv(bytes: &[u8]) -> Option<Tlv<'_>> {
    let [kind, length, rest @ ..] = bytes else { return None };
    let (value, rest) = rest.split_at_checked((*length).into())?;
    Some((*kind, value, rest))
}

fn wide_tlv(bytes: &[u8]) -> Option<Tlv<'_>> {
    let [kind, high, low, rest @ ..] = bytes else { return None };
    let (value, rest) = rest.split_at_checked(u16::from_be_bytes([*high, *low]).into())?;
    Some((*kind, value, rest))
}

/// Takes in what we know; a capability that we do not know, or cannot read, is as if it were
/// not there (RFC 5492 §3).
fn read_capabilities(mut bytes: &[u8], open: &mut Open) -> Result<(), Cause> {
    while !bytes.is_empty() {
        let (_, _, rest) = narrow_tlv(bytes).ok_or(Cause::MalformedOpen)?;
        let (capability, _) = bytes.split_at(bytes.len() - rest.len());
        bytes = rest;
        if let [BGP_ROLE, 1, role] = capability {
            open.capabilities.roles.insert(*role);
        }
        match BgpCapability::parse(&mut SliceReader::new(capability)) {
            Ok(BgpCapability::MultiProtocolExtensions(multiprotocol)) => {
                let family = multiprotocol.address_type();
                let afi = family.address_family().into();
                let safi = family.subsequent_address_family().into();
                open.families.extend(Family::from_afi_safi(afi, safi));
            }
            Ok(BgpCapability::FourOctetAs(four_octet)) => {
                open.four_octet = true;
                open.asn = Asn(four_octet.asn4());
            }
            Ok(BgpCapability::RouteRefresh) => open.capabilities.route_refresh = true,
            Ok(BgpCapability::EnhancedRouteRefresh) => open.capabilities.enhanced_refresh = true,
            Ok(BgpCapability::ExtendedMessage) => open.capabilities.extended_messages = true,
            Ok(BgpCapability::GracefulRestartCapability(restart)) => {
                open.capabilities.graceful_restart = Some(graceful_restart(&restart));
            }
            Ok(BgpCapability::ExtendedNextHopEncoding(encodings)) => {
                let takes = encodings.encodings().iter().any(is_ipv4_over_ipv6);
                open.capabilities.extended_next_hop = takes;
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// RFC 8950 §4: IPv4 unicast with IPv6 next hops.
fn is_ipv4_over_ipv6(encoding: &ExtendedNextHopEncoding) -> bool {
    encoding.address_type() == AddressType::Ipv4Unicast
        && encoding.next_hop_afi() == AddressFamily::IPv6
}

/// RFC 4724 §3. Families that are not ours are passed over.
fn graceful_restart(capability: &GracefulRestartCapability) -> GracefulRestart {
    let forwards = capability.address_families().iter().filter_map(|one| {
        let family = match one.address_type() {
            AddressType::Ipv4Unicast => Family::Ipv4,
            AddressType::Ipv6Unicast => Family::Ipv6,
            _ => return None,
        };
        Some((family, one.forwarding_state()))
    });
    GracefulRestart {
        restarted: capability.restart(),
        time: capability.time(),
        forwards: forwards.collect(),
    }
}

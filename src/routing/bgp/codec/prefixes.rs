//! Lists of prefixes as NLRI has them: length in bits, then as many octets as that needs
//! (RFC 4271 §4.3, RFC 4760 §5).

use crate::net::Prefix;
use crate::routing::bgp::Family;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Prefixes of one list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Prefixes {
    /// Those that a unicast route can have.
    pub unicast: Vec<Prefix>,
    /// How many were ignored as "semantically incorrect" (RFC 4271 §6.3), such as multicast.
    pub ignored: u32,
}

/// Reads a list of prefixes to its end; `None` when a length is too large for the family or
/// overruns the list.
pub(super) fn decode(mut bytes: &[u8], family: Family) -> Option<Prefixes> {
    let mut prefixes = Prefixes::default();
    while let [bits, rest @ ..] = bytes {
        let (octets, after) = rest.split_at_checked(usize::from(*bits).div_ceil(8))?;
        let prefix = Prefix::containing(address(octets, family)?, *bits)?;
        if is_unicast(&prefix) {
            prefixes.unicast.push(prefix);
        } else {
            prefixes.ignored += 1;
        }
        bytes = after;
    }
    Some(prefixes)
}

/// Octets that `prefix` takes in a list.
pub(super) fn encoded_len(prefix: &Prefix) -> usize {
    1 + usize::from(prefix.len()).div_ceil(8)
}

fn address(octets: &[u8], family: Family) -> Option<IpAddr> {
    match family {
        Family::Ipv4 => padded::<4>(octets).map(|octets| Ipv4Addr::from(octets).into()),
        Family::Ipv6 => padded::<16>(octets).map(|octets| Ipv6Addr::from(octets).into()),
    }
}

fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut whole = [0; N];
    whole.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(whole)
}

fn is_unicast(prefix: &Prefix) -> bool {
    match prefix.addr() {
        IpAddr::V4(v4) => !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_multicast(),
    }
}

//! Addresses inside the tunnels: those that a peer has, and those that nobody has to configure.
//!
//! BGP runs between two addresses inside a tunnel. Both gateways derive both addresses from
//! what they know anyway: each other's identity and the name of the VPC.

use super::{Identity, Inside, Routing};
use crate::crypto::digest::sha256;
use crate::net::Prefix;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl Routing {
    /// The addresses inside the tunnel, where it has any.
    pub fn inside(&self) -> Option<Inside> {
        match self {
            Routing::Bgp(bgp) => {
                Some(Inside { local: bgp.inside_local, remote: bgp.inside_remote })
            }
            Routing::Static { inside, .. } => *inside,
        }
    }
}

/// The Unique Local prefix of derived addresses, fd76:706e:6777::/48 ("vpngw" in ASCII). Its
/// Global ID is not random as RFC 4193 §3.2 asks: these addresses never leave a tunnel, and
/// both ends must arrive at the same one without talking.
const PREFIX: [u8; 6] = [0xfd, b'v', b'p', b'n', b'g', b'w'];

/// The prefix of all derived inside addresses, if this is one of them.
pub fn derived_prefix(address: IpAddr) -> Option<Prefix> {
    let is_derived = matches!(address, IpAddr::V6(six) if six.octets().starts_with(&PREFIX));
    Prefix::containing(address, 48).filter(|_| is_derived)
}

/// The inside address of the gateway `identity` in the VPC named `vpc`: the /48 followed by 80
/// bits of a SHA-256. Two gateways of one VPC collide with a probability of 2⁻⁸⁰.
pub fn derive_inside_address(identity: &Identity, vpc: &str) -> Ipv6Addr {
    let digest = sha256(&[&canonical(identity), &[0], vpc.as_bytes()]);
    let mut octets = [0; 16];
    let (prefix, host) = octets.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(&PREFIX);
    host.copy_from_slice(&digest[..host.len()]);
    Ipv6Addr::from(octets)
}

/// What both ends know a tunnel between two gateways by: the first 64 bits of a SHA-256 of their
/// identities, in the same order at both. No two peers of a gateway have the same pair.
pub(super) fn shared_key(one: &Identity, other: &Identity) -> u64 {
    let mut ends = [canonical(one), canonical(other)];
    ends.sort_unstable();
    let [low, high] = &ends;
    let digest = sha256(&[low, high]);
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// The IPv4 address that the TUN device of the VPC named `vpc` always has on the gateway
/// `identity`, from 169.254.1.0 to 169.254.254.255 (RFC 3927 §2.1). It is never announced:
/// Linux forgets every IPv4 route through a device whose last IPv4 address goes, and virtual
/// addresses come and go.
pub fn derive_device_address(identity: &Identity, vpc: &str) -> Ipv4Addr {
    let [.., third, fourth] = derive_inside_address(identity, vpc).octets();
    Ipv4Addr::new(169, 254, 1 + third % 254, fourth)
}

/// The identity as bytes: its ID type of RFC 7296 §3.5, then its data in the spelling that equal
/// identities share, lengths in front so that no two identities look the same.
fn canonical(identity: &Identity) -> Vec<u8> {
    let data = identity.canonical();
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[identity.id_type().0][..], &length, &data].concat()
}

#[cfg(test)]
mod tests;

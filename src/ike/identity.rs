//! Who a side claims to be (RFC 7296 §3.5).

use crate::wire::ike::{IdType, Identification};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An identity, compared octet by octet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// An address, ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
    /// A domain name, ID_FQDN.
    Fqdn(String),
    /// A mail address, ID_RFC822_ADDR.
    Rfc822(String),
    /// Opaque octets, ID_KEY_ID.
    KeyId(Vec<u8>),
    /// An identity of another type, such as a distinguished name, as its octets.
    Other {
        /// The type.
        id_type: IdType,
        /// The octets.
        data: Vec<u8>,
    },
}

impl Identity {
    /// The identity as a payload's value.
    pub fn to_wire(&self) -> Identification {
        let (id_type, data) = match self {
            Identity::Address(IpAddr::V4(v4)) => (IdType::IPV4_ADDR, v4.octets().to_vec()),
            Identity::Address(IpAddr::V6(v6)) => (IdType::IPV6_ADDR, v6.octets().to_vec()),
            Identity::Fqdn(name) => (IdType::FQDN, name.as_bytes().to_vec()),
            Identity::Rfc822(mail) => (IdType::RFC822_ADDR, mail.as_bytes().to_vec()),
            Identity::KeyId(octets) => (IdType::KEY_ID, octets.clone()),
            Identity::Other { id_type, data } => (*id_type, data.clone()),
        };
        Identification { id_type, data }
    }

    /// The identity that a payload holds. What does not fit its type stays opaque.
    pub fn from_wire(payload: &Identification) -> Identity {
        let opaque = || Identity::Other { id_type: payload.id_type, data: payload.data.clone() };
        let text = |make: fn(String) -> Identity| {
            String::from_utf8(payload.data.clone()).map(make).unwrap_or_else(|_| opaque())
        };
        match payload.id_type {
            IdType::IPV4_ADDR => <[u8; 4]>::try_from(payload.data.as_slice())
                .map(|octets| Identity::Address(Ipv4Addr::from(octets).into()))
                .unwrap_or_else(|_| opaque()),
            IdType::IPV6_ADDR => <[u8; 16]>::try_from(payload.data.as_slice())
                .map(|octets| Identity::Address(Ipv6Addr::from(octets).into()))
                .unwrap_or_else(|_| opaque()),
            IdType::FQDN => text(Identity::Fqdn),
            IdType::RFC822_ADDR => text(Identity::Rfc822),
            IdType::KEY_ID => Identity::KeyId(payload.data.clone()),
            _ => opaque(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Address(address) => address.fmt(f),
            // The peer chooses these: nothing of it may break a line of a log.
            Identity::Fqdn(name) | Identity::Rfc822(name) => name.escape_debug().fmt(f),
            Identity::KeyId(octets) => write!(f, "keyid:{}", readable(octets)),
            Identity::Other { id_type, data } => write!(f, "{id_type}:{}", readable(data)),
        }
    }
}

/// Printable octets as text, anything else in hexadecimal.
fn readable(octets: &[u8]) -> String {
    if !octets.is_empty() && octets.iter().all(u8::is_ascii_graphic) {
        return octets.iter().map(|&octet| char::from(octet)).collect();
    }
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests;

//! Who a side claims to be (RFC 7296 §3.5): one value for the payload, for configurations, and
//! for everything between them.

mod dn;
mod text;

use super::{IdType, Identification};
use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use text::ParseIdentityError;

/// An identity, as it was written.
///
/// Two are the same by the rules of their type: names without regard to case (RFC 4343), of mail
/// addresses only the domain (RFC 5280 §7.5), distinguished names by their words, everything else
/// octet by octet. The spelling is
/// kept, because AUTH covers the octets of the payload (RFC 7296 §2.15).
#[derive(Clone)]
pub enum Identity {
    /// An address, ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
    /// A domain name, ID_FQDN. It need not exist in the DNS.
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
        let data = match self {
            Identity::Address(IpAddr::V4(v4)) => v4.octets().to_vec(),
            Identity::Address(IpAddr::V6(v6)) => v6.octets().to_vec(),
            Identity::Fqdn(name) | Identity::Rfc822(name) => name.as_bytes().to_vec(),
            Identity::KeyId(data) | Identity::Other { data, .. } => data.clone(),
        };
        Identification::new(self.id_type(), data)
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

    /// How the payload calls its type.
    pub fn id_type(&self) -> IdType {
        match self {
            Identity::Address(IpAddr::V4(_)) => IdType::IPV4_ADDR,
            Identity::Address(IpAddr::V6(_)) => IdType::IPV6_ADDR,
            Identity::Fqdn(_) => IdType::FQDN,
            Identity::Rfc822(_) => IdType::RFC822_ADDR,
            Identity::KeyId(_) => IdType::KEY_ID,
            Identity::Other { id_type, .. } => *id_type,
        }
    }

    /// The octets of the payload in the one spelling that all equal identities share.
    pub fn canonical(&self) -> Vec<u8> {
        let mut data = self.to_wire().data;
        if let Identity::Other { id_type: IdType::DER_ASN1_DN, data } = self
            && let Some(words) = dn::words_of(data)
        {
            return words.into_bytes();
        }
        match self {
            Identity::Fqdn(_) => data.make_ascii_lowercase(),
            Identity::Rfc822(mail) => {
                let domain = mail.rfind('@').unwrap_or(0);
                data.split_at_mut(domain).1.make_ascii_lowercase();
            }
            Identity::Address(_) | Identity::KeyId(_) | Identity::Other { .. } => {}
        }
        data
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Identity) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Identity {}

impl PartialOrd for Identity {
    fn partial_cmp(&self, other: &Identity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Identity {
    fn cmp(&self, other: &Identity) -> Ordering {
        // Names are what most gateways have; they are compared without a copy.
        if let (Identity::Fqdn(one), Identity::Fqdn(other)) = (self, other) {
            return lowercase(one).cmp(lowercase(other));
        }
        let by_type = self.id_type().cmp(&other.id_type());
        by_type.then_with(|| self.canonical().cmp(&other.canonical()))
    }
}

fn lowercase(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|octet| octet.to_ascii_lowercase())
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

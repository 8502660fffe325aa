//! An IPv4 or IPv6 prefix in canonical form: its host bits are zero, so equal networks are
//! equal values.

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An IP prefix whose host bits are zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, schemars(with = "String"))]
pub struct Prefix(IpNetwork);

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixError {
    /// The text is no `address/length`.
    #[error(
        "{0:?} is not a prefix; write it as address/length, for example 10.1.0.0/16 or fd00:1::/48"
    )]
    Malformed(String),
    /// The text names an address inside a network, not the network.
    #[error("{given} has host bits set; the network is {network}")]
    HostBits {
        /// What was written.
        given: String,
        /// The canonical prefix that contains it.
        network: Prefix,
    },
}

impl Prefix {
    /// The prefix of length `len` that contains `addr`; `None` when `len` is too long for the
    /// address family.
    pub fn containing(addr: IpAddr, len: u8) -> Option<Prefix> {
        let network = IpNetwork::new(addr, len).ok()?;
        Some(Prefix::canonical(network))
    }

    /// The prefix that holds just `addr`: /32 or /128.
    pub fn host(addr: IpAddr) -> Prefix {
        Prefix(IpNetwork::from(addr))
    }

    /// The prefix of all IPv4 addresses, 0.0.0.0/0.
    pub fn all_ipv4() -> Prefix {
        Prefix(IpNetwork::V4(Ipv4Network::from_str("0.0.0.0/0").expect("a literal prefix")))
    }

    /// The prefix of all IPv6 addresses, ::/0.
    pub fn all_ipv6() -> Prefix {
        Prefix(IpNetwork::V6(Ipv6Network::from_str("::/0").expect("a literal prefix")))
    }

    /// The same network with its host bits cleared.
    pub fn canonical(network: IpNetwork) -> Prefix {
        let cleared = match network {
            IpNetwork::V4(v4) => Ipv4Network::new(v4.network(), v4.prefix()).map(IpNetwork::V4),
            IpNetwork::V6(v6) => Ipv6Network::new(v6.network(), v6.prefix()).map(IpNetwork::V6),
        };
        Prefix(cleared.unwrap_or(network))
    }

    /// The first address of the network.
    pub fn addr(&self) -> IpAddr {
        self.0.ip()
    }

    /// The last address of the network.
    pub fn last_addr(&self) -> IpAddr {
        self.0.broadcast()
    }

    /// Prefix length in bits.
    #[expect(clippy::len_without_is_empty, reason = "a length in bits, not a count of items")]
    pub fn len(&self) -> u8 {
        self.0.prefix()
    }

    /// The prefix as `ipnetwork` has it.
    pub fn network(&self) -> IpNetwork {
        self.0
    }

    /// Whether this is an IPv4 prefix.
    pub fn is_ipv4(&self) -> bool {
        self.0.is_ipv4()
    }

    /// Whether `addr` lies in this prefix.
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.0.contains(addr)
    }

    /// Whether every address of `other` lies in this prefix.
    pub fn covers(&self, other: &Prefix) -> bool {
        self.len() <= other.len() && self.contains(other.addr())
    }

    /// Whether some address lies in both.
    pub fn overlaps(&self, other: &Prefix) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    /// Reads `address/length`; a bare address is a host prefix, set host bits are refused.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network =
            IpNetwork::from_str(text).map_err(|_| ParsePrefixError::Malformed(text.to_owned()))?;
        let prefix = Prefix::canonical(network);
        if prefix.addr() != network.ip() {
            return Err(ParsePrefixError::HostBits { given: text.to_owned(), network: prefix });
        }
        Ok(prefix)
    }
}

impl TryFrom<String> for Prefix {
    type Error = ParsePrefixError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> String {
        prefix.to_string()
    }
}

impl PartialOrd for Prefix {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Prefix {
    /// By address, IPv4 first, then by length. Tables of very many prefixes do little else.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (IpNetwork::V4(one), IpNetwork::V4(other)) => {
                (one.ip().to_bits(), one.prefix()).cmp(&(other.ip().to_bits(), other.prefix()))
            }
            (IpNetwork::V6(one), IpNetwork::V6(other)) => {
                (one.ip().to_bits(), one.prefix()).cmp(&(other.ip().to_bits(), other.prefix()))
            }
            (IpNetwork::V4(_), IpNetwork::V6(_)) => Ordering::Less,
            (IpNetwork::V6(_), IpNetwork::V4(_)) => Ordering::Greater,
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr(), self.len())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

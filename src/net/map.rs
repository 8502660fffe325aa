//! Longest-prefix maps over both address families.

use super::Prefix;
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use std::fmt;
use std::net::IpAddr;

/// A map from prefixes to values with longest-prefix match. Iteration is in order of the
/// prefixes, IPv4 first.
#[derive(Clone)]
pub struct PrefixMap<T> {
    v4: prefix_trie::PrefixMap<Ipv4Network, T>,
    v6: prefix_trie::PrefixMap<Ipv6Network, T>,
}

impl<T> Default for PrefixMap<T> {
    fn default() -> Self {
        PrefixMap { v4: prefix_trie::PrefixMap::new(), v6: prefix_trie::PrefixMap::new() }
    }
}

impl<T> PrefixMap<T> {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of `prefix` and returns the value it had.
    pub fn insert(&mut self, prefix: Prefix, value: T) -> Option<T> {
        match prefix.network() {
            IpNetwork::V4(v4) => self.v4.insert(v4, value),
            IpNetwork::V6(v6) => self.v6.insert(v6, value),
        }
    }

    /// Removes `prefix` (exactly this one) and returns the value it had.
    pub fn remove(&mut self, prefix: &Prefix) -> Option<T> {
        match prefix.network() {
            IpNetwork::V4(v4) => self.v4.remove(&v4),
            IpNetwork::V6(v6) => self.v6.remove(&v6),
        }
    }

    /// The value of exactly `prefix`.
    pub fn get(&self, prefix: &Prefix) -> Option<&T> {
        match prefix.network() {
            IpNetwork::V4(v4) => self.v4.get(&v4),
            IpNetwork::V6(v6) => self.v6.get(&v6),
        }
    }

    /// The longest prefix that contains `addr`, with its value.
    pub fn longest_match(&self, addr: IpAddr) -> Option<(Prefix, &T)> {
        match addr {
            IpAddr::V4(v4) => {
                let (prefix, value) = self.v4.get_lpm(&Ipv4Network::from(v4))?;
                Some((Prefix::canonical(IpNetwork::V4(prefix)), value))
            }
            IpAddr::V6(v6) => {
                let (prefix, value) = self.v6.get_lpm(&Ipv6Network::from(v6))?;
                Some((Prefix::canonical(IpNetwork::V6(prefix)), value))
            }
        }
    }

    /// The longest prefix that covers `prefix`, with its value.
    pub fn longest_cover(&self, prefix: &Prefix) -> Option<(Prefix, &T)> {
        match prefix.network() {
            IpNetwork::V4(v4) => {
                let (cover, value) = self.v4.get_lpm(&v4)?;
                Some((Prefix::canonical(IpNetwork::V4(cover)), value))
            }
            IpNetwork::V6(v6) => {
                let (cover, value) = self.v6.get_lpm(&v6)?;
                Some((Prefix::canonical(IpNetwork::V6(cover)), value))
            }
        }
    }

    /// All prefixes with their values.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &T)> {
        let v4 = self.v4.iter().map(|(prefix, value)| (IpNetwork::V4(prefix), value));
        let v6 = self.v6.iter().map(|(prefix, value)| (IpNetwork::V6(prefix), value));
        v4.chain(v6).map(|(network, value)| (Prefix::canonical(network), value))
    }

    /// How many prefixes the map holds.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether the map holds no prefix.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

impl<T> FromIterator<(Prefix, T)> for PrefixMap<T> {
    fn from_iter<I: IntoIterator<Item = (Prefix, T)>>(items: I) -> Self {
        let mut map = PrefixMap::new();
        for (prefix, value) in items {
            map.insert(prefix, value);
        }
        map
    }
}

impl<T: fmt::Debug> fmt::Debug for PrefixMap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<T: PartialEq> PartialEq for PrefixMap<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests;

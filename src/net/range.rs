//! Ranges of addresses: what traffic selectors are made of (RFC 7296 §2.9).

use super::Prefix;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses from `first` to `last`, both included, of one family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// The range from `first` to `last`; `None` when the families differ or `last` is lower.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<AddressRange> {
        let ordered = first.is_ipv4() == last.is_ipv4() && first <= last;
        ordered.then_some(AddressRange { first, last })
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        self.last
    }

    /// Whether the range is of IPv4 addresses.
    pub fn is_ipv4(&self) -> bool {
        self.first.is_ipv4()
    }

    /// Whether `addr` lies in the range.
    pub fn contains(&self, addr: IpAddr) -> bool {
        addr.is_ipv4() == self.is_ipv4() && self.first <= addr && addr <= self.last
    }

    /// Whether every address of `other` lies in the range.
    pub fn covers(&self, other: &AddressRange) -> bool {
        self.contains(other.first) && self.contains(other.last)
    }

    /// The addresses that lie in both ranges.
    pub fn intersection(&self, other: &AddressRange) -> Option<AddressRange> {
        if self.is_ipv4() != other.is_ipv4() {
            return None;
        }
        AddressRange::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// The fewest ranges that together hold exactly these prefixes: IPv4 first, lowest first.
    pub fn joined(prefixes: impl IntoIterator<Item = Prefix>) -> Vec<AddressRange> {
        let mut ranges: Vec<AddressRange> = prefixes.into_iter().map(AddressRange::from).collect();
        ranges.sort();
        let mut joined: Vec<AddressRange> = Vec::new();
        for range in ranges {
            match joined.last_mut().filter(|before| before.reaches(&range)) {
                Some(before) => before.last = before.last.max(range.last),
                None => joined.push(range),
            }
        }
        joined
    }

    /// Whether nothing lies between this range and one that begins no lower.
    fn reaches(&self, next: &AddressRange) -> bool {
        let behind = number(self.last).checked_add(1);
        self.is_ipv4() == next.is_ipv4() && behind.is_none_or(|behind| number(next.first) <= behind)
    }

    /// The fewest prefixes that together hold exactly this range, lowest first.
    pub fn to_prefixes(&self) -> Vec<Prefix> {
        let bits = if self.is_ipv4() { 32 } else { 128 };
        let (mut next, last) = (number(self.first), number(self.last));
        let mut prefixes = Vec::new();
        loop {
            let host_bits = largest_block(next, last, bits);
            let len = (bits - host_bits) as u8;
            prefixes.extend(Prefix::containing(address(next, self.is_ipv4()), len));
            let block_end = next | low_bits(host_bits);
            if block_end >= last {
                return prefixes;
            }
            next = block_end + 1;
        }
    }
}

/// Host bits of the largest aligned block that starts at `first` and does not pass `last`.
fn largest_block(first: u128, last: u128, bits: u32) -> u32 {
    let aligned = first.trailing_zeros().min(bits);
    (0..=aligned).rev().find(|&host_bits| first | low_bits(host_bits) <= last).unwrap_or(0)
}

fn low_bits(count: u32) -> u128 {
    if count >= 128 { u128::MAX } else { (1 << count) - 1 }
}

fn number(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

fn address(number: u128, ipv4: bool) -> IpAddr {
    if ipv4 { Ipv4Addr::from(number as u32).into() } else { Ipv6Addr::from(number).into() }
}

impl From<Prefix> for AddressRange {
    fn from(prefix: Prefix) -> Self {
        AddressRange { first: prefix.addr(), last: prefix.last_addr() }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_prefixes().as_slice() {
            [single] => write!(f, "{single}"),
            _ => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl fmt::Debug for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

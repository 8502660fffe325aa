//! The Internet checksum: computing it (RFC 1071) and keeping it true over a change (RFC 1624).
//!
//! Sums are kept in the machine's byte order, which changes nothing but the order of the two
//! octets of the result (RFC 1071 §2(B)), and 32 bits at a time in 64-bit lanes, which compilers
//! turn into vector instructions: the widest that the processor has, since a gateway sums every
//! octet that it carries.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "the same sum with instructions that not every processor has")
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets that are summed side by side.
const BLOCK: usize = 32;
/// From so many blocks on wider instructions make up for asking whether they are there.
const LONG: usize = 4;

/// A one's complement sum under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Sum = Sum(0);

    /// The sum of `bytes` alone.
    pub fn of(bytes: &[u8]) -> Sum {
        Sum::ZERO.bytes(bytes)
    }

    /// Adds `bytes`. All but the last piece of a checksum's input must have even lengths; an odd
    /// last piece counts as padded with a zero octet.
    #[inline]
    pub fn bytes(self, bytes: &[u8]) -> Sum {
        let (blocks, tail) = bytes.as_chunks::<BLOCK>();
        let whole_blocks = if blocks.len() < LONG { sum_of(blocks) } else { sum_of_many(blocks) };
        Sum(add(add(self.0, whole_blocks), sum_of_tail(tail)))
    }

    /// Adds one 16-bit number.
    #[inline]
    pub fn u16(self, value: u16) -> Sum {
        Sum(add(self.0, u16::from_ne_bytes(value.to_be_bytes()).into()))
    }

    /// Adds another sum, of input with even length or of the last piece.
    #[inline]
    pub fn and(self, other: Sum) -> Sum {
        Sum(add(self.0, other.0))
    }

    /// The sum folded into 16 bits, as a number in network order, not complemented.
    #[inline]
    pub fn folded(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::from_be_bytes((sum as u16).to_ne_bytes())
    }

    /// The checksum: the complement of the folded sum. Over input that contains a right
    /// checksum it is zero.
    #[inline]
    pub fn finish(self) -> u16 {
        !self.folded()
    }

    /// The checksum for a UDP header, where zero means "none" and is sent as all ones (RFC 768).
    #[inline]
    pub fn finish_udp(self) -> u16 {
        match self.finish() {
            0 => 0xffff,
            checksum => checksum,
        }
    }
}

/// The sum of many blocks, by AVX2 where the processor has it.
#[inline]
fn sum_of_many(blocks: &[[u8; BLOCK]]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the instructions, and the function asks for nothing else.
        return unsafe { sum_of_by_avx2(blocks) };
    }
    sum_of(blocks)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_of_by_avx2(blocks: &[[u8; BLOCK]]) -> u64 {
    sum_of(blocks)
}

#[inline(always)]
fn sum_of(blocks: &[[u8; BLOCK]]) -> u64 {
    let mut lanes = [0u64; 8];
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<4>().0) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    lanes.iter().fold(0, |sum, &lane| add(sum, lane))
}

#[inline]
fn sum_of_tail(tail: &[u8]) -> u64 {
    let (words, rest) = tail.as_chunks::<4>();
    let sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let last = match *rest {
        [a, b, c, ..] => [a, b, c, 0],
        [a, b] => [a, b, 0, 0],
        [a] => [a, 0, 0, 0],
        [] => [0; 4],
    };
    sum + u64::from(u32::from_ne_bytes(last))
}

/// One's complement addition: a carry out of the top comes in again at the bottom.
#[inline]
fn add(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u64::from(carry)
}

/// The sum of an IPv4 pseudo-header (RFC 9293 §3.1, RFC 768); `length` is that of the segment.
#[inline]
pub fn pseudo_header_v4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> Sum {
    Sum::of(&source.octets()).bytes(&destination.octets()).u16(protocol.into()).u16(length)
}

/// The sum of an IPv6 pseudo-header (RFC 8200 §8.1); `length` is that of the upper-layer packet.
#[inline]
pub fn pseudo_header_v6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, length: u32) -> Sum {
    Sum::of(&source.octets())
        .bytes(&destination.octets())
        .bytes(&length.to_be_bytes())
        .u16(protocol.into())
}

/// The sum of the pseudo-header between two addresses of one family; `None` for two families.
/// `length` is that of the upper-layer packet, at most 65535.
#[inline]
pub fn pseudo_header(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    length: u16,
) -> Option<Sum> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Some(pseudo_header_v4(source, destination, protocol, length))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            Some(pseudo_header_v6(source, destination, protocol, length.into()))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

/// What the sum of a message changes by when `old`, of even length at an even place in it, becomes `new`.
#[inline]
pub fn change(old: &[u8], new: &[u8]) -> Sum {
    Sum::ZERO.u16(!Sum::of(old).folded()).and(Sum::of(new))
}

/// The checksum of a message whose sum changed (RFC 1624 §3, equation 3).
#[inline]
pub fn adjusted(checksum: u16, change: Sum) -> u16 {
    Sum::ZERO.u16(!checksum).and(change).finish()
}

/// The checksum of a message in which one 16-bit word changed from `old` to `new`
/// (RFC 1624 §3, equation 3).
#[inline]
pub fn update(checksum: u16, old: u16, new: u16) -> u16 {
    adjusted(checksum, Sum::ZERO.u16(!old).u16(new))
}

#[cfg(test)]
mod tests;

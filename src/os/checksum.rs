//! The Internet checksum (RFC 1071), for the few packets that are made here and not by the kernel. The
//! packet path has its own, which is wide and fast.

/// The checksum over `parts`, one behind the other; all but the last have an even number of octets.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u64::from);
    let mut sum: u64 = parts.iter().flat_map(|part| part.chunks(2)).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

//! Fragmenting IPv4 packets before they are sealed (RFC 791 §3.2, RFC 4301 §8.2.1): the peer's hosts
//! put them together again, no gateway has to.

use crate::offload::Segment;
use crate::wire::checksum::Sum;

/// Longest IPv4 header.
const MAX_HEADER: usize = 60;
/// Longest header of a first fragment: IPv4 and TCP.
const MAX_HEAD: usize = 2 * MAX_HEADER;
/// What a total length can say: a fragment that reaches beyond would have us wrap its offset.
const LONGEST_DATAGRAM: usize = 65_535;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;
/// Bit of an option's type: it goes into every fragment.
const COPIED: u8 = 0x80;

/// The fragments of one IPv4 packet, made one at a time in one header buffer.
#[derive(Debug)]
pub(super) struct Fragments<'a> {
    head: [u8; MAX_HEAD],
    /// Length of the IPv4 header in `head`.
    header_len: usize,
    /// What follows it in `head`: the transport header, in the first fragment of a train's packet.
    extra: usize,
    payload: &'a [u8],
    mtu: usize,
    /// Offset of the next fragment in its datagram, in units of 8 bytes, and MF of the whole.
    offset: u16,
    more_behind: u16,
    first: bool,
}

impl<'a> Fragments<'a> {
    /// Cuts `packet`, a well-formed IPv4 packet, so that no fragment exceeds `mtu`; `None` when
    /// that is too small for any, and when the packet is a fragment of an impossible datagram.
    pub(super) fn new(packet: Segment<'a>, mtu: usize) -> Option<Fragments<'a>> {
        let (head, payload) = match packet.head {
            [] => packet.payload.split_at_checked(header_len(packet.payload)?)?,
            head => (head, packet.payload),
        };
        let header_len = header_len(head)?;
        if head.len() > MAX_HEAD || mtu < head.len() + 8 {
            return None;
        }
        let field = u16::from_be_bytes([head[6], head[7]]);
        let end = usize::from(field & OFFSET_MASK) * 8 + head.len() - header_len + payload.len();
        if header_len + end > LONGEST_DATAGRAM {
            return None;
        }
        let mut copy = [0; MAX_HEAD];
        copy[..head.len()].copy_from_slice(head);
        Some(Fragments {
            head: copy,
            header_len,
            extra: head.len() - header_len,
            payload,
            mtu,
            offset: field & OFFSET_MASK,
            more_behind: field & MORE_FRAGMENTS,
            first: true,
        })
    }

    /// The next fragment.
    pub(super) fn next(&mut self) -> Option<Segment<'_>> {
        if self.payload.is_empty() && !self.first {
            return None;
        }
        if !std::mem::replace(&mut self.first, false) {
            self.drop_first_fragment_header();
        }
        let head_len = self.header_len + self.extra;
        let room = self.mtu - head_len;
        let last = self.payload.len() <= room;
        // All but the last carry a multiple of 8 bytes behind the IP header.
        let fill = if last { self.payload.len() } else { (self.extra + room) / 8 * 8 - self.extra };
        let (payload, rest) = self.payload.split_at(fill);
        self.payload = rest;
        self.write_header(head_len + fill, if last { self.more_behind } else { MORE_FRAGMENTS });
        self.offset = self.offset.wrapping_add(((self.extra + fill) / 8) as u16);
        Some(Segment { head: &self.head[..head_len], payload })
    }

    fn write_header(&mut self, total: usize, more: u16) {
        let header = &mut self.head[..self.header_len];
        set_place(header, total as u16, self.offset & OFFSET_MASK | more);
    }

    /// Keeps of the options those that every fragment has. Done again it changes nothing.
    fn drop_first_fragment_header(&mut self) {
        self.extra = 0;
        let mut kept = [0; MAX_HEADER];
        let length = copied_options(&self.head[20..self.header_len], &mut kept);
        self.head[20..20 + length].copy_from_slice(&kept[..length]);
        self.header_len = 20 + length;
        self.head[0] = 0x40 | (self.header_len / 4) as u8;
    }
}

/// Writes into an IPv4 header how long its packet is and where that stands in its datagram (flags
/// and offset, RFC 791 §3.1), and the checksum for it.
pub(super) fn set_place(header: &mut [u8], total: u16, place: u16) {
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header[6..8].copy_from_slice(&place.to_be_bytes());
    header[10..12].fill(0);
    let checksum = Sum::of(header).finish();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}

fn header_len(packet: &[u8]) -> Option<usize> {
    let length = usize::from(packet.first()? & 0x0f) * 4;
    (length >= 20 && length <= packet.len()).then_some(length)
}

/// Writes the options with the copied bit, padded to whole words, and returns their length.
fn copied_options(mut options: &[u8], kept: &mut [u8; MAX_HEADER]) -> usize {
    let mut length = 0;
    while let [kind, rest @ ..] = options {
        let size = match (kind, rest.first()) {
            (0, _) => break,
            (1, _) => 1,
            (_, Some(&size)) if size >= 2 && usize::from(size) <= options.len() => size.into(),
            _ => break,
        };
        let (option, behind) = options.split_at(size);
        if kind & COPIED != 0 {
            kept[length..length + size].copy_from_slice(option);
            length += size;
        }
        options = behind;
    }
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests;

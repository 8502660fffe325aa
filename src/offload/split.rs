//! Splitting: one super-packet into the packets that it stands for.
//!
//! TCP (RFC 9293): sequence numbers advance, FIN and PSH stay on the last segment, CWR on the first
//! (RFC 3168 §6.1.2). IPv4: the identification counts up. Every length and checksum is its own.

use super::layer4::{self, Layout, Transport, is_ipv4, put_u16, put_u32, u16_at, u32_at};
use super::vnet::{Malformed, Segmentation, VirtioNetHeader};
use super::{MAX_HEAD, MAX_PACKET};
use crate::wire::checksum::Sum;
use crate::wire::tcp::{TcpHeader, flags};

/// A packet as read from a TUN device: one packet, or one that stands for several.
#[derive(Debug)]
pub struct SuperPacket<'a> {
    bytes: &'a mut [u8],
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Single,
    Train { layout: Layout, segment_size: usize },
}

/// One packet in two pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// All headers, or nothing when the packet is whole as it lies in `payload`.
    pub head: &'a [u8],
    /// The rest.
    pub payload: &'a [u8],
}

impl Segment<'_> {
    /// Length of the packet.
    #[expect(clippy::len_without_is_empty, reason = "a packet is never empty")]
    pub fn len(&self) -> usize {
        self.head.len() + self.payload.len()
    }
}

impl<'a> SuperPacket<'a> {
    /// Takes what was read behind `header`; completes the checksum of a single packet in place.
    pub fn new(header: VirtioNetHeader, bytes: &'a mut [u8]) -> Result<Self, Malformed> {
        if bytes.is_empty() || bytes.len() > MAX_PACKET {
            return Err(Malformed("impossible length"));
        }
        let transport = match header.segmentation {
            Segmentation::None => return Self::single(header, bytes),
            Segmentation::TcpV4 | Segmentation::TcpV6 => Transport::Tcp,
            Segmentation::Udp => Transport::Udp,
        };
        let l4 = usize::from(header.checksum_start);
        check_ip_header(header.segmentation, bytes, l4)?;
        let layout = Layout::of(bytes, transport, l4)?;
        let segment_size = usize::from(header.segment_size);
        if segment_size == 0 || layout.head_len == bytes.len() {
            return Err(Malformed("a train without payload"));
        }
        Ok(SuperPacket { bytes, shape: Shape::Train { layout, segment_size } })
    }

    /// A single packet that needs nothing.
    pub fn whole(bytes: &'a mut [u8]) -> Self {
        SuperPacket { bytes, shape: Shape::Single }
    }

    fn single(header: VirtioNetHeader, bytes: &'a mut [u8]) -> Result<Self, Malformed> {
        if header.needs_checksum {
            complete_checksum(header, bytes)?;
        }
        Ok(SuperPacket { bytes, shape: Shape::Single })
    }

    /// The packet as it was read: for a train, the headers that all segments share come first.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The same, for other addresses to be written into the headers. The checksums of a train are made
    /// anew for each of its packets.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// The bytes of a single packet, to be changed in place; `None` for a train.
    pub fn single_mut(&mut self) -> Option<&mut [u8]> {
        match self.shape {
            Shape::Single => Some(self.bytes),
            Shape::Train { .. } => None,
        }
    }

    /// How many packets this is.
    pub fn count(&self) -> usize {
        match self.shape {
            Shape::Single => 1,
            Shape::Train { layout, segment_size } => {
                (self.bytes.len() - layout.head_len).div_ceil(segment_size)
            }
        }
    }

    /// Length of the longest of the packets.
    pub fn longest(&self) -> usize {
        match self.shape {
            Shape::Single => self.bytes.len(),
            Shape::Train { layout, segment_size } => {
                self.bytes.len().min(layout.head_len + segment_size)
            }
        }
    }

    /// Length of all the packets together.
    pub fn total(&self) -> usize {
        match self.shape {
            Shape::Single => self.bytes.len(),
            Shape::Train { layout, .. } => self.bytes.len() + (self.count() - 1) * layout.head_len,
        }
    }

    /// The packets, first to last.
    pub fn segments(&self) -> Segments<'_> {
        match self.shape {
            Shape::Single => Segments::single(self.bytes),
            Shape::Train { layout, segment_size } => {
                Segments::train(self.bytes, layout, segment_size)
            }
        }
    }
}

/// The version is the one announced and the transport header starts where the IP header lets it.
fn check_ip_header(kind: Segmentation, bytes: &[u8], l4: usize) -> Result<(), Malformed> {
    let version = bytes[0] >> 4;
    let l4_possible = match version {
        4 => l4 == usize::from(bytes[0] & 0x0f) * 4 && l4 >= 20,
        6 => l4 >= 40,
        _ => false,
    };
    let announced = match kind {
        Segmentation::TcpV4 => version == 4,
        Segmentation::TcpV6 => version == 6,
        Segmentation::Udp | Segmentation::None => true,
    };
    match l4_possible && announced {
        true => Ok(()),
        false => Err(Malformed("IP header differs from what was announced")),
    }
}

/// Adds the sum of the rest to the pseudo-header's sum that the field holds.
fn complete_checksum(header: VirtioNetHeader, bytes: &mut [u8]) -> Result<(), Malformed> {
    let start = usize::from(header.checksum_start);
    let at = start + usize::from(header.checksum_offset);
    if at + 2 > bytes.len() {
        return Err(Malformed("checksum beyond the packet"));
    }
    let sum = Sum::of(&bytes[start..]);
    let udp = Transport::Udp.checksum_at() == usize::from(header.checksum_offset);
    let transport = if udp { Transport::Udp } else { Transport::Tcp };
    put_u16(bytes, at, transport.checksum_of(sum));
    Ok(())
}

/// The packets of one super-packet, made one at a time: [`next`](Segments::next) lends each until
/// the next is asked for, because all are written into one header buffer.
#[derive(Debug)]
pub struct Segments<'a> {
    head: [u8; MAX_HEAD],
    train: Option<Train>,
    payload: &'a [u8],
    done: bool,
}

#[derive(Clone, Copy, Debug)]
struct Train {
    layout: Layout,
    segment_size: usize,
    first: bool,
    flags: u8,
}

impl<'a> Segments<'a> {
    fn single(bytes: &'a [u8]) -> Self {
        Segments { head: [0; MAX_HEAD], train: None, payload: bytes, done: false }
    }

    fn train(bytes: &'a [u8], layout: Layout, segment_size: usize) -> Self {
        let (template, payload) = bytes.split_at(layout.head_len);
        let mut head = [0; MAX_HEAD];
        head[..layout.head_len].copy_from_slice(template);
        let flags = match layout.transport {
            Transport::Tcp => template[layout.l4 + TcpHeader::FLAGS_AT],
            Transport::Udp => 0,
        };
        let train = Train { layout, segment_size, first: true, flags };
        Segments { head, train: Some(train), payload, done: false }
    }

    /// The next packet.
    #[expect(clippy::should_implement_trait, reason = "it lends from itself, Iterator cannot")]
    pub fn next(&mut self) -> Option<Segment<'_>> {
        if self.done {
            return None;
        }
        let Some(train) = &mut self.train else {
            self.done = true;
            return Some(Segment { head: &[], payload: self.payload });
        };
        let length = train.segment_size.min(self.payload.len());
        let (payload, rest) = self.payload.split_at(length);
        self.payload = rest;
        self.done = rest.is_empty();
        let head = &mut self.head[..train.layout.head_len];
        train.write_head(head, payload, self.done);
        Some(Segment { head, payload })
    }
}

impl Train {
    /// Turns the header of the segment before (or the template) into that of this one.
    fn write_head(&mut self, head: &mut [u8], payload: &[u8], last: bool) {
        let first = std::mem::replace(&mut self.first, false);
        if !first && is_ipv4(head) {
            let identification = u16_at(head, 4).wrapping_add(1);
            put_u16(head, 4, identification);
        }
        if self.layout.transport == Transport::Tcp {
            self.write_tcp(head, first, last);
        }
        layer4::set_lengths(head, self.layout, head.len() + payload.len());
        layer4::store_checksum(head, self.layout, payload);
    }

    fn write_tcp(&self, head: &mut [u8], first: bool, last: bool) {
        let l4 = self.layout.l4;
        if !first {
            // Every segment before this one was a full one.
            let sequence = u32_at(head, l4 + 4).wrapping_add(self.segment_size as u32);
            put_u32(head, l4 + 4, sequence);
        }
        let mut bits = self.flags;
        if !last {
            bits &= !(flags::FIN | flags::PSH);
        }
        if !first {
            bits &= !flags::CWR;
        }
        head[l4 + TcpHeader::FLAGS_AT] = bits;
    }
}

#[cfg(test)]
mod tests;

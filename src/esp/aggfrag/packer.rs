//! Packing: packets one behind the other, cut into payloads.

use super::data_len;
use crate::wire::aggfrag::AggfragHeader;

/// Packets that leave together. Its memory is kept when it is cleared.
#[derive(Debug, Default)]
pub struct Packer {
    stream: Vec<u8>,
    lengths: Vec<usize>,
}

/// One payload: `header ‖ data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'p> {
    /// The octets of its header.
    pub header: [u8; AggfragHeader::LEN],
    /// The data behind it.
    pub data: &'p [u8],
}

impl Payload<'_> {
    /// Octets of the payload.
    pub fn octets(&self) -> usize {
        self.header.len() + self.data.len()
    }
}

impl Packer {
    /// Adds the inner packet `head ‖ payload`, which must be as long as its header says.
    #[inline]
    pub fn push(&mut self, head: &[u8], payload: &[u8]) {
        self.stream.extend_from_slice(head);
        self.stream.extend_from_slice(payload);
        self.lengths.push(head.len() + payload.len());
    }

    /// How many packets there are.
    pub fn packets(&self) -> usize {
        self.lengths.len()
    }

    /// Octets of the packets.
    pub fn octets(&self) -> usize {
        self.stream.len()
    }

    /// The packets that end within the first `octets` of all, and their octets.
    pub fn whole_within(&self, octets: usize) -> (usize, usize) {
        let ends = self.lengths.iter().scan(0, |end, len| {
            *end += len;
            Some(*end)
        });
        let whole = ends.take_while(|end| *end <= octets);
        whole.fold((0, 0), |(packets, _), end| (packets + 1, end))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Forgets the packets.
    pub fn clear(&mut self) {
        self.stream.clear();
        self.lengths.clear();
    }

    /// How many payloads of `longest` octets at most it takes.
    pub fn count(&self, longest: usize) -> usize {
        self.stream.len().div_ceil(data_len(longest).max(1))
    }

    /// The packets as payloads of `longest` octets, which must be more than a header's; the last
    /// may be shorter.
    pub fn payloads(&self, longest: usize) -> Payloads<'_> {
        Payloads { packer: self, room: data_len(longest).max(1), at: 0, next: 0, left: 0 }
    }
}

/// The payloads in the order in which they are to be sealed, one sequence number after the other.
#[derive(Clone, Debug)]
pub struct Payloads<'p> {
    packer: &'p Packer,
    room: usize,
    /// Where the next payload begins.
    at: usize,
    /// The first packet that begins there or later.
    next: usize,
    /// Octets that the packet before it has from there on.
    left: usize,
}

impl<'p> Iterator for Payloads<'p> {
    type Item = Payload<'p>;

    fn next(&mut self) -> Option<Payload<'p>> {
        let rest = self.packer.stream.get(self.at..).filter(|rest| !rest.is_empty())?;
        let data = &rest[..rest.len().min(self.room)];
        // An IP packet has 65,575 octets at most, and one that is cut has a piece before this one.
        let header = AggfragHeader::plain(u16::try_from(self.left).unwrap_or(u16::MAX));
        let mut known = self.left;
        while known < data.len() {
            known += self.packer.lengths.get(self.next)?;
            self.next += 1;
        }
        self.left = known - data.len();
        self.at += data.len();
        Some(Payload { header, data })
    }
}

#[cfg(test)]
mod tests;

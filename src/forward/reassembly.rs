//! Datagrams of hosts that are put together before they are sealed, for a peer that holds every
//! packet against selectors which name ports, and would not know those of a later fragment
//! (RFC 4301 §7: not every implementation checks fragments statefully).
//!
//! The datagram around the whole is fragmented on the underlay instead. IPv4 only: a router
//! behind the peer can cut the whole again for its links, which IPv6 forbids it.

use super::datagram::Datagram;
use super::fragment::set_place;
use crate::esp::Discard;
use crate::esp::ecn::Ecn;
use crate::wire::ip::Ipv4Header;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Datagrams of one tunnel that are waited for at once; the oldest makes room. There is no clock:
/// a datagram that stays incomplete goes when others come, or when its number is used again.
const DATAGRAMS: usize = 32;
/// Octets of one tunnel that wait, all datagrams together.
const OCTETS: usize = 256 << 10;
/// The longest IPv4 packet (RFC 791 §3.1).
const LONGEST: usize = 65_535;
/// Offsets count in these (RFC 791 §3.1).
const UNIT: usize = 8;

/// The datagrams of a tunnel that are not complete. Nobody asks who has no fragment in hand, so
/// ordinary packets never wait for the lock.
#[derive(Debug, Default)]
pub struct Reassembly(Mutex<VecDeque<(Datagram, Parts)>>);

/// What has come of one datagram.
#[derive(Debug, Default)]
struct Parts {
    /// The header of the first fragment.
    header: Option<Vec<u8>>,
    /// Payloads by their offset; they do not overlap.
    payloads: BTreeMap<usize, Vec<u8>>,
    /// Length of the whole payload, known from the last fragment.
    length: Option<usize>,
    /// Octets of the payloads that are here.
    octets: usize,
    /// A router has marked one of the fragments (RFC 3168 §5.3).
    congested: bool,
}

/// One fragment of an IPv4 datagram.
struct Piece<'p> {
    header: &'p [u8],
    payload: &'p [u8],
    offset: usize,
    is_last: bool,
}

impl Reassembly {
    /// Takes a fragment of an IPv4 datagram and gives the packet that it completes.
    ///
    /// # Errors
    ///
    /// [`Discard::Fragment`] for one that belongs to no possible datagram.
    #[cold]
    pub(super) fn add(
        &self,
        datagram: Datagram,
        packet: &[u8],
    ) -> Result<Option<Vec<u8>>, Discard> {
        let piece = Piece::parse(packet).ok_or(Discard::Fragment)?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = waiting.iter().position(|(one, _)| *one == datagram);
        let known = place.and_then(|place| waiting.remove(place)).map(|(_, parts)| parts);
        let mut parts = known.unwrap_or_default();
        if parts.contradicts(&piece) {
            // Another datagram that uses the number again (RFC 4963).
            parts = Parts::default();
        }
        parts.add(&piece);
        if let Some(whole) = parts.whole() {
            return Ok(Some(whole));
        }
        waiting.push_front((datagram, parts));
        make_room(&mut waiting);
        Ok(None)
    }
}

/// Forgets the oldest until the limits hold.
fn make_room(waiting: &mut VecDeque<(Datagram, Parts)>) {
    let octets = |waiting: &VecDeque<(Datagram, Parts)>| -> usize {
        waiting.iter().map(|(_, parts)| parts.octets).sum()
    };
    while waiting.len() > DATAGRAMS || octets(waiting) > OCTETS {
        waiting.pop_back();
    }
}

impl<'p> Piece<'p> {
    /// `None` for what no sender makes: nothing behind the header, an end beyond the longest
    /// packet, or a length that leaves the next offset between two units.
    fn parse(packet: &'p [u8]) -> Option<Piece<'p>> {
        let fields = Ipv4Header::parse(packet).ok()?;
        let (header, payload) =
            packet.get(..fields.total_len())?.split_at_checked(fields.header_len())?;
        let offset = fields.fragment_offset();
        let is_last = !fields.more_fragments();
        let is_possible = header.len() + offset + payload.len() <= LONGEST;
        let is_aligned = is_last || payload.len().is_multiple_of(UNIT);
        (!payload.is_empty() && is_possible && is_aligned).then_some(Piece {
            header,
            payload,
            offset,
            is_last,
        })
    }

    fn end(&self) -> usize {
        self.offset + self.payload.len()
    }
}

impl Parts {
    /// Whether the piece cannot be of the datagram that the others are of.
    fn contradicts(&self, piece: &Piece<'_>) -> bool {
        if self.payloads.get(&piece.offset).is_some_and(|known| known == piece.payload) {
            return false;
        }
        let before = self.payloads.range(..=piece.offset).next_back();
        let overlaps_before =
            before.is_some_and(|(offset, payload)| offset + payload.len() > piece.offset);
        let behind = self.payloads.range(piece.offset..).next();
        let overlaps_behind = behind.is_some_and(|(offset, _)| *offset < piece.end());
        let ends_elsewhere = self
            .length
            .is_some_and(|length| piece.end() > length || piece.is_last && piece.end() != length);
        let goes_beyond = piece.is_last && behind.is_some_and(|(offset, _)| *offset > piece.offset);
        overlaps_before || overlaps_behind || ends_elsewhere || goes_beyond
    }

    /// Takes a piece that contradicts none.
    fn add(&mut self, piece: &Piece<'_>) {
        if piece.offset == 0 {
            self.header = Some(piece.header.to_vec());
        }
        if piece.is_last {
            self.length = Some(piece.end());
        }
        self.congested |= Ecn::of(piece.header[1]) == Ecn::Ce;
        let before = self.payloads.insert(piece.offset, piece.payload.to_vec());
        self.octets += piece.payload.len() - before.map_or(0, |before| before.len());
    }

    /// The packet, if nothing of it is missing.
    fn whole(&self) -> Option<Vec<u8>> {
        let header = self.header.as_ref().filter(|_| self.length == Some(self.octets))?;
        let total = u16::try_from(header.len() + self.octets).ok()?;
        let mut packet = header.clone();
        if self.congested && Ecn::of(packet[1]) != Ecn::NotEct {
            packet[1] = Ecn::Ce.put_into(packet[1]);
        }
        set_place(&mut packet, total, 0);
        packet.extend(self.payloads.values().flatten());
        Some(packet)
    }
}

#[cfg(test)]
mod tests;

//! Unpacking: whole packets at once, cut ones when all their pieces are there.

use super::Room;
use crate::esp::Discard;
use crate::esp::inbound::{Opened, opened};
use crate::time::Timestamp;
use crate::wire::aggfrag::{AggfragHeader, Block};
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Pieces wait as long as packets with so many later numbers come. A packet of 64 KiB is in 46
/// packets of the usual size.
const WINDOW: u64 = 64;
/// Octets of one SA that wait: two of the longest packets. Their memory is at most twice as much.
const OCTETS: usize = 128 << 10;
/// A piece waits for the others so long, or up to twice as long, if later numbers are slow to come: far
/// longer than any path reorders (RFC 9347 §2.2.3, the lost packet timer).
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest IP packet without a jumbo payload.
const LONGEST: usize = 65_575;

/// The pieces of cut packets of one inbound SA. Nobody asks who has no piece in hand, so whole packets
/// never wait for the lock.
#[derive(Debug, Default)]
pub struct Unpacker(Mutex<Pieces>);

/// An authentic AGGFRAG payload that was not received before.
#[derive(Debug)]
pub struct Aggregate<'a> {
    pub(in crate::esp) sequence: u64,
    pub(in crate::esp) payload: &'a mut [u8],
}

/// The packets of a payload, in the order in which they were packed.
#[derive(Debug)]
pub struct Packets<'a> {
    sequence: u64,
    first: Option<&'a mut [u8]>,
    whole: &'a mut [u8],
    last: Option<&'a mut [u8]>,
    padding: Option<&'a [u8]>,
    fault: Option<Discard>,
    given_up: u64,
}

impl<'a> Aggregate<'a> {
    /// Takes the payload apart. Pieces go to `unpacker`, which puts packets together in `room`.
    ///
    /// # Errors
    ///
    /// [`Discard::MalformedAggregate`] when it has no header. What is wrong behind it, the packets
    /// tell where they come to it.
    pub fn unpack(
        self,
        unpacker: &Unpacker,
        now: Timestamp,
        room: &mut Room<'a>,
    ) -> Result<Packets<'a>, Discard> {
        let sequence = self.sequence;
        let (header, data) =
            AggfragHeader::split_from(self.payload).map_err(|_| Discard::MalformedAggregate)?;
        let offset = usize::from(header.block_offset);
        let goes_on = offset > data.len();
        let (before, blocks) = data.split_at_mut(offset.min(data.len()));
        let Walk { whole, padded, fault } = Walk::over(blocks);
        let (whole, rest) = blocks.split_at_mut(whole);
        let (after, padding): (&[u8], &[u8]) = if padded { (&[], rest) } else { (rest, &[]) };
        // Padding alone stands between the pieces of others (§2.2.3), and so does nothing at all.
        let is_pad = offset == 0 && whole.is_empty() && after.is_empty() && fault.is_none();
        let after = if fault.is_some() { &[] } else { after };
        let arrival = Arrival { sequence, passes_on: goes_on || is_pad, before, after };
        let (complete, given_up) = match arrival.is_piece() {
            true => unpacker.add(arrival, now, room),
            false => (Ok([None, None]), 0),
        };
        let ([first, last], fault) = match complete {
            Ok(complete) => (complete, fault),
            Err(reason) => ([None, None], Some(reason)),
        };
        let padding = is_pad.then_some(padding);
        Ok(Packets { sequence, first, whole, last, padding, fault, given_up })
    }
}

/// What stands in the blocks that begin in a payload.
struct Walk {
    /// Octets of the whole packets at the front.
    whole: usize,
    /// Whether padding follows them; else, the beginning of another packet, or nothing.
    padded: bool,
    fault: Option<Discard>,
}

impl Walk {
    fn over(blocks: &[u8]) -> Walk {
        let mut whole = 0;
        while let Some(rest) = blocks.get(whole..).filter(|rest| !rest.is_empty()) {
            match Block::at_start_of(rest) {
                Ok(Block::Packet(len)) if len <= rest.len() => whole += len,
                Ok(Block::Packet(_) | Block::Begun) => break,
                Ok(Block::Pad) => return Walk { whole, padded: true, fault: None },
                Err(_) => {
                    let fault = Some(Discard::MalformedAggregate);
                    return Walk { whole, padded: false, fault };
                }
            }
        }
        Walk { whole, padded: false, fault: None }
    }
}

impl<'a> Packets<'a> {
    /// What pads a payload in which nothing else is; once.
    pub fn take_padding(&mut self) -> Option<&'a [u8]> {
        self.padding.take()
    }

    /// Cut packets that were given up when the payload came: [`Discard::IncompletePacket`]. One whose middle
    /// alone is lost counts twice, by its beginning and by its end.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// The next whole packet that lies in the payload itself.
    fn next_whole(&mut self) -> Option<&'a mut [u8]> {
        let Ok(Block::Packet(len)) = Block::at_start_of(self.whole) else { return None };
        let (packet, rest) = mem::take(&mut self.whole).split_at_mut_checked(len)?;
        self.whole = rest;
        Some(packet)
    }
}

/// `Err` is a packet that is none, or the rest of a payload that cannot be read.
impl<'a> Iterator for Packets<'a> {
    type Item = Result<Opened<'a>, Discard>;

    fn next(&mut self) -> Option<Result<Opened<'a>, Discard>> {
        let first = self.first.take();
        let packet = first.or_else(|| self.next_whole()).or_else(|| self.last.take());
        match packet {
            Some(packet) => Some(opened(self.sequence, packet)),
            None => self.fault.take().map(Err),
        }
    }
}

/// What a payload has of packets that are cut.
struct Arrival<'p> {
    sequence: u64,
    /// No packet ends or begins in it: the one before it goes on behind it.
    passes_on: bool,
    /// The end of a packet, or more of it; empty when none has begun earlier.
    before: &'p [u8],
    /// The beginning of a packet.
    after: &'p [u8],
}

impl Arrival<'_> {
    fn is_piece(&self) -> bool {
        self.passes_on || !self.before.is_empty() || !self.after.is_empty()
    }
}

/// The same, when it waits.
#[derive(Debug)]
struct Piece {
    sequence: u64,
    came: Timestamp,
    passes_on: bool,
    before: Vec<u8>,
    after: Vec<u8>,
}

#[derive(Debug, Default)]
struct Pieces {
    /// By their sequence numbers, modulo [`WINDOW`]; none before the first piece.
    places: Vec<Option<Piece>>,
    highest: u64,
    octets: usize,
    /// When what has waited too long was last looked for.
    looked: Timestamp,
    /// The memory of a piece that has gone, for the next.
    spare: Vec<u8>,
    /// Packets given up that nobody has been told of.
    given_up: u64,
}

/// The packet that ends in an arrival, and the one that begins in it.
type Complete<'r> = [Option<&'r mut [u8]>; 2];

/// The payloads from the beginning of a packet to its end.
#[derive(Clone, Copy)]
struct Span {
    first: u64,
    last: u64,
}

impl Unpacker {
    /// Takes an arrival, and says how many packets have been given up since the last.
    fn add<'r>(
        &self,
        arrival: Arrival<'_>,
        now: Timestamp,
        room: &mut Room<'r>,
    ) -> (Result<Complete<'r>, Discard>, u64) {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let complete = pieces.add(arrival, now, room);
        (complete, mem::take(&mut pieces.given_up))
    }
}

impl Pieces {
    /// Takes an arrival, and gives the packets that it completes.
    ///
    /// # Errors
    ///
    /// [`Discard::NoBuffer`] when the room is full; the packet is lost.
    fn add<'r>(
        &mut self,
        arrival: Arrival<'_>,
        now: Timestamp,
        room: &mut Room<'r>,
    ) -> Result<Complete<'r>, Discard> {
        self.forget_old(arrival.sequence, now);
        let (ending, beginning) = self.spans(&arrival);
        let ended = ending.map(|span| self.join(span, &arrival, room)).transpose()?;
        let begun = beginning.map(|span| self.join(span, &arrival, room)).transpose()?;
        self.keep(arrival, (ending.is_some(), beginning.is_some()), now);
        Ok([ended.flatten(), begun.flatten()])
    }

    /// The packet that ends in an arrival (or passes through it) and the one that begins in it, if all
    /// their pieces are here.
    fn spans(&self, arrival: &Arrival<'_>) -> (Option<Span>, Option<Span>) {
        let (below, above) = (|| self.beginning(arrival.sequence), || self.end(arrival.sequence));
        if arrival.passes_on {
            let through = below().zip(above()).map(|(first, last)| Span { first, last });
            return (through, None);
        }
        let ends = !arrival.before.is_empty();
        let ending = ends.then(below).flatten();
        let begins = !arrival.after.is_empty();
        let beginning = begins.then(above).flatten();
        (
            ending.map(|first| Span { first, last: arrival.sequence }),
            beginning.map(|last| Span { first: arrival.sequence, last }),
        )
    }

    /// Where the packet began that goes on in `sequence`.
    fn beginning(&self, sequence: u64) -> Option<u64> {
        let mut before = (1..WINDOW).map_while(|back| self.get(sequence.checked_sub(back)?));
        let piece = before.find(|piece| !piece.passes_on)?;
        (!piece.after.is_empty()).then_some(piece.sequence)
    }

    /// Where the packet ends that goes on behind `sequence`.
    fn end(&self, sequence: u64) -> Option<u64> {
        let mut behind = (1..WINDOW).map_while(|ahead| self.get(sequence.checked_add(ahead)?));
        let piece = behind.find(|piece| !piece.passes_on)?;
        (!piece.before.is_empty()).then_some(piece.sequence)
    }

    /// Puts a packet together and forgets its pieces. `None` for what is longer than any packet.
    fn join<'r>(
        &mut self,
        span: Span,
        arrival: &Arrival<'_>,
        room: &mut Room<'r>,
    ) -> Result<Option<&'r mut [u8]>, Discard> {
        let parts = || {
            (span.first..=span.last).map(|sequence| match self.get(sequence) {
                Some(piece) if sequence == span.first => &piece.after[..],
                Some(piece) => &piece.before[..],
                None if sequence == span.first => arrival.after,
                None => arrival.before,
            })
        };
        let len: usize = parts().map(<[u8]>::len).sum();
        if len > LONGEST {
            self.given_up += 1;
            self.forget(span);
            return Ok(None);
        }
        let Some(packet) = room.take(len) else {
            self.forget(span);
            return Err(Discard::NoBuffer);
        };
        let mut rest = &mut packet[..];
        for part in parts() {
            let (place, behind) = mem::take(&mut rest).split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        self.forget(span);
        Ok(Some(packet))
    }

    /// Forgets the pieces of one packet; those of its neighbours in the same payloads stay.
    fn forget(&mut self, span: Span) {
        for sequence in span.first..=span.last {
            let Some(piece) = self.place(sequence).as_mut() else { continue };
            if piece.sequence != sequence {
                continue;
            }
            let gone = match sequence == span.first {
                true => mem::take(&mut piece.after),
                false => mem::take(&mut piece.before),
            };
            if piece.before.is_empty() && piece.after.is_empty() {
                *self.place(sequence) = None;
            }
            self.octets -= gone.len();
            self.spare = gone;
        }
    }

    /// Keeps what has not found its other pieces.
    fn keep(&mut self, arrival: Arrival<'_>, (ended, begun): (bool, bool), now: Timestamp) {
        let Arrival { sequence, passes_on, before, after } = arrival;
        let before = if ended { &[] } else { before };
        let after = if begun { &[] } else { after };
        let is_of_use = !before.is_empty() || !after.is_empty() || passes_on && !ended;
        if !is_of_use || sequence + WINDOW <= self.highest {
            return;
        }
        let mut kept = |octets: &[u8]| match octets.is_empty() {
            true => Vec::new(),
            false => {
                // A few octets in the memory of many would make the limit say little.
                let fits = self.spare.capacity() <= 2 * octets.len();
                let mut memory = if fits { mem::take(&mut self.spare) } else { Vec::new() };
                memory.clear();
                memory.extend_from_slice(octets);
                memory
            }
        };
        let (after, before) = (kept(after), kept(before));
        self.drop_place(sequence);
        self.octets += before.len() + after.len();
        *self.place(sequence) = Some(Piece { sequence, came: now, passes_on, before, after });
        self.make_room();
    }

    /// Forgets what an arrival leaves behind, and what has waited too long.
    fn forget_old(&mut self, sequence: u64, now: Timestamp) {
        let from = self.highest.max(sequence.saturating_sub(WINDOW));
        for passed in from + 1..=sequence {
            self.drop_place(passed);
        }
        self.highest = self.highest.max(sequence);
        if self.octets > 0 && now.since(self.looked) > PATIENCE {
            self.looked = now;
            let is_old = |piece: &Piece| now.since(piece.came) > PATIENCE;
            for place in 0..WINDOW {
                if self.place(place).as_ref().is_some_and(is_old) {
                    self.drop_place(place);
                }
            }
        }
    }

    /// Forgets the oldest until the limit holds.
    fn make_room(&mut self) {
        let oldest = (self.highest + 1).saturating_sub(WINDOW);
        for sequence in oldest..=self.highest {
            if self.octets <= OCTETS {
                break;
            }
            self.drop_place(sequence);
        }
    }

    /// Gives up what waits in a place. The middle of a packet says nothing that its ends do not.
    fn drop_place(&mut self, sequence: u64) {
        if let Some(piece) = self.place(sequence).take() {
            let has_end = !piece.passes_on && !piece.before.is_empty();
            self.given_up += u64::from(has_end) + u64::from(!piece.after.is_empty());
            self.octets -= piece.before.len() + piece.after.len();
        }
    }

    fn get(&self, sequence: u64) -> Option<&Piece> {
        let piece = self.places.get((sequence % WINDOW) as usize)?.as_ref()?;
        (piece.sequence == sequence).then_some(piece)
    }

    fn place(&mut self, sequence: u64) -> &mut Option<Piece> {
        if self.places.is_empty() {
            self.places.resize_with(WINDOW as usize, || None);
        }
        &mut self.places[(sequence % WINDOW) as usize]
    }
}

#[cfg(test)]
mod tests;

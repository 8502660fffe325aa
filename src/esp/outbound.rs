//! Sealing packets (RFC 4303 §3.3).

use super::associated::AssociatedData;
use super::layout::{ESP_HEADER_LEN, Layout, TRAILER_LEN};
use super::usage::Counter;
use super::{Discard, Reservation, SaConfig, Usage};
use crate::crypto::cipher::{KeyError, SealingKey};
use crate::crypto::secret::Secret;
use crate::net::EspSpi;

/// An outbound SA, shared by reference between workers.
#[derive(Debug)]
pub struct OutboundSa {
    config: SaConfig,
    layout: Layout,
    key: SealingKey,
    /// The last sequence number that may be given out: the end of the reservation, or where the
    /// limit of packets lies before it.
    limit: u64,
    /// The end of the reservation.
    end: u64,
    /// The last sequence number given out, which is also the number of packets. [`TAKEN`] when
    /// the rest was exported.
    last_sequence: Counter,
    /// Where `last_sequence` stood then.
    exported_at: Counter,
    bytes: Counter,
}

/// A last sequence number after which none is given out.
const TAKEN: u64 = u64::MAX;

/// Consecutive sequence numbers that belong to the caller alone, for one train of packets.
///
/// The only way to seal: a sequence number makes the nonce, and each exists once. Numbers left
/// over when a train is dropped are skipped, which the receiver takes for lost packets.
#[derive(Debug)]
pub struct Train<'a> {
    sa: &'a OutboundSa,
    /// The number before the next packet's.
    last: u64,
    end: u64,
}

impl OutboundSa {
    /// An SA that seals with the sequence numbers of `reservation`.
    ///
    /// # Errors
    ///
    /// When the key material does not have the length that the suite takes.
    pub fn new(reservation: Reservation) -> Result<OutboundSa, KeyError> {
        let config = &reservation.config;
        let key = SealingKey::new(config.suite.cipher, config.keymat.as_bytes())?;
        Ok(OutboundSa::with(key, reservation))
    }

    /// The same with its key made already.
    pub(super) fn with(key: SealingKey, reservation: Reservation) -> OutboundSa {
        let Reservation { config, bytes, last, end } = reservation;
        OutboundSa {
            layout: Layout::of(config.suite.cipher),
            limit: end.min(config.hard.packets),
            config,
            key,
            end,
            last_sequence: Counter::new(last),
            exported_at: Counter::new(TAKEN),
            bytes: Counter::new(bytes),
        }
    }

    /// Ends the SA and returns the sequence numbers that it has not given out, to go on with
    /// elsewhere. Trains that workers hold keep their numbers; every later one is refused. A second
    /// export finds no number left.
    pub fn export(&self) -> Reservation {
        let last = self.last_sequence.replace(TAKEN);
        if last != TAKEN {
            self.exported_at.lower_to(last);
        }
        let (config, bytes) = (self.config.clone(), self.bytes.read());
        Reservation { config, bytes, last: last.min(self.end), end: self.end }
    }

    /// The SPI that the peer gave the SA.
    pub fn spi(&self) -> EspSpi {
        self.config.spi
    }

    /// Its key material, for whoever reads a capture. Never log it.
    pub fn keymat(&self) -> &Secret {
        &self.config.keymat
    }

    /// How long packets of the SA get.
    #[inline]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Reserves sequence numbers for `packets` packets of `bytes` bytes together (inner packets
    /// as they are given to [`Train::seal`]).
    ///
    /// Refused beyond the hard limits, and when fewer sequence numbers are left: they never wrap
    /// (RFC 4303 §3.3.3).
    ///
    /// # Errors
    ///
    /// [`Discard::HardLifetime`] or [`Discard::SequenceExhausted`], as said above.
    #[inline]
    pub fn reserve(&self, packets: u32, bytes: u64) -> Result<Train<'_>, Discard> {
        let packets = u64::from(packets);
        self.bytes.add_within(bytes, self.config.hard.bytes).ok_or(Discard::HardLifetime)?;
        let last = self.last_sequence.add_within(packets, self.limit);
        let last = last.ok_or_else(|| self.refusal())?;
        Ok(Train { sa: self, last, end: last + packets })
    }

    fn refusal(&self) -> Discard {
        match self.limit < self.end {
            true => Discard::HardLifetime,
            false => Discard::SequenceExhausted,
        }
    }

    /// Seals one packet: a train of one.
    ///
    /// # Errors
    ///
    /// As [`OutboundSa::reserve`] and [`Train::seal`] have them.
    #[inline]
    pub fn seal(
        &self,
        next_header: u8,
        head: &[u8],
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Discard> {
        self.reserve(1, (head.len() + payload.len()) as u64)?.seal(next_header, head, payload, out)
    }

    /// What has been reserved so far.
    pub fn usage(&self) -> Usage {
        let (bytes, last) = (self.bytes.read(), self.last_sequence.read());
        let packets = last.min(self.exported_at.read());
        Usage {
            bytes,
            packets,
            soft_exceeded: self.config.soft.reached_by(bytes, packets) || self.nearly_out(packets),
            hard_exceeded: self.config.hard.reached_by(bytes, packets) || last >= self.end,
        }
    }

    /// With an eighth of the key's sequence numbers left it is time to rekey, whatever the limits
    /// say.
    fn nearly_out(&self, last: u64) -> bool {
        let highest = self.config.highest_sequence();
        last >= highest - highest / 8
    }

    #[inline]
    fn seal_as(
        &self,
        sequence: u64,
        next_header: u8,
        head: &[u8],
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Discard> {
        let inner_len = head.len() + payload.len();
        let sealed_len = self.layout.sealed_len(inner_len);
        let packet = out.get_mut(..sealed_len).ok_or(Discard::NoBuffer)?;
        let (header, rest) = packet.split_at_mut(ESP_HEADER_LEN);
        let (iv, rest) = rest.split_at_mut(self.layout.iv_len);
        let (body, icv) = rest.split_at_mut(rest.len() - self.layout.icv_len);

        header[..4].copy_from_slice(&self.config.spi.0.to_be_bytes());
        header[4..].copy_from_slice(&(sequence as u32).to_be_bytes());
        body[..head.len()].copy_from_slice(head);
        body[head.len()..inner_len].copy_from_slice(payload);
        write_trailer(&mut body[inner_len..], next_header);

        let associated = AssociatedData::new(&self.config, sequence);
        self.key.seal(sequence, associated.parts(), iv, body, icv);
        Ok(sealed_len)
    }
}

impl Train<'_> {
    /// Seals the inner packet `head ‖ payload` with the train's next sequence number and returns
    /// the length of the ESP packet at the start of `out`.
    ///
    /// `out` needs [`Layout::sealed_len`] of the inner packet's length, else the packet is refused
    /// with [`Discard::NoBuffer`]. One more packet than the train was reserved for is refused
    /// with [`Discard::SequenceExhausted`].
    ///
    /// # Errors
    ///
    /// [`Discard::NoBuffer`] or [`Discard::SequenceExhausted`], as said above.
    #[inline]
    pub fn seal(
        &mut self,
        next_header: u8,
        head: &[u8],
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Discard> {
        if self.last == self.end {
            return Err(Discard::SequenceExhausted);
        }
        self.last += 1;
        self.sa.seal_as(self.last, next_header, head, payload, out)
    }

    /// The numbers that are still to come.
    #[cfg(all(test, feature = "interleavings"))]
    pub(super) fn numbers(&self) -> std::ops::RangeInclusive<u64> {
        self.last + 1..=self.end
    }

    /// Packets that can still be sealed.
    pub fn remaining(&self) -> u64 {
        self.end - self.last
    }
}

/// Padding 1, 2, 3 …, pad length, next header (RFC 4303 §2.4-2.6).
#[inline]
fn write_trailer(trailer: &mut [u8], next_header: u8) {
    let padding = trailer.len() - TRAILER_LEN;
    for (byte, value) in trailer.iter_mut().zip(1..=padding as u8) {
        *byte = value;
    }
    trailer[padding] = padding as u8; // less than a block
    trailer[padding + 1] = next_header;
}

#[cfg(test)]
mod tests;

//! Sealing packets (RFC 4303 §3.3).

use super::layout::{BODY_AT, ESP_HEADER_LEN, ICV_LEN, TRAILER_LEN, sealed_len};
use super::usage::Counter;
use super::{Discard, Limits, SaConfig, Usage};
use crate::crypto::aead::{AeadKey, KeyError};
use crate::net::EspSpi;

/// An outbound SA, shared by reference between workers.
#[derive(Debug)]
pub struct OutboundSa {
    spi: EspSpi,
    key: AeadKey,
    /// The additional authenticated data hold the high half of the sequence number.
    esn: bool,
    hard: Limits,
    soft: Limits,
    /// The last sequence number given out, which is also the number of packets.
    last_sequence: Counter,
    bytes: Counter,
}

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
    /// An SA that has sent nothing yet.
    pub fn new(config: SaConfig) -> Result<OutboundSa, KeyError> {
        let key = AeadKey::new(config.suite.aead, config.keymat.as_bytes())?;
        Ok(OutboundSa {
            spi: config.spi,
            key,
            esn: config.suite.esn,
            hard: config.hard,
            soft: config.soft,
            last_sequence: Counter::default(),
            bytes: Counter::default(),
        })
    }

    /// The SPI that the peer gave the SA.
    pub fn spi(&self) -> EspSpi {
        self.spi
    }

    /// Reserves sequence numbers for `packets` packets of `bytes` bytes together (inner packets
    /// as they are given to [`Train::seal`]).
    ///
    /// Refused beyond the hard limits, and when fewer sequence numbers are left: they never wrap
    /// (RFC 4303 §3.3.3).
    #[inline]
    pub fn reserve(&self, packets: u32, bytes: u64) -> Result<Train<'_>, Discard> {
        let packets = u64::from(packets);
        let limit = self.hard.packets.min(self.highest_sequence());
        let refusal = match self.hard.packets < self.highest_sequence() {
            true => Discard::HardLifetime,
            false => Discard::SequenceExhausted,
        };
        self.bytes.add_within(bytes, self.hard.bytes).ok_or(Discard::HardLifetime)?;
        let last = self.last_sequence.add_within(packets, limit).ok_or(refusal)?;
        Ok(Train { sa: self, last, end: last + packets })
    }

    /// Seals one packet: a train of one.
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
        let (bytes, packets) = (self.bytes.read(), self.last_sequence.read());
        let exhausted = packets >= self.highest_sequence();
        Usage {
            bytes,
            packets,
            soft_exceeded: self.soft.reached_by(bytes, packets) || self.nearly_exhausted(packets),
            hard_exceeded: self.hard.reached_by(bytes, packets) || exhausted,
        }
    }

    fn highest_sequence(&self) -> u64 {
        if self.esn { u64::MAX } else { u64::from(u32::MAX) }
    }

    /// With an eighth of the sequence numbers left it is time to rekey, whatever the limits say.
    fn nearly_exhausted(&self, packets: u64) -> bool {
        packets >= self.highest_sequence() - self.highest_sequence() / 8
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
        let sealed_len = sealed_len(inner_len);
        let packet = out.get_mut(..sealed_len).ok_or(Discard::NoBuffer)?;
        let (header, rest) = packet.split_at_mut(BODY_AT);
        let (body, icv) = rest.split_at_mut(rest.len() - ICV_LEN);

        let (spi, iv) = (self.spi.0.to_be_bytes(), sequence.to_be_bytes());
        header[..4].copy_from_slice(&spi);
        header[4..ESP_HEADER_LEN].copy_from_slice(&iv[4..]);
        header[ESP_HEADER_LEN..].copy_from_slice(&iv);
        body[..head.len()].copy_from_slice(head);
        body[head.len()..inner_len].copy_from_slice(payload);
        write_trailer(&mut body[inner_len..], next_header);

        let (aad, aad_len) = associated_data(self.spi, sequence, self.esn);
        icv.copy_from_slice(&self.key.seal_in_place(iv, &aad[..aad_len], body));
        Ok(sealed_len)
    }
}

impl Train<'_> {
    /// Seals the inner packet `head ‖ payload` with the train's next sequence number and returns
    /// the length of the ESP packet at the start of `out`.
    ///
    /// `out` needs [`sealed_len`]`(head.len() + payload.len())` bytes, else the packet is refused
    /// with [`Discard::NoBuffer`]. One more packet than the train was reserved for is refused
    /// with [`Discard::SequenceExhausted`].
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

    /// Packets that can still be sealed.
    pub fn remaining(&self) -> u64 {
        self.end - self.last
    }
}

/// The additional authenticated data and how many of its bytes count: SPI ‖ sequence number,
/// 32 or 64 bits of it (RFC 4106 §5, RFC 7634 §2.1).
#[inline]
pub(super) fn associated_data(spi: EspSpi, sequence: u64, esn: bool) -> ([u8; 12], usize) {
    let mut aad = [0; 12];
    aad[..4].copy_from_slice(&spi.0.to_be_bytes());
    if esn {
        aad[4..].copy_from_slice(&sequence.to_be_bytes());
        return (aad, 12);
    }
    aad[4..8].copy_from_slice(&(sequence as u32).to_be_bytes());
    (aad, 8)
}

/// Padding 1, 2, 3 …, pad length, next header (RFC 4303 §2.4-2.6).
#[inline]
fn write_trailer(trailer: &mut [u8], next_header: u8) {
    let padding = trailer.len() - TRAILER_LEN;
    for (byte, value) in trailer.iter_mut().zip(1..=padding as u8) {
        *byte = value;
    }
    trailer[padding] = padding as u8; // at most 3
    trailer[padding + 1] = next_header;
}

#[cfg(test)]
mod tests;

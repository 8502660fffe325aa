//! ESP packets from outside: the header (RFC 4303 §2) and what comes in a datagram of the
//! NAT traversal port (RFC 3948 §2).

use super::{DecodeError, Fault};
use crate::net::EspSpi;

/// The part of an ESP packet that is in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EspHeader {
    /// Names the SA.
    pub spi: EspSpi,
    /// Sequence number, or its low half with extended sequence numbers.
    pub sequence: u32,
}

impl EspHeader {
    /// Octets of the header.
    pub const LEN: usize = 8;

    /// The header at the start of `packet`.
    ///
    /// # Errors
    ///
    /// When the packet is shorter than the header.
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<EspHeader, DecodeError> {
        let Some(&[s0, s1, s2, s3, n0, n1, n2, n3]) = packet.first_chunk() else {
            let why = Fault::Truncated { needed: EspHeader::LEN, left: packet.len() };
            return Err(DecodeError { what: "ESP header", why, at: 0 });
        };
        Ok(EspHeader {
            spi: EspSpi(u32::from_be_bytes([s0, s1, s2, s3])),
            sequence: u32::from_be_bytes([n0, n1, n2, n3]),
        })
    }

    /// The header's octets.
    #[inline]
    pub fn encode(&self) -> [u8; EspHeader::LEN] {
        let ([a, b, c, d], [e, f, g, h]) = (self.spi.0.to_be_bytes(), self.sequence.to_be_bytes());
        [a, b, c, d, e, f, g, h]
    }
}

/// Octets in front of an IKE message on the NAT traversal port, where ESP has its SPI, which is
/// never zero (RFC 3948 §2.2).
pub const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// The one octet of a NAT-keepalive (RFC 3948 §2.3).
pub const NAT_KEEPALIVE: [u8; 1] = [0xff];

/// What a datagram on the NAT traversal port holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encapsulated<'a> {
    /// An IKE message, without its marker.
    Ike(&'a [u8]),
    /// A NAT-keepalive, to be ignored (RFC 3948 §4).
    Keepalive,
    /// An ESP packet: the whole datagram.
    Esp(EspHeader),
    /// None of these.
    Malformed,
}

/// Tells IKE, ESP and keepalives apart (RFC 3948 §2).
#[inline]
pub fn classify(datagram: &[u8]) -> Encapsulated<'_> {
    if datagram == NAT_KEEPALIVE {
        return Encapsulated::Keepalive;
    }
    if let Some(message) = datagram.strip_prefix(&NON_ESP_MARKER) {
        return Encapsulated::Ike(message);
    }
    EspHeader::parse(datagram).map_or(Encapsulated::Malformed, Encapsulated::Esp)
}

#[cfg(test)]
mod tests;

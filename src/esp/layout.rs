//! Where things lie in an ESP packet, and how long it gets (RFC 4303 §2).

use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cipher::{Cipher, Geometry};

/// SPI and sequence number.
pub const ESP_HEADER_LEN: usize = 8;
/// Next header of an inner IPv4 packet.
pub const NEXT_HEADER_IPV4: u8 = 4;
/// Next header of an inner IPv6 packet.
pub const NEXT_HEADER_IPV6: u8 = 41;
/// Next header of a dummy packet, which the receiver drops (RFC 4303 §2.6).
pub const NEXT_HEADER_DUMMY: u8 = 59;

/// Pad length and next header.
pub(super) const TRAILER_LEN: usize = 2;
/// Body and trailer together fill whole words (RFC 4303 §2.4), and blocks where a cipher has them.
const WORD: usize = 4;

/// The lengths of a cipher's ESP packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) iv_len: usize,
    pub(super) icv_len: usize,
    block_len: usize,
    /// A power of two.
    alignment: usize,
}

/// That of AEADs.
impl Default for Layout {
    fn default() -> Layout {
        Layout::of(Cipher::Aead(AeadAlgorithm::Aes256Gcm16))
    }
}

impl Layout {
    /// The packets of SAs with this cipher.
    pub const fn of(cipher: Cipher) -> Layout {
        let Geometry { iv_len, block_len, icv_len } = cipher.geometry();
        let alignment = if block_len > WORD { block_len } else { WORD };
        Layout { iv_len, icv_len, block_len, alignment }
    }

    /// Bytes of the ESP packet that carries `inner_len` bytes.
    #[inline]
    pub const fn sealed_len(self, inner_len: usize) -> usize {
        let body = (inner_len + TRAILER_LEN + self.alignment - 1) & !(self.alignment - 1);
        ESP_HEADER_LEN + self.iv_len + body + self.icv_len
    }

    /// The longest inner packet whose ESP packet fits in `room` bytes (what a UDP datagram or IP
    /// packet has left for ESP); zero when there is no room for any.
    pub const fn max_inner(self, room: usize) -> usize {
        let body = room.saturating_sub(ESP_HEADER_LEN + self.iv_len + self.icv_len);
        (body & !(self.alignment - 1)).saturating_sub(TRAILER_LEN)
    }

    /// Whether an ESP packet can have so many bytes: room for the trailer, and whole blocks.
    #[inline]
    pub(super) const fn admits(self, packet_len: usize) -> bool {
        let around = ESP_HEADER_LEN + self.iv_len + self.icv_len;
        packet_len >= around + TRAILER_LEN && (packet_len - around) & (self.block_len - 1) == 0
    }
}

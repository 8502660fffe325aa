//! Where things lie in an ESP packet, and how long it gets (RFC 4303 §2).

use crate::crypto::aead;

/// SPI and sequence number.
pub const ESP_HEADER_LEN: usize = 8;
/// The explicit IV of every suite (RFC 4106 §3.1, RFC 7634 §2).
pub const IV_LEN: usize = aead::IV_LEN;
/// The integrity check value of every suite.
pub const ICV_LEN: usize = aead::TAG_LEN;
/// Next header of an inner IPv4 packet.
pub const NEXT_HEADER_IPV4: u8 = 4;
/// Next header of an inner IPv6 packet.
pub const NEXT_HEADER_IPV6: u8 = 41;
/// Next header of a dummy packet, which the receiver drops (RFC 4303 §2.6).
pub const NEXT_HEADER_DUMMY: u8 = 59;

/// Where the ciphertext begins.
pub(super) const BODY_AT: usize = ESP_HEADER_LEN + IV_LEN;
/// Pad length and next header.
pub(super) const TRAILER_LEN: usize = 2;
/// Body and trailer together fill whole words (RFC 4303 §2.4); AEADs need no more.
const ALIGNMENT: usize = 4;

/// Bytes of the ESP packet that carries `inner_len` bytes.
pub const fn sealed_len(inner_len: usize) -> usize {
    BODY_AT + (inner_len + TRAILER_LEN).next_multiple_of(ALIGNMENT) + ICV_LEN
}

/// The longest inner packet whose ESP packet fits in `room` bytes (what a UDP datagram or IP
/// packet has left for ESP); zero when there is no room for any.
pub const fn max_inner(room: usize) -> usize {
    let body = room.saturating_sub(BODY_AT + ICV_LEN);
    (body - body % ALIGNMENT).saturating_sub(TRAILER_LEN)
}

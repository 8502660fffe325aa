//! What the ICV covers beside IV and body (RFC 4303 §2.8, §3.3.2).
//!
//! ```text
//! 32-bit numbers           SPI ‖ number             IV ‖ body
//! ESN with an AEAD         SPI ‖ high half ‖ low half              (RFC 4106 §5, RFC 7634 §2.1)
//! ESN with CBC and HMAC    SPI ‖ low half           IV ‖ body      ‖ high half
//! ```

use super::SaConfig;
use crate::crypto::cipher::{Associated, Cipher};

/// SPI and sequence number as they are authenticated.
pub(super) struct AssociatedData {
    bytes: [u8; 12],
    /// Bytes that count before the IV.
    before: usize,
    /// Bytes that count, all in all.
    end: usize,
}

impl AssociatedData {
    #[inline]
    pub(super) fn new(config: &SaConfig, sequence: u64) -> AssociatedData {
        let [high, low] = [(sequence >> 32) as u32, sequence as u32].map(u32::to_be_bytes);
        let (second, third, before, end) = match (config.suite.esn, config.suite.cipher) {
            (false, _) => (low, high, 8, 8),
            (true, Cipher::Aead(_)) => (high, low, 12, 12),
            (true, Cipher::CbcHmac(..)) => (low, high, 8, 12),
        };
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&config.spi.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&second);
        bytes[8..].copy_from_slice(&third);
        AssociatedData { bytes, before, end }
    }

    #[inline]
    pub(super) fn parts(&self) -> Associated<'_> {
        let (before, after) = self.bytes[..self.end].split_at(self.before);
        Associated { before, after }
    }
}

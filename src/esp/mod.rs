//! ESP in tunnel mode: Security Associations in use (RFC 4303; AES-GCM by RFC 4106, ChaCha20-
//! Poly1305 by RFC 7634, AES-CBC with HMAC by RFC 3602 and RFC 4868).
//!
//! Negotiation lives in `ike`, routing and selectors in `forward`, UDP framing (RFC 3948) in
//! `wire`. What is here seals and opens packets, guards the sequence numbers, counts usage.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                            SPI                                | │
//! |                      Sequence number                          | │ authenticated, with the
//! +---------------------------------------------------------------+ │ high half of an ESN
//! |             IV (the sequence number; 16 bytes for CBC)        |
//! |                                                               |
//! +---------------------------------------------------------------+ ┐
//! ~                        Inner packet                           ~ │ encrypted
//! |               +-----------------------------------------------+ │
//! |               | Padding 1, 2, 3 … | Pad length  | Next header | │
//! +---------------------------------------------------------------+ ┘
//! ~               ICV (the AEAD tag, or HMAC cut short)           ~
//! +---------------------------------------------------------------+
//! ```
//!
//! An SA may be shared by several workers: it holds atomics only, and nothing is allocated or
//! locked for a packet. Both directions can be handed to another process ([`OutboundSa::export`],
//! [`InboundSa::export`]) without repeating a nonce or accepting a packet twice.

#![warn(clippy::missing_errors_doc)]

pub mod aggfrag;
mod associated;
mod atomic;
mod discard;
pub mod ecn;
mod inbound;
mod layout;
mod outbound;
mod reservation;
mod state;
mod usage;
mod window;

pub use discard::{Discard, DiscardCounters};
pub use inbound::{Content, InboundSa, InboundState, Opened};
pub use layout::{ESP_HEADER_LEN, Layout, NEXT_HEADER_DUMMY, NEXT_HEADER_IPV4, NEXT_HEADER_IPV6};
pub use outbound::{OutboundSa, Train};
pub use reservation::Reservation;
pub use usage::{Limits, Usage};
pub use window::ReplayWindow;

use crate::crypto::secret::Secret;
use crate::crypto::suite::EspSuite;
use crate::net::EspSpi;

/// What an SA is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaConfig {
    /// The SPI in every packet of the SA.
    pub spi: EspSpi,
    /// Its algorithms.
    pub suite: EspSuite,
    /// Encryption key ‖ integrity key, `suite.cipher.keymat_len()` bytes.
    pub keymat: Secret,
    /// Beyond these the SA refuses packets.
    pub hard: Limits,
    /// Beyond these the SA wants to be replaced.
    pub soft: Limits,
    /// Size of the replay window in packets (inbound SAs); see [`ReplayWindow::new`].
    pub replay_window: u32,
}

impl SaConfig {
    /// The last sequence number of the key: they never wrap (RFC 4303 §3.3.3).
    fn highest_sequence(&self) -> u64 {
        if self.suite.esn { u64::MAX } else { u64::from(u32::MAX) }
    }
}

#[cfg(test)]
mod tests;

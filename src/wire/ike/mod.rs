//! IKEv2 messages as values (RFC 7296 §3): header, payload chain, every payload's body.
//!
//! What is not here: which payloads a message must have, what a proposal means, keys. The
//! codec checks what makes a message well-formed and nothing that the engine has to decide.
//!
//! * [`Header::decode`] reads just the header, of any version; [`Message::decode`] reads a
//!   whole version 2 message, up to and including an SK or SKF payload.
//! * [`Protected`] shows the parts of a received message that protection works on, and
//!   [`Draft`] builds a protected message to be sealed in place.
//! * [`decode_chain`] reads the payloads that were inside the SK payload.
//!
//! Unknown numbers and unknown payloads survive a round trip. Reserved bits are ignored on
//! reception and sent as zero; so is the critical bit of payloads that we know (RFC 7296 §2.5).
//! Values larger than their length or count field can say encode to a message that its receiver
//! refuses.

mod bodies;
mod header;
mod identity;
mod message;
mod payload;
mod proposal;
mod protected;
mod registries;
mod selector;

pub use bodies::{
    Authentication, Certificate, Configuration, Delete, EncryptedBody, EncryptedFragment,
    Identification, KeyExchange, Notify, UnknownPayload,
};
pub use header::{Flags, Header, IkeSpi, MessageId, Version};
pub use identity::{Identity, ParseIdentityError};
pub use message::Message;
pub use payload::{Payload, decode_chain, encode_chain};
pub use proposal::{Attribute, AttributeValue, Proposal, SecurityAssociation, Transform};
pub use protected::{
    Draft, Fragment, Parts, Protected, SealedGeometry, covered, covered_in, outer_of_whole,
    strip_padding,
};
pub use registries::*;
pub use selector::{TrafficSelector, TrafficSelectors, UnknownTrafficSelector};

/// What we hold of one message at most; beyond it a message is refused as malformed.
pub mod limits {
    /// Octets of a message: all that a UDP datagram can hold.
    pub const MESSAGE: usize = 65_535;
    /// Payloads in one chain.
    pub const PAYLOADS: usize = 64;
    /// Proposals in one SA payload.
    pub const PROPOSALS: usize = 64;
    /// Transforms in one proposal.
    pub const TRANSFORMS: usize = 128;
    /// Transforms in one SA payload: each is held against ours before anybody has proved anything.
    pub const OFFERED_TRANSFORMS: usize = 512;
    /// Attributes of one transform besides its key length.
    pub const ATTRIBUTES: usize = 8;
    /// Traffic selectors in one payload: all that its count can say (RFC 7296 §3.13).
    pub const SELECTORS: usize = 255;
    /// SPIs in one Delete payload.
    pub const DELETED_SPIS: usize = 256;
    /// Octets of nonce data (RFC 7296 §3.9).
    pub const NONCE: std::ops::RangeInclusive<usize> = 16..=256;
}

#[cfg(test)]
mod tests;

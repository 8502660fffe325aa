//! How two sides prove to each other who they are.

use super::secret::Secret;
use super::sign::{SigningKey, VerifyingKey};

/// What both ends of a tunnel prove their identity by (RFC 7296 §2.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A secret that both know.
    Psk(Secret),
    /// Ed25519 keys without certificates (RFC 7427, RFC 7670, RFC 8420).
    PublicKey {
        /// The key that we sign with.
        own: SigningKey,
        /// The key that the peer's signature must fit.
        peer: VerifyingKey,
    },
}

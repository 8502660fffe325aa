//! How two sides prove to each other who they are.

use super::{KeyIdentifier, OwnCertificate, Trust};
use crate::crypto::secret::Secret;
use crate::crypto::sign::{SigningKey, VerifyingKey};
use std::sync::Arc;

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
    /// X.509 certificates (RFC 4945).
    Certificate {
        /// Ours.
        own: Arc<OwnCertificate>,
        /// Whose certificates the peer may show.
        trust: Arc<Trust>,
    },
}

/// A secret that goes into the keys beside what key exchanges bring, against who may break those
/// later (RFC 8784). Both sides have the same, by the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ppk {
    /// PPK_ID: how both sides call it.
    pub id: String,
    /// The key, of 256 bits of chance at least (RFC 8784 §6).
    pub secret: Secret,
    /// Whether there is no IKE SA without it.
    pub required: bool,
}

impl Credentials {
    /// By what a Certificate Request names the authorities of which the peer may show certificates.
    pub fn authorities(&self) -> Vec<KeyIdentifier> {
        match self {
            Credentials::Psk(_) | Credentials::PublicKey { .. } => Vec::new(),
            Credentials::Certificate { trust, .. } => trust.key_identifiers().collect(),
        }
    }

    /// Whether an IKE SA that was authenticated by `self` may go on under `other`: certificates
    /// and authorities may change while SAs stand, secrets and keys may not.
    pub fn continues_as(&self, other: &Credentials) -> bool {
        match (self, other) {
            (Credentials::Certificate { .. }, Credentials::Certificate { .. }) => true,
            _ => self == other,
        }
    }
}

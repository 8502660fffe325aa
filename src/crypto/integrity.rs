//! Integrity by HMAC with its tag cut short: HMAC-SHA2-256-128, HMAC-SHA2-384-192 and
//! HMAC-SHA2-512-256 (RFC 4868), and for old peers HMAC-SHA1-96 (RFC 2404).

use super::cipher::NotAuthentic;
use super::secret::ct_eq;
use ring::hmac;

/// An integrity algorithm, named by its hash and the bits of its ICV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Integrity {
    /// AUTH_HMAC_SHA1_96. Collisions of SHA-1 do not break it, and nothing new uses it
    /// (RFC 8221 §6, RFC 8247 §2.3: MUST-).
    HmacSha1_96,
    /// AUTH_HMAC_SHA2_256_128.
    HmacSha256_128,
    /// AUTH_HMAC_SHA2_384_192.
    HmacSha384_192,
    /// AUTH_HMAC_SHA2_512_256.
    HmacSha512_256,
}

impl Integrity {
    /// Every integrity algorithm.
    pub const ALL: [Integrity; 4] = [
        Integrity::HmacSha256_128,
        Integrity::HmacSha384_192,
        Integrity::HmacSha512_256,
        Integrity::HmacSha1_96,
    ];

    /// Bytes of the key: as many as the hash has (RFC 4868 §2.1.1, RFC 2404 §3).
    pub const fn key_len(self) -> usize {
        match self {
            Integrity::HmacSha1_96 => 20,
            Integrity::HmacSha256_128 => 32,
            Integrity::HmacSha384_192 => 48,
            Integrity::HmacSha512_256 => 64,
        }
    }

    /// Bytes of the ICV: half of the hash, and 12 for SHA-1.
    pub const fn icv_len(self) -> usize {
        match self {
            Integrity::HmacSha1_96 => 12,
            Integrity::HmacSha256_128 => 16,
            Integrity::HmacSha384_192 => 24,
            Integrity::HmacSha512_256 => 32,
        }
    }

    fn ring(self) -> hmac::Algorithm {
        match self {
            Integrity::HmacSha1_96 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Integrity::HmacSha256_128 => hmac::HMAC_SHA256,
            Integrity::HmacSha384_192 => hmac::HMAC_SHA384,
            Integrity::HmacSha512_256 => hmac::HMAC_SHA512,
        }
    }
}

/// A key that makes and checks ICVs. `ring` does not wipe its HMAC states on drop.
#[cfg_attr(test, derive(Clone))]
pub(super) struct MacKey {
    key: hmac::Key,
    icv_len: usize,
}

impl MacKey {
    /// A key of [`Integrity::key_len`] bytes.
    pub(super) fn new(integrity: Integrity, key: &[u8]) -> MacKey {
        MacKey { key: hmac::Key::new(integrity.ring(), key), icv_len: integrity.icv_len() }
    }

    /// Writes the ICV over `parts`, one after the other, into `icv`, which has its length.
    pub(super) fn sign(&self, parts: [&[u8]; 4], icv: &mut [u8]) {
        icv.copy_from_slice(&self.tag(parts).as_ref()[..self.icv_len]);
    }

    /// Whether `icv` is the ICV over `parts`, in a time that does not depend on where it differs.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] when it is not.
    pub(super) fn verify(&self, parts: [&[u8]; 4], icv: &[u8]) -> Result<(), NotAuthentic> {
        let right = ct_eq(&self.tag(parts).as_ref()[..self.icv_len], icv);
        if right { Ok(()) } else { Err(NotAuthentic) }
    }

    fn tag(&self, parts: [&[u8]; 4]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(part);
        }
        context.sign()
    }

    pub(super) fn icv_len(&self) -> usize {
        self.icv_len
    }
}

#[cfg(test)]
mod tests;

//! What protects messages and packets: encryption with integrity, by an AEAD or by AES-CBC and
//! a MAC over the ciphertext (RFC 7296 §3.14, RFC 4303 §3.3.2: encrypt, then authenticate).
//!
//! Both kinds have one outline, whose lengths are the [`Geometry`] of the cipher:
//!
//! ```text
//! | associated data | IV | body, encrypted in place | ICV |   ( associated data that is not sent )
//! ```
//!
//! The IV is made here, of a number that the caller never gives twice with one key: the number
//! itself for AEADs (RFC 5282 §3.1), its encryption under a key of its own for AES-CBC, whose IV
//! nobody may foresee (RFC 3602 §3). So whatever keeps numbers apart keeps both kinds safe.

use super::aead::{self, AeadAlgorithm, AeadKey, ChaChaKey};
use super::cbc::{self, CbcAlgorithm, CbcOpeningKey, CbcSealingKey};
use super::integrity::Integrity;
use std::fmt;

/// Encryption with integrity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cipher {
    /// Both in one algorithm.
    Aead(AeadAlgorithm),
    /// AES-CBC, and a MAC over what came out of it.
    CbcHmac(CbcAlgorithm, Integrity),
}

/// The lengths of what a cipher adds and needs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The IV in front of the body.
    pub iv_len: usize,
    /// The body is a multiple of this; a power of two.
    pub block_len: usize,
    /// The integrity check value behind the body.
    pub icv_len: usize,
}

impl Cipher {
    /// Every cipher.
    pub fn all() -> impl Iterator<Item = Cipher> {
        let separate = CbcAlgorithm::ALL.into_iter().flat_map(|cbc| {
            Integrity::ALL.into_iter().map(move |integrity| Cipher::CbcHmac(cbc, integrity))
        });
        AeadAlgorithm::ALL.into_iter().map(Cipher::Aead).chain(separate)
    }

    /// The lengths of IV, block and ICV.
    pub const fn geometry(self) -> Geometry {
        match self {
            Cipher::Aead(_) => {
                Geometry { iv_len: aead::IV_LEN, block_len: 1, icv_len: aead::TAG_LEN }
            }
            Cipher::CbcHmac(_, integrity) => Geometry {
                iv_len: cbc::BLOCK_LEN,
                block_len: cbc::BLOCK_LEN,
                icv_len: integrity.icv_len(),
            },
        }
    }

    /// Bytes of the encryption key, with the salt of an AEAD (SK_ei and SK_er of IKE).
    pub const fn encryption_key_len(self) -> usize {
        match self {
            Cipher::Aead(algorithm) => algorithm.keymat_len(),
            Cipher::CbcHmac(cbc, _) => cbc.key_len(),
        }
    }

    /// Bytes of the integrity key (SK_ai and SK_ar of IKE); none for AEADs (RFC 5282 §7).
    pub const fn integrity_key_len(self) -> usize {
        match self {
            Cipher::Aead(_) => 0,
            Cipher::CbcHmac(_, integrity) => integrity.key_len(),
        }
    }

    /// Bytes of key material: encryption key ‖ integrity key (RFC 7296 §2.17).
    pub const fn keymat_len(self) -> usize {
        self.encryption_key_len() + self.integrity_key_len()
    }

    /// The integrity algorithm, when it is one of its own.
    pub const fn integrity(self) -> Option<Integrity> {
        match self {
            Cipher::Aead(_) => None,
            Cipher::CbcHmac(_, integrity) => Some(integrity),
        }
    }

    pub(super) fn check_keymat(self, keymat: &[u8]) -> Result<(), KeyError> {
        let fits = keymat.len() == self.keymat_len();
        if fits { Ok(()) } else { Err(KeyError { cipher: self, given: keymat.len() }) }
    }
}

impl From<AeadAlgorithm> for Cipher {
    fn from(algorithm: AeadAlgorithm) -> Cipher {
        Cipher::Aead(algorithm)
    }
}

/// Key material of a length that the cipher does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cipher} takes {} bytes of key material, not {given}", cipher.keymat_len())]
pub struct KeyError {
    pub(super) cipher: Cipher,
    pub(super) given: usize,
}

/// The ICV does not fit the bytes: forged, damaged, or sealed with another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not authentic")]
pub struct NotAuthentic;

/// What is authenticated beside IV and body.
#[derive(Clone, Copy, Debug)]
pub struct Associated<'a> {
    /// Counted before the IV.
    pub before: &'a [u8],
    /// Counted after the body, and not sent; empty for AEADs, which know no such place.
    pub after: &'a [u8],
}

/// A key that seals.
///
/// `ring` keeps expanded AES keys and HMAC states inside and does not wipe them on drop.
#[cfg_attr(test, derive(Clone))]
pub struct SealingKey {
    cipher: Cipher,
    kind: Sealing,
}

#[cfg_attr(test, derive(Clone))]
#[expect(clippy::large_enum_variant, reason = "the key that is used for every packet lies inline")]
enum Sealing {
    Ring(AeadKey),
    RustCrypto(Box<ChaChaKey>),
    Cbc(Box<CbcSealingKey>),
}

impl SealingKey {
    /// A key of the data plane, from [`Cipher::keymat_len`] bytes: AEADs by `ring`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when `keymat` does not have the cipher's length.
    pub fn new(cipher: Cipher, keymat: &[u8]) -> Result<SealingKey, KeyError> {
        let kind = match cipher {
            Cipher::Aead(algorithm) => Sealing::Ring(AeadKey::new(algorithm, keymat)?),
            Cipher::CbcHmac(..) => Sealing::Cbc(Box::new(CbcSealingKey::new(cipher, keymat)?)),
        };
        Ok(SealingKey { cipher, kind })
    }

    /// A key of the control plane: as [`new`](SealingKey::new), but ChaCha20-Poly1305 by the
    /// `chacha20poly1305` crate, which wipes its key on drop.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when `keymat` does not have the cipher's length.
    pub fn for_control(cipher: Cipher, keymat: &[u8]) -> Result<SealingKey, KeyError> {
        match cipher {
            Cipher::Aead(AeadAlgorithm::ChaCha20Poly1305) => {
                let kind = Sealing::RustCrypto(Box::new(ChaChaKey::new(keymat)?));
                Ok(SealingKey { cipher, kind })
            }
            Cipher::Aead(_) | Cipher::CbcHmac(..) => SealingKey::new(cipher, keymat),
        }
    }

    /// The cipher that the key is for.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Encrypts `body` where it lies, with an IV made of `number`, and writes IV and ICV.
    ///
    /// The caller never gives the same `number` twice: with GCM that would give the key away.
    ///
    /// # Panics
    ///
    /// When IV, body or ICV have other lengths than the [`Geometry`] says, which is the caller's
    /// to lay out.
    #[inline]
    pub fn seal(
        &self,
        number: u64,
        associated: Associated<'_>,
        iv: &mut [u8],
        body: &mut [u8],
        icv: &mut [u8],
    ) {
        let nonce = number.to_be_bytes();
        match &self.kind {
            Sealing::Ring(key) => {
                iv.copy_from_slice(&nonce);
                icv.copy_from_slice(&key.seal_in_place(nonce, associated.before, body));
            }
            Sealing::RustCrypto(key) => {
                iv.copy_from_slice(&nonce);
                icv.copy_from_slice(&key.seal_in_place(nonce, associated.before, body));
            }
            Sealing::Cbc(key) => key.seal(number, associated, iv, body, icv),
        }
    }
}

/// A key that opens.
///
/// `ring` keeps expanded AES keys and HMAC states inside and does not wipe them on drop.
#[cfg_attr(test, derive(Clone))]
pub struct OpeningKey {
    cipher: Cipher,
    kind: Opening,
}

#[cfg_attr(test, derive(Clone))]
#[expect(clippy::large_enum_variant, reason = "the key that is used for every packet lies inline")]
enum Opening {
    Ring(AeadKey),
    RustCrypto(Box<ChaChaKey>),
    Cbc(Box<CbcOpeningKey>),
}

impl OpeningKey {
    /// A key of the data plane, from [`Cipher::keymat_len`] bytes: AEADs by `ring`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when `keymat` does not have the cipher's length.
    pub fn new(cipher: Cipher, keymat: &[u8]) -> Result<OpeningKey, KeyError> {
        let kind = match cipher {
            Cipher::Aead(algorithm) => Opening::Ring(AeadKey::new(algorithm, keymat)?),
            Cipher::CbcHmac(..) => Opening::Cbc(Box::new(CbcOpeningKey::new(cipher, keymat)?)),
        };
        Ok(OpeningKey { cipher, kind })
    }

    /// A key of the control plane: as [`new`](OpeningKey::new), but ChaCha20-Poly1305 by the
    /// `chacha20poly1305` crate, which wipes its key on drop.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when `keymat` does not have the cipher's length.
    pub fn for_control(cipher: Cipher, keymat: &[u8]) -> Result<OpeningKey, KeyError> {
        match cipher {
            Cipher::Aead(AeadAlgorithm::ChaCha20Poly1305) => {
                let kind = Opening::RustCrypto(Box::new(ChaChaKey::new(keymat)?));
                Ok(OpeningKey { cipher, kind })
            }
            Cipher::Aead(_) | Cipher::CbcHmac(..) => OpeningKey::new(cipher, keymat),
        }
    }

    /// The cipher that the key is for.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Checks the ICV, decrypts `body ‖ ICV` where it lies and returns the body. After a failure
    /// the content of the buffer is unspecified; what is returned nobody but the owner of the key
    /// can have sealed, and no padding in it has been looked at before.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] when the ICV does not fit.
    #[inline]
    pub fn open<'a>(
        &self,
        associated: Associated<'_>,
        iv: &[u8],
        body_and_icv: &'a mut [u8],
    ) -> Result<&'a mut [u8], NotAuthentic> {
        match &self.kind {
            Opening::Ring(key) => {
                let iv = iv.try_into().map_err(|_| NotAuthentic)?;
                key.open_in_place(iv, associated.before, body_and_icv)
            }
            Opening::RustCrypto(key) => {
                let iv = iv.try_into().map_err(|_| NotAuthentic)?;
                key.open_in_place(iv, associated.before, body_and_icv)
            }
            Opening::Cbc(key) => key.open(associated, iv, body_and_icv),
        }
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({}, «redacted»)", self.cipher)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({}, «redacted»)", self.cipher)
    }
}

#[cfg(test)]
mod tests;

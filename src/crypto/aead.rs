//! Authenticated encryption as IKEv2 and ESP use it: a 4-byte salt from the key material and an
//! 8-byte explicit IV make the nonce (RFC 4106 §4, RFC 5282 §4, RFC 7634 §2).

use super::cipher::{Cipher, KeyError, NotAuthentic};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Tag};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use zeroize::Zeroize;

/// Bytes of salt at the end of the key material.
pub const SALT_LEN: usize = 4;
/// Bytes of the explicit IV in front of the ciphertext.
pub const IV_LEN: usize = 8;
/// Bytes of the tag (ESP: ICV) behind the ciphertext.
pub const TAG_LEN: usize = 16;

/// An AEAD algorithm with a 16-byte tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AeadAlgorithm {
    /// AES-GCM with a 128-bit key (RFC 4106, RFC 5282).
    Aes128Gcm16,
    /// AES-GCM with a 256-bit key (RFC 4106, RFC 5282).
    Aes256Gcm16,
    /// ChaCha20-Poly1305 (RFC 7634).
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    /// Every algorithm.
    pub const ALL: [AeadAlgorithm; 3] =
        [AeadAlgorithm::Aes128Gcm16, AeadAlgorithm::Aes256Gcm16, AeadAlgorithm::ChaCha20Poly1305];

    /// Bytes of the key without the salt.
    pub const fn key_len(self) -> usize {
        match self {
            AeadAlgorithm::Aes128Gcm16 => 16,
            AeadAlgorithm::Aes256Gcm16 | AeadAlgorithm::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes to take from the key schedule: key ‖ salt (RFC 4106 §8.1, RFC 7634 §2).
    pub const fn keymat_len(self) -> usize {
        self.key_len() + SALT_LEN
    }

    fn ring(self) -> &'static ring::aead::Algorithm {
        match self {
            AeadAlgorithm::Aes128Gcm16 => &AES_128_GCM,
            AeadAlgorithm::Aes256Gcm16 => &AES_256_GCM,
            AeadAlgorithm::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }
}

/// A key of the data plane: `ring` for every algorithm.
///
/// `ring` keeps the expanded key inside and does not wipe it on drop.
#[cfg_attr(test, derive(Clone))]
pub(super) struct AeadKey {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

impl AeadKey {
    /// A key from `key ‖ salt`, [`AeadAlgorithm::keymat_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when `keymat` does not have the algorithm's length.
    pub(super) fn new(algorithm: AeadAlgorithm, keymat: &[u8]) -> Result<AeadKey, KeyError> {
        let (key, salt) = split_keymat(algorithm, keymat)?;
        let refused = |_| KeyError { cipher: Cipher::Aead(algorithm), given: keymat.len() };
        let unbound = UnboundKey::new(algorithm.ring(), key).map_err(refused)?;
        Ok(AeadKey { key: LessSafeKey::new(unbound), salt })
    }

    /// Encrypts `body` where it lies and returns the tag over it and `aad`.
    ///
    /// The caller never gives the same `iv` twice: with GCM that would give the key away.
    #[inline]
    pub(super) fn seal_in_place(
        &self,
        iv: [u8; IV_LEN],
        aad: &[u8],
        body: &mut [u8],
    ) -> [u8; TAG_LEN] {
        let nonce = ring::aead::Nonce::assume_unique_for_key(self.nonce(iv));
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), body)
            .expect("no packet or message is near the 64 GiB at which GCM ends");
        let mut bytes = [0; TAG_LEN];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// Decrypts `ciphertext ‖ tag` where it lies and returns the plaintext. After a failure the
    /// content of the buffer is unspecified.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] when the tag does not fit.
    #[inline]
    pub(super) fn open_in_place<'a>(
        &self,
        iv: [u8; IV_LEN],
        aad: &[u8],
        body_and_tag: &'a mut [u8],
    ) -> Result<&'a mut [u8], NotAuthentic> {
        let nonce = ring::aead::Nonce::assume_unique_for_key(self.nonce(iv));
        self.key.open_in_place(nonce, Aad::from(aad), body_and_tag).map_err(|_| NotAuthentic)
    }

    fn nonce(&self, iv: [u8; IV_LEN]) -> [u8; 12] {
        join_nonce(self.salt, iv)
    }
}

impl Drop for AeadKey {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

/// A ChaCha20-Poly1305 key of the control plane, by the `chacha20poly1305` crate, which wipes it
/// on drop.
#[cfg_attr(test, derive(Clone))]
pub(super) struct ChaChaKey {
    cipher: ChaCha20Poly1305,
    salt: [u8; SALT_LEN],
}

impl ChaChaKey {
    /// A key from `key ‖ salt`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when `keymat` does not have the algorithm's length.
    pub(super) fn new(keymat: &[u8]) -> Result<ChaChaKey, KeyError> {
        let algorithm = AeadAlgorithm::ChaCha20Poly1305;
        let (key, salt) = split_keymat(algorithm, keymat)?;
        let refused = |_| KeyError { cipher: Cipher::Aead(algorithm), given: keymat.len() };
        let key = <&Key>::try_from(key).map_err(refused)?;
        Ok(ChaChaKey { cipher: ChaCha20Poly1305::new(key), salt })
    }

    /// As [`AeadKey::seal_in_place`].
    pub(super) fn seal_in_place(
        &self,
        iv: [u8; IV_LEN],
        aad: &[u8],
        body: &mut [u8],
    ) -> [u8; TAG_LEN] {
        self.cipher
            .encrypt_inout_detached(&join_nonce(self.salt, iv).into(), aad, body.into())
            .expect("no message is near the 256 GiB at which ChaCha20 ends")
            .into()
    }

    /// As [`AeadKey::open_in_place`].
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] when the tag does not fit.
    pub(super) fn open_in_place<'a>(
        &self,
        iv: [u8; IV_LEN],
        aad: &[u8],
        body_and_tag: &'a mut [u8],
    ) -> Result<&'a mut [u8], NotAuthentic> {
        let (body, tag) = body_and_tag.split_last_chunk_mut::<TAG_LEN>().ok_or(NotAuthentic)?;
        let (nonce, tag) = (join_nonce(self.salt, iv).into(), Tag::from(*tag));
        self.cipher
            .decrypt_inout_detached(&nonce, aad, (&mut *body).into(), &tag)
            .map_err(|_| NotAuthentic)?;
        Ok(body)
    }
}

impl Drop for ChaChaKey {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

fn split_keymat(
    algorithm: AeadAlgorithm,
    keymat: &[u8],
) -> Result<(&[u8], [u8; SALT_LEN]), KeyError> {
    match keymat.split_last_chunk::<SALT_LEN>() {
        Some((key, salt)) if key.len() == algorithm.key_len() => Ok((key, *salt)),
        Some(_) | None => Err(KeyError { cipher: Cipher::Aead(algorithm), given: keymat.len() }),
    }
}

fn join_nonce(salt: [u8; SALT_LEN], iv: [u8; IV_LEN]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..SALT_LEN].copy_from_slice(&salt);
    nonce[SALT_LEN..].copy_from_slice(&iv);
    nonce
}

#[cfg(test)]
mod tests;

//! AES-CBC with a MAC over the ciphertext (RFC 3602, RFC 7296 §3.14, RFC 4303 §3.3.2).
//!
//! The MAC is checked, in constant time, before anything is decrypted, and covers the IV: what
//! comes out was sealed by the owner of the key, so that no padding tells an attacker anything.
//!
//! IVs must be unpredictable and come one with every packet. They are the encryption of the
//! packet's number under a key that only makes IVs (NIST SP 800-38A, appendix C): no two are
//! equal, nobody can tell them from chance, and no randomness is fetched for a packet. The key is
//! made of the key material, so that who goes on with the SA elsewhere makes the IVs that the
//! first would have made.

use super::cipher::{Associated, Cipher, KeyError, NotAuthentic};
use super::integrity::{Integrity, MacKey};
use super::prf::Prf;
use aes::cipher::{
    Array, Block, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit,
};
use aes::{Aes128Dec, Aes128Enc, Aes256Dec, Aes256Enc};

/// Bytes of a block, and of an IV (RFC 3602 §2.4, §3).
pub const BLOCK_LEN: usize = 16;

/// AES in CBC mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CbcAlgorithm {
    /// With a 128-bit key.
    Aes128Cbc,
    /// With a 256-bit key.
    Aes256Cbc,
}

impl CbcAlgorithm {
    /// Every algorithm.
    pub const ALL: [CbcAlgorithm; 2] = [CbcAlgorithm::Aes128Cbc, CbcAlgorithm::Aes256Cbc];

    /// Bytes of the key.
    pub const fn key_len(self) -> usize {
        match self {
            CbcAlgorithm::Aes128Cbc => 16,
            CbcAlgorithm::Aes256Cbc => 32,
        }
    }
}

type AesBlock = Block<Aes128Enc>;

/// A key of AES that encrypts; wiped on drop.
#[cfg_attr(test, derive(Clone))]
#[allow(clippy::large_enum_variant, reason = "a key lies in its SA, without a pointer to follow")]
enum Encrypt {
    Aes128(Aes128Enc),
    Aes256(Aes256Enc),
}

/// A key of AES that decrypts; wiped on drop.
#[cfg_attr(test, derive(Clone))]
#[allow(clippy::large_enum_variant, reason = "a key lies in its SA, without a pointer to follow")]
enum Decrypt {
    Aes128(Aes128Dec),
    Aes256(Aes256Dec),
}

/// Seals: encrypts, then authenticates.
#[cfg_attr(test, derive(Clone))]
pub(super) struct CbcSealingKey {
    encrypt: Encrypt,
    iv: Encrypt,
    mac: MacKey,
}

/// Opens: authenticates, then decrypts.
#[cfg_attr(test, derive(Clone))]
pub(super) struct CbcOpeningKey {
    decrypt: Decrypt,
    mac: MacKey,
}

const IV_KEY_LABEL: &[u8] = b"key of the IVs of AES-CBC";

impl CbcSealingKey {
    /// A key from `encryption key ‖ integrity key`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when `keymat` does not have the cipher's length, or the cipher is another.
    pub(super) fn new(cipher: Cipher, keymat: &[u8]) -> Result<CbcSealingKey, KeyError> {
        let (algorithm, integrity, key, mac) = split(cipher, keymat)?;
        let iv_key = Prf::HmacSha512.compute(keymat, &[IV_KEY_LABEL]);
        let refused = || KeyError { cipher, given: keymat.len() };
        Ok(CbcSealingKey {
            encrypt: Encrypt::new(algorithm, key).ok_or_else(refused)?,
            iv: Encrypt::new(algorithm, &iv_key.as_bytes()[..key.len()]).ok_or_else(refused)?,
            mac: MacKey::new(integrity, mac),
        })
    }

    pub(super) fn seal(
        &self,
        number: u64,
        associated: Associated<'_>,
        iv: &mut [u8],
        body: &mut [u8],
        icv: &mut [u8],
    ) {
        let first = self.iv.block(number);
        iv.copy_from_slice(&first);
        self.encrypt.cbc(&first, body);
        self.mac.sign([associated.before, iv, body, associated.after], icv);
    }
}

impl CbcOpeningKey {
    /// A key from `encryption key ‖ integrity key`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when `keymat` does not have the cipher's length, or the cipher is another.
    pub(super) fn new(cipher: Cipher, keymat: &[u8]) -> Result<CbcOpeningKey, KeyError> {
        let (algorithm, integrity, key, mac) = split(cipher, keymat)?;
        let decrypt = Decrypt::new(algorithm, key);
        let decrypt = decrypt.ok_or(KeyError { cipher, given: keymat.len() })?;
        Ok(CbcOpeningKey { decrypt, mac: MacKey::new(integrity, mac) })
    }

    /// Checks the ICV, decrypts `body ‖ ICV` where it lies and returns the body.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] when the ICV does not fit.
    pub(super) fn open<'a>(
        &self,
        associated: Associated<'_>,
        iv: &[u8],
        body_and_icv: &'a mut [u8],
    ) -> Result<&'a mut [u8], NotAuthentic> {
        let first = AesBlock::try_from(iv).map_err(|_| NotAuthentic)?;
        let body_len = body_and_icv.len().checked_sub(self.mac.icv_len()).ok_or(NotAuthentic)?;
        let (body, icv) = body_and_icv.split_at_mut(body_len);
        self.mac.verify([associated.before, iv, body, associated.after], icv)?;
        let whole = body.len().is_multiple_of(BLOCK_LEN);
        if !whole {
            return Err(NotAuthentic);
        }
        self.decrypt.cbc(&first, body);
        Ok(body)
    }
}

type Parts<'k> = (CbcAlgorithm, Integrity, &'k [u8], &'k [u8]);

fn split(cipher: Cipher, keymat: &[u8]) -> Result<Parts<'_>, KeyError> {
    cipher.check_keymat(keymat)?;
    match cipher {
        Cipher::CbcHmac(algorithm, integrity) => {
            let (key, mac) = keymat.split_at(algorithm.key_len());
            Ok((algorithm, integrity, key, mac))
        }
        Cipher::Aead(_) => Err(KeyError { cipher, given: keymat.len() }),
    }
}

impl Encrypt {
    fn new(algorithm: CbcAlgorithm, key: &[u8]) -> Option<Encrypt> {
        match algorithm {
            CbcAlgorithm::Aes128Cbc => Aes128Enc::new_from_slice(key).ok().map(Encrypt::Aes128),
            CbcAlgorithm::Aes256Cbc => Aes256Enc::new_from_slice(key).ok().map(Encrypt::Aes256),
        }
    }

    /// The encryption of a number as one block.
    fn block(&self, number: u64) -> AesBlock {
        let mut block = AesBlock::from(u128::from(number).to_be_bytes());
        match self {
            Encrypt::Aes128(key) => key.encrypt_block(&mut block),
            Encrypt::Aes256(key) => key.encrypt_block(&mut block),
        }
        block
    }

    /// Encrypts whole blocks where they lie.
    fn cbc(&self, iv: &AesBlock, body: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(body);
        match self {
            Encrypt::Aes128(key) => cbc::Encryptor::inner_iv_init(key, iv).encrypt_blocks(blocks),
            Encrypt::Aes256(key) => cbc::Encryptor::inner_iv_init(key, iv).encrypt_blocks(blocks),
        }
    }
}

impl Decrypt {
    fn new(algorithm: CbcAlgorithm, key: &[u8]) -> Option<Decrypt> {
        match algorithm {
            CbcAlgorithm::Aes128Cbc => Aes128Dec::new_from_slice(key).ok().map(Decrypt::Aes128),
            CbcAlgorithm::Aes256Cbc => Aes256Dec::new_from_slice(key).ok().map(Decrypt::Aes256),
        }
    }

    /// Decrypts whole blocks where they lie.
    fn cbc(&self, iv: &AesBlock, body: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(body);
        match self {
            Decrypt::Aes128(key) => cbc::Decryptor::inner_iv_init(key, iv).decrypt_blocks(blocks),
            Decrypt::Aes256(key) => cbc::Decryptor::inner_iv_init(key, iv).decrypt_blocks(blocks),
        }
    }
}

#[cfg(test)]
mod tests;

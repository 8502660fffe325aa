//! Pseudo-random functions and PRF+ (RFC 7296 §2.13, RFC 4868).

use super::secret::Secret;
use ring::hmac;
use zeroize::Zeroizing;

/// A pseudo-random function: HMAC with a hash of the SHA-2 family (RFC 4868), or with SHA-1 for
/// old peers (RFC 2104).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prf {
    /// PRF_HMAC_SHA1 (RFC 8247 §2.2: MUST-).
    HmacSha1,
    /// PRF_HMAC_SHA2_256.
    HmacSha256,
    /// PRF_HMAC_SHA2_384.
    HmacSha384,
    /// PRF_HMAC_SHA2_512.
    HmacSha512,
}

/// PRF+ counts its blocks in one octet (RFC 7296 §2.13).
const MAX_BLOCKS: usize = 255;

impl Prf {
    /// Every PRF.
    pub const ALL: [Prf; 4] = [Prf::HmacSha256, Prf::HmacSha384, Prf::HmacSha512, Prf::HmacSha1];

    /// The preferred key length in bytes, which is also the output length (RFC 4868 §2.1.2).
    pub const fn key_len(self) -> usize {
        match self {
            Prf::HmacSha1 => 20,
            Prf::HmacSha256 => 32,
            Prf::HmacSha384 => 48,
            Prf::HmacSha512 => 64,
        }
    }

    /// `prf(key, parts₁ | parts₂ | …)`, with a key of any length.
    ///
    /// `ring` keeps the padded key and the result on the stack and does not wipe them.
    pub fn compute(self, key: &[u8], parts: &[&[u8]]) -> Secret {
        Secret::copy_of(sign(&hmac::Key::new(self.algorithm(), key), parts).as_ref())
    }

    /// The first `len` bytes of `prf+(key, seed₁ | seed₂ | …)`.
    ///
    /// ```text
    /// prf+ (K,S) = T1 | T2 | T3 | …      T1 = prf (K, S | 0x01)
    ///                                    Tn = prf (K, Tn-1 | S | n)
    /// ```
    ///
    /// # Panics
    /// When `len` is beyond the 255 blocks for which PRF+ is defined: lengths come from our own
    /// algorithm tables, which need less than 10.
    pub fn prf_plus(self, key: &[u8], seed: &[&[u8]], len: usize) -> Secret {
        assert!(len <= MAX_BLOCKS * self.key_len(), "PRF+ is not defined beyond 255 blocks");
        let key = hmac::Key::new(self.algorithm(), key);
        // The capacity is exact, so no reallocation leaves an unwiped copy behind.
        let mut stream = Zeroizing::new(Vec::with_capacity(len));
        let mut block: Option<hmac::Tag> = None;
        for number in 1..=u8::MAX {
            if stream.len() == len {
                break;
            }
            let tag = prf_plus_block(&key, block.as_ref(), seed, number);
            let wanted = (len - stream.len()).min(tag.as_ref().len());
            stream.extend(tag.as_ref().iter().take(wanted));
            block = Some(tag);
        }
        Secret::from(std::mem::take(&mut *stream))
    }

    fn algorithm(self) -> hmac::Algorithm {
        match self {
            Prf::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Prf::HmacSha256 => hmac::HMAC_SHA256,
            Prf::HmacSha384 => hmac::HMAC_SHA384,
            Prf::HmacSha512 => hmac::HMAC_SHA512,
        }
    }
}

fn sign(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

fn prf_plus_block(
    key: &hmac::Key,
    previous: Option<&hmac::Tag>,
    seed: &[&[u8]],
    number: u8,
) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    if let Some(previous) = previous {
        context.update(previous.as_ref());
    }
    for part in seed {
        context.update(part);
    }
    context.update(&[number]);
    context.sign()
}

#[cfg(test)]
mod tests;

//! Ed25519 signatures (RFC 8032) with keys as operators and peers exchange them.
//!
//! A private key is a PKCS#8 PEM file (RFC 8410), as `openssl genpkey -algorithm ed25519` and
//! strongSwan's `pki --gen --type ed25519` write it. A public key is one line of base64 in
//! configurations, and a SubjectPublicKeyInfo in PEM files and in IKE's raw public key CERT
//! payload (RFC 7670). How IKE signs with it (RFC 7427, RFC 8420) is the matter of `ike`.

mod encoding;

use super::pem::{self, PemError};
use super::secret::Secret;
use crate::random::Random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of a public key, and of the seed that is the private key.
pub const KEY_LEN: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// Why a text or some bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFormatError {
    /// There is no PEM block with the expected label.
    #[error("no \"-----BEGIN {0}-----\" block found")]
    NoPem(&'static str),
    /// An elliptic-curve key in the form of RFC 5915, without PKCS#8 around it.
    #[error(
        "the key is in the old form \"EC PRIVATE KEY\"; convert it with \
         `openssl pkcs8 -topk8 -nodes -in FILE`"
    )]
    Sec1,
    /// A key of an algorithm that is not among those that we sign with.
    #[error(
        "the key is not one of those that are supported: Ed25519, ECDSA with P-256 or P-384, RSA \
         of 2048 to 4096 bits"
    )]
    Unsupported,
    /// The private key is encrypted with a passphrase.
    #[error("the private key is encrypted; decrypt it with `openssl pkey`")]
    Encrypted,
    /// The text is not base64.
    #[error("not base64")]
    Base64,
    /// The key has the wrong number of bytes.
    #[error("an Ed25519 key has 32 bytes, this one has {0}")]
    Length(usize),
    /// The bytes are not the DER structure of a key.
    #[error("not the DER encoding of a key")]
    Der,
    /// A key of another algorithm.
    #[error("the key is not an Ed25519 key (OID 1.3.101.112)")]
    Algorithm,
    /// The file holds a public key that does not belong to its private key.
    #[error("the public key in the file does not belong to the private key")]
    Mismatch,
    /// A public key of small order: anyone could sign for it (the all-zero key is one).
    #[error("this public key is a point of small order, for which anyone can forge signatures")]
    SmallOrder,
}

/// The signature does not fit the message and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// An Ed25519 private key.
///
/// The seed is wiped on drop; `ring`'s expanded copy of it is not.
#[derive(Clone)]
pub struct SigningKey {
    seed: Secret,
    pair: Arc<Ed25519KeyPair>,
}

impl SigningKey {
    /// A fresh private key.
    pub fn generate(random: &mut dyn Random) -> SigningKey {
        let mut seed = Zeroizing::new([0; KEY_LEN]);
        random.fill(&mut *seed);
        SigningKey::from_seed(&seed)
    }

    /// The private key that is `seed` (RFC 8032 §5.1.5).
    pub fn from_seed(seed: &[u8; KEY_LEN]) -> SigningKey {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).expect("every 32 bytes are an Ed25519 seed");
        SigningKey { seed: Secret::copy_of(seed), pair: Arc::new(pair) }
    }

    /// The private key in base64: 32 bytes, one line.
    ///
    /// # Errors
    ///
    /// When the text is not base64 of 32 bytes.
    pub fn from_base64(text: &str) -> Result<SigningKey, KeyFormatError> {
        let bytes =
            Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| KeyFormatError::Base64)?);
        Ok(SigningKey::from_seed(&Zeroizing::new(exactly_32(&bytes)?)))
    }

    /// The private key in a PKCS#8 PEM text; text around the block is ignored.
    ///
    /// # Errors
    ///
    /// When the block is missing or damaged, or holds no Ed25519 key.
    pub fn from_pkcs8_pem(text: &str) -> Result<SigningKey, KeyFormatError> {
        if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            return Err(KeyFormatError::Encrypted);
        }
        let der = Zeroizing::new(pem::decode(text, encoding::PRIVATE_KEY)?);
        SigningKey::from_pkcs8_der(&der)
    }

    /// The private key in PKCS#8 DER, version 1 or 2 (RFC 8410 §7, RFC 5958).
    ///
    /// # Errors
    ///
    /// When the octets are no such structure, or hold no Ed25519 key.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<SigningKey, KeyFormatError> {
        let parsed = encoding::decode_private_key(der)?;
        let key = SigningKey::from_seed(parsed.seed);
        match parsed.public {
            Some(public) if public != key.verifying_key().as_bytes() => {
                Err(KeyFormatError::Mismatch)
            }
            Some(_) | None => Ok(key),
        }
    }

    /// The private key as PKCS#8 PEM, for a file that only its owner may read.
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        let der = Zeroizing::new(encoding::encode_private_key(self.seed.as_bytes()));
        pem::encode(&der, encoding::PRIVATE_KEY)
    }

    /// The public key that belongs to this private key.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut bytes = [0; KEY_LEN];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        VerifyingKey(bytes)
    }

    /// The signature over `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let mut bytes = [0; SIGNATURE_LEN];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        bytes
    }
}

impl From<PemError> for KeyFormatError {
    fn from(error: PemError) -> KeyFormatError {
        match error {
            PemError::Missing(label) => KeyFormatError::NoPem(label),
            PemError::Base64 => KeyFormatError::Base64,
        }
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &SigningKey) -> bool {
        self.seed == other.seed
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.verifying_key())
    }
}

/// An Ed25519 public key. As text it is one line of base64, 44 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifyingKey([u8; KEY_LEN]);

impl VerifyingKey {
    /// The public key in its 32 raw bytes (RFC 8032 §5.1.5).
    ///
    /// # Errors
    ///
    /// When the bytes are not 32, or no point of the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<VerifyingKey, KeyFormatError> {
        let bytes = exactly_32(bytes)?;
        if has_small_order(&bytes) {
            return Err(KeyFormatError::SmallOrder);
        }
        Ok(VerifyingKey(bytes))
    }

    /// The public key in base64, one line.
    ///
    /// # Errors
    ///
    /// When the text is not base64 of 32 bytes, or they are no point of the curve.
    pub fn from_base64(text: &str) -> Result<VerifyingKey, KeyFormatError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyFormatError::Base64)?;
        VerifyingKey::from_bytes(&bytes)
    }

    /// The public key in a SubjectPublicKeyInfo, DER (RFC 8410 §4).
    ///
    /// # Errors
    ///
    /// When the octets are no such structure, or hold no Ed25519 key.
    pub fn from_spki_der(der: &[u8]) -> Result<VerifyingKey, KeyFormatError> {
        VerifyingKey::from_bytes(encoding::decode_public_key(der)?)
    }

    /// The public key in a SubjectPublicKeyInfo, PEM; text around the block is ignored.
    ///
    /// # Errors
    ///
    /// When the block is missing or damaged, or holds no Ed25519 key.
    pub fn from_spki_pem(text: &str) -> Result<VerifyingKey, KeyFormatError> {
        VerifyingKey::from_spki_der(&pem::decode(text, encoding::PUBLIC_KEY)?)
    }

    /// The 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// One line of base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// A SubjectPublicKeyInfo, DER.
    pub fn to_spki_der(&self) -> Vec<u8> {
        encoding::encode_public_key(&self.0)
    }

    /// A SubjectPublicKeyInfo, PEM.
    pub fn to_spki_pem(&self) -> String {
        pem::encode(&self.to_spki_der(), encoding::PUBLIC_KEY).to_string()
    }

    /// Whether `signature` is this key's over `message`; only the one canonical form of a
    /// signature passes (RFC 8032 §5.1.7).
    ///
    /// # Errors
    ///
    /// [`BadSignature`] when it is not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({self})")
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyFormatError;

    /// Reads base64 or SubjectPublicKeyInfo PEM.
    fn from_str(text: &str) -> Result<VerifyingKey, KeyFormatError> {
        match text.contains("-----BEGIN") {
            true => VerifyingKey::from_spki_pem(text),
            false => VerifyingKey::from_base64(text),
        }
    }
}

impl TryFrom<String> for VerifyingKey {
    type Error = KeyFormatError;
    fn try_from(text: String) -> Result<VerifyingKey, KeyFormatError> {
        text.parse()
    }
}

impl From<VerifyingKey> for String {
    fn from(key: VerifyingKey) -> String {
        key.to_base64()
    }
}

fn exactly_32(bytes: &[u8]) -> Result<[u8; KEY_LEN], KeyFormatError> {
    bytes.try_into().map_err(|_| KeyFormatError::Length(bytes.len()))
}

/// The y coordinates, little-endian, of the eight points whose order divides the cofactor,
/// with the non-canonical encodings of 0 and 1 (p and p + 1). The sign bit of x is left out.
const SMALL_ORDER: [[u8; KEY_LEN]; 7] = [
    y_coordinate(0x00, 0x00, 0x00),
    y_coordinate(0x01, 0x00, 0x00),
    y_coordinate(0xec, 0xff, 0x7f),
    y_coordinate(0xed, 0xff, 0x7f),
    y_coordinate(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn y_coordinate(first: u8, middle: u8, last: u8) -> [u8; KEY_LEN] {
    let mut bytes = [middle; KEY_LEN];
    bytes[0] = first;
    bytes[KEY_LEN - 1] = last;
    bytes
}

fn has_small_order(bytes: &[u8; KEY_LEN]) -> bool {
    let mut y = *bytes;
    y[KEY_LEN - 1] &= 0x7f;
    SMALL_ORDER.contains(&y)
}

#[cfg(test)]
mod tests;

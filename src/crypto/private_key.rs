//! Private keys of any algorithm that we sign with: Ed25519, ECDSA on P-256 or P-384, RSA.
//!
//! A key is a PKCS#8 PEM file as `openssl genpkey` writes it, or PKCS#1 ("RSA PRIVATE KEY"). Raw
//! public keys are Ed25519 only and live in [`sign`](super::sign); the others come with
//! certificates.
//!
//! `ring` draws the nonces of ECDSA and the salts of RSA-PSS itself, and does not wipe its copies of
//! these keys.

use super::pem;
use super::sign::{KeyFormatError, SigningKey};
use super::signature::{Algorithm, Hash};
use pkcs8::der::Decode;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    RsaEncoding, RsaKeyPair,
};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// id-ecPublicKey (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// secp256r1 and secp384r1 (RFC 5480 §2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// rsaEncryption (RFC 8017 appendix A.1).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-Ed25519 (RFC 8410 §3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A private key to sign with. Two are equal when their public keys are.
#[derive(Clone)]
pub enum PrivateKey {
    /// Ed25519.
    Ed25519(SigningKey),
    /// ECDSA on P-256, which signs with SHA-256.
    P256(Arc<EcdsaKeyPair>),
    /// ECDSA on P-384, which signs with SHA-384.
    P384(Arc<EcdsaKeyPair>),
    /// RSA with a modulus of 2048 to 4096 bits.
    Rsa(Arc<RsaKeyPair>),
}

/// No signature could be made: the key does not make those of this algorithm, or the operating
/// system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no signature could be made")]
pub struct CannotSign;

impl PrivateKey {
    /// The private key in a PEM text; text around the block is ignored.
    ///
    /// # Errors
    ///
    /// When the block is missing or damaged, or holds no key that we sign with.
    pub fn from_pem(text: &str) -> Result<PrivateKey, KeyFormatError> {
        let has = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
        if has("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(KeyFormatError::Encrypted);
        }
        if has("RSA PRIVATE KEY") {
            let der = Zeroizing::new(pem::decode(text, "RSA PRIVATE KEY")?);
            return rsa(RsaKeyPair::from_der(&der));
        }
        if has("EC PRIVATE KEY") && !has("PRIVATE KEY") {
            return Err(KeyFormatError::Sec1);
        }
        let der = Zeroizing::new(pem::decode(text, "PRIVATE KEY")?);
        PrivateKey::from_pkcs8_der(&der)
    }

    /// The private key in PKCS#8 DER (RFC 5958).
    ///
    /// # Errors
    ///
    /// When the octets are no such structure, or hold no key that we sign with.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<PrivateKey, KeyFormatError> {
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyFormatError::Der)?;
        match (info.algorithm.oid, info.algorithm.parameters_oid()) {
            (ED25519, _) => SigningKey::from_pkcs8_der(der).map(PrivateKey::Ed25519),
            (EC_PUBLIC_KEY, Ok(P256)) => {
                let pair = ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, der)?;
                Ok(PrivateKey::P256(pair))
            }
            (EC_PUBLIC_KEY, Ok(P384)) => {
                let pair = ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, der)?;
                Ok(PrivateKey::P384(pair))
            }
            (RSA, _) => rsa(RsaKeyPair::from_pkcs8(der)),
            _ => Err(KeyFormatError::Unsupported),
        }
    }

    /// The public key as it stands in the BIT STRING of a SubjectPublicKeyInfo.
    pub fn public_key(&self) -> Vec<u8> {
        match self {
            PrivateKey::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            PrivateKey::P256(pair) | PrivateKey::P384(pair) => pair.public_key().as_ref().to_vec(),
            PrivateKey::Rsa(pair) => pair.public().as_ref().to_vec(),
        }
    }

    /// The algorithms by which it signs, the preferred first.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            PrivateKey::Ed25519(_) => vec![Algorithm::Ed25519],
            PrivateKey::P256(_) => vec![Algorithm::Ecdsa(Hash::Sha256)],
            PrivateKey::P384(_) => vec![Algorithm::Ecdsa(Hash::Sha384)],
            PrivateKey::Rsa(_) => {
                let pss = Hash::ALL.map(Algorithm::RsaPss);
                pss.into_iter().chain(Hash::ALL.map(Algorithm::RsaPkcs1)).collect()
            }
        }
    }

    /// The signature over `message`; of ECDSA as the DER of ECDSA-Sig-Value (RFC 3279 §2.2.3).
    ///
    /// # Errors
    ///
    /// When `algorithm` is none of its [algorithms](PrivateKey::algorithms), or there is no
    /// randomness.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, CannotSign> {
        match (self, algorithm) {
            (PrivateKey::Ed25519(key), Algorithm::Ed25519) => Ok(key.sign(message).to_vec()),
            (PrivateKey::P256(pair), Algorithm::Ecdsa(Hash::Sha256))
            | (PrivateKey::P384(pair), Algorithm::Ecdsa(Hash::Sha384)) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| CannotSign),
            (PrivateKey::Rsa(pair), Algorithm::RsaPkcs1(hash)) => sign_rsa(
                pair,
                match hash {
                    Hash::Sha256 => &signature::RSA_PKCS1_SHA256,
                    Hash::Sha384 => &signature::RSA_PKCS1_SHA384,
                    Hash::Sha512 => &signature::RSA_PKCS1_SHA512,
                },
                message,
            ),
            (PrivateKey::Rsa(pair), Algorithm::RsaPss(hash)) => sign_rsa(
                pair,
                match hash {
                    Hash::Sha256 => &signature::RSA_PSS_SHA256,
                    Hash::Sha384 => &signature::RSA_PSS_SHA384,
                    Hash::Sha512 => &signature::RSA_PSS_SHA512,
                },
                message,
            ),
            _ => Err(CannotSign),
        }
    }
}

fn ecdsa(
    algorithm: &'static signature::EcdsaSigningAlgorithm,
    der: &[u8],
) -> Result<Arc<EcdsaKeyPair>, KeyFormatError> {
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, der, &SystemRandom::new());
    pair.map(Arc::new).map_err(|_| KeyFormatError::Der)
}

fn rsa(pair: Result<RsaKeyPair, ring::error::KeyRejected>) -> Result<PrivateKey, KeyFormatError> {
    pair.map(Arc::new).map(PrivateKey::Rsa).map_err(|_| KeyFormatError::Unsupported)
}

fn sign_rsa(
    pair: &RsaKeyPair,
    encoding: &'static dyn RsaEncoding,
    message: &[u8],
) -> Result<Vec<u8>, CannotSign> {
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature).map_err(|_| CannotSign)?;
    Ok(signature)
}

impl PartialEq for PrivateKey {
    fn eq(&self, other: &PrivateKey) -> bool {
        self.public_key() == other.public_key()
    }
}

impl Eq for PrivateKey {}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrivateKey::Ed25519(_) => "PrivateKey(Ed25519)",
            PrivateKey::P256(_) => "PrivateKey(P-256)",
            PrivateKey::P384(_) => "PrivateKey(P-384)",
            PrivateKey::Rsa(_) => "PrivateKey(RSA)",
        })
    }
}

#[cfg(test)]
mod tests;

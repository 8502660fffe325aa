//! Signature algorithms by their names: which key, which padding, which hash.
//!
//! How they stand in IKE (RFC 7427) and in certificates is the matter of `ike` and `pki`.

use std::fmt;

/// A hash function that is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// All of them, the one that costs least first.
    pub const ALL: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
}

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519, which hashes by itself (RFC 8032).
    Ed25519,
    /// ECDSA on the curve of the key (FIPS 186-5 §6).
    Ecdsa(Hash),
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    RsaPkcs1(Hash),
    /// RSASSA-PSS with a salt as long as the hash, and MGF1 with the same hash (RFC 8017 §8.1).
    RsaPss(Hash),
}

impl Algorithm {
    /// The hash that is computed before signing.
    pub fn hash(self) -> Option<Hash> {
        match self {
            Algorithm::Ed25519 => None,
            Algorithm::Ecdsa(hash) | Algorithm::RsaPkcs1(hash) | Algorithm::RsaPss(hash) => {
                Some(hash)
            }
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
        })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Algorithm::Ed25519 => f.write_str("Ed25519"),
            Algorithm::Ecdsa(hash) => write!(f, "ECDSA with {hash}"),
            Algorithm::RsaPkcs1(hash) => write!(f, "RSA (PKCS#1 v1.5) with {hash}"),
            Algorithm::RsaPss(hash) => write!(f, "RSA-PSS with {hash}"),
        }
    }
}

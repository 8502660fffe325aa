//! Signature algorithms by their AlgorithmIdentifier (RFC 7427 §3 and appendix A), and what verifies
//! them.

use crate::crypto::signature::{Algorithm, Hash};
use pki_types::SignatureVerificationAlgorithm;
use webpki::ring;

type Verifier = &'static dyn SignatureVerificationAlgorithm;

/// The algorithms that verify a signature of this kind, by the kinds of key.
pub(super) fn verifiers(algorithm: Algorithm) -> &'static [Verifier] {
    match algorithm {
        Algorithm::Ed25519 => {
            static ONE: [Verifier; 1] = [ring::ED25519];
            &ONE
        }
        Algorithm::Ecdsa(Hash::Sha256) => {
            static TWO: [Verifier; 2] = [ring::ECDSA_P256_SHA256, ring::ECDSA_P384_SHA256];
            &TWO
        }
        Algorithm::Ecdsa(Hash::Sha384) => {
            static TWO: [Verifier; 2] = [ring::ECDSA_P384_SHA384, ring::ECDSA_P256_SHA384];
            &TWO
        }
        // `ring` has no ECDSA with SHA-512.
        Algorithm::Ecdsa(Hash::Sha512) => &[],
        Algorithm::RsaPkcs1(hash) => {
            static THREE: [Verifier; 3] = [
                ring::RSA_PKCS1_2048_8192_SHA256,
                ring::RSA_PKCS1_2048_8192_SHA384,
                ring::RSA_PKCS1_2048_8192_SHA512,
            ];
            of_hash(&THREE, hash)
        }
        Algorithm::RsaPss(hash) => {
            static THREE: [Verifier; 3] = [
                ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
                ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
                ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
            ];
            of_hash(&THREE, hash)
        }
    }
}

/// The one of three that is for `hash`.
fn of_hash(three: &'static [Verifier; 3], hash: Hash) -> &'static [Verifier] {
    let [one, two, three] = three.each_ref().map(std::slice::from_ref);
    match hash {
        Hash::Sha256 => one,
        Hash::Sha384 => two,
        Hash::Sha512 => three,
    }
}

/// The DER of an algorithm's AlgorithmIdentifier; `None` for one that we do not verify.
pub fn identifier_of(algorithm: Algorithm) -> Option<Vec<u8>> {
    verifiers(algorithm).first().map(|verifier| identifier(*verifier))
}

/// A SEQUENCE around what `webpki` calls the identifier; all of them are shorter than 128 octets.
fn identifier(verifier: Verifier) -> Vec<u8> {
    let body = verifier.signature_alg_id();
    let length = u8::try_from(body.as_ref().len()).unwrap_or(u8::MAX);
    [&[0x30, length], body.as_ref()].concat()
}

/// The algorithm whose AlgorithmIdentifier has this DER, if it is one that we verify. The
/// parameters of RSA with PKCS#1 v1.5 may be absent (RFC 4055 §5).
pub fn algorithm_of(der: &[u8]) -> Option<Algorithm> {
    let known = all().find(|&algorithm| identifier_of(algorithm).as_deref() == Some(der));
    known.or_else(|| {
        let absent = [
            ring::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
            ring::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
            ring::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
        ];
        let mut absent = absent.into_iter().zip(Hash::ALL);
        let (_, hash) = absent.find(|(verifier, _)| identifier(*verifier) == der)?;
        Some(Algorithm::RsaPkcs1(hash))
    })
}

fn all() -> impl Iterator<Item = Algorithm> {
    let of_hash =
        |hash| [Algorithm::Ecdsa(hash), Algorithm::RsaPss(hash), Algorithm::RsaPkcs1(hash)];
    [Algorithm::Ed25519].into_iter().chain(Hash::ALL.into_iter().flat_map(of_hash))
}

#[cfg(test)]
mod tests;

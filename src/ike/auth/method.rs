//! How a signature stands in an AUTH payload, and which one the peer can verify: RFC 7427 with its
//! agreement on hashes, and the older methods of RFC 7296 §3.8 and RFC 4754 for peers without.
//!
//! ```text
//! method 14      length, AlgorithmIdentifier, signature          RFC 7427 §3
//! methods 9, 10  r, s: each as long as the order of the curve    RFC 4754 §3
//! ```

use super::super::failure::AuthFailure;
use super::super::payloads::{Payloads, notify};
use crate::crypto::private_key::PrivateKey;
use crate::crypto::signature::{Algorithm, Hash};
use crate::pki;
use crate::wire::ike::{AuthMethod, Authentication, HashAlgorithm, NotifyType, Payload};

/// How we sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Scheme {
    method: AuthMethod,
    pub algorithm: Algorithm,
}

/// The hashes over which a peer verifies signatures, as its SIGNATURE_HASH_ALGORITHMS says; without
/// that it knows nothing of RFC 7427.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct PeerHashes {
    announced: bool,
    /// One bit for each, by its number.
    bits: u64,
}

/// What we verify. The identity hash is for algorithms that hash by themselves (RFC 8420 §2).
const OURS: [HashAlgorithm; 4] = [
    HashAlgorithm::SHA2_256,
    HashAlgorithm::SHA2_384,
    HashAlgorithm::SHA2_512,
    HashAlgorithm::IDENTITY,
];

/// SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4): the hashes that we verify signatures over.
pub(in super::super) fn hash_algorithms() -> Payload {
    let list: Vec<u8> = OURS.iter().flat_map(|hash| hash.0.to_be_bytes()).collect();
    notify(NotifyType::SIGNATURE_HASH_ALGORITHMS, list)
}

impl PeerHashes {
    /// What the sender of these payloads verifies.
    pub(crate) fn of(payloads: Payloads<'_>) -> PeerHashes {
        let Some(notify) = payloads.notify(NotifyType::SIGNATURE_HASH_ALGORITHMS) else {
            return PeerHashes::default();
        };
        let number = |pair: &[u8]| <[u8; 2]>::try_from(pair).ok().map(u16::from_be_bytes);
        let known = notify.data.chunks_exact(2).filter_map(number).filter(|hash| *hash < 64);
        PeerHashes { announced: true, bits: known.fold(0, |bits, hash| bits | 1 << hash) }
    }

    fn verifies(self, hash: HashAlgorithm) -> bool {
        self.bits & 1 << hash.0 != 0
    }
}

/// The hash of an algorithm as RFC 7427 numbers it.
fn hash_of(algorithm: Algorithm) -> HashAlgorithm {
    match algorithm.hash() {
        None => HashAlgorithm::IDENTITY,
        Some(Hash::Sha256) => HashAlgorithm::SHA2_256,
        Some(Hash::Sha384) => HashAlgorithm::SHA2_384,
        Some(Hash::Sha512) => HashAlgorithm::SHA2_512,
    }
}

/// How to sign with `key`, by one of its `algorithms`, so that the peer can verify it.
///
/// # Errors
///
/// When it cannot.
pub(super) fn choose(
    key: &PrivateKey,
    algorithms: &[Algorithm],
    peer: PeerHashes,
) -> Result<Scheme, AuthFailure> {
    let agreed = algorithms.iter().find(|&&algorithm| peer.verifies(hash_of(algorithm)));
    if let Some(&algorithm) = agreed {
        return Ok(Scheme { method: AuthMethod::DIGITAL_SIGNATURE, algorithm });
    }
    let older = |method, hash| Scheme { method, algorithm: Algorithm::Ecdsa(hash) };
    match key {
        PrivateKey::Ed25519(_) => Err(AuthFailure::NoEd25519),
        PrivateKey::P256(_) if !peer.announced => {
            Ok(older(AuthMethod::ECDSA_SHA2_256_P256, Hash::Sha256))
        }
        PrivateKey::P384(_) if !peer.announced => {
            Ok(older(AuthMethod::ECDSA_SHA2_384_P384, Hash::Sha384))
        }
        PrivateKey::P256(_) | PrivateKey::P384(_) | PrivateKey::Rsa(_) => {
            Err(AuthFailure::NoCommonHash)
        }
    }
}

impl Scheme {
    /// The AUTH payload that holds our signature; `None` when the algorithm has no identifier.
    pub(crate) fn payload(self, signature: &[u8]) -> Option<Authentication> {
        let data = match self.method {
            AuthMethod::ECDSA_SHA2_256_P256 => fixed(signature, 32)?,
            AuthMethod::ECDSA_SHA2_384_P384 => fixed(signature, 48)?,
            _ => {
                let identifier = pki::identifier_of(self.algorithm)?;
                let length = u8::try_from(identifier.len()).ok()?;
                [&[length], identifier.as_slice(), signature].concat()
            }
        };
        Some(Authentication { method: self.method, data })
    }
}

/// The algorithm of a peer's signature, and the signature: of ECDSA as DER.
///
/// # Errors
///
/// When the method is none of signatures, or the algorithm is none that we verify.
pub(super) fn read(auth: &Authentication) -> Result<(Algorithm, Vec<u8>), AuthFailure> {
    let ecdsa = |hash, length: usize| {
        let (r, s) = auth.data.split_at_checked(length).ok_or(AuthFailure::SignatureAlgorithm)?;
        let fits = s.len() == length;
        fits.then(|| (Algorithm::Ecdsa(hash), der(r, s))).ok_or(AuthFailure::SignatureAlgorithm)
    };
    match auth.method {
        AuthMethod::ECDSA_SHA2_256_P256 => ecdsa(Hash::Sha256, 32),
        AuthMethod::ECDSA_SHA2_384_P384 => ecdsa(Hash::Sha384, 48),
        AuthMethod::DIGITAL_SIGNATURE => {
            let (identifier, signature) = split(&auth.data)?;
            let algorithm = pki::algorithm_of(identifier).ok_or(AuthFailure::SignatureAlgorithm)?;
            Ok((algorithm, signature.to_vec()))
        }
        used => Err(AuthFailure::Method { used, wanted: AuthMethod::DIGITAL_SIGNATURE }),
    }
}

/// Whether a peer's signature may be that of a raw public key, which is an Ed25519 key.
///
/// # Errors
///
/// Why it is not.
pub(super) fn check_for_key(auth: &Authentication) -> Result<(), AuthFailure> {
    let (used, wanted) = (auth.method, AuthMethod::DIGITAL_SIGNATURE);
    if used != wanted {
        return Err(AuthFailure::Method { used, wanted });
    }
    match read(auth)? {
        (Algorithm::Ed25519, _) => Ok(()),
        (Algorithm::Ecdsa(_) | Algorithm::RsaPkcs1(_) | Algorithm::RsaPss(_), _) => {
            Err(AuthFailure::SignatureAlgorithm)
        }
    }
}

/// ASN.1 length, AlgorithmIdentifier, signature (RFC 7427 §3).
fn split(data: &[u8]) -> Result<(&[u8], &[u8]), AuthFailure> {
    let parts = data.split_first().and_then(|(&length, rest)| rest.split_at_checked(length.into()));
    parts.ok_or(AuthFailure::SignatureAlgorithm)
}

/// ECDSA-Sig-Value (RFC 3279 §2.2.3) of two numbers of at most 48 octets each.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let body = [integer(r), integer(s)].concat();
    [&[0x30, octet(body.len())], body.as_slice()].concat()
}

/// A positive INTEGER without needless zeros.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let padding: &[u8] = match digits.first() {
        Some(first) if *first < 0x80 => &[],
        Some(_) | None => &[0],
    };
    [&[2, octet(padding.len() + digits.len())], padding, digits].concat()
}

fn octet(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// The two numbers of an ECDSA-Sig-Value, each in so many octets.
fn fixed(signature: &[u8], length: usize) -> Option<Vec<u8>> {
    let [0x30, whole, body @ ..] = signature else { return None };
    let (r, rest) = take_integer(body.get(..usize::from(*whole))?, length)?;
    let (s, rest) = take_integer(rest, length)?;
    rest.is_empty().then(|| [r, s].concat())
}

fn take_integer(der: &[u8], length: usize) -> Option<(Vec<u8>, &[u8])> {
    let [2, size, rest @ ..] = der else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*size))?;
    let number = number.strip_prefix(&[0]).unwrap_or(number);
    let zeros = length.checked_sub(number.len())?;
    Some(([vec![0; zeros], number.to_vec()].concat(), rest))
}

#[cfg(test)]
mod tests;

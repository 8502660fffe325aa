//! Ed25519 keys in DER and PEM: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280 §4.1), both
//! as RFC 8410 fills them.
//!
//! `pkcs8` reads the DER. What is written has one form each and is spelled out here.

use super::KeyFormatError;
use pkcs8::der::Decode;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};

/// The PEM label of a PKCS#8 private key.
pub(super) const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The PEM label of a SubjectPublicKeyInfo.
pub(super) const PUBLIC_KEY: &str = "PUBLIC KEY";

/// id-Ed25519 (RFC 8410 §3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Everything before the 32 bytes of a version 1 private key.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Everything before the 32 bytes of a public key.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// What a private key file holds.
pub(super) struct PrivateKey<'a> {
    /// The private key.
    pub seed: &'a [u8; 32],
    /// The public key, which version 2 may carry.
    pub public: Option<&'a [u8]>,
}

/// `PrivateKeyInfo`, version 1 (RFC 8410 §7).
pub(super) fn encode_private_key(seed: &[u8]) -> Vec<u8> {
    [&PKCS8_PREFIX, seed].concat()
}

/// `SubjectPublicKeyInfo` (RFC 8410 §4).
pub(super) fn encode_public_key(public: &[u8; 32]) -> Vec<u8> {
    [&SPKI_PREFIX[..], public].concat()
}

/// Reads `PrivateKeyInfo` or `OneAsymmetricKey` (RFC 5958 §2).
pub(super) fn decode_private_key(der: &[u8]) -> Result<PrivateKey<'_>, KeyFormatError> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyFormatError::Der)?;
    is_ed25519(&info.algorithm)?;
    // CurvePrivateKey: an OCTET STRING within the OCTET STRING (RFC 8410 §7).
    let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes());
    let seed = seed.map_err(|_| KeyFormatError::Der)?.as_bytes();
    let seed = seed.try_into().map_err(|_| KeyFormatError::Length(seed.len()))?;
    let public = info.public_key.as_ref().map(whole_octets).transpose()?;
    Ok(PrivateKey { seed, public })
}

/// Reads `SubjectPublicKeyInfo`; returns the raw public key.
pub(super) fn decode_public_key(der: &[u8]) -> Result<&[u8], KeyFormatError> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyFormatError::Der)?;
    is_ed25519(&info.algorithm)?;
    whole_octets(&info.subject_public_key)
}

/// The OID without parameters (RFC 8410 §3).
fn is_ed25519(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyFormatError> {
    if algorithm.oid != ED25519 {
        return Err(KeyFormatError::Algorithm);
    }
    if algorithm.parameters.is_some() { Err(KeyFormatError::Der) } else { Ok(()) }
}

/// The octets of a bit string without unused bits.
fn whole_octets<'a>(bits: &BitStringRef<'a>) -> Result<&'a [u8], KeyFormatError> {
    bits.as_bytes().ok_or(KeyFormatError::Der)
}

//! Ed25519 keys in DER and PEM: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280 §4.1), both
//! as RFC 8410 fills them, and the textual encoding of RFC 7468.
//!
//! `pkcs8` reads the DER. What is written has one form each and is spelled out here; PEM is ours,
//! because the readers of `pem-rfc7468` and `rustls-pki-types` take no text around the block, or
//! leave the key in buffers that nobody wipes.

use super::KeyFormatError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pkcs8::der::Decode;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use zeroize::Zeroizing;

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

const PEM_LINE: usize = 64;

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

/// The bytes of the first PEM block with this label (RFC 7468).
pub(super) fn pem_decode(text: &str, label: &'static str) -> Result<Vec<u8>, KeyFormatError> {
    let missing = KeyFormatError::NoPem(label);
    let (_, after) = text.split_once(&format!("-----BEGIN {label}-----")).ok_or(missing)?;
    let (body, _) = after.split_once(&format!("-----END {label}-----")).ok_or(missing)?;
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    STANDARD.decode(base64.as_bytes()).map_err(|_| KeyFormatError::Base64)
}

/// A PEM block with this label, ended by a newline.
pub(super) fn pem_encode(der: &[u8], label: &str) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() + 128));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for (at, character) in base64.chars().enumerate() {
        if at > 0 && at % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

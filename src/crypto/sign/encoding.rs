//! Ed25519 keys in DER and PEM: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280 §4.1), both
//! as RFC 8410 fills them, and the textual encoding of RFC 7468.
//!
//! A reader for just the DER that these two structures use: lengths below 128, definite form.

use super::KeyFormatError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The PEM label of a PKCS#8 private key.
pub(super) const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The PEM label of a SubjectPublicKeyInfo.
pub(super) const PUBLIC_KEY: &str = "PUBLIC KEY";

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const ATTRIBUTES: u8 = 0xa0; // [0] constructed
const PUBLIC: u8 = 0x81; // [1] primitive

/// id-Ed25519, 1.3.101.112 (RFC 8410 §3).
const ED25519: [u8; 3] = [0x2b, 0x65, 0x70];
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
    let mut info = Der(der).only(SEQUENCE)?;
    let version = info.expect(INTEGER)?;
    if version.0 != [0] && version.0 != [1] {
        return Err(KeyFormatError::Der);
    }
    info.algorithm()?;
    let seed = info.expect(OCTET_STRING)?.only(OCTET_STRING)?;
    let seed = seed.0.try_into().map_err(|_| KeyFormatError::Length(seed.0.len()))?;
    info.optional(ATTRIBUTES)?;
    let public = match info.optional(PUBLIC)? {
        Some(bits) => Some(bits.whole_octets()?),
        None => None,
    };
    info.end()?;
    Ok(PrivateKey { seed, public })
}

/// Reads `SubjectPublicKeyInfo`; returns the raw public key.
pub(super) fn decode_public_key(der: &[u8]) -> Result<&[u8], KeyFormatError> {
    let mut info = Der(der).only(SEQUENCE)?;
    info.algorithm()?;
    let public = info.expect(BIT_STRING)?.whole_octets()?;
    info.end()?;
    Ok(public)
}

/// A run of DER values not yet read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next value, which must have this tag.
    fn expect(&mut self, tag: u8) -> Result<Der<'a>, KeyFormatError> {
        let (header, rest) = self.0.split_first_chunk::<2>().ok_or(KeyFormatError::Der)?;
        if header[0] != tag {
            return Err(KeyFormatError::Der);
        }
        let len = match header[1] {
            short if short < 0x80 => usize::from(short),
            // Longer structures are keys too, but of another algorithm.
            _ if tag == SEQUENCE => return Err(KeyFormatError::Algorithm),
            _ => return Err(KeyFormatError::Der),
        };
        let (content, rest) = rest.split_at_checked(len).ok_or(KeyFormatError::Der)?;
        self.0 = rest;
        Ok(Der(content))
    }

    /// The content of the one value that fills this run.
    fn only(mut self, tag: u8) -> Result<Der<'a>, KeyFormatError> {
        let content = self.expect(tag)?;
        self.end()?;
        Ok(content)
    }

    /// The content of the next value when it has this tag.
    fn optional(&mut self, tag: u8) -> Result<Option<Der<'a>>, KeyFormatError> {
        match self.0.first() {
            Some(first) if *first == tag => self.expect(tag).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// `AlgorithmIdentifier` of Ed25519: the OID without parameters (RFC 8410 §3).
    fn algorithm(&mut self) -> Result<(), KeyFormatError> {
        let mut identifier = self.expect(SEQUENCE)?;
        let oid = identifier.expect(OBJECT_IDENTIFIER)?;
        if oid.0 != ED25519 {
            return Err(KeyFormatError::Algorithm);
        }
        identifier.end()
    }

    /// The octets of a bit string without unused bits.
    fn whole_octets(self) -> Result<&'a [u8], KeyFormatError> {
        match self.0.split_first() {
            Some((0, octets)) => Ok(octets),
            Some(_) | None => Err(KeyFormatError::Der),
        }
    }

    fn end(&self) -> Result<(), KeyFormatError> {
        if self.0.is_empty() { Ok(()) } else { Err(KeyFormatError::Der) }
    }
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

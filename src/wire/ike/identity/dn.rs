//! Distinguished names, ID_DER_ASN1_DN: DER on the wire, RFC 4514 for people.

use std::str::FromStr;
use x509_cert::der::{Decode, Encode};
use x509_cert::name::Name;

/// The name in the words of RFC 4514, such as `CN=branch,O=Example`; `None` when the octets are no
/// name. Two that differ in their string types alone have the same words.
pub(super) fn words_of(der: &[u8]) -> Option<String> {
    Name::from_der(der).ok().map(|name| name.to_string())
}

/// The DER of a name in the words of RFC 4514.
pub(super) fn der_of(words: &str) -> Option<Vec<u8>> {
    let name = Name::from_str(words).ok().filter(|name| !name.is_empty())?;
    name.to_der().ok()
}

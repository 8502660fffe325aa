//! Identities as people write them, and as logs show them.
//!
//! ```text
//! east-a, gw.example.com     a name               keyid:branch 7, keyid:0x00ff     opaque octets
//! 192.0.2.1, 2001:db8::1     an address           vpn@example.com                  a mail address
//! fqdn:…, rfc822:…           this type, whatever it looks like
//! dn:CN=branch,O=Example     a distinguished name (RFC 4514)
//! ```

use super::{IdType, Identity, dn};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Why a text is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdentityError {
    /// Nothing was written.
    #[error("an identity must not be empty")]
    Empty,
    /// Longer than any peer would take.
    #[error("an identity has at most {MAX_LEN} bytes")]
    TooLong,
    /// A character that a name cannot hold.
    #[error("{0:?} cannot stand in a name; names have letters, digits, '-', '_' and '.'")]
    Character(char),
    /// `keyid:0x` followed by something that is not pairs of hexadecimal digits.
    #[error("after \"keyid:0x\" come pairs of hexadecimal digits")]
    Hexadecimal,
    /// Not of the form `user@host`.
    #[error("a mail address has one '@' with a name before and after it")]
    Mail,
    /// `dn:` followed by something that RFC 4514 does not know.
    #[error("after \"dn:\" comes a distinguished name such as CN=branch,O=Example (RFC 4514)")]
    DistinguishedName,
}

/// The longest identity that is taken, in bytes: the limit of a DNS name.
const MAX_LEN: usize = 255;
/// What forces a type.
const FQDN: &str = "fqdn:";
const RFC822: &str = "rfc822:";
const KEY_ID: &str = "keyid:";
const DN: &str = "dn:";

impl FromStr for Identity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LEN {
            return Err(ParseIdentityError::TooLong);
        }
        if let Some(key_id) = text.strip_prefix(KEY_ID) {
            return parse_key_id(key_id).map(Identity::KeyId);
        }
        if let Some(words) = text.strip_prefix(DN) {
            let data = dn::der_of(words).ok_or(ParseIdentityError::DistinguishedName)?;
            return Ok(Identity::Other { id_type: IdType::DER_ASN1_DN, data });
        }
        if let Some(name) = text.strip_prefix(FQDN) {
            return parse_name(name).map(Identity::Fqdn);
        }
        if let Some(mail) = text.strip_prefix(RFC822) {
            return parse_mail(mail).map(Identity::Rfc822);
        }
        if let Ok(address) = text.parse() {
            return Ok(Identity::Address(address));
        }
        if text.contains('@') {
            return parse_mail(text).map(Identity::Rfc822);
        }
        parse_name(text).map(Identity::Fqdn)
    }
}

fn parse_key_id(text: &str) -> Result<Vec<u8>, ParseIdentityError> {
    let bytes = match text.strip_prefix("0x") {
        Some(digits) => parse_hexadecimal(digits)?,
        None => text.as_bytes().to_vec(),
    };
    if bytes.is_empty() { Err(ParseIdentityError::Empty) } else { Ok(bytes) }
}

fn parse_hexadecimal(digits: &str) -> Result<Vec<u8>, ParseIdentityError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(pair).collect();
    bytes.ok_or(ParseIdentityError::Hexadecimal)
}

fn parse_name(text: &str) -> Result<String, ParseIdentityError> {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match text.chars().find(|c| !allowed(c)) {
        Some(c) => Err(ParseIdentityError::Character(c)),
        None if text.is_empty() => Err(ParseIdentityError::Empty),
        None => Ok(text.to_owned()),
    }
}

/// A dot-atom before the '@', a name after it (RFC 5322 §3.4.1).
fn parse_mail(text: &str) -> Result<String, ParseIdentityError> {
    let (local, domain) = text.split_once('@').ok_or(ParseIdentityError::Mail)?;
    let atext = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    if local.is_empty() || domain.is_empty() || domain.contains('@') {
        return Err(ParseIdentityError::Mail);
    }
    match local.chars().find(|c| !atext(*c)) {
        Some(c) => Err(ParseIdentityError::Character(c)),
        None => parse_name(domain).map(|_| text.to_owned()),
    }
}

/// As it is written in a configuration. The peer chooses its own: nothing of it may break a line
/// of a log.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Address(address) => address.fmt(f),
            Identity::Fqdn(name) => {
                let forced = if name.parse::<IpAddr>().is_ok() { FQDN } else { "" };
                write!(f, "{forced}{}", name.escape_debug())
            }
            Identity::Rfc822(mail) => mail.escape_debug().fmt(f),
            Identity::KeyId(octets) => write!(f, "{KEY_ID}{}", Opaque(octets)),
            Identity::Other { id_type: IdType::DER_ASN1_DN, data }
                if dn::words_of(data).is_some() =>
            {
                let words = dn::words_of(data).unwrap_or_default();
                write!(f, "{DN}{}", words.escape_debug())
            }
            Identity::Other { id_type, data } => write!(f, "{id_type}:{}", Opaque(data)),
        }
    }
}

/// Printable octets as text, anything else in hexadecimal: it can be read back as the same octets.
struct Opaque<'o>(&'o [u8]);

impl fmt::Display for Opaque<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = self.0.iter().all(|octet| matches!(octet, b' '..=b'~'));
        match std::str::from_utf8(self.0) {
            Ok(text) if printable && !text.is_empty() && !text.starts_with("0x") => {
                f.write_str(text)
            }
            Ok(_) | Err(_) => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;

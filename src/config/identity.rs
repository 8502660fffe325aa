//! Who a gateway is to its peers: the ID payload as the operator writes it (RFC 7296 §3.5).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An identity, written as a name (`east-a`, `gw.example.com`), as `keyid:…` or as an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// ID_FQDN: a name. It need not exist in the DNS.
    Fqdn(String),
    /// ID_KEY_ID: an opaque string, written `keyid:text`, or `keyid:0x…` for other bytes.
    KeyId(Vec<u8>),
    /// ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
}

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
}

/// The longest identity that is taken, in bytes: the limit of a DNS name.
const MAX_LEN: usize = 255;

impl FromStr for Identity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LEN {
            return Err(ParseIdentityError::TooLong);
        }
        if let Some(key_id) = text.strip_prefix("keyid:") {
            return parse_key_id(key_id).map(Identity::KeyId);
        }
        if let Ok(address) = text.parse() {
            return Ok(Identity::Address(address));
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

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Fqdn(name) => f.write_str(name),
            Identity::Address(address) => write!(f, "{address}"),
            Identity::KeyId(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if printable(text) => write!(f, "keyid:{text}"),
                Ok(_) | Err(_) => {
                    f.write_str("keyid:0x")?;
                    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
                }
            },
        }
    }
}

/// Whether a KEY_ID can be written as text and be read back as the same bytes.
fn printable(text: &str) -> bool {
    !text.starts_with("0x") && text.chars().all(|c| !c.is_control())
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

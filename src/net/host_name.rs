//! Names of hosts in the DNS.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Octets of a name at most, without the dot at its end (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
/// Octets of a label at most (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// The whole name of a host in the DNS, in small letters and without the dot at its end (RFC 1123 §2.1):
/// no search list completes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

/// Why a text is no [`HostName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHostNameError {
    /// It has one label only, and no dot at its end to say that there is no more.
    #[error("a whole name has a dot")]
    Short,
    /// Nothing but digits stands behind its last dot: it is meant as an address (RFC 1123 §2.1).
    #[error("a number stands at its end")]
    Number,
    /// A label is empty, or the name or a label is too long.
    #[error("its labels have 1 to 63 characters, 253 together")]
    Length,
    /// A label has something other than letters, digits and hyphens inside.
    #[error("labels are of letters, digits, and hyphens between them")]
    Character,
}

impl HostName {
    /// The name, in small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = ParseHostNameError;

    fn from_str(text: &str) -> Result<HostName, ParseHostNameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.len() > MAX_NAME {
            return Err(ParseHostNameError::Length);
        }
        name.split('.').try_for_each(check_label)?;
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseHostNameError::Number);
        }
        if !text.contains('.') {
            return Err(ParseHostNameError::Short);
        }
        Ok(HostName(name.to_ascii_lowercase().into()))
    }
}

fn check_label(label: &str) -> Result<(), ParseHostNameError> {
    if label.is_empty() || label.len() > MAX_LABEL {
        return Err(ParseHostNameError::Length);
    }
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let at_edge = label.starts_with('-') || label.ends_with('-');
    match !at_edge && label.bytes().all(is_inside) {
        true => Ok(()),
        false => Err(ParseHostNameError::Character),
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;

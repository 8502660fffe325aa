//! The textual encoding of keys and certificates (RFC 7468).
//!
//! Ours, because the readers of `pem-rfc7468` and `rustls-pki-types` take no text around the block,
//! or leave the key in buffers that nobody wipes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const LINE: usize = 64;

/// Why a text holds no such block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// There is none with this label.
    #[error("no \"-----BEGIN {0}-----\" block found")]
    Missing(&'static str),
    /// What stands in it is not base64.
    #[error("not base64")]
    Base64,
}

/// The bytes of the first PEM block with this label; text around it is ignored.
///
/// # Errors
///
/// When there is none, or it is damaged.
pub fn decode(text: &str, label: &'static str) -> Result<Vec<u8>, PemError> {
    first(text, label)?.map(|(bytes, _)| bytes).ok_or(PemError::Missing(label))
}

/// The bytes of every PEM block with this label, in their order; text around them is ignored.
///
/// # Errors
///
/// When one is damaged. A text without any is no error.
pub fn decode_all(text: &str, label: &'static str) -> Result<Vec<Vec<u8>>, PemError> {
    let (mut blocks, mut rest) = (Vec::new(), text);
    while let Some((bytes, after)) = first(rest, label)? {
        blocks.push(bytes);
        rest = after;
    }
    Ok(blocks)
}

/// The first block, and what stands behind it.
fn first<'t>(text: &'t str, label: &'static str) -> Result<Option<(Vec<u8>, &'t str)>, PemError> {
    let Some((_, after)) = text.split_once(&format!("-----BEGIN {label}-----")) else {
        return Ok(None);
    };
    let end = format!("-----END {label}-----");
    let (body, rest) = after.split_once(&end).ok_or(PemError::Missing(label))?;
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    let bytes = STANDARD.decode(base64.as_bytes()).map_err(|_| PemError::Base64)?;
    Ok(Some((bytes, rest)))
}

/// A PEM block with this label, ended by a newline.
pub fn encode(der: &[u8], label: &str) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() + base64.len() / LINE + 128));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for (at, character) in base64.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests;

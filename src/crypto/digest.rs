//! Hash functions over byte strings given in parts.

use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// SHA-1, which NAT detection and Certificate Requests prescribe (RFC 7296 §2.23, §3.7) and where
/// collisions do no harm.
pub fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, parts)
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    digest(&SHA256, parts)
}

fn digest<const N: usize>(algorithm: &'static Algorithm, parts: &[&[u8]]) -> [u8; N] {
    let mut context = Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    let mut output = [0; N];
    output.copy_from_slice(context.finish().as_ref());
    output
}

#[cfg(test)]
mod tests;

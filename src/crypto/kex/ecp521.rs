//! ECP-521 (RFC 5903 §3.3), which `ring` does not have, by the arithmetic of the crate `p521`, which
//! takes the same time whatever the secret.

use crate::crypto::prf::Prf;
use crate::crypto::secret::Secret;
use p521::ecdh::diffie_hellman;
use p521::elliptic_curve::sec1::ToSec1Point;
use p521::{PublicKey, SecretKey};
use zeroize::Zeroizing;

/// Octets of a coordinate and of a scalar.
const FIELD_LEN: usize = 66;
/// Octets of x ‖ y (RFC 5903 §7).
pub(super) const PUBLIC_LEN: usize = 2 * FIELD_LEN;
/// SEC 1 §2.3.3: a point that is not compressed.
const UNCOMPRESSED: u8 = 0x04;

/// The public value of the private key that `seed` makes; `None` with a chance of 2⁻²⁵⁹, see
/// [`scalar_of`].
pub(super) fn public(seed: &[u8; 32]) -> Option<Vec<u8>> {
    scalar_of(seed).map(|scalar| public_of(&scalar))
}

/// The x coordinate that we share with the owner of `peer`, x ‖ y; `None` where that is no point of the
/// curve (RFC 5903 §7, RFC 6989 §2.3).
pub(super) fn agree(seed: &[u8; 32], peer: &[u8]) -> Option<Secret> {
    agree_by(&scalar_of(seed)?, peer)
}

fn public_of(scalar: &SecretKey) -> Vec<u8> {
    let point = scalar.public_key().to_sec1_point(false);
    point.as_bytes().iter().skip(1).copied().collect()
}

fn agree_by(scalar: &SecretKey, peer: &[u8]) -> Option<Secret> {
    let point = [&[UNCOMPRESSED], peer].concat();
    let peer = PublicKey::from_sec1_bytes(&point).ok()?;
    let scalar = Zeroizing::new(scalar.to_nonzero_scalar());
    let shared = diffie_hellman(&*scalar, peer.as_affine());
    Some(Secret::copy_of(shared.raw_secret_bytes()))
}

/// A scalar is longer than a seed, which holds all the chance that the group is worth. What is not below
/// the group's order, or zero, is none.
fn scalar_of(seed: &[u8; 32]) -> Option<SecretKey> {
    let stream = Prf::HmacSha512.prf_plus(seed, &[b"scalar of ECP-521"], FIELD_LEN);
    let mut octets = Zeroizing::new([0; FIELD_LEN]);
    octets.copy_from_slice(stream.as_bytes());
    octets[0] &= 1; // 521 bits
    SecretKey::from_slice(&octets[..]).ok()
}

#[cfg(test)]
mod tests;

//! Key encapsulation: ML-KEM (FIPS 203) as a key exchange of IKEv2 (draft-ietf-ipsecme-ikev2-mlkem).
//! The initiator sends an encapsulation key, the responder the ciphertext of the secret, so the two
//! halves are not alike as those of Diffie-Hellman are.
//!
//! All chance comes out of the seed of 32 octets that a key exchange is made from: FIPS 203 wants 64
//! for a key pair and 32 for a ciphertext, which the PRF makes of it. `ml-kem` wipes its private keys;
//! what this file makes of a seed wipes itself.

use super::{Group, KexError, Secret};
use crate::crypto::prf::Prf;
use ml_kem::array::Array;
use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::{
    B32, DecapsulationKey512, DecapsulationKey768, DecapsulationKey1024, EncapsulationKey512,
    EncapsulationKey768, EncapsulationKey1024, Seed,
};
use zeroize::{Zeroize, Zeroizing};

/// A parameter set of ML-KEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kem {
    MlKem512,
    MlKem768,
    MlKem1024,
}

/// Calls `$with` with the types of a parameter set.
macro_rules! of {
    ($kem:expr, $with:ident($($argument:expr),*)) => {
        match $kem {
            Kem::MlKem512 => $with!(DecapsulationKey512, EncapsulationKey512, $($argument),*),
            Kem::MlKem768 => $with!(DecapsulationKey768, EncapsulationKey768, $($argument),*),
            Kem::MlKem1024 => $with!(DecapsulationKey1024, EncapsulationKey1024, $($argument),*),
        }
    };
}

macro_rules! public_of {
    ($private:ty, $public:ty, $seed:expr) => {
        <$private>::from_seed($seed).encapsulation_key().to_bytes().to_vec()
    };
}

macro_rules! encapsulate {
    ($private:ty, $public:ty, $to:expr, $chance:expr) => {{
        let key = Array::try_from($to).ok()?;
        let (ciphertext, mut shared) =
            <$public>::new(&key).ok()?.encapsulate_deterministic($chance);
        let secret = Secret::copy_of(&shared);
        shared.zeroize();
        Some((ciphertext.to_vec(), secret))
    }};
}

macro_rules! decapsulate {
    ($private:ty, $public:ty, $seed:expr, $ciphertext:expr) => {{
        let mut shared = <$private>::from_seed($seed).decapsulate_slice($ciphertext).ok()?;
        let secret = Secret::copy_of(&shared);
        shared.zeroize();
        Some(secret)
    }};
}

impl Kem {
    pub(super) fn of(group: Group) -> Option<Kem> {
        match group {
            Group::MlKem512 => Some(Kem::MlKem512),
            Group::MlKem768 => Some(Kem::MlKem768),
            Group::MlKem1024 => Some(Kem::MlKem1024),
            Group::Curve25519 | Group::Ecp256 | Group::Ecp384 | Group::Ecp521 => None,
            Group::Modp1024 | Group::Modp1536 => None,
            Group::Modp2048 | Group::Modp3072 | Group::Modp4096 => None,
        }
    }

    /// Octets of an encapsulation key, and of a ciphertext (FIPS 203 §8).
    pub(super) const fn lengths(self) -> (usize, usize) {
        match self {
            Kem::MlKem512 => (800, 768),
            Kem::MlKem768 => (1184, 1088),
            Kem::MlKem1024 => (1568, 1568),
        }
    }

    /// The encapsulation key that belongs to `seed`.
    pub(super) fn public(self, seed: &[u8; 32]) -> Vec<u8> {
        let seed = key_seed(seed);
        of!(self, public_of(*seed))
    }

    /// A secret, and its ciphertext for the owner of the encapsulation key `to`.
    ///
    /// # Errors
    ///
    /// When `to` is no encapsulation key (FIPS 203 §7.2).
    pub(super) fn encapsulate(self, seed: &[u8; 32], to: &[u8]) -> Option<(Vec<u8>, Secret)> {
        let chance = Zeroizing::new(stretched::<32>(seed, b"message of ML-KEM"));
        let mut chance = B32::from(*chance);
        let made = encapsulate_with(self, &chance, to);
        chance.zeroize();
        made
    }

    /// The secret in a ciphertext. One that nobody made for us gives a secret that nobody else has.
    ///
    /// # Errors
    ///
    /// When `ciphertext` has another length.
    pub(super) fn decapsulate(self, seed: &[u8; 32], ciphertext: &[u8]) -> Option<Secret> {
        let seed = key_seed(seed);
        of!(self, decapsulate(*seed, ciphertext))
    }
}

fn encapsulate_with(kem: Kem, chance: &B32, to: &[u8]) -> Option<(Vec<u8>, Secret)> {
    of!(kem, encapsulate(to, chance))
}

/// The 64 octets d ‖ z of which a key pair is made (FIPS 203 §7.1).
fn key_seed(seed: &[u8; 32]) -> Zeroizing<Seed> {
    let octets = Zeroizing::new(stretched::<64>(seed, b"seed of ML-KEM"));
    Zeroizing::new(Seed::from(*octets))
}

fn stretched<const N: usize>(seed: &[u8; 32], purpose: &[u8]) -> [u8; N] {
    let stream = Prf::HmacSha512.prf_plus(seed, &[purpose], N);
    let mut octets = [0; N];
    octets.copy_from_slice(stream.as_bytes());
    octets
}

/// Why a key exchange of `group` with a public value of `given` octets, where `needed` are due, came
/// to nothing.
pub(super) fn refusal(group: Group, needed: usize, given: usize) -> KexError {
    match needed == given {
        true => KexError::PublicValue(group),
        false => KexError::Length { group, needed, given },
    }
}

#[cfg(test)]
mod tests;

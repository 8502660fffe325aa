//! Key exchange: Curve25519 (RFC 8031, RFC 7748), ECP-256, ECP-384 and ECP-521 (RFC 5903), the MODP
//! groups of 2048 to 4096 bits (RFC 3526), and ML-KEM (FIPS 203).
//!
//! Public values have their IKE wire form: 32 bytes for Curve25519, x ‖ y without the leading
//! 0x04 for the ECP groups (RFC 5903 §7), as many bytes as the prime has for the MODP groups, an
//! encapsulation key or a ciphertext for ML-KEM.
//!
//! Chance: all draw from the [`Random`] that they are given but ECP-256 and ECP-384, which draw from
//! `ring`'s own [`SystemRandom`], the operating system's generator, because `ring` takes no
//! other; this is the one place in the pure part that does so.
//!
//! Wiping: `x25519-dalek` wipes its scalars and shared secrets, and so do `modp` and `p521`,
//! but for what `crypto-bigint`, and `p521` of the point that holds the secret, leave on their stack;
//! `ring` wipes neither its private keys nor the shared secret on its stack. The daemon agrees on keys on
//! threads that scrub theirs.

mod ecp521;
mod kem;

use super::modp::{EXPONENT_LEN, MODP_1024, MODP_1536, MODP_2048, MODP_3072, MODP_4096, Modp};
use super::prf::Prf;
use super::secret::Secret;
use crate::random::Random;
use kem::Kem;
use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey};
use ring::rand::SystemRandom;
use std::fmt;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// A key exchange method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Curve25519, transform 31 (RFC 8031).
    Curve25519,
    /// The 256-bit random ECP group, NIST P-256, transform 19 (RFC 5903).
    Ecp256,
    /// The 384-bit random ECP group, NIST P-384, transform 20 (RFC 5903).
    Ecp384,
    /// The 521-bit random ECP group, NIST P-521, transform 21 (RFC 5903).
    Ecp521,
    /// The 2048-bit MODP group, transform 14 (RFC 3526).
    Modp2048,
    /// The 3072-bit MODP group, transform 15 (RFC 3526).
    Modp3072,
    /// The 4096-bit MODP group, transform 16 (RFC 3526).
    Modp4096,
    /// The 1024-bit MODP group, transform 2 (RFC 2409): within reach of those who can spend much
    /// (RFC 8247 §2.4: SHOULD NOT).
    Modp1024,
    /// The 1536-bit MODP group, transform 5 (RFC 3526; RFC 8247 §2.4: SHOULD NOT).
    Modp1536,
    /// ML-KEM-512, transform 35: only beside one of the others (RFC 9370).
    MlKem512,
    /// ML-KEM-768, transform 36: the same.
    MlKem768,
    /// ML-KEM-1024, transform 37: the same.
    MlKem1024,
}

impl Group {
    /// Whether a key or a secret takes less than 0.1 ms.
    pub fn is_brief(self) -> bool {
        matches!(self, Group::Curve25519 | Group::MlKem512 | Group::MlKem768 | Group::MlKem1024)
    }

    /// ML-KEM, best first: 768 is what everybody has, 1024 is wanted by some, 512 is the shortest.
    pub const KEMS: [Group; 3] = [Group::MlKem768, Group::MlKem1024, Group::MlKem512];

    /// Every method by which an IKE SA can begin.
    pub const DIFFIE_HELLMAN: [Group; 9] = [
        Group::Curve25519,
        Group::Ecp256,
        Group::Ecp384,
        Group::Ecp521,
        Group::Modp2048,
        Group::Modp3072,
        Group::Modp4096,
        Group::Modp1024,
        Group::Modp1536,
    ];

    /// Bytes of the initiator's public value on the wire.
    pub const fn public_len(self) -> usize {
        match self {
            Group::MlKem512 => Kem::MlKem512.lengths().0,
            Group::MlKem768 => Kem::MlKem768.lengths().0,
            Group::MlKem1024 => Kem::MlKem1024.lengths().0,
            Group::Curve25519 => 32,
            Group::Ecp256 => 64,
            Group::Ecp384 => 96,
            Group::Ecp521 => ecp521::PUBLIC_LEN,
            Group::Modp1024 => MODP_1024.len(),
            Group::Modp1536 => MODP_1536.len(),
            Group::Modp2048 => MODP_2048.len(),
            Group::Modp3072 => MODP_3072.len(),
            Group::Modp4096 => MODP_4096.len(),
        }
    }

    /// Bytes of the responder's public value on the wire.
    pub fn answer_len(self) -> usize {
        Kem::of(self).map_or(self.public_len(), |kem| kem.lengths().1)
    }
}

/// Why no shared secret came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KexError {
    /// The peer's public value has the wrong length for the group.
    #[error("a public value of {group:?} has {needed} bytes here, not {given}")]
    Length {
        /// The group of the exchange.
        group: Group,
        /// Bytes that it has.
        needed: usize,
        /// Bytes that the peer sent.
        given: usize,
    },
    /// The peer's public value is no point of the curve, or one that makes the secret known
    /// to everyone (RFC 5903 §9, RFC 8031 §2, RFC 6989 §2.1).
    #[error("the peer's public value is not acceptable for {0:?}")]
    PublicValue(Group),
    /// The operating system gave no randomness for a private key.
    #[error("no randomness for a private key")]
    NoRandomness,
}

/// Our half of a key exchange, good for one agreement.
pub struct KeyExchange {
    group: Group,
    private: Private,
    public: Vec<u8>,
}

enum Private {
    Curve25519(StaticSecret),
    Ecp(EphemeralPrivateKey),
    Ecp521 {
        seed: Zeroizing<[u8; 32]>,
    },
    Modp {
        group: &'static Modp,
        seed: Zeroizing<[u8; 32]>,
    },
    Kem {
        kem: Kem,
        seed: Zeroizing<[u8; 32]>,
    },
    /// No secret at all: everybody can compute what is agreed on.
    #[cfg(test)]
    Transparent(u8),
}

impl KeyExchange {
    /// A fresh private key and its public value.
    ///
    /// # Errors
    ///
    /// [`KexError::NoRandomness`] when the operating system has none to give.
    pub fn generate(group: Group, random: &mut dyn Random) -> Result<KeyExchange, KexError> {
        let mut seed = Zeroizing::new([0; 32]);
        let draws_from_the_system = matches!(group, Group::Ecp256 | Group::Ecp384);
        if !draws_from_the_system {
            random.fill(&mut *seed);
        }
        KeyExchange::from_seed(group, &seed)
    }

    /// The private key that `seed` makes, and its public value. ECP-256 and ECP-384 leave the seed
    /// aside and draw from the operating system.
    ///
    /// # Errors
    ///
    /// [`KexError::NoRandomness`] when the operating system has none to give.
    pub fn from_seed(group: Group, seed: &[u8; 32]) -> Result<KeyExchange, KexError> {
        match group {
            Group::Curve25519 => Ok(KeyExchange::curve25519(seed)),
            Group::Ecp256 => KeyExchange::ecp(group, &ECDH_P256),
            Group::Ecp384 => KeyExchange::ecp(group, &ECDH_P384),
            Group::Ecp521 => KeyExchange::ecp521(seed),
            Group::Modp1024 => Ok(KeyExchange::modp(group, &MODP_1024, seed)),
            Group::Modp1536 => Ok(KeyExchange::modp(group, &MODP_1536, seed)),
            Group::Modp2048 => Ok(KeyExchange::modp(group, &MODP_2048, seed)),
            Group::Modp3072 => Ok(KeyExchange::modp(group, &MODP_3072, seed)),
            Group::Modp4096 => Ok(KeyExchange::modp(group, &MODP_4096, seed)),
            Group::MlKem512 => Ok(KeyExchange::kem(group, Kem::MlKem512, seed)),
            Group::MlKem768 => Ok(KeyExchange::kem(group, Kem::MlKem768, seed)),
            Group::MlKem1024 => Ok(KeyExchange::kem(group, Kem::MlKem1024, seed)),
        }
    }

    /// Our half as responder, made of `seed`, and the secret that we share with the owner of the
    /// initiator's public value `peer`.
    ///
    /// # Errors
    ///
    /// As [`from_seed`](KeyExchange::from_seed) and [`agree`](KeyExchange::agree).
    pub fn respond(
        group: Group,
        seed: &[u8; 32],
        peer: &[u8],
    ) -> Result<(Vec<u8>, Secret), KexError> {
        if let Some(kem) = Kem::of(group) {
            let made = kem.encapsulate(seed, peer);
            return made.ok_or(kem::refusal(group, group.public_len(), peer.len()));
        }
        let ours = KeyExchange::from_seed(group, seed)?;
        let public = ours.public().to_vec();
        Ok((public, ours.agree(peer)?))
    }

    fn kem(group: Group, kem: Kem, seed: &[u8; 32]) -> KeyExchange {
        let private = Private::Kem { kem, seed: Zeroizing::new(*seed) };
        KeyExchange { group, private, public: kem.public(seed) }
    }

    fn curve25519(scalar: &[u8; 32]) -> KeyExchange {
        let private = StaticSecret::from(*scalar);
        let public = PublicKey::from(&private).to_bytes().to_vec();
        KeyExchange { group: Group::Curve25519, private: Private::Curve25519(private), public }
    }

    fn ecp(
        group: Group,
        algorithm: &'static agreement::Algorithm,
    ) -> Result<KeyExchange, KexError> {
        let private = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new())
            .map_err(|_| KexError::NoRandomness)?;
        let point = private.compute_public_key().map_err(|_| KexError::NoRandomness)?;
        let public = point.as_ref().iter().skip(1).copied().collect(); // without 0x04
        Ok(KeyExchange { group, private: Private::Ecp(private), public })
    }

    fn ecp521(seed: &[u8; 32]) -> Result<KeyExchange, KexError> {
        let public = ecp521::public(seed).ok_or(KexError::NoRandomness)?;
        let private = Private::Ecp521 { seed: Zeroizing::new(*seed) };
        Ok(KeyExchange { group: Group::Ecp521, private, public })
    }

    fn modp(group: Group, modp: &'static Modp, seed: &[u8; 32]) -> KeyExchange {
        let public = modp.public(&exponent_of(seed));
        let private = Private::Modp { group: modp, seed: Zeroizing::new(*seed) };
        KeyExchange { group, private, public }
    }

    /// The group of this exchange.
    pub fn group(&self) -> Group {
        self.group
    }

    /// Our public value in its wire form.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The private key, to go on with elsewhere; `None` where `ring` keeps it to itself, as it
    /// does with those of ECP-256 and ECP-384.
    pub fn private(&self) -> Option<Secret> {
        match &self.private {
            Private::Curve25519(private) => Some(Secret::copy_of(private.as_bytes())),
            Private::Ecp521 { seed } | Private::Modp { seed, .. } | Private::Kem { seed, .. } => {
                Some(Secret::copy_of(&seed[..]))
            }
            Private::Ecp(_) => None,
            #[cfg(test)]
            Private::Transparent(_) => None,
        }
    }

    /// Our half of the key exchange that [`private`](KeyExchange::private) was asked for; `None`
    /// when these are not the octets of a private key.
    pub fn from_private(group: Group, private: &Secret) -> Option<KeyExchange> {
        let seed = Zeroizing::new(<[u8; 32]>::try_from(private.as_bytes()).ok()?);
        let kept_by_ring = matches!(group, Group::Ecp256 | Group::Ecp384);
        if kept_by_ring { None } else { KeyExchange::from_seed(group, &seed).ok() }
    }

    /// The shared secret with the owner of `peer`, a public value in its wire form: that of the
    /// responder, where the two are not alike.
    ///
    /// Refused: a wrong length, a point that is not on the curve, for Curve25519 every value that
    /// leads to the all-zero secret (RFC 8031 §2, RFC 7748 §6.1), and for MODP groups 0, 1 and the
    /// prime less 1, as well as what is beyond it (RFC 6989 §2.1).
    ///
    /// # Errors
    ///
    /// [`KexError::Length`] or [`KexError::PublicValue`], as said above.
    pub fn agree(self, peer: &[u8]) -> Result<Secret, KexError> {
        let group = self.group;
        let (needed, given) = (group.answer_len(), peer.len());
        if needed != given {
            return Err(KexError::Length { group, needed, given });
        }
        match self.private {
            Private::Curve25519(private) => agree_curve25519(&private, peer),
            Private::Ecp(private) => agree_ecp(group, private, peer),
            Private::Ecp521 { seed } => {
                ecp521::agree(&seed, peer).ok_or(KexError::PublicValue(group))
            }
            Private::Modp { group: modp, seed } => {
                modp.agree(&exponent_of(&seed), peer).ok_or(KexError::PublicValue(group))
            }
            Private::Kem { kem, seed } => {
                kem.decapsulate(&seed, peer).ok_or(KexError::PublicValue(group))
            }
            #[cfg(test)]
            Private::Transparent(own) => Ok(Secret::from(vec![own ^ peer[0]; 32])),
        }
    }
}

impl fmt::Debug for KeyExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyExchange({:?}, «redacted»)", self.group)
    }
}

/// The private exponent of a seed. An exponent is longer than a seed, which holds all the chance
/// that a group of 4096 bits is worth.
fn exponent_of(seed: &[u8; 32]) -> Zeroizing<[u8; EXPONENT_LEN]> {
    let stream = Prf::HmacSha512.prf_plus(seed, &[b"exponent of MODP"], EXPONENT_LEN);
    let mut exponent = Zeroizing::new([0; EXPONENT_LEN]);
    exponent.copy_from_slice(stream.as_bytes());
    exponent
}

fn agree_curve25519(private: &StaticSecret, peer: &[u8]) -> Result<Secret, KexError> {
    let refused = KexError::PublicValue(Group::Curve25519);
    let peer = <[u8; 32]>::try_from(peer).map_err(|_| refused)?;
    let shared = private.diffie_hellman(&PublicKey::from(peer));
    if !shared.was_contributory() {
        return Err(refused);
    }
    Ok(Secret::copy_of(shared.as_bytes()))
}

fn agree_ecp(group: Group, private: EphemeralPrivateKey, peer: &[u8]) -> Result<Secret, KexError> {
    let point = [&[0x04], peer].concat();
    let peer = UnparsedPublicKey::new(private.algorithm(), point);
    agreement::agree_ephemeral(private, &peer, Secret::copy_of)
        .map_err(|_| KexError::PublicValue(group))
}

#[cfg(test)]
mod tests;

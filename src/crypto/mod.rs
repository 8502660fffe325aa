//! Algorithms: suites, PRF+, ciphers, key exchange, signatures, and secrets that wipe themselves.
//!
//! What a protocol does with them (its key schedule, its payloads, its packets) lives with the
//! protocol. The primitives come from `ring`, `x25519-dalek`, `chacha20poly1305`, `aes`, `cbc` and
//! `crypto-bigint`.
//!
//! This module is pure with one exception: `ring` generates the private keys of its ECP groups, the
//! nonces of ECDSA and the salts of RSA-PSS from its own [`ring::rand::SystemRandom`] only, because
//! its `SecureRandom` trait is sealed (see [`kex`] and [`private_key`]).
//!
//! Wiping: bytes that we own are wiped when dropped ([`secret::Secret`]). `ring` does not wipe
//! its expanded AES keys, HMAC states, ECDH scalars and Ed25519 key pairs; where such a copy
//! exists, the type that holds it says so.

#![warn(clippy::missing_errors_doc)]

pub mod aead;
pub mod cbc;
pub mod cipher;
pub mod digest;
pub mod integrity;
pub mod kex;
mod modp;
pub mod pem;
pub mod prf;
pub mod private_key;
pub mod secret;
pub mod sign;
pub mod signature;
pub mod suite;

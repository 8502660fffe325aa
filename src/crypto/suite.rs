//! Suites: which algorithms protect an IKE SA or a Child SA, with names as strongSwan writes
//! them.
//!
//! ```text
//! IKE   aes256gcm16-prfsha384-curve25519     cipher - PRF - key exchange
//!       aes256-sha256-modp2048               cipher - integrity [- PRF] - key exchange
//! ESP   aes256gcm16-curve25519-esn           cipher [- key exchange for PFS] [- esn | noesn]
//!       aes256-sha256-modp2048               cipher - integrity [- …] [- …]
//! ```
//!
//! `aes256` alone is AES-CBC, which needs an integrity algorithm; without a word for the PRF, the
//! PRF is of the same hash. The words of a suite may stand in any order; an ESP suite without
//! `esn` or `noesn` means 32-bit sequence numbers, as in strongSwan.

mod pfs;
mod words;

use super::aead::AeadAlgorithm;
use super::cbc::CbcAlgorithm;
use super::cipher::Cipher;
use super::integrity::Integrity;
use super::kex::Group;
use super::prf::Prf;
pub use pfs::default_esp_suites;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
pub use words::SuiteError;
use words::Words;

/// The algorithms of an IKE SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IkeSuite {
    /// Protects the SK payloads (RFC 7296 §3.14, RFC 5282).
    pub cipher: Cipher,
    /// Derives the keys.
    pub prf: Prf,
    /// Agrees on the shared secret.
    pub group: Group,
}

/// The algorithms of a Child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EspSuite {
    /// Protects the packets.
    pub cipher: Cipher,
    /// Whether sequence numbers have 64 bits (RFC 4303 §2.2.1).
    pub esn: bool,
    /// A fresh key exchange in CREATE_CHILD_SA, for perfect forward secrecy. The first Child SA
    /// of an IKE SA comes without (RFC 7296 §1.2).
    pub group: Option<Group>,
}

const fn ike(aead: AeadAlgorithm, prf: Prf, group: Group) -> IkeSuite {
    IkeSuite { cipher: Cipher::Aead(aead), prf, group }
}

const fn esp(aead: AeadAlgorithm, group: Option<Group>, esn: bool) -> EspSuite {
    EspSuite { cipher: Cipher::Aead(aead), esn, group }
}

/// What is offered and accepted for IKE SAs when nothing is configured, best first.
pub const DEFAULT_IKE_SUITES: &[IkeSuite] = &[
    ike(AeadAlgorithm::Aes256Gcm16, Prf::HmacSha384, Group::Curve25519),
    ike(AeadAlgorithm::ChaCha20Poly1305, Prf::HmacSha384, Group::Curve25519),
    ike(AeadAlgorithm::Aes256Gcm16, Prf::HmacSha256, Group::Curve25519),
    ike(AeadAlgorithm::Aes128Gcm16, Prf::HmacSha256, Group::Curve25519),
    ike(AeadAlgorithm::ChaCha20Poly1305, Prf::HmacSha256, Group::Curve25519),
    ike(AeadAlgorithm::Aes256Gcm16, Prf::HmacSha384, Group::Ecp384),
    ike(AeadAlgorithm::Aes256Gcm16, Prf::HmacSha512, Group::Ecp384),
    ike(AeadAlgorithm::Aes256Gcm16, Prf::HmacSha256, Group::Ecp256),
    ike(AeadAlgorithm::Aes128Gcm16, Prf::HmacSha256, Group::Ecp256),
];

/// What is offered and accepted for Child SAs when nothing is configured, best first; which groups
/// go with them, [`default_esp_suites`] says. Peers without ESN find their suite further down.
pub const DEFAULT_ESP_SUITES: &[EspSuite] = &[
    esp(AeadAlgorithm::Aes256Gcm16, Some(Group::Curve25519), true),
    esp(AeadAlgorithm::Aes256Gcm16, Some(Group::Curve25519), false),
    esp(AeadAlgorithm::Aes256Gcm16, None, true),
    esp(AeadAlgorithm::Aes256Gcm16, None, false),
    esp(AeadAlgorithm::Aes128Gcm16, None, true),
    esp(AeadAlgorithm::Aes128Gcm16, None, false),
    esp(AeadAlgorithm::ChaCha20Poly1305, None, true),
    esp(AeadAlgorithm::ChaCha20Poly1305, None, false),
];

impl fmt::Display for AeadAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AeadAlgorithm::Aes128Gcm16 => "aes128gcm16",
            AeadAlgorithm::Aes256Gcm16 => "aes256gcm16",
            AeadAlgorithm::ChaCha20Poly1305 => "chacha20poly1305",
        })
    }
}

impl fmt::Display for CbcAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CbcAlgorithm::Aes128Cbc => "aes128",
            CbcAlgorithm::Aes256Cbc => "aes256",
        })
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Integrity::HmacSha1_96 => "sha1",
            Integrity::HmacSha256_128 => "sha256",
            Integrity::HmacSha384_192 => "sha384",
            Integrity::HmacSha512_256 => "sha512",
        })
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cipher::Aead(algorithm) => algorithm.fmt(f),
            Cipher::CbcHmac(cbc, integrity) => write!(f, "{cbc}-{integrity}"),
        }
    }
}

impl fmt::Display for Prf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Prf::HmacSha1 => "prfsha1",
            Prf::HmacSha256 => "prfsha256",
            Prf::HmacSha384 => "prfsha384",
            Prf::HmacSha512 => "prfsha512",
        })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Group::Curve25519 => "curve25519",
            Group::Ecp256 => "ecp256",
            Group::Ecp384 => "ecp384",
            Group::Modp2048 => "modp2048",
            Group::Modp3072 => "modp3072",
            Group::Modp4096 => "modp4096",
        })
    }
}

impl fmt::Display for IkeSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IkeSuite { cipher, prf, group } = self;
        if cipher.integrity().map(prf_of) == Some(*prf) {
            return write!(f, "{cipher}-{group}");
        }
        write!(f, "{cipher}-{prf}-{group}")
    }
}

impl fmt::Display for EspSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cipher)?;
        if let Some(group) = self.group {
            write!(f, "-{group}")?;
        }
        f.write_str(if self.esn { "-esn" } else { "" })
    }
}

impl FromStr for IkeSuite {
    type Err = SuiteError;
    fn from_str(text: &str) -> Result<IkeSuite, SuiteError> {
        let words = Words::of_ike(text)?;
        let cipher = words.cipher()?;
        let prf = words.prf.or(cipher.integrity().map(prf_of));
        let prf = prf.ok_or_else(|| words.missing("a PRF", "prfsha384"))?;
        let group = words.group.ok_or_else(|| words.missing("a key exchange", "curve25519"))?;
        Ok(IkeSuite { cipher, prf, group })
    }
}

impl FromStr for EspSuite {
    type Err = SuiteError;
    fn from_str(text: &str) -> Result<EspSuite, SuiteError> {
        let words = Words::of_esp(text)?;
        let cipher = words.cipher()?;
        Ok(EspSuite { cipher, esn: words.esn.unwrap_or(false), group: words.group })
    }
}

/// The PRF of the hash of an integrity algorithm, which goes without saying beside it.
const fn prf_of(integrity: Integrity) -> Prf {
    match integrity {
        Integrity::HmacSha1_96 => Prf::HmacSha1,
        Integrity::HmacSha256_128 => Prf::HmacSha256,
        Integrity::HmacSha384_192 => Prf::HmacSha384,
        Integrity::HmacSha512_256 => Prf::HmacSha512,
    }
}

impl TryFrom<String> for IkeSuite {
    type Error = SuiteError;
    fn try_from(text: String) -> Result<IkeSuite, SuiteError> {
        text.parse()
    }
}

impl From<IkeSuite> for String {
    fn from(suite: IkeSuite) -> String {
        suite.to_string()
    }
}

impl TryFrom<String> for EspSuite {
    type Error = SuiteError;
    fn try_from(text: String) -> Result<EspSuite, SuiteError> {
        text.parse()
    }
}

impl From<EspSuite> for String {
    fn from(suite: EspSuite) -> String {
        suite.to_string()
    }
}

#[cfg(test)]
mod tests;

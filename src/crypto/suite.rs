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

mod additional;
mod pfs;
mod words;

use super::aead::AeadAlgorithm;
use super::cbc::CbcAlgorithm;
use super::cipher::Cipher;
use super::integrity::Integrity;
use super::kex::Group;
use super::prf::Prf;
pub use additional::{Additional, PostQuantum};
pub use pfs::default_esp_suites;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
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

/// Why algorithms are for old peers only, and nothing that anybody gets unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// HMAC-SHA1-96 or PRF_HMAC_SHA1 (RFC 8221 §6, RFC 8247 §2.2, §2.3: on their way out).
    Sha1,
    /// A MODP group of less than 2048 bits (RFC 8247 §2.4: SHOULD NOT).
    ShortGroup,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weakness::Sha1 => "SHA-1 is on its way out (RFC 8247 §2.3)",
            Weakness::ShortGroup => "a group below 2048 bits can be broken at a price",
        })
    }
}

impl IkeSuite {
    /// Why the suite is weak, if it is.
    pub fn weakness(&self) -> Option<Weakness> {
        let sha1 = is_sha1(self.cipher) || self.prf == Prf::HmacSha1;
        sha1.then_some(Weakness::Sha1).or(weakness_of(self.group))
    }
}

impl EspSuite {
    /// Why the suite is weak, if it is.
    pub fn weakness(&self) -> Option<Weakness> {
        let sha1 = is_sha1(self.cipher);
        sha1.then_some(Weakness::Sha1).or(self.group.and_then(weakness_of))
    }
}

fn is_sha1(cipher: Cipher) -> bool {
    cipher.integrity() == Some(Integrity::HmacSha1_96)
}

fn weakness_of(group: Group) -> Option<Weakness> {
    let short = matches!(group, Group::Modp1024 | Group::Modp1536);
    short.then_some(Weakness::ShortGroup)
}

/// Groups that nobody has to ask for, best first. Two ends that know each other's first do not
/// come to the slow ones. ECP-521 is for who writes it: it is slow, and nobody lacks the others.
const GROUPS: [Group; 6] = [
    Group::Curve25519,
    Group::Ecp384,
    Group::Ecp256,
    Group::Modp3072,
    Group::Modp2048,
    Group::Modp4096,
];
const AEADS: [Cipher; 3] = [
    Cipher::Aead(AeadAlgorithm::Aes256Gcm16),
    Cipher::Aead(AeadAlgorithm::ChaCha20Poly1305),
    Cipher::Aead(AeadAlgorithm::Aes128Gcm16),
];
const PRFS: [Prf; 3] = [Prf::HmacSha384, Prf::HmacSha256, Prf::HmacSha512];

/// AES-CBC with each integrity algorithm that nobody has to ask for.
fn cbcs() -> Vec<Cipher> {
    let integrities =
        [Integrity::HmacSha256_128, Integrity::HmacSha384_192, Integrity::HmacSha512_256];
    let with_each = |cbc| integrities.map(|integrity| Cipher::CbcHmac(cbc, integrity));
    [CbcAlgorithm::Aes256Cbc, CbcAlgorithm::Aes128Cbc].into_iter().flat_map(with_each).collect()
}

/// What is offered and accepted for IKE SAs when nothing is configured, best first: every
/// combination of algorithms that are not weak, AEADs before AES-CBC (RFC 8247 §2).
pub static DEFAULT_IKE_SUITES: LazyLock<Vec<IkeSuite>> = LazyLock::new(|| {
    let of = |cipher: Cipher| {
        PRFS.into_iter().flat_map(move |prf| GROUPS.map(|group| IkeSuite { cipher, prf, group }))
    };
    AEADS.into_iter().chain(cbcs()).flat_map(of).collect()
});

/// What is offered and accepted for Child SAs when nothing is configured, best first, AEADs before
/// AES-CBC (RFC 8221 §5); which groups go with them, [`default_esp_suites`] says. Peers without ESN
/// find their suite further down.
pub static DEFAULT_ESP_SUITES: LazyLock<Vec<EspSuite>> = LazyLock::new(|| {
    let of = |cipher: Cipher| [true, false].map(|esn| EspSuite { cipher, esn, group: None });
    AEADS.into_iter().chain(cbcs()).flat_map(of).collect()
});

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
            Group::Ecp521 => "ecp521",
            Group::Modp1024 => "modp1024",
            Group::Modp1536 => "modp1536",
            Group::Modp2048 => "modp2048",
            Group::Modp3072 => "modp3072",
            Group::Modp4096 => "modp4096",
            Group::MlKem512 => "mlkem512",
            Group::MlKem768 => "mlkem768",
            Group::MlKem1024 => "mlkem1024",
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

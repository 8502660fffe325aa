//! The words that a suite is written with, and what to say when one of them is wrong.

use super::super::aead::AeadAlgorithm;
use super::super::cbc::CbcAlgorithm;
use super::super::cipher::Cipher;
use super::super::integrity::Integrity;
use super::super::kex::Group;
use super::super::prf::Prf;

/// Why a text is not a suite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuiteError {
    /// A word that no suite of this kind has.
    #[error("{word:?} in suite {suite:?} is not known{}; the words of {kind} suites are {}",
        nearest.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default(),
        known.join(", "))]
    Unknown {
        /// The whole text.
        suite: String,
        /// The word.
        word: String,
        /// `IKE` or `ESP`.
        kind: &'static str,
        /// The known word that looks most like it.
        nearest: Option<&'static str>,
        /// Every known word.
        known: Vec<&'static str>,
    },
    /// Two words for the same role.
    #[error("suite {suite:?} names {role} twice")]
    Twice {
        /// The whole text.
        suite: String,
        /// What the words are for.
        role: &'static str,
    },
    /// An integrity algorithm beside an AEAD.
    #[error(
        "suite {suite:?} names {integrity} beside {aead}, which protects integrity by itself; \
        leave {integrity} out"
    )]
    Superfluous {
        /// The whole text.
        suite: String,
        /// `IKE` or `ESP`.
        kind: &'static str,
        /// The integrity algorithm.
        integrity: Integrity,
        /// The AEAD.
        aead: AeadAlgorithm,
    },
    /// No word for a role that must be filled.
    #[error("suite {suite:?} lacks {role}; add one, for example {suite:?} with \"-{example}\"")]
    Missing {
        /// The whole text.
        suite: String,
        /// What is missing.
        role: &'static str,
        /// A word that would do.
        example: &'static str,
    },
}

#[derive(Clone, Copy)]
enum Word {
    Encryption(Encryption),
    Integrity(Integrity),
    Prf(Prf),
    Group(Group),
    Esn(bool),
}

/// A cipher that may still lack its integrity algorithm.
#[derive(Clone, Copy)]
enum Encryption {
    Aead(AeadAlgorithm),
    Cbc(CbcAlgorithm),
}

const fn aead(algorithm: AeadAlgorithm) -> Word {
    Word::Encryption(Encryption::Aead(algorithm))
}

const fn cbc(algorithm: CbcAlgorithm) -> Word {
    Word::Encryption(Encryption::Cbc(algorithm))
}

const CIPHERS: [(&str, Word); 8] = [
    ("aes128gcm16", aead(AeadAlgorithm::Aes128Gcm16)),
    ("aes256gcm16", aead(AeadAlgorithm::Aes256Gcm16)),
    ("chacha20poly1305", aead(AeadAlgorithm::ChaCha20Poly1305)),
    ("aes128", cbc(CbcAlgorithm::Aes128Cbc)),
    ("aes256", cbc(CbcAlgorithm::Aes256Cbc)),
    // What strongSwan also takes for the same.
    ("aes128gcm", aead(AeadAlgorithm::Aes128Gcm16)),
    ("aes256gcm", aead(AeadAlgorithm::Aes256Gcm16)),
    ("aes256gcm128", aead(AeadAlgorithm::Aes256Gcm16)),
];
const INTEGRITIES: [(&str, Word); 4] = [
    ("sha256", Word::Integrity(Integrity::HmacSha256_128)),
    ("sha384", Word::Integrity(Integrity::HmacSha384_192)),
    ("sha512", Word::Integrity(Integrity::HmacSha512_256)),
    ("sha1", Word::Integrity(Integrity::HmacSha1_96)),
];
const PRFS: [(&str, Word); 4] = [
    ("prfsha1", Word::Prf(Prf::HmacSha1)),
    ("prfsha256", Word::Prf(Prf::HmacSha256)),
    ("prfsha384", Word::Prf(Prf::HmacSha384)),
    ("prfsha512", Word::Prf(Prf::HmacSha512)),
];
const GROUPS: [(&str, Word); 10] = [
    ("curve25519", Word::Group(Group::Curve25519)),
    ("x25519", Word::Group(Group::Curve25519)),
    ("ecp256", Word::Group(Group::Ecp256)),
    ("ecp384", Word::Group(Group::Ecp384)),
    ("ecp521", Word::Group(Group::Ecp521)),
    ("modp2048", Word::Group(Group::Modp2048)),
    ("modp3072", Word::Group(Group::Modp3072)),
    ("modp4096", Word::Group(Group::Modp4096)),
    ("modp1024", Word::Group(Group::Modp1024)),
    ("modp1536", Word::Group(Group::Modp1536)),
];
const ESN: [(&str, Word); 2] = [("esn", Word::Esn(true)), ("noesn", Word::Esn(false))];

/// Likeness below which a suggestion would confuse more than help.
const LIKENESS: f64 = 0.7;

/// A suite taken apart, each role filled at most once.
pub(super) struct Words<'a> {
    text: &'a str,
    kind: &'static str,
    encryption: Option<Encryption>,
    integrity: Option<Integrity>,
    pub(super) prf: Option<Prf>,
    pub(super) group: Option<Group>,
    pub(super) esn: Option<bool>,
}

impl<'a> Words<'a> {
    pub(super) fn of_ike(text: &'a str) -> Result<Words<'a>, SuiteError> {
        Words::parse(text, "IKE", &[&CIPHERS, &INTEGRITIES, &PRFS, &GROUPS])
    }

    pub(super) fn of_esp(text: &'a str) -> Result<Words<'a>, SuiteError> {
        Words::parse(text, "ESP", &[&CIPHERS, &INTEGRITIES, &GROUPS, &ESN])
    }

    fn parse(
        text: &'a str,
        kind: &'static str,
        vocabulary: &[&[(&'static str, Word)]],
    ) -> Result<Words<'a>, SuiteError> {
        let mut words = Words {
            text,
            kind,
            encryption: None,
            integrity: None,
            prf: None,
            group: None,
            esn: None,
        };
        for written in text.trim().split('-') {
            let lower = written.to_ascii_lowercase();
            let known = vocabulary.iter().copied().flatten();
            match known.clone().find(|(name, _)| *name == lower) {
                Some((_, word)) => words.fill(*word)?,
                None => return Err(unknown(text, written, kind, known.map(|(name, _)| *name))),
            }
        }
        Ok(words)
    }

    fn fill(&mut self, word: Word) -> Result<(), SuiteError> {
        let (role, twice) = match word {
            Word::Encryption(cipher) => ("the cipher", self.encryption.replace(cipher).is_some()),
            Word::Integrity(integrity) => {
                ("the integrity algorithm", self.integrity.replace(integrity).is_some())
            }
            Word::Prf(prf) => ("the PRF", self.prf.replace(prf).is_some()),
            Word::Group(group) => ("the key exchange", self.group.replace(group).is_some()),
            Word::Esn(esn) => ("esn or noesn", self.esn.replace(esn).is_some()),
        };
        match twice {
            true => Err(SuiteError::Twice { suite: self.text.to_owned(), role }),
            false => Ok(()),
        }
    }

    pub(super) fn cipher(&self) -> Result<Cipher, SuiteError> {
        let encryption = self.encryption.ok_or_else(|| self.missing("a cipher", "aes256gcm16"))?;
        match (encryption, self.integrity) {
            (Encryption::Aead(aead), None) => Ok(Cipher::Aead(aead)),
            (Encryption::Cbc(cbc), Some(integrity)) => Ok(Cipher::CbcHmac(cbc, integrity)),
            (Encryption::Aead(aead), Some(integrity)) => {
                let (suite, kind) = (self.text.to_owned(), self.kind);
                Err(SuiteError::Superfluous { suite, kind, integrity, aead })
            }
            (Encryption::Cbc(_), None) => Err(self.missing("an integrity algorithm", "sha256")),
        }
    }

    pub(super) fn missing(&self, role: &'static str, example: &'static str) -> SuiteError {
        SuiteError::Missing { suite: self.text.to_owned(), role, example }
    }
}

fn unknown(
    text: &str,
    word: &str,
    kind: &'static str,
    known: impl Iterator<Item = &'static str>,
) -> SuiteError {
    let known: Vec<_> = known.collect();
    let lower = word.to_ascii_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(name, &lower);
    let nearest = known
        .iter()
        .copied()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
        .filter(|name| likeness(name) >= LIKENESS);
    SuiteError::Unknown { suite: text.to_owned(), word: word.to_owned(), kind, nearest, known }
}

//! What we show of ourselves: a private key and the certificates that vouch for it.

use super::Certificate;
use crate::crypto::private_key::PrivateKey;
use crate::crypto::signature::Algorithm;

/// A private key with its certificate, and those of its issuers that peers may need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    key: PrivateKey,
    leaf: Certificate,
    issuers: Vec<Certificate>,
    padding: RsaPadding,
}

/// How an RSA key signs; a peer does not say which of the two it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaPadding {
    /// RSASSA-PSS, as RFC 8247 §3.2 wants it.
    #[default]
    Pss,
    /// RSASSA-PKCS1-v1_5, for old peers.
    Pkcs1,
}

/// Why a key and certificates do not make an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnFault {
    /// The certificate is for another key.
    #[error("the certificate {0} does not belong to the private key")]
    OtherKey(Certificate),
    /// It is an authority's, which no peer takes for a gateway's.
    #[error("{0} is the certificate of an authority, not of a gateway")]
    Authority(Certificate),
    /// It may not sign.
    #[error("the key usage of the certificate {0} has no digitalSignature")]
    KeyUsage(Certificate),
}

impl OwnCertificate {
    /// A key with the certificate that belongs to it.
    ///
    /// # Errors
    ///
    /// Why the two do not make an identity.
    pub fn new(
        key: PrivateKey,
        leaf: Certificate,
        issuers: Vec<Certificate>,
    ) -> Result<OwnCertificate, OwnFault> {
        if leaf.public_key() != key.public_key() {
            return Err(OwnFault::OtherKey(leaf));
        }
        if leaf.is_authority() {
            return Err(OwnFault::Authority(leaf));
        }
        if !leaf.signs() {
            return Err(OwnFault::KeyUsage(leaf));
        }
        Ok(OwnCertificate { key, leaf, issuers, padding: RsaPadding::default() })
    }

    /// The same, with RSA signatures in this form.
    pub fn with_padding(&self, padding: RsaPadding) -> OwnCertificate {
        OwnCertificate { padding, ..self.clone() }
    }

    /// The form of its RSA signatures.
    pub fn padding(&self) -> RsaPadding {
        self.padding
    }

    /// The algorithms by which it signs, the preferred first.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let mut all = self.key.algorithms();
        if self.padding == RsaPadding::Pkcs1 {
            all.retain(|algorithm| !matches!(algorithm, Algorithm::RsaPss(_)));
        }
        all
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The certificate that is for us.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// What a peer is sent: our certificate, then those of its issuers.
    pub fn chain(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(&self.issuers)
    }
}

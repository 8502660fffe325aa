//! Whom we believe: trust anchors, any number at once, and revocation lists.

use super::{Certificate, Crl, Malformed};
use crate::crypto::digest::sha1;
use pki_types::TrustAnchor;
use std::fmt;

/// SHA-1 of a SubjectPublicKeyInfo, by which a Certificate Request names an authority
/// (RFC 7296 §3.7). It protects nothing.
pub type KeyIdentifier = [u8; 20];

/// The authorities of which peers may show certificates, with what these have revoked.
#[derive(Debug, PartialEq, Eq)]
pub struct Trust {
    pub(super) anchors: Vec<Anchor>,
    pub(super) crls: Vec<Crl>,
}

/// An authority that we trust.
#[derive(PartialEq, Eq)]
pub(super) struct Anchor {
    pub certificate: Certificate,
    pub trusted: TrustAnchor<'static>,
    key: KeyIdentifier,
}

impl Trust {
    /// Trust in these authorities, but for what is revoked.
    ///
    /// # Errors
    ///
    /// When one of the certificates is none that can be trusted in.
    pub fn new(authorities: Vec<Certificate>, crls: Vec<Crl>) -> Result<Trust, Malformed> {
        let anchors = authorities.into_iter().map(Anchor::new).collect::<Result<_, _>>()?;
        Ok(Trust { anchors, crls })
    }

    /// The authorities.
    pub fn authorities(&self) -> impl Iterator<Item = &Certificate> {
        self.anchors.iter().map(|anchor| &anchor.certificate)
    }

    /// The revocation lists.
    pub fn crls(&self) -> &[Crl] {
        &self.crls
    }

    /// By what a Certificate Request names them.
    pub fn key_identifiers(&self) -> impl Iterator<Item = KeyIdentifier> {
        self.anchors.iter().map(|anchor| anchor.key)
    }
}

impl Anchor {
    fn new(certificate: Certificate) -> Result<Anchor, Malformed> {
        let trusted = webpki::anchor_from_trusted_cert(certificate.der())
            .map_err(|error| Malformed::because(&error))?
            .to_owned();
        let key = sha1(&[certificate.spki()]);
        Ok(Anchor { certificate, trusted, key })
    }
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.certificate.fmt(f)
    }
}

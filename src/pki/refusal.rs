//! Why a certificate does not prove who shows it, in words for an operator.

use super::{Certificate, Date};
use crate::time::WallTime;
use crate::wire::ike::Identity;

/// Why what a peer presents proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It shows no certificate.
    #[error("it shows no X.509 certificate; is one configured there, with its key?")]
    None,
    /// It shows more than anybody needs.
    #[error("it shows {certificates} certificates in {octets} octets, which is too much")]
    TooMuch {
        /// How many.
        certificates: usize,
        /// How long they are together.
        octets: usize,
    },
    /// One of them cannot be read.
    #[error("certificate {place} that it shows cannot be used: {why}")]
    Malformed {
        /// Which, from 1.
        place: usize,
        /// What is wrong with it.
        why: String,
    },
    /// One of them has expired.
    #[error("the certificate {certificate} expired on {}; renew it", Date(certificate.not_after()))]
    Expired {
        /// Which.
        certificate: Certificate,
    },
    /// One of them is not valid yet.
    #[error(
        "the certificate {certificate} is valid from {} on, and it is {} here: is this clock right?",
        Date(certificate.not_before()), Date(*now)
    )]
    NotYetValid {
        /// Which.
        certificate: Certificate,
        /// The calendar here.
        now: WallTime,
    },
    /// No authority that we trust has signed it.
    #[error(
        "its certificate {certificate} is signed by {issuer}, and `ca` has {trusted}; \
         does the peer send the certificates between the two?",
        issuer = certificate.issuer()
    )]
    UnknownIssuer {
        /// The certificate of the peer.
        certificate: Certificate,
        /// Whom we trust.
        trusted: String,
    },
    /// The certificate is for somebody else.
    #[error("its certificate is not for {identity} but for {}", names(certificate))]
    Identity {
        /// Who the peer says it is.
        identity: Identity,
        /// Its certificate.
        certificate: Certificate,
    },
    /// The authority has revoked it.
    #[error("its certificate {certificate} is revoked, or that of an issuer")]
    Revoked {
        /// The certificate of the peer.
        certificate: Certificate,
    },
    /// The list that would tell whether it is revoked is too old.
    #[error(
        "the revocation list of {issuer} should have been replaced by {}: put the newest in `crl`",
        Date(*next_update)
    )]
    CrlTooOld {
        /// Whose list.
        issuer: String,
        /// By when there was to be a newer one.
        next_update: WallTime,
    },
    /// The key is for something else than signatures.
    #[error("the key usage of its certificate {certificate} has no digitalSignature")]
    KeyUsage {
        /// The certificate of the peer.
        certificate: Certificate,
    },
    /// The certificate is for another purpose.
    #[error(
        "the extended key usage of its certificate {certificate} is for other purposes ({}) than \
         ipsecIKE, serverAuth or clientAuth",
        certificate.purposes().join(", ")
    )]
    Purpose {
        /// The certificate of the peer.
        certificate: Certificate,
    },
    /// Something else is wrong with the path to the authority.
    #[error("its certificate {certificate} does not lead to an authority: {why}")]
    Path {
        /// The certificate of the peer.
        certificate: Certificate,
        /// What is wrong.
        why: String,
    },
    /// The signature in AUTH is not that of the certificate's key.
    #[error("its signature does not fit the key of its certificate {certificate}")]
    Signature {
        /// The certificate of the peer.
        certificate: Certificate,
    },
}

/// The identities of a certificate, for people.
fn names(certificate: &Certificate) -> String {
    let names: Vec<String> = certificate.names().iter().map(ToString::to_string).collect();
    match names.is_empty() {
        true => "nobody: it has no subjectAltName".to_owned(),
        false => names.join(", "),
    }
}

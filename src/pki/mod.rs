//! Who proves by what who they are: shared secrets, raw keys, and X.509 certificates (RFC 5280) as
//! IKE uses them (RFC 4945).
//!
//! ```text
//!   trust anchor ──► CRL                    Trust: whom we believe, and whom no longer
//!        │ signs
//!        ▼
//!   intermediate ──► leaf ──► signature     Question: what a peer presents   ──► Vouched or Refusal
//! ```
//!
//! Paths, name constraints and signatures of certificates and CRLs are checked by `rustls-webpki`
//! with the primitives of `ring`. What IKE asks for besides is checked here: the identity in the
//! certificate, its key usage, its purposes, and when a CRL is too old.
//!
//! Nothing here opens a file, reads a clock or touches a payload.

#![warn(clippy::missing_errors_doc)]

mod certificate;
mod credentials;
mod crl;
mod date;
mod identifier;
mod own;
mod question;
mod refusal;
#[cfg(test)]
pub(crate) mod samples;
mod trust;

pub use certificate::{Certificate, Malformed};
pub use credentials::{Credentials, Ppk};
pub use crl::Crl;
pub use date::Date;
pub use identifier::{algorithm_of, identifier_of};
pub use own::{OwnCertificate, OwnFault, RsaPadding};
pub use question::{Question, Vouched};
pub use refusal::Refusal;
pub use trust::{KeyIdentifier, Trust};

/// The PEM label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The PEM label of a certificate revocation list.
pub const CRL: &str = "X509 CRL";

//! Certificates, as `vpnctl peers NAME` shows them.

use serde::{Deserialize, Serialize};

/// The certificates of a tunnel; none where both ends know each other otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CertificatesView {
    /// What this gateway shows to the peer.
    pub own: Option<CertificateView>,
    /// What the peer has shown, while its IKE SA stands.
    pub peer: Option<CertificateView>,
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CertificateView {
    /// Subject and serial number.
    pub certificate: String,
    /// Who has signed it; of a peer's, the authority that we trust.
    pub authority: String,
    /// When it, or one on the path to the authority, expires, in the words of RFC 3339.
    pub expires: String,
    /// The same in seconds since 1970.
    pub expires_unix_s: u64,
    /// The same from now; negative when it has expired.
    pub expires_in_s: i64,
    /// The issuer of a revocation list that should have been replaced.
    pub stale_crl: Option<String>,
}

//! Certificate revocation lists (RFC 5280 §5), from files.

use super::date::wall_time;
use crate::time::WallTime;
use std::fmt;
use std::time::Duration;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;

/// How long after its `nextUpdate` a list still serves: long enough for somebody to notice the
/// warnings and repair what fetches it.
pub(super) const GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A list of revoked certificates of one issuer. Two are equal when their octets are.
pub struct Crl {
    der: Vec<u8>,
    pub(super) list: CertRevocationList<'static>,
    issuer: String,
    next_update: Option<WallTime>,
}

impl Crl {
    /// The list in these octets of DER. Its signature is checked when a certificate is.
    ///
    /// # Errors
    ///
    /// Why they are none that can be used.
    pub fn from_der(der: &[u8]) -> Result<Crl, String> {
        let facts = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(der)
            .map_err(|error| error.to_string())?;
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| error.to_string())?;
        Ok(Crl {
            der: der.to_vec(),
            list: list.into(),
            issuer: facts.tbs_cert_list.issuer.to_string(),
            next_update: facts.tbs_cert_list.next_update.map(wall_time),
        })
    }

    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Who has signed it, as RFC 4514 writes it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// By when there is to be a newer one, if it says so.
    pub fn next_update(&self) -> Option<WallTime> {
        self.next_update
    }

    /// Whether there should be a newer one.
    pub fn is_stale(&self, at: WallTime) -> bool {
        self.next_update.is_some_and(|next| next < at)
    }

    /// Whether it is too old to tell anything.
    pub fn is_useless(&self, at: WallTime) -> bool {
        self.next_update.is_some_and(|next| next + GRACE < at)
    }
}

impl PartialEq for Crl {
    fn eq(&self, other: &Crl) -> bool {
        self.der == other.der
    }
}

impl Eq for Crl {}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl(of {})", self.issuer)
    }
}

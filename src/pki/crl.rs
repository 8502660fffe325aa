//! Certificate revocation lists (RFC 5280 §5), from files.

use super::date::wall_time;
use crate::time::WallTime;
use std::fmt;
use std::time::Duration;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::der::Decode;

/// How long after its `nextUpdate` a list still serves: long enough for somebody to notice the
/// warnings and repair what fetches it.
pub(super) const GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A list of revoked certificates of one issuer. Two are equal when their octets are.
pub struct Crl {
    der: Vec<u8>,
    pub(super) list: CertRevocationList<'static>,
    issuer: String,
    this_update: WallTime,
    next_update: Option<WallTime>,
}

impl Crl {
    /// The list in these octets of DER. Its signature is checked when a certificate is.
    ///
    /// # Errors
    ///
    /// Why they are none that can be used.
    pub fn from_der(der: &[u8]) -> Result<Crl, String> {
        let facts = CertificateList::<Rfc5280>::from_der(der).map_err(|error| error.to_string())?;
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| error.to_string())?;
        Ok(Crl {
            der: der.to_vec(),
            list: list.into(),
            issuer: facts.tbs_cert_list.issuer.to_string(),
            this_update: wall_time(facts.tbs_cert_list.this_update),
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

    /// When it was made.
    pub fn this_update(&self) -> WallTime {
        self.this_update
    }

    /// What it revokes: serial numbers in hexadecimal, and since when.
    ///
    /// # Errors
    ///
    /// When its octets cannot be read any more.
    pub fn revoked(&self) -> Result<Vec<(String, WallTime)>, String> {
        let list = CertificateList::<Rfc5280>::from_der(&self.der);
        let entries = list.map_err(|error| error.to_string())?.tbs_cert_list.revoked_certificates;
        let entry = |entry: RevokedCert| {
            (entry.serial_number.to_string(), wall_time(entry.revocation_date))
        };
        Ok(entries.unwrap_or_default().into_iter().map(entry).collect())
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

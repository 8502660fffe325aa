//! CERT and CERTREQ payloads (RFC 7296 §3.6, §3.7).
//!
//! Certificates are taken as they are (encoding 4), our own first and those of its issuers behind
//! it. "Hash and URL" would have us fetch what a stranger names, and is neither asked for nor taken.

use super::super::limits;
use super::super::payloads::Payloads;
use super::super::state::{State, StateReader, StateWriter};
use crate::pki::{Credentials, KeyIdentifier, Question, Refusal, Trust, Vouched};
use crate::time::WallTime;
use crate::wire::DecodeError;
use crate::wire::ike::{CertEncoding, Certificate, Identity, Payload};
use std::sync::Arc;

/// The certificates that came with an AUTH payload, and when.
#[derive(Clone, Debug)]
pub(in super::super) struct Shown {
    certificates: Result<Arc<[Vec<u8>]>, Refusal>,
    at: WallTime,
}

impl Shown {
    /// What stands in these payloads.
    pub(crate) fn in_payloads(payloads: Payloads<'_>, at: WallTime) -> Shown {
        let x509 = |cert: &&Certificate| cert.encoding == CertEncoding::X509_SIGNATURE;
        let all: Vec<&Certificate> = payloads.certificates().filter(x509).collect();
        let octets = all.iter().map(|cert| cert.data.len()).sum();
        let certificates = match (all.len(), octets) {
            (..=limits::CERTIFICATES, ..=limits::CERTIFICATE_OCTETS) => {
                Ok(all.into_iter().map(|cert| cert.data.clone()).collect())
            }
            (certificates, octets) => Err(Refusal::TooMuch { certificates, octets }),
        };
        Shown { certificates, at }
    }

    /// What is to be found out about them.
    ///
    /// # Errors
    ///
    /// When they are too many to be looked at.
    pub(crate) fn question(
        &self,
        trust: Arc<Trust>,
        identity: Identity,
    ) -> Result<Question, Refusal> {
        let presented = self.certificates.clone()?;
        Ok(Question { trust, presented, identity, at: self.at })
    }
}

/// Our certificate and those of its issuers; nothing when there is none.
pub(in super::super) fn own_certificates(credentials: &Credentials) -> Vec<Payload> {
    let Credentials::Certificate { own, .. } = credentials else { return Vec::new() };
    let payload = |data: &[u8]| {
        Payload::Certificate(Certificate {
            encoding: CertEncoding::X509_SIGNATURE,
            data: data.to_vec(),
        })
    };
    own.chain().map(|certificate| payload(certificate.der())).collect()
}

/// A request for certificates of these authorities; nothing when there are none.
pub(in super::super) fn request(
    authorities: impl IntoIterator<Item = KeyIdentifier>,
) -> Option<Payload> {
    let names: Vec<u8> =
        authorities.into_iter().take(limits::NAMED_AUTHORITIES).flatten().collect();
    (!names.is_empty()).then(|| {
        let encoding = CertEncoding::X509_SIGNATURE;
        Payload::CertificateRequest(Certificate { encoding, data: names })
    })
}

/// What the peer has shown, so that it can be looked at again.
impl State for Arc<Vouched> {
    fn write(&self, out: &mut StateWriter) {
        self.presented().to_vec().write(out);
        self.authority().der().to_vec().write(out);
        self.expires().as_unix_micros().write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (presented, authority) = <(Vec<Vec<u8>>, Vec<u8>)>::read(from)?;
        let expires = WallTime::from_unix_micros(u64::read(from)?);
        let vouched = Vouched::restored(presented.into(), &authority, expires);
        vouched.map(Arc::new).map_err(|_| from.invalid("a certificate that is none"))
    }
}

#[cfg(test)]
mod tests;

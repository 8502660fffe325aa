//! Does what a peer presents prove that it is who it says it is? Public-key work: for a job.
//!
//! Checked in this order, so that the first thing an operator would correct is named: the
//! certificate itself, whom it is for (RFC 4945 §3.1), its dates, its key usage (§5.1.3.2), then the
//! path to a trust anchor (RFC 5280 §6) with purposes and revocation.

use super::date::unix_time;
use super::identifier::verifiers;
use super::trust::Anchor;
use super::{Certificate, Crl, Malformed, Refusal, Trust};
use crate::crypto::signature::Algorithm;
use crate::time::WallTime;
use crate::wire::ike::Identity;
use pki_types::{CertificateDer, TrustAnchor};
use std::sync::Arc;
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

/// What a peer presents, and at what it is measured.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whom we believe.
    pub trust: Arc<Trust>,
    /// What the peer has sent: its own certificate first, then others in any order.
    pub presented: Arc<[Vec<u8>]>,
    /// Who it says it is.
    pub identity: Identity,
    /// The calendar.
    pub at: WallTime,
}

/// A certificate that a trust anchor vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    certificate: Certificate,
    presented: Arc<[Vec<u8>]>,
    authority: Certificate,
    expires: WallTime,
    stale_crl: Option<String>,
}

/// The purposes that a certificate for IKE may have, if it has any: anyExtendedKeyUsage, serverAuth,
/// clientAuth, ipsecIKE and the obsolete ipsecEndSystem and ipsecTunnel (RFC 4945 §5.1.3.12).
const PURPOSES: [&[usize]; 6] = [
    &[2, 5, 29, 37, 0],
    &[1, 3, 6, 1, 5, 5, 7, 3, 1],
    &[1, 3, 6, 1, 5, 5, 7, 3, 2],
    &[1, 3, 6, 1, 5, 5, 7, 3, 17],
    &[1, 3, 6, 1, 5, 5, 7, 3, 5],
    &[1, 3, 6, 1, 5, 5, 7, 3, 6],
];

/// Any of [`PURPOSES`], or none named.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let mut named = false;
        for purpose in purposes {
            named = true;
            if PURPOSES.contains(&purpose?.to_decoded_oid().as_slice()) {
                return Ok(());
            }
        }
        if named { Err(Error::EmptyEkuExtension) } else { Ok(()) }
    }
}

impl Question {
    /// Whether the certificates prove the identity, to whoever has the key of the first.
    ///
    /// # Errors
    ///
    /// Why they do not.
    pub fn answer(&self) -> Result<Vouched, Refusal> {
        let first = self.presented.first().ok_or(Refusal::None)?;
        let certificate = read(first, 1)?;
        self.examine(&certificate)?;
        let (authority, issuers, expires) = self.path_of(&certificate)?;
        let stale_crl = self.check_lists(&issuers)?;
        let presented = self.presented.clone();
        Ok(Vouched { certificate, presented, authority, expires, stale_crl })
    }

    /// What can be told without any other certificate.
    fn examine(&self, certificate: &Certificate) -> Result<(), Refusal> {
        let refused = || certificate.clone();
        if !certificate.is_for(&self.identity) {
            let identity = self.identity.clone();
            return Err(Refusal::Identity { identity, certificate: refused() });
        }
        self.check_dates(certificate)?;
        if !certificate.signs() {
            return Err(Refusal::KeyUsage { certificate: refused() });
        }
        Ok(())
    }

    fn check_dates(&self, certificate: &Certificate) -> Result<(), Refusal> {
        if certificate.not_after() < self.at {
            return Err(Refusal::Expired { certificate: certificate.clone() });
        }
        if self.at < certificate.not_before() {
            let certificate = certificate.clone();
            return Err(Refusal::NotYetValid { certificate, now: self.at });
        }
        Ok(())
    }

    /// The authority at the end of the path, the issuers on it, and when the first certificate on
    /// it expires.
    fn path_of(
        &self,
        certificate: &Certificate,
    ) -> Result<(Certificate, Vec<String>, WallTime), Refusal> {
        let refuse = |error: Error| self.explain(certificate, &error);
        let end = EndEntityCert::try_from(certificate.der()).map_err(refuse)?;
        let anchors: Vec<TrustAnchor<'_>> =
            self.trust.anchors.iter().map(|anchor| anchor.trusted.clone()).collect();
        let others: Vec<CertificateDer<'_>> =
            self.presented[1..].iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let lists: Vec<&CertRevocationList<'_>> =
            self.trust.crls.iter().map(|crl| &crl.list).collect();
        let revocation = RevocationOptionsBuilder::new(&lists)
            .ok()
            .map(|options| options.with_status_policy(UnknownStatusPolicy::Allow).build());
        let path = end
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &anchors,
                &others,
                unix_time(self.at),
                AnyPurpose,
                revocation,
                Some(&only_authorities),
            )
            .map_err(refuse)?;
        let anchor = anchor_of(&path, &anchors, &self.trust.anchors);
        let authority = anchor.ok_or(Error::UnknownIssuer).map_err(refuse)?;
        self.check_dates(&authority.certificate)?;
        let (mut issuers, mut expires) =
            (vec![certificate.issuer().to_owned()], certificate.not_after());
        for between in path.intermediate_certificates() {
            let between = read(&between.der(), 2)?;
            issuers.push(between.issuer().to_owned());
            expires = expires.min(between.not_after());
        }
        let expires = expires.min(authority.certificate.not_after());
        Ok((authority.certificate.clone(), issuers, expires))
    }

    /// Whether the lists of the issuers on the path are new enough; the issuer of one that is
    /// about not to be.
    fn check_lists(&self, issuers: &[String]) -> Result<Option<String>, Refusal> {
        let concerned = |crl: &&Crl| issuers.iter().any(|issuer| issuer == crl.issuer());
        let mut newest: Vec<&Crl> = self.trust.crls.iter().filter(concerned).collect();
        // Of several lists of one issuer the newest counts.
        newest.sort_by(|one, other| {
            let of = |crl: &Crl| (crl.issuer().to_owned(), std::cmp::Reverse(crl.next_update()));
            of(one).cmp(&of(other))
        });
        newest.dedup_by(|one, other| one.issuer() == other.issuer());
        let mut stale = None;
        for crl in newest {
            if let Some(next_update) = crl.next_update().filter(|_| crl.is_useless(self.at)) {
                return Err(Refusal::CrlTooOld { issuer: crl.issuer().to_owned(), next_update });
            }
            if crl.is_stale(self.at) {
                stale = Some(crl.issuer().to_owned());
            }
        }
        Ok(stale)
    }

    /// What `webpki` found, in words for an operator.
    fn explain(&self, certificate: &Certificate, error: &Error) -> Refusal {
        let certificate = certificate.clone();
        match error {
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
                let others = self.presented[1..].iter().filter_map(|der| read(der, 2).ok());
                let refused = others.map(|other| self.check_dates(&other)).find(Result::is_err);
                refused.and_then(Result::err).unwrap_or(Refusal::Expired { certificate })
            }
            Error::UnknownIssuer => Refusal::UnknownIssuer { certificate, trusted: self.trusted() },
            Error::CertRevoked => Refusal::Revoked { certificate },
            Error::EmptyEkuExtension => Refusal::Purpose { certificate },
            Error::EndEntityUsedAsCa => {
                let why = "what has signed it may not sign certificates".to_owned();
                Refusal::Path { certificate, why }
            }
            other => Refusal::Path { certificate, why: other.to_string() },
        }
    }

    fn trusted(&self) -> String {
        let names: Vec<String> = self.trust.authorities().map(ToString::to_string).collect();
        names.join(", ")
    }
}

/// `webpki` looks at the basic constraints of issuers alone; their key usage counts too (RFC 5280
/// §6.1.4 (n)).
fn only_authorities(path: &VerifiedPath<'_>) -> Result<(), Error> {
    let may_sign = |issuer: &webpki::Cert<'_>| {
        read(&issuer.der(), 2).is_ok_and(|issuer| issuer.is_authority())
    };
    match path.intermediate_certificates().all(may_sign) {
        true => Ok(()),
        false => Err(Error::EndEntityUsedAsCa),
    }
}

fn read(der: &[u8], place: usize) -> Result<Certificate, Refusal> {
    let malformed = |error: Malformed| Refusal::Malformed { place, why: error.to_string() };
    Certificate::from_der(der).map_err(malformed)
}

/// Which of our anchors a path ends at.
fn anchor_of<'t>(
    path: &VerifiedPath<'_>,
    anchors: &[TrustAnchor<'_>],
    ours: &'t [Anchor],
) -> Option<&'t Anchor> {
    let place = anchors.iter().position(|anchor| std::ptr::eq(anchor, path.anchor()))?;
    ours.get(place)
}

impl Vouched {
    /// What another process had found, with what the peer has shown to it.
    ///
    /// # Errors
    ///
    /// When there are no certificates where they should be.
    pub fn restored(
        presented: Arc<[Vec<u8>]>,
        authority: &[u8],
        expires: WallTime,
    ) -> Result<Vouched, Malformed> {
        let certificate = Certificate::from_der(presented.first().map_or(&[], Vec::as_slice))?;
        let authority = Certificate::from_der(authority)?;
        Ok(Vouched { certificate, presented, authority, expires, stale_crl: None })
    }

    /// The certificate of the peer.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What the peer has sent, for another look later.
    pub fn presented(&self) -> &Arc<[Vec<u8>]> {
        &self.presented
    }

    /// The authority that we trust.
    pub fn authority(&self) -> &Certificate {
        &self.authority
    }

    /// When the first certificate on the path expires.
    pub fn expires(&self) -> WallTime {
        self.expires
    }

    /// The issuer of a revocation list on the path that should have been replaced.
    pub fn stale_crl(&self) -> Option<&str> {
        self.stale_crl.as_deref()
    }

    /// Whether `signature` over `message` was made with the key of the certificate.
    ///
    /// # Errors
    ///
    /// When it was not.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        let refused = || Refusal::Signature { certificate: self.certificate.clone() };
        let end = EndEntityCert::try_from(self.certificate.der()).map_err(|_| refused())?;
        let fits = verifiers(algorithm)
            .iter()
            .any(|verifier| end.verify_signature(*verifier, message, signature).is_ok());
        if fits { Ok(()) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests;

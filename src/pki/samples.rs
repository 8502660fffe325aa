//! Authorities and certificates for tests, made the way `vpnctl ca` makes them, and in ways that no
//! authority should.

use super::{Certificate, Credentials, Crl, OwnCertificate, Trust};
use crate::crypto::pem;
use crate::crypto::private_key::PrivateKey;
use crate::time::WallTime;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, SignatureAlgorithm,
};
use std::sync::Arc;
use std::time::Duration;

/// A point of the calendar as `rcgen` has it, whose type belongs to a crate that we do not name.
macro_rules! date {
    ($at:expr) => {
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_micros($at.as_unix_micros())
    };
}

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// An authority, valid for ten years from the beginning of simulations.
pub(crate) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

/// A certificate to be made.
pub(crate) struct Leaf<'l> {
    /// Of its subjectAltName.
    pub names: &'l [&'l str],
    pub from: WallTime,
    pub until: WallTime,
    pub usages: Vec<KeyUsagePurpose>,
    pub purposes: Vec<ExtendedKeyUsagePurpose>,
    pub algorithm: &'static SignatureAlgorithm,
    pub serial: u64,
}

impl<'l> Leaf<'l> {
    /// For these names, for thirty days from the beginning of simulations.
    pub(crate) fn of(names: &'l [&'l str]) -> Self {
        Leaf {
            names,
            from: WallTime::SIMULATED,
            until: WallTime::SIMULATED + 30 * DAY,
            usages: vec![KeyUsagePurpose::DigitalSignature],
            purposes: vec![ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 17])],
            algorithm: &rcgen::PKCS_ECDSA_P256_SHA256,
            serial: 7,
        }
    }
}

/// What has a private key.
pub(crate) struct Issued {
    pub key: PrivateKey,
    pub certificate: Certificate,
}

impl Authority {
    /// An authority that has signed itself.
    pub(crate) fn new(name: &str) -> Authority {
        let params = authority_params(name);
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Authority { params, key, certificate }
    }

    /// An authority below this one.
    pub(crate) fn below(&self, name: &str) -> Authority {
        self.below_with(name, vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign])
    }

    /// One whose key is for something else, perhaps.
    pub(crate) fn below_with(&self, name: &str, usages: Vec<KeyUsagePurpose>) -> Authority {
        let mut params = authority_params(name);
        params.key_usages = usages;
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer()).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Authority { params, key, certificate }
    }

    pub(crate) fn certificate(&self) -> Certificate {
        self.certificate.clone()
    }

    pub(crate) fn issue(&self, leaf: Leaf<'_>) -> Issued {
        self.issue_with_key(leaf).0
    }

    /// The same, with the private key as a PEM file has it.
    pub(crate) fn issue_with_key(&self, leaf: Leaf<'_>) -> (Issued, String) {
        let names: Vec<String> = leaf.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = named(leaf.names.first().copied().unwrap_or("nobody"));
        (params.not_before, params.not_after) = (date!(leaf.from), date!(leaf.until));
        params.serial_number = Some(SerialNumber::from(leaf.serial));
        params.key_usages = leaf.usages;
        params.extended_key_usages = leaf.purposes;
        let key = KeyPair::generate_for(leaf.algorithm).unwrap();
        let made = params.signed_by(&key, &self.issuer()).unwrap();
        let issued = Issued {
            key: PrivateKey::from_pkcs8_der(key.serialized_der()).unwrap(),
            certificate: Certificate::from_der(made.der()).unwrap(),
        };
        (issued, pem::encode(key.serialized_der(), "PRIVATE KEY").to_string())
    }

    /// A list of revoked serial numbers, to be replaced after so long.
    pub(crate) fn revoke(&self, serials: &[u64], next_update: WallTime) -> Crl {
        self.revoke_at(serials, WallTime::SIMULATED, next_update)
    }

    /// The same, made at another time.
    pub(crate) fn revoke_at(
        &self,
        serials: &[u64],
        this_update: WallTime,
        next_update: WallTime,
    ) -> Crl {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date!(WallTime::SIMULATED),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date!(this_update),
            next_update: date!(next_update),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Crl::from_der(list.signed_by(&self.issuer()).unwrap().der()).unwrap()
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

/// What one side shows, of an authority, and believes.
pub(crate) fn credentials(own: Issued, trust: Trust) -> Credentials {
    let own = OwnCertificate::new(own.key, own.certificate, Vec::new()).unwrap();
    Credentials::Certificate { own: Arc::new(own), trust: Arc::new(trust) }
}

/// Both sides of a connection, of the same authority.
pub(crate) fn credential_pair(
    authority: &Authority,
    names: [&str; 2],
) -> (Credentials, Credentials) {
    let [one, other] = names.map(|name| {
        let trust = Trust::new(vec![authority.certificate()], Vec::new()).unwrap();
        credentials(authority.issue(Leaf::of(&[name])), trust)
    });
    (one, other)
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) =
        (date!(WallTime::SIMULATED), date!(WallTime::SIMULATED + 3650 * DAY));
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CommonName, name);
    dn
}

//! Certificates as strangers show them, and revocation lists.
//!
//! The authority is always the same: its key is fixed, and Ed25519 signs without chance.

use crate::crypto::private_key::PrivateKey;
use crate::crypto::sign::SigningKey;
use crate::crypto::signature::{Algorithm, Hash};
use crate::pki::{Certificate, Crl, Question, Trust};
use crate::time::WallTime;
use pki_types::PrivatePkcs8KeyDer;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Whom the gateway under test trusts.
static TRUST: LazyLock<Arc<Trust>> = LazyLock::new(|| {
    let [authority, ..] = chain();
    let list = Crl::from_der(&list()).expect("a list");
    let authority = Certificate::from_der(&authority).expect("an authority");
    Arc::new(Trust::new(vec![authority], vec![list]).expect("it can be trusted"))
});

/// Certificates, each behind two octets of its length: refused with a sentence, or vouched for;
/// nothing else is believed of their signatures.
pub fn certificate_chain(bytes: &[u8]) {
    let presented = parts(bytes);
    for der in &presented {
        if let Ok(certificate) = Certificate::from_der(der) {
            assert!(!certificate.to_string().is_empty());
        }
    }
    let identity = "gw.example".parse().expect("a name");
    let question = Question {
        trust: TRUST.clone(),
        presented: presented.into(),
        identity,
        at: WallTime::SIMULATED,
    };
    match question.answer() {
        Ok(vouched) => {
            for algorithm in [Algorithm::Ed25519, Algorithm::RsaPss(Hash::Sha256)] {
                assert!(vouched.verify(algorithm, b"octets", &[7; 64]).is_err());
            }
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// A list that can be read says what it revokes.
pub fn revocation_list(bytes: &[u8]) {
    if let Ok(list) = Crl::from_der(bytes) {
        assert!(list.revoked().is_ok());
        assert!(!list.is_useless(WallTime::SIMULATED) || list.is_stale(WallTime::SIMULATED));
    }
}

/// A private key that can be read signs.
pub fn private_key(bytes: &[u8]) {
    let from_pem = PrivateKey::from_pem(&String::from_utf8_lossy(bytes));
    for key in from_pem.into_iter().chain(PrivateKey::from_pkcs8_der(bytes)) {
        let algorithm = key.algorithms()[0];
        assert!(key.sign(algorithm, b"octets").is_ok());
    }
}

fn parts(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (part, rest) = rest.split_at(rest.len().min(u16::from_be_bytes(*length).into()));
        parts.push(part.to_vec());
        bytes = rest;
    }
    parts
}

fn key(seed: u8) -> KeyPair {
    let pem = SigningKey::from_seed(&[seed; 32]).to_pkcs8_pem();
    let der = crate::crypto::pem::decode(&pem, "PRIVATE KEY").expect("our own encoding");
    KeyPair::try_from(&PrivatePkcs8KeyDer::from(der)).expect("a key")
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

fn authority(name: &str, serial: u64) -> CertificateParams {
    let mut params = params(name, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The authority, one below it, and a certificate of each for the gateway.
pub(super) fn chain() -> [Vec<u8>; 4] {
    let (root, between) = (authority("root.example", 1), authority("between.example", 2));
    let (root_key, between_key, own) = (key(1), key(2), key(3));
    let (by_root, by_between) =
        (Issuer::from_params(&root, &root_key), Issuer::from_params(&between, &between_key));
    let made = [
        root.self_signed(&root_key),
        between.signed_by(&between_key, &by_root),
        params("gw.example", 3).signed_by(&own, &by_root),
        params("gw.example", 4).signed_by(&own, &by_between),
    ];
    made.map(|certificate| certificate.expect("it can be made").der().to_vec())
}

/// A list of the authority.
pub(super) fn list() -> Vec<u8> {
    let root = authority("root.example", 1);
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(99),
        revocation_time: rcgen::date_time_ymd(2024, 6, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2024, 6, 1),
        next_update: rcgen::date_time_ymd(2024, 6, 1) + Duration::from_secs(365 * 24 * 3600),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let signed = list.signed_by(&Issuer::from_params(&root, &key(1)));
    signed.expect("it can be signed").der().to_vec()
}

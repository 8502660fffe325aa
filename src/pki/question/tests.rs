use super::super::samples::{Authority, DAY, Issued, Leaf};
use super::*;
use crate::crypto::signature::Hash;
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};

const GATEWAY: &str = "branch.example.com";

fn trust(anchors: &[&Authority], crls: Vec<Crl>) -> Arc<Trust> {
    let anchors = anchors.iter().map(|authority| authority.certificate()).collect();
    Arc::new(Trust::new(anchors, crls).unwrap())
}

fn at(days: u32) -> WallTime {
    WallTime::SIMULATED + days * DAY
}

fn ask(trust: &Arc<Trust>, shown: &[&Certificate], identity: &str, at: WallTime) -> Question {
    Question {
        trust: trust.clone(),
        presented: shown.iter().map(|certificate| certificate.der().to_vec()).collect(),
        identity: identity.parse().unwrap(),
        at,
    }
}

/// What comes of showing one certificate of `authority`, one day after it was made.
fn shown(authority: &Authority, leaf: Leaf<'_>, identity: &str) -> Result<Vouched, Refusal> {
    let Issued { certificate, .. } = authority.issue(leaf);
    ask(&trust(&[authority], Vec::new()), &[&certificate], identity, at(1)).answer()
}

#[test]
fn a_certificate_of_an_authority_proves_the_names_that_it_has() {
    let authority = Authority::new("test CA");
    let names = [GATEWAY, "192.0.2.7", "2001:db8::7"];
    for identity in names.into_iter().chain(["BRANCH.example.COM"]) {
        let vouched = shown(&authority, Leaf::of(&names), identity).unwrap();
        assert_eq!(vouched.authority(), &authority.certificate());
        assert_eq!(vouched.expires(), at(30));
    }
    for identity in ["hq.example.com", "192.0.2.8", "keyid:branch", "vpn@branch.example.com"] {
        let refused = shown(&authority, Leaf::of(&names), identity).unwrap_err();
        assert!(matches!(refused, Refusal::Identity { .. }), "{refused}");
        let words = refused.to_string();
        assert!(words.contains("branch.example.com, 192.0.2.7, 2001:db8::7"), "{words}");
    }
}

#[test]
fn a_subject_is_an_identity() {
    let authority = Authority::new("test CA");
    let Issued { certificate, .. } = authority.issue(Leaf::of(&[GATEWAY]));
    let subject = certificate.names().last().unwrap().clone();
    assert_eq!(subject.to_string(), "dn:CN=branch.example.com");
    assert_eq!(subject, "dn:CN=branch.example.com".parse().unwrap());
    let question = ask(&trust(&[&authority], Vec::new()), &[&certificate], GATEWAY, at(1));
    assert!(Question { identity: subject, ..question }.answer().is_ok());
}

#[test]
fn dates_are_kept_and_named() {
    let authority = Authority::new("test CA");
    let Issued { certificate, .. } =
        authority.issue(Leaf { from: at(1), until: at(2), ..Leaf::of(&[GATEWAY]) });
    let trust = trust(&[&authority], Vec::new());
    let on = |at| ask(&trust, &[&certificate], GATEWAY, at).answer();
    let early = on(at(0)).unwrap_err().to_string();
    assert!(early.contains("valid from 2025-01-02T00:00:00Z on"), "{early}");
    assert!(early.contains("2025-01-01T00:00:00Z here: is this clock right?"), "{early}");
    assert!(on(at(1)).is_ok() && on(at(2)).is_ok());
    let late = on(at(3)).unwrap_err().to_string();
    assert!(late.contains("expired on 2025-01-03T00:00:00Z"), "{late}");
}

#[test]
fn an_authority_that_has_expired_vouches_for_nobody() {
    let authority = Authority::new("test CA");
    let long = Leaf { until: at(5000), ..Leaf::of(&[GATEWAY]) };
    let Issued { certificate, .. } = authority.issue(long);
    let trust = trust(&[&authority], Vec::new());
    assert!(ask(&trust, &[&certificate], GATEWAY, at(3650)).answer().is_ok());
    let refused = ask(&trust, &[&certificate], GATEWAY, at(3651)).answer().unwrap_err();
    let Refusal::Expired { certificate } = &refused else { panic!("{refused}") };
    assert_eq!(*certificate, authority.certificate());
}

#[test]
fn a_stranger_is_told_whom_we_trust() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let Issued { certificate, .. } = theirs.issue(Leaf::of(&[GATEWAY]));
    let asked = ask(&trust(&[&ours], Vec::new()), &[&certificate], GATEWAY, at(1));
    let refused = asked.answer().unwrap_err();
    assert!(matches!(refused, Refusal::UnknownIssuer { .. }), "{refused}");
    let words = refused.to_string();
    assert!(words.contains("signed by CN=theirs") && words.contains("CN=ours"), "{words}");
}

/// While authorities are being replaced, both vouch.
#[test]
fn several_authorities_are_trusted_at_once() {
    let (old, new) = (Authority::new("CA"), Authority::new("CA"));
    let both = trust(&[&old, &new], Vec::new());
    for authority in [&old, &new] {
        let Issued { certificate, .. } = authority.issue(Leaf::of(&[GATEWAY]));
        let vouched = ask(&both, &[&certificate], GATEWAY, at(1)).answer().unwrap();
        assert_eq!(vouched.authority(), &authority.certificate());
    }
}

#[test]
fn a_chain_leads_over_what_the_peer_shows_in_any_order() {
    let root = Authority::new("root");
    let between = root.below("between");
    let other = root.below("other");
    let Issued { certificate, .. } = between.issue(Leaf::of(&[GATEWAY]));
    let trust = trust(&[&root], Vec::new());
    let (between, other) = (between.certificate(), other.certificate());
    for shown in [&[&certificate, &between][..], &[&certificate, &other, &between]] {
        let vouched = ask(&trust, shown, GATEWAY, at(1)).answer().unwrap();
        assert_eq!(vouched.certificate(), &certificate);
    }
    let missing = ask(&trust, &[&certificate, &other], GATEWAY, at(1)).answer();
    assert!(matches!(missing, Err(Refusal::UnknownIssuer { .. })), "{missing:?}");
    let none = Question { presented: Arc::from([]), ..ask(&trust, &[], GATEWAY, at(1)) }.answer();
    assert_eq!(none, Err(Refusal::None));
}

/// RFC 5280 §6.1.4 (n): a certificate between must have keyCertSign, if its key usage is limited.
#[test]
fn what_may_not_sign_certificates_leads_nowhere() {
    let root = Authority::new("root");
    let between = root.below_with("between", vec![KeyUsagePurpose::DigitalSignature]);
    let Issued { certificate, .. } = between.issue(Leaf::of(&[GATEWAY]));
    let trust = trust(&[&root], Vec::new());
    let refused = ask(&trust, &[&certificate, &between.certificate()], GATEWAY, at(1)).answer();
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("may not sign certificates"), "{refused}");
    let unlimited = root.below_with("between", Vec::new());
    let Issued { certificate, .. } = unlimited.issue(Leaf::of(&[GATEWAY]));
    let shown = [&certificate, &unlimited.certificate()];
    assert!(ask(&trust, &shown, GATEWAY, at(1)).answer().is_ok());
}

#[test]
fn purposes_that_occur_with_gateways_are_taken_and_others_are_not() {
    let authority = Authority::new("test CA");
    let ipsec_ike = ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 17]);
    for purposes in [
        vec![],
        vec![ipsec_ike.clone()],
        vec![ExtendedKeyUsagePurpose::ServerAuth],
        vec![ExtendedKeyUsagePurpose::ClientAuth],
        vec![ExtendedKeyUsagePurpose::Any],
        vec![ExtendedKeyUsagePurpose::CodeSigning, ipsec_ike],
    ] {
        assert!(shown(&authority, Leaf { purposes, ..Leaf::of(&[GATEWAY]) }, GATEWAY).is_ok());
    }
    let purposes = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let refused =
        shown(&authority, Leaf { purposes, ..Leaf::of(&[GATEWAY]) }, GATEWAY).unwrap_err();
    assert!(matches!(refused, Refusal::Purpose { .. }), "{refused}");
    assert!(refused.to_string().contains("1.3.6.1.5.5.7.3.3"), "{refused}");
}

#[test]
fn a_key_that_is_not_for_signing_proves_nothing() {
    let authority = Authority::new("test CA");
    for (usages, signs) in [
        (vec![], true),
        (vec![KeyUsagePurpose::DigitalSignature], true),
        (vec![KeyUsagePurpose::ContentCommitment], true),
        (vec![KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyAgreement], false),
    ] {
        let answer = shown(&authority, Leaf { usages, ..Leaf::of(&[GATEWAY]) }, GATEWAY);
        assert_eq!(answer.is_ok(), signs, "{answer:?}");
        assert!(signs || matches!(answer, Err(Refusal::KeyUsage { .. })));
    }
}

#[test]
fn an_authority_is_no_gateway() {
    let root = Authority::new(GATEWAY);
    let below = root.below(GATEWAY).certificate();
    let subject = below.names().first().unwrap().clone();
    let asked = ask(&trust(&[&root], Vec::new()), &[&below], GATEWAY, at(1));
    let refused = Question { identity: subject, ..asked }.answer().unwrap_err();
    assert!(matches!(refused, Refusal::KeyUsage { .. } | Refusal::Path { .. }), "{refused}");
}

#[test]
fn what_is_revoked_proves_nothing() {
    let authority = Authority::new("test CA");
    let leaf = |serial| authority.issue(Leaf { serial, ..Leaf::of(&[GATEWAY]) }).certificate;
    let (good, bad) = (leaf(1), leaf(2));
    let trust = trust(&[&authority], vec![authority.revoke(&[2, 3], at(7))]);
    assert_eq!(ask(&trust, &[&good], GATEWAY, at(1)).answer().unwrap().stale_crl(), None);
    let refused = ask(&trust, &[&bad], GATEWAY, at(1)).answer().unwrap_err();
    assert!(matches!(refused, Refusal::Revoked { .. }), "{refused}");
}

/// A list that should have been replaced serves for a week, and is noticed.
#[test]
fn an_old_list_is_noticed_and_then_refused() {
    let authority = Authority::new("test CA");
    let Issued { certificate, .. } = authority.issue(Leaf::of(&[GATEWAY]));
    let trust = trust(&[&authority], vec![authority.revoke(&[2], at(7))]);
    let on = |days| ask(&trust, &[&certificate], GATEWAY, at(days)).answer();
    assert_eq!(on(7).unwrap().stale_crl(), None);
    assert_eq!(on(8).unwrap().stale_crl(), Some("CN=test CA"));
    assert_eq!(on(14).unwrap().stale_crl(), Some("CN=test CA"));
    let refused = on(15).unwrap_err();
    assert!(refused.to_string().contains("CN=test CA should have been replaced by 2025-01-08"));
    let newer = vec![authority.revoke(&[2], at(7)), authority.revoke(&[2], at(20))];
    let newer = self::trust(&[&authority], newer);
    assert_eq!(ask(&newer, &[&certificate], GATEWAY, at(15)).answer().unwrap().stale_crl(), None);
}

#[test]
fn a_list_of_another_authority_of_the_same_name_revokes_nothing() {
    let (authority, impostor) = (Authority::new("test CA"), Authority::new("test CA"));
    let Issued { certificate, .. } = authority.issue(Leaf::of(&[GATEWAY]));
    let forged = trust(&[&authority], vec![impostor.revoke(&[7], at(7))]);
    let refused = ask(&forged, &[&certificate], GATEWAY, at(1)).answer().unwrap_err();
    assert!(
        matches!(refused, Refusal::Path { .. }),
        "not believed, and not passed over: {refused}"
    );
}

#[test]
fn octets_that_are_no_certificate_are_refused_wherever_they_are_cut() {
    let authority = Authority::new("test CA");
    let Issued { certificate, .. } = authority.issue(Leaf::of(&[GATEWAY]));
    let asked = ask(&trust(&[&authority], Vec::new()), &[&certificate], GATEWAY, at(1));
    let der = certificate.der().to_vec();
    for cut in 0..der.len() {
        let presented = Arc::from([der[..cut].to_vec()]);
        let refused = Question { presented, ..asked.clone() }.answer().unwrap_err();
        assert!(matches!(refused, Refusal::Malformed { place: 1, .. }), "{cut}: {refused}");
    }
    for index in 0..der.len() {
        let mut changed = der.clone();
        changed[index] ^= 1;
        let presented = Arc::from([changed]);
        assert!(Question { presented, ..asked.clone() }.answer().is_err(), "octet {index}");
    }
}

#[test]
fn a_signature_must_be_that_of_the_certificates_key() {
    let authority = Authority::new("test CA");
    for (algorithm, with) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::Ecdsa(Hash::Sha256)),
        (&rcgen::PKCS_ECDSA_P384_SHA384, Algorithm::Ecdsa(Hash::Sha384)),
        (&rcgen::PKCS_ED25519, Algorithm::Ed25519),
    ] {
        let leaf = || authority.issue(Leaf { algorithm, ..Leaf::of(&[GATEWAY]) });
        let (Issued { key, certificate }, another) = (leaf(), leaf());
        let asked = ask(&trust(&[&authority], Vec::new()), &[&certificate], GATEWAY, at(1));
        let vouched = asked.answer().unwrap();
        let signature = key.sign(with, b"octets").unwrap();
        assert_eq!(vouched.verify(with, b"octets", &signature), Ok(()));
        assert!(vouched.verify(with, b"others", &signature).is_err());
        let of_another = another.key.sign(with, b"octets").unwrap();
        assert!(vouched.verify(with, b"octets", &of_another).is_err());
        assert!(vouched.verify(Algorithm::RsaPkcs1(Hash::Sha256), b"octets", &signature).is_err());
    }
}

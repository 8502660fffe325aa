use super::*;
use ring::rand::SystemRandom;

fn pkcs8(algorithm: &'static signature::EcdsaSigningAlgorithm) -> Vec<u8> {
    EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap().as_ref().to_vec()
}

#[test]
fn keys_are_known_by_their_algorithm() {
    let pem = |der: &[u8]| pem::encode(der, "PRIVATE KEY").to_string();
    let p256 = PrivateKey::from_pem(&pem(&pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING))).unwrap();
    assert!(matches!(p256, PrivateKey::P256(_)));
    let p384 = PrivateKey::from_pem(&pem(&pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING))).unwrap();
    assert!(matches!(p384, PrivateKey::P384(_)));
    assert_ne!(p256, p384);
    let ed25519 = SigningKey::from_seed(&[1; 32]);
    let read = PrivateKey::from_pem(&ed25519.to_pkcs8_pem()).unwrap();
    assert_eq!(read, PrivateKey::Ed25519(ed25519));
    let debug = format!("{p256:?} {read:?}");
    assert_eq!(debug, "PrivateKey(P-256) PrivateKey(Ed25519)");
}

#[test]
fn what_is_no_key_says_what_it_is() {
    for (text, error) in [
        ("nothing", KeyFormatError::NoPem("PRIVATE KEY")),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", KeyFormatError::Encrypted),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", KeyFormatError::Encrypted),
        (
            "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----",
            KeyFormatError::Sec1,
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", KeyFormatError::Der),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
            KeyFormatError::Unsupported,
        ),
    ] {
        assert_eq!(PrivateKey::from_pem(text), Err(error), "{text}");
    }
}

#[test]
fn a_key_that_is_cut_is_none() {
    let whole = pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING);
    for cut in 0..whole.len() {
        assert!(PrivateKey::from_pkcs8_der(&whole[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_key_signs_by_its_own_algorithms_only() {
    let key = PrivateKey::from_pkcs8_der(&pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING)).unwrap();
    assert!(key.sign(Algorithm::Ecdsa(Hash::Sha256), b"octets").is_ok());
    for other in [
        Algorithm::Ed25519,
        Algorithm::Ecdsa(Hash::Sha384),
        Algorithm::RsaPss(Hash::Sha256),
        Algorithm::RsaPkcs1(Hash::Sha256),
    ] {
        assert_eq!(key.sign(other, b"octets"), Err(CannotSign));
    }
}

//! RFC 8032 and RFC 8410 vectors, keys made by OpenSSL, and signatures that must not verify.

use super::*;
use crate::random::Seeded;
use hex_literal::hex;

/// Seed, public key, message, signature.
type Vector = ([u8; 32], [u8; 32], &'static [u8], [u8; 64]);

/// RFC 8032 §7.1, tests 1 to 3.
const RFC_8032: [Vector; 3] = [
    (
        hex!("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
        hex!("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
        b"",
        hex!(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        hex!("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
        hex!("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
        &[0x72],
        hex!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        hex!("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"),
        hex!("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
        &[0xaf, 0x82],
        hex!(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
];

/// `openssl genpkey -algorithm ed25519`.
const OPENSSL_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAV4uMwUnujp5ImJKWQzkakqTo58sf+O6iKwSWGSmPNs
-----END PRIVATE KEY-----
";
/// `openssl pkey -pubout` of it.
const OPENSSL_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAtcGCr3PasI3Iba61DASBRLTAa9OSnu6PFOf9fFCmyYU=
-----END PUBLIC KEY-----
";
/// `openssl pkeyutl -sign -rawin` of the five bytes "vpngw" with it.
const OPENSSL_SIGNATURE: [u8; 64] = hex!(
    "d6e145f3018dc7399d645a66261e8ff5204563380230c5ea8b68b45a710bdc77"
    "2d70ab398a689a4c25d0459f88ca4eb4b4a8d6afc471d0082279965dc5102f0a"
);

/// RFC 8410 §10.3, the example of version 2, with an attribute and the public key.
const RFC_8410_V2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";
const RFC_8410_V1: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const RFC_8410_PUBLIC: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

const P256_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgm0b+4ymO5fyottc2
oP0+1m4bDKbd/yYmlPDCPkdv4CShRANCAARkfJP/PPIW6Awpd6tOc+tGz0i3d2mH
jzyLA56yu2GbNIDGSybw22RHvMZaWLw57P6uyGVV/r/fMpJWng4Mdrph
-----END PRIVATE KEY-----
";
const ED448_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MEcCAQAwBQYDK2VxBDsEOdCGNfrXaXbx9/FXHGLNkxlJZLFiiqtaFl17Ib/CeCot
+Zz7r9qpFNx9ucKs2FY/2qUmYLyirEUr8g==
-----END PRIVATE KEY-----
";

/// The order of the group, little-endian (RFC 8032 §5.1).
const L: [u8; 32] = hex!("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

#[test]
fn rfc_8032_vectors() {
    for (seed, public, message, signature) in RFC_8032 {
        let key = SigningKey::from_seed(&seed);
        assert_eq!(key.verifying_key().as_bytes(), &public);
        assert_eq!(key.sign(message), signature);
        assert_eq!(key.verifying_key().verify(message, &signature), Ok(()));
    }
}

#[test]
fn keys_and_signatures_of_openssl_are_understood() {
    let key = SigningKey::from_pkcs8_pem(OPENSSL_PRIVATE).unwrap();
    let public = VerifyingKey::from_spki_pem(OPENSSL_PUBLIC).unwrap();
    assert_eq!(key.verifying_key(), public);
    assert_eq!(key.sign(b"vpngw"), OPENSSL_SIGNATURE);
    assert_eq!(public.verify(b"vpngw", &OPENSSL_SIGNATURE), Ok(()));
}

#[test]
fn keys_are_written_as_openssl_writes_them() {
    let key = SigningKey::from_pkcs8_pem(OPENSSL_PRIVATE).unwrap();
    assert_eq!(key.to_pkcs8_pem().as_str(), OPENSSL_PRIVATE);
    assert_eq!(key.verifying_key().to_spki_pem(), OPENSSL_PUBLIC);
}

#[test]
fn both_versions_of_rfc_8410_hold_the_same_key() {
    let v1 = SigningKey::from_pkcs8_pem(RFC_8410_V1).unwrap();
    let v2 = SigningKey::from_pkcs8_pem(RFC_8410_V2).unwrap();
    assert_eq!(v1, v2);
    let spki = STANDARD.decode(RFC_8410_PUBLIC).unwrap();
    assert_eq!(v1.verifying_key(), VerifyingKey::from_spki_der(&spki).unwrap());
    assert_eq!(v1.verifying_key().to_spki_der(), spki);
}

#[test]
fn a_file_whose_public_key_is_of_another_key_is_refused() {
    let mut der = pem::decode(RFC_8410_V2, encoding::PRIVATE_KEY).unwrap();
    *der.last_mut().unwrap() ^= 1;
    assert_eq!(SigningKey::from_pkcs8_der(&der), Err(KeyFormatError::Mismatch));
}

#[test]
fn keys_of_other_algorithms_are_named_as_such() {
    for pem in [P256_PRIVATE, ED448_PRIVATE] {
        assert_eq!(SigningKey::from_pkcs8_pem(pem), Err(KeyFormatError::Algorithm));
    }
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n";
    assert_eq!(SigningKey::from_pkcs8_pem(encrypted), Err(KeyFormatError::Encrypted));
    assert_eq!(
        SigningKey::from_pkcs8_pem(OPENSSL_PUBLIC),
        Err(KeyFormatError::NoPem("PRIVATE KEY"))
    );
}

#[test]
fn truncated_and_extended_der_is_refused() {
    let private = pem::decode(RFC_8410_V2, encoding::PRIVATE_KEY).unwrap();
    let public = pem::decode(OPENSSL_PUBLIC, encoding::PUBLIC_KEY).unwrap();
    for len in 0..private.len() {
        assert!(SigningKey::from_pkcs8_der(&private[..len]).is_err());
    }
    for len in 0..public.len() {
        assert!(VerifyingKey::from_spki_der(&public[..len]).is_err());
    }
    assert!(SigningKey::from_pkcs8_der(&[&private[..], &[0]].concat()).is_err());
    assert!(VerifyingKey::from_spki_der(&[&public[..], &[0]].concat()).is_err());
}

#[test]
fn pem_tolerates_carriage_returns_and_text_around() {
    let text = format!("bag attributes\r\n{}\r\ntail", OPENSSL_PRIVATE.replace('\n', "\r\n"));
    let key = SigningKey::from_pkcs8_pem(&text).unwrap();
    assert_eq!(key.sign(b"vpngw"), OPENSSL_SIGNATURE);
}

#[test]
fn keys_survive_base64_and_serde() {
    let key = SigningKey::generate(&mut Seeded::new(3)).verifying_key();
    assert_eq!(key.to_base64().len(), 44);
    assert_eq!(key.to_string().parse(), Ok(key));
    assert_eq!(key.to_spki_pem().parse(), Ok(key));
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<VerifyingKey>(&json).unwrap(), key);
    let seed = STANDARD.encode([9; 32]);
    assert_eq!(SigningKey::from_base64(&seed).unwrap(), SigningKey::from_seed(&[9; 32]));
}

#[test]
fn texts_that_are_no_keys_say_why() {
    let error = |text: &str| text.parse::<VerifyingKey>().unwrap_err();
    assert_eq!(error("not base64 at all"), KeyFormatError::Base64);
    assert_eq!(error("AAAA"), KeyFormatError::Length(3));
    assert_eq!(error(&STANDARD.encode([0; 32])), KeyFormatError::SmallOrder);
}

#[test]
fn public_keys_of_small_order_are_refused() {
    for mut bytes in SMALL_ORDER {
        for sign_of_x in [0, 0x80] {
            bytes[31] |= sign_of_x;
            assert_eq!(VerifyingKey::from_bytes(&bytes), Err(KeyFormatError::SmallOrder));
        }
    }
}

#[test]
fn a_signature_with_a_scalar_beyond_the_order_does_not_verify() {
    for (seed, _, message, signature) in RFC_8032 {
        let key = SigningKey::from_seed(&seed).verifying_key();
        let mut malleated = signature;
        let mut carry = 0;
        for (byte, of_order) in malleated[32..].iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(of_order) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        assert_eq!(key.verify(message, &malleated), Err(BadSignature));
        for high_bit in [0x20, 0x40, 0x80] {
            let mut malleated = signature;
            malleated[63] |= high_bit;
            assert_eq!(key.verify(message, &malleated), Err(BadSignature));
        }
    }
}

#[test]
fn any_flipped_bit_spoils_a_signature() {
    let (seed, _, message, signature) = RFC_8032[2];
    let key = SigningKey::from_seed(&seed).verifying_key();
    for bit in 0..SIGNATURE_LEN * 8 {
        let mut forged = signature;
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.verify(message, &forged), Err(BadSignature));
    }
    assert_eq!(key.verify(&[0xaf, 0x83], &signature), Err(BadSignature));
    for len in [0, 1, 63] {
        assert_eq!(key.verify(message, &signature[..len]), Err(BadSignature));
    }
    assert_eq!(key.verify(message, &[&signature[..], &[0]].concat()), Err(BadSignature));
}

#[test]
fn trivial_signatures_do_not_verify() {
    let key = SigningKey::from_seed(&[1; 32]).verifying_key();
    for r in SMALL_ORDER {
        let forged = [&r[..], &[0; 32]].concat();
        assert_eq!(key.verify(b"", &forged), Err(BadSignature));
    }
}

#[test]
fn debug_shows_the_public_key_only() {
    let key = SigningKey::from_pkcs8_pem(OPENSSL_PRIVATE).unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains("tcGCr3PasI3Iba61DASBRLTAa9OSnu6PFOf9fFCmyYU="));
    assert!(!shown.contains("BXi4zBSe"));
}

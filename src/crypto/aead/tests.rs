//! Published vectors, and `ring` against `chacha20poly1305` and `aes-gcm`.

use super::super::cipher::{Associated, OpeningKey, SealingKey};
use super::*;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use hex_literal::hex;
use proptest::prelude::*;

const PLAINTEXT: [u8; 60] = hex!(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
);
const AAD: [u8; 20] = hex!("feedfacedeadbeeffeedfacedeadbeefabaddad2");
const AES_KEY: [u8; 16] = hex!("feffe9928665731c6d6a8f9467308308");
const CHACHA_KEYMAT: [u8; 36] =
    hex!("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3");

/// Both kinds of key for an algorithm.
fn keys(algorithm: AeadAlgorithm, keymat: &[u8]) -> [(SealingKey, OpeningKey); 2] {
    let cipher = Cipher::Aead(algorithm);
    [
        (SealingKey::new(cipher, keymat).unwrap(), OpeningKey::new(cipher, keymat).unwrap()),
        (
            SealingKey::for_control(cipher, keymat).unwrap(),
            OpeningKey::for_control(cipher, keymat).unwrap(),
        ),
    ]
}

fn seal(key: &SealingKey, iv: [u8; 8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let (mut written, mut body, mut tag) = ([0; 8], plaintext.to_vec(), [0; TAG_LEN]);
    let associated = Associated { before: aad, after: &[] };
    key.seal(u64::from_be_bytes(iv), associated, &mut written, &mut body, &mut tag);
    assert_eq!(written, iv);
    [&body[..], &tag].concat()
}

fn open(key: &OpeningKey, iv: [u8; 8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotAuthentic> {
    let mut sealed = sealed.to_vec();
    let opened = key.open(Associated { before: aad, after: &[] }, &iv, &mut sealed);
    opened.map(|body| body.to_vec())
}

/// Seals and opens again with both kinds of key and compares with `ciphertext ‖ tag`.
fn check_vector(
    algorithm: AeadAlgorithm,
    keymat: &[u8],
    iv: [u8; 8],
    aad: &[u8],
    plaintext: &[u8],
    expected: &[u8],
) {
    for (sealing, opening) in keys(algorithm, keymat) {
        assert_eq!(seal(&sealing, iv, aad, plaintext), expected);
        assert_eq!(open(&opening, iv, aad, expected).unwrap(), plaintext);
    }
}

#[test]
fn aes_128_gcm_test_case_4() {
    let expected = hex!(
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        "5bc94fbc3221a5db94fae95ae7121a47"
    );
    let keymat = [&AES_KEY[..], &hex!("cafebabe")].concat();
    let iv = hex!("facedbaddecaf888");
    check_vector(AeadAlgorithm::Aes128Gcm16, &keymat, iv, &AAD, &PLAINTEXT, &expected);
}

#[test]
fn aes_256_gcm_test_case_16() {
    let expected = hex!(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    );
    let keymat = [&AES_KEY[..], &AES_KEY, &hex!("cafebabe")].concat();
    let iv = hex!("facedbaddecaf888");
    check_vector(AeadAlgorithm::Aes256Gcm16, &keymat, iv, &AAD, &PLAINTEXT, &expected);
}

#[test]
fn chacha20_poly1305_of_rfc_8439_section_2_8_2() {
    let expected = hex!(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691"
    );
    let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one \
        tip for the future, sunscreen would be it.";
    let keymat = [&CHACHA_KEYMAT[..32], &hex!("07000000")].concat();
    let aad = hex!("50515253c0c1c2c3c4c5c6c7");
    let iv = hex!("4041424344454647");
    check_vector(AeadAlgorithm::ChaCha20Poly1305, &keymat, iv, &aad, plaintext, &expected);
}

#[test]
fn ike_message_of_rfc_7634_appendix_b() {
    let aad = hex!("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029");
    let expected = hex!("610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2");
    check_vector(
        AeadAlgorithm::ChaCha20Poly1305,
        &CHACHA_KEYMAT,
        hex!("1011121314151617"),
        &aad,
        &hex!("0000000c000040010000000a00"),
        &expected,
    );
}

#[test]
fn key_material_of_another_length_is_refused() {
    for algorithm in AeadAlgorithm::ALL {
        let cipher = Cipher::Aead(algorithm);
        for len in (0..64).filter(|len| *len != algorithm.keymat_len()) {
            let refused = SealingKey::new(cipher, &vec![0; len]).unwrap_err();
            assert_eq!(refused, KeyError { cipher, given: len });
            assert!(SealingKey::for_control(cipher, &vec![0; len]).is_err());
            assert!(OpeningKey::for_control(cipher, &vec![0; len]).is_err());
        }
    }
}

#[test]
fn any_flipped_bit_and_any_truncation_is_not_authentic() {
    for algorithm in AeadAlgorithm::ALL {
        for (sealing, opening) in keys(algorithm, &vec![7; algorithm.keymat_len()]) {
            let sealed = seal(&sealing, [1; 8], b"aad", b"twelve bytes");
            for bit in 0..sealed.len() * 8 {
                let mut forged = sealed.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                assert!(open(&opening, [1; 8], b"aad", &forged).is_err());
            }
            for len in 0..sealed.len() {
                assert!(open(&opening, [1; 8], b"aad", &sealed[..len]).is_err());
            }
            assert!(open(&opening, [1; 8], b"aae", &sealed).is_err());
            assert!(open(&opening, [2; 8], b"aad", &sealed).is_err());
        }
    }
}

proptest! {
    #[test]
    fn two_implementations_of_chacha20_poly1305_agree(
        keymat in any::<[u8; 32]>(),
        salt in any::<[u8; 4]>(),
        iv in any::<[u8; 8]>(),
        aad in prop::collection::vec(any::<u8>(), 0..40),
        plaintext in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let keymat = [&keymat[..], &salt].concat();
        let [ring, rust_crypto] = keys(AeadAlgorithm::ChaCha20Poly1305, &keymat);
        let sealed = seal(&ring.0, iv, &aad, &plaintext);
        prop_assert_eq!(&sealed, &seal(&rust_crypto.0, iv, &aad, &plaintext));
        prop_assert_eq!(open(&rust_crypto.1, iv, &aad, &sealed).unwrap(), plaintext);
    }

    #[test]
    fn two_implementations_of_aes_gcm_agree(
        keymat in any::<[u8; 32]>(),
        salt in any::<[u8; 4]>(),
        iv in any::<[u8; 8]>(),
        aad in prop::collection::vec(any::<u8>(), 0..40),
        plaintext in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let nonce = join_nonce(salt, iv);
        let of_128 = Aes128Gcm::new_from_slice(&keymat[..16]).unwrap();
        let of_256 = Aes256Gcm::new_from_slice(&keymat).unwrap();
        let (mut body_128, mut body_256) = (plaintext.clone(), plaintext.clone());
        let tag_128 =
            of_128.encrypt_inout_detached(&nonce.into(), &aad, body_128.as_mut_slice().into()).unwrap();
        let tag_256 =
            of_256.encrypt_inout_detached(&nonce.into(), &aad, body_256.as_mut_slice().into()).unwrap();
        for (algorithm, expected) in [
            (AeadAlgorithm::Aes128Gcm16, [&body_128[..], &tag_128[..]].concat()),
            (AeadAlgorithm::Aes256Gcm16, [&body_256[..], &tag_256[..]].concat()),
        ] {
            let keymat = [&keymat[..algorithm.key_len()], &salt].concat();
            let [(sealing, opening), _] = keys(algorithm, &keymat);
            prop_assert_eq!(&seal(&sealing, iv, &aad, &plaintext), &expected);
            prop_assert_eq!(&open(&opening, iv, &aad, &expected).unwrap(), &plaintext);
        }
    }
}

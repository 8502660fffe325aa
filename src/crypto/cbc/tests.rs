//! Published vectors of AES-CBC, what makes the IVs, and what is refused.

use super::*;
use hex_literal::hex;
use proptest::prelude::*;

const IV: [u8; 16] = hex!("000102030405060708090a0b0c0d0e0f");
const PLAINTEXT: [u8; 64] = hex!(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
);

fn check(algorithm: CbcAlgorithm, key: &[u8], iv: [u8; 16], plaintext: &[u8], expected: &[u8]) {
    let mut body = plaintext.to_vec();
    Encrypt::new(algorithm, key).unwrap().cbc(&iv.into(), &mut body);
    assert_eq!(body, expected);
    Decrypt::new(algorithm, key).unwrap().cbc(&iv.into(), &mut body);
    assert_eq!(body, plaintext);
}

#[test]
fn cases_1_and_3_of_rfc_3602_section_4() {
    check(
        CbcAlgorithm::Aes128Cbc,
        &hex!("06a9214036b8a15b512e03d534120006"),
        hex!("3dafba429d9eb430b422da802c9fac41"),
        b"Single block msg",
        &hex!("e353779c1079aeb82708942dbe77181a"),
    );
    check(
        CbcAlgorithm::Aes128Cbc,
        &hex!("6c3ea0477630ce21a2ce334aa746c2cd"),
        hex!("c782dc4c098c66cbd9cd27d825682c81"),
        b"This is a 48-byte message (exactly 3 AES blocks)",
        &hex!(
            "d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5"
            "021c19216bad525c8579695d83ba2684"
        ),
    );
}

#[test]
fn cbc_aes256_of_nist_sp_800_38a() {
    check(
        CbcAlgorithm::Aes256Cbc,
        &hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        IV,
        &PLAINTEXT,
        &hex!(
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
            "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"
        ),
    );
}

const CIPHER: Cipher = Cipher::CbcHmac(CbcAlgorithm::Aes256Cbc, Integrity::HmacSha256_128);
const NOTHING: Associated<'_> = Associated { before: &[], after: &[] };

/// `IV ‖ body ‖ ICV` of a plaintext sealed as this number.
fn seal(key: &CbcSealingKey, number: u64, associated: Associated<'_>, body: &[u8]) -> Vec<u8> {
    let (mut iv, mut body, mut icv) = ([0; 16], body.to_vec(), [0; 16]);
    key.seal(number, associated, &mut iv, &mut body, &mut icv);
    [&iv[..], &body, &icv].concat()
}

fn open(
    key: &CbcOpeningKey,
    associated: Associated<'_>,
    sealed: &[u8],
) -> Result<Vec<u8>, NotAuthentic> {
    let mut sealed = sealed.to_vec();
    let (iv, rest) = sealed.split_at_mut_checked(16).ok_or(NotAuthentic)?;
    key.open(associated, iv, rest).map(|body| body.to_vec())
}

fn keys(seed: u8) -> (CbcSealingKey, CbcOpeningKey) {
    let keymat: Vec<u8> = (0..CIPHER.keymat_len()).map(|at| at as u8 ^ seed).collect();
    (CbcSealingKey::new(CIPHER, &keymat).unwrap(), CbcOpeningKey::new(CIPHER, &keymat).unwrap())
}

/// A counter, or anything near one, would be foreseeable (RFC 3602 §3).
#[test]
fn neighbouring_numbers_make_ivs_that_have_nothing_in_common() {
    let (sealing, _) = keys(0);
    let ivs: Vec<u128> = (0..1000)
        .map(|number| seal(&sealing, number, NOTHING, &PLAINTEXT))
        .map(|sealed| u128::from_be_bytes(sealed[..16].try_into().unwrap()))
        .collect();
    for pair in ivs.windows(2) {
        let differing = (pair[0] ^ pair[1]).count_ones();
        assert!((20..=108).contains(&differing), "{differing} of 128 bits");
    }
    let again = seal(&sealing, 7, NOTHING, &PLAINTEXT);
    assert_eq!(again[..16], ivs[7].to_be_bytes(), "who goes on elsewhere makes the same");
    let (other, _) = keys(1);
    assert_ne!(seal(&other, 7, NOTHING, &PLAINTEXT)[..16], again[..16]);
}

#[test]
fn the_key_of_the_ivs_is_not_that_of_the_body() {
    let (sealing, _) = keys(0);
    let iv = seal(&sealing, 1, NOTHING, &PLAINTEXT)[..16].to_vec();
    assert_ne!(sealing.encrypt.block(1).to_vec(), iv);
}

#[test]
fn any_flipped_bit_and_any_truncation_is_not_authentic() {
    let (sealing, opening) = keys(0);
    let associated = Associated { before: b"before", after: b"after" };
    let sealed = seal(&sealing, 1, associated, &PLAINTEXT);
    assert_eq!(open(&opening, associated, &sealed).unwrap(), PLAINTEXT);
    for bit in 0..sealed.len() * 8 {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&opening, associated, &forged).is_err(), "bit {bit}");
    }
    for len in 0..sealed.len() {
        assert!(open(&opening, associated, &sealed[..len]).is_err(), "length {len}");
    }
    for other in [
        Associated { before: b"befora", ..associated },
        Associated { after: b"", ..associated },
        Associated { before: b"beforeafter", after: b"" },
    ] {
        assert!(open(&opening, other, &sealed).is_err(), "{other:?}");
    }
    assert!(open(&keys(1).1, associated, &sealed).is_err());
}

/// An owner of the key that sends parts of blocks is refused before anything is decrypted.
#[test]
fn an_authentic_body_of_no_whole_blocks_is_refused() {
    let (sealing, opening) = keys(0);
    for len in (0..64).filter(|len| len % BLOCK_LEN != 0) {
        let mut icv = [0; 16];
        sealing.mac.sign([&[], &IV, &PLAINTEXT[..len], &[]], &mut icv);
        let sealed = [&IV[..], &PLAINTEXT[..len], &icv].concat();
        assert!(open(&opening, NOTHING, &sealed).is_err(), "length {len}");
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        blocks in 0..100_usize,
        number: u64,
        before in prop::collection::vec(any::<u8>(), 0..40),
        after in prop::collection::vec(any::<u8>(), 0..8),
        fill: u8,
    ) {
        let (sealing, opening) = keys(3);
        let body = vec![fill; blocks * BLOCK_LEN];
        let associated = Associated { before: &before, after: &after };
        let sealed = seal(&sealing, number, associated, &body);
        prop_assert_eq!(open(&opening, associated, &sealed).unwrap(), body);
    }
}

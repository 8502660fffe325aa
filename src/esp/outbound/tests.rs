//! The bytes on the wire against an independent computation, and what sealing refuses.

use super::super::tests::{config, ipv4, outbound};
use super::*;
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cbc::CbcAlgorithm;
use crate::crypto::cipher::Cipher;
use crate::crypto::integrity::Integrity;
use crate::crypto::secret::Secret;
use crate::esp::NEXT_HEADER_IPV4;
use hex_literal::hex;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

const GCM: Layout = Layout::of(Cipher::Aead(AeadAlgorithm::Aes256Gcm16));

fn sa(esn: bool, last_sequence: u64) -> OutboundSa {
    let mut numbers = Reservation::first_use(config(AeadAlgorithm::Aes256Gcm16, esn, 0));
    OutboundSa::new(numbers.split_off(last_sequence)).unwrap()
}

#[test]
fn an_esn_packet_is_what_openssl_computes() {
    // AES-256-GCM by OpenSSL over hand-made bytes: key 00 01 … 1f, salt 20 21 22 23, AAD and IV
    // of sequence number 0x1_0000_0002, one byte of padding.
    let inner = hex!("450000150001000040016ae50a0100010a02000108");
    let expected = hex!(
        "c0ffee01 00000002 0000000100000002"
        "bea6e9cb563432ce914eb64c55412b25236b36d678964ee1"
        "c5d0df6c05bcdc70cdc8b2cc26ef8683"
    );
    let mut packet = [0; 56];
    let len = sa(true, 0x1_0000_0001).seal(NEXT_HEADER_IPV4, &inner, &[], &mut packet);
    assert_eq!(len, Ok(56));
    assert_eq!(packet, expected);
}

#[test]
fn an_esn_packet_of_cbc_and_hmac_is_what_openssl_computes() {
    // AES-256-CBC and HMAC-SHA2-256-128 by Python's `cryptography` and `hmac` over hand-made bytes:
    // keys 00 01 … 1f and 20 21 … 3f, the high half of the number behind the ciphertext.
    let inner = hex!("450000150001000040016ae50a0100010a02000108");
    let expected = hex!(
        "c0ffee01 00000002 a95a663ad996d4f2b9a7d32f5e2fadd7"
        "b67d070fff4ebbb67a4376d081b5ffcb859b1a866ef03dd13c12839c693f4365"
        "a0c975a11c11f726079de75a00309577"
    );
    let cipher = Cipher::CbcHmac(CbcAlgorithm::Aes256Cbc, Integrity::HmacSha256_128);
    let mut numbers = Reservation::first_use(config(cipher, true, 0));
    let sa = OutboundSa::new(numbers.split_off(0x1_0000_0001)).unwrap();
    let mut packet = [0; 72];
    assert_eq!(sa.seal(NEXT_HEADER_IPV4, &inner, &[], &mut packet), Ok(72));
    assert_eq!(packet, expected);
}

#[test]
fn a_packet_without_esn_is_what_ring_gives_for_hand_made_bytes() {
    let mut plaintext = ipv4(41);
    plaintext.extend([1, 1, 4]); // one byte of padding, its length, IPv4
    let iv = 8_u64.to_be_bytes();
    let aad = hex!("c0ffee01 00000008");
    let key: Vec<u8> = (0..36).collect();
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&key[32..]);
    nonce[4..].copy_from_slice(&iv);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key[..32]).unwrap())
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            &mut plaintext,
        )
        .unwrap();
    let mut packet = vec![0; GCM.sealed_len(41)];
    sa(false, 7).seal(NEXT_HEADER_IPV4, &ipv4(41), &[], &mut packet).unwrap();
    assert_eq!(packet, [&aad[..], &iv, &plaintext].concat());
}

#[test]
fn a_train_numbers_its_packets_consecutively() {
    let sa = sa(false, 0);
    let mut first = sa.reserve(2, 80).unwrap();
    let mut second = sa.reserve(1, 40).unwrap();
    let mut packet = vec![0; GCM.sealed_len(40)];
    let mut sequence_of = |train: &mut Train<'_>| {
        train.seal(NEXT_HEADER_IPV4, &ipv4(40), &[], &mut packet).map(|_| packet[7])
    };
    assert_eq!(sequence_of(&mut second), Ok(3));
    assert_eq!(sequence_of(&mut first), Ok(1));
    assert_eq!(sequence_of(&mut first), Ok(2));
    assert_eq!(sequence_of(&mut first), Err(Discard::SequenceExhausted));
    assert_eq!((first.remaining(), sa.usage().packets, sa.usage().bytes), (0, 3, 120));
}

#[test]
fn a_slot_that_is_too_small_is_left_alone() {
    let mut packet = vec![9; GCM.sealed_len(40) - 1];
    let refused = sa(false, 0).seal(NEXT_HEADER_IPV4, &ipv4(40), &[], &mut packet);
    assert_eq!(refused, Err(Discard::NoBuffer));
    assert!(packet.iter().all(|byte| *byte == 9));
}

#[test]
fn sequence_numbers_never_wrap() {
    for (esn, highest) in [(false, u64::from(u32::MAX)), (true, u64::MAX)] {
        let sa = sa(esn, highest - 3);
        assert_eq!(sa.reserve(4, 0).unwrap_err(), Discard::SequenceExhausted);
        assert!(!sa.usage().hard_exceeded);
        let mut train = sa.reserve(3, 0).unwrap();
        let mut packet = vec![0; GCM.sealed_len(40)];
        for left in (0..3).rev() {
            train.seal(NEXT_HEADER_IPV4, &ipv4(40), &[], &mut packet).unwrap();
            assert_eq!(packet[8..16], (highest - left).to_be_bytes());
        }
        assert_eq!(sa.reserve(1, 0).unwrap_err(), Discard::SequenceExhausted);
        assert!(sa.usage().hard_exceeded);
    }
}

#[test]
fn running_low_on_sequence_numbers_asks_for_a_rekey() {
    assert!(!sa(false, 1 << 31).usage().soft_exceeded);
    assert!(sa(false, 0xe000_0001).usage().soft_exceeded);
    assert!(!sa(true, 1 << 40).usage().soft_exceeded);
}

#[test]
fn limits_of_packets_warn_and_then_refuse() {
    let mut config = config(AeadAlgorithm::Aes256Gcm16, true, 0);
    config.soft.packets = 8;
    config.hard.packets = 10;
    let sa = outbound(config);
    sa.reserve(7, 700).unwrap();
    assert!(!sa.usage().soft_exceeded);
    sa.reserve(1, 100).unwrap();
    assert!(sa.usage().soft_exceeded && !sa.usage().hard_exceeded);
    assert_eq!(sa.reserve(3, 300).unwrap_err(), Discard::HardLifetime);
    sa.reserve(2, 200).unwrap();
    assert!(sa.usage().hard_exceeded);
    assert_eq!(sa.reserve(1, 100).unwrap_err(), Discard::HardLifetime);
}

#[test]
fn limits_of_bytes_warn_and_then_refuse() {
    let mut config = config(AeadAlgorithm::Aes256Gcm16, true, 0);
    config.soft.bytes = 500;
    config.hard.bytes = 1000;
    let sa = outbound(config);
    sa.reserve(1, 499).unwrap();
    assert!(!sa.usage().soft_exceeded);
    sa.reserve(1, 501).unwrap();
    assert!(sa.usage().soft_exceeded && sa.usage().hard_exceeded);
    assert_eq!(sa.reserve(1, 1).unwrap_err(), Discard::HardLifetime);
    assert_eq!(sa.usage().bytes, 1000);
}

#[test]
fn key_material_of_the_wrong_length_is_refused() {
    let mut config = config(AeadAlgorithm::Aes256Gcm16, true, 0);
    config.keymat = Secret::copy_of(&[0; 32]);
    assert!(OutboundSa::new(Reservation::first_use(config)).is_err());
}

#[test]
fn threads_that_share_an_sa_never_share_a_sequence_number() {
    let sa = sa(true, 0);
    let take = || {
        let one = || sa.reserve(3, 0).map(|train| train.last + 1).unwrap();
        (0..2000).map(|_| one()).collect::<Vec<_>>()
    };
    let mut firsts: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    firsts.sort_unstable();
    assert!(firsts.iter().copied().eq((0..8000).map(|train| train * 3 + 1)));
}

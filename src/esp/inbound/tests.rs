//! Published packets, and what opening refuses after the integrity check has passed.

use super::super::tests::{config, ipv4, ipv6, pair, seal};
use super::*;
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cbc::CbcAlgorithm;
use crate::crypto::cipher::{Associated, Cipher, SealingKey};
use crate::crypto::integrity::Integrity;
use crate::crypto::secret::Secret;
use hex_literal::hex;

/// An SA with published keys.
fn vector_sa(cipher: impl Into<Cipher>, esn: bool, spi: u32, keymat: &[u8]) -> InboundSa {
    let mut config = config(cipher, esn, 0);
    config.spi = EspSpi(spi);
    config.keymat = Secret::copy_of(keymat);
    InboundSa::new(config).unwrap()
}

#[test]
fn the_packet_of_rfc_7634_appendix_a_opens() {
    let keymat = hex!("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3");
    let sa = vector_sa(AeadAlgorithm::ChaCha20Poly1305, false, 0x0102_0304, &keymat);
    let mut packet = hex!(
        "0102030400000005 1011121314151617"
        "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6"
        "14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3"
        "cbec163fac469b502773f6fb94e664da9165b82829f641e0"
        "76aaa8266b7fb0f7b11b369907e1ad43"
    );
    let opened = sa.open(&mut packet).unwrap();
    assert_eq!((opened.sequence, opened.next_header), (5, NEXT_HEADER_IPV4));
    assert_eq!(
        opened.inner,
        hex!(
            "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10"
            "00073627"
            "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
            "28292a2b2c2d2e2f3031323334353637"
        )
    );
}

/// AES-256-CBC and HMAC-SHA2-256-128 by Python's `cryptography` and `hmac`, with an IV of the
/// sender's choice.
#[test]
fn packets_of_cbc_and_hmac_open_with_and_without_esn() {
    let cipher = Cipher::CbcHmac(CbcAlgorithm::Aes256Cbc, Integrity::HmacSha256_128);
    let keymat: Vec<u8> = (0..64).collect();
    let sealed = hex!(
        "c0ffee0100000002 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
        "e8b5a620f445dcaa9c3be32d3f3bd5bcf5d3214ea9bb473e12a705e08ca920c5"
    );
    let short = vector_sa(cipher, false, 0xc0ff_ee01, &keymat);
    let mut packet = [&sealed[..], &hex!("e8ab3ba4e6fc4af207bfc1320596c1ce")].concat();
    let opened = short.open(&mut packet).unwrap();
    assert_eq!((opened.sequence, opened.next_header), (2, NEXT_HEADER_IPV4));
    assert_eq!(opened.inner, hex!("450000150001000040016ae50a0100010a02000108"));

    let mut config = config(cipher, true, 0);
    config.keymat = Secret::copy_of(&keymat);
    config.spi = EspSpi(0xc0ff_ee01);
    let state = InboundSa::new(config).unwrap().export();
    let window = WindowState { highest: 0xffff_fff0, ..state.window };
    let long = InboundSa::import(InboundState { window, ..state }).unwrap();
    let mut packet = [&sealed[..], &hex!("36669ffaddd992a3bcf1e9a1e7bd878e")].concat();
    assert_eq!(long.open(&mut packet).unwrap().sequence, 0x1_0000_0002);
}

/// draft-mcgrew-gcm-test-01 §4. Its packets say next header 1, so they decrypt but are no
/// tunnel mode.
#[test]
fn packets_of_draft_mcgrew_gcm_test_decrypt() {
    let keymat = hex!("abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344");
    let sa = vector_sa(AeadAlgorithm::Aes256Gcm16, false, 0x4a2c_bfe3, &keymat);
    let mut packet = hex!(
        "4a2cbfe300000002 0102030405060708"
        "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763"
        "748a637985771d347f0545659f14e99def842d8e"
        "b335f4eecfdbf831824b4c4915956c96"
    );
    let (authentic, body) = sa.decrypt(&mut packet).unwrap();
    assert_eq!(authentic.sequence(), 2);
    assert_eq!(body[..4], hex!("45000030"));
    assert_eq!(body[48..], [1, 2, 2, 1]);
}

#[test]
fn the_high_half_of_an_esn_is_authenticated() {
    let keymat = hex!("4c80cdefbb5d10da906ac73c3613a6342e443b68");
    let packet = hex!(
        "0000432100000000 4956ed7e3b244cfe"
        "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34"
        "cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce"
        "61bc17d768fd9732"
        "459018148f6cbe722fd04796562dfdb4"
    );
    for (highest, expected) in [
        (0x8765_4321_0000_0001, Ok(0x8765_4321_0000_0000)),
        (0x8765_4320_ffff_ffff, Ok(0x8765_4321_0000_0000)),
        (0x8765_4322_0000_0001, Err(Discard::NotAuthentic)),
        (1, Err(Discard::Late)), // zero of the first subspace is never sent
    ] {
        let sa = vector_sa(AeadAlgorithm::Aes128Gcm16, true, 0x4321, &keymat);
        sa.window.accept(&Authentic::for_test(highest)).unwrap();
        let decrypted = sa.decrypt(&mut packet.clone()).map(|(authentic, _)| authentic.sequence());
        assert_eq!(decrypted, expected, "highest {highest:x}");
    }
}

#[test]
fn traffic_flow_confidentiality_padding_is_cut_off() {
    for (next_header, inner) in [(NEXT_HEADER_IPV4, ipv4(77)), (NEXT_HEADER_IPV6, ipv6(77))] {
        let (outbound, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, true, 0));
        let padded = [&inner[..], &[0; 500]].concat();
        let mut packet = seal(&outbound, next_header, &padded);
        assert_eq!(inbound.open(&mut packet).unwrap().inner, inner);
    }
}

#[test]
fn dummy_packets_are_dropped_but_count_as_signs_of_life() {
    let (outbound, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, true, 0));
    let mut packet = seal(&outbound, NEXT_HEADER_DUMMY, b"whatever");
    assert_eq!(inbound.open(&mut packet.clone()).unwrap_err(), Discard::Dummy);
    assert_eq!(inbound.open(&mut packet).unwrap_err(), Discard::Replayed);
    assert_eq!(inbound.opened_packets(), 1);
}

#[test]
fn inner_packets_that_contradict_themselves_are_refused() {
    let mut longer = ipv4(60);
    longer[3] = 61;
    let mut ipv6_longer = ipv6(60);
    ipv6_longer[5] += 1;
    for (next_header, inner, refused) in [
        (NEXT_HEADER_IPV4, longer, Discard::MalformedInner),
        (NEXT_HEADER_IPV6, ipv6_longer, Discard::MalformedInner),
        (NEXT_HEADER_IPV4, ipv6(60), Discard::MalformedInner),
        (NEXT_HEADER_IPV6, ipv4(60), Discard::MalformedInner),
        (NEXT_HEADER_IPV4, vec![0x45, 0, 0], Discard::MalformedInner),
        (NEXT_HEADER_IPV4, vec![0x44; 60], Discard::MalformedInner),
        (NEXT_HEADER_IPV6, vec![], Discard::MalformedInner),
        (6, ipv4(60), Discard::NotTunnelMode),
    ] {
        let (outbound, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, true, 0));
        let mut packet = seal(&outbound, next_header, &inner);
        assert_eq!(inbound.open(&mut packet).unwrap_err(), refused);
    }
}

#[test]
fn padding_must_count_up_and_fit() {
    let sealed_body = |body: &[u8]| {
        let cipher = AeadAlgorithm::Aes256Gcm16.into();
        let key = SealingKey::new(cipher, &(0..36).collect::<Vec<_>>()).unwrap();
        let header = hex!("c0ffee01 00000001");
        let (mut iv, mut body, mut icv) = ([0; 8], body.to_vec(), [0; 16]);
        let associated = Associated { before: &header, after: &[] };
        key.seal(1, associated, &mut iv, &mut body, &mut icv);
        [&header[..], &iv, &body, &icv].concat()
    };
    let (_, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, false, 0));
    for body in [&[1, 2, 4, 3, 4][..], &[0, 0, 2, 4], &[9, 4], &[1, 2, 255, 4]] {
        let (_, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, false, 0));
        let refused = inbound.open(&mut sealed_body(body)).unwrap_err();
        assert_eq!(refused, Discard::BadPadding);
    }
    let long_padding = [&ipv4(20)[..], &(1..=200).collect::<Vec<u8>>(), &[200, 4]].concat();
    assert_eq!(inbound.open(&mut sealed_body(&long_padding)).unwrap().inner, ipv4(20));
}

#[test]
fn limits_warn_and_then_refuse() {
    let mut config = config(AeadAlgorithm::Aes256Gcm16, true, 0);
    let (outbound, _) = pair(&config);
    config.soft.packets = 2;
    config.hard.packets = 3;
    let inbound = InboundSa::new(config).unwrap();
    for (soft, hard) in [(false, false), (true, false), (true, true)] {
        inbound.open(&mut seal(&outbound, NEXT_HEADER_IPV4, &ipv4(40))).unwrap();
        assert_eq!((inbound.usage().soft_exceeded, inbound.usage().hard_exceeded), (soft, hard));
    }
    let mut packet = seal(&outbound, NEXT_HEADER_IPV4, &ipv4(40));
    assert_eq!(inbound.open(&mut packet).unwrap_err(), Discard::HardLifetime);
    assert_eq!((inbound.usage().packets, inbound.usage().bytes), (3, 120));
}

#[test]
fn numbers_that_never_arrived_are_counted_as_lost() {
    let (outbound, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, false, 0));
    let mut packets: Vec<_> =
        (0..10).map(|_| seal(&outbound, NEXT_HEADER_IPV4, &ipv4(40))).collect();
    inbound.open(&mut packets[9]).unwrap();
    assert_eq!(inbound.lost(), 9);
    inbound.open(&mut packets[3]).unwrap();
    assert_eq!(inbound.lost(), 8);
    let state = inbound.export();
    assert_eq!(inbound.lost(), 0, "what is lost is counted elsewhere");
    assert_eq!(InboundSa::import(state).unwrap().lost(), 8);
}

#[test]
fn a_packet_behind_the_window_is_late() {
    let mut config = config(AeadAlgorithm::Aes256Gcm16, false, 0);
    config.replay_window = 64;
    let (outbound, inbound) = pair(&config);
    let mut packets: Vec<_> =
        (0..65).map(|_| seal(&outbound, NEXT_HEADER_IPV4, &ipv4(40))).collect();
    inbound.open(&mut packets[64]).unwrap();
    assert_eq!(inbound.open(&mut packets[0]).unwrap_err(), Discard::Late);
    assert!(inbound.open(&mut packets[1]).is_ok());
    assert_eq!(inbound.late(), 1);
}

#[test]
fn an_esn_flow_crosses_the_32_bit_boundary_reordered() {
    let config = config(AeadAlgorithm::Aes256Gcm16, true, 0);
    let (outbound, inbound) = pair(&config);
    inbound.window.accept(&Authentic::for_test(0xffff_fff0)).unwrap();
    let skip = |to: u64| (outbound.reserve(to as u32, 0).map(|_| ())).unwrap();
    skip(0xffff_fff0);
    let mut packets: Vec<_> =
        (0..64).map(|_| seal(&outbound, NEXT_HEADER_IPV4, &ipv4(40))).collect();
    packets.reverse();
    for (packet, sequence) in packets.iter_mut().zip((0xffff_fff1..=0x1_0000_0030_u64).rev()) {
        assert_eq!(inbound.open(packet).unwrap().sequence, sequence);
    }
}

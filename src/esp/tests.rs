//! Both ends together: what one seals the other opens, and nothing else.

#[cfg(feature = "interleavings")]
mod interleavings;

use super::*;
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cipher::Cipher;
use proptest::prelude::*;

/// An SA with this cipher, whose key is made of `seed`.
pub(super) fn config(cipher: impl Into<Cipher>, esn: bool, seed: u8) -> SaConfig {
    let cipher = cipher.into();
    let keymat = (0..cipher.keymat_len()).map(|at| at as u8 ^ seed).collect::<Vec<_>>();
    SaConfig {
        spi: EspSpi(0xc0ff_ee01),
        suite: EspSuite { cipher, esn, group: None },
        keymat: Secret::from(keymat),
        hard: Limits::NONE,
        soft: Limits::NONE,
        replay_window: 8192,
    }
}

pub(super) fn pair(config: &SaConfig) -> (OutboundSa, InboundSa) {
    (outbound(config.clone()), InboundSa::new(config.clone()).unwrap())
}

/// An SA with a key that has sealed nothing.
pub(super) fn outbound(config: SaConfig) -> OutboundSa {
    OutboundSa::new(Reservation::first_use(config)).unwrap()
}

/// An IPv4 packet of `len` bytes; only the fields that ESP looks at are filled.
pub(super) fn ipv4(len: usize) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..len).map(|at| at as u8).collect();
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    packet
}

/// An IPv6 packet of `len` bytes; only the fields that ESP looks at are filled.
pub(super) fn ipv6(len: usize) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..len).map(|at| at as u8).collect();
    packet[0] = 0x60;
    packet[4..6].copy_from_slice(&(len as u16 - 40).to_be_bytes());
    packet
}

/// `inner` sealed by `sa` with this next header.
pub(super) fn seal(sa: &OutboundSa, next_header: u8, inner: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; sa.layout().sealed_len(inner.len())];
    assert_eq!(sa.seal(next_header, inner, &[], &mut packet), Ok(packet.len()));
    packet
}

#[test]
fn what_one_end_seals_the_other_opens() {
    for cipher in Cipher::all() {
        for esn in [false, true] {
            let (outbound, inbound) = pair(&config(cipher, esn, 0));
            for (sequence, len) in (1..).zip(40..140) {
                for (next_header, inner) in
                    [(NEXT_HEADER_IPV4, ipv4(len)), (NEXT_HEADER_IPV6, ipv6(len))]
                {
                    let mut packet = seal(&outbound, next_header, &inner);
                    let opened = inbound.open(&mut packet).unwrap();
                    assert_eq!(opened.next_header, next_header);
                    assert_eq!(opened.inner, inner);
                    assert!(opened.sequence == 2 * sequence || opened.sequence == 2 * sequence - 1);
                }
            }
        }
    }
}

#[test]
fn a_packet_opens_once() {
    let (outbound, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, true, 0));
    let packet = seal(&outbound, NEXT_HEADER_IPV4, &ipv4(100));
    assert!(inbound.open(&mut packet.clone()).is_ok());
    assert_eq!(inbound.open(&mut packet.clone()).unwrap_err(), Discard::Replayed);
    assert_eq!(inbound.replayed(), 1);
    assert_eq!(inbound.usage().packets, 1);
}

#[test]
fn packets_of_another_key_spi_or_sequence_width_are_refused() {
    let right = config(AeadAlgorithm::ChaCha20Poly1305, false, 0);
    let (outbound, _) = pair(&right);
    let packet = seal(&outbound, NEXT_HEADER_IPV4, &ipv4(60));
    let refusal = |config: SaConfig| {
        InboundSa::new(config).unwrap().open(&mut packet.clone()).map(|_| ()).unwrap_err()
    };
    let other_key = config(AeadAlgorithm::ChaCha20Poly1305, false, 1);
    assert_eq!(refusal(other_key), Discard::NotAuthentic);
    let with_esn = config(AeadAlgorithm::ChaCha20Poly1305, true, 0);
    assert_eq!(refusal(with_esn), Discard::NotAuthentic);
    assert_eq!(refusal(SaConfig { spi: EspSpi(1000), ..right }), Discard::UnknownSpi);
}

#[test]
fn forged_packets_neither_open_nor_move_the_window() {
    for cipher in Cipher::all() {
        let (outbound, inbound) = pair(&config(cipher, true, 0));
        let packet = seal(&outbound, NEXT_HEADER_IPV4, &ipv4(40));
        for bit in 0..packet.len() * 8 {
            let mut forged = packet.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(inbound.open(&mut forged).is_err(), "{cipher}: bit {bit}");
        }
        for len in 0..packet.len() {
            assert!(inbound.open(&mut packet[..len].to_vec()).is_err(), "{cipher}: length {len}");
        }
        assert_eq!(inbound.window().highest(), 0);
        assert_eq!(inbound.usage(), Usage::default());
        assert!(inbound.open(&mut packet.clone()).is_ok());
    }
}

#[test]
fn lengths_fit_the_room_exactly() {
    for layout in Cipher::all().map(Layout::of) {
        let shortest = layout.sealed_len(1);
        for room in shortest..2000 {
            let inner = layout.max_inner(room);
            assert!(layout.sealed_len(inner) <= room, "room {room}");
            assert!(layout.sealed_len(inner + 1) > room, "room {room}");
        }
        for room in 0..shortest {
            assert_eq!(layout.max_inner(room), 0);
        }
    }
}

#[test]
fn a_1500_byte_underlay_carries_what_clouds_say_over_ipv4_and_udp() {
    let carries = |suite: &str, room: usize| {
        Layout::of(suite.parse::<EspSuite>().unwrap().cipher).max_inner(room)
    };
    assert_eq!(carries("aes256gcm16", 1500 - 20 - 8), 1438);
    assert_eq!(carries("aes256gcm16", 1500 - 40 - 8), 1418);
    assert_eq!(carries("aes256-sha256", 1500 - 20 - 8), 1422);
    assert_eq!(carries("aes128-sha512", 1500 - 20 - 8), 1406);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_open_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        esn in any::<bool>(),
    ) {
        let (_, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, esn, 0));
        let mut packet = [&0xc0ff_ee01_u32.to_be_bytes()[..], &bytes].concat();
        prop_assert!(inbound.open(&mut packet).is_err());
        prop_assert_eq!(inbound.window().highest(), 0);
    }

    #[test]
    fn gathering_head_and_payload_is_the_same_as_one_piece(
        inner in prop::collection::vec(any::<u8>(), 0..300),
        cut in any::<prop::sample::Index>(),
    ) {
        let config = config(AeadAlgorithm::ChaCha20Poly1305, true, 0);
        let (one, _) = pair(&config);
        let (other, _) = pair(&config);
        let whole = seal(&one, NEXT_HEADER_IPV4, &inner);
        let (head, payload) = inner.split_at(cut.index(inner.len() + 1));
        let mut gathered = vec![0xaa; whole.len() + 7];
        let len = other.seal(NEXT_HEADER_IPV4, head, payload, &mut gathered).unwrap();
        prop_assert_eq!(&gathered[..len], &whole[..]);
        prop_assert_eq!(&gathered[len..], &[0xaa; 7]);
    }
}

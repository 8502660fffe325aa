//! An imported SA goes on as the original would have; octets that are no state are refused.

use super::super::tests::{config, ipv4, outbound, pair, seal};
use super::super::{Discard, InboundSa, NEXT_HEADER_IPV4, OutboundSa};
use super::*;
use crate::crypto::aead::AeadAlgorithm;
use proptest::prelude::*;

/// What `sa` was, after a life as octets.
fn moved(sa: &InboundSa) -> InboundSa {
    InboundSa::import(InboundState::decode(sa.export().encode()).unwrap()).unwrap()
}

fn open(sa: &InboundSa, packet: &[u8]) -> Result<u64, Discard> {
    sa.open(&mut packet.to_vec()).map(|opened| opened.sequence)
}

fn packets(sa: &OutboundSa, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| seal(sa, NEXT_HEADER_IPV4, &ipv4(40))).collect()
}

#[test]
fn an_exported_inbound_sa_opens_nothing_and_its_successor_the_rest() {
    for esn in [false, true] {
        let (outbound, first) = pair(&config(AeadAlgorithm::ChaCha20Poly1305, esn, 0));
        let packets = packets(&outbound, 4);
        assert_eq!(open(&first, &packets[2]), Ok(3));
        let second = moved(&first);
        for packet in &packets {
            assert!(open(&first, packet).is_err());
        }
        let verdicts = [0, 2, 3, 3].map(|at: usize| open(&second, &packets[at]));
        assert_eq!(verdicts, [Ok(1), Err(Discard::Replayed), Ok(4), Err(Discard::Replayed)]);
        assert_eq!((second.usage().packets, second.usage().bytes), (3, 120));
        assert_eq!((second.replayed(), second.lost()), (2, 1));
    }
}

#[test]
fn a_jump_ahead_of_the_export_is_part_of_it() {
    let (outbound, first) = pair(&config(AeadAlgorithm::Aes256Gcm16, true, 0));
    let early = packets(&outbound, 1).remove(0);
    outbound.reserve(3_000_000, 0).unwrap();
    let far = packets(&outbound, 1).remove(0);
    assert_eq!((open(&first, &early), open(&first, &far)), (Ok(1), Ok(3_000_002)));
    let second = moved(&first);
    assert_eq!(open(&second, &far), Err(Discard::Replayed));
    assert_eq!(second.window().highest(), 3_000_002);
}

#[test]
fn octets_of_the_other_direction_or_of_another_version_are_refused() {
    let config = config(AeadAlgorithm::Aes128Gcm16, true, 0);
    let octets = outbound(config.clone()).export().encode();
    assert!(InboundState::decode(octets.clone()).is_err());
    let mut newer = octets.as_bytes().to_vec();
    newer[0] += 1;
    assert!(Reservation::decode(Secret::from(newer)).is_err());
    let inbound = InboundSa::new(config).unwrap().export().encode();
    assert!(Reservation::decode(inbound).is_err());
}

#[test]
fn every_truncation_and_every_longer_state_is_refused() {
    let (outbound, inbound) = pair(&config(AeadAlgorithm::Aes256Gcm16, true, 0));
    let (outbound, inbound) = (outbound.export().encode(), inbound.export().encode());
    for len in 0..outbound.len() {
        assert!(Reservation::decode(Secret::copy_of(&outbound.as_bytes()[..len])).is_err());
    }
    for len in 0..inbound.len() {
        assert!(InboundState::decode(Secret::copy_of(&inbound.as_bytes()[..len])).is_err());
    }
    let longer = |octets: &Secret| Secret::from([octets.as_bytes(), &[0]].concat());
    assert!(Reservation::decode(longer(&outbound)).is_err());
    assert!(InboundState::decode(longer(&inbound)).is_err());
}

#[test]
fn numbers_beyond_the_last_are_refused() {
    let octets = outbound(config(AeadAlgorithm::Aes128Gcm16, false, 0)).export().encode();
    let (_, end) = octets.as_bytes().split_at(octets.len() - 8);
    assert_eq!(end, u64::from(u32::MAX).to_be_bytes());
    for (last, end) in [(0, u64::from(u32::MAX) + 1), (6, 5)] {
        let mut octets = octets.as_bytes().to_vec();
        let at = octets.len() - 16;
        octets[at..at + 8].copy_from_slice(&u64::to_be_bytes(last));
        octets[at + 8..].copy_from_slice(&u64::to_be_bytes(end));
        assert!(Reservation::decode(Secret::from(octets)).is_err());
    }
}

proptest! {
    #[test]
    fn an_imported_sa_judges_as_one_that_never_moved(
        arrivals in prop::collection::vec((0..200_usize, any::<bool>()), 0..150),
        esn in any::<bool>(),
        start in prop_oneof![Just(0), Just(u64::from(u32::MAX) - 150), 0..5000_u64],
    ) {
        let start = if esn { start } else { start.min(5000) };
        let mut config = config(AeadAlgorithm::Aes256Gcm16, esn, 0);
        config.replay_window = 64;
        let (outbound, mut moving) = pair(&config);
        let staying = InboundSa::new(config).unwrap();
        outbound.reserve(start as u32, 0).unwrap();
        let packets = packets(&outbound, 200);
        for (at, moves) in arrivals {
            if moves {
                moving = moved(&moving);
            }
            prop_assert_eq!(open(&moving, &packets[at]), open(&staying, &packets[at]));
        }
        prop_assert_eq!(moving.usage(), staying.usage());
        prop_assert_eq!(moving.window().highest(), staying.window().highest());
    }

    #[test]
    fn arbitrary_octets_are_no_state_and_never_panic(
        octets in prop::collection::vec(any::<u8>(), 0..200),
        direction in 1..3_u8,
    ) {
        let octets = [&[VERSION, direction], &octets[..]].concat();
        let _ = Reservation::decode(Secret::copy_of(&octets));
        let _ = InboundState::decode(Secret::from(octets));
    }
}

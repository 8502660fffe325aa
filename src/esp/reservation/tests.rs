//! No sequence number is sealed twice, whatever is exported, split, stored, imported and lost.

use super::super::tests::{config, ipv4};
use super::super::{Layout, NEXT_HEADER_IPV4, OutboundSa};
use super::*;
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cipher::Cipher;
use crate::esp::Discard;
use proptest::prelude::*;
use std::sync::Mutex;

const GCM: Layout = Layout::of(Cipher::Aead(AeadAlgorithm::Aes256Gcm16));

fn fresh(esn: bool) -> Reservation {
    Reservation::first_use(config(AeadAlgorithm::Aes256Gcm16, esn, 0))
}

fn sa(reservation: Reservation) -> OutboundSa {
    OutboundSa::new(reservation).unwrap()
}

/// Seals one packet and returns its sequence number.
fn seal(sa: &OutboundSa) -> Result<u64, Discard> {
    let mut packet = [0; GCM.sealed_len(40)];
    sa.seal(NEXT_HEADER_IPV4, &ipv4(40), &[], &mut packet)?;
    Ok(packet[8..16].iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
}

#[test]
fn an_exported_sa_is_ended_and_its_successor_goes_on() {
    let first = sa(fresh(true));
    assert_eq!([seal(&first), seal(&first)], [Ok(1), Ok(2)]);
    let second = sa(first.export());
    assert_eq!((first.usage().packets, first.usage().bytes), (2, 80));
    assert_eq!(seal(&first), Err(Discard::SequenceExhausted));
    assert_eq!(seal(&second), Ok(3));
    assert_eq!((second.usage().packets, second.usage().bytes), (3, 120));
    assert!(first.usage().hard_exceeded && !first.usage().soft_exceeded);
}

#[test]
fn a_second_export_finds_nothing() {
    for esn in [true, false] {
        let first = sa(fresh(esn));
        seal(&first).unwrap();
        assert!(first.export().remaining() > 0);
        let nothing = first.export();
        assert_eq!(nothing.remaining(), 0);
        assert_eq!(seal(&sa(nothing)), Err(Discard::SequenceExhausted));
        assert_eq!(first.usage().packets, 1);
    }
}

#[test]
fn a_train_that_a_worker_holds_keeps_its_numbers() {
    let first = sa(fresh(false));
    let mut train = first.reserve(2, 80).unwrap();
    let second = sa(first.export());
    let mut packet = [0; GCM.sealed_len(40)];
    for expected in [1, 2] {
        train.seal(NEXT_HEADER_IPV4, &ipv4(40), &[], &mut packet).unwrap();
        assert_eq!(packet[7], expected);
    }
    assert_eq!(seal(&second), Ok(3));
}

#[test]
fn the_limit_of_packets_counts_what_was_sent_before() {
    let mut config = config(AeadAlgorithm::Aes256Gcm16, true, 0);
    config.hard.packets = 3;
    let first = sa(Reservation::first_use(config));
    seal(&first).unwrap();
    let second = sa(first.export());
    assert_eq!([seal(&second), seal(&second)], [Ok(2), Ok(3)]);
    assert_eq!(seal(&second), Err(Discard::HardLifetime));
}

#[test]
fn after_a_crash_the_stored_rest_skips_what_may_have_been_sent() {
    let mut near = fresh(true);
    let stored = near.split_off(1000).encode();
    let running = sa(near);
    (1..=7).for_each(|number| assert_eq!(seal(&running), Ok(number)));
    drop(running); // with all that it had not used
    let restarted = sa(Reservation::decode(stored).unwrap());
    assert_eq!(seal(&restarted), Ok(1001));
}

#[test]
fn workers_that_seal_while_the_sa_is_exported_share_no_number() {
    let first = sa(fresh(true));
    let sealed = Mutex::new(Vec::new());
    let seal_until_refused = |sa: &OutboundSa, most: usize| {
        let numbers: Vec<u64> = (0..most).map_while(|_| seal(sa).ok()).collect();
        sealed.lock().unwrap().extend(numbers);
    };
    std::thread::scope(|scope| {
        (0..3).for_each(|_| drop(scope.spawn(|| seal_until_refused(&first, 3000))));
        scope.spawn(|| {
            while first.usage().packets < 100 {
                std::thread::yield_now();
            }
            seal_until_refused(&sa(first.export()), 3000);
        });
    });
    let mut sealed = sealed.into_inner().unwrap();
    let count = sealed.len();
    sealed.sort_unstable();
    sealed.dedup();
    assert_eq!(sealed.len(), count);
}

/// What may happen to the SAs and reservations of one key.
#[derive(Clone, Debug)]
enum Step {
    Seal(prop::sample::Index),
    Export(prop::sample::Index),
    Import(prop::sample::Index),
    Split(prop::sample::Index, u64),
    Store(prop::sample::Index),
    Lose(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => index().prop_map(Step::Seal),
        2 => index().prop_map(Step::Export),
        2 => index().prop_map(Step::Import),
        1 => (index(), 0..6_u64).prop_map(|(which, count)| Step::Split(which, count)),
        1 => index().prop_map(Step::Store),
        1 => index().prop_map(Step::Lose),
    ]
}

proptest! {
    #[test]
    fn no_interleaving_repeats_a_number(
        steps in prop::collection::vec(step(), 0..120),
        esn in any::<bool>(),
    ) {
        let (mut sas, mut reservations) = (Vec::new(), vec![fresh(esn)]);
        let mut sealed = Vec::new();
        for step in steps {
            match step {
                Step::Seal(which) if !sas.is_empty() => {
                    sealed.extend(seal(&sas[which.index(sas.len())]));
                }
                Step::Export(which) if !sas.is_empty() => {
                    reservations.push(sas[which.index(sas.len())].export());
                }
                _ if reservations.is_empty() => {}
                Step::Import(which) => {
                    sas.push(sa(reservations.swap_remove(which.index(reservations.len()))));
                }
                Step::Split(which, count) => {
                    let at = which.index(reservations.len());
                    let rest = reservations[at].split_off(count);
                    reservations.push(rest);
                }
                Step::Store(which) => {
                    let at = which.index(reservations.len());
                    let octets = reservations.swap_remove(at).encode();
                    reservations.push(Reservation::decode(octets).unwrap());
                }
                Step::Lose(which) if reservations.len() > 1 => {
                    reservations.swap_remove(which.index(reservations.len()));
                }
                Step::Seal(_) | Step::Export(_) | Step::Lose(_) => {}
            }
        }
        let count = sealed.len();
        sealed.sort_unstable();
        sealed.dedup();
        prop_assert_eq!(sealed.len(), count);
    }
}

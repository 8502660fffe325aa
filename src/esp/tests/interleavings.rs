//! Interleavings of a few threads on what workers share of an SA: all with up to three switches where a thread
//! did not end, also those that only the memory model allows, as far as `loom` knows it (no load is moved
//! behind a store). The atomics are not those of the machine then, so these tests run by themselves:
//!
//! ```sh
//! cargo test --lib --features interleavings interleavings
//! ```

use super::config;
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cipher::SealingKey;
use crate::esp::inbound::Authentic;
use crate::esp::window::WindowState;
use crate::esp::*;
use loom::sync::Arc;
use loom::thread;
use std::collections::BTreeSet;

/// Runs `threads` on `shared` in every order, with up to three switches where a thread did not end, and gives
/// `judge` what they say.
fn in_every_order<S, T>(
    shared: impl Fn() -> S + Send + Sync + 'static,
    threads: &'static [fn(&S) -> T],
    judge: impl Fn(&S, Vec<T>) + Send + Sync + 'static,
) where
    S: Send + Sync + 'static,
    T: Send + 'static,
{
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let shared = Arc::new(shared());
        let (first, others) = threads.split_first().expect("at least one thread");
        let others: Vec<_> = others
            .iter()
            .map(|thread| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || thread(&shared))
            })
            .collect();
        let mut said = vec![first(&shared)];
        said.extend(others.into_iter().map(|thread| thread.join().unwrap()));
        judge(&shared, said);
    });
}

fn accept(window: &ReplayWindow, sequence: u64) -> bool {
    window.accept(&Authentic::for_test(sequence)).is_ok()
}

fn count(accepted: &[bool]) -> usize {
    accepted.iter().filter(|accepted| **accepted).count()
}

#[test]
fn a_packet_that_comes_twice_is_accepted_once() {
    let threads: &[fn(&ReplayWindow) -> bool] =
        &[|window| accept(window, 5), |window| accept(window, 5), |window| accept(window, 6)];
    in_every_order(
        || ReplayWindow::new(64),
        threads,
        |window, accepted| {
            assert_eq!(count(&accepted[..2]), 1);
            assert!(accepted[2]);
            assert_eq!(window.highest(), 6);
            assert!(!accept(window, 5) && !accept(window, 6));
        },
    );
}

/// 5 and 133 stand in the same word of a window of 64, one epoch apart.
#[test]
fn a_window_that_jumps_lets_nothing_in_again() {
    let threads: &[fn(&ReplayWindow) -> bool] =
        &[|window| accept(window, 5), |window| accept(window, 133), |window| accept(window, 5)];
    in_every_order(
        || ReplayWindow::new(64),
        threads,
        |window, accepted| {
            assert!(count(&[accepted[0], accepted[2]]) <= 1);
            assert!(accepted[1]);
            assert_eq!(window.highest(), 133);
            assert!(!accept(window, 5) && !accept(window, 133));
        },
    );
}

/// The process that goes on with a window accepts what this one has refused, and nothing else of it.
#[test]
fn a_window_that_is_handed_over_accepts_each_packet_once() {
    let threads: &[fn(&ReplayWindow) -> Result<WindowState, bool>] = &[
        |window| Ok(window.export()),
        |window| Err(accept(window, 70)),
        |window| Err(accept(window, 7)),
    ];
    in_every_order(
        || ReplayWindow::new(64),
        threads,
        |_, mut said| {
            let Ok(state) = said.remove(0) else { panic!("the first one exports") };
            let next = ReplayWindow::import(64, &state);
            for (sequence, here) in [70, 7].into_iter().zip(said) {
                assert_ne!(here.unwrap_err(), accept(&next, sequence), "{sequence}");
            }
        },
    );
}

/// The sequence numbers of so many packets; none when they are refused.
fn given(sa: &OutboundSa, packets: u32) -> Vec<u64> {
    sa.reserve(packets, 0).map_or(Vec::new(), |train| train.numbers().collect())
}

/// Makes SAs that seal so many packets; the key is made before, which takes more stack than a thread has here.
fn outbound(packets: u64) -> impl Fn() -> OutboundSa {
    let hard = Limits { packets, ..Limits::NONE };
    let config = SaConfig { hard, ..config(AeadAlgorithm::Aes128Gcm16, true, 0) };
    let key = SealingKey::new(config.suite.cipher, config.keymat.as_bytes()).unwrap();
    move || OutboundSa::with(key.clone(), Reservation::first_use(config.clone()))
}

#[test]
fn no_two_packets_have_the_same_number_though_the_sa_is_handed_over_meanwhile() {
    let threads: &[fn(&OutboundSa) -> Result<Reservation, Vec<u64>>] =
        &[|sa| Ok(sa.export()), |sa| Err(given(sa, 1)), |sa| Err(given(sa, 2))];
    in_every_order(outbound(u64::MAX), threads, |sa, mut said| {
        let Ok(rest) = said.remove(0) else { panic!("the first one exports") };
        let numbers: Vec<u64> = said.into_iter().flat_map(Result::unwrap_err).collect();
        let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
        assert_eq!(distinct.len(), numbers.len(), "{numbers:?}");
        assert!(numbers.iter().all(|number| *number <= rest.last), "{numbers:?}");
        assert!(given(sa, 1).is_empty());
    });
}

#[test]
fn threads_that_want_more_than_is_left_do_not_all_get_it() {
    let threads: &[fn(&OutboundSa) -> Vec<u64>] = &[|sa| given(sa, 2), |sa| given(sa, 2)];
    in_every_order(outbound(3), threads, |sa, said| {
        assert_eq!(said.concat(), [1, 2]);
        assert_eq!(given(sa, 1), [3]);
        assert!(given(sa, 1).is_empty());
    });
}

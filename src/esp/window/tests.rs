//! The window against a naive model, across ESN boundaries and from many threads.

use super::*;
use crate::random::{Random, Seeded};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;

/// RFC 4303 §3.4.3 word by word: remembers everything.
struct Model {
    size: u64,
    highest: u64,
    seen: BTreeSet<u64>,
}

impl Model {
    fn accept(&mut self, sequence: u64) -> Result<(), Discard> {
        if sequence == 0 || u128::from(sequence) + u128::from(self.size) <= u128::from(self.highest)
        {
            return Err(Discard::Late);
        }
        if !self.seen.insert(sequence) {
            return Err(Discard::Replayed);
        }
        self.highest = self.highest.max(sequence);
        Ok(())
    }
}

fn accept(window: &ReplayWindow, sequence: u64) -> Result<(), Discard> {
    window.accept(&Authentic::for_test(sequence))
}

/// A window that has accepted `highest`, after a life in which every word was in use.
fn window_at(size: u32, highest: u64) -> ReplayWindow {
    let window = ReplayWindow::new(size);
    for blocks_ago in 0..window.ring.len() as u64 {
        let place = window.place(highest.saturating_sub((blocks_ago + 1) * BLOCK));
        window.ring[place.slot].store(place.epoch, Ordering::Relaxed);
    }
    if highest > 0 {
        accept(&window, highest).unwrap();
    }
    window
}

/// Where sequence numbers get interesting.
fn interesting() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        0..100_000_u64,
        (u64::from(u32::MAX) - 100_000)..(u64::from(u32::MAX) + 100_000),
        any::<u64>(),
        (u64::MAX - 100_000)..=u64::MAX,
    ]
}

/// How far the next packet lies from the highest so far.
fn step(size: i64) -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => -size - 40..40_i64,
        4 => 0..3_i64,
        1 => 0..4 * size,
        1 => 0..1_i64 << 31,
    ]
}

#[test]
fn sizes_are_powers_of_two_within_bounds() {
    for (asked, given) in
        [(0, 64), (1, 64), (64, 64), (65, 128), (8192, 8192), (9000, 16_384), (u32::MAX, 65_536)]
    {
        assert_eq!(ReplayWindow::new(asked).size(), given);
    }
}

#[test]
fn checking_changes_nothing() {
    let window = window_at(64, 100);
    for _ in 0..3 {
        assert_eq!(window.check(101), Ok(()));
        assert_eq!(window.check(1_000_000), Ok(()));
        assert_eq!(window.check(100), Err(Discard::Replayed));
        assert_eq!(window.check(36), Err(Discard::Late));
        assert_eq!(window.check(37), Ok(()));
        assert_eq!(window.check(0), Err(Discard::Late));
    }
    assert_eq!(window.highest(), 100);
}

#[test]
fn a_jump_forgets_stale_words_without_clearing_them() {
    let window = ReplayWindow::new(64);
    for sequence in 1..=128 {
        assert_eq!(accept(&window, sequence), Ok(()));
    }
    // 128 further on lies the same slot of the ring, one epoch later.
    for sequence in (129..=256).rev().take(64) {
        assert_eq!(accept(&window, sequence), Ok(()));
        assert_eq!(accept(&window, sequence), Err(Discard::Replayed));
    }
}

proptest! {
    #[test]
    fn the_window_decides_as_the_model(
        size in prop::sample::select(vec![64_u32, 128, 1024, 8192]),
        start in interesting(),
        steps in prop::collection::vec(step(8192), 1..400),
    ) {
        let window = window_at(size, start);
        let mut model = Model { size: size.into(), highest: 0, seen: BTreeSet::new() };
        if start > 0 {
            model.accept(start).unwrap();
        }
        for step in steps {
            let sequence = model.highest.saturating_add_signed(step);
            let expected = model.accept(sequence);
            prop_assert_eq!(window.check(sequence), expected, "check of {}", sequence);
            prop_assert_eq!(accept(&window, sequence), expected, "{}", sequence);
            prop_assert_eq!(window.highest(), model.highest);
        }
    }

    #[test]
    fn the_low_half_suffices_from_the_window_to_four_billion_ahead(
        size in prop::sample::select(vec![64_u32, 8192, 65_536]),
        highest in interesting(),
        ahead in prop_oneof![0..100_000_u64, 0..1_u64 << 32, Just((1 << 32) - 1)],
    ) {
        let window = window_at(size, highest);
        // From the bottom of the window, 2³² numbers are told apart.
        let Some(sequence) = (highest + 1).checked_sub(window.size())
            .and_then(|bottom| bottom.checked_add(ahead)) else { return Ok(()) };
        prop_assert_eq!(window.extend(sequence as u32), Some(sequence));
    }

    #[test]
    fn extending_never_leaves_the_neighbourhood(highest in interesting(), low in any::<u32>()) {
        let window = window_at(8192, highest);
        if let Some(sequence) = window.extend(low) {
            prop_assert_eq!(sequence as u32, low);
            prop_assert!(sequence.abs_diff(highest) <= 1 << 32);
        }
    }
}

#[test]
fn before_the_first_packet_only_the_first_subspace_is_possible() {
    let window = ReplayWindow::new(8192);
    assert_eq!(window.extend(1), Some(1));
    assert_eq!(window.extend(1 << 31), Some(1 << 31));
    assert_eq!(window.extend(u32::MAX), None); // would be 1 before the beginning
}

#[test]
fn beyond_the_last_subspace_there_is_nothing() {
    let window = window_at(64, u64::MAX - 1);
    assert_eq!(window.extend(u32::MAX), Some(u64::MAX));
    assert_eq!(window.extend(5), None);
}

#[test]
fn no_sequence_number_is_accepted_twice_by_any_number_of_threads() {
    const THREADS: u64 = 4;
    const NUMBERS: u64 = 60_000;
    for (size, start) in [(64, 0), (64, u64::from(u32::MAX) - 30_000), (65_536, 0)] {
        let window = window_at(size, start);
        let accepted: Vec<AtomicU32> = (0..=NUMBERS).map(|_| AtomicU32::new(0)).collect();
        let receive = |seed: u64| {
            let mut random = Seeded::new(seed);
            // Everybody sees every packet, each in an order of its own.
            for base in 1..=NUMBERS {
                let number = (base + random.below(80)).saturating_sub(40).clamp(1, NUMBERS);
                for number in [number, base] {
                    if accept(&window, start + number).is_ok() {
                        accepted[number as usize].fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for seed in 0..THREADS {
                let receive = &receive;
                scope.spawn(move || receive(seed));
            }
        });
        let counts = || accepted.iter().skip(1).map(|count| count.load(Ordering::Relaxed));
        assert!(counts().all(|count| count <= 1), "window {size}");
        if size as u64 > NUMBERS {
            assert!(counts().all(|count| count == 1), "nothing is late in a window this large");
        }
        assert_eq!(window.highest(), start + NUMBERS);
    }
}

#[test]
fn a_number_marked_while_the_window_is_taken_is_part_of_it() {
    for (before, marked) in [(5, 6), (5, 1_000_000), (u64::MAX - 70_000, u64::MAX - 3)] {
        let window = window_at(64, before);
        let place = window.place(marked);
        window.ring[place.slot].store(place.epoch | place.bit, Ordering::Relaxed);
        let state = window.export();
        assert_eq!(state.highest, marked);
        let after = ReplayWindow::import(64, &state);
        assert_eq!(accept(&after, marked), Err(Discard::Replayed), "{marked}");
    }
}

#[test]
fn threads_that_accept_while_the_window_is_taken_accept_nothing_twice() {
    for round in 0..50 {
        let window = ReplayWindow::new(1024);
        let accepted: Vec<AtomicU32> = (0..2000).map(|_| AtomicU32::new(0)).collect();
        let accept_all = |window: &ReplayWindow| {
            for (number, count) in accepted.iter().enumerate() {
                if accept(window, number as u64).is_ok() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(|| accept_all(&window))));
            scope.spawn(|| {
                (0..round * 100).for_each(|_| std::hint::spin_loop());
                accept_all(&ReplayWindow::import(1024, &window.export()));
            });
        });
        accept_all(&window);
        assert!(accepted.iter().all(|count| count.load(Ordering::Relaxed) <= 1));
    }
}

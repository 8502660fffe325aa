//! The rings forget the oldest.

use super::*;
use crate::control::Code;

fn event(n: u64) -> PastEvent {
    let fact = Fact::new(Code::Connected, format!("event {n}"));
    PastEvent { at: Timestamp::from_millis(n), fact: Arc::new(fact) }
}

#[test]
fn the_ring_keeps_the_newest_events() {
    let mut ring = EventRing::default();
    for n in 0..RING_LEN as u64 + 3 {
        ring.push(event(n));
    }
    assert_eq!(ring.iter().count(), RING_LEN);
    assert_eq!(ring.iter().next(), Some(&event(3)));
    assert_eq!(ring.iter().last(), Some(&event(RING_LEN as u64 + 2)));
}

#[test]
fn a_failure_is_told_once_until_something_goes_well() {
    let failed = |text: &str, at| {
        let fact = Arc::new(Fact::new(Code::PskMismatch, text));
        PastEvent { at: Timestamp::from_millis(at), fact }
    };
    let mut ring = EventRing::default();
    assert!(!ring.was_told(&failed("one", 0)));
    ring.push(failed("one", 0));
    ring.push(failed("other", 1));
    assert!(ring.was_told(&failed("one", 2)), "others between them change nothing");
    assert!(!ring.was_told(&failed("a third", 2)));
    assert!(!ring.was_told(&failed("one", 600_000)), "from time to time it is told again");
    ring.push(event(3));
    assert!(!ring.was_told(&failed("one", 4)));
}

#[test]
fn what_is_fresh_is_taken_down_once() {
    let mut ring = EventRing::default();
    (0..2).for_each(|n| ring.push(event(n)));
    assert_eq!(ring.take_fresh().collect::<Vec<_>>(), [event(0), event(1)]);
    assert_eq!(ring.take_fresh().count(), 0);
    (0..2 * RING_LEN as u64).for_each(|n| ring.push(event(n)));
    assert_eq!(ring.take_fresh().count(), RING_LEN, "what is forgotten cannot be taken down");
}

#[test]
fn a_reader_goes_on_where_it_was_and_learns_what_it_missed() {
    let mut journal = Journal::default();
    assert_eq!((journal.after(0).count(), journal.missed(0), journal.last()), (0, 0, 0));
    let all = JOURNAL_LEN as u64 + 5;
    (1..=all).for_each(|n| journal.push(None, event(n)));
    assert_eq!(journal.last(), all);
    let numbers = |after| journal.after(after).map(|entry| entry.number).collect::<Vec<_>>();
    assert_eq!(numbers(all - 2), [all - 1, all]);
    assert_eq!((numbers(all), journal.missed(all)), (vec![], 0));
    assert_eq!((numbers(0).len(), journal.missed(0)), (JOURNAL_LEN, 5));
    assert_eq!((numbers(5).len(), journal.missed(5)), (JOURNAL_LEN, 0));
}

#[test]
fn what_is_not_told_again_is_counted() {
    let mut ring = EventRing::default();
    (0..2).for_each(|n| ring.push(event(n)));
    ring.repeat(Code::PskMismatch);
    let tally = ring.tally().by_name();
    assert_eq!((tally["connected"], tally["psk-mismatch"], tally.len()), (2, 1, 2));
}

#[test]
fn the_last_attempt_at_another_configuration_is_known() {
    let note = |code, at| PastEvent {
        at: Timestamp::from_millis(at),
        fact: Arc::new(Fact::new(code, "")),
    };
    let mut journal = Journal::default();
    assert_eq!(journal.last_reload(), (None, true));
    journal.push(None, note(Code::ReloadFailed, 1));
    assert_eq!(journal.last_reload(), (None, false));
    journal.push(None, note(Code::Reloaded, 2));
    journal.push(None, note(Code::ReloadFailed, 3));
    assert_eq!(journal.last_reload(), (Some(Timestamp::from_millis(2)), false));
    journal.push(None, note(Code::Reloaded, 4));
    assert_eq!(journal.last_reload(), (Some(Timestamp::from_millis(4)), true));
}

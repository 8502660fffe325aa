use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(seconds)
}

fn name() -> Name {
    Name::new("vpn.example".parse().unwrap(), at(0))
}

/// When the next look-up is due after one at second 100 that found what holds for so long.
fn due_after(ttl: Duration) -> Option<Timestamp> {
    let mut name = name();
    assert!(name.begin(at(100)));
    name.end(Some(ttl), at(100));
    name.due
}

#[test]
fn an_answer_holds_for_its_ttl_within_bounds() {
    assert_eq!(due_after(Duration::ZERO), Some(at(105)));
    assert_eq!(due_after(Duration::from_secs(60)), Some(at(160)));
    assert_eq!(due_after(Duration::MAX), Some(at(3700)));
}

#[test]
fn failures_are_repeated_ever_more_seldom_and_forgotten_by_an_answer() {
    let mut name = name();
    let mut waits = Vec::new();
    for _ in 0..400 {
        let now = name.due.unwrap();
        assert!(name.begin(now));
        name.end(None, now);
        waits.push((name.due.unwrap() - now).as_secs());
    }
    assert_eq!(waits[..7], [2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(waits[399], 60);
    name.end(Some(Duration::from_secs(60)), at(0));
    name.end(None, at(0));
    assert_eq!(name.due, Some(at(2)));
}

#[test]
fn nobody_is_asked_twice_at_the_same_time_nor_without_end_for_a_peer_that_is_silent() {
    let mut name = name();
    assert!(name.begin(at(0)));
    name.hurry(at(1));
    assert!(!name.begin(at(1)), "one is under way");
    name.end(Some(Duration::from_secs(600)), at(1));
    name.hurry(at(2));
    assert!(!name.begin(at(5)) && name.begin(at(6)));
    name.end(Some(Duration::from_secs(600)), at(6));
    name.hurry(at(300));
    assert!(name.begin(at(300)));
}

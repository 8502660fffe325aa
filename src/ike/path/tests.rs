use super::*;

const SPIS: (IkeSpi, IkeSpi) = (IkeSpi([1; 8]), IkeSpi([2; 8]));

fn path(local: &str, remote: &str) -> Path {
    let address = |text: &str| text.parse().expect("an address in a test");
    Path { local: address(local), remote: address(remote) }
}

/// What the receiver on `received` finds in a message sent on `sent`.
fn found(sent: Path, force: bool, received: Path) -> Option<NatStatus> {
    detect(&detection_payloads(SPIS, &sent, force), SPIS, &received)
}

#[test]
fn the_hash_is_over_spis_address_and_port() {
    // SHA-1 of 01×8 02×8 c0000201 01f4, computed with sha1sum.
    let hash = address_hash(SPIS, "192.0.2.1:500".parse().expect("an address"));
    let octets = [&[1u8; 8][..], &[2; 8], &[192, 0, 2, 1], &[1, 0xf4]].concat();
    assert_eq!(hash, sha1(&[&octets]));
}

#[test]
fn without_a_nat_nothing_is_found() {
    for (one, other) in
        [("192.0.2.1:500", "198.51.100.1:500"), ("[2001:db8::1]:500", "[2001:db8::2]:500")]
    {
        let none = NatStatus { local: false, remote: false };
        assert_eq!(found(path(one, other), false, path(other, one)), Some(none));
    }
}

#[test]
fn a_nat_is_found_on_its_side() {
    let sent = path("10.0.0.1:500", "198.51.100.1:500");
    let received = path("198.51.100.1:500", "192.0.2.1:1024");
    let nat = found(sent, false, received).expect("payloads are there");
    assert_eq!(nat, NatStatus { local: false, remote: true });
    let answer = path("198.51.100.1:500", "192.0.2.1:1024");
    let received = path("10.0.0.1:500", "198.51.100.1:500");
    let nat = found(answer, false, received).expect("payloads are there");
    assert_eq!(nat, NatStatus { local: true, remote: false });
}

#[test]
fn a_forced_nat_is_found_by_the_peer_alone() {
    let sent = path("192.0.2.1:500", "198.51.100.1:500");
    let received = path("198.51.100.1:500", "192.0.2.1:500");
    let nat = found(sent, true, received).expect("payloads are there");
    assert_eq!(nat, NatStatus { local: false, remote: true });
}

#[test]
fn no_payloads_mean_no_nat_traversal() {
    let received = path("198.51.100.1:500", "192.0.2.1:500");
    assert_eq!(detect(&[], SPIS, &received), None);
}

const COOKIE: Cookie = [7; 16];

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A path whose peer was seen elsewhere, and that elsewhere.
fn doubted() -> (LivePath, Path) {
    let here = path("192.0.2.1:4500", "198.51.100.1:4500");
    let moved = path("192.0.2.1:4500", "198.51.100.1:7777");
    let mut live = LivePath::new(here, NatStatus::default(), Timestamp::ZERO);
    assert!(!live.on_seen_on(here, at(0), at(100)));
    assert!(live.on_seen_on(moved, at(0), at(100)));
    assert!(live.wants_check());
    (live, moved)
}

#[test]
fn the_path_moves_when_the_answer_comes_from_there_and_proves_it() {
    let (mut live, moved) = doubted();
    live.on_asked(COOKIE, at(200));
    assert!(!live.wants_check());
    assert_eq!(live.asked_at(&COOKIE), Some(moved));
    assert!(live.on_checked(moved.remote, true));
    assert_eq!((live.path(), live.candidate()), (moved, None));
}

#[test]
fn an_answer_from_elsewhere_or_without_proof_moves_nothing() {
    let here = "198.51.100.1:4500".parse().expect("an address");
    for (from, proved) in [(None, false), (Some(here), true)] {
        let (mut live, moved) = doubted();
        let before = live.path();
        live.on_asked(COOKIE, at(200));
        assert!(!live.on_checked(from.unwrap_or(moved.remote), proved));
        assert_eq!((live.path(), live.candidate()), (before, None));
    }
}

#[test]
fn one_place_is_asked_at_a_time_and_not_for_ever() {
    let (mut live, moved) = doubted();
    let third = path("192.0.2.1:4500", "203.0.113.9:4500");
    assert!(!live.on_seen_on(moved, at(50), at(150)));
    assert!(!live.on_seen_on(third, at(50), at(150)));
    assert_eq!(live.candidate(), Some(moved));
    assert_eq!(live.candidate_until(), Some(at(100)));
    assert!(live.on_seen_on(third, at(100), at(200)));
    live.forget_candidate(at(199));
    assert_eq!(live.candidate(), Some(third));
    live.forget_candidate(at(200));
    assert_eq!((live.candidate(), live.asked_at(&COOKIE)), (None, None));
}

#[test]
fn keepalives_are_for_those_behind_a_nat() {
    let here = path("192.0.2.1:4500", "198.51.100.1:4500");
    let interval = Duration::from_secs(20);
    let behind = NatStatus { local: true, remote: false };
    let mut live = LivePath::new(here, behind, Timestamp::ZERO);
    assert!(live.keepalive_due(Timestamp::ZERO, interval));
    assert!(!live.keepalive_due(Timestamp::from_millis(19_999), interval));
    assert_eq!(live.keepalive_at(), Some(Timestamp::from_millis(20_000)));
    assert!(live.keepalive_due(Timestamp::from_millis(20_000), interval));
    let mut live = LivePath::new(here, NatStatus::default(), Timestamp::ZERO);
    assert_eq!(live.keepalive_at(), None);
    assert!(!live.keepalive_due(Timestamp::from_millis(99_000), interval));
}

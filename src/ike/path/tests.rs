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

#[test]
fn only_a_peer_behind_a_nat_is_followed_and_only_by_one_who_is_not() {
    let here = path("192.0.2.1:4500", "198.51.100.1:4500");
    let moved = path("192.0.2.1:4500", "198.51.100.1:7777");
    for (local, remote, follows) in
        [(false, true, true), (false, false, false), (true, true, false), (true, false, false)]
    {
        let mut live = LivePath::new(here, NatStatus { local, remote }, Timestamp::ZERO);
        assert!(!live.on_authentic(here));
        assert_eq!(live.on_authentic(moved), follows);
        assert_eq!(live.path(), if follows { moved } else { here });
    }
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

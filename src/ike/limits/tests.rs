use super::*;

const PEER: ConnectionId = ConnectionId(1);

fn granted(accounts: &mut Accounts, wish: Wish, times: usize, now: Timestamp) -> usize {
    (0..times).filter(|_| accounts.take(PEER, wish, now)).count()
}

/// Every wish, with how often an honest peer has it within a minute at most: both sides replace
/// keys that live five seconds, the shortest that can be configured, and collide every time.
fn honest() -> [(Wish, u32); 4] {
    let strands = 3;
    [
        (Wish::Establish, 60),
        (Wish::RekeyIke, 2 * 60 / 5),
        (Wish::Child { strands }, 2 * 60 / 5 * strands as u32),
        (Wish::Request { strands }, 60 * 20),
    ]
}

#[test]
fn an_honest_peer_at_its_busiest_is_never_refused() {
    for (wish, a_minute) in honest() {
        let mut accounts = Accounts::default();
        let pause = Duration::from_secs(60) / a_minute;
        for number in 0..10 * a_minute {
            let now = Timestamp::ZERO + pause * number;
            assert!(accounts.take(PEER, wish, now), "{wish:?} {number}");
        }
        assert_eq!(accounts.refused(PEER), 0);
    }
}

#[test]
fn all_child_sas_that_there_may_be_can_be_made_and_replaced_at_once() {
    for strands in [1, 2, 100, 4000] {
        let mut accounts = Accounts::default();
        let all = most_children(strands);
        let wish = Wish::Child { strands };
        let start = Timestamp::from_millis(1);
        assert_eq!(granted(&mut accounts, wish, 2 * all, start), all);
        assert_eq!(granted(&mut accounts, wish, 2 * all, start + ALL_CHILDREN), all);
    }
}

#[test]
fn a_storm_is_held_to_the_rate_and_counted() {
    for (wish, _) in honest() {
        let mut accounts = Accounts::default();
        let seconds = 60;
        let mut had = 0;
        for milli in 0..seconds * 1000 {
            had += granted(&mut accounts, wish, 3, Timestamp::from_millis(milli));
        }
        let rate = wish.rate();
        let most = u64::from(rate.burst) + seconds * 1_000_000 / rate.every.as_micros() as u64;
        assert!(had as u64 <= most + 1, "{wish:?}: {had} of {most}");
        assert_eq!(accounts.refused(PEER), seconds * 3000 - had as u64);
    }
}

#[test]
fn what_one_peer_uses_up_another_has_left() {
    let mut accounts = Accounts::default();
    let now = Timestamp::ZERO;
    granted(&mut accounts, Wish::RekeyIke, 100, now);
    assert!(!accounts.has(PEER, Wish::RekeyIke, now));
    assert!(accounts.take(PEER, Wish::Establish, now), "another wish of the same peer");
    assert!(accounts.take(ConnectionId(2), Wish::RekeyIke, now), "the same wish of another");
    accounts.forget(PEER);
    assert!(accounts.take(PEER, Wish::RekeyIke, now));
}

#[test]
fn a_source_that_proves_nothing_must_wait() {
    let (guilty, other) = (source("203.0.113.9"), source("203.0.113.8"));
    let mut suspects = Suspects::default();
    let now = Timestamp::from_millis(5);
    for _ in 0..FAILED_AUTH.burst {
        assert!(suspects.may_try(guilty, now));
        suspects.on_failed(guilty, now);
    }
    assert!(!suspects.may_try(guilty, now));
    assert!(suspects.may_try(other, now));
    assert!(suspects.may_try(guilty, now + FAILED_AUTH.every));
}

#[test]
fn sources_are_forgotten_in_time_and_never_too_many() {
    let mut suspects = Suspects::default();
    let now = Timestamp::ZERO;
    let guiltiest = source("203.0.113.9");
    (0..FAILED_AUTH.burst).for_each(|_| suspects.on_failed(guiltiest, now));
    for number in 0..2 * SOURCES as u32 {
        suspects.on_failed(Source::of(std::net::Ipv4Addr::from(number).into()), now);
    }
    assert_eq!(suspects.all.len(), SOURCES);
    assert_eq!(suspects.forgiven.len(), SOURCES);
    assert!(!suspects.may_try(guiltiest, now), "the guiltiest is remembered longest");
    suspects.on_failed(source("203.0.113.1"), now + Duration::from_secs(3600));
    assert_eq!(suspects.all.len(), 1);
}

#[test]
fn one_network_of_ipv6_is_one_source() {
    assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
    assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
    assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
}

fn source(address: &str) -> Source {
    Source::of(address.parse().expect("an address"))
}

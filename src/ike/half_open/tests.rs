use super::*;

fn id(number: u8) -> IkeSaId {
    IkeSaId { local: IkeSpi([number; 8]), remote: IkeSpi([number ^ 0xff; 8]) }
}

fn from(host: u8) -> SocketAddr {
    SocketAddr::new([192, 0, 2, host].into(), 500)
}

#[test]
fn places_are_bounded_and_given_back() {
    let limits = HalfOpenLimits { total: 3, per_source: 2, ..HalfOpenLimits::default() };
    let mut index = HalfOpenIndex::default();
    index.insert(from(1), id(1));
    index.insert(from(1), id(2));
    assert_eq!(index.admits(from(1).ip(), &limits), Err(Discard::HalfOpenPerSource));
    assert_eq!(index.admits(from(2).ip(), &limits), Ok(()));
    index.insert(from(2), id(3));
    assert_eq!(index.admits(from(3).ip(), &limits), Err(Discard::HalfOpenTotal));
    index.remove(from(1), id(1));
    index.remove(from(1), id(1));
    assert_eq!(index.admits(from(1).ip(), &limits), Ok(()));
    assert_eq!(index.find(from(1), id(2).remote), Some(id(2).local));
    assert_eq!(index.find(from(1), id(1).remote), None);
}

#[test]
fn cookies_are_wanted_of_all_under_load_and_of_one_who_asks_much() {
    let limits = HalfOpenLimits {
        cookies_above: 3,
        cookies_above_per_source: 2,
        ..HalfOpenLimits::default()
    };
    let mut index = HalfOpenIndex::default();
    index.insert(from(1), id(1));
    assert!(!index.wants_cookie(from(1).ip(), 0, &limits));
    index.insert(from(1), id(2));
    assert!(index.wants_cookie(from(1).ip(), 0, &limits));
    assert!(!index.wants_cookie(from(2).ip(), 0, &limits));
    index.insert(from(2), id(3));
    assert!(index.wants_cookie(from(3).ip(), 0, &limits));
}

#[test]
fn cookies_are_wanted_of_all_while_much_public_key_work_waits() {
    let limits = HalfOpenLimits { cookies_above: 3, ..HalfOpenLimits::default() };
    let index = HalfOpenIndex::default();
    assert!(!index.wants_cookie(from(1).ip(), 2, &limits));
    assert!(index.wants_cookie(from(1).ip(), 3, &limits));
}

#[test]
fn answers_are_limited_by_the_second() {
    let mut limit = ReplyLimit::new(Timestamp::ZERO);
    let now = Timestamp::from_millis(10);
    assert_eq!((0..10).filter(|_| limit.allows(3, now)).count(), 3);
    let later = Timestamp::from_millis(1000);
    assert_eq!((0..10).filter(|_| limit.allows(3, later)).count(), 3);
}

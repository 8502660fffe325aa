use super::*;

fn id(number: u8) -> IkeSaId {
    IkeSaId { local: IkeSpi([number; 8]), remote: IkeSpi([number ^ 0xff; 8]) }
}

fn from(host: u8) -> SocketAddr {
    SocketAddr::new([192, 0, 2, host].into(), 500)
}

const FREE: Result<Place, Discard> = Ok(Place::Free);

/// The place for a stranger at this host.
fn place(index: &HalfOpenIndex, host: u8, limits: &HalfOpenLimits) -> Result<Place, Discard> {
    index.place(from(host).ip(), false, limits)
}

#[test]
fn places_are_bounded_and_given_back() {
    let limits = HalfOpenLimits { total: 3, per_source: 2, ..HalfOpenLimits::default() };
    let mut index = HalfOpenIndex::default();
    index.insert(from(1), id(1));
    index.insert(from(1), id(2));
    assert_eq!(place(&index, 1, &limits), Err(Discard::HalfOpenPerSource));
    assert_eq!(place(&index, 2, &limits), FREE);
    index.insert(from(2), id(3));
    index.remove(from(1), id(1));
    index.insert(from(3), id(4));
    assert_eq!(place(&index, 4, &limits), Err(Discard::HalfOpenTotal));
    index.remove(from(1), id(2));
    index.remove(from(1), id(2));
    assert_eq!(place(&index, 1, &limits), FREE);
    assert_eq!(index.find(from(2), id(3).remote), Some(id(3).local));
    assert_eq!(index.find(from(1), id(2).remote), None);
}

#[test]
fn a_configured_address_has_places_of_its_own() {
    let limits = HalfOpenLimits { total: 1, reserved_per_peer: 2, ..HalfOpenLimits::default() };
    let mut index = HalfOpenIndex::default();
    index.insert(from(1), id(1));
    for number in [2, 3] {
        assert_eq!(index.place(from(2).ip(), true, &limits), FREE);
        index.insert(from(2), id(number));
    }
    assert_eq!(index.place(from(2).ip(), true, &limits), Err(Discard::HalfOpenTotal));
    assert_eq!(place(&index, 1, &limits), Err(Discard::HalfOpenTotal));
}

#[test]
fn who_has_the_most_places_gives_one_to_who_has_few() {
    let limits = HalfOpenLimits { total: 4, per_source: 4, ..HalfOpenLimits::default() };
    let mut index = HalfOpenIndex::default();
    for number in [1, 2, 3] {
        index.insert(from(1), id(number));
    }
    index.insert(from(2), id(4));
    assert_eq!(place(&index, 3, &limits), Ok(Place::InsteadOf(id(1).local)), "its oldest");
    index.remove(from(1), id(1));
    index.insert(from(3), id(5));
    assert_eq!(place(&index, 2, &limits), Err(Discard::HalfOpenTotal), "it has one already");
    assert_eq!(place(&index, 1, &limits), Err(Discard::HalfOpenTotal));
    assert_eq!(place(&index, 4, &limits), Ok(Place::InsteadOf(id(2).local)));
}

#[test]
fn a_whole_network_of_ipv6_shares_its_places() {
    let limits = HalfOpenLimits { per_source: 2, ..HalfOpenLimits::default() };
    let mut index = HalfOpenIndex::default();
    let host = |number: u16| SocketAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, number].into(), 500);
    index.insert(host(1), id(1));
    index.insert(host(2), id(2));
    assert_eq!(index.place(host(3).ip(), false, &limits), Err(Discard::HalfOpenPerSource));
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
    let mut limit = ReplyLimit::default();
    let now = Timestamp::from_millis(10);
    assert_eq!((0..10).filter(|_| limit.allows(4, now)).count(), 4);
    let later = Timestamp::from_millis(1010);
    assert_eq!((0..10).filter(|_| limit.allows(4, later)).count(), 4);
    assert!(!ReplyLimit::default().allows(0, now));
}

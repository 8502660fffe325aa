use super::*;
use crate::moment::Moment;
use crate::random::Seeded;

const BEARER: Bearer<'static> = Bearer {
    nonce: &[5; 32],
    address: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    spi: IkeSpi([6; 8]),
};

#[test]
fn a_cookie_is_good_for_its_bearer_alone() {
    let jar = CookieJar::new(&mut Moment::simulated(Timestamp::ZERO, &mut Seeded::new(1)));
    let cookie = jar.make(BEARER);
    assert!(cookie.len() <= 64, "RFC 7296 §2.6");
    assert!(jar.accepts(&cookie, BEARER));
    assert!(!jar.accepts(&cookie, Bearer { nonce: &[7; 32], ..BEARER }));
    assert!(!jar.accepts(&cookie, Bearer { address: [192, 0, 2, 2].into(), ..BEARER }));
    assert!(!jar.accepts(&cookie, Bearer { spi: IkeSpi([7; 8]), ..BEARER }));
    assert!(!jar.accepts(&[], BEARER));
}

#[test]
fn a_cookie_outlives_one_rotation_and_not_two() {
    let mut random = Seeded::new(2);
    let mut jar = CookieJar::new(&mut Moment::simulated(Timestamp::ZERO, &mut random));
    let cookie = jar.make(BEARER);
    jar.rotate(&mut Moment::simulated(Timestamp::ZERO + ROTATION, &mut random));
    assert!(jar.accepts(&cookie, BEARER));
    jar.rotate(&mut Moment::simulated(Timestamp::ZERO + 2 * ROTATION, &mut random));
    assert!(!jar.accepts(&cookie, BEARER));
}

#[test]
fn a_long_pause_leaves_no_old_cookie_good() {
    let mut random = Seeded::new(3);
    let mut jar = CookieJar::new(&mut Moment::simulated(Timestamp::ZERO, &mut random));
    let cookie = jar.make(BEARER);
    jar.rotate(&mut Moment::simulated(Timestamp::ZERO + 10 * ROTATION, &mut random));
    assert!(!jar.accepts(&cookie, BEARER));
}

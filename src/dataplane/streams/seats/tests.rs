use super::*;

fn v4(number: usize) -> IpAddr {
    IpAddr::from([198, 51, (number / 256) as u8, (number % 256) as u8])
}

#[test]
fn one_address_has_few_places_and_they_are_free_again() {
    let seats = Arc::<Seats>::default();
    let mut held: Vec<Seat> = (0..FROM_ONE).filter_map(|_| seats.take(v4(1))).collect();
    assert_eq!(held.len(), FROM_ONE);
    assert!(seats.take(v4(1)).is_none());
    assert!(seats.take(v4(2)).is_some());
    held.pop();
    assert!(seats.take(v4(1)).is_some());
}

#[test]
fn addresses_of_one_network_of_ipv6_are_one() {
    let seats = Arc::<Seats>::default();
    let in_net = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, host]);
    let held: Vec<Seat> = (0..100).filter_map(|host| seats.take(in_net(host))).collect();
    assert_eq!(held.len(), FROM_ONE);
}

#[test]
fn a_newcomer_takes_the_place_of_the_oldest() {
    let seats = Arc::<Seats>::default();
    let held: Vec<Seat> = (0..TOTAL).filter_map(|number| seats.take(v4(number))).collect();
    assert_eq!(held.len(), TOTAL);
    let newcomer = seats.take(v4(TOTAL + 1)).expect("a place");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(held[0].taken.notified());
    assert_eq!(seats.seated().by_age.len(), TOTAL);
    drop(held);
    drop(newcomer);
    let seated = seats.seated();
    assert!(seated.by_age.is_empty() && seated.by_source.is_empty(), "{seated:?}");
}

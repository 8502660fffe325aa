mod tried;

use super::after;
use std::net::IpAddr;

#[test]
fn addresses_have_their_turn_one_after_the_other() {
    let all: [Option<IpAddr>; 3] =
        ["192.0.2.1", "192.0.2.2", "192.0.2.9"].map(|one| one.parse().ok());
    let [first, second, gone] = all;
    let usable: Vec<IpAddr> = [first, second].into_iter().flatten().collect();
    let turns = [None, first, second, gone].map(|here| after(&usable, here));
    assert_eq!(turns, [first, second, first, first]);
    assert_eq!(after(&[], first), None);
}

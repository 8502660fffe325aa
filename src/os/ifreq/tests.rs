use super::*;
use socket2::{Domain, Socket, Type};

#[test]
fn a_device_that_is_there_has_a_number_and_no_other_has() {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    assert_eq!(index(&socket, "lo"), Some(1));
    assert_eq!(index(&socket, "no-such-device"), None);
    assert_eq!(index(&socket, ""), None);
}

#[test]
fn a_name_that_no_device_can_have_is_cut_to_none_that_one_has() {
    let longest = "l".repeat(libc::IFNAMSIZ - 1);
    assert!(about(&longest, Value { ifru_ifindex: 0 }).is_some());
    assert!(about(&format!("{longest}o"), Value { ifru_ifindex: 0 }).is_none());
}

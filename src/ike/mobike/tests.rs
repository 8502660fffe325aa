use super::*;
use crate::wire::ike::Notify;

fn set(addresses: &[&str]) -> BTreeSet<IpAddr> {
    addresses.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn addresses_beside_that_of_the_message_are_told_and_read() {
    let ours = set(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    let said = additional(&ours, "192.0.2.1".parse().unwrap());
    let read: BTreeSet<IpAddr> = named(Payloads(&said)).unwrap().into_iter().collect();
    assert_eq!(read, set(&["192.0.2.2", "2001:db8::1"]));
    assert_eq!(named(Payloads(&[])), None);
    let alone = replaced(&set(&["192.0.2.1"]), "192.0.2.1".parse().unwrap());
    assert_eq!(named(Payloads(&alone)), Some(Vec::new()));
}

#[test]
fn no_more_addresses_are_kept_than_a_peer_may_have_and_none_that_no_host_has() {
    let many: Vec<Payload> = (0..100)
        .map(|host| notify(NotifyType::ADDITIONAL_IP4_ADDRESS, [192, 0, 2, host]))
        .collect();
    assert_eq!(named(Payloads(&many)).unwrap().len(), PEER_ADDRESSES);
    for data in [&[0, 0, 0, 0][..], &[255; 4], &[127, 0, 0, 1], &[224, 0, 0, 5], &[1, 2, 3], &[]] {
        assert_eq!(named(Payloads(&[notify(NotifyType::ADDITIONAL_IP4_ADDRESS, data)])), None);
    }
    for data in [&[0; 16][..], &[0xff; 16], &[1; 4]] {
        assert_eq!(named(Payloads(&[notify(NotifyType::ADDITIONAL_IP6_ADDRESS, data)])), None);
    }
}

#[test]
fn a_nat_that_is_not_allowed_is_seen_by_the_addresses_and_the_ports() {
    let path = Path {
        local: "198.51.100.1:4500".parse().unwrap(),
        remote: "192.0.2.1:4500".parse().unwrap(),
    };
    let octets = [192, 0, 2, 1, 198, 51, 100, 1, 0x11, 0x94, 0x11, 0x94];
    let wants = |data: &[u8]| [Payload::Notify(Notify::new(NotifyType::NO_NATS_ALLOWED, data))];
    assert!(!meets_forbidden_nat(Payloads(&wants(&octets)), &path));
    assert!(!meets_forbidden_nat(Payloads(&[]), &path));
    for place in 0..octets.len() {
        let mut other = octets;
        other[place] ^= 1;
        assert!(meets_forbidden_nat(Payloads(&wants(&other)), &path), "{place}");
    }
    assert!(meets_forbidden_nat(Payloads(&wants(&[])), &path));
}

#[test]
fn no_nat_is_forbidden_in_tcp() {
    let wants = [Payload::Notify(Notify::new(NotifyType::NO_NATS_ALLOWED, [1; 12]))];
    let remote = "192.0.2.1:20000".parse().unwrap();
    for (local, meets) in [("198.51.100.1:4500", true), ("198.51.100.1:0", false)] {
        let path = Path { local: local.parse().unwrap(), remote };
        assert_eq!(meets_forbidden_nat(Payloads(&wants), &path), meets, "{local}");
    }
}

use super::*;

fn v4(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0x45; 12];
    packet.extend(source);
    packet.extend(destination);
    packet
}

fn framed(kind: [u8; 2], packet: Vec<u8>) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(kind);
    frame.extend(packet);
    frame
}

#[test]
fn frames_between_two_hosts_are_theirs_both_ways() {
    let wanted = Wanted::between([10, 79, 1, 10].into(), [10, 79, 2, 10].into());
    let there = v4([10, 79, 1, 10], [10, 79, 2, 10]);
    assert!(wanted.is_met(&framed([8, 0], there.clone())));
    assert!(wanted.is_met(&framed([8, 0], v4([10, 79, 2, 10], [10, 79, 1, 10]))));
    assert!(!wanted.is_met(&framed([8, 0], v4([10, 79, 1, 10], [10, 79, 2, 11]))));
    assert!(!wanted.is_met(&framed([8, 6], there.clone())), "ARP is no IP");
    let frame = framed([8, 0], there);
    for length in 0..frame.len() {
        assert!(!wanted.is_met(&frame[..length]), "cut off at {length}");
    }
}

#[test]
fn packets_with_a_prefix_are_of_either_family() {
    let prefixes = ["10.2.0.0/16", "fd00:2::/48"].map(|text| text.parse().unwrap());
    let wanted = Wanted::with(prefixes.into_iter().collect());
    assert!(wanted.is_met(&v4([10, 1, 0, 1], [10, 2, 9, 9])));
    assert!(wanted.is_met(&v4([10, 2, 9, 9], [10, 1, 0, 1])));
    assert!(!wanted.is_met(&v4([10, 1, 0, 1], [10, 3, 9, 9])));
    let mut packet = vec![0x60; 8];
    packet.extend("fd00:1::1".parse::<Ipv6Addr>().unwrap().octets());
    packet.extend("fd00:2::1".parse::<Ipv6Addr>().unwrap().octets());
    assert!(wanted.is_met(&packet));
    assert!(!wanted.is_met(&packet[..39]) && !wanted.is_met(&[]));
}

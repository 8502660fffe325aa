use super::*;

fn datagram(ttl: u8) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, ttl, 112, 0, 0, 10, 1, 1, 2, 224, 0, 0, 18];
    bytes.extend([0x31, 1, 100, 1, 0, 30, 0, 0]);
    bytes
}

#[test]
fn the_ip_header_is_taken_off() {
    let received = strip_ipv4(&datagram(255)).unwrap();
    assert_eq!(received.source, IpAddr::from([10, 1, 1, 2]));
    assert_eq!(received.bytes, [0x31, 1, 100, 1, 0, 30, 0, 0]);
}

#[test]
fn a_message_that_crossed_a_router_is_dropped() {
    assert_eq!(strip_ipv4(&datagram(254)), None);
}

#[test]
fn a_truncated_header_is_dropped() {
    let whole = datagram(255);
    for length in 0..20 {
        assert_eq!(strip_ipv4(&whole[..length]), None, "{length} bytes");
    }
}

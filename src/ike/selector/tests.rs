use super::*;
use crate::net::{AddressRange, Prefix};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

fn all(text: &str) -> TrafficSelector {
    TrafficSelector::any_protocol(text.parse::<Prefix>().expect("a prefix in a test"))
}

fn tcp(text: &str, start_port: u16, end_port: u16) -> TrafficSelector {
    TrafficSelector { protocol: 6, start_port, end_port, ..all(text) }
}

#[test]
fn equal_selectors_stay_as_they_are() {
    let both = [all("10.0.0.0/8"), all("fd00::/8")];
    assert_eq!(narrow(&both, &both), both);
}

#[test]
fn the_narrower_side_wins_in_each_family() {
    let offered = [all("0.0.0.0/0"), all("::/0")];
    let allowed = [all("10.1.0.0/16"), all("10.2.0.0/16"), all("fd01::/64")];
    assert_eq!(narrow(&offered, &allowed), allowed);
    assert_eq!(narrow(&allowed, &offered), allowed);
}

#[test]
fn families_and_protocols_do_not_mix() {
    assert!(narrow(&[all("10.0.0.0/8")], &[all("fd00::/8")]).is_empty());
    let udp = TrafficSelector { protocol: 17, ..tcp("10.0.0.0/8", 0, 65535) };
    assert!(narrow(&[tcp("10.0.0.0/8", 0, 65535)], &[udp]).is_empty());
}

#[test]
fn protocols_and_ports_narrow_too() {
    let narrowed = narrow(&[tcp("10.1.0.0/16", 80, 443)], &[all("10.0.0.0/8")]);
    assert_eq!(narrowed, [tcp("10.1.0.0/16", 80, 443)]);
    let narrowed = narrow(&[tcp("10.1.0.0/16", 80, 443)], &[tcp("10.0.0.0/8", 100, 999)]);
    assert_eq!(narrowed, [tcp("10.1.0.0/16", 100, 443)]);
    assert!(narrow(&[tcp("10.1.0.0/16", 80, 90)], &[tcp("10.0.0.0/8", 100, 999)]).is_empty());
}

#[test]
fn the_packet_that_started_it_all_is_covered_by_the_wider_selector() {
    let offered = [tcp("10.1.2.3/32", 80, 80), all("10.1.0.0/16")];
    assert_eq!(narrow(&offered, &[all("10.0.0.0/8")]), [all("10.1.0.0/16")]);
}

#[test]
fn an_answer_may_narrow_but_never_widen() {
    let offered = [all("10.0.0.0/8")];
    assert!(is_within(&[all("10.3.0.0/16")], &offered));
    assert!(!is_within(&[all("10.3.0.0/16"), all("11.0.0.0/16")], &offered));
    assert!(!is_within(&[], &offered));
}

fn any_selector() -> impl Strategy<Value = TrafficSelector> {
    let range = (0u32..40, 0u32..12).prop_map(|(first, span)| {
        let address = |number| IpAddr::from(Ipv4Addr::from(number));
        AddressRange::new(address(first), address(first + span)).expect("in order")
    });
    (range, 0u8..3, 0u16..6, 0u16..6).prop_map(|(addresses, protocol, start, span)| {
        let end_port = if protocol == 0 { u16::MAX } else { start + span };
        let start_port = if protocol == 0 { 0 } else { start };
        TrafficSelector { protocol, start_port, end_port, addresses }
    })
}

fn matches(selectors: &[TrafficSelector], address: u32, protocol: u8, port: u16) -> bool {
    selectors.iter().any(|selector| {
        let protocol_fits = selector.protocol == 0 || selector.protocol == protocol;
        let port_fits = (selector.start_port..=selector.end_port).contains(&port);
        protocol_fits && port_fits && selector.addresses.contains(Ipv4Addr::from(address).into())
    })
}

proptest! {
    #[test]
    fn a_packet_passes_the_narrowed_selectors_when_it_passes_both(
        offered in prop::collection::vec(any_selector(), 0..5),
        allowed in prop::collection::vec(any_selector(), 0..5),
    ) {
        let narrowed = narrow(&offered, &allowed);
        for address in 0..52 {
            for protocol in 0..3 {
                for port in 0..12 {
                    let both = matches(&offered, address, protocol, port)
                        && matches(&allowed, address, protocol, port);
                    prop_assert_eq!(matches(&narrowed, address, protocol, port), both);
                }
            }
        }
        prop_assert!(narrowed.is_empty() || is_within(&narrowed, &offered));
    }
}

#[test]
fn no_more_is_agreed_than_a_payload_holds() {
    let hosts = |third: u8| {
        (0..=255u8).map(move |last| all(&format!("10.0.{third}.{last}/32"))).collect::<Vec<_>>()
    };
    let many = [hosts(0), hosts(1)].concat();
    assert_eq!(narrow(&[all("0.0.0.0/0")], &many), many[..255]);
}

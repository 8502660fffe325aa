use super::*;
use crate::net::Prefix;

fn selector(prefix: &str, protocol: u8, start_port: u16, end_port: u16) -> Selectors {
    let addresses = prefix.parse::<Prefix>().unwrap().into();
    Selectors::from_iter([TrafficSelector { protocol, start_port, end_port, addresses }])
}

fn permit(selectors: &Selectors, address: &str, protocol: u8, port: Option<u16>) -> bool {
    selectors.permit(address.parse().unwrap(), protocol, port)
}

#[test]
fn a_selector_of_everything_takes_everything_of_its_family() {
    let all = selector("0.0.0.0/0", 0, 0, 65535);
    assert!(permit(&all, "10.0.0.1", 6, Some(80)));
    assert!(permit(&all, "10.0.0.1", 47, None));
    assert!(!permit(&all, "fd00::1", 6, Some(80)));
}

#[test]
fn address_protocol_and_port_must_all_match() {
    let web = selector("10.1.0.0/16", 6, 80, 90);
    assert!(permit(&web, "10.1.2.3", 6, Some(90)));
    assert!(!permit(&web, "10.2.0.1", 6, Some(90)));
    assert!(!permit(&web, "10.1.2.3", 17, Some(90)));
    assert!(!permit(&web, "10.1.2.3", 6, Some(91)));
    assert!(!permit(&web, "10.1.2.3", 6, None));
}

#[test]
fn opaque_takes_only_what_shows_no_port() {
    let opaque = selector("10.1.0.0/16", 17, 65535, 0);
    assert!(permit(&opaque, "10.1.0.1", 17, None));
    assert!(!permit(&opaque, "10.1.0.1", 17, Some(65535)));
}

#[test]
fn one_of_several_selectors_is_enough() {
    let both = ["10.1.0.0/16", "fd00::/16"]
        .map(|prefix| TrafficSelector::any_protocol(prefix.parse::<Prefix>().unwrap()));
    let both = Selectors::from(both.as_slice());
    assert!(permit(&both, "10.1.0.1", 6, None) && permit(&both, "fd00::1", 6, None));
    assert!(!permit(&Selectors::from_iter([]), "10.1.0.1", 6, None));
}

use super::*;

fn hosts(prefix: &str) -> Vec<String> {
    usual_hosts(prefix.parse().unwrap()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_prefix_is_asked_at_its_usual_addresses() {
    let wide = hosts("10.2.0.0/16");
    assert_eq!(wide[..2], ["10.2.0.1", "10.2.0.2"]);
    assert_eq!(wide[16..18], ["10.2.1.1", "10.2.2.1"]);
    assert_eq!(wide.len(), 31);
    let six = hosts("fd00:2::/48");
    assert_eq!(six[..2], ["fd00:2::1", "fd00:2::2"]);
    assert_eq!(six[16], "fd00:2:0:1::1");
}

#[test]
fn a_narrow_prefix_is_asked_no_further_than_it_goes() {
    assert_eq!(hosts("10.2.0.4/30"), ["10.2.0.5", "10.2.0.6"]);
    assert_eq!(hosts("10.2.0.4/31"), ["10.2.0.4", "10.2.0.5"]);
    assert_eq!(hosts("10.2.0.4/32"), ["10.2.0.4"]);
    assert_eq!(hosts("255.255.255.0/24").last().unwrap(), "255.255.255.16");
}

use super::*;

fn looked_up(usable: &[&str], complaints: &[&str]) -> LookedUp {
    LookedUp {
        host: "vpn.example".parse().unwrap(),
        usable: usable.iter().map(|address| address.parse().unwrap()).collect(),
        complaints: complaints.iter().map(|&text| text.to_owned()).collect(),
    }
}

#[test]
fn a_name_that_means_the_peer_alone_is_well() {
    let found = finding(looked_up(&["2001:db8::7", "192.0.2.7"], &[]));
    assert_eq!(found, Finding::good("names", "vpn.example is 2001:db8::7, 192.0.2.7"));
}

#[test]
fn one_that_means_something_else_too_is_not() {
    let found = finding(looked_up(&["192.0.2.7"], &["vpn.example: 127.0.0.1 is this host itself"]));
    assert_eq!(found.what, "vpn.example: 127.0.0.1 is this host itself");
    assert!(found.remedy.unwrap().starts_with("getent ahosts vpn.example"));
}

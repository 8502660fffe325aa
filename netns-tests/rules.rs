//! What else rules on the host beside our wishes: its own policy rules, and whether it forwards.

use std::process::Command;

use vpngw::control::{Request, RoutesView};
use vpngw::lab;
use vpngw::os::netlink::{Action, MAIN_TABLE, Mark, Netlink, Rule};
use vpngw::os::sysctl;

use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, write_keys};

/// Asks the main table about everything, as somebody puts it in front of other rules.
fn in_front(priority: u32) -> Rule {
    Rule {
        ipv4: true,
        priority,
        input: None,
        source: None,
        destination: None,
        mark: None,
        icmp: false,
        action: Action::Lookup(MAIN_TABLE),
    }
}

/// Whether prefixes behind peers are in use.
fn uses_routes(gateway: &Gateway) -> bool {
    let routes: RoutesView = gateway.ask(&Request::Routes);
    let mut all = routes.vpcs.into_iter().flat_map(|vpc| vpc.routes);
    all.any(|route| !route.local && route.active.is_some())
}

#[test]
fn a_rule_that_the_host_asks_before_ours_takes_its_prefixes_out_of_use() {
    let (pair, [left, _right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), ""));
    assert!(pair.comes_to_work(), "{}", left.log());
    // As `ip rule add from 10.1.0.0/16 lookup main` makes it: in front of all others.
    let rule = Rule { source: "10.1.0.0/16".parse().ok(), ..in_front(50) };
    let namespace = pair.namespace("left");
    let administrator = || Netlink::open(Some(&namespace)).map(Netlink::as_administrator);
    lab::wait_for(async { administrator()?.add_rule(&rule).await }).unwrap();
    assert!(left.comes_to_say("the host asks its own rule 50 first"), "{}", left.log());
    // A gateway that cannot serve the VPC leaves it to another.
    assert!(eventually(|| !uses_routes(&left)), "{}", left.log());
    lab::wait_for(async { administrator()?.remove_rule(&rule).await }).unwrap();
    assert!(left.comes_to_say("stands at last"), "{}", left.log());
    assert!(pair.comes_to_work(), "{}", left.log());
}

#[test]
fn a_rule_that_lets_in_what_the_underlay_brings_or_leads_astray_what_a_tunnel_brings_is_named() {
    let (pair, [left, _right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), ""));
    assert!(pair.comes_to_work(), "{}", left.log());
    let namespace = pair.namespace("left");
    let administrator = || Netlink::open(Some(&namespace)).map(Netlink::as_administrator);
    let home = Rule { destination: "10.1.0.0/16".parse().ok(), ..in_front(60) };
    lab::wait_for(async { administrator()?.add_rule(&home).await }).unwrap();
    assert!(left.comes_to_say("gets into the VPC in the clear"), "{}", left.log());
    assert!(left.comes_to_say("out of a tunnel may leave in the clear"), "{}", left.log());
    assert!(eventually(|| !uses_routes(&left)), "{}", left.log());
    lab::wait_for(async { administrator()?.remove_rule(&home).await }).unwrap();
    assert!(eventually(|| uses_routes(&left)), "{}", left.log());
}

/// Whether the left host forwards, as a whole or by one device.
fn set(pair: &Pair, key: &str, on: &str) {
    sysctl::write(Some(&pair.namespace("left")), key, on).unwrap();
}

const FORWARDING: &str = "net.ipv4.ip_forward";

#[test]
fn a_rule_for_what_comes_in_by_an_interface_that_nobody_has_written_down_is_found() {
    // Without `interface` the host shows which it is.
    let (pair, [left, _right]) = Gateway::start_both(|pair, side| {
        let text = config(pair, side, Auth::Psk, &bgp(side), "");
        text.replace("interface = \"lan0\"\n", "")
    });
    assert!(pair.comes_to_work(), "{}", left.log());
    let namespace = pair.namespace("left");
    let administrator = || Netlink::open(Some(&namespace)).map(Netlink::as_administrator);
    let arriving = Rule { input: Some("lan0".to_owned()), ..in_front(60) };
    let marked = Rule { mark: Some(Mark::Is(7)), ..in_front(61) };
    lab::wait_for(async { administrator()?.add_rule(&marked).await }).unwrap();
    assert!(left.comes_to_say("if the host gives them its mark"), "{}", left.log());
    assert!(uses_routes(&left), "the host may mark nothing: {}", left.log());
    lab::wait_for(async { administrator()?.add_rule(&arriving).await }).unwrap();
    assert!(left.comes_to_say("rule 60 first, by which packets of the VPC pass"), "{}", left.log());
    assert!(eventually(|| !uses_routes(&left)), "{}", left.log());
}

#[test]
fn a_tun_device_of_another_name_takes_its_vpc_out_of_use() {
    let (pair, [left, _right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), ""));
    assert!(pair.comes_to_work(), "{}", left.log());
    let namespace = pair.namespace("left");
    let rename = |from: &str, to: &str| {
        for change in [["down", ""], ["name", to], ["up", ""]] {
            let name = if change[0] == "up" { to } else { from };
            let words = ["-n", &namespace, "link", "set", name].into_iter();
            let words = words.chain(change.into_iter().filter(|word| !word.is_empty()));
            assert!(Command::new("ip").args(words).status().unwrap().success());
        }
    };
    rename("vpn0", "other");
    assert!(eventually(|| !uses_routes(&left)), "{}", left.log());
    rename("other", "vpn0");
    assert!(pair.comes_to_work(), "{}", left.log());
    assert!(eventually(|| uses_routes(&left)), "{}", left.log());
}

#[test]
fn a_vpc_whose_host_stops_forwarding_is_left_to_others_and_taken_up_again() {
    let (pair, [left, right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), ""));
    assert!(pair.comes_to_work(), "{}", left.log());
    for key in [FORWARDING, "net/ipv4/conf/lan0/forwarding"] {
        set(&pair, key, "0");
        assert!(left.comes_to_say(&format!("`sysctl -w {key}=1` turns it on")), "{}", left.log());
        let nobody = || !uses_routes(&left) && !uses_routes(&right);
        assert!(eventually(nobody), "{}", left.log());
        set(&pair, key, "1");
        assert!(pair.comes_to_work(), "{}", left.log());
        assert!(eventually(|| uses_routes(&left)), "{}", left.log());
    }
}

#[test]
fn a_host_that_never_forwarded_serves_itself_and_its_gateway_says_so() {
    let pair = Pair::new();
    write_keys(&pair);
    set(&pair, FORWARDING, "0");
    let [left, _right] = Side::BOTH.map(|side| {
        let text = config(&pair, side, Auth::Psk, &bgp(side), "");
        Gateway::start(&pair, side, &text)
    });
    assert!(left.comes_up(), "{}", left.log());
    assert!(eventually(|| uses_routes(&left)), "{}", left.log());
    let told = left.peer().refusals;
    assert!(told.iter().any(|refusal| refusal.what == "forwarding of IPv4"), "{told:?}");
}

//! What else rules on the host beside our wishes: its own policy rules, and whether it forwards.

use vpngw::control::{Request, RoutesView};
use vpngw::lab;
use vpngw::os::netlink::{Action, MAIN_TABLE, Netlink, Rule};
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

fn forward(pair: &Pair, on: &str) {
    sysctl::write(Some(&pair.namespace("left")), "net.ipv4.ip_forward", on).unwrap();
}

#[test]
fn a_vpc_whose_host_stops_forwarding_is_left_to_others_and_taken_up_again() {
    let (pair, [left, right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), ""));
    assert!(pair.comes_to_work(), "{}", left.log());
    forward(&pair, "0");
    assert!(left.comes_to_say("`sysctl -w net.ipv4.ip_forward=1` turns it on"), "{}", left.log());
    assert!(eventually(|| !uses_routes(&left) && !uses_routes(&right)), "{}", left.log());
    forward(&pair, "1");
    assert!(pair.comes_to_work(), "{}", left.log());
    assert!(eventually(|| uses_routes(&left)), "{}", left.log());
}

#[test]
fn a_host_that_never_forwarded_serves_itself_and_its_gateway_says_so() {
    let pair = Pair::new();
    write_keys(&pair);
    forward(&pair, "0");
    let [left, _right] = Side::BOTH.map(|side| {
        let text = config(&pair, side, Auth::Psk, &bgp(side), "");
        Gateway::start(&pair, side, &text)
    });
    assert!(left.comes_up(), "{}", left.log());
    assert!(eventually(|| uses_routes(&left)), "{}", left.log());
    let told = left.peer().refusals;
    assert!(told.iter().any(|refusal| refusal.what == "forwarding of IPv4"), "{told:?}");
}

//! Policy rules of the host beside ours.

use vpngw::control::{Request, RoutesView};
use vpngw::lab;
use vpngw::os::netlink::{Action, MAIN_TABLE, Netlink, Rule};

use crate::support::eventually;
use crate::support::vpngwd::{Auth, Gateway, bgp, config};

#[test]
fn a_rule_that_the_host_asks_before_ours_takes_its_prefixes_out_of_use() {
    let (pair, [left, _right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), ""));
    assert!(pair.comes_to_work(), "{}", left.log());
    // As `ip rule add from 10.1.0.0/16 lookup main` makes it: in front of all others.
    let rule = Rule {
        ipv4: true,
        priority: 50,
        input: None,
        source: "10.1.0.0/16".parse().ok(),
        destination: None,
        mark: None,
        icmp: false,
        action: Action::Lookup(MAIN_TABLE),
    };
    let namespace = pair.namespace("left");
    let administrator = || Netlink::open(Some(&namespace)).map(Netlink::as_administrator);
    lab::wait_for(async { administrator()?.add_rule(&rule).await }).unwrap();
    assert!(left.comes_to_say("the host asks its own rule 50 first"), "{}", left.log());
    // A gateway that cannot serve the VPC leaves it to another.
    let used = || {
        let routes: RoutesView = left.ask(&Request::Routes);
        let mut all = routes.vpcs.into_iter().flat_map(|vpc| vpc.routes);
        all.any(|route| !route.local && route.active.is_some())
    };
    assert!(eventually(|| !used()), "{}", left.log());
    lab::wait_for(async { administrator()?.remove_rule(&rule).await }).unwrap();
    assert!(left.comes_to_say("stands at last"), "{}", left.log());
    assert!(pair.comes_to_work(), "{}", left.log());
}

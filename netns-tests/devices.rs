//! The devices of VPCs while packets flow.

use std::time::Duration;

use vpngw::lab;
use vpngw::os::netlink::Netlink;
use vpngw::os::offload;

use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config};

const INTERVAL: Duration = Duration::from_millis(5);

/// Less than BGP takes to connect again, and enough for a machine that is busy with other tests.
const BRIEF: Duration = Duration::from_secs(3);

/// A second VPC, without peers.
const OTHER: &str = r#"
[[vpc]]
name = "other"
tun = "vpn1"
prefixes = ["10.9.0.0/16"]
"#;

#[test]
fn a_device_that_somebody_deletes_costs_the_other_vpcs_nothing() {
    let (pair, [left, _right]) = Gateway::start_both(|pair, side| {
        let routing = format!("vpc = \"office\"\n{}", bgp(side));
        let more = if side == Side::Left { OTHER } else { "" };
        config(pair, side, Auth::Psk, &routing, more)
    });
    let reports = pair.probing(INTERVAL, || {
        delete(&pair, "vpn1");
        assert!(left.comes_to_say("the TUN device vpn1 is gone"), "{}", left.log());
        std::thread::sleep(Duration::from_millis(500));
    });
    for report in reports {
        assert_eq!(report.lost(), 0, "{report}");
    }
    assert!(pair.comes_to_work());
}

#[test]
fn a_device_that_somebody_deletes_comes_back() {
    let (pair, [left, _right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), ""));
    // Both ends connect at once, so one of two sessions may have ended before.
    let downs = || left.log().matches("BGP session down").count();
    let before = downs();
    let reports = pair.probing(Duration::from_millis(50), || {
        delete(&pair, "vpn0");
        assert!(left.comes_to_say("the TUN device vpn0 is gone"), "{}", left.log());
        std::thread::sleep(Duration::from_secs(6));
    });
    for report in reports {
        println!("{report}");
        assert!(report.longest_gap() < BRIEF, "{report}");
    }
    assert!(pair.comes_to_work(), "{}", left.log());
    // BGP went on over the new device.
    assert_eq!(downs(), before, "{}", left.log());
}

/// Deletes a device of the left gateway, as an administrator may by mistake.
fn delete(pair: &Pair, device: &str) {
    let namespace = pair.namespace("left");
    let deleted = lab::wait_for(async {
        Netlink::open(Some(&namespace))?.as_administrator().delete_link(device).await
    });
    deleted.unwrap();
}

#[test]
fn a_veth_leaves_checksums_to_nobody_until_the_kernel_is_told_to_finish_them() {
    let pair = Pair::new();
    let namespace = pair.namespace("left");
    assert_eq!(offload::driver(Some(&namespace), "lan0").unwrap(), "veth");
    assert!(offload::leaves_checksums(Some(&namespace), "lan0").unwrap());
    offload::finish_checksums(Some(&namespace), "lan0").unwrap();
    assert!(!offload::leaves_checksums(Some(&namespace), "lan0").unwrap());
    let missing = offload::driver(Some(&namespace), "lan9").unwrap_err();
    assert!(format!("{missing:#}").contains("lan9"), "{missing:#}");
}

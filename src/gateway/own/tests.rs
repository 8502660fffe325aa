//! Which of its addresses the host speaks from.

use super::*;
use crate::config::Config;
use crate::gateway::world::HostDevice;
use crate::net::VpcId;
use crate::testing::deployment::{self, Site};

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];

fn config(change: impl Fn(String) -> String) -> Config {
    deployment::parse(&change(deployment::text(SITES[0], &SITES, &["red"])))
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn devices(devices: &[(&str, &[&str])]) -> std::collections::BTreeMap<String, HostDevice> {
    let device = |(name, addresses): &(&str, &[&str])| {
        let addresses = addresses.iter().map(|text| ip(text)).collect();
        ((*name).to_owned(), HostDevice { addresses, ..HostDevice::default() })
    };
    devices.iter().map(device).collect()
}

/// Both addresses of a host with these devices, in the VPC `red` with its interface `lan0`.
fn own(config: &Config, host: &Host, inside: &[&str]) -> [Option<IpAddr>; 2] {
    let inside = inside.iter().map(|text| ip(text)).collect();
    let own = OwnAddresses::of(&config.vpcs[&VpcId(0)], host, &inside);
    [true, false].map(|ipv4| own.of_family(ipv4))
}

#[test]
fn the_interface_of_the_vpc_comes_before_other_devices_and_these_before_inside_addresses() {
    let config = config(|text| text);
    let host = |list: &[(&str, &[&str])]| Host { devices: devices(list), ..Host::default() };
    let lan: (&str, &[&str]) = ("lan0", &["10.9.0.1", "10.1.0.7", "10.1.0.8", "fd00:1::7"]);
    let other: (&str, &[&str]) = ("docker0", &["10.1.0.2", "fd00:1::2"]);
    let inside = ["fd76:706e:6777::1", "169.254.10.2"];
    let found = |list: &[(&str, &[&str])]| own(&config, &host(list), &inside);
    assert_eq!(found(&[other, lan]), [Some(ip("10.1.0.7")), Some(ip("fd00:1::7"))]);
    assert_eq!(found(&[other]), [Some(ip("10.1.0.2")), Some(ip("fd00:1::2"))]);
    let foreign: (&str, &[&str]) = ("wan0", &["192.0.2.1", "fe80::1"]);
    assert_eq!(found(&[foreign]), [None, Some(ip("fd76:706e:6777::1"))]);
    assert_eq!(own(&config, &host(&[foreign]), &["10.99.0.1"]), [Some(ip("10.99.0.1")), None]);
}

#[test]
fn virtual_addresses_on_the_vpcs_own_device_are_nobodys() {
    let config = config(|text| text);
    let tun = config.vpcs[&VpcId(0)].tun.clone();
    let host = Host { devices: devices(&[(&tun, &["10.1.0.1"])]), ..Host::default() };
    assert_eq!(own(&config, &host, &[]), [None, None]);
}

#[test]
fn a_vpc_in_a_namespace_has_the_addresses_of_that_namespace() {
    let config = config(|text| text.replace("[[vpc]]\n", "[[vpc]]\nnetns = \"shop\"\n"));
    let here = devices(&[("lan0", &["10.1.0.7"])]);
    let host = Host { devices: here.clone(), ..Host::default() };
    assert_eq!(own(&config, &host, &[]), [None, None]);
    let mut host = Host::default();
    assert!(host.update(Some("shop".to_owned()), here.clone()));
    assert!(!host.update(Some("shop".to_owned()), here));
    assert_eq!(own(&config, &host, &[]), [Some(ip("10.1.0.7")), None]);
}

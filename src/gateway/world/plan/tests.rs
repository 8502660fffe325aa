//! What a configuration wants of the host.

use super::*;
use crate::config::Routing;
use crate::config::VpcOutline;
use crate::gateway::world::HostDevice;
use crate::net::{PeerId, VpcId};
use crate::testing::deployment::{self, Site};

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];
const VPC: VpcId = VpcId(0);

fn config(change: impl Fn(String) -> String) -> Config {
    deployment::parse(&change(deployment::text(SITES[0], &SITES, &["red"])))
}

/// A host whose underlay is `wan0`.
fn host(is_default: bool) -> Host {
    let addresses = [SITES[0].underlay()].into();
    let wan = HostDevice { addresses, is_default, ..HostDevice::default() };
    Host { devices: [("wan0".to_owned(), wan)].into(), ..Host::default() }
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn wishes(config: &Config, host: &Host) -> BTreeSet<Wish> {
    configured(config, host, &config.gateway.listen)
}

fn bars(wishes: &BTreeSet<Wish>) -> Vec<String> {
    let bars = wishes.iter().filter_map(|wish| match wish {
        Wish::Bar { prefix } => Some(prefix.to_string()),
        _ => None,
    });
    bars.collect()
}

fn rules(wishes: &BTreeSet<Wish>, priority: u32) -> Vec<&Rule> {
    let rules = wishes.iter().filter_map(|wish| match wish {
        Wish::Rule(rule) if rule.priority == priority => Some(rule.as_ref()),
        _ => None,
    });
    rules.collect()
}

#[test]
fn everything_that_a_peer_may_announce_is_guarded() {
    let config = config(|text| text);
    let wishes = wishes(&config, &host(true));
    let peer = &config.peers[&PeerId(0)];
    for prefix in peer.accept.iter().copied() {
        assert!(wishes.contains(&Wish::Guard { vpc: VPC, prefix }), "{prefix}");
    }
    let Routing::Bgp(bgp) = &peer.routing else { panic!("a BGP peer") };
    let prefix = Prefix::host(bgp.inside_remote);
    assert!(wishes.contains(&Wish::Guard { vpc: VPC, prefix }));
    let source = Some(bgp.inside_local);
    assert!(wishes.contains(&Wish::Route { vpc: VPC, prefix, source }));
}

#[test]
fn a_vpc_with_an_interface_is_barred_with_what_lies_behind_its_peers() {
    let wishes = wishes(&config(|text| text), &host(true));
    assert_eq!(bars(&wishes), ["10.1.0.0/16", "10.2.0.0/16", "fd00:1::/48", "fd00:2::/48"]);
    let arriving: Vec<&When> = rules(&wishes, ARRIVING).iter().map(|rule| &rule.when).collect();
    assert_eq!(arriving, [&When::Always; 2]);
    assert_eq!(familiar(&wishes), ["lan0", "lo", "vpn-red"]);
}

/// The devices by which packets come in that need not pass the bars, for IPv4.
fn familiar(wishes: &BTreeSet<Wish>) -> Vec<&str> {
    let rules = rules(wishes, FAMILIAR).into_iter().filter(|rule| rule.ipv4);
    let devices = rules.filter_map(|rule| match &rule.when {
        When::Arriving(device) => Some(device.as_str()),
        _ => None,
    });
    devices.collect()
}

#[test]
fn from_all_derived_inside_addresses_nothing_goes_beside_the_tunnels_by_one_rule() {
    let three = [SITES[0], SITES[1], Site { region: 3, zone: 1 }];
    let derived = deployment::parse(&deployment::text(SITES[0], &three, &["red"]));
    let outward = wishes(&derived, &host(true));
    let [rule] = rules(&outward, INSIDE)[..] else { panic!("one rule") };
    let prefix: Prefix = "fd76:706e:6777::/48".parse().expect("a prefix");
    assert_eq!((rule.ipv4, &rule.when), (false, &When::From(prefix)));
    assert_eq!(rule.then, Then::Unreachable);
    let written = config(|text| {
        let inside = "inside_local = \"169.254.1.1\"\ninside_remote = \"169.254.1.2\"\n";
        text.replace("psk_file", &format!("{inside}psk_file"))
    });
    assert!(rules(&wishes(&written, &host(true)), INSIDE).is_empty());
}

#[test]
fn a_vpc_with_a_namespace_needs_no_bar_and_rules_in_its_own() {
    let config = config(|text| text.replace("[[vpc]]\n", "[[vpc]]\nnetns = \"shop\"\n"));
    let wishes = wishes(&config, &host(true));
    assert!(bars(&wishes).is_empty());
    let lookups = rules(&wishes, PREFIXES);
    assert_eq!(lookups.len(), 2);
    assert!(lookups.iter().all(|rule| rule.netns.as_deref() == Some("shop")), "{lookups:?}");
}

#[test]
fn a_gateway_with_one_device_for_hosts_and_underlay_bars_nothing() {
    let config = config(|text| text.replace("\"lan0\"", "\"wan0\""));
    let wishes = wishes(&config, &host(true));
    assert!(bars(&wishes).is_empty() && rules(&wishes, INWARD).is_empty());
}

#[test]
fn without_an_interface_the_hosts_come_in_by_devices_on_networks_of_the_vpc() {
    let config = config(|text| text);
    let mut outline = Outline::of(&config);
    outline.vpcs.values_mut().for_each(|vpc| vpc.interface = None);
    let guards = |host: &Host| guards(&outline, host, &config.gateway.listen);
    let mut host = host(true);
    let barred = bars(&guards(&host));
    assert_eq!(barred, ["10.1.0.0/16", "10.2.0.0/16", "fd00:1::/48", "fd00:2::/48"]);
    // One device for both: what comes in by it may be theirs.
    let network: Prefix = "10.1.0.0/24".parse().expect("a prefix");
    host.devices.get_mut("wan0").expect("a device").networks.insert(network);
    assert!(bars(&guards(&host)).is_empty());
    // Before the underlay has its addresses, nothing comes in but by the VPC's own.
    let lan = HostDevice { networks: [network].into(), ..HostDevice::default() };
    let host = Host { devices: [("lan0".to_owned(), lan)].into(), ..Host::default() };
    assert_eq!(familiar(&guards(&host)), ["lan0", "lo", "vpn-red"]);
}

#[test]
fn a_gateway_that_listens_on_every_address_tells_the_underlay_by_the_devices_of_its_vpcs() {
    let (mut config, any) = (config(|text| text), [IpAddr::from([0; 4])]);
    let guards = |config: &Config, host: &Host| guards(&Outline::of(config), host, &any);
    assert!(blind_to(&config, &host(true), &any).is_empty());
    assert_eq!(familiar(&guards(&config, &host(true))), ["lan0", "lo", "vpn-red"]);
    config.vpcs.values_mut().for_each(|vpc| vpc.interface = None);
    assert!(blind_to(&config, &host(true), &config.gateway.listen).is_empty());
    // It has the default route and hosts of the VPC: nobody can tell.
    let mut both = host(true);
    let wan = both.devices.get_mut("wan0").expect("a device");
    wan.networks.insert(prefix("10.1.0.0/24"));
    assert_eq!(blind_to(&config, &both, &any), ["red"]);
    assert!(bars(&guards(&config, &both)).is_empty());
    // A VPC whose device has lost its addresses, or is gone, is shut.
    let alone = guards(&config, &host(true));
    assert!(!bars(&alone).is_empty() && !home_lengths(&alone).is_empty());
    // Before the network is up, and with a device that may be the VPC's: the others are barred.
    assert_eq!(familiar(&guards(&config, &Host::default())), ["lo", "vpn-red"]);
    let mut host = host(true);
    let on = |network: &str, address: [u8; 4]| HostDevice {
        networks: [prefix(network)].into(),
        addresses: [address.into()].into(),
        ..HostDevice::default()
    };
    host.devices.insert("wan1".to_owned(), on("198.51.100.0/24", [198, 51, 100, 1]));
    assert!(blind_to(&config, &host, &any).is_empty());
    let listed = guards(&config, &host);
    let listed: BTreeSet<&When> = rules(&listed, ARRIVING).iter().map(|rule| &rule.when).collect();
    let [wan0, wan1] = ["wan0", "wan1"].map(|name| When::Arriving(name.to_owned()));
    assert_eq!(listed, [&wan0, &wan1].into());
    host.devices.insert("lan0".to_owned(), on("10.1.0.0/24", [10, 1, 0, 1]));
    assert_eq!(familiar(&guards(&config, &host)), ["lan0", "lo", "vpn-red"]);
}

/// The host's own address of the underlay is on `lo`, as where two uplinks lead to it; or it has an
/// uplink more, which bears none.
#[test]
fn what_comes_in_by_any_device_that_is_no_vpcs_is_barred() {
    let config = config(|text| text);
    let mut host = host(true);
    let wan = host.devices.remove("wan0").expect("a device");
    host.devices.insert("lo".to_owned(), HostDevice { is_default: false, ..wan.clone() });
    host.devices.insert("wan1".to_owned(), HostDevice::default());
    let wishes = wishes(&config, &host);
    assert_eq!(familiar(&wishes), ["lan0", "lo", "vpn-red"]);
    assert!(rules(&wishes, ARRIVING).iter().all(|rule| rule.when == When::Always));
    // Many VPCs: the others are listed, and the loopback device is none of them.
    let listed = guards(&beside(5), &host, &[SITES[0].underlay()]);
    let listed: Vec<&When> = rules(&listed, ARRIVING).iter().map(|rule| &rule.when).collect();
    assert_eq!(listed, [&When::Arriving("wan1".to_owned())]);
}

/// Hosts come in by devices beside `interface`, too: those on networks of the VPC, and those by which
/// a route leads into it; but by none of the underlay, whatever routes there are.
#[test]
fn a_vpc_has_all_devices_that_lead_to_its_hosts() {
    let mut host = host(true);
    let wan = host.devices.get_mut("wan0").expect("a device");
    wan.routes = [prefix("10.1.9.0/24")].into();
    wan.networks.insert(prefix("10.1.8.0/24"));
    let more = HostDevice { networks: [prefix("10.1.5.0/24")].into(), ..HostDevice::default() };
    host.devices.insert("lan1".to_owned(), more);
    let behind = HostDevice { routes: [prefix("10.1.6.0/24")].into(), ..HostDevice::default() };
    host.devices.insert("lan2".to_owned(), behind);
    let wide = HostDevice { routes: [prefix("10.0.0.0/8")].into(), ..HostDevice::default() };
    host.devices.insert("wan1".to_owned(), wide);
    let office = HostDevice { networks: [prefix("10.0.0.0/8")].into(), ..HostDevice::default() };
    host.devices.insert("mgmt0".to_owned(), office);
    let mut config = config(|text| text);
    assert_eq!(familiar(&wishes(&config, &host)), ["lan0", "lan1", "lan2", "lo", "vpn-red"]);
    let mut unwritten = Outline::of(&config);
    unwritten.vpcs.values_mut().for_each(|vpc| vpc.interface = None);
    let found = guards(&unwritten, &host, &config.gateway.listen);
    assert!(!familiar(&found).contains(&"mgmt0"), "it is wider than what others are on");
    // Others may come in where the operator says so.
    let dmz = HostDevice { addresses: [[172, 31, 5, 1].into()].into(), ..HostDevice::default() };
    host.devices.insert("dmz0".to_owned(), dmz);
    let listen = config.gateway.listen.clone();
    assert_eq!(kept_out(&config, &host, &listen), ["dmz0"]);
    config.vpcs.values_mut().for_each(|vpc| vpc.let_in = vec!["dmz0".to_owned()]);
    assert!(kept_out(&config, &host, &listen).is_empty());
    let familiar_now = wishes(&config, &host);
    assert_eq!(familiar(&familiar_now), ["dmz0", "lan0", "lan1", "lan2", "lo", "vpn-red"]);
}

/// Devices of a VPC in a namespace of its own are none of the daemon's, whatever they are called.
#[test]
fn a_device_elsewhere_of_the_same_name_opens_nothing() {
    let mut outline = beside(2);
    let other = outline.vpcs.get_mut(&VpcId(1)).expect("a VPC");
    (other.netns, other.interface) = (Some("shop".to_owned()), Some("wan0".to_owned()));
    let wishes = guards(&outline, &host(true), &outline.listen);
    let here = rules(&wishes, FAMILIAR).into_iter().filter(|rule| rule.netns.is_none());
    let here: BTreeSet<String> = here.map(|rule| rule.when.to_string()).collect();
    assert!(here.iter().all(|when| !when.contains("wan0")), "{here:?}");
}

/// By which routes packets go home that come out of the tunnel, for IPv4.
fn home_lengths(wishes: &BTreeSet<Wish>) -> Vec<u8> {
    let rules = rules(wishes, INWARD).into_iter().filter(|rule| rule.ipv4);
    let lengths = rules.filter_map(|rule| match rule.then {
        Then::LookupMain { shortest } => Some(shortest),
        _ => None,
    });
    lengths.collect()
}

#[test]
fn what_comes_out_of_a_tunnel_goes_home_or_nowhere() {
    let config = config(|text| text);
    let mut host = host(true);
    assert_eq!(rules(&wishes(&config, &host), NOWHERE).len(), 2);
    assert_eq!(home_lengths(&wishes(&config, &host)), [16]);
    // A route of the host's for more than the VPC leads elsewhere …
    host.devices.get_mut("wan0").expect("a device").routes = [prefix("10.0.0.0/8")].into();
    assert_eq!(home_lengths(&wishes(&config, &host)), [16]);
    // … but a summary by the VPC's own device leads home, unless it leads elsewhere as well.
    let lan = HostDevice { routes: [prefix("10.0.0.0/12")].into(), ..HostDevice::default() };
    host.devices.insert("lan0".to_owned(), lan);
    assert_eq!(home_lengths(&wishes(&config, &host)), [12]);
    host.devices.get_mut("wan0").expect("a device").routes = [prefix("10.0.0.0/12")].into();
    assert_eq!(home_lengths(&wishes(&config, &host)), [16]);
    // So may the default route be.
    host.devices.get_mut("lan0").expect("a device").routes.clear();
    let wan = host.devices.get_mut("wan0").expect("a device");
    (wan.routes, wan.is_default) = (BTreeSet::new(), false);
    host.devices.get_mut("lan0").expect("a device").is_default = true;
    assert_eq!(home_lengths(&wishes(&config, &host)), [0]);
}

#[test]
fn an_address_of_the_vpc_on_the_underlay_s_device_makes_it_none_of_the_vpc_s() {
    let config = config(|text| text);
    let mut outline = Outline::of(&config);
    outline.vpcs.values_mut().for_each(|vpc| vpc.interface = None);
    let mut host = host(true);
    let lan = HostDevice { networks: [prefix("10.1.0.0/24")].into(), ..HostDevice::default() };
    host.devices.insert("lan0".to_owned(), lan);
    let before = guards(&outline, &host, &config.gateway.listen);
    let wan = host.devices.get_mut("wan0").expect("a device");
    wan.networks.extend([prefix("10.1.9.0/24"), prefix("fd00:1:0:9::/64")]);
    let after = guards(&outline, &host, &config.gateway.listen);
    assert!(before.is_subset(&after) && !bars(&after).is_empty());
    assert_eq!(familiar(&after), ["lan0", "lo", "vpn-red"]);
}

#[test]
fn a_part_of_the_vpc_to_which_only_others_lead_gets_nothing_out_of_a_tunnel() {
    let config = config(|text| text);
    let mut host = host(true);
    let networks = [prefix("10.1.0.0/24")].into();
    host.devices.insert("lan0".to_owned(), HostDevice { networks, ..HostDevice::default() });
    let astray = |host: &Host| -> Vec<String> {
        let wishes = wishes(&config, host);
        rules(&wishes, ASTRAY).into_iter().map(|rule| rule.when.to_string()).collect()
    };
    assert!(astray(&host).is_empty());
    let wan = host.devices.get_mut("wan0").expect("a device");
    wan.routes = [prefix("10.1.9.0/25"), prefix("192.0.2.0/24"), prefix("10.0.0.0/8")].into();
    wan.networks.insert(prefix("fd00:1:0:9::/64"));
    let to = |to: &str| format!("packets to {to} that come in by vpn-red");
    assert_eq!(astray(&host), [to("fd00:1:0:9::/64"), to("10.1.9.0/25")]);
    // Where hosts are inside, a spare way to all of them is what it may be.
    host.devices.get_mut("wan0").expect("a device").routes = [prefix("10.1.0.0/23")].into();
    assert_eq!(astray(&host), [to("fd00:1:0:9::/64")]);
}

#[test]
fn prefixes_of_unequal_length_each_have_their_way_home() {
    let mut outline = beside(1);
    outline.vpcs.values_mut().for_each(|vpc| vpc.prefixes.push(prefix("10.7.0.0/16")));
    let wishes = guards(&outline, &host(false), &outline.listen);
    let home = rules(&wishes, INWARD).into_iter();
    let home = home.map(|rule| (rule.when.to_string(), rule.then)).collect::<Vec<_>>();
    let by = |to: &str| format!("packets to {to} that come in by vpn0");
    let expected = [("10.1.0.0/24", 24), ("10.7.0.0/16", 16)];
    assert_eq!(home, expected.map(|(to, shortest)| (by(to), Then::LookupMain { shortest })));
}

#[test]
fn while_nobody_knows_the_vpcs_devices_the_default_route_does_not_lead_home() {
    let mut outline = beside(1);
    outline.vpcs.values_mut().for_each(|vpc| vpc.interface = None);
    assert_eq!(home_lengths(&guards(&outline, &host(true), &outline.listen)), [1]);
}

#[test]
fn an_address_to_listen_on_that_cannot_be_read_is_borne_by_no_device() {
    let outline = Outline { has_more_to_listen_on: true, listen: Vec::new(), ..beside(1) };
    let wishes = guards(&outline, &host(true), &[]);
    assert_eq!(bars(&wishes), ["10.1.0.0/24", "10.2.0.0/24"]);
    assert_eq!(familiar(&wishes), ["lan0", "lo", "vpn0"]);
}

#[test]
fn a_default_route_behind_a_peer_is_for_packets_of_the_vpc_only() {
    let config = config(|text| text.replace("accept = [", "accept = [\"0.0.0.0/0\", "));
    let wishes = wishes(&config, &host(true));
    let whens: Vec<String> =
        rules(&wishes, DEFAULTS).iter().map(|rule| rule.when.to_string()).collect();
    let expected = [
        "packets that come in by lan0",
        "packets that come in by vpn-red",
        "packets from 10.1.0.0/16",
    ];
    assert_eq!(whens, expected);
    let guard = Wish::Guard { vpc: VPC, prefix: Prefix::all_ipv4() };
    assert_eq!(guard.table(), Some(Table::Defaults));
    assert!(wishes.contains(&guard));
    let part = Wish::Guard { vpc: VPC, prefix: "128.0.0.0/1".parse().expect("a prefix") };
    assert_eq!(part.table(), Some(Table::Defaults), "a part of the default is for no more than it");
    // A peer that may announce the default may announce 10.0.0.0/8, too.
    for table in [Table::Prefixes, Table::Defaults] {
        let prefix = "10.1.0.0/16".parse().expect("a prefix");
        assert!(wishes.contains(&Wish::Home { vpc: VPC, prefix, table }), "{table:?}");
    }
    let sent: Vec<&When> = rules(&wishes, HOST).iter().map(|rule| &rule.when).collect();
    assert_eq!(sent, [&When::Marked, &When::SentFrom(Prefix::host(SITES[0].underlay()))]);
}

#[test]
fn what_the_host_says_about_packets_of_a_default_route_goes_the_same_way() {
    let all = "accept = [\"0.0.0.0/0\", \"::/0\", ";
    let wishes = wishes(&config(|text| text.replace("accept = [", all)), &host(true));
    let complaints = rules(&wishes, COMPLAINTS);
    assert_eq!(complaints.len(), 2);
    for rule in complaints {
        assert_eq!((&rule.when, rule.then), (&When::Complaint, Then::Lookup(Table::Defaults)));
    }
    let sourced = rules(&wishes, SOURCED);
    assert!(sourced.iter().all(|rule| !rule.ipv4) && sourced.len() == 2, "{sourced:?}");
}

/// VPCs beside each other, each with one prefix of its own and one behind a peer.
fn beside(count: u8) -> Outline {
    let prefix = |second: u8, third: u8| Prefix::containing([10, second, third, 0].into(), 24);
    let vpc = |number: u8| VpcOutline {
        tun: format!("vpn{number}"),
        interface: Some(format!("lan{number}")),
        prefixes: prefix(1, number).into_iter().collect(),
        accept: prefix(2, number).into_iter().collect(),
        ..VpcOutline::default()
    };
    let vpcs = (0..count).map(|number| (VpcId(number.into()), vpc(number)));
    let listen = vec![SITES[0].underlay()];
    Outline { listen, vpcs: vpcs.collect(), ..Outline::default() }
}

fn ruled(outline: &Outline, is_default: bool) -> Vec<String> {
    let rules = guards(outline, &host(is_default), &outline.listen).into_iter();
    rules.filter(|wish| matches!(wish, Wish::Rule(_))).map(|wish| wish.to_string()).collect()
}

/// Every packet of a namespace is held against its rules, so their number must stay small; and a
/// family that no VPC uses has none.
#[test]
fn vpcs_that_share_a_namespace_share_its_rules() {
    let shared = |count| {
        let own = ["IPv4 rule 73", "IPv4 rule 76", "IPv4 rule 84", "IPv4 rule 85"];
        let is_own = |rule: &String| own.iter().any(|start| rule.starts_with(start));
        let (own, shared): (Vec<String>, Vec<String>) =
            ruled(&beside(count), false).into_iter().partition(is_own);
        (shared, own.len())
    };
    let prefixes = "IPv4 rule 78 for packets of others than the tunnels themselves";
    let [bars, rest] = ["74", "75"].map(|at| format!("IPv4 rule {at} for all packets"));
    assert_eq!(shared(1), (vec![bars, rest, prefixes.to_owned()], 3 + 2));
    let bars = "IPv4 rule 74 for packets that come in by wan0";
    assert_eq!(shared(50), (vec![bars.to_owned(), prefixes.to_owned()], 50 + 2 * 50));
}

#[test]
fn hosts_of_vpcs_that_share_a_namespace_are_kept_apart() {
    let mut outline = beside(3);
    let fences_of = |outline: &Outline, of: u16| {
        let wishes = guards(outline, &host(false), &outline.listen).into_iter();
        let fences = wishes.filter_map(|wish| match wish {
            Wish::Fence { vpc, prefix } if vpc == VpcId(of) => Some(prefix.to_string()),
            _ => None,
        });
        fences.collect::<Vec<_>>()
    };
    let others = ["10.1.0.0/24", "10.1.2.0/24", "10.2.0.0/24", "10.2.2.0/24"];
    assert_eq!(fences_of(&outline, 1), others);
    let led = ruled(&outline, false);
    assert!(led.contains(&"IPv4 rule 76 for packets that come in by lan1".to_owned()), "{led:?}");
    // Two on one device: nobody can tell them apart.
    let zero = outline.vpcs.get_mut(&VpcId(0)).expect("a VPC");
    zero.interface = Some("lan1".to_owned());
    assert!(fences_of(&outline, 0).is_empty() && fences_of(&outline, 1).is_empty());
    assert_eq!(fences_of(&outline, 2).len(), 4);
    // In namespaces of their own they have nothing to do with each other.
    for (id, vpc) in &mut outline.vpcs {
        vpc.netns = Some(format!("vpc{}", id.0));
    }
    assert!((0..3).all(|of| fences_of(&outline, of).is_empty()));
}

#[test]
fn before_the_underlay_is_known_only_devices_of_vpcs_let_packets_in() {
    let outline = beside(1);
    let before = guards(&outline, &Host::default(), &outline.listen);
    assert_eq!(bars(&before), ["10.1.0.0/24", "10.2.0.0/24"]);
    let over: Vec<&When> = rules(&before, FAMILIAR).iter().map(|rule| &rule.when).collect();
    let familiar = ["lan0", "lo", "vpn0"].map(|name| When::Arriving(name.to_owned()));
    assert_eq!(over, familiar.iter().collect::<Vec<_>>());
    let barred = rules(&before, ARRIVING);
    assert_eq!(barred.iter().map(|rule| &rule.when).collect::<Vec<_>>(), [&When::Always]);
}

#[test]
fn what_comes_out_of_a_tunnel_goes_home_in_a_namespace_too() {
    let mut outline = beside(1);
    outline.vpcs.values_mut().for_each(|vpc| vpc.netns = Some("shop".to_owned()));
    let mut host = host(true);
    let lan = HostDevice { networks: [prefix("10.1.0.0/24")].into(), ..HostDevice::default() };
    let out = HostDevice { is_default: true, ..HostDevice::default() };
    let devices = [("lan0".to_owned(), lan), ("wan1".to_owned(), out)];
    host.elsewhere.insert("shop".to_owned(), devices.into());
    let wishes = guards(&outline, &host, &outline.listen);
    assert_eq!(home_lengths(&wishes), [24]);
    assert!(rules(&wishes, NOWHERE).iter().all(|rule| rule.netns.as_deref() == Some("shop")));
    assert!(rules(&wishes, ARRIVING).is_empty());
}

use super::*;

fn admission(vpc: u16, vni: u32, local: &str, vteps: &[&str]) -> (VpcId, Admission) {
    let vteps = vteps.iter().map(|vtep| vtep.parse().unwrap()).collect();
    let (vpc, local) = (VpcId(vpc), local.parse().unwrap());
    (vpc, Admission { vpc, vni, local, port: 4789, vteps, gateways: None })
}

#[test]
fn every_vni_has_a_chain_and_any_other_is_counted() {
    let admissions = BTreeMap::from([
        admission(0, 100, "10.9.0.2", &["10.9.0.11", "10.9.0.3"]),
        admission(1, 200, "2001:db8::2", &["2001:db8::11"]),
    ]);
    let before = SegmentCounters {
        vteps: [("10.9.0.3".parse().unwrap(), VtepCounters { packets: 7, bytes: 900 })].into(),
        refused: 5,
        unknown_vni: 3,
        ..SegmentCounters::default()
    };
    let script = script(&admissions, &[(VpcId(0), before)].into());
    let expected = "\
add table inet vpngw
delete table inet vpngw
table inet vpngw {
counter unknown-vni { packets 3 bytes 0 }
counter refused-100 { packets 5 bytes 0 }
set vteps-100 { type ipv4_addr; counter; elements = { 10.9.0.3 counter packets 7 bytes 900, 10.9.0.11 counter packets 0 bytes 0 } }
chain vni-100 {
ip daddr 10.9.0.2 ip saddr @vteps-100 accept
counter name \"refused-100\" drop
}
counter refused-200 { packets 0 bytes 0 }
set vteps-200 { type ipv6_addr; counter; elements = { 2001:db8::11 counter packets 0 bytes 0 } }
chain vni-200 {
ip6 daddr 2001:db8::2 ip6 saddr @vteps-200 accept
counter name \"refused-200\" drop
}
chain input {
type filter hook input priority -10; policy accept;
udp dport 4789 @th,96,24 vmap { 100 : goto vni-100, 200 : goto vni-200 }
ip daddr 10.9.0.2 udp dport 4789 counter name \"unknown-vni\" drop
ip6 daddr 2001:db8::2 udp dport 4789 counter name \"unknown-vni\" drop
}
}
";
    assert_eq!(script, expected);
    assert_eq!(rule_count(&admissions), 7);
}

#[test]
fn without_segments_the_table_goes() {
    let script = script(&BTreeMap::new(), &Counters::new());
    assert_eq!(script, "add table inet vpngw\ndelete table inet vpngw\n");
}

#[test]
fn a_listing_is_read_back() {
    let json = r#"{"nftables": [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "vpngw", "handle": 5}},
        {"counter": {"family": "inet", "name": "refused-100", "table": "vpngw", "handle": 2, "packets": 4, "bytes": 400}},
        {"counter": {"family": "inet", "name": "unknown-vni", "table": "vpngw", "handle": 1, "packets": 9, "bytes": 1}},
        {"set": {"family": "inet", "name": "vteps-100", "table": "vpngw", "type": "ipv4_addr", "handle": 3,
            "elem": [{"elem": {"val": "10.9.0.11", "counter": {"packets": 12, "bytes": 1000}}}],
            "stmt": [{"counter": null}]}},
        {"rule": {"family": "inet", "table": "vpngw", "chain": "vni-100", "handle": 6, "expr": []}}
    ]}"#;
    let listing = nft::Listing::read(json).unwrap();
    let (_, admission) = admission(0, 100, "10.9.0.2", &["10.9.0.11"]);
    let counters = counters_of(&listing, &senders(&listing).unwrap(), &admission);
    assert_eq!((listing.rules, counters.refused, counters.unknown_vni), (1, 4, 9));
    let vtep = counters.vteps[&"10.9.0.11".parse().unwrap()];
    assert_eq!(vtep, VtepCounters { packets: 12, bytes: 1000 });
    assert!(nft::Listing::read("{}").is_err());
}

#[test]
fn virtual_routers_are_heard_from_gateways_only() {
    let (vpc, mut one) = admission(0, 100, "10.9.0.2", &["10.9.0.11", "10.9.0.3"]);
    one.gateways = Some(["10.9.0.3".parse().unwrap()].into());
    let all = BTreeMap::from([(vpc, one.clone())]);
    let script = script(&all, &Counters::new());
    let rule = "ip saddr != { 10.9.0.3 } @th,224,16 0x0800 @th,312,8 112 counter name \"refused-100\" drop";
    let at = |line: &str| script.lines().position(|one| one == line);
    let accepted = script.lines().position(|one| one.ends_with("@vteps-100 accept"));
    assert!(at(rule).is_some() && at(rule) < accepted, "{script}");
    assert_eq!(rule_count(&all), 2 + 4 + 1 + 1);
    // A gateway without a sibling hears nobody.
    one.gateways = Some(BTreeSet::new());
    assert!(segment_script(&one).contains("\n@th,224,16 0x86dd @th,288,8 112 counter"));
}

fn segment_script(admission: &Admission) -> String {
    let mut script = String::new();
    segment(&mut script, admission, &SegmentCounters::default());
    script
}

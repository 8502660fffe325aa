use super::*;
use crate::net::VpcId;

fn ports(protocol: &'static str, first: u16, last: u16, to: Option<u16>) -> Option<Ports> {
    Some(Ports { protocol, first, last, to })
}

fn mapping(address: &str, ports: Option<Ports>, to: &str) -> Mapping {
    Mapping { address: address.parse().unwrap(), ports, to: to.parse().unwrap() }
}

fn example() -> Translation {
    Translation {
        vpc: VpcId(0),
        netns: Some("shop".to_owned()),
        outlet: "pub-shop".to_owned(),
        tun: "vpn-shop".to_owned(),
        own: BTreeSet::from(["10.1.0.0/16".parse().unwrap()]),
        behind: BTreeSet::from(["10.2.0.0/16".parse().unwrap()]),
        known_as: BTreeSet::from(["100.64.0.0/16".parse().unwrap()]),
        mappings: vec![
            mapping("203.0.113.10", ports("tcp", 443, 443, Some(8443)), "10.1.1.10"),
            mapping("203.0.113.10", ports("udp", 8000, 8010, None), "10.1.1.10"),
            mapping("203.0.113.11", None, "10.1.1.11"),
        ],
        sources: vec![Source {
            address: "203.0.113.12".parse().unwrap(),
            from: BTreeSet::from(["10.1.0.0/16".parse().unwrap()]),
            first: 1024,
            last: 32767,
        }],
    }
}

fn rules_of(translation: &Translation) -> Vec<String> {
    rules(translation).into_values().flatten().collect()
}

#[test]
fn a_service_is_translated_alike_in_both_directions() {
    let rules = rules_of(&example());
    for expected in [
        "ip daddr 203.0.113.10 tcp dport 443 counter name \"mapping-0\" dnat to 10.1.1.10:8443",
        "oifname \"pub-shop\" ip saddr 10.1.1.10 tcp sport 8443 snat to 203.0.113.10:443",
        "ip daddr 203.0.113.10 udp dport 8000-8010 counter name \"mapping-1\" dnat to 10.1.1.10",
        "oifname \"pub-shop\" ip saddr 10.1.1.10 udp sport 8000-8010 snat to 203.0.113.10",
        "ip daddr 203.0.113.11 counter name \"mapping-2\" dnat to 10.1.1.11",
        "oifname \"pub-shop\" snat to ip saddr map { 10.1.1.11 : 203.0.113.11 }",
    ] {
        assert!(rules.iter().any(|rule| rule == expected), "{expected} is not among {rules:#?}");
    }
}

/// Which of the two the other end speaks to only its own packets say.
#[test]
fn what_hosts_send_first_is_not_guessed_where_two_addresses_lead_to_one_service() {
    let mut both = example();
    let again = mapping("203.0.113.20", ports("tcp", 80, 80, Some(8443)), "10.1.1.10");
    both.mappings.push(again);
    let rules = rules_of(&both);
    let of_service = rules.iter().filter(|rule| rule.contains("ip saddr 10.1.1.10 tcp sport 8443"));
    assert!(of_service.clone().count() == 2 && of_service.clone().all(|one| one.ends_with("drop")));
}

#[test]
fn what_peers_know_hosts_by_is_nobody_s_in_the_world() {
    let script = script(&example(), &NatCounters::default());
    let inside = "auto-merge; elements = { 10.1.0.0/16, 10.2.0.0/16, 100.64.0.0/16 };";
    assert!(
        script.lines().any(|one| one.starts_with("set inside") && one.contains(inside)),
        "{script}"
    );
}

#[test]
fn counters_go_on_in_the_next_script() {
    let counted = NatCounters { mappings: vec![7, 0, 9], spoofed: 3, ..NatCounters::default() };
    let script = script(&example(), &counted);
    assert!(script.contains("counter mapping-0 { packets 7 bytes 0 }"));
    assert!(script.contains("counter mapping-2 { packets 9 bytes 0 }"));
    assert!(script.contains("counter spoofed { packets 3 bytes 0 }"));
    assert!(script.starts_with("add table ip vpngw-nat\ndelete table ip vpngw-nat\n"));
}

#[test]
fn vpcs_are_counted_in_turns() {
    let mut translations = Translations::default();
    for number in 0..20 {
        let one = Translation { vpc: VpcId(number), ..example() };
        translations.standing.insert(one.vpc, one);
    }
    let mut turns = (0..6).map(|_| translations.next_to_count());
    let lengths: Vec<usize> = turns.by_ref().take(3).map(|turn| turn.len()).collect();
    assert_eq!(lengths, [8, 8, 4]);
    assert_eq!(turns.next().unwrap()[0].vpc, VpcId(0));
}

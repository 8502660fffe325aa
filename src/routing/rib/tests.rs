use super::*;
use crate::net::AddressRange;
use crate::routing::attributes::{AsPath, Origin, Segment, TransitiveAttribute};

const US: Asn = Asn(65000);
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 30, 0, 2));

#[test]
fn every_step_of_the_decision_is_reached_and_named() {
    let base = || announced(&[65001, 65010]);
    let longer = announced(&[65001, 65009, 65010]);
    let with_med = |med| Attributes { med: Some(med), ..base() };
    let origin = |origin| Attributes { origin, ..base() };
    use Origin::{Egp, Incomplete};
    let cases: Vec<(Reason, Attributes, Attributes)> = vec![
        (Reason::AsPathLength, base(), longer),
        (Reason::Origin, base(), origin(Egp)),
        (Reason::Origin, origin(Egp), origin(Incomplete)),
        (Reason::MultiExitDiscriminator, with_med(1), with_med(2)),
        (Reason::MultiExitDiscriminator, base(), with_med(1)),
        (Reason::BgpIdentifier, base(), base()),
    ];
    for (reason, better, worse) in cases {
        // Peer 2 has the lower identifier; the better path is peer 1's but for the last case.
        let (first, second) = if reason == Reason::BgpIdentifier { (2, 1) } else { (1, 2) };
        let mut rib = rib_of(&[(1, 100, external(65001)), (2, 100, external(65001))]);
        rib.set_identifier(PeerId(1), Ipv4Addr::new(9, 9, 9, 9));
        rib.set_identifier(PeerId(2), Ipv4Addr::new(1, 1, 1, 1));
        tell(&mut rib, 1, "10.0.0.0/8", better);
        tell(&mut rib, 2, "10.0.0.0/8", worse);
        assert_eq!(ranked(&mut rib, "10.0.0.0/8"), (vec![first, second], Some(reason)));
    }
}

#[test]
fn preference_precedes_everything_and_order_follows_everything() {
    let mut rib = rib_of(&[(1, 100, external(65001)), (2, 101, external(65002))]);
    tell(&mut rib, 1, "10.0.0.0/8", announced(&[65001]));
    tell(&mut rib, 2, "10.0.0.0/8", announced(&[65002, 65003, 65004]));
    assert_eq!(ranked(&mut rib, "10.0.0.0/8"), (vec![2, 1], Some(Reason::LocalPreference)));
    rib.set_policy(PeerId(2), policy(100, external(65002)));
    tell(&mut rib, 2, "10.0.0.0/8", announced(&[65002]));
    assert_eq!(ranked(&mut rib, "10.0.0.0/8"), (vec![1, 2], Some(Reason::PeerOrder)));
}

#[test]
fn only_paths_that_nothing_but_the_tie_break_sets_apart_tie() {
    let base = || announced(&[65001, 65010]);
    let other_as = || announced(&[65002, 65010]);
    let with = |med: u32| Attributes { med: Some(med), ..base() };
    let igp = |origin| Attributes { origin, ..base() };
    let cases = [
        (base(), base(), true),
        (base(), other_as(), true),
        (with(1), Attributes { med: Some(2), ..other_as() }, true),
        (with(1), with(2), false),
        (base(), announced(&[65001, 65009, 65010]), false),
        (base(), igp(Origin::Egp), false),
    ];
    for (one, other, tie) in cases {
        let second = other.as_path.neighbor().expect("an AS path").0;
        let mut rib = sharing_rib(&[(1, 100, external(65001)), (2, 100, external(second))]);
        rib.set_identifier(PeerId(1), Ipv4Addr::new(1, 1, 1, 1));
        rib.set_identifier(PeerId(2), Ipv4Addr::new(9, 9, 9, 9));
        tell(&mut rib, 1, "10.0.0.0/8", one.clone());
        tell(&mut rib, 2, "10.0.0.0/8", other.clone());
        assert_eq!(sharing(&mut rib, "10.0.0.0/8").len() == 2, tie, "{one:?} {other:?}");
    }
    let mut rib = sharing_rib(&[(1, 100, external(65001)), (2, 101, external(65001))]);
    (1..=2).for_each(|peer| tell(&mut rib, peer, "10.0.0.0/8", base()));
    assert_eq!(sharing(&mut rib, "10.0.0.0/8"), [2], "preference comes first");
}

#[test]
fn those_that_come_next_tie_among_themselves() {
    let preferences = [(1, 100), (2, 200), (3, 100), (4, 200)];
    let neighbors = preferences.map(|(peer, preference)| (peer, preference, Source::Static));
    let mut rib = sharing_rib(&neighbors);
    (1..=4).for_each(|peer| tell(&mut rib, peer, "10.0.0.0/8", announced(&[])));
    assert_eq!(sharing(&mut rib, "10.0.0.0/8"), [2, 4]);
    let (ways, _) = rib.ways(&prefix("10.0.0.0/8"));
    let way = |peer, ties| Ranked { peer: PeerId(peer), ties };
    assert_eq!(ways, [way(2, false), way(4, true), way(1, false), way(3, true)]);
    let range = AddressRange::from(prefix("10.2.0.0/16"));
    (1..=4).for_each(|peer| rib.set_reach(PeerId(peer), Reach::of([range])));
    assert_eq!(sharing(&mut rib, "10.0.0.0/8"), [2], "parts may be different ones");
}

#[test]
fn who_ties_follows_the_best_whatever_another_has_as_med() {
    let with = |asn: u32, med: u32| Attributes { med: Some(med), ..announced(&[asn, 65010]) };
    let neighbors =
        [(1, 100, external(65001)), (2, 100, external(65001)), (3, 100, external(65002))];
    let ranked = |mut rib: Rib| {
        for (peer, attributes) in [(1, with(65001, 0)), (2, with(65001, 10)), (3, with(65002, 5))] {
            rib.set_identifier(PeerId(peer), Ipv4Addr::from(peer));
            tell(&mut rib, peer, "10.0.0.0/8", attributes);
        }
        rib.decide(usize::MAX);
        let (ways, _) = rib.ways(&prefix("10.0.0.0/8"));
        ways.iter().map(|way| (way.peer.0, way.ties)).collect::<Vec<_>>()
    };
    assert_eq!(ranked(sharing_rib(&neighbors)), [(1, false), (3, true), (2, false)]);
    assert_eq!(ranked(rib_of(&neighbors)), [(1, false), (2, false), (3, false)]);
}

#[test]
fn ties_come_and_go_where_they_are_used_and_move_nothing_elsewhere() {
    for multipath in [false, true] {
        let mut rib = rib_of(&[(1, 100, external(65001)), (2, 100, external(65001))]);
        rib.set_multipath(multipath);
        (1..=2).for_each(|peer| tell(&mut rib, peer, "10.0.0.0/8", announced(&[65001])));
        assert_eq!(sharing(&mut rib, "10.0.0.0/8").len() == 2, multipath);
        tell(&mut rib, 2, "10.0.0.0/8", announced(&[65001, 65001]));
        let decided = rib.decide(usize::MAX);
        assert_eq!(decided.iter().map(|one| one.is_rerouted).collect::<Vec<_>>(), [multipath]);
    }
    let mut rib = rib_of(&[(1, 100, external(65001)), (2, 100, external(65001))]);
    (1..=2).for_each(|peer| tell(&mut rib, peer, "10.0.0.0/8", announced(&[65001])));
    for (multipath, carriers) in [(false, 1), (true, 2), (false, 1)] {
        rib.set_multipath(multipath);
        assert_eq!(sharing(&mut rib, "10.0.0.0/8").len(), carriers);
    }
}

#[test]
fn a_tunnel_carries_what_its_selectors_take_and_no_more() {
    let range = |text: &str| AddressRange::from(prefix(text));
    let mut rib = rib_of(&[(1, 200, external(65001)), (2, 100, external(65002))]);
    for peer in [1, 2] {
        tell(&mut rib, peer, "10.0.0.0/8", announced(&[65000 + peer]));
        tell(&mut rib, peer, "fd00::/32", announced(&[65000 + peer]));
    }
    assert_eq!(ranked(&mut rib, "10.0.0.0/8").0, [1, 2]);
    rib.set_reach(PeerId(1), Reach::of([range("10.2.0.0/16"), range("10.4.0.0/16")]));
    let part = (vec![2, 1], Some(Reason::WholePrefix));
    assert_eq!(ranked(&mut rib, "10.0.0.0/8"), part, "a part is better than nothing");
    assert_eq!(ranked(&mut rib, "fd00::/32").0, [2]);
    assert_eq!(rib.unreached(PeerId(1)).collect::<Vec<_>>(), [prefix("fd00::/32")]);
    assert_eq!(rib.waiting(&prefix("fd00::/32")).map(|(peer, _)| peer.0).collect::<Vec<_>>(), [1]);
    rib.set_reach(PeerId(2), Reach::of([range("0.0.0.0/0")]));
    assert_eq!(ranked(&mut rib, "fd00::/32"), (vec![], None), "nobody takes the family");
    rib.set_reach(PeerId(1), Reach::of([range("::/0"), range("0.0.0.0/0")]));
    assert_eq!(ranked(&mut rib, "10.0.0.0/8").0, [1, 2]);
    assert_eq!(ranked(&mut rib, "fd00::/32").0, [1]);
}

#[test]
fn external_paths_precede_internal_ones() {
    let mut rib = rib_of(&[(1, 100, Source::Internal), (2, 100, external(65002))]);
    tell(&mut rib, 1, "10.0.0.0/8", announced(&[65002]));
    tell(&mut rib, 2, "10.0.0.0/8", announced(&[65002]));
    assert_eq!(ranked(&mut rib, "10.0.0.0/8"), (vec![2, 1], Some(Reason::ExternalOverInternal)));
}

#[test]
fn med_compares_paths_of_one_neighbouring_as_only() {
    let mut rib =
        rib_of(&[(1, 100, external(65001)), (2, 100, external(65002)), (3, 100, external(65002))]);
    let with_med = |asn, med| Attributes { med: Some(med), ..announced(&[asn]) };
    tell(&mut rib, 1, "10.0.0.0/8", with_med(65001, 500));
    tell(&mut rib, 2, "10.0.0.0/8", with_med(65002, 20));
    tell(&mut rib, 3, "10.0.0.0/8", with_med(65002, 10));
    // 3 takes out 2; then 1 and 3 are told apart by their order. 2 comes last although 1 has a
    // higher MED.
    assert_eq!(ranked(&mut rib, "10.0.0.0/8"), (vec![1, 3, 2], Some(Reason::PeerOrder)));
}

#[test]
fn only_changes_of_the_ranking_are_reported() {
    let mut rib = rib_of(&[(1, 100, external(65001)), (2, 100, external(65002))]);
    tell(&mut rib, 1, "10.0.0.0/8", announced(&[65001]));
    assert_eq!(decided(&mut rib), [prefix("10.0.0.0/8")]);
    tell(&mut rib, 1, "10.0.0.0/8", announced(&[65001]));
    assert!(decided(&mut rib).is_empty(), "the same again");
    rib.withdraw(PeerId(2), &prefix("10.0.0.0/8"));
    assert!(decided(&mut rib).is_empty(), "withdrawn before it was announced");
    rib.set_usable(PeerId(1), false);
    rib.set_usable(PeerId(1), true);
    assert!(decided(&mut rib).is_empty(), "there and back");
    rib.forget(PeerId(1));
    assert_eq!(decided(&mut rib), [prefix("10.0.0.0/8")]);
    assert!(rib.chosen(&prefix("10.0.0.0/8")).is_none());
    assert_eq!(rib.table.sizes(), (0, 0, 0));
}

#[test]
fn what_is_rejected_is_kept_up_to_a_bound() {
    let mut rib = rib_of(&[]);
    let none = Policy { import: PrefixSet::new(), ..policy(100, external(65001)) };
    rib.set_policy(PeerId(1), none);
    for n in 0..2000_u32 {
        let host = Prefix::host(Ipv4Addr::from(n + 0x0a00_0000).into());
        let verdict = rib.announce(PeerId(1), host, Arc::new(announced(&[65001])));
        assert!(verdict.is_ok());
    }
    let rejections = rib.rejections(PeerId(1)).expect("the peer");
    assert_eq!((rejections.len(), rejections.overflow()), (1024, 976));
    rib.forget(PeerId(1));
    assert!(rib.rejections(PeerId(1)).is_some_and(Rejections::is_empty));
}

#[test]
fn the_limit_counts_prefixes_and_not_announcements() {
    let mut rib = rib_of(&[]);
    rib.set_policy(PeerId(1), Policy { max_prefixes: 2, ..policy(100, external(65001)) });
    for text in ["10.0.0.0/8", "10.0.0.0/8", "11.0.0.0/8", "10.0.0.0/8"] {
        tell(&mut rib, 1, text, announced(&[65001]));
    }
    let third = rib.announce(PeerId(1), prefix("12.0.0.0/8"), Arc::new(announced(&[65001])));
    assert_eq!(third, Err(Excess::Prefixes));
    rib.withdraw(PeerId(1), &prefix("11.0.0.0/8"));
    tell(&mut rib, 1, "12.0.0.0/8", announced(&[65001]));
}

#[test]
fn as_sets_take_part_in_the_loop_check() {
    let mut rib = rib_of(&[(1, 100, external(65001))]);
    let mut attributes = announced(&[65001]);
    attributes.as_path.0.push(Segment::Set(vec![US]));
    let verdict = rib.announce(PeerId(1), prefix("10.0.0.0/8"), Arc::new(attributes));
    assert_eq!(verdict, Ok(Some(RejectReason::AsLoop)));
}

#[test]
fn routes_that_lead_nowhere_are_not_taken() {
    let mut rib = rib_of(&[(1, 100, external(65001))]);
    let martians = [
        "127.0.0.0/8",
        "127.1.2.3/32",
        "0.0.0.0/8",
        "169.254.0.0/16",
        "169.254.169.254/32",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "::1/128",
        "::/128",
        "::ffff:10.0.0.0/104",
        "fe80::/10",
        "fe80::1/128",
        "ff02::/16",
    ];
    for text in martians {
        let verdict = rib.announce(PeerId(1), prefix(text), Arc::new(announced(&[65001])));
        assert_eq!(verdict, Ok(Some(RejectReason::Martian)), "{text}");
    }
    for text in ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "2000::/3", "fd00::/8"] {
        tell(&mut rib, 1, text, announced(&[65001]));
    }
}

#[test]
fn routes_to_and_through_ourselves_are_not_taken() {
    let mut rib = rib_of(&[(1, 100, external(65001))]);
    let through_us = Attributes { next_hop: OWN, ..announced(&[65001]) };
    let verdict = rib.announce(PeerId(1), prefix("10.0.0.0/8"), Arc::new(through_us));
    assert_eq!(verdict, Ok(Some(RejectReason::OwnNextHop)));
    let underlay: IpAddr = [192, 0, 2, 1].into();
    rib.set_underlay(Reserved::new([prefix("192.0.2.0/24")], [underlay].into()));
    rib.set_local([prefix("10.1.0.0/16")].into_iter().collect());
    let to = ["10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16"];
    for (next_hop, to) in ["192.0.2.1", "127.0.0.1", "::1", "10.1.0.1"].into_iter().zip(to) {
        let next_hop = next_hop.parse().expect("an address");
        let path = Attributes { next_hop, ..announced(&[65001]) };
        let verdict = rib.announce(PeerId(1), prefix(to), Arc::new(path));
        assert_eq!(verdict, Ok(Some(RejectReason::OwnNextHop)), "{next_hop}");
    }
    let to_us = rib.announce(PeerId(1), Prefix::host(OWN), Arc::new(announced(&[65001])));
    assert_eq!(to_us, Ok(Some(RejectReason::Local)));
}

#[test]
fn an_as_set_takes_back_what_was_announced_before() {
    let mut rib = rib_of(&[(1, 100, external(65001))]);
    tell(&mut rib, 1, "10.0.0.0/8", announced(&[65001]));
    let mut with_set = announced(&[65001]);
    with_set.as_path.0.push(Segment::Set(vec![Asn(65010), Asn(65011)]));
    let verdict = rib.announce(PeerId(1), prefix("10.0.0.0/8"), Arc::new(with_set));
    assert_eq!(verdict, Ok(Some(RejectReason::AsSet)));
    assert_eq!(rib.accepted_count(PeerId(1)), 0);
}

#[test]
fn a_neighbour_takes_bounded_memory() {
    let mut rib = rib_of(&[]);
    rib.set_policy(PeerId(1), Policy { max_prefixes: 100_000, ..policy(100, external(65001)) });
    let fat = |number: u32| {
        let body = [number.to_be_bytes().as_slice(), &[7; 3900]].concat();
        let own = TransitiveAttribute { code: 250, partial: true, body };
        Attributes { transitive: vec![own], ..announced(&[65001]) }
    };
    let mut announce = |number: u32, attributes: Attributes| {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + number);
        rib.announce(PeerId(1), Prefix::host(address.into()), Arc::new(attributes))
    };
    let shared = (0..100).map(|number| announce(number, fat(0)));
    assert!(shared.into_iter().all(|verdict| verdict == Ok(None)));
    let first_refused = (100..).find(|&number| announce(number, fat(number)).is_err());
    let taken = first_refused.expect("an end") as usize;
    assert!((14_000..17_500).contains(&taken), "{taken}");
    assert!(rib.peers[&PeerId(1)].ledger.octets() < MAX_OCTETS + 8_192);
    rib.forget(PeerId(1));
    assert_eq!(rib.peers[&PeerId(1)].ledger.octets(), 0);
}

#[test]
fn paths_that_come_and_go_leave_nothing_in_the_ledger() {
    let mut rib = rib_of(&[(1, 100, external(65001))]);
    for (text, path) in
        [("10.0.0.0/8", [65001, 7]), ("10.0.0.0/8", [65001, 8]), ("11.0.0.0/8", [65001, 8])]
    {
        tell(&mut rib, 1, text, announced(&path));
    }
    let loops = rib.announce(PeerId(1), prefix("11.0.0.0/8"), Arc::new(announced(&[65001, 65000])));
    assert_eq!(loops, Ok(Some(RejectReason::AsLoop)));
    rib.set_local([prefix("10.0.0.0/8")].into_iter().collect());
    rib.set_local(PrefixSet::new());
    for text in ["10.0.0.0/8", "11.0.0.0/8"] {
        rib.withdraw(PeerId(1), &prefix(text));
    }
    assert_eq!(rib.peers[&PeerId(1)].ledger.octets(), 0);
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn external(asn: u32) -> Source {
    Source::External(Asn(asn))
}

fn announced(asns: &[u32]) -> Attributes {
    Attributes {
        as_path: AsPath::sequence(asns.iter().copied().map(Asn)),
        ..Attributes::originated(Ipv4Addr::new(169, 254, 9, 9).into())
    }
}

fn policy(local_preference: u32, source: Source) -> Policy {
    let import = [Prefix::all_ipv4(), Prefix::all_ipv6()].into_iter().collect();
    Policy {
        side: Side::Tunnel,
        import,
        role: None,
        rules: [].into(),
        local_preference,
        max_prefixes: 10_000,
        own_address: Some(OWN),
        source,
    }
}

fn rib_of(peers: &[(u32, u32, Source)]) -> Rib {
    let mut rib = Rib::new(US, Ipv4Addr::new(192, 0, 2, 1));
    for (peer, preference, source) in peers {
        rib.set_policy(PeerId(*peer), policy(*preference, *source));
        rib.set_usable(PeerId(*peer), true);
    }
    rib
}

/// The same, of which those that tie share.
fn sharing_rib(peers: &[(u32, u32, Source)]) -> Rib {
    let mut rib = rib_of(peers);
    rib.set_multipath(true);
    rib
}

fn tell(rib: &mut Rib, peer: u32, text: &str, attributes: Attributes) {
    assert_eq!(rib.announce(PeerId(peer), prefix(text), Arc::new(attributes)), Ok(None));
}

fn ranked(rib: &mut Rib, text: &str) -> (Vec<u32>, Option<Reason>) {
    rib.decide(usize::MAX);
    let chosen = rib.chosen(&prefix(text));
    let ranked = chosen.iter().flat_map(|chosen| &chosen.ranked);
    (ranked.map(|path| path.peer.0).collect(), chosen.as_ref().map(|chosen| chosen.reason))
}

/// The neighbours that share a prefix, best first: those before the first that does not tie.
fn sharing(rib: &mut Rib, text: &str) -> Vec<u32> {
    rib.decide(usize::MAX);
    let (ways, _) = rib.ways(&prefix(text));
    let end = ways.iter().skip(1).position(|way| !way.ties).map_or(ways.len(), |at| at + 1);
    ways[..end].iter().map(|way| way.peer.0).collect()
}

fn decided(rib: &mut Rib) -> Vec<Prefix> {
    rib.decide(usize::MAX).into_iter().map(|decided| decided.prefix).collect()
}

#[test]
fn what_a_reflector_brings_back_is_refused_and_fewer_reflectors_are_better() {
    use crate::routing::attributes::Reflection;
    let mut rib = rib_of(&[(1, 100, Source::Internal), (2, 100, Source::Internal)]);
    let through = |originator: u8, clusters: &[u8]| {
        let identifier = |last: u8| Ipv4Addr::new(192, 0, 2, last);
        let clusters = clusters.iter().copied().map(identifier).collect();
        let reflection = Reflection { originator: Some(identifier(originator)), clusters };
        Arc::new(Attributes { reflection: Some(Box::new(reflection)), ..announced(&[65010]) })
    };
    let prefix: Prefix = "10.9.0.0/16".parse().unwrap();
    for (peer, ours) in [(1, through(1, &[7])), (2, through(9, &[7, 1]))] {
        assert_eq!(rib.announce(PeerId(peer), prefix, ours), Ok(Some(RejectReason::Reflected)));
    }
    rib.announce(PeerId(1), prefix, through(9, &[7, 8])).unwrap();
    rib.announce(PeerId(2), prefix, through(9, &[7])).unwrap();
    rib.decide(usize::MAX);
    let chosen = rib.chosen(&prefix).unwrap();
    assert_eq!((chosen.ranked[0].peer, chosen.reason), (PeerId(2), Reason::Clusters));
    rib.announce(PeerId(1), prefix, through(8, &[7, 8])).unwrap();
    rib.decide(usize::MAX);
    let chosen = rib.chosen(&prefix).unwrap();
    assert_eq!((chosen.ranked[0].peer, chosen.reason), (PeerId(1), Reason::BgpIdentifier));
}

//! Both directions agree, weights hold, and a member that goes or comes moves nobody else's flows.

use super::*;
use crate::random::{Random, Seeded};
use std::collections::BTreeMap;

const FLOWS: usize = 40_000;

fn member(key: u64, weight: u8) -> Member {
    Member {
        key: mix(key ^ 0x9e37_79b9_7f4a_7c15, SEEDS[3]),
        weight: NonZeroU8::new(weight).unwrap(),
    }
}

/// Both addresses, the protocol and both ports.
type Ends = (IpAddr, IpAddr, (u8, (u16, u16)));

/// Flows of both families.
fn flows(count: usize) -> Vec<Ends> {
    let mut random = Seeded::new(7);
    let mut below = |bound: u64| random.below(bound);
    let flow = |number: usize| {
        let (host, peer) = (below(200) as u16, below(200) as u16);
        let ports = (1024 + below(60_000) as u16, [443, 53, 5201][below(3) as usize]);
        let protocol = [6, 17][below(2) as usize];
        let ends: [IpAddr; 2] = match number % 2 {
            0 => [[10, 1, 0, host as u8].into(), [10, 2, 0, peer as u8].into()],
            _ => [[0xfd00, 1, 0, 0, 0, 0, 0, host].into(), [0xfd00, 2, 0, 0, 0, 0, 0, peer].into()],
        };
        (ends[0], ends[1], (protocol, ports))
    };
    (0..count).map(flow).collect()
}

fn hashes() -> Vec<FlowHash> {
    flows(FLOWS)
        .into_iter()
        .map(|(one, other, by)| FlowHash::between(one, other, Some(by)))
        .collect()
}

/// The part of the flows that each member gets.
fn parts(buckets: &Buckets, members: usize) -> Vec<f64> {
    let mut counts = vec![0_usize; members];
    hashes().into_iter().for_each(|flow| counts[buckets.member_of(flow)] += 1);
    counts.into_iter().map(|count| count as f64 / FLOWS as f64).collect()
}

#[test]
fn both_directions_of_a_flow_are_one() {
    for (one, other, (protocol, (from, to))) in flows(1000) {
        let there = FlowHash::between(one, other, Some((protocol, (from, to))));
        assert_eq!(there, FlowHash::between(other, one, Some((protocol, (to, from)))));
        let turned = FlowHash::between(one, other, Some((protocol, (to, from))));
        assert_ne!(there, turned, "other ports at each end are another flow");
        assert_ne!(there, FlowHash::between(one, other, None));
    }
}

#[test]
fn every_member_gets_what_its_weight_says() {
    let weights: [&[u8]; 6] =
        [&[1, 1], &[2, 1], &[1, 3], &[1, 1, 1, 1], &[10, 20, 30, 40], &[100, 50, 1]];
    for (seed, weights) in (0..20).flat_map(|seed| weights.map(|weights| (seed, weights))) {
        let members: Vec<Member> =
            weights.iter().zip(seed * 100..).map(|(weight, key)| member(key, *weight)).collect();
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let buckets = Buckets::of(&members);
        for (place, (part, weight)) in
            parts(&buckets, weights.len()).iter().zip(weights).enumerate()
        {
            let due = f64::from(*weight) / total;
            // Four standard deviations of what 1024 buckets leave to chance.
            let bound = 4.0 * (due * (1.0 - due) / BUCKETS as f64).sqrt() + 0.005;
            assert!((part - due).abs() < bound, "{weights:?}, {seed}: {part} instead of {due}");
            assert!((buckets.percent(place) / 100.0 - part).abs() < 0.02);
        }
    }
}

#[test]
fn rarity_is_the_logarithm_and_falls_with_the_number() {
    let mut random = Seeded::new(3);
    let mut numbers: Vec<u64> = (0..64).map(|bit| 1 << bit).chain([0, u64::MAX]).collect();
    numbers.extend((0..64).map(|bit| u64::MAX >> bit));
    numbers.extend((0..10_000).map(|_| random.u64()));
    numbers.sort_unstable();
    let due = |number: u64| 64.0 - (number.max(1) as f64).log2();
    for number in &numbers {
        let is = rarity(*number) as f64 / 2_f64.powi(56);
        assert!((is - due(*number)).abs() < 0.006, "{number}: {is} for {}", due(*number));
    }
    assert!(numbers.is_sorted_by(|one, other| rarity(*one) >= rarity(*other)));
}

#[test]
fn a_member_that_goes_or_comes_moves_its_own_flows_and_no_others() {
    let weights = [2, 1, 3, 1, 5];
    let all: Vec<Member> =
        weights.iter().zip(1..).map(|(weight, key)| member(key, *weight)).collect();
    let before = Buckets::of(&all);
    for gone in 0..all.len() {
        let rest: Vec<usize> = (0..all.len()).filter(|place| *place != gone).collect();
        let left: Vec<Member> = rest.iter().map(|place| all[*place]).collect();
        let after = Buckets::of(&left);
        let mut heirs = BTreeMap::<usize, usize>::new();
        for flow in hashes() {
            let (was, is) = (before.member_of(flow), rest[after.member_of(flow)]);
            match was == gone {
                true => *heirs.entry(is).or_default() += 1,
                false => assert_eq!(was, is, "a flow of another member moved"),
            }
        }
        assert_eq!(heirs.len(), rest.len(), "everybody takes a part over");
    }
    let heavier = [member(1, 3), all[1], all[2], all[3], all[4]];
    let heavier = Buckets::of(&heavier);
    let moved =
        hashes().into_iter().filter(|flow| before.member_of(*flow) != heavier.member_of(*flow));
    assert!(moved.clone().count() > 0);
    assert!(moved.into_iter().all(|flow| heavier.member_of(flow) == 0), "only towards the heavier");
}

#[test]
fn both_ends_choose_alike_in_whatever_order_they_list_their_tunnels() {
    let here = [member(1, 2), member(2, 1), member(3, 1)];
    let there = [here[2], here[0], here[1]];
    let (at_here, at_there) = (Buckets::of(&here), Buckets::of(&there));
    for flow in hashes() {
        assert_eq!(here[at_here.member_of(flow)], there[at_there.member_of(flow)]);
    }
}

#[test]
fn gateways_in_a_row_do_not_choose_by_the_same_buckets() {
    let [first, second] = [[1, 2], [3, 4]].map(|keys| Buckets::of(&keys.map(|key| member(key, 1))));
    let went_left: Vec<FlowHash> =
        hashes().into_iter().filter(|flow| first.member_of(*flow) == 0).collect();
    let left_again = went_left.iter().filter(|flow| second.member_of(**flow) == 0).count();
    let part = left_again as f64 / went_left.len() as f64;
    assert!((0.4..0.6).contains(&part), "{part} of what came by one goes on by one");
}

#[test]
fn more_members_than_there_may_be_get_nothing() {
    let many: Vec<Member> = (0..40).map(|key| member(key, 1)).collect();
    let buckets = Buckets::of(&many);
    assert!(hashes().into_iter().all(|flow| buckets.member_of(flow) < MOST_MEMBERS));
    assert_eq!(buckets.percent(MOST_MEMBERS), 0.0);
    assert_eq!(Buckets::of(&[]).member_of(FlowHash(u64::MAX)), 0);
}

#[test]
fn the_choice_never_changes() {
    // Two versions of vpngw at the ends of the same tunnels must agree.
    let buckets = Buckets::of(&[member(1, 2), member(2, 1), member(3, 4)]);
    let places = flows(24).into_iter().map(|(one, other, by)| {
        let place = buckets.member_of(FlowHash::between(one, other, Some(by)));
        char::from_digit(place as u32, 10).unwrap()
    });
    assert_eq!(places.collect::<String>(), "012221210222200200022000");
}

#[test]
fn who_shares_a_queue_by_one_salt_does_not_by_another() {
    let ends = ["10.1.0.1", "10.2.0.1"].map(|address| address.parse::<IpAddr>().unwrap());
    let queue =
        |salt, port| FlowHash::salted(salt, ends[0], ends[1], Some((17, (port, 53)))).short();
    let shares = |salt| move |port: &u16| queue(salt, *port) == queue(salt, 1);
    let sharing: Vec<u16> = (2..60_000).filter(shares(0)).collect();
    assert!(sharing.len() > 20, "{}", sharing.len());
    for salt in [1, 0x5eed, u64::MAX] {
        let still = sharing.iter().copied().filter(shares(salt)).count();
        assert!(still < 5, "{still} of {}", sharing.len());
    }
}

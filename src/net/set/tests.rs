use super::*;
use proptest::prelude::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn a_set_covers_addresses_and_narrower_prefixes() {
    let set: PrefixSet = [prefix("10.1.0.0/16")].into_iter().collect();
    assert!(set.covers_addr("10.1.9.9".parse().unwrap()));
    assert!(set.covers(&prefix("10.1.3.0/24")));
    assert!(!set.covers(&prefix("10.0.0.0/8")));
    assert!(!set.covers_addr("fd00::1".parse().unwrap()));
}

#[test]
fn neighbours_become_one_span_and_stay_the_prefixes_that_they_are() {
    let set: PrefixSet = (0..64).map(|n| prefix(&format!("10.1.{n}.0/24"))).collect();
    assert_eq!((set.v4.0.len(), set.iter().count()), (1, 64));
    assert!(!set.contains(&prefix("10.1.0.0/18")) && !set.covers(&prefix("10.1.0.0/18")));
}

#[test]
fn the_first_and_the_last_address_are_addresses_like_others() {
    let ends = ["0.0.0.0/32", "255.255.255.255/32", "::/128", "ffff::/16"].map(prefix);
    let set: PrefixSet = ends.into_iter().collect();
    for inside in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff::1"] {
        assert!(set.covers_addr(inside.parse().unwrap()), "{inside}");
    }
    for outside in ["0.0.0.1", "255.255.255.254", "::1", "fffe::"] {
        assert!(!set.covers_addr(outside.parse().unwrap()), "{outside}");
    }
    let all: PrefixSet = [Prefix::all_ipv4(), prefix("10.0.0.0/8")].into_iter().collect();
    assert!(all.covers_addr("255.255.255.255".parse().unwrap()));
    assert!(!all.covers_addr("::".parse().unwrap()));
}

/// Prefixes that often touch, cover and repeat each other.
fn crowded() -> impl Strategy<Value = Prefix> {
    let four = (0..40_u32, 26..=32_u8).prop_map(|(at, len)| (IpAddr::V4(at.into()), len));
    let six = (0..40_u128, 122..=128_u8).prop_map(|(at, len)| (IpAddr::V6(at.into()), len));
    prop_oneof![four, six].prop_map(|(addr, len)| Prefix::containing(addr, len).unwrap())
}

proptest! {
    #[test]
    fn an_address_is_covered_when_one_of_the_prefixes_contains_it(
        prefixes in prop::collection::vec(crowded(), 0..12),
    ) {
        let set: PrefixSet = prefixes.iter().copied().collect();
        for at in 0..110_u32 {
            for addr in [IpAddr::V4(at.into()), IpAddr::V6(u128::from(at).into())] {
                let expected = prefixes.iter().any(|prefix| prefix.contains(addr));
                prop_assert_eq!(set.covers_addr(addr), expected, "{} in {:?}", addr, set);
            }
        }
    }
}

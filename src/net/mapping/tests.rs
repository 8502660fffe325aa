use super::*;
use proptest::prelude::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn mappings(pairs: &[(&str, &str)]) -> Mappings {
    pairs.iter().map(|(one, other)| Mapping::new(prefix(one), prefix(other)).unwrap()).collect()
}

#[test]
fn prefixes_of_two_lengths_or_families_do_not_stand_for_each_other() {
    assert_eq!(Mapping::new(prefix("10.0.0.0/16"), prefix("100.64.0.0/17")), None);
    assert_eq!(Mapping::new(prefix("10.0.0.0/16"), prefix("fd00::/16")), None);
}

#[test]
fn what_is_behind_the_prefix_stays() {
    let maps = mappings(&[("10.0.0.0/16", "100.64.0.0/16"), ("fd00:1::/48", "fd00:a::/48")]);
    let cases = [
        ("10.0.3.4/32", "100.64.3.4/32"),
        ("10.0.3.0/24", "100.64.3.0/24"),
        ("10.0.0.0/16", "100.64.0.0/16"),
        ("fd00:1:0:5::9/128", "fd00:a:0:5::9/128"),
        ("fd00:1:0:500::/56", "fd00:a:0:500::/56"),
    ];
    for (inside, outside) in cases {
        assert_eq!(maps.outward_prefix(&prefix(inside)), prefix(outside));
        assert_eq!(maps.inward_prefix(&prefix(outside)), prefix(inside));
    }
}

#[test]
fn what_no_mapping_covers_is_left_alone() {
    let maps = mappings(&[("10.0.0.0/16", "100.64.0.0/16")]);
    for other in ["10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0", "fd00:1::/48"] {
        assert_eq!(maps.outward_prefix(&prefix(other)), prefix(other));
        assert_eq!(maps.inward_prefix(&prefix(other)), prefix(other));
    }
    assert_eq!(maps.outward("10.1.0.1".parse().unwrap()), "10.1.0.1".parse::<IpAddr>().unwrap());
}

proptest! {
    #[test]
    fn every_address_has_one_counterpart(front in any::<[u128; 2]>(), host in any::<u128>(), len in 0..=128u8) {
        let prefix = |bits: u128| Prefix::containing(IpAddr::V6(bits.into()), len).unwrap();
        let maps: Mappings = Mapping::new(prefix(front[0]), prefix(front[1])).into_iter().collect();
        let kept = u128::MAX.checked_shr(len.into()).unwrap_or(0);
        let inside = IpAddr::V6((host & kept | front[0] & !kept).into());
        let outside = maps.outward(inside);
        prop_assert!(maps.iter().all(|mapping| mapping.outside().contains(outside)));
        prop_assert_eq!(maps.inward(outside), inside);
    }
}

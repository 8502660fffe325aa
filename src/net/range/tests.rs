use super::*;

fn range(first: &str, last: &str) -> AddressRange {
    AddressRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
}

fn prefixes(range: AddressRange) -> Vec<String> {
    range.to_prefixes().iter().map(Prefix::to_string).collect()
}

#[test]
fn a_prefix_becomes_one_range_and_comes_back() {
    for text in ["10.1.0.0/16", "0.0.0.0/0", "::/0", "fd00::/48", "192.0.2.7/32"] {
        let prefix: Prefix = text.parse().unwrap();
        assert_eq!(AddressRange::from(prefix).to_prefixes(), vec![prefix]);
    }
}

#[test]
fn an_unaligned_range_becomes_the_fewest_prefixes() {
    assert_eq!(
        prefixes(range("10.0.0.1", "10.0.0.6")),
        ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/31", "10.0.0.6/32"]
    );
    assert_eq!(prefixes(range("10.0.0.255", "10.0.1.255")), ["10.0.0.255/32", "10.0.1.0/24"]);
}

#[test]
fn intersection_is_what_lies_in_both() {
    let (one, other) = (range("10.0.0.0", "10.0.0.9"), range("10.0.0.5", "10.0.0.20"));
    assert_eq!(one.intersection(&other), Some(range("10.0.0.5", "10.0.0.9")));
    assert_eq!(one.intersection(&range("fd00::", "fd00::1")), None);
    assert_eq!(one.intersection(&range("11.0.0.0", "11.0.0.1")), None);
}

#[test]
fn mixed_families_and_reversed_ends_are_no_range() {
    assert!(AddressRange::new("10.0.0.1".parse().unwrap(), "fd00::".parse().unwrap()).is_none());
    assert!(AddressRange::new("10.0.0.2".parse().unwrap(), "10.0.0.1".parse().unwrap()).is_none());
}

#[test]
fn prefixes_without_a_gap_are_one_range() {
    let joined = |texts: &[&str]| {
        let prefixes = texts.iter().map(|text| text.parse::<Prefix>().unwrap());
        AddressRange::joined(prefixes).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        joined(&["10.0.3.0/24", "fd00::/16", "10.0.1.0/24", "10.0.2.0/24", "10.0.5.0/24"]),
        ["10.0.1.0-10.0.3.255", "10.0.5.0/24", "fd00::/16"]
    );
    assert_eq!(joined(&["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8"]), ["10.0.0.0/7"]);
    assert_eq!(joined(&["::/0", "0.0.0.0/0", "ffff::/16"]), ["0.0.0.0/0", "::/0"]);
    assert_eq!(joined(&["255.0.0.0/8", "::/128"]), ["255.0.0.0/8", "::/128"]);
}

use super::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn map() -> PrefixMap<u8> {
    [("10.0.0.0/8", 8), ("10.1.0.0/16", 16), ("fd00::/16", 6)]
        .into_iter()
        .map(|(text, value)| (prefix(text), value))
        .collect()
}

#[test]
fn the_longest_prefix_wins() {
    let map = map();
    let found =
        |addr: &str| map.longest_match(addr.parse().unwrap()).map(|(p, v)| (p.to_string(), *v));
    assert_eq!(found("10.1.2.3"), Some(("10.1.0.0/16".into(), 16)));
    assert_eq!(found("10.2.2.3"), Some(("10.0.0.0/8".into(), 8)));
    assert_eq!(found("fd00::1"), Some(("fd00::/16".into(), 6)));
    assert_eq!(found("11.0.0.1"), None);
}

#[test]
fn a_removed_prefix_no_longer_matches() {
    let mut map = map();
    assert_eq!(map.remove(&prefix("10.1.0.0/16")), Some(16));
    assert_eq!(map.longest_match("10.1.2.3".parse().unwrap()).map(|(_, v)| *v), Some(8));
    assert_eq!(map.len(), 2);
}

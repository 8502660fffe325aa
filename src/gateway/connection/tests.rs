use super::*;

fn prefixes(count: usize) -> Vec<Prefix> {
    let text = |i: usize| format!("10.{}.{}.0/24", i / 256, i % 256);
    (0..count).map(|i| text(i).parse().unwrap()).collect()
}

#[test]
fn prefixes_stay_apart_as_long_as_a_payload_holds_them() {
    assert_eq!(selectors(&prefixes(255)).len(), 255);
    let range = AddressRange::new([10, 0, 0, 0].into(), [10, 1, 143, 255].into()).unwrap();
    assert_eq!(selectors(&prefixes(400)), [TrafficSelector::any_protocol(range)]);
}

use super::*;

fn asns(numbers: impl IntoIterator<Item = u32>) -> Vec<Asn> {
    numbers.into_iter().map(Asn).collect()
}

#[test]
fn a_set_counts_as_one_in_the_length() {
    let path = AsPath(vec![Segment::Sequence(asns([1, 2])), Segment::Set(asns([3, 4, 5]))]);
    assert_eq!(path.length(), 3);
    assert_eq!(path.to_string(), "1 2 {3 4 5}");
    assert_eq!(path.neighbor(), Some(Asn(1)));
    assert!(path.contains(Asn(5)) && !path.contains(Asn(6)));
}

#[test]
fn prepending_opens_a_segment_when_the_first_is_full_or_a_set() {
    let full = AsPath::sequence(asns(1..=255)).prepended(Asn(9));
    assert_eq!(full.0.len(), 2);
    assert_eq!(full.length(), 256);
    let set = AsPath(vec![Segment::Set(asns([3]))]).prepended(Asn(9));
    assert_eq!(set.to_string(), "9 {3}");
    assert_eq!(AsPath::default().prepended(Asn(9)).to_string(), "9");
}

#[test]
fn well_known_communities_limit_the_announcement() {
    let with = |community: Community| {
        let mut attributes = Attributes::originated(Ipv4Addr::LOCALHOST.into());
        let body = (65001_u32 << 16).to_be_bytes().to_vec();
        attributes.transitive.push(TransitiveAttribute { code: 8, partial: false, body });
        attributes.add_community(community);
        attributes
    };
    assert!(with(Community::Standard(1)).may_be_announced(true));
    assert!(!with(NO_EXPORT).may_be_announced(true));
    assert!(with(NO_EXPORT).may_be_announced(false));
    assert!(!with(NO_ADVERTISE).may_be_announced(false));
}

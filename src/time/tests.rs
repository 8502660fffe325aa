use super::*;

#[test]
fn a_later_timestamp_minus_an_earlier_one_is_the_time_between() {
    let start = Timestamp::from_millis(5);
    let end = start + Duration::from_micros(7);
    assert_eq!(end - start, Duration::from_micros(7));
}

#[test]
fn an_earlier_timestamp_minus_a_later_one_is_zero() {
    assert_eq!(Timestamp::ZERO - Timestamp::from_millis(1), Duration::ZERO);
}

#[test]
fn addition_saturates_instead_of_wrapping() {
    assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
}

#[test]
fn soonest_gives_the_earliest_deadline_with_its_reason() {
    let deadlines =
        [None, Some((Timestamp::from_millis(2), "b")), Some((Timestamp::from_millis(1), "a"))];
    assert_eq!(soonest(deadlines), Some((Timestamp::from_millis(1), "a")));
}

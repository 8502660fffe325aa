use super::*;

#[test]
fn spans_have_two_units_at_most() {
    for (millis, shown) in [
        (0, "0ms"),
        (999, "999ms"),
        (1000, "1s"),
        (59_999, "59s"),
        (60_000, "1m00s"),
        (3_599_999, "59m59s"),
        (3_600_000, "1h00m"),
        (86_399_999, "23h59m"),
        (90_000_000, "1d01h"),
        (u64::MAX, "213503982334d14h"),
    ] {
        assert_eq!(span(millis), shown);
    }
}

#[test]
fn amounts_have_three_digits_at_most() {
    for (number, shown) in [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (12_345_678_900, "12 GB"),
        (u64::MAX, "18 EB"),
    ] {
        assert_eq!(volume(number), shown);
    }
    assert_eq!(rate(1_200_000_000), "1.2 Gbit/s");
}

#[test]
fn round_trips_fit_their_size() {
    assert_eq!(round_trip(250), "250µs");
    assert_eq!(round_trip(1234), "1.2ms");
    assert_eq!(round_trip(123_456), "123ms");
}

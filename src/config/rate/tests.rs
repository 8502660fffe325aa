//! Tests of rates.

use super::*;

#[test]
fn rates_are_numbers_with_a_unit() {
    for (text, bits) in [
        ("20 Mbit/s", 20_000_000),
        ("20Mbit/s", 20_000_000),
        ("1.5 Gbit/s", 1_500_000_000),
        ("64 kbit/s", 64_000),
        ("0.25 Mbit/s", 250_000),
    ] {
        assert_eq!(parse(text), Some(bits), "{text}");
    }
    for text in [
        "",
        "20",
        "Mbit/s",
        "20 mbit/s",
        "20 MB/s",
        "-1 Mbit/s",
        "1. Mbit/s",
        ".5 Gbit/s",
        "1 2 kbit/s",
        "1.2345 kbit/s",
        "99999999999999 Gbit/s",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

//! Rates are differences over time.

use super::*;

#[test]
fn the_rate_is_what_passed_between_two_looks() {
    let mut rates = Rates::default();
    rates.sample(Totals { tx_bytes: 1_000, rx_bytes: 0 }, Timestamp::from_millis(0));
    assert_eq!(rates.tx_bits, 0);
    rates.sample(Totals { tx_bytes: 126_000, rx_bytes: 250 }, Timestamp::from_millis(500));
    assert_eq!((rates.tx_bits, rates.rx_bits), (2_000_000, 4_000));
}

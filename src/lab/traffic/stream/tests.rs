use super::*;

/// A stream of one datagram every millisecond, of which these numbers arrived in this order.
fn delivery(sent: u32, numbers: &[u64]) -> Delivery {
    let start = Instant::now();
    let mut arrivals = Arrivals::default();
    numbers.iter().for_each(|number| arrivals.note(&number.to_be_bytes()).unwrap());
    Delivery { sent: (0..sent).map(|n| start + Duration::from_millis(1) * n).collect(), arrivals }
}

#[test]
fn what_all_arrives_in_order_has_no_gap() {
    let whole = delivery(4, &[0, 1, 2, 3]);
    assert_eq!(whole.to_string(), "0 of 4 lost, longest gap 0 ms, 0 twice, 0 late");
}

#[test]
fn a_gap_lasts_from_the_last_that_arrived_to_the_next_that_does() {
    assert_eq!(delivery(9, &[0, 1, 5, 6, 8]).longest_gap(), Duration::from_millis(4));
    assert_eq!(delivery(9, &[0, 1]).longest_gap(), Duration::from_millis(7));
    assert_eq!(delivery(9, &[0, 1]).lost(), 7);
}

#[test]
fn a_copy_and_what_is_overtaken_are_no_loss() {
    let odd = delivery(4, &[0, 2, 2, 1, 3, 0]);
    assert_eq!((odd.lost(), odd.duplicates(), odd.reordered()), (0, 2, 1));
}

#[test]
fn a_number_that_no_stream_has_makes_no_room_for_itself() {
    assert!(Arrivals::default().note(&u64::MAX.to_be_bytes()).is_err());
}

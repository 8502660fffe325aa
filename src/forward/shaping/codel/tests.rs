//! When packets are dropped, millisecond by millisecond.

use super::*;

/// At which milliseconds a packet is dropped, of one a millisecond that has waited so long by then.
fn dropped(
    codel: &mut Codel,
    times: std::ops::Range<u64>,
    waited: impl Fn(u64) -> u64,
) -> Vec<u64> {
    let is_dropped = |milli: &u64| {
        let sojourn = Duration::from_millis(waited(*milli));
        codel.judge(sojourn, false, TARGET, Timestamp::from_millis(*milli))
    };
    times.filter(is_dropped).collect()
}

#[test]
fn a_burst_that_goes_away_within_the_interval_costs_nothing() {
    let sawtooth = |milli: u64| 90 - milli % 91;
    assert!(dropped(&mut Codel::default(), 0..2000, sawtooth).is_empty());
}

#[test]
fn from_a_queue_that_stands_packets_are_dropped_more_and_more_often() {
    // 100 ms of standing, and then after 100/√1, 100/√2, 100/√3, … ms (RFC 8289 §3.3).
    let expected = [100, 200, 271, 329, 379, 424];
    assert_eq!(dropped(&mut Codel::default(), 0..430, |_| 20), expected);
}

#[test]
fn where_packets_take_long_a_queue_stands_later() {
    let target = Duration::from_millis(378);
    let mut codel = Codel::default();
    let mut judge =
        |milli| codel.judge(Duration::from_secs(1), false, target, Timestamp::from_millis(milli));
    assert!(!judge(0) && !judge(3779) && judge(3780));
}

#[test]
fn the_last_packet_of_a_queue_is_never_dropped() {
    let mut codel = Codel::default();
    let sojourn = Duration::from_secs(1);
    let times = (0..1000).map(Timestamp::from_millis);
    assert!(times.into_iter().all(|now| !codel.judge(sojourn, true, TARGET, now)));
}

#[test]
fn a_queue_that_soon_stands_again_is_dropped_from_as_often_as_before() {
    let mut codel = Codel::default();
    let before = dropped(&mut codel, 0..1000, |_| 20);
    assert!(dropped(&mut codel, 1000..1010, |_| 0).is_empty());
    let after = dropped(&mut codel, 1010..1310, |_| 20);
    assert_eq!(after[0], 1110);
    let [last, first] = [before[before.len() - 1] - before[before.len() - 2], after[1] - after[0]];
    assert!(first <= last + 2, "{before:?} {after:?}");
}

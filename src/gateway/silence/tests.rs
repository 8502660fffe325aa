use super::*;

const NEVER: [u64; 0] = [];

/// Looks four times a second at an SA that sends `sends(look)` packets before each look; the seconds
/// at which there was doubt.
fn doubts(looks: u64, sends: impl Fn(u64) -> u64, hears: impl Fn(u64) -> bool) -> Vec<u64> {
    let (mut silence, mut sent, mut doubts) = (Silence::default(), 0, Vec::new());
    for look in 0..looks {
        sent += sends(look);
        let now = Timestamp::from_millis(250 * look);
        let before = u32::try_from(doubts.len()).expect("few");
        if silence.look(sent, hears(look), before, now) {
            doubts.push(look / 4);
        }
    }
    doubts
}

#[test]
fn traffic_of_which_nothing_comes_back_is_doubted_ever_more_seldom() {
    assert_eq!(doubts(4 * 3600, |_| 3, |_| false), [5, 25, 105, 425, 1706, 3506]);
}

#[test]
fn traffic_in_both_directions_is_never_doubted() {
    assert_eq!(doubts(4 * 3600, |_| 3, |look| look % 16 == 0), NEVER);
    assert_eq!(doubts(4 * 3600, |_| 0, |_| true), NEVER);
    assert_eq!(doubts(4 * 3600, |_| 0, |_| false), NEVER);
}

#[test]
fn the_first_packets_after_a_lull_are_given_time_to_be_answered() {
    // A few packets, then nothing for a minute.
    assert_eq!(doubts(4 * 3600, |look| u64::from(look % 240 < 8), |_| false), NEVER);
}

#[test]
fn a_host_that_asks_once_a_second_is_enough() {
    assert_eq!(doubts(60, |look| u64::from(look % 4 == 0), |_| false), [5]);
}

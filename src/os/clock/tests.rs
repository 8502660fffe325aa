use std::time::{Duration, Instant};

use super::*;

#[test]
fn time_does_not_run_backwards() {
    let clock = Clock::start();
    let earlier = clock.now();
    assert!(clock.now() >= earlier);
}

#[test]
fn an_instant_lies_as_far_ahead_as_its_timestamp() {
    let clock = Clock::start();
    let at = clock.now() + Duration::from_secs(10);
    let ahead = clock.instant(at) - Instant::now();
    assert!(ahead <= Duration::from_secs(10) && ahead > Duration::from_secs(5));
}

#[test]
fn the_end_of_time_is_still_an_instant() {
    assert!(Clock::start().instant(Timestamp::MAX) > Instant::now());
}

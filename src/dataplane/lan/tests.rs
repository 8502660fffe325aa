//! How long a turn is.

use super::*;

#[test]
fn a_turn_ends_by_its_reads_or_by_what_has_to_wait() {
    assert!(goes_on(255, 0) && !goes_on(256, 0));
    // Two super-packets of those that fill queues.
    assert!(goes_on(1, MAX_PACKET) && !goes_on(2, 2 * MAX_PACKET));
    assert!(goes_on(10, 80_000) && !goes_on(100, 80_000));
}

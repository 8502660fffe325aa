//! The ring forgets the oldest.

use super::*;

#[test]
fn the_ring_keeps_the_newest_events() {
    let mut ring = EventRing::default();
    for n in 0..RING_LEN as u64 + 3 {
        ring.push(Timestamp::from_millis(n), format!("event {n}"));
    }
    assert_eq!(ring.iter().count(), RING_LEN);
    assert_eq!(ring.iter().next().map(|event| event.text.as_str()), Some("event 3"));
}

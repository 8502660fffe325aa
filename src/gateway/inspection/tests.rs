//! Rounds and slices.

use super::*;

fn of(tunnels: u32) -> Inspection {
    let mut inspection = Inspection::default();
    for peer in 0..tunnels {
        inspection.add(PeerId(peer));
    }
    inspection
}

#[test]
fn a_round_looks_once_at_every_tunnel_and_takes_a_quarter_of_a_second() {
    for tunnels in [1, 127, 128, 129, 1000] {
        let mut inspection = of(tunnels);
        let mut seen = Vec::new();
        let mut time = Duration::ZERO;
        while inspection.rounds == 0 {
            let (slice, _) = inspection.next_slice();
            assert!(slice.len() <= SLICE);
            seen.extend(slice);
            time += inspection.interval();
        }
        assert_eq!(seen, (0..tunnels).map(PeerId).collect::<Vec<_>>());
        assert!(time.abs_diff(ROUND) < Duration::from_micros(1), "{tunnels}: {time:?}");
    }
}

#[test]
fn every_fourth_round_computes_rates_of_all() {
    let mut inspection = of(300);
    let samples: Vec<bool> = (0..24).map(|_| inspection.next_slice().1).collect();
    let round = |sampled| [sampled; 3];
    let expected = [true, false, false, false, true, false, false, false].map(round).concat();
    assert_eq!(samples, expected);
}

#[test]
fn a_tunnel_that_leaves_ends_no_round_early() {
    let mut inspection = of(300);
    let (slice, _) = inspection.next_slice();
    inspection.tunnels.remove(&slice[127]);
    assert_eq!(inspection.next_slice().0[0], PeerId(128));
}

use super::*;

/// How many of `asked` errors are allowed.
fn taken(allowance: &mut Allowance, asked: u64) -> u64 {
    (0..asked).filter(|_| allowance.take()).count() as u64
}

#[test]
fn a_burst_passes_and_then_a_thousand_a_second() {
    let mut allowance = Allowance::new();
    assert_eq!(taken(&mut allowance, 500), BURST);
    // Turns of a fraction of the interval lose nothing.
    let passed: u64 = (1..=4000)
        .map(|turn| {
            allowance.refill(Timestamp::from_micros(turn * 250));
            taken(&mut allowance, 5)
        })
        .sum();
    assert_eq!(passed, 1000);
}

#[test]
fn silence_saves_up_one_burst_and_no_more() {
    let mut allowance = Allowance::new();
    assert_eq!(taken(&mut allowance, 500), BURST);
    allowance.refill(Timestamp::MAX);
    assert_eq!(taken(&mut allowance, 500), BURST);
    allowance.refill(Timestamp::ZERO);
    assert_eq!(taken(&mut allowance, 1), 0);
}

#[test]
fn a_peer_that_floods_with_echoes_takes_no_place_of_another() {
    let mut gates = EchoGates::default();
    let at = Timestamp::from_millis;
    let passed = (0..1000).filter(|millis| gates.passes(PeerId(3), at(5000 + millis))).count();
    assert!((50..60).contains(&passed), "{passed} in a second");
    for peer in [PeerId(0), PeerId(9999)] {
        assert!(gates.passes(peer, at(6000)) && gates.passes(peer, at(6000)));
    }
    assert!(!gates.passes(PeerId(u32::MAX), at(6000)));
}

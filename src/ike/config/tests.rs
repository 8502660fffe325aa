use super::*;
use crate::random::Seeded;

/// Ten thousand tunnels that come up at once, after a power failure or an upgrade, do not ask for new keys
/// at once an hour later, nor after many hours (RFC 7296 §2.8.1).
#[test]
fn new_keys_of_ten_thousand_sas_that_were_made_at_once_are_spread() {
    const SAS: usize = 10_000;
    let mut random = Seeded::new(5);
    for lifetime in
        [Lifetime::of(Duration::from_secs(3600)), Lifetime::of(Duration::from_secs(4 * 3600))]
    {
        let mut due = vec![Duration::ZERO; SAS];
        for _ in 0..5 {
            for at in &mut due {
                let after = lifetime.some_time_before_soft(&mut random);
                assert!(after <= lifetime.soft && lifetime.soft < lifetime.hard);
                *at += after;
            }
            let mut by_second = BTreeMap::new();
            due.iter().for_each(|at| *by_second.entry(at.as_secs()).or_insert(0_usize) += 1);
            let even = SAS / lifetime.jitter.as_secs() as usize;
            let most = by_second.into_values().max().unwrap();
            assert!(most <= 2 * even + 10, "{most} in one second, {even} would be even");
        }
    }
}

//! Medians and ratios.

use crate::contestant::Contestant;
use crate::load::Measurement;
use std::collections::BTreeMap;

/// Prints the median of every contestant, and how ours compares with it.
pub(crate) fn print(results: &BTreeMap<Contestant, Vec<Measurement>>) {
    let medians: BTreeMap<_, _> = results.iter().map(|(who, runs)| (*who, median(runs))).collect();
    let ours = medians.get(&Contestant::Vpngw);
    println!();
    println!(
        "{:<14} {:>10} {:>10} {:>16} {:>16}",
        "", "", "gateways", "vpngw's speed", "vpngw's CPU"
    );
    println!(
        "{:<14} {:>10} {:>10} {:>16} {:>16}",
        "median", "Mbit/s", "CPU s/GB", "compared", "compared"
    );
    for (who, theirs) in &medians {
        let speed = ours.map(|ours| ours.throughput / theirs.throughput);
        let cost =
            ours.map(|ours| ours.gateways / theirs.gateways).filter(|ratio| ratio.is_finite());
        println!(
            "{:<14} {:>10.0} {:>10.2} {:>16} {:>16}",
            who.name(),
            theirs.throughput,
            theirs.gateways,
            ratio(speed),
            ratio(cost)
        );
    }
    print_parts(&medians);
}

/// What hosts behind VXLAN get of the speed, and what translating prefixes costs.
fn print_parts(medians: &BTreeMap<Contestant, Measurement>) {
    let of = |who: Contestant, what: fn(&Measurement) -> f64| medians.get(&who).map(what);
    let compared = |part, whole, what| Some(of(part, what)? / of(whole, what)?);
    let speed = |run: &Measurement| run.throughput;
    let cost = |run: &Measurement| run.gateways;
    println!();
    if let Some(share) = compared(Contestant::VpngwVxlan, Contestant::Vpngw, speed) {
        println!("behind VXLAN at both ends: {share:.2} x the throughput without (goal 0.70)");
    }
    if let Some(share) = compared(Contestant::VpngwMapped, Contestant::Vpngw, speed) {
        println!("with prefixes translated at both ends: {share:.2} x the throughput without");
    }
    if let Some(share) = compared(Contestant::VpngwMapped, Contestant::Vpngw, cost) {
        println!("and {share:.2} x the gateways' CPU (goal 1.03)");
    }
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2} x"))
}

fn median(runs: &[Measurement]) -> Measurement {
    let middle = |of: fn(&Measurement) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Measurement {
        throughput: middle(|run| run.throughput),
        gateways: middle(|run| run.gateways),
        machine: middle(|run| run.machine),
        retransmits: middle(|run| run.retransmits as f64) as u64,
    }
}

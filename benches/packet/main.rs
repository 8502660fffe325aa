//! What one packet costs on its way through the gateway, without system calls: sealing, opening,
//! deciding, splitting and merging, by size, for trains, for many flows, and where the peer knows our
//! prefixes by others.
//!
//! ```text
//! cargo bench --bench packet                      nanoseconds, the best of many rounds
//! cargo bench --bench packet -- --count           instructions, beside those of the commit before
//! cargo bench --bench packet -- [--count] out     only what has `out` in its name
//! ```
//!
//! Instructions are counted by valgrind, the same to the last one on an idle and on a busy machine;
//! `count` says where they are kept. Valgrind knows no VAES: ciphers take their AES-NI path there.

mod cases;
mod count;
mod gateways;
mod packets;

use anyhow::{Context, Result};
use cases::Case;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the name of a case ends with that translates prefixes.
const TRANSLATED: &str = ", translated";
/// Rounds whose shortest time is told.
const ROUNDS: usize = 4000;

fn main() -> Result<()> {
    // What cargo itself adds tells nothing.
    let mut words: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [flag, name, rounds] = words.as_slice()
        && flag == count::RUN
    {
        return run(name, rounds.parse()?);
    }
    let counts = words.iter().any(|word| word == "--count");
    words.retain(|word| word != "--count");
    let is_wanted =
        |case: &Case| words.is_empty() || words.iter().any(|word| case.name.contains(word));
    let wanted: Vec<Case> = cases::all().into_iter().filter(is_wanted).collect();
    if counts { count::report(&wanted) } else { time(&wanted) }
}

/// Runs one case for valgrind.
fn run(name: &str, rounds: usize) -> Result<()> {
    let case = cases::all().into_iter().find(|case| case.name == name);
    let mut round = (case.with_context(|| format!("no case {name}"))?.prepare)();
    (0..rounds).for_each(|_| {
        round();
    });
    Ok(())
}

/// What a case costs more than the same without translation, where it is one with.
fn surcharge(name: &str, cost: f64, costs: &BTreeMap<&str, f64>) -> String {
    let Some(plain) = name.strip_suffix(TRANSLATED).and_then(|name| costs.get(name)) else {
        return String::new();
    };
    format!("   translation {:+.1} %", (cost / plain - 1.0) * 100.0)
}

/// Runs every case again and again and prints its shortest time for each packet.
fn time(cases: &[Case]) -> Result<()> {
    println!("{:<34} {:>10}", "what", "ns/packet");
    let mut costs = BTreeMap::new();
    for case in cases {
        let mut round = (case.prepare)();
        let best: Duration = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
        let cost = best.as_nanos() as f64 / case.packets as f64;
        println!("{:<34} {cost:>10.1}{}", case.name, surcharge(case.name, cost, &costs));
        costs.insert(case.name, cost);
    }
    Ok(())
}

//! Throughput and CPU cost of a pair of gateways, beside plain routing and whatever other
//! user-space VPN this machine has.
//!
//! ```text
//!   h1 ──lan0─ g1 ─wan0── net ──wan0─ g2 ─lan0── h2
//!  10.71.1.2   └────────── tunnel ─────────┘     10.71.2.2
//!
//!  vpngw-vxlan: h1 ── n1 ══ VXLAN ══ g1 ─── net ─── g2 ══ VXLAN ══ n2 ── h2
//!  vpngw-mapped: h1 knows h2 as 100.71.2.2
//! ```
//!
//! Usage: `cargo bench --bench throughput -- [--rounds N] [--seconds N] [--streams N] [--peers A,B]`,
//! as root, with `iperf3`. Load generators, kernel and gateways share the machine's cores, so a
//! figure in Mbit/s is the inverse of the sum of all costs and only ratios of one run mean
//! something. Rounds are interleaved: every contestant runs once in each, the order turns by one.

mod contestant;
mod load;
mod report;
mod rig;

use anyhow::{Context, Result, bail};
use contestant::Contestant;
use load::Measurement;
use rig::Rig;
use std::collections::BTreeMap;

/// What the command line says.
#[derive(Debug)]
struct Plan {
    rounds: usize,
    seconds: u32,
    streams: u32,
    only: Option<Vec<String>>,
}

fn main() -> Result<()> {
    let Some(plan) = Plan::parse(std::env::args().skip(1))? else { return Ok(()) };
    load::require_iperf3()?;
    let contestants = choose(&plan)?;
    let mut results: BTreeMap<Contestant, Vec<Measurement>> = BTreeMap::new();
    for round in 0..plan.rounds {
        for place in 0..contestants.len() {
            let contestant = contestants[(place + round) % contestants.len()];
            match measure(contestant, &plan) {
                Ok(measurement) => {
                    println!("round {}: {:<14} {measurement}", round + 1, contestant.name());
                    results.entry(contestant).or_default().push(measurement);
                }
                Err(error) => println!("round {}: {:<14} {error:#}", round + 1, contestant.name()),
            }
        }
    }
    report::print(&results);
    Ok(())
}

/// The contestants that are asked for and that this machine has.
fn choose(plan: &Plan) -> Result<Vec<Contestant>> {
    let mut chosen = Vec::new();
    for contestant in Contestant::ALL {
        let name = contestant.name();
        if plan.only.as_ref().is_some_and(|only| !only.iter().any(|wanted| wanted == name)) {
            continue;
        }
        match contestant.version() {
            Ok(version) => {
                println!("{name}: {version}");
                chosen.push(contestant);
            }
            Err(missing) => println!("{name}: left out, {missing}"),
        }
    }
    if chosen.is_empty() {
        bail!("nothing to measure");
    }
    Ok(chosen)
}

fn measure(contestant: Contestant, plan: &Plan) -> Result<Measurement> {
    let rig = Rig::build(contestant.shape())?;
    let gateways =
        contestant.up(&rig).with_context(|| format!("starting {}", contestant.name()))?;
    let receiver = contestant.receiver();
    rig.wait_for_ping(receiver)?;
    load::run(&rig, &gateways, receiver, (plan.seconds, plan.streams))
}

impl Plan {
    /// `None` unless it is `cargo bench` that asks: as a test of `cargo test` this does nothing.
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Plan>> {
        let arguments: Vec<String> = arguments.collect();
        if !arguments.iter().any(|argument| argument == "--bench") {
            return Ok(None);
        }
        let mut arguments = arguments.into_iter();
        let mut plan = Plan { rounds: 3, seconds: 8, streams: 1, only: None };
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {}
                "--rounds" => plan.rounds = value()?.parse()?,
                "--seconds" => plan.seconds = value()?.parse()?,
                "--streams" => plan.streams = value()?.parse()?,
                "--peers" => plan.only = Some(value()?.split(',').map(str::to_owned).collect()),
                other => {
                    bail!("unknown argument {other}; see the top of benches/throughput/main.rs")
                }
            }
        }
        Ok(Some(plan))
    }
}

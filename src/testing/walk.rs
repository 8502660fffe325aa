//! Walks through failures: a deployment that the seed makes, one accident or order after the other, and
//! after each the same question as in a reference model: what should be reachable?
//!
//! ```text
//!   seed ──► Plan ──► Network ◄── Step, Step, Step …
//!              └────► Model   ◄── Step, Step, Step …
//!                       └── should reach, may never reach ──► Watch ◄── packets of all pairs
//! ```
//!
//! A packet that the policy forbids may never arrive, and none may enter a second tunnel (a loop). A
//! pair that should be reachable may be without it for as long as it takes to notice what has happened,
//! and no longer.
//!
//! `cargo test --lib walk::for_long -- --ignored --nocapture` walks for long (`WALK_SEED=1`,
//! `WALK_SEEDS=20` of them, `WALK_STEPS=100` each).

mod model;
mod plan;
mod step;
mod watch;

use super::network::Network;
use crate::random::Random;
use model::Model;
use plan::Plan;
use std::time::Duration;
use step::Step;
use watch::Watch;

/// Until everybody has found everybody.
const BEGINNING: Duration = Duration::from_secs(20);

/// Seconds from one step to the next, beyond the time that it may take to notice one: some are not enough for
/// what was mended to be in use again, and some are.
const RESTS: [u64; 4] = [2, 20, 60, 120];
/// Faults that are told of one step, the first.
const TOLD: usize = 20;

/// Walks so many steps from a seed.
///
/// # Panics
///
/// With the seed, the plan and the steps so far, when something is as it must not be.
fn walk(seed: u64, steps: usize) -> Watch {
    let plan = Plan::of(seed);
    let mut network = Network::start(plan.deployment(), seed);
    network.run(BEGINNING);
    let mut model = Model::new(&plan.deployment().sites);
    let mut watch = Watch::default();
    let mut taken: Vec<String> = Vec::new();
    for _ in 0..steps {
        let step = Step::any(&model, network.random());
        taken.push(format!("{:>10.3} s  {step:?}", network.now.as_micros() as f64 / 1e6));
        step.take(&mut network, &mut model, &plan);
        let rest = RESTS[network.random().below(RESTS.len() as u64) as usize];
        let pause = plan.bound() + Duration::from_secs(rest);
        let faults = watch.look(&mut network, &model, &plan, pause);
        assert!(
            faults.is_empty(),
            "walk {seed}: WALK_SEED={seed} WALK_SEEDS=1 WALK_STEPS={} shows it again\n{plan:?}\n{}\n{}",
            taken.len(),
            taken.join("\n"),
            faults[..faults.len().min(TOLD)].join("\n"),
        );
    }
    watch
}

#[test]
fn a_walk_through_failures_leaves_what_should_be_reachable_reachable() {
    let mut claimed = 0;
    for seed in [3, 4, 5] {
        claimed += walk(seed, 8).claimed;
    }
    assert!(claimed > 10_000, "the model says something about {claimed} packets only");
}

#[test]
fn the_same_seed_is_the_same_walk() {
    let walked = |seed| {
        let watch = walk(seed, 2);
        (watch.claimed, watch.sent, watch.longest)
    };
    assert_eq!(walked(5), walked(5));
}

#[test]
#[ignore = "takes hours if asked to"]
fn for_long() {
    let number = |name: &str, otherwise: u64| {
        let written = std::env::var(name).ok();
        written.map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let first = number("WALK_SEED", 1);
    let steps = usize::try_from(number("WALK_STEPS", 100)).expect("a number of steps");
    for seed in first..first + number("WALK_SEEDS", 20) {
        let Watch { sent, claimed, longest, .. } = walk(seed, steps);
        println!(
            "walk {seed}: {sent} packets, {claimed} of them should arrive, longest gap {longest:?}"
        );
    }
}

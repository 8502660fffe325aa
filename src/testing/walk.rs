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
//! `WALK_SEEDS=20` of them, `WALK_STEPS=100` each). [`directed`] has a fuzzer choose the steps.

mod model;
mod plan;
mod step;
mod watch;

use super::network::Network;
use crate::random::Random;
use model::Model;
use plan::Plan;
use std::time::Duration;
use step::{Draw, Step};
use watch::Watch;

/// Until everybody has found everybody.
const BEGINNING: Duration = Duration::from_secs(20);

/// Seconds from one step to the next, beyond the time that it may take to notice one: some are not enough for
/// what was mended to be in use again, and some are.
const RESTS: [u64; 4] = [2, 20, 60, 120];
/// Faults that are told of one step, the first.
const TOLD: usize = 20;

/// Octets of a step that is written down: what happens, to whom, and to whom else.
const OCTETS: usize = 3;
/// More steps than so many are left out.
const MOST_STEPS: usize = 16;

/// A deployment through which a walk leads.
struct Walk {
    /// How to take it again.
    again: String,
    plan: Plan,
    network: Network,
    model: Model,
    watch: Watch,
    taken: Vec<String>,
}

impl Walk {
    /// Begins at a deployment whose gateways have found each other.
    fn begin(seed: u64, again: String) -> Walk {
        let plan = Plan::of(seed);
        let mut network = Network::start(plan.deployment(), seed);
        network.run(BEGINNING);
        let model = Model::new(&plan.deployment().sites);
        Walk { again, plan, network, model, watch: Watch::default(), taken: Vec::new() }
    }

    /// Takes a step, and looks whether all is as it must be until so many seconds after it has been noticed.
    ///
    /// # Panics
    ///
    /// With the plan and the steps so far, when something is not.
    fn take(&mut self, step: Step, rest: u64) {
        let Walk { again, plan, network, model, watch, taken } = self;
        taken.push(format!("{:>10.3} s  {step:?}", network.now.as_micros() as f64 / 1e6));
        step.take(network, model, plan);
        let faults = watch.look(network, model, plan, plan.bound() + Duration::from_secs(rest));
        assert!(
            faults.is_empty(),
            "{again}\n{plan:?}\n{}\n{}",
            taken.join("\n"),
            faults[..faults.len().min(TOLD)].join("\n"),
        );
    }
}

/// Walks so many steps from a seed.
///
/// # Panics
///
/// With the seed, the plan and the steps so far, when something is as it must not be.
fn walk(seed: u64, steps: usize) -> Watch {
    let again =
        format!("walk {seed}: WALK_SEED={seed} WALK_SEEDS=1 WALK_STEPS={steps} shows it again");
    let mut walk = Walk::begin(seed, again);
    for _ in 0..steps {
        let step = Step::any(&walk.model, walk.network.random());
        let rest = RESTS[walk.network.random().below(RESTS.len() as u64) as usize];
        walk.take(step, rest);
    }
    walk.watch
}

/// A walk that is written down: an octet for the deployment, then three for each step. Steps that are not
/// possible are left out. Returns how many were taken.
///
/// # Panics
///
/// With the plan and the steps so far, when something is as it must not be.
pub(crate) fn directed(bytes: &[u8]) -> usize {
    let Some((seed, steps)) = bytes.split_first() else { return 0 };
    let mut walk = Walk::begin(u64::from(*seed), format!("{bytes:02x?}"));
    for &[what, one, other] in steps.as_chunks::<OCTETS>().0.iter().take(MOST_STEPS) {
        let (what, rest) = (what % Step::KINDS, usize::from(what / Step::KINDS) % RESTS.len());
        let step = Step::of(Draw { what, one: one.into(), other: other.into() }, &walk.model);
        if step.is_possible(&walk.model) {
            walk.take(step, RESTS[rest]);
        }
    }
    walk.taken.len()
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
fn a_walk_that_is_written_down_takes_the_steps_that_are_possible() {
    assert_eq!(directed(&[]), 0);
    // The first gateway dies twice, which it can only once, and starts again.
    let (dies, starts) = (0, 1);
    assert_eq!(directed(&[7, dies, 0, 0, dies, 0, 0, starts, 0, 0, 9]), 2);
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

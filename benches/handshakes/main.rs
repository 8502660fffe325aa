//! What IKE costs a gateway that answers: handshakes in one second of its processor, and memory and
//! processor time of tunnels that are up and idle; beside strongSwan's charon in the same run.
//!
//! ```text
//!   namespace gen                                       namespace gw
//!   one process, initiators by the thousand, each  ───  vpngwd or charon, whose processor
//!   at an address of its own (this IKE, no ESP)         time alone is counted
//! ```
//!
//! Needs root, `ip`, and for charon strongSwan with its kernel-libipsec plugin and `swanctl`. Usage:
//! `cargo bench --bench handshakes -- [--proofs psk,ed25519,certificate] [--count 2000] [--rounds 3]
//! [--tunnels 1000,10000] [--seconds 20] [--probe 30] [--bfd MILLISECONDS] [--only handshakes|idle] [--responders vpngw,charon]`.
//! A handshake is IKE_SA_INIT, IKE_INTERMEDIATE with ML-KEM, IKE_AUTH with one Child SA, and the deletion.
//! Rounds are interleaved; figures are medians. charon has no ML-KEM before strongSwan 6, and its column
//! says so. Idle tunnels are probed by the responder every `--probe` seconds; with `--bfd` both ends show that often
//! by BFD that they are there, too, which charon does not know.

mod generator;
mod papers;
mod paths;
mod plan;
mod report;
mod responder;
mod rig;
mod socket;
mod usage;

use anyhow::{Context, Result};
use generator::Generator;
use papers::{Papers, Proof};
use plan::Plan;
use report::{Idle, Rate};
use responder::{Kind, Responder};
use rig::Rig;
use std::time::{Duration, Instant};
use usage::Usage;

/// Handshakes before the clock starts.
const WARM_UP: usize = 50;
/// Handshakes at once while their rate is measured, and while tunnels come up.
const AT_ONCE: [usize; 2] = [4, 32];
/// Handshakes of one initiator: a vpngw lets one peer establish few more at once, and makes it wait then.
const OF_ONE: usize = 12;
/// After the last tunnel has come up.
const SETTLING: Duration = Duration::from_secs(8);

fn main() -> Result<()> {
    let Some(plan) = Plan::parse(std::env::args().skip(1))? else { return Ok(()) };
    vpngw::os::process::use_all_descriptors()?;
    let rig = Rig::build()?;
    let version = responder::charon_version();
    if plan.handshakes {
        report::print_rates(&rates(&plan, &rig)?, version.as_deref());
    }
    if plan.idle {
        report::print_idle(&idle(&plan, &rig)?, plan.watching, version.as_deref());
    }
    Ok(())
}

fn rates(plan: &Plan, rig: &Rig) -> Result<Vec<Rate>> {
    let mut rates = Vec::new();
    for &proof in &plan.proofs {
        let initiators = (WARM_UP + plan.count).div_ceil(OF_ONE);
        let papers = Papers::make(rig.folder(), proof, u32::try_from(initiators)?)?;
        for _ in 0..plan.rounds {
            for ml_kem in [false, true] {
                for &kind in plan.responders.iter().filter(|kind| kind.speaks(ml_kem)) {
                    eprintln!("{kind}, {proof}{} …", if ml_kem { " with ML-KEM" } else { "" });
                    let per_second = rate(plan, rig, &papers, (kind, ml_kem))?;
                    rates.push(Rate { kind, proof, ml_kem, per_second });
                }
            }
        }
    }
    Ok(rates)
}

/// Handshakes that one second of the responder's processor makes.
fn rate(plan: &Plan, rig: &Rig, papers: &Papers, (kind, ml_kem): (Kind, bool)) -> Result<f64> {
    let responder = Responder::start(rig, papers, kind, ml_kem, plan.watching)?;
    let mut generator = Generator::open(rig, papers, ml_kem, None)?;
    let outcome = measured(plan, &responder, &mut generator);
    responder.stop()?;
    outcome
}

fn measured(plan: &Plan, responder: &Responder, generator: &mut Generator) -> Result<f64> {
    generator.shake_hands(WARM_UP, AT_ONCE[0])?;
    let before = Usage::of(responder.pid())?;
    generator.shake_hands(plan.count, AT_ONCE[0])?;
    let spent = Usage::of(responder.pid())?.processor - before.processor;
    Ok(plan.count as f64 / spent.as_secs_f64())
}

fn idle(plan: &Plan, rig: &Rig) -> Result<Vec<Idle>> {
    let mut all = Vec::new();
    for &tunnels in &plan.tunnels {
        let papers = Papers::make(rig.folder(), Proof::Psk, tunnels)?;
        for &kind in &plan.responders {
            eprintln!("{kind}, {tunnels} tunnels …");
            all.push(
                watched(plan, rig, &papers, kind)
                    .with_context(|| format!("{tunnels} of {kind}"))?,
            );
        }
    }
    Ok(all)
}

/// What a responder costs with all tunnels up and nothing in them.
fn watched(plan: &Plan, rig: &Rig, papers: &Papers, kind: Kind) -> Result<Idle> {
    let responder = Responder::start(rig, papers, kind, false, plan.watching)?;
    let mut generator = Generator::open(rig, papers, false, plan.watching.bfd)?;
    let begin = Instant::now();
    let up = generator.bring_all_up(AT_ONCE[1]);
    let took = begin.elapsed();
    let outcome = up.and_then(|()| {
        generator.serve(SETTLING)?;
        let before = Usage::of(responder.pid())?;
        generator.serve(plan.seconds)?;
        let after = Usage::of(responder.pid())?;
        let share = (after.processor - before.processor).as_secs_f64() / plan.seconds.as_secs_f64();
        let tunnels = papers.peers();
        // A tunnel whose path is down at one end does not stand.
        let standing = generator.watched().unwrap_or(usize::MAX).min(generator.standing());
        Ok(Idle { kind, tunnels, standing, took, resident: after.resident, share })
    });
    responder.stop()?;
    outcome
}

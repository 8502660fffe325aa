//! Two endpoints through every schedule: of delivering, losing, copying, reordering, of deadlines
//! that pass, of wishes and restarts.
//!
//! ```text
//!   scenario ──► search ──► world ──► node ──► Endpoint
//!                  │          │         └ owner: the Child SAs as its data plane has them
//!                  │          └ what is under way, what the adversary may still do
//!                  ├ rules: what holds at every moment, and when all has settled
//!                  ├ corners: what the schedules came by
//!                  └ ladder: a schedule that broke a rule, for people
//! ```
//!
//! A breadth-first search, so a counterexample is the shortest there is. From every world the
//! adversary may go: then everything must come in order.

mod corners;
mod faults;
mod ladder;
mod message;
mod node;
mod owner;
mod rules;
mod scenario;
mod scenarios;
mod search;
mod state;
mod world;

use scenario::Scenario;
use scenarios::{ALL, Make};
use search::{Report, explore};

/// States of one scenario in an ordinary run.
const STATES: usize = 30_000;

/// Explores; prints what was seen, or the schedule that breaks a rule.
fn report(scenario: &Scenario) -> Report {
    match explore(scenario) {
        Ok(report) => {
            println!("{report}");
            report
        }
        Err(ladder) => panic!("{ladder}"),
    }
}

/// The first so many states keep all rules, and all corners are among them.
fn passes(make: Make) {
    let scenario = Scenario { limit: STATES, ..make(1) };
    let report = report(&scenario);
    assert!(report.exhausted || report.states >= STATES, "only {} states", report.states);
    let missed = scenario.corners.iter().find(|corner| !report.corners.contains(corner));
    assert_eq!(missed, None, "no schedule of {} came by", report.name);
}

#[test]
fn child_rekeys_that_cross_end_in_one_child_sa() {
    passes(scenarios::child_rekeys);
}

/// What strongSwan did with the loser was a use after free (CVE-2026-78133).
#[test]
fn cve_2026_78133_ike_rekeys_that_cross_end_in_one_ike_sa() {
    passes(scenarios::ike_rekeys);
}

#[test]
fn an_ike_rekey_and_a_child_rekey_that_cross_lose_no_packet() {
    passes(scenarios::ike_and_child_rekey);
}

#[test]
fn rekeys_of_everything_by_both_at_once_lose_no_packet() {
    passes(scenarios::all_rekeys);
}

#[test]
fn rekeys_and_a_delete_that_cross_leave_what_is_wanted() {
    passes(scenarios::rekeys_and_delete);
    passes(scenarios::down_and_up);
    passes(scenarios::deletes);
}

#[test]
fn signs_of_life_amid_rekeys_kill_nobody() {
    passes(scenarios::rekeys_and_liveness);
}

#[test]
fn work_that_takes_its_time_changes_nothing() {
    passes(scenarios::slow_child_rekeys);
    passes(scenarios::slow_ike_rekeys);
    passes(scenarios::slow_rekeys_and_delete);
    passes(scenarios::slow_handshakes);
}

#[test]
fn handshakes_that_cross_end_in_one_tunnel() {
    passes(scenarios::handshakes);
}

#[test]
fn an_end_that_restarts_at_any_moment_comes_back() {
    passes(scenarios::restart_amid_handshake);
    passes(scenarios::restart_amid_rekey);
}

#[test]
fn every_slot_has_one_child_sa_whoever_asks_for_it() {
    passes(scenarios::slots);
    passes(scenarios::slots_change);
}

#[test]
fn fragments_come_together_in_any_order() {
    passes(scenarios::fragments);
}

#[test]
fn ike_intermediate_comes_to_one_tunnel_by_any_schedule() {
    passes(scenarios::intermediate);
    passes(scenarios::intermediate_fragments);
    passes(scenarios::hybrid_handshakes);
}

#[test]
fn ike_followup_ke_amid_rekeys_deletes_and_loss_loses_no_packet() {
    passes(scenarios::hybrid_child_rekeys);
    passes(scenarios::hybrid_ike_rekeys);
    passes(scenarios::hybrid_ike_and_child_rekey);
    passes(scenarios::hybrid_rekeys_and_delete);
    passes(scenarios::hybrid_slots_change);
    passes(scenarios::hybrid_restart_amid_rekey);
}

#[test]
fn a_stranger_gets_no_sa_by_any_schedule() {
    passes(scenarios::strangers);
}

#[test]
fn moves_amid_rekeys_lose_no_packet_and_lead_nobody_astray() {
    passes(scenarios::moves);
    passes(scenarios::stolen_moves);
}

#[test]
fn a_ppk_is_in_the_keys_of_both_ends_by_any_schedule() {
    passes(scenarios::mixed);
}

#[test]
fn a_token_ends_what_is_lost_and_nothing_else() {
    passes(scenarios::tokens);
    passes(scenarios::pretence);
}

/// strongSwan answered CREATE_CHILD_SA before IKE_AUTH (CVE-2026-78135).
#[test]
fn cve_2026_78135_no_child_sa_comes_up_before_the_peer_has_proved_who_it_is() {
    passes(scenarios::presumption);
}

/// For a night: all schedules first, then those of an adversary that may do more, with nonces in
/// another order; as many states as `EXPLORE_STATES` says (ten million unless it says otherwise).
/// `EXPLORE` picks scenarios by a part of their name; `EXPLORE_EXACT` makes distances in time count.
#[test]
#[ignore = "takes minutes"]
fn for_long() {
    let of = |name: &str| std::env::var(name).ok();
    let states = of("EXPLORE_STATES").map_or(10_000_000, |text| text.parse().unwrap());
    let (part, exact) = (of("EXPLORE").unwrap_or_default(), of("EXPLORE_EXACT").is_some());
    let wanted = |make: &&Make| make(1).name.contains(&part);
    let wanted: Vec<&Make> = ALL.iter().filter(wanted).collect();
    let (mut seen, mut rest) = (0, 2 * wanted.len());
    for seed in [1, 2] {
        for make in &wanted {
            let scenario = Scenario { exact, limit: (states - seen) / rest, ..make(seed) };
            let budget = if seed == 1 { scenario.budget } else { scenario.budget.wider() };
            seen = states.min(seen + report(&Scenario { budget, ..scenario }).states);
            rest -= 1;
        }
    }
    println!("{seen} states");
}

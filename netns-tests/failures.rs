//! Every way to lose a gateway, with the interruption that the hosts see; and what is no loss.
//!
//! ```text
//!   east-host-{a,b} ── east-{a,b} ──┐            ┌── north-{a,b} ── north-host-{a,b}
//!                       ▲ fails     ├─ underlay ─┤
//!                                   └────────────┴── south-{a,b} ── south-host-{a,b}
//! ```

use std::thread::sleep;
use std::time::Duration;

use vpngw::lab::traffic::Report;
use vpngw::lab::{FaultKind, Lab, reference};

use crate::support::adversity::{Burners, drop_in_underlay, let_pass};
use crate::support::region::{Path4or6, Regions};

/// What BFD at 50 ms by 3 promises, and what a machine with two busy cores adds to it.
const TARGET: Duration = Duration::from_millis(600);
const INTERVAL: Duration = Duration::from_millis(20);
/// How long a failure is watched, and its repair.
const WATCH: Duration = Duration::from_secs(3);
/// The gateways that both zones of a region use by default. They take turns: one that has failed
/// is left alone for a while.
const VICTIMS: [&str; 3] = ["east-a", "north-a", "south-a"];

/// Gateways that are in use fail; all paths from and to their region are probed in both families.
#[test]
fn every_kind_of_failure_interrupts_traffic_only_briefly() {
    let mut regions = Regions::up();
    let mut late = Vec::new();
    println!("failure       of       longest gap  median gap   at repair  (ms)");
    for (kind, victim) in FaultKind::ALL.into_iter().zip(VICTIMS.into_iter().cycle()) {
        let (worst, median) = suffer(&mut regions, kind, victim);
        let repair = recover(&mut regions, kind, victim);
        let [w, m, r] = [worst, median, repair].map(|gap| gap.as_millis());
        println!("  {:<11} {victim:<8} {w:>11} {m:>11} {r:>11}", kind.name());
        if worst > TARGET || repair > TARGET {
            late.push(kind);
        }
        regions.settles();
    }
    assert!(late.is_empty(), "longer than {TARGET:?}: {late:?}");
}

fn suffer(regions: &mut Regions, kind: FaultKind, victim: &str) -> (Duration, Duration) {
    let paths = paths_of(regions, kind, victim);
    let reports = regions.probing(&paths, INTERVAL, |lab| {
        sleep(Duration::from_millis(500));
        lab.fail(kind, victim).unwrap();
        sleep(WATCH);
    });
    let mut gaps: Vec<Duration> = reports.iter().map(Report::longest_gap).collect();
    gaps.sort_unstable();
    (gaps[gaps.len() - 1], gaps[gaps.len() / 2])
}

fn recover(regions: &mut Regions, kind: FaultKind, victim: &str) -> Duration {
    let paths = paths_of(regions, kind, victim);
    let reports = regions.probing(&paths, INTERVAL, |lab| {
        lab.heal(None).unwrap();
        sleep(WATCH);
    });
    longest(&reports)
}

fn longest(reports: &[Report]) -> Duration {
    reports.iter().map(Report::longest_gap).max().unwrap()
}

/// A host that is gone with its zone is not probed.
fn paths_of(regions: &Regions, kind: FaultKind, victim: &str) -> Vec<Path4or6> {
    let gone = match kind {
        FaultKind::Zone => reference::in_zone(victim).map(|(_, host)| host),
        _ => None,
    };
    let region = victim.trim_end_matches("-a");
    let all = regions.paths(gone.as_slice());
    let is_of_it = |path: &Path4or6| path.from.starts_with(region) || path.to.starts_with(region);
    all.into_iter().filter(is_of_it).collect()
}

/// A cable that comes and goes takes its traffic along once; and packets that are lost, and a
/// machine that has no time, are no lost path.
#[test]
fn what_comes_and_goes_is_left_alone_and_what_is_only_slow_is_kept() {
    let mut regions = Regions::up();
    let before = regions.losses();
    let lossy = watch(&mut regions, |lab| {
        drop_in_underlay(lab, &["numgen random mod 100 < 20"]);
        sleep(Duration::from_secs(10));
        let_pass(lab);
    });
    assert_eq!(regions.losses(), before, "with a fifth of all packets lost");
    println!("20 % loss: no path left, {lossy}");

    let busy = watch(&mut regions, |_| {
        let _busy = Burners::begin();
        sleep(Duration::from_secs(10));
    });
    assert_eq!(regions.losses(), before, "with all cores busy");
    println!("all cores busy: no path left, {busy}");

    let paths = paths_of(&regions, FaultKind::WanDown, "east-a");
    let flap = |lab: &mut Lab, kept: Duration| {
        lab.fail(FaultKind::WanDown, "east-a").unwrap();
        sleep(kept);
        lab.heal(Some("east-a")).unwrap();
    };
    for _ in 0..3 {
        flap(&mut regions.lab, Duration::from_millis(300));
        sleep(Duration::from_millis(1500));
    }
    let reports = regions.probing(&paths, INTERVAL, |lab| {
        sleep(Duration::from_millis(200));
        flap(lab, Duration::from_millis(600));
        sleep(Duration::from_millis(500));
    });
    let gap = longest(&reports);
    println!("the fourth time that a link flaps: longest gap {} ms", gap.as_millis());
    assert!(gap < Duration::from_millis(150), "{gap:?}: nothing was to go that way any more");
    regions.settles();
}

/// Probes while something goes on that is no failure; says what the worst path saw.
fn watch(regions: &mut Regions, act: impl FnOnce(&mut Lab)) -> String {
    let paths = paths_of(regions, FaultKind::Kill, "east-a");
    let reports = regions.probing(&paths, INTERVAL, act);
    let lost: usize = reports.iter().map(Report::lost).sum();
    let sent: usize = reports.iter().map(Report::sent).sum();
    format!("{lost} of {sent} probes lost, longest gap {} ms", longest(&reports).as_millis())
}

/// With its zone's gateway dead for good, East lives on with the other one, and a transfer that
/// was under way when it died arrives whole.
#[test]
fn a_transfer_survives_the_death_of_its_gateway() {
    let regions = Regions::up();
    let (from, to) = (regions.lab.namespace("north-host-a"), regions.lab.namespace("east-host-a"));
    let address = regions.addresses("east-host-a")[0];
    let mut regions = regions;
    let transfer =
        std::thread::spawn(move || vpngw::lab::traffic::transfer(&from, &to, address, 400 << 20));
    sleep(Duration::from_millis(500));
    regions.lab.fail(FaultKind::Kill, "east-a").unwrap();
    let done = transfer.join().unwrap().unwrap();
    assert!(done.is_intact);
    println!("{} MiB intact in {:.1?} across the failover", done.bytes >> 20, done.took);
}

//! Figures for people.

use crate::papers::Proof;
use crate::plan::Watching;
use crate::responder::Kind;
use std::time::Duration;

/// Handshakes in one second of a responder's processor, measured once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub kind: Kind,
    pub proof: Proof,
    pub ml_kem: bool,
    pub per_second: f64,
}

/// A responder with tunnels that carry nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub kind: Kind,
    pub tunnels: u32,
    /// Tunnels that stood when it was over.
    pub standing: usize,
    /// Until all were up.
    pub took: Duration,
    /// Octets.
    pub resident: u64,
    /// Of one processor.
    pub share: f64,
}

/// One row for each way to prove identities, with and without ML-KEM.
pub(crate) fn print_rates(rates: &[Rate], charon: Option<&str>) {
    println!(
        "handshakes per CPU second of the responder, medians; charon: {}",
        charon.unwrap_or("none")
    );
    println!("{:<28} {:>10} {:>10} {:>8}", "", "vpngw", "charon", "ratio");
    for proof in [Proof::Psk, Proof::Ed25519, Proof::Certificate] {
        for ml_kem in [false, true] {
            let of = |kind: Kind| {
                let fits = |one: &&Rate| (one.kind, one.proof, one.ml_kem) == (kind, proof, ml_kem);
                median(rates.iter().filter(fits).map(|one| one.per_second).collect())
            };
            let figures = [of(Kind::Vpngw), of(Kind::Charon)];
            if figures == [None, None] {
                continue;
            }
            let label = format!("{proof}{}", if ml_kem { " with ML-KEM-768" } else { "" });
            let absent = if ml_kem { "has none" } else { "-" };
            let shown = |figure: Option<f64>, absent: &str| {
                figure.map_or_else(|| absent.to_owned(), |figure| format!("{figure:.0}"))
            };
            let [ours, theirs] = figures;
            let ratio = ours.zip(theirs).map(|(ours, theirs)| format!("{:.1}", ours / theirs));
            let (ours, theirs) = (shown(ours, "-"), shown(theirs, absent));
            println!("{label:<28} {ours:>10} {theirs:>10} {:>8}", ratio.unwrap_or_default());
        }
    }
}

/// One row for each responder and number of tunnels.
pub(crate) fn print_idle(all: &[Idle], watching: Watching, charon: Option<&str>) {
    let (every, charon) = (watching.probe.as_secs(), charon.unwrap_or("none"));
    let bfd = watching.bfd.map(|every| format!(", BFD every {} ms", every.as_millis()));
    let bfd = bfd.unwrap_or_default();
    println!("tunnels up and idle, probed every {every} s{bfd}; charon: {charon}");
    println!(
        "{:<10} {:>8} {:>9} {:>10} {:>10} {:>12} {:>9}",
        "", "tunnels", "standing", "up in s", "RSS MB", "KB a tunnel", "CPU %"
    );
    for Idle { kind, tunnels, standing, took, resident, share } in all {
        let (megabytes, each) =
            (*resident as f64 / 1e6, *resident as f64 / 1e3 / f64::from(*tunnels));
        println!(
            "{:<10} {tunnels:>8} {standing:>9} {:>10.1} {megabytes:>10.1} {each:>12.1} {:>9.2}",
            kind.to_string(),
            took.as_secs_f64(),
            share * 100.0
        );
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

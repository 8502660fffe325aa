//! What very many routes cost the control plane: two peers announce the same prefixes, the pure gateway
//! learns them, loses a tunnel, and is told that they are gone; on one core, without a network.
//!
//! ```text
//!           ┌─ IKE in memory ─ f0     behind each, a speaker that announces everything
//!    here ──┤
//!           └─ IKE in memory ─ f1     only the work of `here` is counted
//! ```
//!
//! Usage: `cargo bench --bench routes -- [PREFIXES …]` (1 1000 100000). Times are CPU time of the thread;
//! `turn` is the longest stretch in which the gateway heard nobody else. The heap is that of the gateway
//! alone, with its routes' place in the snapshot and among the wishes for the host.
#![expect(unsafe_code, reason = "an allocator that counts")]

mod far;
mod heap;
mod here;
mod texts;

use anyhow::{Context, Result};
use far::Far;
use heap::Counting;
use here::Here;
use std::time::Duration;
use vpngw::os::memory::Wiping;

#[global_allocator]
static HEAP: Counting = Counting(Wiping::new());

const COUNTS: [usize; 3] = [1, 1_000, 100_000];

/// CPU time of all that followed from something, and of its longest turn.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    total: Duration,
    turn: Duration,
}

impl Cost {
    fn add(&mut self, turn: Duration) {
        self.total += turn;
        self.turn = self.turn.max(turn);
    }
}

fn main() -> Result<()> {
    let given = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let given: Vec<usize> = given.map(|word| word.parse().context(word)).collect::<Result<_>>()?;
    let counts = if given.is_empty() { COUNTS.to_vec() } else { given };
    println!(
        "{:>9} {:>19} {:>19} {:>19} {:>10} {:>19} {:>12} {:>9}",
        "prefixes",
        "learn, turn",
        "again, turn",
        "tunnel lost, turn",
        "flip",
        "withdrawn, turn",
        "bytes a path",
        "peak"
    );
    counts.into_iter().try_for_each(measure)
}

/// One line.
fn measure(count: usize) -> Result<()> {
    let mut here = Here::start()?;
    let mut far = [Far::start(0)?, Far::start(1)?];
    for one in &mut far {
        here.connect(one)?;
        one.prepare(count);
    }
    let before = heap::in_use();
    heap::take_peak();
    let learned = here.hear(&far[0], &far[0].announced);
    let again = here.hear(&far[1], &far[1].announced);
    anyhow::ensure!(here.prefixes() == count, "{} prefixes were learned", here.prefixes());
    let a_path = |bytes: usize| bytes.saturating_sub(before) as f64 / (texts::PEERS * count) as f64;
    let (taken, peak) = (a_path(heap::in_use()), a_path(heap::take_peak()));
    let (lost, flip) = here.lose(&mut far[0])?;
    let withdrawn = here.hear(&far[1], &far[1].withdrawn);
    anyhow::ensure!(here.prefixes() == 0, "{} prefixes are left", here.prefixes());
    let show = |cost: Cost| format!("{:.1?}, {:.1?}", cost.total, cost.turn);
    println!(
        "{count:>9} {:>19} {:>19} {:>19} {:>10} {:>19} {taken:>12.0} {peak:>9.0}",
        show(learned),
        show(again),
        show(lost),
        format!("{flip:.1?}"),
        show(withdrawn)
    );
    Ok(())
}

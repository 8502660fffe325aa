//! What an event and a view cost the control plane, by the number of tunnels: the pure gateway
//! on one core, without a network.
//!
//! ```text
//!   spoke 0 ─┐
//!   spoke 1 ─┼─ datagrams, handed over in memory ─ hub      only the hub's work is counted
//!     …     ─┘
//! ```
//!
//! Usage: `cargo bench --bench control -- [--sizes 10,100,1000,10000] [--limit SECONDS]
//! [--remote any,fixed] [--json]`. A cell that takes longer than the limit shows `> limit`, and
//! what would have followed at this size is left out. Figures are CPU time of the thread, so a
//! busy machine disturbs them little; a cell is the median of its repetitions.

mod cells;
mod hub;
mod plan;
mod report;
mod stopwatch;
mod texts;

use anyhow::Result;
use plan::Plan;
use vpngw::os::memory::Wiping;

/// As in the daemon.
#[global_allocator]
static HEAP: Wiping = Wiping::new();

fn main() -> Result<()> {
    let Some(plan) = Plan::parse(std::env::args().skip(1))? else { return Ok(()) };
    let mut columns = Vec::new();
    for &remote in &plan.remotes {
        for &size in &plan.sizes {
            eprintln!("{size} tunnels, remote_address = {remote} …");
            columns.push(cells::measure(size, remote, plan.limit)?);
        }
    }
    if plan.json {
        report::print_json(&columns)
    } else {
        report::print_table(&columns, plan.limit)
    }
    Ok(())
}

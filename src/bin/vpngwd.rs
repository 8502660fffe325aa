//! The gateway daemon.

use clap::Parser;
use std::process::ExitCode;
use vpngw::daemon::{Args, run};
use vpngw::os::memory::Wiping;

/// Keys are wiped with the memory that held them.
#[global_allocator]
static HEAP: Wiping = Wiping::new();

fn main() -> ExitCode {
    run(&Args::parse())
}

//! The gateway daemon.

use clap::Parser;
use std::process::ExitCode;
use vpngw::daemon::{Args, run};

fn main() -> ExitCode {
    run(&Args::parse())
}

//! `vpnctl`; what it does stands in [`vpngw::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    vpngw::cli::run(std::env::args_os())
}

//! `vpnctl`; what it does stands in [`vpngw::cli`].

use std::process::ExitCode;
use vpngw::os::memory::Wiping;

/// `vpnctl pubkey` holds private keys.
#[global_allocator]
static HEAP: Wiping = Wiping::new();

fn main() -> ExitCode {
    vpngw::cli::run(std::env::args_os())
}

//! The shell around the gateway: it moves values between the pure [`Gateway`](crate::gateway)
//! and Linux, and decides nothing about tunnels.
//!
//! ```text
//!   UDP 500 ─┐                              ┌─► UDP 500, data plane (UDP 4500)
//!   data plane (IKE on UDP 4500) ─┐         ├─► data plane: snapshots
//!   TCP 179 inside tunnels ───────┤ Gateway ├─► netlink: addresses, routes, guards
//!   VRRP, link states ────────────┤         ├─► TCP 179 inside tunnels
//!   control socket, signals, clock┘         └─► VRRP, virtual addresses
//! ```
//!
//! One input, then all outputs, then waiting for the next input, on one thread. What a crash has
//! left behind is removed at the next start; a start that fails leaves nothing behind.

mod args;
mod bgp;
mod claims;
mod control;
mod crash_secret;
mod ending;
mod event_loop;
mod exit;
mod files;
mod guard;
mod jobs;
mod lan;
mod listening;
mod logging;
mod names;
mod namespaces;
mod notify;
mod papers;
mod path_errors;
mod reload;
mod serving;
mod standing;
mod start;
mod streams;
mod underlay;
mod unsent;
mod web;
mod world;

pub use args::{Args, LogFormat};
pub use exit::{Cause, Failure};

use crate::os::{memory, process};
use clap::CommandFactory;
use exit::{OrFail, Outcome};
use std::process::ExitCode;

/// The command line of `vpngwd`.
pub fn command() -> clap::Command {
    Args::command()
}

/// Runs the daemon until it ends, and says how.
pub fn run(args: &Args) -> ExitCode {
    abort_on_panic();
    match try_run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("vpngwd: {failure}");
            failure.into()
        }
    }
}

/// Ends the whole process when any thread panics, after the message: a gateway that lost a worker
/// must die where its peers and systemd see it, not live on by halves.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort()
    }));
}

fn try_run(args: &Args) -> Outcome<()> {
    if args.check {
        let config = files::load_or_fail(&args.config)?;
        let (vpcs, peers) = (config.vpcs.len(), config.peers.len());
        println!("{}: ok, {vpcs} VPC(s), {peers} peer(s)", args.config.display());
        return Ok(());
    }
    logging::start(&args.log, args.log_format)?;
    process::use_all_descriptors().or_fail(Cause::Runtime)?;
    if let Err(error) = memory::keep_private() {
        tracing::warn!(
            error = format!("{error:#}"),
            "secrets are less protected than they could be"
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_fail(Cause::Runtime)?.block_on(async {
        if args.guard {
            return guard::guard(&args.config).await;
        }
        let daemon = start::start(args).await?;
        daemon.run().await
    })
}

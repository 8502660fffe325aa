//! `vpnctl`: looks at running gateways, steers them, makes keys, checks configurations and runs
//! the lab. Everything it knows of a gateway comes through the control socket.

mod args;
mod check;
mod client;
mod gateways;
mod keys;
mod lab;
mod look;
mod manual;
mod sheet;
mod show;
mod steer;
mod units;
mod view;

use anyhow::Result;
use args::{Args, Command};
use clap::Parser;
use look::Look;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `vpnctl` with these arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = Args::parse_from(arguments);
    let look = Look::of_stdout(args.common.color, args.common.json);
    match dispatch(&args, look) {
        Ok(code) => code,
        Err(error) if look::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            look::complain(&error, args.common.color);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &Args, look: Look) -> Result<ExitCode> {
    let common = &args.common;
    match &args.command {
        Command::Peers { name, watch } => view::peers(common, name.as_deref(), watch, look),
        Command::Routes { watch } => view::routes(common, watch, look),
        Command::Sas { watch } => view::sas(common, watch, look),
        Command::Vrrp { watch } => view::vrrp(common, watch, look),
        Command::Stats { watch } => view::stats(common, watch, look),
        Command::Metrics => view::metrics(common, look),
        Command::Reload => steer::reload(common, look),
        Command::Rekey { peer, ike } => steer::rekey(common, peer, *ike, look),
        Command::Initiate { peer } => steer::initiate(common, peer, look),
        Command::Terminate { peer } => steer::terminate(common, peer, look),
        Command::Keygen { psk, output } => keys::generate(*psk, output.as_deref(), look),
        Command::Pubkey { file } => keys::show_public(file, look),
        Command::Check { files } => check::check(files, look),
        Command::Lab { command } => lab::run(command, look),
        Command::Completions { shell } => manual::completions(*shell, look),
        Command::Manual { folder } => manual::pages(folder),
    }
}

#[cfg(test)]
mod tests;

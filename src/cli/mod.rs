//! `vpnctl`: looks at running gateways, steers them, makes keys, checks configurations and runs
//! the lab. Everything it knows of a gateway comes through the control socket.

mod args;
mod ca;
mod capture;
mod check;
mod client;
mod complete;
mod denied;
mod doctor;
mod events;
mod exit;
mod gateways;
mod init;
mod keys;
mod lab;
mod look;
mod manual;
mod names;
mod objects;
mod peer;
mod ping;
mod sheet;
mod show;
mod steer;
mod top;
mod units;
mod view;

use crate::control::{PeersView, Request, SaKind};
use anyhow::Result;
use args::{Args, Command, Watch};
use clap::{CommandFactory, Parser};
use exit::Ending;
use look::Look;
use std::ffi::OsString;
use std::process::ExitCode;

/// The command line of `vpnctl`.
pub fn command() -> clap::Command {
    Args::command()
}

/// Runs `vpnctl` with these arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(code) = complete::answer(&arguments) {
        return code;
    }
    let args = Args::parse_from(arguments);
    let look = Look::of_stdout(&args.common);
    match dispatch(&args, look) {
        Ok(code) => code,
        Err(error) if look::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            look::complain(&error, args.common.color, look.json);
            Ending::of(&error).into()
        }
    }
}

fn dispatch(args: &Args, look: Look) -> Result<ExitCode> {
    let common = &args.common;
    match &args.command {
        Command::Peers { name: None, choice, watch } => {
            let chosen = |view: &PeersView, look| show::peers(view, choice, look);
            view::judge(common, &Request::Peers, chosen, show::are_well, watch, look)
        }
        Command::Peers { name: Some(name), watch, .. } => {
            let request = Request::Peer(name.clone());
            view::judge(common, &request, show::peer, show::is_well, watch, look)
        }
        Command::Why { address, from, flow } => {
            let request = Request::Why { to: *address, from: *from, ports: flow.ports() };
            view::judge(common, &request, show::why, show::arrives, &Watch::default(), look)
        }
        Command::Events { peer, warnings, follow } => {
            let wanted = events::Wanted { peer: peer.as_deref(), warnings: *warnings };
            events::show(common, wanted, *follow, look)
        }
        Command::Routes { watch } => {
            view::repeat(common, &Request::Routes, show::routes, watch, look)
        }
        Command::Sas { watch } => view::repeat(common, &Request::Sas, show::sas, watch, look),
        Command::Vrrp { watch } => view::repeat(common, &Request::Vrrp, show::vrrp, watch, look),
        Command::Top => top::top(common, look),
        Command::Vpcs { watch } => {
            view::judge(common, &Request::Vpcs, show::vpcs, show::are_served, watch, look)
        }
        Command::Nat { watch } => {
            view::judge(common, &Request::Nat, show::nat, show::is_translated, watch, look)
        }
        Command::Stats { watch } => view::repeat(common, &Request::Stats, show::stats, watch, look),
        Command::Metrics => view::metrics(common),
        Command::Diff | Command::Reload { dry_run: true, .. } => view::judge(
            common,
            &Request::Plan,
            show::plan,
            show::can_be_done,
            &Watch::default(),
            look,
        ),
        Command::Reload { confirm, .. } => {
            let confirm = confirm.map(|time| time.as_secs().max(1));
            steer::act(common, &Request::Reload { confirm }, look)
        }
        Command::Confirm => steer::act(common, &Request::Confirm, look),
        Command::Log { filter } => {
            steer::act(common, &Request::Log { filter: filter.clone() }, look)
        }
        Command::Ping { peer, to, through, size, count } => {
            let (peer, to, through, size, count) = (peer.clone(), *to, *through, *size, *count);
            ping::ping(common, &ping::Wanted { peer, to, through, size, count }, look)
        }
        Command::Capture { peer, output, keys, packets, time } => {
            let (peer, output, keys) = (peer.clone(), output.clone(), keys.clone());
            let order = capture::Order { peer, output, keys, packets: *packets, time: *time };
            capture::capture(common, &order, look)
        }
        Command::Doctor { config } => doctor::doctor(common, config, look),
        Command::Rekey { peer, ike } => {
            let sa = if *ike { SaKind::Ike } else { SaKind::Child };
            steer::act(common, &Request::Rekey { peer: peer.clone(), sa }, look)
        }
        Command::Initiate { peer } => {
            steer::act(common, &Request::Initiate { peer: peer.clone() }, look)
        }
        Command::Terminate { peer } => {
            steer::act(common, &Request::Terminate { peer: peer.clone() }, look)
        }
        Command::Drain { wait } => steer::drain(common, *wait, look),
        Command::Undrain => steer::act(common, &Request::Undrain, look),
        Command::Disable { peer } => {
            steer::act(common, &Request::Disable { peer: peer.clone() }, look)
        }
        Command::Enable { peer } => {
            steer::act(common, &Request::Enable { peer: peer.clone() }, look)
        }
        Command::Init(args) => init::init(args, look),
        Command::Peer { command } => peer::run(command, look),
        Command::Keygen { psk, output } => keys::generate(*psk, output.as_deref(), look),
        Command::Pubkey { file } => keys::show_public(file, look),
        Command::Ca { command } => ca::run(command, look),
        Command::Check { files } => check::check(files, look),
        Command::Lab { command } => lab::run(command, look),
        Command::Completions { shell } => manual::completions(*shell, look),
        Command::Manual { folder } => manual::pages(folder),
    }
}

#[cfg(test)]
mod tests;

//! What shells offer to complete: commands and options, and the names that the gateways of this host know.
//!
//! The script that a shell loads asks `vpnctl` itself at every key; who is asked must answer at once, so a
//! gateway that does not is left out.

use super::args::Args;
use super::client;
use super::gateways::{self, Target};
use crate::config::defaults::RUN_DIR;
use crate::control::{PeersView, Request};
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// By this a shell says that it wants to complete, and which shell it is.
const VARIABLE: &str = "COMPLETE";
/// Longer nobody waits for a name.
const PATIENCE: Duration = Duration::from_millis(300);

/// Answers a shell, if it is one that asks.
pub(super) fn answer(arguments: &[OsString]) -> Option<ExitCode> {
    let here = std::env::current_dir().ok();
    let completer = CompleteEnv::with_factory(Args::command).var(VARIABLE).bin("vpnctl");
    match completer.try_complete(arguments, here.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// The script by which a shell asks.
pub(super) fn script(shell: &str) -> Result<String> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell).context("there is no completion for this shell")?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "vpnctl", "vpnctl", "vpnctl", &mut script)?;
    let mut script = String::from_utf8(script)?;
    if shell == "zsh" {
        // As a function that zsh loads on the first key, it must answer that key, too.
        script += "[ \"$funcstack[1]\" = _vpnctl ] && _clap_dynamic_completer_vpnctl \"$@\"\n";
    }
    Ok(script)
}

/// The peers of all gateways on this host.
pub(super) fn peers(begun: &OsStr) -> Vec<CompletionCandidate> {
    offered(views().iter().flat_map(|view| &view.peers).map(|peer| peer.name.clone()), begun)
}

/// Their VPCs.
pub(super) fn vpcs(begun: &OsStr) -> Vec<CompletionCandidate> {
    offered(views().iter().flat_map(|view| &view.peers).map(|peer| peer.vpc.clone()), begun)
}

/// The gateways on this host.
pub(super) fn gateways(begun: &OsStr) -> Vec<CompletionCandidate> {
    offered(targets().into_iter().map(|target| target.name), begun)
}

fn targets() -> Vec<Target> {
    gateways::found(Path::new(RUN_DIR)).unwrap_or_default()
}

fn views() -> Vec<PeersView> {
    let ask = |target: &Target| client::ask_within(&target.socket, &Request::Peers, PATIENCE).ok();
    let answers: Vec<String> = targets().iter().filter_map(ask).collect();
    answers.iter().filter_map(|body| serde_json::from_str(body).ok()).collect()
}

fn offered(names: impl Iterator<Item = String>, begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let names: BTreeSet<String> = names.filter(|name| name.starts_with(&*begun)).collect();
    names.into_iter().map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests;

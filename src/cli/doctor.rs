//! `vpnctl doctor`: looks at this host as a gateway needs it, and at what runs here; changes nothing.
//! Every finding says what is wrong and the command or the key that mends it.

mod daemon;
pub(super) mod files;
mod firewall;
mod host;
mod names;
mod peers;

use super::args::Common;
use super::exit::Ending;
use super::look::{self, BAD, GOOD, Look};
use super::objects::Found;
use super::sheet::wrapped;
use crate::config::Config;
use crate::config_file;
use anyhow::Result;
use std::path::Path;
use std::process::ExitCode;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The kind of thing, in a word.
    about: &'static str,
    /// What is so.
    pub(super) what: String,
    /// What to do, when something is wrong.
    pub(super) remedy: Option<String>,
}

impl Finding {
    fn good(about: &'static str, what: impl Into<String>) -> Finding {
        Finding { about, what: what.into(), remedy: None }
    }

    fn bad(about: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { about, what: what.into(), remedy: Some(remedy.into()) }
    }
}

/// Looks at everything; ends with 1 when something is wrong.
pub(super) fn doctor(common: &Common, file: &Path, look: Look) -> Result<ExitCode> {
    let mut findings = files::of(file);
    match config_file::load(file) {
        Ok(config) => findings.extend(of_config(&config)),
        Err(error) => {
            let what = error.to_string().lines().next().unwrap_or_default().to_owned();
            let remedy = format!("vpnctl check {} shows all of it", file.display());
            findings.push(Finding::bad("configuration", what, remedy));
        }
    }
    findings.extend(host::limits());
    findings.extend(peers::of(common));
    let text: Result<Vec<String>> = findings.iter().map(|finding| shown(finding, look)).collect();
    look::print(&text?.join("\n"))?;
    let is_well = findings.iter().all(|finding| finding.remedy.is_none());
    Ok(if is_well { Ending::Well } else { Ending::Down }.into())
}

fn of_config(config: &Config) -> Vec<Finding> {
    let (vpcs, peers) = (config.vpcs.len(), config.peers.len());
    let what = format!(
        "gateway {} with {vpcs} VPC(s) and {peers} tunnel(s) is valid",
        config.gateway.name
    );
    let mut findings = vec![Finding::good("configuration", what)];
    findings.extend(daemon::of(config));
    if let Some(elsewhere) = daemon::elsewhere(config) {
        findings.push(elsewhere);
        return findings;
    }
    match host::of(config) {
        Ok(of_host) => findings.extend(of_host),
        Err(error) => findings.push(Finding::bad(
            "host",
            format!("this host cannot be looked at: {error:#}"),
            "run vpnctl as root (sudo vpnctl doctor)",
        )),
    }
    findings
}

/// Width of the column of what a finding is about.
const ABOUT: usize = 14;

fn shown(finding: &Finding, look: Look) -> Result<String> {
    let Finding { about, what, remedy } = finding;
    let ok = remedy.is_none();
    if look.json {
        return look::versioned(&Found { about, ok, what, remedy: remedy.as_deref() });
    }
    if !look.for_people() {
        let ok = if ok { "ok" } else { "wrong" };
        return Ok([ok, about, what, remedy.as_deref().unwrap_or_default()].join("\t"));
    }
    let sign = if ok { look.paint(GOOD, "✓") } else { look.paint(BAD, "✗") };
    let room = look.width.saturating_sub(ABOUT + 4);
    let remedy = remedy.iter().flat_map(|remedy| wrapped(&format!("→ {remedy}"), room));
    let lines: Vec<String> = wrapped(what, room).into_iter().chain(remedy).collect();
    Ok(format!("{sign} {about:ABOUT$}{}", lines.join(&format!("\n  {:ABOUT$}", ""))))
}

#[cfg(test)]
mod tests;

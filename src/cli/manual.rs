//! Completion scripts and man pages, made from the arguments themselves.

use super::args::Args;
use super::look::{self, Look};
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;
use std::process::ExitCode;

/// `vpnctl completions`.
pub(super) fn completions(shell: Shell, _look: Look) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "vpnctl", &mut script);
    look::print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}

/// `vpnctl manual`: `vpnctl.1` and one page for each command.
pub(super) fn pages(folder: &Path) -> Result<ExitCode> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    clap_mangen::generate_to(Args::command(), folder)
        .with_context(|| format!("writing to {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

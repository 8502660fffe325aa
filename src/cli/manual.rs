//! Completion scripts and man pages, made from the arguments themselves and from the documents that
//! describe the configuration and the events.

mod roff;

use super::args::Args;
use super::complete;
use super::look::{self, Look};
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;
use std::process::ExitCode;

/// Documents that are man pages, too: name, section, what it is in a line, text.
const DOCUMENTS: [(&str, u8, &str, &str); 2] = [
    (
        "vpngw.toml",
        5,
        "configuration of the IPsec gateway vpngwd",
        include_str!("../../configs/README.md"),
    ),
    ("vpngw-events", 7, "what vpnctl events shows", include_str!("../../docs/events.md")),
];

/// `vpnctl completions`.
pub(super) fn completions(shell: Shell, _look: Look) -> Result<ExitCode> {
    look::print(&complete::script(&shell.to_string())?)?;
    Ok(ExitCode::SUCCESS)
}

/// `vpnctl manual`: `man1/vpnctl.1`, one page for each command, and the documents.
pub(super) fn pages(folder: &Path) -> Result<ExitCode> {
    let commands = section(folder, 1)?;
    clap_mangen::generate_to(Args::command(), &commands)
        .with_context(|| format!("writing to {}", commands.display()))?;
    for (name, number, summary, text) in DOCUMENTS {
        let path = section(folder, number)?.join(format!("{name}.{number}"));
        std::fs::write(&path, roff::page(name, number, summary, text))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder of a section of the manual, made if need be.
fn section(folder: &Path, number: u8) -> Result<std::path::PathBuf> {
    let path = folder.join(format!("man{number}"));
    std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests;

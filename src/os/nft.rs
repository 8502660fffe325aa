//! The kernel's packet filter, by the program `nft` (`nft(8)`): a script is carried out as a whole or
//! not at all. What the rules mean is not known here.
//!
//! The program runs with the rights of this process and without its environment.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use super::netns;

/// Where it may be.
const PROGRAMS: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];
/// What it says of what is not there.
const ABSENT: &str = "No such file or directory";
/// Lines of its complaint that are passed on.
const COMPLAINT_LINES: usize = 2;

/// Whether the program is installed.
pub fn is_installed() -> bool {
    program().is_some()
}

fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| Path::new(program).exists())
}

/// Carries out a script in a namespace (`None` is that of this thread), as a whole or not at all.
///
/// # Errors
///
/// When the program is missing, or in its own words.
pub fn run(namespace: Option<&str>, script: &str) -> Result<()> {
    let output = call(namespace, &["-f", "-"], script)?;
    if output.status.success() {
        return Ok(());
    }
    bail!("nft: {}", complaint(&output));
}

/// A table as JSON (`libnftables-json(5)`); `None` when there is none.
///
/// # Errors
///
/// When the program is missing, or in its own words.
pub fn table(namespace: Option<&str>, family: &str, name: &str) -> Result<Option<String>> {
    let output = call(namespace, &["-j", "list", "table", family, name], "")?;
    if output.status.success() {
        return Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    match complaint(&output) {
        absent if absent.contains(ABSENT) => Ok(None),
        complaint => bail!("nft: {complaint}"),
    }
}

fn call(namespace: Option<&str>, arguments: &[&str], input: &str) -> Result<Output> {
    let program = program().context("nft is not installed: apt install nftables")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(namespace) = namespace {
        netns::place(&mut command, namespace)?;
    }
    let mut child = command.spawn().with_context(|| format!("running {program}"))?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().with_context(|| format!("running {program}"))?;
    match written {
        // It may have ended before it has read everything, and says why.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("asking nft"),
        Ok(()) | Err(_) => Ok(output),
    }
}

fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(COMPLAINT_LINES);
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

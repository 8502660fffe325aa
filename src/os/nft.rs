//! The kernel's packet filter, by the program `nft` (`nft(8)`): a script is carried out as a whole or
//! not at all. What the rules mean is not known here.
//!
//! The program runs with the rights of this process and without its environment.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

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

/// What is read of a table's JSON (`libnftables-json(5)`).
#[derive(Debug, Default)]
pub struct Listing {
    /// How many rules there are.
    pub rules: usize,
    /// Packets, by the name of the counter.
    pub counters: BTreeMap<String, u64>,
    /// Sets as they are told.
    pub sets: Vec<Value>,
}

#[derive(Deserialize)]
struct Document {
    nftables: Vec<Value>,
}

#[derive(Deserialize)]
struct Counter {
    name: String,
    packets: u64,
}

impl Listing {
    /// Reads a listing.
    ///
    /// # Errors
    ///
    /// When it is no listing.
    pub fn read(json: &str) -> Result<Listing> {
        let document: Document = serde_json::from_str(json).context("reading nft's listing")?;
        let mut listing = Listing::default();
        for mut object in document.nftables {
            if object.get("rule").is_some() {
                listing.rules += 1;
            } else if let Some(counter) = object.get_mut("counter") {
                let Counter { name, packets } = serde_json::from_value(counter.take())?;
                listing.counters.insert(name, packets);
            } else if let Some(set) = object.get_mut("set") {
                listing.sets.push(set.take());
            }
        }
        Ok(listing)
    }

    /// Packets of a counter; 0 when there is none.
    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or_default()
    }
}

/// A line of a script: a counter that begins with so many packets.
pub fn counter(name: &str, packets: u64) -> String {
    format!("counter {name} {{ packets {packets} bytes 0 }}\n")
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

/// All tables as JSON (`libnftables-json(5)`); `None` where the program is not installed.
///
/// # Errors
///
/// In the program's words.
pub fn ruleset(namespace: Option<&str>) -> Result<Option<String>> {
    if !is_installed() {
        return Ok(None);
    }
    let output = call(namespace, &["-j", "list", "ruleset"], "")?;
    match output.status.success() {
        true => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
        false => bail!("nft: {}", complaint(&output)),
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

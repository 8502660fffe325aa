//! One transfer and what it cost.

use crate::rig::Rig;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use vpngw::os::process::Process;

/// What one transfer showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    /// TCP payload that arrived, in Mbit/s.
    pub throughput: f64,
    /// CPU seconds of both gateways' programs for 10⁹ bytes.
    pub gateways: f64,
    /// CPU seconds of the whole machine for 10⁹ bytes.
    pub machine: f64,
    /// TCP segments sent again.
    pub retransmits: u64,
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>8.0} Mbit/s  gateways {:>6.2} CPU s/GB  machine {:>6.2} CPU s/GB  {} retransmits",
            self.throughput, self.gateways, self.machine, self.retransmits
        )
    }
}

/// Without the load generator there is nothing to measure.
pub(crate) fn require_iperf3() -> Result<()> {
    let found = Command::new("iperf3").arg("--version").output();
    found.map(drop).context("iperf3 is needed (apt-get install iperf3)")
}

/// Sends TCP from h1 to h2; the first second is left out, as TCP is still starting.
pub(crate) fn run(
    rig: &Rig,
    gateways: &[Process],
    receiver: &str,
    (seconds, streams): (u32, u32),
) -> Result<Measurement> {
    let mut server = rig.spawn("h2", &["iperf3", "-s", "-1"])?;
    thread::sleep(Duration::from_millis(300));
    let (seconds, streams) = (seconds.to_string(), streams.to_string());
    let client = ["iperf3", "-c", receiver, "-t", &seconds, "-O", "1", "-P", &streams, "-J"];
    let client = rig.spawn("h1", &client)?;
    thread::sleep(Duration::from_millis(1200));
    let before = Cost::so_far(gateways)?;
    let output = client.wait_with_output()?;
    let after = Cost::so_far(gateways)?;
    server.kill().ok();
    server.wait()?;
    let result: Value = serde_json::from_slice(&output.stdout).context("iperf3 gave no result")?;
    if let Some(error) = result["error"].as_str() {
        bail!("iperf3: {error}");
    }
    measurement(&result, &before, &after).context("iperf3's result lacks something")
}

fn measurement(result: &Value, before: &Cost, after: &Cost) -> Option<Measurement> {
    let received = result["end"]["sum_received"]["bits_per_second"].as_f64()?;
    let elapsed = after.at.duration_since(before.at).as_secs_f64();
    let gigabytes = received / 8.0 * elapsed / 1e9;
    Some(Measurement {
        throughput: received / 1e6,
        gateways: (after.gateways - before.gateways) / gigabytes,
        machine: (after.machine - before.machine) / gigabytes,
        retransmits: result["end"]["sum_sent"]["retransmits"].as_u64()?,
    })
}

/// CPU seconds up to a moment.
struct Cost {
    at: Instant,
    gateways: f64,
    machine: f64,
}

impl Cost {
    fn so_far(gateways: &[Process]) -> Result<Cost> {
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.unwrap_or(100) as f64;
        let used: u64 = gateways.iter().filter_map(|process| process_ticks(process.pid())).sum();
        let machine = machine_ticks().context("/proc/stat is unreadable")?;
        Ok(Cost {
            at: Instant::now(),
            gateways: used as f64 / ticks,
            machine: machine as f64 / ticks,
        })
    }
}

/// User and system time of a process with all its threads (proc(5)).
fn process_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// All time of all cores that was neither idle nor taken by the hypervisor.
fn machine_ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = fields[..] else { return None };
    Some(user + nice + system + irq + softirq)
}

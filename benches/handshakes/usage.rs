//! What a process has used so far.

use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// Processor time of all of a process's threads, ended ones too, and its resident memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time.
    pub processor: Duration,
    /// Octets.
    pub resident: u64,
}

/// Clock ticks of `/proc` in a second, on every architecture of Linux.
const TICKS: u64 = 100;

impl Usage {
    pub(crate) fn of(pid: i32) -> Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program may hold anything; what follows it does not.
        let (_, behind) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
        let field = |number: usize| {
            let text = behind.split_whitespace().nth(number - 3);
            text.and_then(|text| text.parse::<u64>().ok()).context("no number in /proc/PID/stat")
        };
        let ticks = field(14)? + field(15)?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        Ok(Usage {
            processor: Duration::from_millis(ticks * 1_000 / TICKS),
            resident: kib.context("no VmRSS in /proc/PID/status")? * 1024,
        })
    }
}

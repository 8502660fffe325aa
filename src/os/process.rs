//! Processes named by number and start time, so that a number used again is never mistaken.
#![expect(
    unsafe_code,
    reason = "a child process leaves its session between fork and exec; the scheduler is asked"
)]

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Pid, setsid};
use serde::{Deserialize, Serialize};

/// How often [`Process::wait`] looks.
const GLANCE: Duration = Duration::from_millis(10);

/// One process of this machine; stays valid after the process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pid: i32,
    /// Clock ticks between boot and the process's start (`proc_pid_stat(5)`, field 22).
    started: u64,
}

impl Process {
    /// The process that has the number `pid` now.
    pub fn of(pid: u32) -> Result<Self> {
        let pid = i32::try_from(pid).context("no such process number")?;
        let started = start_time(pid).with_context(|| format!("process {pid} has ended"))?;
        Ok(Process { pid, started })
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// True while any of its threads runs.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }

    /// Sends a signal; a process that has ended needs none, which is success.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("sending {signal} to {}", self.pid)),
        }
    }

    /// Waits until it has ended; false when it has not within `patience`.
    pub fn wait(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(GLANCE);
        }
        true
    }

    /// Asks it to end, and after `patience` makes it.
    pub fn end(&self, patience: Duration) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        if !self.wait(patience) {
            self.signal(Signal::SIGKILL)?;
            self.wait(patience);
        }
        Ok(())
    }
}

/// Lets this thread run before all others of the host that are not of real time themselves: it
/// wants the processor for little, and at once. A better nice value would count among the threads of
/// the same session only (`sched(7)`, autogroup).
///
/// # Errors
///
/// Without CAP_SYS_NICE, and where the host gives containers no real time.
pub fn put_this_thread_first() -> io::Result<()> {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameters outlive the call; zero means the calling thread.
    let outcome = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const lowest)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets this process open as many files as the operator's hard limit permits: a gateway with many
/// BGP sessions needs more than the usual soft limit of 1024.
///
/// # Errors
///
/// When the kernel refuses.
pub fn use_all_descriptors() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// How many files this process may have open; the usual soft limit when the kernel does not say.
pub fn descriptor_limit() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Makes `command` outlive this process and its terminal.
pub fn detach(command: &mut Command) {
    // SAFETY: `setsid` is async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(|| setsid().map(drop).map_err(io::Error::from));
    }
}

/// Makes `command` end, at once, with the thread that starts it: also when this process is killed.
pub fn end_with_this_thread(command: &mut Command) {
    // SAFETY: `prctl` is async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(|| set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from));
    }
}

/// A command that runs `program` with an empty `/run` of its own (`unshare(1)`), for daemons whose
/// pid file has one fixed place. The process is the program's own in the end.
pub fn with_private_run(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", r#"mount -t tmpfs none /run && exec "$0""#]).arg(program);
    command
}

/// The start time of a process that has not ended.
fn start_time(pid: i32) -> Option<u64> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// State, number of threads and start time stand after the last `)`: the name before it may
/// hold anything. A zombie has ended once its last thread has, which holds its files open.
fn parse_stat(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let threads: u32 = fields.nth(16)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    let has_ended = matches!(state, "X" | "x") || (state == "Z" && threads <= 1);
    (!has_ended).then_some(started)
}

/// The number of the process that listens on a Unix socket (SO_PEERCRED); `None` when nobody does.
pub fn listener(socket: &Path) -> Option<i32> {
    let stream = UnixStream::connect(socket).ok()?;
    getsockopt(&stream, PeerCredentials).ok().map(|credentials| credentials.pid())
}

#[cfg(test)]
mod tests;

//! A steady stream of probes, and how long it was interrupted.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::icmp::{Echo, PAYLOAD};
use super::longest_gap;

/// How long after the last probe its reply may take.
const LAST_REPLY: Duration = Duration::from_millis(500);
/// Probers of one process tell their replies apart by this.
static NEXT_IDENTIFIER: AtomicU16 = AtomicU16::new(1);

/// One probe, then at most `patience` for its reply.
pub(super) fn once(namespace: &str, target: IpAddr, patience: Duration) -> Result<bool> {
    let echo = Echo::open(Some(namespace), (None, target), identifier())?;
    let until = Instant::now() + patience;
    echo.send(1, PAYLOAD.len());
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        if echo.receive(left)?.is_some() {
            return Ok(true);
        }
    }
}

/// Probes in progress.
#[derive(Debug)]
pub struct Pinger {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Result<Report>>,
}

impl Pinger {
    /// Probes `target` from a namespace once every `interval` until [`finish`](Self::finish).
    pub fn start(namespace: &str, target: IpAddr, interval: Duration) -> Result<Self> {
        let echo = Echo::open(Some(namespace), (None, target), identifier())?;
        let ending = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ending);
        let thread = std::thread::spawn(move || run(&echo, interval, &seen));
        Ok(Pinger { ending, thread })
    }

    /// Ends the stream.
    pub fn finish(self) -> Result<Report> {
        self.end();
        self.thread.join().map_err(|_| anyhow!("the prober has panicked"))?
    }
}

impl Pinger {
    /// Ends several streams at the same moment.
    pub fn finish_all(pingers: Vec<Pinger>) -> Result<Vec<Report>> {
        pingers.iter().for_each(Pinger::end);
        pingers.into_iter().map(Pinger::finish).collect()
    }

    fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }
}

/// What became of a stream of probes.
#[derive(Clone, Debug, Default)]
pub struct Report {
    probes: Vec<Probe>,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    sent: Instant,
    answered: Option<Instant>,
}

impl Report {
    /// How many probes were sent.
    pub fn sent(&self) -> usize {
        self.probes.len()
    }

    /// How many of them were not answered.
    pub fn lost(&self) -> usize {
        self.probes.iter().filter(|probe| probe.answered.is_none()).count()
    }

    /// The longest interruption: from the last answered probe before one or more lost ones to
    /// the first answered one after them; zero when none was lost. Lost probes at the end
    /// count up to the last one sent.
    pub fn longest_gap(&self) -> Duration {
        longest_gap(self.probes.iter().map(|probe| (probe.sent, probe.answered.is_some())))
    }

    /// The round-trip time that half of the answered probes stayed below.
    pub fn median_rtt(&self) -> Option<Duration> {
        self.rtt_of(50)
    }

    /// The round-trip time that so many percent of the answered probes stayed below.
    pub fn rtt_of(&self, percent: usize) -> Option<Duration> {
        let mut all: Vec<Duration> = self
            .probes
            .iter()
            .filter_map(|probe| probe.answered.map(|at| at - probe.sent))
            .collect();
        all.sort_unstable();
        all.get(all.len() * percent / 100).copied()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = self.longest_gap().as_millis();
        write!(f, "{} probes, {} lost, longest gap {gap} ms", self.sent(), self.lost())?;
        match self.median_rtt() {
            Some(rtt) => write!(f, ", median round trip {} µs", rtt.as_micros()),
            None => Ok(()),
        }
    }
}

fn run(echo: &Echo, interval: Duration, ending: &AtomicBool) -> Result<Report> {
    let mut report = Report::default();
    let mut next = Instant::now();
    while !ending.load(Ordering::Relaxed) {
        report.probes.push(Probe { sent: Instant::now(), answered: None });
        echo.send(sequence(report.probes.len() - 1), PAYLOAD.len());
        next += interval;
        collect(echo, &mut report, next)?;
    }
    collect(echo, &mut report, Instant::now() + LAST_REPLY)?;
    Ok(report)
}

fn collect(echo: &Echo, report: &mut Report, until: Instant) -> Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        if let Some(number) = echo.receive(left)? {
            report.answer(number, Instant::now());
        }
    }
}

impl Report {
    /// The newest probe of that number: numbers repeat after 65 536 probes.
    fn answer(&mut self, number: u16, at: Instant) {
        let own = self.probes.iter_mut().enumerate().rev().take(usize::from(u16::MAX));
        let probe = own.into_iter().find(|(index, _)| sequence(*index) == number);
        if let Some((_, probe)) = probe {
            probe.answered.get_or_insert(at);
        }
    }
}

/// The sequence number of the n-th probe; it wraps.
fn sequence(index: usize) -> u16 {
    (index % (1 << 16)) as u16
}

/// The process id keeps probers of two processes in one namespace apart.
fn identifier() -> u16 {
    let own = (std::process::id() % (1 << 16)) as u16;
    own.wrapping_mul(31).wrapping_add(NEXT_IDENTIFIER.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests;

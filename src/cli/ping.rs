//! `vpnctl ping`: echoes through the tunnel to a peer, by the kernel's own route and the SA in use.

use super::args::Common;
use super::client;
use super::exit::Ending;
use super::gateways;
use super::look::{self, BAD, GOOD, Look};
use super::units::round_trip;
use crate::control::{PeerView, Request, Verdict};
use crate::lab::traffic::Echo;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Time from one echo to the next.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// What IP and ICMP add to the data of an echo.
const fn headers(target: IpAddr) -> u16 {
    match target {
        IpAddr::V4(_) => 20 + 8,
        IpAddr::V6(_) => 40 + 8,
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The peer.
    pub(super) peer: String,
    /// An address behind it; its inside address when that is left out.
    pub(super) to: Option<IpAddr>,
    /// Length of the inner IP packets.
    pub(super) size: Option<u16>,
    /// How many.
    pub(super) count: u16,
}

/// Sends echoes and says what became of them; ends with 1 when one was lost.
pub(super) fn ping(common: &Common, wanted: &Wanted, look: Look) -> Result<ExitCode> {
    let view = peer(common, &wanted.peer)?;
    let target = match (wanted.to, view.inside_remote) {
        (Some(to), _) => to,
        (None, Some(inside)) => inside,
        (None, None) => bail!(
            "{} has no address inside the tunnel: name a host behind it with --to",
            wanted.peer
        ),
    };
    let source = match wanted.to {
        Some(_) => None,
        None => view.inside_local,
    };
    let size = wanted.size.unwrap_or(84).max(headers(target));
    let echo = Echo::open(view.netns.as_deref(), (source, target), identifier())
        .context("run vpnctl as root (sudo vpnctl ping …)")?;
    let mut times = Vec::new();
    for sequence in 1..=wanted.count {
        let time = once(&echo, sequence, size - headers(target))?;
        if !look.json {
            look::print(&line(target, sequence, size, time, look))?;
        }
        times.push(time);
        if sequence < wanted.count {
            std::thread::sleep(INTERVAL.saturating_sub(time.unwrap_or_default()));
        }
    }
    look::print(&summary(&view, target, size, &times, look))?;
    let all = times.iter().all(Option::is_some);
    Ok(if all { Ending::Well } else { Ending::Down }.into())
}

/// The peer as the gateway that has it sees it.
fn peer(common: &Common, name: &str) -> Result<PeerView> {
    let mut failure = None;
    for target in gateways::all(common)? {
        match client::ask(&target.socket, &Request::Peer(name.to_owned())) {
            Ok(body) => {
                let view = serde_json::from_str(&body);
                return view.context("the gateway runs another version of vpngw than this vpnctl");
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| anyhow::anyhow!("no gateway knows {name}")))
}

/// One echo: how long its answer took, if one came.
fn once(echo: &Echo, sequence: u16, payload: u16) -> Result<Option<Duration>> {
    let sent = Instant::now();
    echo.send(sequence, usize::from(payload));
    loop {
        let left = PATIENCE.saturating_sub(sent.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        if echo.receive(left)? == Some(sequence) {
            return Ok(Some(sent.elapsed()));
        }
    }
}

fn identifier() -> u16 {
    (std::process::id() % (1 << 16)) as u16
}

fn line(target: IpAddr, sequence: u16, size: u16, time: Option<Duration>, look: Look) -> String {
    match time {
        Some(time) => format!(
            "{size} bytes to {target}: echo {sequence} came back in {}",
            round_trip(micros(time))
        ),
        None => {
            look.paint(BAD, &format!("{size} bytes to {target}: echo {sequence} did not come back"))
        }
    }
}

fn summary(
    view: &PeerView,
    target: IpAddr,
    size: u16,
    times: &[Option<Duration>],
    look: Look,
) -> String {
    let mut answered: Vec<u64> = times.iter().flatten().copied().map(micros).collect();
    answered.sort_unstable();
    let (sent, lost) = (times.len(), times.len() - answered.len());
    let mtu = view.inner_mtu;
    if look.json {
        return look::versioned(json!({
            "gateway": view.gateway, "peer": view.summary.name, "to": target,
            "size": size, "sent": sent, "lost": lost, "rtt_us": answered, "mtu": mtu,
            "verdict": view.summary.verdict,
        }));
    }
    let style = if lost == 0 { GOOD } else { BAD };
    let mut facts = vec![look.paint(style, &format!("{sent} sent, {lost} lost"))];
    if let (Some(first), Some(last)) = (answered.first(), answered.last()) {
        let median = answered.get(answered.len() / 2).unwrap_or(first);
        let [least, median, most] = [*first, *median, *last].map(round_trip);
        facts.push(format!("round trip {least} / {median} / {most} (least, median, most)"));
    }
    facts.extend(mtu.map(|mtu| format!("packets of up to {mtu} bytes go whole")));
    if lost > 0 {
        facts.push(format!("ESP: {}", view.data_path));
        if view.summary.verdict == Verdict::Up {
            facts.push(
                "the tunnel is up: does the host there answer, and is this size not too much?"
                    .to_owned(),
            );
        }
    }
    facts.join("; ")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

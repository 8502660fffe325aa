//! `vpnctl ping`: echoes through the tunnel to a peer, by the kernel's own route and the SA in use.

mod passage;

use super::args::Common;
use super::client;
use super::denied::denied;
use super::exit::Ending;
use super::gateways::{self, Target};
use super::look::{self, BAD, GOOD, Look};
use super::objects::{Echoes, Lost, Passage};
use super::units::round_trip;
use crate::control::{PeerView, Request, Verdict, WayView, WhyView};
use crate::lab::traffic::Echo;
use crate::net::Prefix;
use anyhow::{Context, Result, bail};
use passage::Counted;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Time from one echo to the next.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many addresses of a prefix are asked at once.
const ASKED: u32 = 16;
const OTHER_VERSION: &str = "the gateway runs another version of vpngw than this vpnctl";
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
    /// A prefix behind it, in which some address will answer.
    pub(super) through: Option<Prefix>,
    /// Length of the inner IP packets.
    pub(super) size: Option<u16>,
    /// How many.
    pub(super) count: u16,
}

/// Sends echoes and says what became of them; ends with 1 when one was lost.
pub(super) fn ping(common: &Common, wanted: &Wanted, look: Look) -> Result<ExitCode> {
    let (gateway, view) = peer(common, &wanted.peer)?;
    let (source, target) = match (wanted.to, wanted.through, view.inside_remote) {
        (Some(to), ..) => (None, behind(&gateway, &view, to)?),
        (None, Some(prefix), _) => (None, somebody(&gateway, &view, prefix)?),
        (None, None, Some(inside)) => (view.inside_local, inside),
        (None, None, None) => bail!(
            "{} has no address inside the tunnel: name a host behind it with --to",
            wanted.peer
        ),
    };
    let size = wanted.size.unwrap_or(84).max(headers(target));
    let echo = open(&view, source, target)?;
    let before = Counted::now(&gateway, &wanted.peer);
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
    let after = before.as_ref().and_then(|_| Counted::now(&gateway, &wanted.peer));
    let esp = after.zip(before).map(|(after, before)| after.since(&before)).unwrap_or_default();
    look::print(&summary(&view, (target, size), &times, esp, look)?)?;
    let all = times.iter().all(Option::is_some);
    Ok(if all { Ending::Well } else { Ending::Down }.into())
}

fn open(view: &PeerView, source: Option<IpAddr>, target: IpAddr) -> Result<Echo> {
    Echo::open(view.netns.as_deref(), (source, target), identifier())
        .map_err(|error| denied(error, "ping"))
}

/// The gateway that has a peer, and how it sees it.
fn peer(common: &Common, name: &str) -> Result<(Target, PeerView)> {
    let mut failure = None;
    for target in gateways::all(common)? {
        match client::ask(&target.socket, &Request::Peer(name.to_owned())) {
            Ok(body) => {
                let view = serde_json::from_str(&body).context(OTHER_VERSION)?;
                return Ok((target, view));
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| anyhow::anyhow!("no gateway knows {name}")))
}

/// The address, unless packets to it take another way than through the peer.
fn behind(gateway: &Target, view: &PeerView, to: IpAddr) -> Result<IpAddr> {
    let body = client::ask(&gateway.socket, &Request::Why { to, from: None, ports: None })?;
    let why: WhyView = serde_json::from_str(&body).context(OTHER_VERSION)?;
    let way = why.ways.iter().find(|way| way.vpc == view.summary.vpc);
    let name = &view.summary.name;
    let takes_part = |way: &WayView| way.shared.iter().any(|share| share.peer == *name);
    let elsewhere = way.filter(|way| way.arrives && way.through != *name && !takes_part(way));
    match elsewhere {
        None => Ok(to),
        Some(way) => bail!(
            "packets to {to} go to {} and not through {}: vpnctl why {to}",
            way.through,
            view.summary.name
        ),
    }
}

/// An address in a prefix behind the peer that answers; the first of those asked when none does.
fn somebody(gateway: &Target, view: &PeerView, prefix: Prefix) -> Result<IpAddr> {
    let asked = usual_hosts(prefix);
    for address in &asked {
        behind(gateway, view, *address)?;
    }
    let echoes = asked.iter().map(|address| open(view, None, *address));
    let echoes = echoes.collect::<Result<Vec<Echo>>>()?;
    let (Some(listener), Some(first)) = (echoes.first(), asked.first()) else {
        bail!("{prefix} has no address of a host");
    };
    (0..).zip(&echoes).for_each(|(number, echo)| echo.send(number, 0));
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        // A raw socket hears the answers to all of them.
        let number = listener.receive(until.saturating_duration_since(Instant::now()))?;
        if let Some(address) = number.and_then(|number| asked.get(usize::from(number))) {
            return Ok(*address);
        }
    }
    Ok(*first)
}

/// Addresses that gateways, routers and hosts mostly have: the first of the prefix, and the first of its
/// first networks of the usual length.
fn usual_hosts(prefix: Prefix) -> Vec<IpAddr> {
    let usual = if prefix.is_ipv4() { 24 } else { 64 };
    let mut addresses: Vec<IpAddr> = (0..ASKED).filter_map(|number| host(prefix, number)).collect();
    if prefix.len() < usual {
        let networks = (1..ASKED).filter_map(|number| network(prefix, usual, number));
        addresses.extend(networks.filter_map(|network| host(network, 0)));
    }
    addresses
}

/// The address of a host by its number in a network.
fn host(network: Prefix, number: u32) -> Option<IpAddr> {
    // The first address of a network, and in IPv4 the last, are nobody's; a link of two has neither.
    let is_network = network.len() + 1 < bits_of(network);
    let address = plus(network.addr(), u128::from(number) + u128::from(is_network))?;
    let is_broadcast = network.is_ipv4() && is_network && address == network.last_addr();
    (network.contains(address) && !is_broadcast).then_some(address)
}

/// A network of this length in a prefix, by its number.
fn network(prefix: Prefix, len: u8, number: u32) -> Option<Prefix> {
    let address = plus(prefix.addr(), u128::from(number) << (bits_of(prefix) - len))?;
    Prefix::containing(address, len).filter(|network| prefix.covers(network))
}

fn bits_of(prefix: Prefix) -> u8 {
    if prefix.is_ipv4() { 32 } else { 128 }
}

fn plus(address: IpAddr, number: u128) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from_bits(address.to_bits().checked_add(u32::try_from(number).ok()?)?).into()
        }
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits().checked_add(number)?).into(),
    })
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
    (target, size): (IpAddr, u16),
    times: &[Option<Duration>],
    esp: Passage,
    look: Look,
) -> Result<String> {
    let mut answered: Vec<u64> = times.iter().flatten().copied().map(micros).collect();
    answered.sort_unstable();
    let (sent, lost) = (times.len(), times.len() - answered.len());
    let mtu = view.inner_mtu;
    if look.json {
        return look::versioned(&Echoes {
            gateway: view.gateway.clone(),
            peer: view.summary.name.clone(),
            to: target,
            size,
            sent,
            lost,
            rtt_us: answered,
            esp,
            mtu,
            verdict: view.summary.verdict,
        });
    }
    let style = if lost == 0 { GOOD } else { BAD };
    let mut facts = vec![look.paint(style, &format!("{sent} sent, {lost} lost"))];
    if let (Some(first), Some(last)) = (answered.first(), answered.last()) {
        let median = answered.get(answered.len() / 2).unwrap_or(first);
        let [least, median, most] = [*first, *median, *last].map(round_trip);
        facts.push(format!("round trip {least} / {median} / {most} (least, median, most)"));
    }
    facts.extend(mtu.map(|mtu| format!("packets of up to {mtu} bytes go whole")));
    let mut lines = vec![facts.join("; ")];
    if esp != Passage::default() {
        lines.push(passage::in_words(&esp, look));
    }
    if lost > 0 {
        lines.push(format!("ESP: {}", view.data_path));
        lines.extend(doubt(esp, view.summary.verdict).map(str::to_owned));
    }
    Ok(lines.join("\n"))
}

/// What may be the reason when echoes do not come back, and the tunnel does not say it.
fn doubt(esp: Passage, verdict: Verdict) -> Option<&'static str> {
    let all_arrived = |way: Lost| way.lost == 0;
    match (esp.there.map(all_arrived), esp.back.map(all_arrived), verdict) {
        (Some(true), Some(true), _) => {
            Some("the tunnel has carried all of it: does the host there answer?")
        }
        (Some(false), ..) | (_, Some(false), _) => None,
        (_, _, Verdict::Up) => {
            Some("the tunnel is up: does the host there answer, and is this size not too much?")
        }
        (..) => None,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

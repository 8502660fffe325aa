//! Reads `probe` of a `[[peer]]`: a host behind it that answers as long as all is well there.
//!
//! ```toml
//! probe = { address = "10.2.0.10", source = "10.1.0.1", interval = "1s", timeout = "3s",
//!           max_rtt = "150ms", max_jitter = "30ms", max_loss = 4 }
//! ```

use super::diagnostics::{Fault, Report};
use super::reader::{At, Section};
use super::{Routing, defaults, limits, words};
use crate::net::Prefix;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

const KEYS: [&str; 7] =
    ["address", "source", "interval", "timeout", "max_rtt", "max_jitter", "max_loss"];

/// The questions over which loss is counted.
pub const LOSS_WINDOW: u32 = 50;

/// A host behind a peer without whose answers other peers are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The host.
    pub address: IpAddr,
    /// Our address that asks.
    pub source: IpAddr,
    /// Time from one question to the next.
    pub interval: Duration,
    /// So long without an answer means that the far side is broken; so long with answers, that it is not
    /// any more.
    pub timeout: Duration,
    /// How good the way there has to be.
    pub limits: QualityLimits,
}

/// What the way to a probed host may be like; beyond any of these other peers are preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QualityLimits {
    /// The longest mean round trip.
    pub round_trip: Option<Duration>,
    /// The largest mean difference between a round trip and the next.
    pub jitter: Option<Duration>,
    /// The most questions without an answer, in percent.
    pub loss: Option<u8>,
}

/// The probe of the tunnel for which `peer` says one; `accept` is behind the peer, `own` on this side.
pub(super) fn read(
    peer: &Section<'_>,
    routing: Option<&Routing>,
    accept: &[Prefix],
    own: &[Prefix],
    report: &mut Report,
) -> Option<Probe> {
    let section = peer.subsection("probe", &KEYS, report)?;
    let time = || words::duration("a time of a probe", limits::LIVENESS);
    let interval = section.optional("interval", time(), report);
    let interval = interval.unwrap_or(defaults::PROBE_INTERVAL);
    let timeout = section.optional("timeout", time(), report).unwrap_or(defaults::PROBE_TIMEOUT);
    if timeout < interval * 2 {
        let message =
            format!("`timeout` ({timeout:?}) is shorter than two of `interval` ({interval:?})");
        let fault = Fault::new(message).label("one lost packet would count");
        report.add(section.span(), fault.help("for example interval = \"1s\", timeout = \"3s\""));
    }
    let limits = limits_of(&section, (interval, timeout), report);
    let help = "address = \"10.2.0.10\": a host behind the peer that answers pings";
    let address = section.required("address", help, words::address, report);
    let source = section.located("source", words::address, report);
    let address = address?;
    let inside = routing.and_then(Routing::inside);
    check_address(&address, inside.map(|inside| inside.remote), accept, report);
    let source = match source {
        Some(source) => {
            check_source(&source, &address, inside.map(|inside| inside.local), own, report);
            source.value
        }
        None if section.has("source") => return None,
        None => {
            let ours = inside.map(|inside| inside.local);
            let of_family = ours.filter(|local| local.is_ipv4() == address.value.is_ipv4());
            of_family.or_else(|| refuse_without_source(section.span(), &address, report))?
        }
    };
    Some(Probe { address: address.value, source, interval, timeout, limits })
}

fn limits_of(
    section: &Section<'_>,
    (interval, timeout): (Duration, Duration),
    report: &mut Report,
) -> QualityLimits {
    let time = |key| {
        let limit = section.located(key, words::duration("a limit", limits::QUALITY), report)?;
        if limit.value >= timeout {
            let message = format!("`{key}` is not below `timeout` ({timeout:?})");
            let fault = Fault::new(message).label("later answers count as lost");
            report.add(limit.span, fault.help("write less, or a longer `timeout`"));
        }
        Some(limit.value)
    };
    let [round_trip, jitter] = ["max_rtt", "max_jitter"].map(time);
    let loss = words::integer("the loss in percent", limits::LOSS);
    let loss = section.located("max_loss", loss, report);
    if let Some(loss) = loss.as_ref().filter(|_| timeout > interval * LOSS_WINDOW) {
        let message = format!(
            "`timeout` ({timeout:?}) is longer than {LOSS_WINDOW} of `interval` ({interval:?})"
        );
        let fault = Fault::new(message).label("loss would be noticed too late");
        report.add(loss.span.clone(), fault.help("write a shorter `timeout`, or no `max_loss`"));
    }
    QualityLimits { round_trip, jitter, loss: loss.map(|loss| loss.value) }
}

/// It is behind the peer, and the peer may send from it.
fn check_address(
    address: &At<IpAddr>,
    inside: Option<IpAddr>,
    accept: &[Prefix],
    report: &mut Report,
) {
    let is_behind = accept.iter().any(|prefix| prefix.contains(address.value));
    if !is_behind && !accept.is_empty() && inside != Some(address.value) {
        let fault = Fault::new(format!("{} is not behind the peer", address.value));
        let fault = fault.label("in none of the prefixes that it may send from");
        let listed: Vec<String> = accept.iter().take(4).map(ToString::to_string).collect();
        report.add(address.span.clone(), fault.help(format!("they are: {}", listed.join(", "))));
    }
}

/// It is on this side, where peers may send to.
fn check_source(
    source: &At<IpAddr>,
    address: &At<IpAddr>,
    inside: Option<IpAddr>,
    own: &[Prefix],
    report: &mut Report,
) {
    let is_ours = own.iter().any(|prefix| prefix.contains(source.value));
    if source.value.is_ipv4() != address.value.is_ipv4() {
        let fault = Fault::new("`source` and `address` of a probe are of one family");
        let fault = fault.label("another family").beside(address.span.clone(), "than this");
        report.add(source.span.clone(), fault);
    } else if !is_ours && inside != Some(source.value) {
        let fault = Fault::new(format!("{} is not on this side of the tunnel", source.value))
            .label("in none of the VPC's `prefixes`, and not `inside_local`");
        let help = "write an address that this gateway has in the VPC";
        report.add(source.span.clone(), fault.help(help));
    }
}

fn refuse_without_source(
    span: Range<usize>,
    address: &At<IpAddr>,
    report: &mut Report,
) -> Option<IpAddr> {
    let family = if address.value.is_ipv4() { "IPv4" } else { "IPv6" };
    let fault = Fault::new("a probe needs a `source` here")
        .label(format!("the tunnel has no {family} address of ours inside"))
        .help("add source = \"10.1.0.1\": an address that this gateway has in the VPC");
    report.add(span, fault);
    None
}

//! One line a peer.

use super::super::look::{BAD, Look};
use super::super::sheet::{Cell, Sheet, Tone};
use super::super::units;
use super::{state_tone, titled};
use crate::control::{
    FailureView, GatewayView, PathState, PeerState, PeerSummary, PeersView, RefusalView,
};

const COLUMNS: [&str; 14] = [
    "GATEWAY",
    "PEER",
    "VPC",
    "REMOTE",
    "STATE",
    "SINCE",
    "SUITE",
    "RTT",
    "BFD",
    "RECEIVING",
    "SENDING",
    "PREFIXES",
    "IN USE",
    "LAST FAILURE",
];

/// All peers of a gateway.
pub(in super::super) fn peers(view: &PeersView, look: Look) -> String {
    let mut sheet = Sheet::new(&COLUMNS);
    for peer in &view.peers {
        sheet.row(line(&view.gateway.name, peer));
    }
    let one_vpc = view.peers.windows(2).all(|pair| matches!(pair, [a, b] if a.vpc == b.vpc));
    let no_failure =
        view.peers.iter().all(|peer| peer.last_failure.is_none() && peer.refusal.is_none());
    if look.aligned && one_vpc {
        sheet = sheet.without("VPC");
    }
    if look.aligned && view.peers.iter().all(|peer| peer.bfd.is_none()) {
        sheet = sheet.without("BFD");
    }
    if look.aligned && no_failure {
        sheet = sheet.without("LAST FAILURE");
    }
    let table =
        titled(&view.gateway.name, &about(&view.gateway), "no peers are configured", sheet, look);
    let warned = view.peers.iter().filter(|_| look.aligned).filter_map(weakness);
    let warnings = warned.map(|words| format!("\n{}", look.paint(BAD, &words)));
    [table].into_iter().chain(warnings).collect()
}

/// What stands below the table for as long as the peer may use weak algorithms.
fn weakness(peer: &PeerSummary) -> Option<String> {
    let (name, suites) = (&peer.name, weak_suites(peer)?);
    Some(format!("warning: {name} may use weak algorithms (allow_weak): {suites}"))
}

/// So many weak suites are named; one is enough to be warned.
const WEAK_SUITES: usize = 4;

/// The weak suites of a peer, if it has any.
pub(super) fn weak_suites(peer: &PeerSummary) -> Option<String> {
    let named: Vec<&str> = peer.weak_suites.iter().take(WEAK_SUITES).map(String::as_str).collect();
    let more = peer.weak_suites.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty()).then(|| named.join(", ") + &more)
}

fn about(gateway: &GatewayView) -> String {
    let mut facts = Vec::new();
    if !gateway.region.is_empty() {
        facts.push(gateway.region.clone());
    }
    if !gateway.zone.is_empty() {
        facts.push(format!("zone {}", gateway.zone));
    }
    facts.extend(gateway.asn.map(|asn| format!("AS{asn}")));
    facts.push(format!("running for {}", units::span(gateway.up_for_ms)));
    facts.join(", ")
}

fn line(gateway: &str, peer: &PeerSummary) -> [Cell; 14] {
    [
        gateway.into(),
        peer.name.as_str().into(),
        peer.vpc.as_str().into(),
        match peer.remote {
            Some(remote) => Cell::from(remote.to_string()),
            None => Cell::from("any").tone(Tone::Faint),
        },
        state(peer),
        Cell::right(units::span(peer.state_for_ms)),
        Cell::optional(peer.esp_suite.as_ref()),
        Cell::right(peer.rtt_us.map_or("-".to_owned(), units::round_trip)),
        path(peer),
        Cell::right(units::rate(peer.received.bits_per_second)),
        Cell::right(units::rate(peer.sent.bits_per_second)),
        prefixes(peer),
        in_use(peer),
        failure(peer),
    ]
}

/// How fast a lost path is noticed, while it works.
fn path(peer: &PeerSummary) -> Cell {
    match peer.bfd.as_ref().map(|bfd| (bfd.path, bfd.detection_time_us)) {
        Some((PathState::Works, detection_us)) => Cell::right(units::span(detection_us / 1000)),
        Some((PathState::Lost, _)) => Cell::right("lost").tone(Tone::Bad),
        Some((PathState::Held, _)) => Cell::right("held").tone(Tone::Warning),
        Some((PathState::Unwatched, _)) | None => Cell::right("-").tone(Tone::Faint),
    }
}

/// A tunnel whose BGP session is not up carries nothing that the peer announces.
fn state(peer: &PeerSummary) -> Cell {
    match (&peer.bgp_waits, peer.state) {
        (Some(bgp), PeerState::Up) => Cell::from(format!("up, BGP {bgp}")).tone(Tone::Warning),
        _ => Cell::from(peer.state.to_string()).tone(state_tone(peer.state)),
    }
}

fn prefixes(peer: &PeerSummary) -> Cell {
    match peer.prefixes_rejected {
        0 => Cell::right(peer.prefixes_accepted.to_string()),
        rejected => {
            let text = format!("{}, {rejected} rejected", peer.prefixes_accepted);
            Cell::right(text).tone(Tone::Warning)
        }
    }
}

fn in_use(peer: &PeerSummary) -> Cell {
    match peer.prefixes_refused {
        0 => Cell::right(peer.prefixes_active.to_string()),
        refused => {
            let text = format!("{}, {refused} refused", peer.prefixes_active);
            Cell::right(text).tone(Tone::Bad)
        }
    }
}

/// What is wrong now goes before what went wrong.
fn failure(peer: &PeerSummary) -> Cell {
    match (&peer.refusal, &peer.last_failure) {
        (Some(RefusalView { what, reason, .. }), _) => {
            Cell::from(format!("the host refuses the {what}: {reason}")).tone(Tone::Bad)
        }
        (None, None) => Cell::from("-").tone(Tone::Faint),
        (None, Some(FailureView { reason, ago_ms, unproven })) => {
            let whose = if *unproven { ", by somebody at its address" } else { "" };
            Cell::from(format!("{reason} ({} ago{whose})", units::span(*ago_ms)))
        }
    }
}

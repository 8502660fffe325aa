//! One line a peer, and below it what is wrong and what to do.

use super::super::args::{Choice, Order};
use super::super::look::{BAD, FAINT, GOOD, Look, STRONG};
use super::super::sheet::{Cell, Sheet, Tone};
use super::super::units;
use super::{headed, tone_of};
use crate::control::{
    Code, DrainView, FailureView, GatewayView, PathState, PeerSummary, PeersView, Planned,
    RefusalView, Verdict,
};
use std::cmp::Reverse;

const COLUMNS: [&str; 16] = [
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
    "CODE",
    "LAST FAILURE",
    "REMEDY",
];
/// Columns that go first where there is no room.
const SPARE: [&str; 8] =
    ["SUITE", "BFD", "PREFIXES", "REMOTE", "RTT", "SENDING", "RECEIVING", "IN USE"];

/// Whether all is well with all peers.
pub(in super::super) fn are_well(view: &PeersView) -> bool {
    view.gateway.drain.is_none() && view.peers.iter().all(|peer| peer.verdict.is_well())
}

/// The chosen peers of a gateway.
pub(in super::super) fn peers(view: &PeersView, choice: &Choice, look: Look) -> String {
    let mut sheet = Sheet::new(&COLUMNS).spare(&SPARE).elastic(&["PEER", "VPC"]);
    let peers = chosen(&view.peers, choice);
    for peer in &peers {
        sheet.row(line(&view.gateway.name, peer));
        for (text, tone) in notes(peer) {
            sheet.note(text, tone);
        }
    }
    let one_vpc = peers.windows(2).all(|pair| matches!(pair, [a, b] if a.vpc == b.vpc));
    if look.aligned {
        for failure in ["CODE", "LAST FAILURE", "REMEDY"] {
            sheet = sheet.without(failure);
        }
        if one_vpc {
            sheet = sheet.without("VPC");
        }
        if peers.iter().all(|peer| peer.bfd.is_none()) {
            sheet = sheet.without("BFD");
        }
    }
    let empty = if view.peers.is_empty() { "no peers are configured" } else { "none of them" };
    match look.aligned {
        true => headed(&title(view, look), empty, sheet, look),
        false => sheet.render(look),
    }
}

/// Who answers and how it is, on as many lines as it takes.
fn title(view: &PeersView, look: Look) -> String {
    let (name, about, summary) = (&view.gateway.name, about(&view.gateway), summary(view));
    let length = name.chars().count() + about.chars().count() + summary.chars().count() + 4;
    let gap = if length > look.width { "\n" } else { "  " };
    let style = if are_well(view) { GOOD } else { BAD };
    let (name, about) = (look.paint(STRONG, name), look.paint(FAINT, &about));
    format!("{name}  {about}{gap}{}", look.paint(style, &summary))
}

fn chosen<'v>(peers: &'v [PeerSummary], choice: &Choice) -> Vec<&'v PeerSummary> {
    let wanted = |peer: &&PeerSummary| {
        let of_vpc = choice.vpc.as_ref().is_none_or(|vpc| *vpc == peer.vpc);
        of_vpc && !(choice.down && peer.verdict.is_well())
    };
    let mut peers: Vec<&PeerSummary> = peers.iter().filter(wanted).collect();
    match choice.sort {
        // So they come.
        Order::Name => {}
        Order::State => peers.sort_by_key(|peer| (peer.verdict, &peer.name)),
        Order::Rtt => peers.sort_by_key(|peer| (peer.rtt_us.unwrap_or(u64::MAX), &peer.name)),
        Order::Traffic => peers.sort_by_key(|peer| {
            let rate = peer.received.bits_per_second.saturating_add(peer.sent.bits_per_second);
            (Reverse(rate), &peer.name)
        }),
    }
    peers
}

/// How many are well, and who is the worst of the others.
fn summary(view: &PeersView) -> String {
    let well = view.peers.iter().filter(|peer| peer.verdict.is_well()).count();
    let all = view.peers.len();
    let worst = view.peers.iter().min_by_key(|peer| (peer.verdict, Reverse(peer.state_for_ms)));
    match worst.filter(|peer| !peer.verdict.is_well()) {
        None => format!("{well} of {all} up"),
        Some(peer) => {
            let since = units::span(peer.state_for_ms);
            let others = match all - well {
                1 => String::new(),
                _ => "first ".to_owned(),
            };
            let PeerSummary { name, verdict, .. } = peer;
            format!("{well} of {all} up; {others}{name}: {verdict} for {since}")
        }
    }
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
    facts.extend(gateway.drain.as_ref().map(drained));
    facts.join(", ")
}

/// That others are to be used, and whether they are.
fn drained(drain: &DrainView) -> String {
    let quiet = if drain.quiet { "quiet" } else { "still carries packets" };
    format!("DRAINED for {}: {quiet}", units::span(drain.drained_for_ms))
}

fn line(gateway: &str, peer: &PeerSummary) -> [Cell; 16] {
    let failure = peer.last_failure.as_ref();
    [
        gateway.into(),
        peer.name.as_str().into(),
        peer.vpc.as_str().into(),
        match peer.remote {
            Some(remote) => Cell::from(remote.to_string()),
            None => Cell::from("any").tone(Tone::Faint),
        },
        Cell::from(peer.verdict.to_string()).tone(tone_of(peer.verdict)),
        Cell::right(units::span(peer.state_for_ms)),
        Cell::optional(peer.esp_suite.as_ref()),
        Cell::right(peer.rtt_us.map_or("-".to_owned(), units::round_trip)),
        path(peer),
        Cell::right(units::rate(peer.received.bits_per_second)),
        Cell::right(units::rate(peer.sent.bits_per_second)),
        prefixes(peer),
        in_use(peer),
        Cell::optional(failure.map(|failure| failure.code)),
        Cell::optional(peer.refusal.as_ref().map(refused).or_else(|| failure.map(failed))),
        Cell::optional(failure.and_then(|failure| failure.remedy.as_ref())),
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

/// What stands below the line of a peer: what is wrong with it now, with what to do, and what is to
/// be warned of for as long as it is so.
pub(in super::super) fn notes(peer: &PeerSummary) -> Vec<(String, Tone)> {
    let mut notes = Vec::new();
    notes.extend(peer.refusal.as_ref().map(|refusal| (refused(refusal), Tone::Bad)));
    if let Some(failure) = peer.last_failure.as_ref().filter(|failure| concerns(peer, failure)) {
        notes.push((failed(failure), tone_of(peer.verdict)));
        notes.extend(failure.remedy.as_ref().map(|remedy| (format!("→ {remedy}"), Tone::Plain)));
    } else if let (Verdict::NoBgp, Some(state)) = (peer.verdict, &peer.bgp_waits) {
        notes.push((format!("the BGP session is {state}"), Tone::Bad));
    } else if (peer.verdict, peer.planned) == (Verdict::Drained, Some(Planned::DrainedThere)) {
        // That this gateway is drained stands above them all.
        let text = "the peer is drained by its operator: others go first";
        notes.push((text.to_owned(), Tone::Warning));
    } else if peer.verdict == Verdict::NoRoutes {
        notes.push(("the peer announces no prefix that `accept` admits".to_owned(), Tone::Bad));
    }
    if peer.prefixes_rejected > 0 {
        let text = "some announcements are rejected: vpnctl routes says which and why";
        notes.push((text.to_owned(), Tone::Warning));
    }
    let weak = weak_suites(peer);
    notes.extend(weak.map(|suites| {
        (format!("warning: may use weak algorithms (allow_weak): {suites}"), Tone::Bad)
    }));
    notes
}

/// Whether a failure says why the verdict is what it is; others are history.
fn concerns(peer: &PeerSummary, failure: &FailureView) -> bool {
    let of_bgp = matches!(
        failure.code,
        Code::BgpDown
            | Code::BgpAsn
            | Code::BgpRole
            | Code::BgpUnreachable
            | Code::BgpTooManyPrefixes
    );
    match peer.verdict {
        Verdict::Down
        | Verdict::Connecting
        | Verdict::Unreachable
        | Verdict::OneWay
        | Verdict::Disabled => true,
        Verdict::NoBgp => of_bgp,
        Verdict::BeyondSilent => failure.code == Code::BeyondSilent,
        Verdict::BeyondPoor => failure.code == Code::BeyondPoor,
        Verdict::NoRoutes
        | Verdict::HostRefuses
        | Verdict::Drained
        | Verdict::Rejecting
        | Verdict::Up => false,
    }
}

fn refused(refusal: &RefusalView) -> String {
    format!("the host refuses the {}: {}", refusal.what, refusal.reason)
}

fn failed(failure: &FailureView) -> String {
    let FailureView { reason, ago_ms, unproven, .. } = failure;
    let whose = if *unproven { ", by somebody at its address" } else { "" };
    format!("{reason} ({} ago{whose})", units::span(*ago_ms))
}

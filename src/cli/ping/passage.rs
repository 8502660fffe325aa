//! How many ESP packets get through each way while echoes go through a tunnel: the receivers' sequence
//! numbers show it, of every packet and not of echoes only.

use crate::cli::client;
use crate::cli::gateways::Target;
use crate::cli::look::{BAD, Look};
use crate::cli::objects::{Lost, Passage};
use crate::control::{ArrivalsView, PassageView, Request};
use std::time::{Duration, Instant};

/// How long the peer may take to report.
const PATIENCE: Duration = Duration::from_secs(1);
/// It is asked again after this, as inquiries and reports get lost like all packets.
const REPEAT: Duration = Duration::from_millis(60);

/// What was counted at one moment.
pub(super) struct Counted {
    /// Our packets at the peer, if it has told.
    there: Option<PassageView>,
    /// The peer's packets here.
    here: PassageView,
}

impl Counted {
    /// Asks a gateway, and by it the peer; nothing when the gateway does not count.
    pub(super) fn now(gateway: &Target, peer: &str) -> Option<Counted> {
        let until = Instant::now() + PATIENCE;
        let first = ask(gateway, peer)?;
        let mut last = first.clone();
        while let Some(inquiry) = first.inquiry
            && Instant::now() < until
        {
            std::thread::sleep(REPEAT);
            last = ask(gateway, peer)?;
            if let Some(report) = last.report.filter(|report| report.inquiry >= inquiry) {
                return Some(Counted { there: Some(report.there), here: report.here });
            }
        }
        Some(Counted { there: None, here: last.here })
    }

    /// What became of the packets since `before`.
    pub(super) fn since(&self, before: &Counted) -> Passage {
        let there = self.there.zip(before.there).and_then(|(now, then)| now.since(&then));
        let back = self.here.since(&before.here);
        Passage { there: there.and_then(lost), back: back.and_then(lost) }
    }
}

/// Of nothing nobody knows whether it gets through.
fn lost(passage: PassageView) -> Option<Lost> {
    (passage.sent() > 0).then(|| Lost { sent: passage.sent(), lost: passage.lost })
}

fn ask(gateway: &Target, peer: &str) -> Option<ArrivalsView> {
    let body = client::ask(&gateway.socket, &Request::Arrivals { peer: peer.to_owned() }).ok()?;
    serde_json::from_str(&body).ok()
}

/// Both ways in words.
pub(super) fn in_words(passage: &Passage, look: Look) -> String {
    let way = |name: &str, lost: Option<Lost>| match lost {
        None => format!("{name} not known"),
        Some(Lost { sent, lost: 0 }) => format!("{name} none of {sent} lost"),
        Some(Lost { sent, lost }) => look.paint(BAD, &format!("{name} {lost} of {sent} lost")),
    };
    format!("ESP packets: {}, {}", way("there", passage.there), way("back", passage.back))
}

#[cfg(test)]
mod tests;

//! Views of many peers, page by page, in the order of their names: what is told stays right when
//! peers come and go between two pages.

use super::peer::Seen;
use super::{Gateway, millis};
use crate::control::{
    EventView, EventsView, Mark, MetricsView, NatView, Page, PeersView, Reply, SasView, VpcsView,
};
use crate::gateway::events::{Entry, PastEvent};
use crate::net::PeerId;
use crate::time::{Timestamp, WallTime};
use std::ops::Bound;

/// Peers on a page: some ten microseconds each, so that a page takes a few milliseconds at most.
const PEERS: usize = 128;
/// Events on a page: some are copied, none is looked up.
const EVENTS: usize = 512;

impl Gateway {
    pub(super) fn peers_page(&self, after: Option<&Mark>, now: Timestamp) -> Page {
        let (page, next) = self.peers_after(after);
        let peers = page.iter().map(|seen| self.peer_summary(seen, now)).collect();
        Page { reply: Reply::Peers(PeersView { gateway: self.gateway_view(now), peers }), next }
    }

    pub(super) fn sas_page(&self, after: Option<&Mark>, now: Timestamp) -> Page {
        let (page, next) = self.peers_after(after);
        let tunnels = page.iter().map(|seen| self.tunnel_sas(seen, now)).collect();
        let gateway = self.config.gateway.name.clone();
        Page { reply: Reply::Sas(SasView { gateway, tunnels }), next }
    }

    pub(super) fn metrics_page(
        &self,
        after: Option<&Mark>,
        (now, wall): (Timestamp, WallTime),
    ) -> Page {
        let (page, next) = self.peers_after(after);
        let (reloaded, successful) = self.journal.last_reload();
        let view = MetricsView {
            unix_ms: wall.as_unix_micros() / 1000,
            events: self.journal.tally().by_name(),
            reload_successful: successful,
            reloaded_ago_ms: millis(now.since(reloaded.unwrap_or(self.started))),
            gateway: self.gateway_view(now),
            peers: page.iter().map(|seen| self.peer_metrics(seen, now)).collect(),
            virtual_routers: self.vrrp_view(now).routers,
            // The pages behind the first bring only peers.
            vpcs: if after.is_none() { self.counted_vpcs(now) } else { VpcsView::default() },
            nat: if after.is_none() { self.whole_nat_view() } else { NatView::default() },
            stats: self.stats_view(),
        };
        Page { reply: Reply::Metrics(Box::new(view)), next }
    }

    pub(super) fn events_page(&self, known: u64, after: Option<&Mark>, now: Timestamp) -> Page {
        let from = match after {
            Some(Mark::Event(number)) => *number,
            Some(Mark::Peer(_) | Mark::Route { .. } | Mark::Rejected { .. } | Mark::Vpc(_))
            | None => known,
        };
        let page: Vec<&Entry> = self.journal.after(from).take(EVENTS).collect();
        let full = page.len() == EVENTS;
        let next = page.last().filter(|_| full).map(|entry| Mark::Event(entry.number));
        let view = |entry: &&Entry| EventView {
            number: entry.number,
            peer: entry.peer.as_ref().map(|(_, name)| name.to_string()).unwrap_or_default(),
            ..event_view(&entry.event, now)
        };
        let view = EventsView {
            gateway: self.config.gateway.name.clone(),
            events: page.iter().map(view).collect(),
            last: self.journal.last(),
            missed: self.journal.missed(known),
        };
        Page { reply: Reply::Events(view), next }
    }

    /// The peers of a page, and where the next one begins.
    fn peers_after(&self, after: Option<&Mark>) -> (Vec<Seen<'_>>, Option<Mark>) {
        let from = match after {
            Some(Mark::Peer(name)) => Bound::Excluded(name.as_str()),
            Some(Mark::Route { .. } | Mark::Rejected { .. } | Mark::Event(_) | Mark::Vpc(_))
            | None => Bound::Unbounded,
        };
        let behind = self.names.range::<str, _>((from, Bound::Unbounded));
        let page: Vec<(&String, &PeerId)> = behind.take(PEERS).collect();
        let full = page.len() == PEERS;
        let last = page.last().filter(|_| full).map(|(name, _)| Mark::Peer((*name).clone()));
        (page.into_iter().filter_map(|(_, peer)| self.seen(*peer)).collect(), last)
    }
}

/// An event as views show it, without its number.
pub(super) fn event_view(event: &PastEvent, now: Timestamp) -> EventView {
    let fact = &event.fact;
    EventView {
        number: 0,
        ago_ms: millis(now.since(event.at)),
        code: fact.code,
        severity: fact.code.severity(),
        peer: String::new(),
        what: fact.text.clone(),
        ours: fact.ours.clone(),
        theirs: fact.theirs.clone(),
        remedy: fact.remedy.clone(),
    }
}

//! Views of many peers, page by page, in the order of their names: what is told stays right when
//! peers come and go between two pages.

use super::Gateway;
use super::peer::Seen;
use crate::control::{Mark, MetricsView, Page, PeersView, Reply, SasView};
use crate::net::PeerId;
use crate::time::Timestamp;
use std::ops::Bound;

/// Peers on a page: some ten microseconds each, so that a page takes a few milliseconds at most.
const PEERS: usize = 128;

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

    pub(super) fn metrics_page(&self, after: Option<&Mark>, now: Timestamp) -> Page {
        let (page, next) = self.peers_after(after);
        let view = MetricsView {
            gateway: self.gateway_view(now),
            peers: page.iter().map(|seen| self.peer_metrics(seen, now)).collect(),
            virtual_routers: self.vrrp_view(now).routers,
            stats: self.stats_view(),
        };
        Page { reply: Reply::Metrics(Box::new(view)), next }
    }

    /// The peers of a page, and where the next one begins.
    fn peers_after(&self, after: Option<&Mark>) -> (Vec<Seen<'_>>, Option<Mark>) {
        let from = match after {
            Some(Mark::Peer(name)) => Bound::Excluded(name.as_str()),
            Some(Mark::Route { .. } | Mark::Rejected { .. }) | None => Bound::Unbounded,
        };
        let behind = self.names.range::<str, _>((from, Bound::Unbounded));
        let page: Vec<(&String, &PeerId)> = behind.take(PEERS).collect();
        let full = page.len() == PEERS;
        let last = page.last().filter(|_| full).map(|(name, _)| Mark::Peer((*name).clone()));
        (page.into_iter().filter_map(|(_, peer)| self.seen(*peer)).collect(), last)
    }
}

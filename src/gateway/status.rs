//! What the operator sees: views of the running gateway, made when they are asked for.
//!
//! States come from what packets see: a peer is up when its SAs are in the published snapshot
//! and it answers; traffic is what the packet path counted.

mod peer;
mod routes;

use super::redundancy::{Member, VirtualRouterId};
use super::{Gateway, Health};
use crate::control::{
    self, Failure, FailureKind, Family, GatewayView, MetricsSource, PeersView, Reply, Request,
    SasView, StatsView, TunnelSas, VirtualRouterState, VirtualRouterView, VrrpView,
};
use crate::moment::Moment;
use crate::net::PeerId;
use crate::routing::vrrp;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

impl Gateway {
    /// Answers a request. [`Request::Reload`] is the daemon's: a gateway reads no files.
    pub fn handle_request(&mut self, request: &Request, at: &mut Moment<'_>) -> Reply {
        match request {
            Request::Peers => Reply::Peers(self.peers_view(at.now)),
            Request::Peer(name) => self.about_peer(name, |gateway, peer| {
                gateway.peer_view(peer, at.now).map(|view| Reply::Peer(Box::new(view)))
            }),
            Request::Routes => Reply::Routes(self.routes_view()),
            Request::Sas => Reply::Sas(self.sas_view(at.now)),
            Request::Vrrp => Reply::Vrrp(self.vrrp_view(at.now)),
            Request::Stats => Reply::Stats(self.stats_view()),
            Request::Metrics => Reply::Metrics(self.metrics(at.now)),
            Request::Reload => Reply::failed(FailureKind::BadRequest, "a gateway reads no files"),
            Request::Rekey { peer, sa } => {
                self.act_on_peer(peer, at.now, |gateway, peer| gateway.rekey(peer, *sa, at))
            }
            Request::Initiate { peer } => {
                self.act_on_peer(peer, at.now, |gateway, peer| gateway.initiate(peer, at))
            }
            Request::Terminate { peer } => {
                self.act_on_peer(peer, at.now, |gateway, peer| gateway.terminate(peer, at))
            }
        }
    }

    /// Takes over what the data plane counted outside any tunnel, to be shown with the rest.
    pub fn note_dataplane(&mut self, counters: BTreeMap<String, u64>) {
        self.dataplane = counters;
    }

    fn about_peer(
        &self,
        name: &str,
        view: impl FnOnce(&Gateway, PeerId) -> Option<Reply>,
    ) -> Reply {
        let peer = self.config.peer_named(name).map(|(id, _)| id);
        peer.and_then(|peer| view(self, peer)).unwrap_or_else(|| self.no_such_peer(name))
    }

    pub(super) fn no_such_peer(&self, name: &str) -> Reply {
        let names = self.config.peers.values().map(|peer| peer.name.as_str());
        Reply::Failed(Failure::no_such_peer(name, names))
    }

    fn gateway_view(&self, now: Timestamp) -> GatewayView {
        let gateway = &self.config.gateway;
        GatewayView {
            name: gateway.name.clone(),
            region: gateway.region.clone(),
            zone: gateway.zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: gateway.identity.to_string(),
            asn: gateway.asn,
            router_id: gateway.router_id,
            up_for_ms: millis(now.since(self.started)),
        }
    }

    fn peers_view(&self, now: Timestamp) -> PeersView {
        let mut peers: Vec<_> =
            self.tunnels.keys().filter_map(|peer| self.peer_summary(*peer, now)).collect();
        peers.sort_by(|a, b| a.name.cmp(&b.name));
        PeersView { gateway: self.gateway_view(now), peers }
    }

    fn sas_view(&self, now: Timestamp) -> SasView {
        let mut tunnels: Vec<TunnelSas> =
            self.tunnels.keys().filter_map(|peer| self.tunnel_sas(*peer, now)).collect();
        tunnels.sort_by(|a, b| a.peer.cmp(&b.peer));
        SasView { gateway: self.config.gateway.name.clone(), tunnels }
    }

    fn vrrp_view(&self, now: Timestamp) -> VrrpView {
        let routers =
            self.redundancy.members().map(|(id, member)| self.router_view(id, member, now));
        VrrpView { gateway: self.config.gateway.name.clone(), routers: routers.collect() }
    }

    fn router_view(
        &self,
        id: &VirtualRouterId,
        member: &Member,
        now: Timestamp,
    ) -> VirtualRouterView {
        let vpc = self.config.vpcs.get(&id.vpc).map(|vpc| vpc.name.clone());
        VirtualRouterView {
            vpc: vpc.unwrap_or_default(),
            interface: id.interface.clone(),
            vrid: id.vrid,
            family: if id.ipv4 { Family::Ipv4 } else { Family::Ipv6 },
            state: match member.state() {
                vrrp::State::Initialize => VirtualRouterState::Initialize,
                vrrp::State::Backup => VirtualRouterState::Backup,
                vrrp::State::Active => VirtualRouterState::Active,
            },
            state_for_ms: millis(now.since(member.since())),
            priority: member.priority(),
            addresses: member.addresses(id.ipv4),
            active_router: member.active_router(),
        }
    }

    fn stats_view(&self) -> StatsView {
        let stats = self.ike.stats();
        let totals = [
            ("received", stats.received),
            ("sent", stats.sent),
            ("retransmitted", stats.retransmitted),
        ];
        let ike = stats.discards().filter(|(_, count)| *count > 0);
        let ike = ike.map(|(reason, count)| (reason.name(), count)).chain(totals);
        let mut discards = BTreeMap::new();
        let vpcs = self.vpcs.values().map(|vpc| vpc.discards.as_ref());
        for counters in vpcs.chain([self.publisher.discards()]) {
            for (reason, count) in counters.occurred() {
                *discards.entry(reason.name().to_owned()).or_insert(0) += count;
            }
        }
        StatsView {
            gateway: self.config.gateway.name.clone(),
            ike: ike.map(|(name, count)| (name.to_owned(), count)).collect(),
            discards,
            dataplane: self.dataplane.clone(),
        }
    }

    fn metrics(&self, now: Timestamp) -> String {
        let peers: Vec<_> =
            self.tunnels.keys().filter_map(|peer| self.peer_view(*peer, now)).collect();
        control::render_metrics(&MetricsSource {
            gateway: &self.gateway_view(now),
            peers: &peers,
            virtual_routers: &self.vrrp_view(now).routers,
            stats: &self.stats_view(),
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

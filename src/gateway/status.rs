//! What the operator sees: views of the running gateway, made when they are asked for.
//!
//! States come from what packets see: a peer is up when its SAs are in the published snapshot
//! and it answers; traffic is what the packet path counted. A view of many things is made page by
//! page ([`pages`]), and looks at each of them once.

mod certificates;
mod failures;
mod keys;
mod nat;
mod pages;
mod peer;
mod refusals;
mod routes;
mod vpc_routers;
mod vpcs;
mod why;

use super::Gateway;
use super::redundancy::{Member, VirtualRouterId};
use super::world::Counters;
use crate::control::{
    Failure, FailureKind, Family, GatewayView, Mark, Page, Reply, Request, StatsView, TroubleView,
    VirtualRouterState, VirtualRouterView, VrrpView,
};
use crate::moment::Moment;
use crate::routing::vrrp;
use crate::time::{Timestamp, WallTime};
use std::collections::BTreeMap;
use std::time::Duration;

impl Gateway {
    /// Answers a request as a whole. Where a long view must not hold up other inputs,
    /// [`Gateway::handle_page`] answers in parts.
    pub fn handle_request(&mut self, request: &Request, at: &mut Moment<'_>) -> Reply {
        let Page { mut reply, mut next } = self.handle_page(request, None, at);
        while let Some(mark) = next {
            let page = self.handle_page(request, Some(&mark), at);
            reply.extend(page.reply);
            next = page.next;
        }
        reply
    }

    /// Answers a request, or goes on with the answer behind `after`. Reloads and the log are the
    /// daemon's: a gateway reads no files and writes none.
    pub fn handle_page(
        &mut self,
        request: &Request,
        after: Option<&Mark>,
        at: &mut Moment<'_>,
    ) -> Page {
        let now = at.now;
        let reply = match request {
            Request::Peers => return self.peers_page(after, now),
            Request::Sas => return self.sas_page(after, now),
            Request::Metrics => return self.metrics_page(after, (now, at.wall)),
            Request::Routes => return self.routes_page(after),
            Request::Vpcs => return self.vpcs_page(after, now),
            Request::Nat => return self.nat_page(after),
            Request::Events { after: known } => return self.events_page(*known, after, now),
            Request::Peer(name) => self.about_peer(name, (now, at.wall)),
            Request::Why { to, from, ports } => {
                self.why(why::Packet { to: *to, from: *from, ports: *ports }, now)
            }
            Request::Vrrp => Reply::Vrrp(self.vrrp_view(now)),
            Request::Stats => Reply::Stats(self.stats_view()),
            Request::Reload { .. } | Request::Confirm | Request::Plan | Request::Log { .. } => {
                Reply::failed(FailureKind::BadRequest, "a gateway reads no files and writes no log")
            }
            Request::Drain => self.drain(now),
            Request::Undrain => self.undrain(now),
            Request::DrainState => self.drain_state(now),
            Request::Disable { peer } => {
                self.act_on_peer(peer, now, |gateway, peer| gateway.disable(peer, at))
            }
            Request::Enable { peer } => {
                self.act_on_peer(peer, now, |gateway, peer| gateway.enable(peer, at))
            }
            Request::Keys { peer } => {
                self.act_on_peer(peer, now, |gateway, peer| gateway.keys(peer, now))
            }
            Request::Arrivals { peer } => {
                self.act_on_peer(peer, now, |gateway, peer| gateway.count_arrivals(peer))
            }
            Request::Rekey { peer, sa } => {
                self.act_on_peer(peer, now, |gateway, peer| gateway.rekey(peer, *sa, at))
            }
            Request::Initiate { peer } => {
                self.act_on_peer(peer, now, |gateway, peer| gateway.initiate(peer, at))
            }
            Request::Terminate { peer } => {
                self.act_on_peer(peer, now, |gateway, peer| gateway.terminate(peer, at))
            }
        };
        Page::from(reply)
    }

    /// Takes over what the data plane counted outside any tunnel, to be shown with the rest.
    pub fn note_dataplane(&mut self, counters: BTreeMap<String, u64>) {
        self.dataplane = counters;
    }

    fn about_peer(&self, name: &str, now: (Timestamp, WallTime)) -> Reply {
        let seen = self.names.get(name).and_then(|peer| self.seen(*peer));
        match seen {
            Some(seen) => Reply::Peer(Box::new(self.peer_view(&seen, now))),
            None => self.no_such_peer(name),
        }
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
            drain: self.drain_view(now),
        }
    }

    fn drain_state(&self, now: Timestamp) -> Reply {
        match self.drain_view(now) {
            Some(view) => Reply::Drain(view),
            None => Reply::failed(FailureKind::NotNow, "the gateway is not drained: vpnctl drain"),
        }
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
            discards: member.counts().into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect(),
            last_trouble: member.troubles.last().map(|(at, trouble)| TroubleView {
                what: trouble.to_string(),
                ago_ms: millis(now.since(*at)),
            }),
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
        let ike = ike.chain(self.unsent.counts());
        let mut discards = BTreeMap::new();
        let vpcs = self.vpcs.values().map(|vpc| vpc.discards.as_ref());
        for counters in vpcs.chain([self.publisher.discards()]) {
            for (reason, count) in counters.occurred() {
                *discards.entry(reason.name().to_owned()).or_insert(0) += count;
            }
        }
        let unknown = Some(self.redundancy.unknown()).filter(|count| *count > 0);
        discards.extend(unknown.map(|count| ("vrrp_unknown_vrid".to_owned(), count)));
        StatsView {
            gateway: self.config.gateway.name.clone(),
            ike: ike.map(|(name, count)| (name.to_owned(), count)).collect(),
            discards,
            dataplane: self.dataplane.clone(),
            host: self.host_counts(),
            host_refuses: u64::try_from(self.world.refused()).unwrap_or(u64::MAX),
            host_rules: self.marking_rules.iter().cloned().collect(),
        }
    }

    /// What became of wishes to the host; what never happened is left out.
    fn host_counts(&self) -> BTreeMap<String, u64> {
        let Counters { refused, lost, repeated } = self.world.counters();
        let counts = [("refused", refused), ("retried", repeated), ("put_back", lost)];
        let occurred = counts.into_iter().filter(|(_, count)| *count > 0);
        occurred.map(|(name, count)| (name.to_owned(), count)).collect()
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

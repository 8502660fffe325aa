//! Views of routes, with the reason for every choice.

use super::Gateway;
use crate::config::PeerConfig;
use crate::control::{
    Mark, Page, PathView, RejectedRouteView, Reply, RouteView, RoutesView, ShareView, VpcRoutes,
};
use crate::gateway::routes::Group;
use crate::gateway::vpc::Vpc;
use crate::gateway::world::Refusal;
use crate::net::{PeerId, Prefix, VpcId};
use crate::routing;
use std::net::IpAddr;

/// Routes and rejected announcements on a page: a few microseconds each.
const ROUTES: usize = 512;

/// What is to be told of a VPC.
#[derive(Clone, Copy)]
enum Part {
    Routes { after: Option<Prefix> },
    Rejected { after: Option<(PeerId, Prefix)> },
}

impl Gateway {
    pub(super) fn routes_page(&self, after: Option<&Mark>) -> Page {
        let (first, begun) = match after {
            Some(&Mark::Route { vpc, prefix }) => (vpc, Part::Routes { after: prefix }),
            Some(&Mark::Rejected { vpc, announced }) => (vpc, Part::Rejected { after: announced }),
            Some(Mark::Peer(_) | Mark::Event(_) | Mark::Vpc(_)) | None => {
                (VpcId(0), Part::Routes { after: None })
            }
        };
        let (mut vpcs, mut room, mut next) = (Vec::new(), ROUTES, None);
        for (&id, vpc) in self.vpcs.range(first..) {
            if room == 0 {
                next = Some(Mark::Route { vpc: id, prefix: None });
                break;
            }
            let part = if id == first { begun } else { Part::Routes { after: None } };
            let (view, more) = self.vpc_routes(vpc, part, room);
            // A VPC without routes takes its place, too.
            room = room.saturating_sub((view.routes.len() + view.rejected.len()).max(1));
            vpcs.push(view);
            if more.is_some() {
                next = more;
                break;
            }
        }
        let gateway = self.config.gateway.name.clone();
        Page { reply: Reply::Routes(RoutesView { gateway, vpcs }), next }
    }

    /// At most `room` routes and rejections of a VPC, and where its next page begins.
    fn vpc_routes(&self, vpc: &Vpc, part: Part, room: usize) -> (VpcRoutes, Option<Mark>) {
        let id = vpc.id;
        let name = self.config.vpcs.get(&id).map(|config| config.name.clone());
        let (routes, after) = match part {
            Part::Routes { after } => (vpc.router.routes(after, room), None),
            Part::Rejected { after } => (Vec::new(), after),
        };
        let mut view = VpcRoutes {
            vpc: name.unwrap_or_default(),
            routes: routes.iter().map(|route| self.route(vpc, route)).collect(),
            rejected: Vec::new(),
        };
        let left = room - routes.len();
        if let Some(last) = routes.last().filter(|_| left == 0) {
            return (view, Some(Mark::Route { vpc: id, prefix: Some(last.prefix) }));
        }
        let rejected: Vec<_> = vpc.router.rejected(after).take(left).collect();
        view.rejected = rejected.iter().map(|entry| self.rejected_route(vpc, entry)).collect();
        let full = rejected.len() == left;
        let last = rejected.last().filter(|_| full).map(|(peer, prefix, _)| (*peer, *prefix));
        (view, last.map(|last| Mark::Rejected { vpc: id, announced: Some(last) }))
    }

    fn rejected_route(
        &self,
        vpc: &Vpc,
        (peer, prefix, why): &(PeerId, Prefix, routing::RejectReason),
    ) -> RejectedRouteView {
        let peer = self.neighbor_name(vpc, *peer);
        RejectedRouteView { prefix: *prefix, peer, reason: why.to_string() }
    }

    fn route(&self, vpc: &Vpc, route: &routing::RouteView) -> RouteView {
        let group = vpc.routes.group_of(&route.prefix);
        let choice = group.and_then(|group| group.choice.as_ref());
        let shared = group.map_or_else(Vec::new, |group| self.shares(group));
        let best = match shared.as_slice() {
            [] => route.reason.map(|reason| reason.to_string()),
            [..] => Some("equally good".to_owned()),
        };
        let wish = self.world.route(vpc.id, route.prefix);
        // A VPC without its device or its rules has no route that packets would find.
        let missing = vpc.refused().first().or(wish);
        let stands = wish.is_some_and(|wish| self.world.stands(wish));
        let routed = route.local || (stands && vpc.refused().is_empty());
        let refusal = missing.and_then(|missing| Some((missing, self.world.refusal(missing)?)));
        if let Some(next_hop) = route.home {
            return self.route_home(vpc, route, next_hop);
        }
        let reason = match (route.local, choice, refusal) {
            (true, _, _) => "our own".to_owned(),
            (false, None, _) => self.why_unusable(route),
            (false, Some(_), Some((missing, Refusal { why, .. }))) if Some(missing) == wish => {
                format!("the host refuses the route: {why}")
            }
            (false, Some(_), Some((missing, Refusal { why, .. }))) => {
                format!("the host refuses the {missing}: {why}")
            }
            (false, Some(_), None) if !routed => "the host has not answered yet".to_owned(),
            (false, Some(_), None) => best.unwrap_or_default(),
        };
        RouteView {
            prefix: route.prefix,
            local: route.local,
            active: group
                .and_then(Group::first)
                .filter(|_| !route.local && routed)
                .map(|peer| self.peer_name(peer)),
            shared: if routed { shared } else { Vec::new() },
            next_hop: None,
            reason,
            paths: route.paths.iter().map(|path| self.path(vpc, path)).collect(),
        }
    }

    /// A prefix that a router of the VPC has announced.
    fn route_home(&self, vpc: &Vpc, route: &routing::RouteView, next_hop: IpAddr) -> RouteView {
        let wish = self.world.onward(vpc.id, route.prefix);
        let refusal = wish.and_then(|wish| self.world.refusal(wish));
        let stands = wish.is_some_and(|wish| self.world.stands(wish));
        let best = route.paths.first().map(|path| self.neighbor_name(vpc, path.peer));
        let reason = match (refusal, route.reason) {
            (Some(Refusal { why, .. }), _) => format!("the host refuses the route: {why}"),
            (None, _) if !stands => "the host has not answered yet".to_owned(),
            (None, reason) => reason.map(|reason| reason.to_string()).unwrap_or_default(),
        };
        RouteView {
            prefix: route.prefix,
            local: route.local,
            active: best.filter(|_| stands),
            shared: Vec::new(),
            next_hop: Some(next_hop),
            reason,
            paths: route.paths.iter().map(|path| self.path(vpc, path)).collect(),
        }
    }

    /// Why no tunnel carries packets to a prefix.
    fn why_unusable(&self, route: &routing::RouteView) -> String {
        let is_up = |path: &&routing::PathView| self.health(path.peer).is_usable();
        match route.paths.iter().find(is_up) {
            Some(path) if !path.usable => {
                format!("no Child SA of {} permits it", self.peer_name(path.peer))
            }
            Some(_) | None => "no usable tunnel".to_owned(),
        }
    }

    fn path(&self, vpc: &Vpc, path: &routing::PathView) -> PathView {
        let in_vpc = vpc.routers.get(path.peer).is_some();
        PathView {
            peer: self.neighbor_name(vpc, path.peer),
            usable: path.usable && (in_vpc || self.health(path.peer).is_usable()),
            local_preference: path.local_preference,
            as_path: path.attributes.as_path.to_string(),
        }
    }

    /// Who shares the flows of a group, and how; empty where one carries all.
    pub(super) fn shares(&self, group: &Group) -> Vec<ShareView> {
        let peers = group.choice.iter().flat_map(|choice| choice.peers.iter());
        let share = |peer: &PeerId| {
            let percent = (10.0 * group.percent(*peer)?).round() / 10.0;
            Some(ShareView { peer: self.peer_name(*peer), percent })
        };
        peers.filter_map(share).collect()
    }

    /// The peers that share flows with one.
    pub(super) fn sharing_with(&self, peer: PeerId, vpc: &Vpc) -> Vec<String> {
        vpc.routes.sharing_with(peer).into_iter().map(|other| self.peer_name(other)).collect()
    }

    /// Whether a peer may share flows with others.
    pub(super) fn may_share(&self, peer: &PeerConfig) -> bool {
        self.config.vpcs.get(&peer.vpc).is_some_and(|vpc| vpc.multipath)
    }

    pub(in crate::gateway) fn peer_name(&self, peer: PeerId) -> String {
        self.config.peers.get(&peer).map(|config| config.name.clone()).unwrap_or_default()
    }
}

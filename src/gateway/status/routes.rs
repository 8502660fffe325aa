//! Views of routes, with the reason for every choice.

use super::Gateway;
use crate::control::{PathView, RejectedRouteView, RouteView, RoutesView, VpcRoutes};
use crate::gateway::failover::Health;
use crate::gateway::vpc::Vpc;
use crate::net::PeerId;
use crate::routing;

impl Gateway {
    pub(super) fn routes_view(&self) -> RoutesView {
        let vpcs = self.vpcs.values().map(|vpc| self.vpc_routes(vpc)).collect();
        RoutesView { gateway: self.config.gateway.name.clone(), vpcs }
    }

    fn vpc_routes(&self, vpc: &Vpc) -> VpcRoutes {
        let name = self.config.vpcs.get(&vpc.id).map(|config| config.name.clone());
        let rejected = vpc.router.neighbors().into_iter().flat_map(|neighbor| {
            let peer = self.peer_name(neighbor.peer);
            neighbor.rejected.into_iter().map(move |(prefix, why)| RejectedRouteView {
                prefix,
                peer: peer.clone(),
                reason: why.to_string(),
            })
        });
        VpcRoutes {
            vpc: name.unwrap_or_default(),
            routes: vpc.router.routes().iter().map(|route| self.route(vpc, route)).collect(),
            rejected: rejected.collect(),
        }
    }

    fn route(&self, vpc: &Vpc, route: &routing::RouteView) -> RouteView {
        let group = vpc.routes.group_of(&route.prefix);
        let choice = group.and_then(|group| group.choice.as_ref());
        let best = route.reason.map(|reason| reason.to_string());
        let reason = match (route.local, choice) {
            (true, _) => "our own".to_owned(),
            (false, None) => "no usable tunnel".to_owned(),
            (false, Some(_)) => best.unwrap_or_default(),
        };
        RouteView {
            prefix: route.prefix,
            local: route.local,
            active: choice.filter(|_| !route.local).map(|choice| self.peer_name(choice.peer)),
            reason,
            paths: route.paths.iter().map(|path| self.path(path)).collect(),
        }
    }

    fn path(&self, path: &routing::PathView) -> PathView {
        PathView {
            peer: self.peer_name(path.peer),
            usable: self.health(path.peer) == Health::Usable,
            local_preference: path.local_preference,
            as_path: path.attributes.as_path.to_string(),
        }
    }

    fn peer_name(&self, peer: PeerId) -> String {
        self.config.peers.get(&peer).map(|config| config.name.clone()).unwrap_or_default()
    }
}

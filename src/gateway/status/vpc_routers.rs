//! The routers of VPCs as operators see them.

use super::millis;
use super::peer::count;
use crate::config::VpcRouterConfig;
use crate::control::{BgpView, FailureView, VpcRouterView};
use crate::gateway::diagnosis::Fact;
use crate::gateway::vpc_routers::party;
use crate::gateway::{Gateway, Vpc};
use crate::net::{Asn, PeerId, VpcId};
use crate::routing::bgp;
use crate::time::Timestamp;

impl Gateway {
    /// The routers of a VPC.
    pub(super) fn router_views(&self, id: VpcId, now: Timestamp) -> Vec<VpcRouterView> {
        let Some(vpc) = self.vpcs.get(&id) else { return Vec::new() };
        vpc.routers
            .iter()
            .filter_map(|(id, router)| self.vpc_router(vpc, id, router, now))
            .collect()
    }

    fn vpc_router(
        &self,
        vpc: &Vpc,
        id: PeerId,
        router: &VpcRouterConfig,
        now: Timestamp,
    ) -> Option<VpcRouterView> {
        let neighbor = vpc.router.neighbor(id)?;
        let up = neighbor.state == Some(bgp::State::Established);
        let own = self.config.gateway.asn;
        let trouble = neighbor.last_down.as_ref().filter(|_| !up);
        let trouble = trouble.map(|reason| Fact::of_bgp(reason, own, &party(router)));
        Some(VpcRouterView {
            name: router.name.clone(),
            up,
            prefixes_accepted: count(neighbor.accepted),
            prefixes_rejected: count(neighbor.rejected.len()),
            bgp: BgpView {
                state: neighbor.state.map(|state| state.to_string()).unwrap_or_default(),
                state_for_ms: millis(now.since(neighbor.since)),
                local: router.local_address,
                remote: router.address,
                local_asn: own.unwrap_or(Asn(0)),
                remote_asn: router.remote_asn,
                hold_time_ms: millis(neighbor.hold_time.unwrap_or(router.hold_time)),
                prefixes_announced: count(neighbor.announced),
                last_down: neighbor.last_down.map(|reason| reason.to_string()),
                peer_can: neighbor.peer_can,
                prefixes_stale: count(neighbor.stale),
            },
            trouble: trouble.map(|fact| FailureView {
                code: fact.code,
                reason: fact.text,
                ours: fact.ours,
                theirs: fact.theirs,
                remedy: fact.remedy,
                ago_ms: millis(now.since(neighbor.since)),
                unproven: false,
            }),
        })
    }
}

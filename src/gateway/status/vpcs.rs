//! The VPCs as operators see them, with the segments in which their hosts are.

use crate::config::{MapConfig, VpcConfig, VxlanConfig};
use crate::control::{
    MapView, Mark, Page, RefusalView, Reply, SegmentView, StationView, VpcView, VpcsView, VtepView,
};
use crate::gateway::world::{SegmentCounters, Wish};
use crate::gateway::{Gateway, device_mtu};
use crate::net::{Mapping, VpcId};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::ops::Bound;

/// VPCs of one page: stations of theirs are many.
const VPCS: usize = 16;

impl Gateway {
    /// A page of the VPCs, behind those that `after` names.
    pub(super) fn vpcs_page(&self, after: Option<&Mark>, now: Timestamp) -> Page {
        let begin = match after {
            Some(Mark::Vpc(id)) => Bound::Excluded(*id),
            Some(Mark::Peer(_) | Mark::Event(_) | Mark::Route { .. } | Mark::Rejected { .. })
            | None => Bound::Unbounded,
        };
        let rest = self.config.vpcs.range((begin, Bound::Unbounded));
        let page: Vec<(VpcId, &VpcConfig)> = rest.take(VPCS).map(|(id, vpc)| (*id, vpc)).collect();
        let next = page.last().filter(|_| page.len() == VPCS).map(|(id, _)| Mark::Vpc(*id));
        Page { reply: Reply::Vpcs(self.vpcs_view(&page, now)), next }
    }

    /// The VPCs that have a segment or routers, for metrics.
    pub(super) fn counted_vpcs(&self, now: Timestamp) -> VpcsView {
        let is_counted = |vpc: &VpcConfig| vpc.vxlan.is_some() || !vpc.routers.is_empty();
        let in_segments = self.config.vpcs.iter().filter(|(_, vpc)| is_counted(vpc));
        let vpcs: Vec<(VpcId, &VpcConfig)> = in_segments.map(|(id, vpc)| (*id, vpc)).collect();
        self.vpcs_view(&vpcs, now)
    }

    fn vpcs_view(&self, vpcs: &[(VpcId, &VpcConfig)], now: Timestamp) -> VpcsView {
        let mut refusals = self.refusals_by_vpc();
        let view = |(id, vpc): &(VpcId, &VpcConfig)| {
            self.vpc_view(*id, vpc, refusals.remove(id).unwrap_or_default(), now)
        };
        let vpcs = vpcs.iter().map(view).collect();
        let gateway = self.config.gateway.name.clone();
        // One counter serves all segments.
        let unknown = self.segments.values().map(|counters| counters.unknown_vni).max();
        VpcsView { gateway, vpcs, unknown_vni: unknown.unwrap_or_default() }
    }

    fn vpc_view(
        &self,
        id: VpcId,
        config: &VpcConfig,
        refusals: Vec<RefusalView>,
        now: Timestamp,
    ) -> VpcView {
        VpcView {
            vpc: config.name.clone(),
            netns: config.netns.clone(),
            device: config.tun.clone(),
            mtu: device_mtu(&self.config, id),
            interface: config.interface.clone(),
            prefixes: config.prefixes.clone(),
            maps: config.maps.iter().map(map_view).collect(),
            segment: config.vxlan.as_ref().map(|vxlan| self.segment_view(id, vxlan)),
            routers: self.router_views(id, now),
            refusals,
        }
    }

    fn segment_view(&self, id: VpcId, config: &VxlanConfig) -> SegmentView {
        let none = SegmentCounters::default();
        let counters = self.segments.get(&id).unwrap_or(&none);
        let vtep = |address| {
            let counted = counters.vteps.get(address).copied().unwrap_or_default();
            VtepView { address: *address, packets: counted.packets, bytes: counted.bytes }
        };
        let station = |(mac, vtep): (&crate::net::MacAddress, &std::net::IpAddr)| StationView {
            mac: mac.to_string(),
            vtep: *vtep,
        };
        SegmentView {
            vni: config.vni,
            local: config.local,
            port: config.port,
            mtu: config.mtu,
            up: self.world.segment_stands(id),
            vteps: config.vteps.iter().map(vtep).collect(),
            stations: counters.stations.iter().map(station).collect(),
            refused: counters.refused,
        }
    }

    /// What the host refuses of each VPC beside its prefixes, which are shown with their peers.
    fn refusals_by_vpc(&self) -> BTreeMap<VpcId, Vec<RefusalView>> {
        let mut refusals: BTreeMap<VpcId, Vec<RefusalView>> = BTreeMap::new();
        let of_peers = |wish: &&Wish| matches!(wish, Wish::Route { .. } | Wish::Guard { .. });
        for wish in self.world.refused_wishes().filter(|wish| !of_peers(wish)) {
            if let Some(vpc) = wish.vpc() {
                refusals.entry(vpc).or_default().extend(self.refusal_view(wish));
            }
        }
        refusals
    }
}

fn map_view(map: &MapConfig) -> MapView {
    let towards = map.towards.as_ref().map(|peers| peers.iter().cloned().collect());
    MapView { towards, ..known_by(&map.mapping) }
}

/// A mapping that holds towards one peer, as that peer's view shows it.
pub(super) fn known_by(mapping: &Mapping) -> MapView {
    MapView { inside: mapping.inside(), outside: mapping.outside(), towards: None }
}

//! The VPCs as operators see them, with the segments in which their hosts are.

use crate::config::{VpcConfig, VxlanConfig};
use crate::control::{RefusalView, SegmentView, StationView, VpcView, VpcsView, VtepView};
use crate::gateway::world::{SegmentCounters, Wish};
use crate::gateway::{Gateway, device_mtu};
use crate::net::VpcId;

impl Gateway {
    pub(super) fn vpcs_view(&self) -> VpcsView {
        let vpcs = self.config.vpcs.iter().map(|(id, vpc)| self.vpc_view(*id, vpc)).collect();
        let gateway = self.config.gateway.name.clone();
        // One counter serves all segments.
        let unknown = self.segments.values().map(|counters| counters.unknown_vni).max();
        VpcsView { gateway, vpcs, unknown_vni: unknown.unwrap_or_default() }
    }

    fn vpc_view(&self, id: VpcId, config: &VpcConfig) -> VpcView {
        VpcView {
            vpc: config.name.clone(),
            netns: config.netns.clone(),
            device: config.tun.clone(),
            mtu: device_mtu(&self.config, id),
            interface: config.interface.clone(),
            prefixes: config.prefixes.clone(),
            segment: config.vxlan.as_ref().map(|vxlan| self.segment_view(id, vxlan)),
            refusals: self.refusals_of(id),
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

    /// What the host refuses of a VPC beside its prefixes, which are shown with their peers.
    fn refusals_of(&self, id: VpcId) -> Vec<RefusalView> {
        let concerns = |wish: &&Wish| {
            wish.vpc() == Some(id) && !matches!(wish, Wish::Route { .. } | Wish::Guard { .. })
        };
        let refused = self.world.refused_wishes().filter(concerns);
        refused.filter_map(|wish| self.refusal_view(wish)).collect()
    }
}

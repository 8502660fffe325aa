//! What is translated between public addresses and hosts, as operators see it.

use crate::config::VpcConfig;
use crate::control::{EgressView, Mark, NatView, Page, PublicView, RefusalView, Reply, VpcNatView};
use crate::gateway::Gateway;
use crate::gateway::world::{Mapping, NatCounters, Wish, mappings};
use crate::net::VpcId;
use std::ops::Bound;

/// VPCs of one page.
const VPCS: usize = 16;

impl Gateway {
    /// A page of the VPCs that have public addresses, behind those that `after` names.
    pub(super) fn nat_page(&self, after: Option<&Mark>) -> Page {
        let begin = match after {
            Some(Mark::Vpc(id)) => Bound::Excluded(*id),
            Some(Mark::Peer(_) | Mark::Event(_) | Mark::Route { .. } | Mark::Rejected { .. })
            | None => Bound::Unbounded,
        };
        let rest = self.config.vpcs.range((begin, Bound::Unbounded));
        let page: Vec<(VpcId, &VpcConfig)> = rest.take(VPCS).map(|(id, vpc)| (*id, vpc)).collect();
        let next = page.last().filter(|_| page.len() == VPCS).map(|(id, _)| Mark::Vpc(*id));
        Page { reply: Reply::Nat(self.nat_view(page.into_iter())), next }
    }

    /// All of them, for metrics.
    pub(super) fn whole_nat_view(&self) -> NatView {
        self.nat_view(self.config.vpcs.iter().map(|(id, vpc)| (*id, vpc)))
    }

    fn nat_view<'v>(&self, vpcs: impl Iterator<Item = (VpcId, &'v VpcConfig)>) -> NatView {
        let public = vpcs.filter(|(_, vpc)| !vpc.public_addresses().is_empty());
        let vpcs = public.map(|(id, vpc)| self.vpc_nat_view(id, vpc)).collect();
        NatView { gateway: self.config.gateway.name.clone(), vpcs }
    }

    fn vpc_nat_view(&self, id: VpcId, config: &VpcConfig) -> VpcNatView {
        let none = NatCounters::default();
        let counted = self.nat.get(&id).unwrap_or(&none);
        let begun = |all: &[u64], index: usize| all.get(index).copied().unwrap_or_default();
        let all = config.public.iter().flat_map(mappings).enumerate();
        let public = all.map(|(index, one)| public_view(&one, begun(&counted.mappings, index)));
        let egress = config.egress.iter().enumerate().map(|(index, one)| EgressView {
            address: one.address,
            from: one.from.clone(),
            first_port: *one.ports.start(),
            last_port: *one.ports.end(),
            connections: begun(&counted.sources, index),
        });
        VpcNatView {
            vpc: config.name.clone(),
            outlet: config.outlet(),
            up: self.world.outlet_stands(id),
            serving: self.redundancy.serves_publics(id),
            public: public.collect(),
            egress: egress.collect(),
            open: counted.open,
            refused: counted.refused,
            spoofed: counted.spoofed,
            lost: counted.lost,
            untranslated: counted.untranslated,
            refusals: self.nat_refusals(id),
        }
    }

    fn nat_refusals(&self, id: VpcId) -> Vec<RefusalView> {
        let refused = self.world.refused_wishes().filter(|wish| wish.vpc() == Some(id));
        let concerns = |wish: &&Wish| wish.is_for_publics();
        refused.filter(concerns).filter_map(|wish| self.refusal_view(wish)).collect()
    }
}

fn public_view(mapping: &Mapping, connections: u64) -> PublicView {
    let Mapping { address, ports, to } = mapping;
    let words = ports.map(|ports| match ports.first == ports.last {
        true => format!("{}/{}", ports.protocol, ports.first),
        false => format!("{}/{}-{}", ports.protocol, ports.first, ports.last),
    });
    let port = ports.and_then(|ports| ports.to).map(|port| format!(":{port}"));
    let to = format!("{to}{}", port.unwrap_or_default());
    PublicView { address: *address, ports: words, to, connections }
}

//! The gateway as a host: from which of its addresses it speaks to what is behind the tunnels of a
//! VPC, and which addresses are its own, so that what goes to them is no forwarded traffic.
//!
//! Without being told, the kernel takes an address of the device that a packet leaves by, and that is
//! a link-local one that no far host can answer, or an inside address that few peers permit. An
//! address inside the VPC's prefixes is one that every peer knows (RFC 1122 §3.3.4.3).

use super::world::Host;
use super::{Gateway, inner};
use crate::config::{ServiceConfig, VpcConfig};
use crate::forward::{Offer, Services};
use crate::net::{Prefix, PrefixSet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// From where the host speaks to what is behind a VPC's tunnels, in each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnAddresses {
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
}

impl OwnAddresses {
    /// The addresses of `host` that are best known to the peers of a VPC, whose own inside addresses
    /// are `inside`.
    pub(super) fn of(vpc: &VpcConfig, host: &Host, inside: &BTreeSet<IpAddr>) -> OwnAddresses {
        let in_family =
            |ipv4| best(vpc, host, ipv4).or_else(|| inside_address(inside, ipv4).copied());
        OwnAddresses { ipv4: in_family(true), ipv6: in_family(false) }
    }

    /// The one of a family.
    pub(super) fn of_family(&self, ipv4: bool) -> Option<IpAddr> {
        if ipv4 { self.ipv4 } else { self.ipv6 }
    }

    /// The one for a destination.
    pub(super) fn towards(&self, prefix: &Prefix) -> Option<IpAddr> {
        self.of_family(prefix.is_ipv4())
    }
}

/// An address inside the VPC's prefixes: one of its interface, or else of another device. What we
/// have put on the VPC's own device ourselves comes and goes with virtual routers.
fn best(vpc: &VpcConfig, host: &Host, ipv4: bool) -> Option<IpAddr> {
    let fits = |address: &&IpAddr| {
        address.is_ipv4() == ipv4 && vpc.prefixes.iter().any(|prefix| prefix.contains(**address))
    };
    let devices = host.devices_in(vpc.netns.as_deref()).into_iter().flatten();
    let others = devices.filter(|(name, _)| **name != vpc.tun);
    let candidates = others.filter_map(|(name, device)| {
        let first = device.addresses.iter().find(fits)?;
        Some((vpc.interface.as_ref() != Some(name), *first))
    });
    candidates.min().map(|(_, address)| address)
}

/// An inside address that may leave its link.
fn inside_address(inside: &BTreeSet<IpAddr>, ipv4: bool) -> Option<&IpAddr> {
    let leaves_link = |address: &&IpAddr| match address {
        IpAddr::V4(four) => !four.is_link_local(),
        IpAddr::V6(six) => !six.is_unicast_link_local(),
    };
    inside.iter().filter(leaves_link).find(|address| address.is_ipv4() == ipv4)
}

/// What the gateway is as a host in a VPC. `inside` are its addresses inside the tunnels, by those
/// of the peers; `local` is what the kernel takes for itself.
pub(super) fn services(
    vpc: &VpcConfig,
    own: OwnAddresses,
    probing: BTreeSet<IpAddr>,
    inside: (&BTreeSet<IpAddr>, &BTreeMap<IpAddr, IpAddr>),
    local: Arc<PrefixSet>,
) -> Services {
    let (ours, pairs) = inside;
    let hop = |ipv4| {
        let any = || ours.iter().find(|address| address.is_ipv4() == ipv4).copied();
        own.of_family(ipv4).or_else(any)
    };
    let offer = |service: &ServiceConfig| {
        let (first, last) = service.ports.clone().into_inner();
        Offer { protocol: service.protocol, first, last }
    };
    Services {
        inside: ours.clone(),
        peers: pairs.keys().copied().collect(),
        answered: inner::answered(ours),
        own: local,
        probing,
        offered: vpc.services.iter().map(offer).collect(),
        hops: [true, false].into_iter().filter_map(hop).collect(),
    }
}

/// What the kernel takes for itself in the network namespace of a VPC. That is what it was seen to
/// take, and the addresses of virtual routers, which it may take at any moment; everything while
/// nobody has looked.
fn local(vpc: &VpcConfig, host: &Host) -> BTreeSet<Prefix> {
    let Some(devices) = host.devices_in(vpc.netns.as_deref()) else {
        return [Prefix::all_ipv4(), Prefix::all_ipv6()].into();
    };
    let seen = devices.values().flat_map(|device| device.local.iter().copied());
    let virtual_addresses = vpc.vrrp.iter().flat_map(|router| {
        let ipv4 = router.ipv4.iter().map(|address| IpAddr::V4(*address));
        ipv4.chain(router.ipv6.iter().map(|address| IpAddr::V6(*address)))
    });
    seen.chain(virtual_addresses.map(Prefix::host)).collect()
}

impl Gateway {
    /// Follows the host's addresses: they are the sources of what the host itself sends, and what
    /// goes to them is for the host.
    pub(super) fn follow_addresses(&mut self) {
        let mut moved = false;
        // VPCs of one namespace mostly share what is the host's there.
        let mut shared: BTreeMap<BTreeSet<Prefix>, Arc<PrefixSet>> = BTreeMap::new();
        for (id, vpc) in &mut self.vpcs {
            let Some(config) = self.config.vpcs.get(id) else { continue };
            let local = local(config, &self.host);
            let set = || Arc::new(local.iter().copied().collect());
            let set = shared.entry(local.clone()).or_insert_with(set);
            let own = OwnAddresses::of(config, &self.host, &vpc.inside);
            moved |= std::mem::replace(&mut vpc.own, own) != own;
            let inside = (&vpc.inside, &vpc.inside_pairs);
            let peers = self.config.peers_of(*id);
            let probing = peers.filter_map(|(_, peer)| Some(peer.probe?.source)).collect();
            let services = services(config, own, probing, inside, Arc::clone(set));
            if *vpc.services != services {
                vpc.services = Arc::new(services);
                self.publisher.mark_vpc(*id);
            }
        }
        if moved {
            let vpcs = &self.vpcs;
            self.world.set_sources(|vpc, prefix| vpcs.get(&vpc)?.source_towards(prefix));
        }
    }
}

#[cfg(test)]
mod tests;

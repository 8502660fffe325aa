//! What the host refuses, as it concerns one peer.

use super::Gateway;
use crate::config::PeerConfig;
use crate::control::RefusalView;
use crate::gateway::vpc::{Vpc, inside_remote};
use crate::gateway::world::Wish;
use crate::net::{PeerId, Prefix};

impl Gateway {
    /// What the host refuses of all that the traffic of a peer needs, the gravest first: the
    /// VPC's device and rules, the way to the peer's BGP, its prefixes.
    pub(super) fn refusals<'g>(
        &'g self,
        peer: PeerId,
        config: &'g PeerConfig,
        vpc: &'g Vpc,
    ) -> impl Iterator<Item = RefusalView> + 'g {
        let route = |prefix| self.world.route(vpc.id, prefix).cloned();
        let inside = inside_remote(config).and_then(|address| route(Prefix::host(address)));
        let prefixes = vpc.routes.refused_prefixes(peer).filter_map(route);
        let wishes = vpc.refused().iter().cloned().chain(address(config)).chain(inside);
        wishes.chain(prefixes).filter_map(|wish| self.refusal_view(&wish))
    }

    /// What else the host refuses: guards of the peer's prefixes, and what the VPC has for all.
    pub(super) fn other_refusals<'g>(
        &'g self,
        config: &'g PeerConfig,
        vpc: &'g Vpc,
    ) -> impl Iterator<Item = RefusalView> + 'g {
        let concerns = |wish: &&Wish| match wish {
            Wish::Guard { prefix, .. } => config.accept.contains(prefix),
            Wish::Address { address, .. } => !vpc.inside.contains(address),
            _ => true,
        };
        vpc.missing().iter().filter(concerns).filter_map(|wish| self.refusal_view(wish))
    }

    pub(super) fn refusal_view(&self, wish: &Wish) -> Option<RefusalView> {
        let refusal = self.world.refusal(wish)?;
        Some(RefusalView {
            what: wish.to_string(),
            reason: refusal.why.clone(),
            times: refusal.times,
        })
    }
}

/// The address from which we speak with a peer inside the tunnel.
fn address(peer: &PeerConfig) -> Option<Wish> {
    let inside = peer.routing.inside()?;
    Some(Wish::Address { vpc: peer.vpc, address: inside.local })
}

//! The numbers by which a running gateway knows its VPCs and peers stay with their names when
//! the configuration is read again.

use super::types::Checked;
use super::{Config, PeerConfig, VpcConfig};
use crate::net::{PeerId, RemoteId, VpcId};
use std::collections::BTreeMap;

impl Config {
    /// The same configuration, in which VPCs and peers that `running` has too bear the numbers
    /// that they have there; new ones get numbers that `running` does not use. A VPC whose device
    /// has another name or another namespace is a new one. A BGP Identifier that follows from the
    /// addresses to listen on does not change with them.
    pub fn numbered_like(mut self, running: &Config) -> Config {
        if self.gateway.router_id_follows && running.gateway.router_id_follows {
            self.gateway.router_id = running.gateway.router_id;
        }
        type Place<'v> = (&'v str, &'v str, Option<&'v str>);
        fn place(vpc: &VpcConfig) -> Place<'_> {
            (&vpc.name, &vpc.tun, vpc.netns.as_deref())
        }
        let old = running.vpcs.iter().map(|(id, vpc)| (place(vpc), u32::from(id.0))).collect();
        let vpcs = renumber(self.vpcs.values().map(place), &old);
        let vpc_id = |number: u32| VpcId(u16::try_from(number).unwrap_or(u16::MAX));
        let moved: BTreeMap<VpcId, VpcId> =
            self.vpcs.keys().copied().zip(vpcs.iter().copied().map(vpc_id)).collect();

        let peering = |config: &Config, peer: &PeerConfig| {
            let vpc = config.vpcs.get(&peer.vpc).map(|vpc| vpc.name.clone()).unwrap_or_default();
            format!("{}/{vpc}", peer.gateway)
        };
        let old = running.peers.iter();
        let old: BTreeMap<String, u32> =
            old.map(|(id, peer)| (peering(running, peer), id.0)).collect();
        let places: Vec<String> = self.peers.values().map(|peer| peering(&self, peer)).collect();
        let peers = renumber(places.into_iter(), &old);
        let old =
            running.peers.values().map(|peer| (peer.gateway.as_str(), peer.remote.0)).collect();
        let remotes: BTreeMap<RemoteId, String> =
            self.peers.values().map(|peer| (peer.remote, peer.gateway.clone())).collect();
        let renumbered = renumber(remotes.values().map(String::as_str), &old);
        let remotes: BTreeMap<RemoteId, RemoteId> =
            remotes.into_keys().zip(renumbered.into_iter().map(RemoteId)).collect();
        for peer in self.peers.values_mut() {
            peer.vpc = moved.get(&peer.vpc).copied().unwrap_or(peer.vpc);
            peer.remote = remotes.get(&peer.remote).copied().unwrap_or(peer.remote);
        }
        self.vpcs = vpcs.into_iter().map(vpc_id).zip(self.vpcs.into_values()).collect();
        self.peers = peers.into_iter().map(PeerId).zip(self.peers.into_values()).collect();
        self.checked = Checked::with(&self.peers);
        self
    }
}

/// For each name its old number, or the next one that no old name has.
fn renumber<N: Ord>(names: impl Iterator<Item = N>, old: &BTreeMap<N, u32>) -> Vec<u32> {
    let used: std::collections::BTreeSet<u32> = old.values().copied().collect();
    let mut free = (0..u32::MAX).filter(|number| !used.contains(number));
    let mut next_free = || free.next().unwrap_or(u32::MAX);
    names.map(|name| old.get(&name).copied().unwrap_or_else(&mut next_free)).collect()
}

#[cfg(test)]
mod tests;

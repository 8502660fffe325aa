//! The numbers by which a running gateway knows its VPCs and peers stay with their names when
//! the configuration is read again.

use super::Config;
use crate::net::{PeerId, VpcId};
use std::collections::BTreeMap;

impl Config {
    /// The same configuration, in which VPCs and peers that `running` has too bear the numbers
    /// that they have there; new ones get numbers that `running` does not use.
    pub fn numbered_like(mut self, running: &Config) -> Config {
        let old = |(id, name): (&VpcId, &String)| (name.clone(), u32::from(id.0));
        let old = running.vpcs.iter().map(|(id, vpc)| old((id, &vpc.name))).collect();
        let vpcs = renumber(self.vpcs.values().map(|vpc| vpc.name.as_str()), &old);
        let vpc_id = |number: u32| VpcId(u16::try_from(number).unwrap_or(u16::MAX));
        let moved: BTreeMap<VpcId, VpcId> =
            self.vpcs.keys().copied().zip(vpcs.iter().copied().map(vpc_id)).collect();

        let old = running.peers.iter().map(|(id, peer)| (peer.name.clone(), id.0)).collect();
        let peers = renumber(self.peers.values().map(|peer| peer.name.as_str()), &old);
        for peer in self.peers.values_mut() {
            peer.vpc = moved.get(&peer.vpc).copied().unwrap_or(peer.vpc);
        }
        self.vpcs = vpcs.into_iter().map(vpc_id).zip(self.vpcs.into_values()).collect();
        self.peers = peers.into_iter().map(PeerId).zip(self.peers.into_values()).collect();
        self
    }
}

/// For each name its old number, or the next one that no old name has.
fn renumber<'n>(names: impl Iterator<Item = &'n str>, old: &BTreeMap<String, u32>) -> Vec<u32> {
    let used: std::collections::BTreeSet<u32> = old.values().copied().collect();
    let mut free = (0..u32::MAX).filter(|number| !used.contains(number));
    let mut next_free = || free.next().unwrap_or(u32::MAX);
    names.map(|name| old.get(name).copied().unwrap_or_else(&mut next_free)).collect()
}

#[cfg(test)]
mod tests;

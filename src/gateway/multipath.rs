//! By what tunnels share the flows of a group, and the buckets that follow, each made once.

use crate::config::{Config, PeerConfig};
use crate::forward::{Buckets, MOST_MEMBERS, Member};
use crate::net::{PeerId, VpcId};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// What [`Multipath`] keeps at least before it looks for what is not used any more.
const FEW: usize = 16;

/// The members of a VPC's groups. Groups with the same ones share their buckets.
#[derive(Debug, Default)]
pub(super) struct Multipath {
    members: BTreeMap<PeerId, Member>,
    known: BTreeMap<Arc<[PeerId]>, Weak<Buckets>>,
    /// So many are looked through when another one comes.
    full_at: usize,
}

impl Multipath {
    /// Takes over who may share, and by what; nobody where nothing is shared. Says whether that is new.
    pub(super) fn set(&mut self, members: BTreeMap<PeerId, Member>) -> bool {
        let is_new = self.members != members;
        if is_new {
            *self = Multipath { members, ..Multipath::default() };
        }
        is_new
    }

    /// How many may carry a prefix.
    pub(super) fn most(&self) -> usize {
        if self.members.is_empty() { 1 } else { MOST_MEMBERS }
    }

    /// The buckets of those who share; `None` when there are not several.
    pub(super) fn buckets(&mut self, peers: &Arc<[PeerId]>) -> Option<Arc<Buckets>> {
        if peers.len() < 2 {
            return None;
        }
        if let Some(known) = self.known.get(peers).and_then(Weak::upgrade) {
            return Some(known);
        }
        let members: Option<Vec<Member>> =
            peers.iter().map(|peer| self.members.get(peer).copied()).collect();
        let buckets = Arc::new(Buckets::of(&members?));
        if self.known.len() >= self.full_at {
            self.known.retain(|_, buckets| buckets.strong_count() > 0);
            self.full_at = FEW + 2 * self.known.len();
        }
        self.known.insert(Arc::clone(peers), Arc::downgrade(&buckets));
        Some(buckets)
    }
}

/// The peers of a VPC that may share, if it lets them.
pub(super) fn members(id: VpcId, config: &Config) -> BTreeMap<PeerId, Member> {
    let is_on = config.vpcs.get(&id).is_some_and(|vpc| vpc.multipath);
    let peers = config.peers_of(id).filter(|_| is_on);
    peers.map(|(peer, config)| (peer, member(config))).collect()
}

fn member(peer: &PeerConfig) -> Member {
    Member { key: peer.shared_key(), weight: peer.weight }
}

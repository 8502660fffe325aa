//! By what tunnels share the flows of a group, and the buckets that follow, each made once.

use crate::config::{Config, PeerConfig};
use crate::forward::{Buckets, Member};
use crate::net::{Mappings, PeerId, VpcId};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// What [`Multipath`] keeps at least before it looks for what is not used any more.
const FEW: usize = 16;

/// A peer that may share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sharer {
    /// What it gets its buckets by.
    pub member: Member,
    /// By which addresses it knows ours.
    pub maps: Mappings,
}

/// The members of a VPC's groups. Groups with the same ones share their buckets.
#[derive(Debug, Default)]
pub(super) struct Multipath {
    sharers: BTreeMap<PeerId, Sharer>,
    known: BTreeMap<Arc<[PeerId]>, Weak<Buckets>>,
    /// So many are looked through when another one comes.
    full_at: usize,
}

impl Multipath {
    /// Takes over who may share, and by what; nobody where nothing is shared. Says whether that is new.
    pub(super) fn set(&mut self, sharers: BTreeMap<PeerId, Sharer>) -> bool {
        let is_new = self.sharers != sharers;
        if is_new {
            *self = Multipath { sharers, ..Multipath::default() };
        }
        is_new
    }

    /// Whether both may carry a prefix together: flows are told apart by the addresses inside the tunnel,
    /// which have to be the same in both.
    pub(super) fn may_share(&self, one: PeerId, other: PeerId) -> bool {
        let maps = |peer| self.sharers.get(&peer).map(|sharer| &sharer.maps);
        maps(one).is_some() && maps(one) == maps(other)
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
            peers.iter().map(|peer| Some(self.sharers.get(peer)?.member)).collect();
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
pub(super) fn sharers(id: VpcId, config: &Config) -> BTreeMap<PeerId, Sharer> {
    let is_on = config.vpcs.get(&id).is_some_and(|vpc| vpc.multipath);
    let peers = config.peers_of(id).filter(|_| is_on);
    peers.map(|(peer, config)| (peer, sharer(config))).collect()
}

fn sharer(peer: &PeerConfig) -> Sharer {
    let member = Member { key: peer.shared_key(), weight: peer.weight };
    Sharer { member, maps: peer.maps.clone() }
}

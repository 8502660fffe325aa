//! How much one peer, and one stranger, may have us do: the bounds on a hostile sender, all in one
//! place.
//!
//! A peer that has proved its identity may still be hostile, or broken: every exchange that it
//! begins costs public-key work, SAs and a new snapshot for the packets. What it may ask for is
//! counted per connection, so that it uses up nothing but its own. A stranger is counted by the
//! address at which it has shown to receive; whoever only forges one never gets so far.
//!
//! | beyond | the peer hears |
//! |---|---|
//! | CREATE_CHILD_SA | TEMPORARY_FAILURE: it may ask again later (RFC 7296 §2.25) |
//! | Child SAs side by side | NO_ADDITIONAL_SAS (RFC 7296 §1.3) |
//! | questions on its ways | nothing |
//! | IKE_AUTH, any other request | nothing: it will ask again (RFC 7296 §2.1), as if the network had lost it |
//! | failed IKE_AUTH of one source | nothing on IKE_SA_INIT (RFC 7296 §2.6, RFC 8019) |
//!
//! The numbers are far above what an honest peer does. The shortest lifetimes that can be
//! configured replace keys every few seconds, both sides may do so at once, and a peer may restart
//! over and over.

use super::config::ConnectionId;
use crate::time::{Bucket, Rate, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// IKE SAs of one connection, those that are being replaced or deleted among them. Beyond, the
/// oldest goes: the peer has newer ones.
pub(super) const IKE_SAS: usize = 24;
/// IKE SAs that a peer may establish: by far more than a peer that restarts every second.
const ESTABLISH: Rate = Rate { burst: 16, every: Duration::from_millis(500) };
/// Successors of its IKE SA that a peer may ask for.
const REKEY_IKE: Rate = Rate { burst: 8, every: Duration::from_secs(1) };
/// Child SAs under one IKE SA, with those being replaced: so many for every one that its slots may
/// have (a slot has one, or one for each of its pairs) …
const CHILDREN_OF_ONE: usize = 4;
/// … and so many more.
const SPARE_CHILDREN: usize = 12;
/// Child SAs, new or in place of others, that a peer may ask for: as many as it may have at once,
/// and then so many again in this time.
const ALL_CHILDREN: Duration = Duration::from_secs(16);
/// Requests of any kind beside those for Child SAs: a probe takes one.
const REQUESTS: Rate = Rate { burst: 400, every: Duration::from_millis(10) };
/// IKE_AUTH requests of one source that prove nothing. A peer with a wrong key, which an operator
/// is about to correct, tries a few times at once and then twice a minute.
const FAILED_AUTH: Rate = Rate { burst: 20, every: Duration::from_secs(1) };
/// Tokens of RFC 6290 that are compared with that of an IKE SA: a peer that has lost it shows the right
/// one at once.
pub(super) const TOKENS: Rate = Rate { burst: 16, every: Duration::from_secs(1) };
/// Questions by which a peer measures its ways to us ([`super::ways`]): twice what the most ways take.
/// Whoever knows the SPIs may ask in its name.
const WAYS: Rate = Rate { burst: 20, every: Duration::from_millis(50) };
/// Addresses of a peer beside the one that it uses, and ours that it is told.
pub(super) const PEER_ADDRESSES: usize = 8;
/// Certificates of one message: a chain is seldom longer than three …
pub(super) const CERTIFICATES: usize = 8;
/// … and all of them together, in octets; an IKE SA keeps them for another look at each rekeying.
pub(super) const CERTIFICATE_OCTETS: usize = 24 << 10;
/// Authorities that a Certificate Request names; IKE_SA_INIT, in which it may stand, cannot be
/// fragmented.
pub(super) const NAMED_AUTHORITIES: usize = 16;
/// Sources whose failures are remembered; beyond, the least guilty one is forgotten.
const SOURCES: usize = 4096;

/// Child SAs that an IKE SA has at most whose slots may have so many.
pub(super) fn most_children(strands: usize) -> usize {
    SPARE_CHILDREN + CHILDREN_OF_ONE * strands
}

/// What a peer asks for, whose identity is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// An IKE SA by IKE_AUTH.
    Establish,
    /// A successor of its IKE SA.
    RekeyIke,
    /// A Child SA, of a connection whose slots may have so many.
    Child { strands: usize },
    /// Any request, of a connection whose slots may have so many Child SAs.
    Request { strands: usize },
}

impl Wish {
    fn rate(self) -> Rate {
        let count = |strands| u32::try_from(most_children(strands)).unwrap_or(u32::MAX);
        match self {
            Wish::Establish => ESTABLISH,
            Wish::RekeyIke => REKEY_IKE,
            Wish::Child { strands } => {
                Rate { burst: count(strands), every: ALL_CHILDREN / count(strands) }
            }
            Wish::Request { strands } => {
                Rate { burst: REQUESTS.burst.saturating_add(count(strands)), ..REQUESTS }
            }
        }
    }
}

/// What the peer of one connection has left.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    establish: Bucket,
    rekey_ike: Bucket,
    child: Bucket,
    request: Bucket,
    ways: Bucket,
    refused: u64,
}

impl Account {
    fn bucket(&mut self, wish: Wish) -> &mut Bucket {
        match wish {
            Wish::Establish => &mut self.establish,
            Wish::RekeyIke => &mut self.rekey_ike,
            Wish::Child { .. } => &mut self.child,
            Wish::Request { .. } => &mut self.request,
        }
    }
}

/// What all peers have left.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Accounts {
    all: BTreeMap<ConnectionId, Account>,
}

impl Accounts {
    /// Whether the peer of a connection may have what it asks for, which it has had if so.
    pub(super) fn take(&mut self, of: ConnectionId, wish: Wish, now: Timestamp) -> bool {
        let account = self.all.entry(of).or_default();
        let granted = account.bucket(wish).take(wish.rate(), now);
        account.refused += u64::from(!granted);
        granted
    }

    /// Whether the peer could have what it asks for; if not, that counts as refused.
    pub(super) fn has(&mut self, of: ConnectionId, wish: Wish, now: Timestamp) -> bool {
        let Some(account) = self.all.get_mut(&of) else { return true };
        let has = account.bucket(wish).has(wish.rate(), now);
        account.refused += u64::from(!has);
        has
    }

    /// Whether the peer of a connection, or somebody in its name, is answered one more question on a way.
    pub(super) fn answers_way(&mut self, of: ConnectionId, now: Timestamp) -> bool {
        self.all.entry(of).or_default().ways.take(WAYS, now)
    }

    /// How often the peer of a connection has asked for more than it may have.
    pub(super) fn refused(&self, of: ConnectionId) -> u64 {
        self.all.get(&of).map_or(0, |account| account.refused)
    }

    /// The connection is gone.
    pub(super) fn forget(&mut self, of: ConnectionId) {
        self.all.remove(&of);
    }
}

/// Who answers at an address: the smallest network that one stranger is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source(IpAddr);

impl Source {
    /// Whoever is at this address: of IPv6, all of its /64 (RFC 4291 §2.5.4).
    pub(super) fn of(address: IpAddr) -> Source {
        match address {
            IpAddr::V4(_) => Source(address),
            IpAddr::V6(six) => {
                let network = Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << 64));
                Source(network.into())
            }
        }
    }
}

/// The sources whose IKE_AUTH has proved nothing lately.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Suspects {
    all: BTreeMap<Source, Bucket>,
    /// By when they are forgiven.
    forgiven: BTreeSet<(Timestamp, Source)>,
}

impl Suspects {
    /// Whether somebody there may try again.
    pub(super) fn may_try(&self, source: Source, now: Timestamp) -> bool {
        self.all.get(&source).is_none_or(|bucket| bucket.has(FAILED_AUTH, now))
    }

    /// Somebody there has proved nothing.
    pub(super) fn on_failed(&mut self, source: Source, now: Timestamp) {
        let mut bucket = self.all.remove(&source).unwrap_or_default();
        self.forgiven.remove(&(bucket.full_at(), source));
        bucket.take(FAILED_AUTH, now);
        self.all.insert(source, bucket);
        self.forgiven.insert((bucket.full_at(), source));
        self.forgive(now);
    }

    fn forgive(&mut self, now: Timestamp) {
        while let Some(&(at, source)) = self.forgiven.first() {
            if at > now && self.all.len() <= SOURCES {
                return;
            }
            self.forgiven.pop_first();
            self.all.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests;

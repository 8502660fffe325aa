//! What a neighbour may announce, and what is remembered of the rest.

use super::{Policy, Side, Source};
use crate::net::{Asn, Prefix, PrefixSet};
use crate::routing::attributes::Attributes;
use crate::routing::policy::{self, Then};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Most rejected prefixes of one neighbour that are kept for the operator's eyes and for a later
/// change of the filter. Beyond, they are only counted.
const KEPT: usize = 1024;

/// Why a path is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum RejectReason {
    /// No prefix of the neighbour's `accept` list covers it.
    #[error("not covered by the peer's accept list")]
    NotAccepted,
    /// It lies where no route may lead: loopback, link-local, multicast, reserved (RFC 6890).
    #[error("no such destination is ever forwarded (RFC 6890)")]
    Martian,
    /// Its next hop is our own address, or on our own side (RFC 4271 §5.1.3, §6.3).
    #[error("its next hop is this gateway itself")]
    OwnNextHop,
    /// A router of the VPC names a next hop that is not in the VPC.
    #[error("its next hop is not in the VPC")]
    StrangeNextHop,
    /// Its AS path has an AS_SET: to be treated as withdrawn (RFC 9774 §3).
    #[error("AS path contains an AS_SET (RFC 9774)")]
    AsSet,
    /// It is one of our own prefixes, or lies in one.
    #[error("lies in a local prefix")]
    Local,
    /// It reaches into the underlay: the tunnels' own packets must not go into a tunnel.
    #[error("reaches into the underlay")]
    Underlay,
    /// Our own AS is on the path (RFC 4271 §9.1.2).
    #[error("AS path contains our own AS: a loop")]
    AsLoop,
    /// A route reflector has brought back what we announced (RFC 4456 §8).
    #[error("a route reflector brings back our own route (RFC 4456)")]
    Reflected,
    /// The path of an external neighbour does not start with its AS (RFC 4271 §6.3).
    #[error("AS path does not start with the peer's AS")]
    ForeignFirstAs,
    /// It is for customers of somebody only, and has come another way (RFC 9234 §5).
    #[error("a route leak: it is marked as being for customers only (RFC 9234)")]
    Leak,
    /// The operator's rules keep it out.
    #[error("rejected by an `import` rule")]
    Ruled,
}

/// What announcements are held against that are meant for us.
pub(super) struct Own<'r> {
    pub asn: Asn,
    /// Our BGP Identifier.
    pub identifier: Ipv4Addr,
    /// The prefixes of the VPC on this side.
    pub local: &'r PrefixSet,
    pub underlay: &'r Reserved,
}

/// Why a path to `prefix` cannot be used; `None` when it can.
pub(super) fn judge(
    policy: &Policy,
    own: &Own<'_>,
    prefix: &Prefix,
    path: &Attributes,
) -> Option<RejectReason> {
    let foreign = match policy.source {
        Source::External(remote) => path.as_path.neighbor() != Some(remote),
        Source::Internal | Source::Static => false,
    };
    let ours = policy.own_address.is_some_and(|own| *prefix == Prefix::host(own));
    let at_home = policy.side == Side::Tunnel && own.local.covers(prefix);
    let leaks = match (policy.source, policy.role) {
        (Source::External(remote), Some(role)) => role.sees_leak(path, remote),
        (Source::External(_) | Source::Internal | Source::Static, _) => false,
    };
    let verdicts = [
        (path.as_path.contains(own.asn), RejectReason::AsLoop),
        (path.has_come_back_to(own.identifier), RejectReason::Reflected),
        (foreign, RejectReason::ForeignFirstAs),
        (path.as_path.has_set(), RejectReason::AsSet),
        (leaks, RejectReason::Leak),
        (leads_to_us(policy, own, path.next_hop), RejectReason::OwnNextHop),
        (leaves_the_vpc(policy, own, path.next_hop), RejectReason::StrangeNextHop),
        (is_martian(prefix), RejectReason::Martian),
        (ours || at_home, RejectReason::Local),
        (own.underlay.is_touched_by(prefix), RejectReason::Underlay),
        (!policy.import.covers(prefix), RejectReason::NotAccepted),
        (policy::first(&policy.rules, prefix, path) == Some(&Then::Reject), RejectReason::Ruled),
    ];
    verdicts.into_iter().find_map(|(rejects, reason)| rejects.then_some(reason))
}

/// Whether a learned route comes back to us, or to our own side of the tunnel.
fn leads_to_us(policy: &Policy, own: &Own<'_>, next_hop: IpAddr) -> bool {
    let on_our_side = policy.side == Side::Tunnel && own.local.covers(&Prefix::host(next_hop));
    let ours = policy.own_address == Some(next_hop) || own.underlay.is_ours(next_hop);
    policy.source != Source::Static && (ours || next_hop.is_loopback() || on_our_side)
}

/// Whether a router of the VPC names a next hop elsewhere than in the VPC: packets would leave it.
fn leaves_the_vpc(policy: &Policy, own: &Own<'_>, next_hop: IpAddr) -> bool {
    policy.side == Side::Vpc && !own.local.covers(&Prefix::host(next_hop))
}

/// Whether all of a prefix is what the registries of RFC 6890 call not forwardable. A prefix that
/// holds more than such addresses, a default route above all, is none.
fn is_martian(prefix: &Prefix) -> bool {
    let address = prefix.addr();
    match (address, prefix.len()) {
        (IpAddr::V4(v4), length) => {
            let [first, ..] = v4.octets();
            let this_network_or_loopback = matches!(first, 0 | 127) && length >= 8;
            let multicast_or_reserved = first >= 224 && length >= 3;
            this_network_or_loopback || multicast_or_reserved || v4.is_link_local() && length >= 16
        }
        (IpAddr::V6(v6), length) => {
            let [first, ..] = v6.segments();
            let link_local = first & 0xffc0 == 0xfe80 && length >= 10;
            let multicast = first >> 8 == 0xff && length >= 8;
            // ::/96 holds the unspecified address and loopback, ::ffff:0:0/96 mapped addresses.
            let special = v6.octets()[..10] == [0; 10] && length >= 80;
            link_local || multicast || special
        }
    }
}

/// Prefixes of the underlay, into which nothing that a neighbour announces may reach. A default
/// route stands for everything else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reserved {
    covers: PrefixSet,
    starts: BTreeSet<IpAddr>,
    own: BTreeSet<IpAddr>,
}

impl Reserved {
    /// These prefixes, with our own addresses among them.
    pub fn new(prefixes: impl IntoIterator<Item = Prefix>, own: BTreeSet<IpAddr>) -> Reserved {
        Reserved { own, ..prefixes.into_iter().collect() }
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
    }

    fn is_touched_by(&self, prefix: &Prefix) -> bool {
        let within = || self.starts.range(prefix.addr()..=prefix.last_addr()).next().is_some();
        prefix.len() > 0 && (self.covers.covers(prefix) || within())
    }
}

impl FromIterator<Prefix> for Reserved {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Self {
        let prefixes: Vec<Prefix> = prefixes.into_iter().collect();
        let starts = prefixes.iter().map(Prefix::addr).collect();
        Reserved { covers: prefixes.into_iter().collect(), starts, own: BTreeSet::new() }
    }
}

/// The rejected paths of one neighbour.
#[derive(Debug, Default)]
pub struct Rejections {
    kept: BTreeMap<Prefix, (RejectReason, Arc<Attributes>)>,
    /// How many came when there was no room to keep them.
    overflow: u64,
}

impl Rejections {
    /// The kept ones with their reasons.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, RejectReason)> {
        self.kept.iter().map(|(prefix, (reason, _))| (*prefix, *reason))
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many were not kept for want of room.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }

    pub(super) fn contains(&self, prefix: &Prefix) -> bool {
        self.kept.contains_key(prefix)
    }

    /// Whether a rejected path to `prefix` can be kept; one that cannot is counted.
    pub(super) fn has_room_for(&mut self, prefix: &Prefix) -> bool {
        let room = self.kept.len() < KEPT || self.kept.contains_key(prefix);
        self.overflow += u64::from(!room);
        room
    }

    /// Keeps a rejected path; whether its reason is news.
    pub(super) fn insert(
        &mut self,
        prefix: Prefix,
        reason: RejectReason,
        attributes: Arc<Attributes>,
    ) -> bool {
        let before = self.kept.insert(prefix, (reason, attributes));
        before.is_none_or(|(before, _)| before != reason)
    }

    pub(super) fn remove(&mut self, prefix: &Prefix) -> Option<Arc<Attributes>> {
        self.kept.remove(prefix).map(|(_, attributes)| attributes)
    }

    pub(super) fn attributes_of(&self, prefix: &Prefix) -> Option<&Arc<Attributes>> {
        self.kept.get(prefix).map(|(_, attributes)| attributes)
    }

    pub(super) fn into_paths(self) -> impl Iterator<Item = (Prefix, Arc<Attributes>)> {
        self.kept.into_iter().map(|(prefix, (_, attributes))| (prefix, attributes))
    }
}

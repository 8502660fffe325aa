//! What peers are told (RFC 4271 §9.1.3, §9.2): our own prefixes while they can be reached, and,
//! when we carry transit, the best paths of other peers. Only changes are told, and as many
//! prefixes in one UPDATE as share their attributes and fit.

use super::Router;
use super::neighbor::{Neighbor, Speaker};
use crate::net::{PeerId, Prefix};
use crate::routing::Attributes;
use crate::routing::bgp::Family;
use crate::routing::bgp::codec::{self, Context};
use crate::routing::policy::{self, Role, Then};
use crate::routing::rib::{Path, Side, Source};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// LOCAL_PREF of our own prefixes towards speakers of our AS.
const OWN_PREFERENCE: u32 = 100;

/// How often our AS is put once more in front of paths that are about to go.
const PREPENDED: usize = 3;

impl Router {
    /// Says whether everybody is to leave us for others: what we announce is said to be about to go
    /// (RFC 8326), and holds meanwhile.
    pub fn set_leaving(&mut self, leaving: bool, now: Timestamp) {
        if std::mem::replace(&mut self.leaving, leaving) != leaving {
            self.export_all();
            self.settle(now);
        }
    }

    /// The same for one neighbour.
    pub fn set_leaving_one(&mut self, peer: PeerId, leaving: bool, now: Timestamp) {
        let changed = if leaving { self.left.insert(peer) } else { self.left.remove(&peer) };
        if changed {
            self.export_to(peer, &self.exportable());
            self.settle(now);
        }
    }

    /// Every prefix that some peer may have to hear of.
    pub(super) fn exportable(&self) -> BTreeSet<Prefix> {
        let learned = self.rib.reached().filter(|_| self.config.transit || self.has_vpc_side());
        self.own.iter().copied().chain(learned).collect()
    }

    /// Tells every peer what changed about everything.
    pub(super) fn export_all(&mut self) {
        let exportable = self.exportable();
        for peer in self.neighbors.keys().copied().collect::<Vec<_>>() {
            self.export_anew(peer, &exportable);
        }
    }

    /// Tells one peer what changed about everything, which is `exportable` now.
    pub(super) fn export_anew(&mut self, peer: PeerId, exportable: &BTreeSet<Prefix>) {
        let sent = self.neighbors.get(&peer).and_then(Neighbor::speaker);
        let sent = sent.map(|speaker| speaker.sent.keys().copied().collect()).unwrap_or_default();
        self.tell(peer, exportable, sent);
    }

    /// Tells every peer what changed about `prefixes`.
    pub(super) fn export(&mut self, prefixes: &BTreeSet<Prefix>) {
        for peer in self.neighbors.keys().copied().collect::<Vec<_>>() {
            self.export_to(peer, prefixes);
        }
    }

    /// Tells one peer what changed about `prefixes`.
    pub(super) fn export_to(&mut self, peer: PeerId, prefixes: &BTreeSet<Prefix>) {
        self.tell(peer, prefixes, BTreeSet::new());
    }

    /// The same, and takes back what is not among them of `sent`, which the peer was told.
    fn tell(&mut self, peer: PeerId, prefixes: &BTreeSet<Prefix>, sent: BTreeSet<Prefix>) {
        let Some(neighbor) = self.neighbors.get(&peer) else { return };
        let Some(context) = neighbor.context() else { return };
        let mut wanted: BTreeMap<Prefix, Option<Arc<Attributes>>> =
            sent.into_iter().map(|prefix| (prefix, None)).collect();
        wanted.extend(prefixes.iter().map(|prefix| {
            (
                neighbor.config.maps.outward_prefix(prefix),
                self.wanted(peer, neighbor, context, prefix),
            )
        }));
        let context = context.clone();
        if let Some(speaker) = self.speaker_mut(peer) {
            speaker.tell(wanted, &context);
            self.touched.insert(peer);
        }
    }

    /// The attributes with which `peer` should know `prefix`, by whatever name; `None` when it should not.
    fn wanted(
        &self,
        peer: PeerId,
        neighbor: &Neighbor,
        context: &Context,
        prefix: &Prefix,
    ) -> Option<Arc<Attributes>> {
        let family = Family::of(prefix);
        if !context.families.contains(&family) || self.stranded.contains(prefix) {
            return None;
        }
        let next_hop = neighbor.own_next_hop(family, &self.config)?;
        let path = if neighbor.config.side == Side::Tunnel && self.own.contains(prefix) {
            self.announced.contains(&family).then(|| Attributes {
                local_preference: Some(OWN_PREFERENCE),
                ..Attributes::originated(next_hop)
            })?
        } else {
            let best = self.rib.best(prefix)?;
            let goes_on = self.goes_on(&best, family, neighbor.config.side);
            (goes_on && may_carry(&best, peer, neighbor, context)).then(|| Attributes {
                next_hop,
                local_preference: Some(best.local_preference),
                ..best.attributes.as_ref().clone()
            })?
        };
        let known = neighbor.config.maps.outward_prefix(prefix);
        let then = policy::first(&neighbor.config.export_rules, &known, &path);
        if then == Some(&Then::Reject) {
            return None;
        }
        let role = neighbor.config.role().filter(|_| !context.internal);
        if role.is_some_and(|role| !role.may_tell(&path)) {
            return None;
        }
        let path = if context.internal { path } else { self.outward(path) };
        let path = match then {
            Some(Then::Take(change)) => change.apply(path, self.config.asn),
            Some(Then::Reject) | None => path,
        };
        let path = match role.is_some_and(Role::marks_what_goes) {
            true => path.marked_for_customers(self.config.asn),
            false => path,
        };
        let leaves = self.leaving || self.left.contains(&peer);
        Some(Arc::new(if leaves { self.leaving(path, context.internal) } else { path }))
    }

    /// Whether a learned path is for neighbours on a side at all: what the VPC's routers have is for the
    /// peers, like our own prefixes; what peers have is for the VPC's routers, and for other peers where we
    /// carry transit. The VPC's routers need nobody between them.
    fn goes_on(&self, path: &Path, family: Family, to: Side) -> bool {
        match (path.side, to) {
            (Side::Vpc, Side::Tunnel) => self.announced.contains(&family),
            (Side::Tunnel, Side::Vpc) => true,
            (Side::Tunnel, Side::Tunnel) => self.config.transit,
            (Side::Vpc, Side::Vpc) => false,
        }
    }

    /// Attributes that lead packets elsewhere while another way is known: by the community that says
    /// so, LOCAL_PREF 0 inside our AS (RFC 8326 §4.1), and a longer path for speakers that do not heed
    /// the community.
    fn leaving(&self, path: Attributes, internal: bool) -> Attributes {
        let path = path.shutting_down();
        if internal {
            return Attributes { local_preference: Some(0), ..path };
        }
        let longer = (0..PREPENDED).fold(path.as_path, |path, _| path.prepended(self.config.asn));
        Attributes { as_path: longer, ..path }
    }

    /// Attributes as they cross the border of our AS (RFC 4271 §5.1.2, §5.1.4, §5.1.5).
    fn outward(&self, path: Attributes) -> Attributes {
        Attributes {
            as_path: path.as_path.prepended(self.config.asn),
            med: None,
            local_preference: None,
            ..path
        }
    }
}

/// Whether a learned path goes on to `peer`: not back to where it came from, not from one
/// internal speaker to another (RFC 4271 §9.2), not where it would loop, and only where its
/// communities let it.
fn may_carry(path: &Path, peer: PeerId, neighbor: &Neighbor, context: &Context) -> bool {
    let backwards = path.peer == peer;
    let inside = context.internal && path.source == Source::Internal;
    let loops = neighbor.remote_asn().is_some_and(|asn| path.attributes.as_path.contains(asn));
    let allowed = path.attributes.may_be_announced(!context.internal);
    !backwards && !inside && !loops && allowed
}

impl Speaker {
    /// Sends what differs from what the peer was told before.
    fn tell(&mut self, wanted: BTreeMap<Prefix, Option<Arc<Attributes>>>, context: &Context) {
        let mut withdrawn: BTreeMap<Family, Vec<Prefix>> = BTreeMap::new();
        let mut announced: BTreeMap<(Arc<Attributes>, Family), Vec<Prefix>> = BTreeMap::new();
        for (prefix, attributes) in wanted {
            let family = Family::of(&prefix);
            match (attributes, self.sent.get(&prefix)) {
                (Some(new), Some(old)) if new == *old => {}
                (Some(new), _) => announced.entry((new, family)).or_default().push(prefix),
                (None, Some(_)) => withdrawn.entry(family).or_default().push(prefix),
                (None, None) => {}
            }
        }
        for ((attributes, family), prefixes) in announced {
            let messages = codec::announcements(&attributes, family, &prefixes, context);
            if messages.is_empty() {
                // Attributes too long for a message: what was told before no longer holds.
                let told = prefixes.into_iter().filter(|prefix| self.sent.contains_key(prefix));
                withdrawn.entry(family).or_default().extend(told);
                continue;
            }
            self.sent.extend(prefixes.into_iter().map(|prefix| (prefix, attributes.clone())));
            messages.into_iter().for_each(|message| self.session.send(message));
        }
        for (family, prefixes) in withdrawn {
            prefixes.iter().for_each(|prefix| drop(self.sent.remove(prefix)));
            let messages = codec::withdrawals(family, &prefixes);
            messages.into_iter().for_each(|message| self.session.send(message));
        }
    }
}

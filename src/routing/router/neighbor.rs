//! One neighbour of the router: its settings, its tunnel, its session if it has one.

use super::{NeighborConfig, NeighborKind, RouterConfig};
use crate::net::{Asn, Prefix};
use crate::routing::Attributes;
use crate::routing::bgp::{
    self, CeaseReason, Family, GracefulRestart, Refresh, Session, SessionConfig,
};
use crate::routing::policy::Role;
use crate::routing::rib::{Policy, Side, Source};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What a neighbour did, counted since it was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NeighborCounters {
    /// Sessions that came to be established.
    pub established: u64,
    /// UPDATEs received.
    pub updates: u64,
    /// UPDATEs treated as withdrawals because of what was wrong with them (RFC 7606).
    pub treated_as_withdraw: u64,
    /// Attributes ignored because of what was wrong with them (RFC 7606).
    pub discarded_attributes: u64,
    /// Prefixes ignored because they are not unicast, or of a family that was not agreed.
    pub ignored_prefixes: u64,
}

impl NeighborCounters {
    pub(super) fn count(&mut self, update: &bgp::Update) {
        self.updates += u64::from(!update.is_continued);
        self.treated_as_withdraw += u64::from(update.fault.is_some());
        self.discarded_attributes += u64::from(update.discarded);
        self.ignored_prefixes += u64::from(update.ignored);
    }
}

/// What makes a new session differ from all others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Birth {
    /// Its number.
    pub serial: u32,
    /// Of its jitter.
    pub seed: u64,
}

/// A neighbour's session and what was announced by it.
#[derive(Debug)]
pub(super) struct Speaker {
    pub session: Session,
    /// Adj-RIB-Out: what the peer was told, to tell only changes.
    pub sent: BTreeMap<Prefix, Arc<Attributes>>,
}

#[derive(Debug)]
pub(super) struct Neighbor {
    pub config: NeighborConfig,
    pub tunnel_up: bool,
    /// When the session, or the tunnel of a static neighbour, last changed.
    pub since: Timestamp,
    pub counters: NeighborCounters,
    /// What it has announced before and not again is taken out then.
    pub stale_until: Option<Timestamp>,
    /// That it nears its limit of prefixes was told.
    pub told_near_limit: bool,
    /// What it said of its restarts when its session was last established.
    pub graceful: Option<GracefulRestart>,
    /// What of its last UPDATE was not taken in yet.
    pub rest_of_update: Option<bgp::Update>,
    speaker: Option<Speaker>,
}

impl NeighborConfig {
    /// What the table must know of this neighbour of a speaker of AS `asn`.
    pub(super) fn policy(&self, asn: Asn) -> Policy {
        let source = match &self.kind {
            NeighborKind::Bgp { remote_asn, .. } if *remote_asn == asn => Source::Internal,
            NeighborKind::Bgp { remote_asn, .. } => Source::External(*remote_asn),
            NeighborKind::Static { .. } => Source::Static,
        };
        Policy {
            import: self.import.clone(),
            role: self.role(),
            rules: Arc::clone(&self.import_rules),
            local_preference: self.local_preference,
            max_prefixes: self.max_prefixes,
            own_address: match self.kind {
                NeighborKind::Bgp { local, .. } => Some(local),
                NeighborKind::Static { .. } => None,
            },
            side: self.side,
            source,
        }
    }

    /// The families of routes that are exchanged. A router of the VPC is told next hops on its own
    /// network, and there we have the address that its session runs from.
    fn families(&self) -> BTreeSet<Family> {
        match (self.side, &self.kind) {
            (Side::Vpc, NeighborKind::Bgp { local, .. }) => {
                BTreeSet::from([Family::of(&Prefix::host(*local))])
            }
            (Side::Tunnel | Side::Vpc, _) => BTreeSet::from(Family::ALL),
        }
    }

    /// What we are to this neighbour.
    pub(super) fn role(&self) -> Option<Role> {
        match self.kind {
            NeighborKind::Bgp { role, .. } => role,
            NeighborKind::Static { .. } => None,
        }
    }

    /// The session that this neighbour is reached by.
    fn speaker(&self, router: &RouterConfig, birth: Birth) -> Option<Speaker> {
        let NeighborKind::Bgp { remote_asn, role, strict_role, hold_time, passive, .. } = self.kind
        else {
            return None;
        };
        let config = SessionConfig {
            serial: birth.serial,
            local_asn: router.asn,
            remote_asn,
            identifier: router.router_id,
            role,
            strict_role,
            families: self.families(),
            hold_time,
            connect_retry: router.connect_retry,
            passive,
        };
        Some(Speaker { session: Session::new(config, birth.seed), sent: BTreeMap::new() })
    }
}

impl Neighbor {
    pub(super) fn new(
        config: NeighborConfig,
        router: &RouterConfig,
        birth: Birth,
        now: Timestamp,
    ) -> Neighbor {
        let speaker = config.speaker(router, birth);
        let counters = NeighborCounters::default();
        Neighbor {
            config,
            tunnel_up: false,
            since: now,
            counters,
            stale_until: None,
            told_near_limit: false,
            graceful: None,
            rest_of_update: None,
            speaker,
        }
    }

    pub(super) fn speaker(&self) -> Option<&Speaker> {
        self.speaker.as_ref()
    }

    pub(super) fn speaker_mut(&mut self) -> Option<&mut Speaker> {
        self.speaker.as_mut()
    }

    /// A fresh session in place of a stopped one.
    pub(super) fn renew(&mut self, router: &RouterConfig, birth: Birth, now: Timestamp) {
        self.speaker = self.config.speaker(router, birth);
        self.set_tunnel(self.tunnel_up, now);
    }

    /// Lets the session make attempts only while the tunnel carries them.
    pub(super) fn set_tunnel(&mut self, up: bool, now: Timestamp) {
        if self.speaker.is_none() && self.tunnel_up != up {
            self.since = now;
        }
        self.tunnel_up = up;
        match &mut self.speaker {
            Some(speaker) if up => speaker.session.start(now),
            Some(speaker) => speaker.session.pause(now),
            None => {}
        }
    }

    pub(super) fn stop(&mut self, reason: CeaseReason, now: Timestamp) {
        if let Some(speaker) = &mut self.speaker {
            speaker.session.stop(reason, now);
        }
    }

    /// Asks the peer for all its routes once more, after a filter changed (RFC 2918).
    pub(super) fn ask_again(&mut self) {
        let Some(Speaker { session, .. }) = &mut self.speaker else { return };
        let answers = |negotiated: &&bgp::Negotiated| negotiated.capabilities.route_refresh;
        let Some(negotiated) = session.established().filter(answers) else { return };
        for family in negotiated.context.families.clone() {
            session.send(bgp::codec::route_refresh(family, Refresh::Wanted));
        }
    }

    /// Our inside address and the peer's.
    pub(super) fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match self.config.kind {
            NeighborKind::Bgp { local, remote, .. } => Some((local, remote)),
            NeighborKind::Static { .. } => None,
        }
    }

    /// The BGP Identifier of the peer, while a session stands.
    pub(super) fn identifier(&self) -> Option<Ipv4Addr> {
        Some(self.speaker.as_ref()?.session.established()?.identifier)
    }

    /// How messages to the peer are written, while a session stands.
    pub(super) fn context(&self) -> Option<&bgp::codec::Context> {
        Some(&self.speaker.as_ref()?.session.established()?.context)
    }

    /// The next hop that the peer is told for routes of `family`: our inside address. Where that
    /// is of IPv6 and the peer does not take it for IPv4 routes (RFC 8950), the router id; where it is
    /// of IPv4, the one that the router has for IPv6 routes, if any.
    pub(super) fn own_next_hop(&self, family: Family, router: &RouterConfig) -> Option<IpAddr> {
        let router_id = router.router_id.into();
        let local = self.addresses().map_or(router_id, |(local, _)| local);
        let extended = self.context().is_some_and(|context| context.extended_next_hop);
        match (local, family) {
            (IpAddr::V6(_), Family::Ipv4) if !extended => Some(router_id),
            (IpAddr::V4(_), Family::Ipv6) => router.ipv6_next_hop.map(IpAddr::V6),
            (IpAddr::V4(_), Family::Ipv4) | (IpAddr::V6(_), Family::Ipv4 | Family::Ipv6) => {
                Some(local)
            }
        }
    }

    /// Routes that the configuration gives this neighbour.
    pub(super) fn static_routes(&self) -> Vec<(Prefix, Arc<Attributes>)> {
        let NeighborKind::Static { prefixes } = &self.config.kind else { return Vec::new() };
        let attributes = Arc::new(Attributes::originated(Ipv4Addr::UNSPECIFIED.into()));
        prefixes.iter().map(|prefix| (*prefix, attributes.clone())).collect()
    }
}

//! The Child SAs under one IKE SA.
//!
//! ```text
//!   Installed ──► Leaving     rekeyed by the peer, or redundant: the peer is to delete it
//!       │            │ too late
//!       └────────────┴──► Deleting     we tell the peer
//!       └───────────────► Expired      the same, but its keys are out of use already
//! ```

use super::super::child::Agreed;
use super::super::config::{ConnectionId, Lifetime};
use super::super::context::Context;
use super::super::event::{ChildId, ChildUp, Event, Role};
use super::super::failure::DownReason;
use super::super::keys::ChildKeyPair;
use super::super::path::Path;
use super::lifecycle::{LEAVING, rekey_time};
use crate::crypto::suite::EspSuite;
use crate::net::EspSpi;
use crate::time::Timestamp;
use crate::wire::ike::TrafficSelector;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum ChildState {
    /// In use.
    Installed,
    /// Another has its place, and the peer is to delete it until then.
    Leaving { until: Timestamp },
    /// We are to delete it, or are about to.
    Deleting,
    /// Its keys must not be used any more, and the owner knows; the peer is to be told.
    Expired,
}

#[derive(Debug)]
pub(in super::super) struct ChildSa {
    pub inbound: EspSpi,
    pub outbound: EspSpi,
    pub suite: EspSuite,
    pub local_ts: Vec<TrafficSelector>,
    pub remote_ts: Vec<TrafficSelector>,
    pub replaces: Option<ChildId>,
    pub installed_at: Timestamp,
    pub rekey_at: Timestamp,
    pub expires_at: Timestamp,
    pub state: ChildState,
    /// Why it goes, once it does.
    reason: DownReason,
}

impl ChildSa {
    /// Marks it to be deleted by us.
    pub fn delete(&mut self, reason: DownReason) {
        if self.state != ChildState::Expired {
            self.state = ChildState::Deleting;
            self.reason = reason;
        }
    }

    /// Leaves it to the peer to delete it.
    pub fn leave(&mut self, now: Timestamp) {
        if self.state == ChildState::Installed {
            self.state = ChildState::Leaving { until: now + LEAVING };
            self.reason = DownReason::Rekeyed;
        }
    }

    /// When it is to be deleted if nothing happens before.
    pub fn end_at(&self) -> Option<Timestamp> {
        match self.state {
            ChildState::Installed => Some(self.expires_at),
            ChildState::Leaving { until } => Some(until.min(self.expires_at)),
            ChildState::Deleting => Some(self.expires_at),
            ChildState::Expired => None,
        }
    }
}

/// A Child SA to be installed.
pub(in super::super) struct Installation {
    pub agreed: Agreed,
    pub keys: ChildKeyPair,
    pub path: Path,
    pub role: Role,
    pub replaces: Option<ChildId>,
    pub sendable: bool,
}

#[derive(Debug)]
pub(in super::super) struct Children {
    connection: ConnectionId,
    all: BTreeMap<ChildId, ChildSa>,
    /// When to ask for one, since there is none.
    wanted_at: Option<Timestamp>,
}

impl Children {
    pub fn new(connection: ConnectionId) -> Self {
        Children { connection, all: BTreeMap::new(), wanted_at: None }
    }

    /// Installs a Child SA and tells the owner.
    pub fn install(
        &mut self,
        new: Installation,
        lifetime: &Lifetime,
        ctx: &mut Context<'_>,
    ) -> ChildId {
        let child = ctx.pool.child_id();
        let Installation { agreed, keys, path, role, replaces, sendable } = new;
        tracing::info!(
            connection = self.connection.0, %child, inbound = %agreed.inbound,
            outbound = %agreed.outbound, suite = %agreed.suite, %role, "Child SA installed"
        );
        ctx.slots.insert(child, self.connection, sendable);
        ctx.out.event(
            self.connection,
            Event::ChildUp(Box::new(ChildUp {
                child,
                replaces,
                inbound: keys.inbound,
                outbound: keys.outbound,
                local_ts: agreed.local_ts.clone(),
                remote_ts: agreed.remote_ts.clone(),
                local: path.local,
                remote: path.remote,
                sendable,
                role,
            })),
        );
        self.all.insert(
            child,
            ChildSa {
                inbound: agreed.inbound,
                outbound: agreed.outbound,
                suite: agreed.suite,
                local_ts: agreed.local_ts,
                remote_ts: agreed.remote_ts,
                replaces,
                installed_at: ctx.now,
                rekey_at: rekey_time(lifetime, ctx),
                expires_at: ctx.now + lifetime.hard,
                state: ChildState::Installed,
                reason: DownReason::DeletedByPeer,
            },
        );
        child
    }

    /// Removes a Child SA and tells the owner.
    pub fn remove(&mut self, child: ChildId, ctx: &mut Context<'_>) {
        if let Some(sa) = self.all.remove(&child) {
            self.announce_end(child, &sa, sa.reason.clone(), ctx);
        }
    }

    /// Ends what is too old, or what the peer should have deleted.
    pub fn expire(&mut self, ctx: &mut Context<'_>) {
        let mut all = std::mem::take(&mut self.all);
        for (&child, sa) in &mut all {
            match sa.state {
                ChildState::Expired => {}
                _ if sa.expires_at <= ctx.now => {
                    self.announce_end(child, sa, DownReason::Expired, ctx);
                    sa.state = ChildState::Expired;
                }
                ChildState::Leaving { until } if until <= ctx.now => sa.delete(DownReason::Rekeyed),
                ChildState::Installed | ChildState::Leaving { .. } | ChildState::Deleting => {}
            }
        }
        self.all = all;
    }

    /// Removes all for one reason.
    pub fn clear(&mut self, reason: &DownReason, ctx: &mut Context<'_>) {
        for (child, sa) in std::mem::take(&mut self.all) {
            self.announce_end(child, &sa, reason.clone(), ctx);
        }
    }

    fn announce_end(
        &self,
        child: ChildId,
        sa: &ChildSa,
        reason: DownReason,
        ctx: &mut Context<'_>,
    ) {
        ctx.pool.release(sa.inbound);
        if sa.state == ChildState::Expired {
            return;
        }
        tracing::info!(connection = self.connection.0, %child, inbound = %sa.inbound,
            outbound = %sa.outbound, %reason, "Child SA gone");
        ctx.slots.remove(child);
        ctx.out.event(self.connection, Event::ChildDown { child, reason });
    }

    /// Takes over the Child SAs of an IKE SA whose place this one takes.
    pub fn inherit(&mut self, mut other: Children) {
        self.all.append(&mut other.all);
        self.wanted_at = other.wanted_at.or(self.wanted_at);
    }

    /// All of them, out of here.
    pub fn take(&mut self) -> Children {
        std::mem::replace(self, Children::new(self.connection))
    }

    /// When to ask for a Child SA, if one is missing.
    pub fn wanted_at(&self) -> Option<Timestamp> {
        self.wanted_at
    }

    pub fn want_at(&mut self, at: Option<Timestamp>) {
        self.wanted_at = at;
    }

    pub fn iter(&self) -> impl Iterator<Item = (ChildId, &ChildSa)> {
        self.all.iter().map(|(&child, sa)| (child, sa))
    }

    pub fn get(&self, child: ChildId) -> Option<&ChildSa> {
        self.all.get(&child)
    }

    pub fn get_mut(&mut self, child: ChildId) -> Option<&mut ChildSa> {
        self.all.get_mut(&child)
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The Child SA that the peer knows by its inbound SPI.
    pub fn by_outbound(&self, spi: EspSpi) -> Option<ChildId> {
        self.iter().find(|(_, sa)| sa.outbound == spi).map(|(child, _)| child)
    }

    /// The first that is in the state asked for.
    pub fn first(&self, wanted: impl Fn(&ChildSa) -> bool) -> Option<ChildId> {
        self.iter().find(|(_, sa)| wanted(sa)).map(|(child, _)| child)
    }

    /// The newest one in use.
    pub fn newest_installed(&self) -> Option<ChildId> {
        self.iter()
            .filter(|(_, sa)| sa.state == ChildState::Installed)
            .map(|(child, _)| child)
            .max()
    }
}

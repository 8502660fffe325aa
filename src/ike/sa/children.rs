//! The Child SAs under one IKE SA, and the slots that lack one.
//!
//! ```text
//!   Installed ──► Leaving     rekeyed by the peer, or redundant: the peer is to delete it
//!       │            │ too late
//!       └────────────┴──► Deleting     we tell the peer
//!       └───────────────► Expired      the same, but its keys are out of use already
//! ```

use super::super::child::Agreed;
use super::super::config::{ConnectionId, Lifetime, Pair, SlotId};
use super::super::context::Context;
use super::super::event::{ChildId, ChildUp, Event, Role};
use super::super::failure::{ChildRefusal, DownReason};
use super::super::keys::ChildKeyPair;
use super::super::path::Path;
use super::super::selector::{Lack, Traffic};
use super::super::state::{state_of_fields, state_of_variants};
use super::deferral::Deferral;
use super::lifecycle::{LEAVING, rekey_time};
use crate::crypto::suite::EspSuite;
use crate::net::EspSpi;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// A peer that loses one Child SA after the other gets them no faster than this.
const LOST_AGAIN: Duration = Duration::from_secs(1);
/// A Child SA that has stood for so long was of use, also if it carried nothing.
const STANDS: Duration = Duration::from_secs(30);
/// More losses in a row than these change nothing.
const MOST_LOSSES: u32 = 8;

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

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct ChildSa {
    pub slot: SlotId,
    pub inbound: EspSpi,
    pub outbound: EspSpi,
    pub suite: EspSuite,
    pub traffic: Traffic,
    pub replaces: Option<ChildId>,
    pub installed_at: Timestamp,
    pub rekey_at: Timestamp,
    pub expires_at: Timestamp,
    pub state: ChildState,
    /// The peer has put off new keys for it.
    pub(super) put_off: Option<Deferral>,
}

impl ChildSa {
    /// Marks it to be deleted by us, since another has its place.
    pub(crate) fn delete(&mut self) {
        if self.state != ChildState::Expired {
            self.state = ChildState::Deleting;
        }
    }

    /// Why it goes, if it goes now.
    fn reason(&self) -> DownReason {
        match self.state {
            ChildState::Installed => DownReason::DeletedByPeer,
            ChildState::Leaving { .. } | ChildState::Deleting => DownReason::Rekeyed,
            ChildState::Expired => DownReason::Expired,
        }
    }

    /// Leaves it to the peer to delete it.
    pub(crate) fn leave(&mut self, now: Timestamp) {
        if self.state == ChildState::Installed {
            self.state = ChildState::Leaving { until: now + LEAVING };
        }
    }

    /// When it is to be deleted if nothing happens before.
    pub(crate) fn end_at(&self) -> Option<Timestamp> {
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
    pub slot: SlotId,
    pub agreed: Agreed,
    pub keys: ChildKeyPair,
    pub path: Path,
    pub role: Role,
    pub replaces: Option<ChildId>,
    pub sendable: bool,
}

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct Children {
    connection: ConnectionId,
    all: BTreeMap<ChildId, ChildSa>,
    missing: BTreeMap<Lack, Missing>,
    /// How often in a row a slot has lost a Child SA that was of no use yet.
    losses: BTreeMap<SlotId, u32>,
}

/// A Child SA that a slot lacks, for which we are to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing {
    ask_at: Timestamp,
    /// How often in a row the peer has refused.
    refusals: u32,
    /// Whether it did so because of the traffic.
    traffic: bool,
    /// It has put us off.
    put_off: Option<Deferral>,
}

impl Missing {
    fn new(ask_at: Timestamp) -> Missing {
        Missing { ask_at, refusals: 0, traffic: false, put_off: None }
    }
}

impl Children {
    pub(crate) fn new(connection: ConnectionId) -> Self {
        Children {
            connection,
            all: BTreeMap::new(),
            missing: BTreeMap::new(),
            losses: BTreeMap::new(),
        }
    }

    /// Installs a Child SA and tells the owner.
    pub(crate) fn install(
        &mut self,
        new: Installation,
        lifetime: &Lifetime,
        ctx: &mut Context<'_>,
    ) -> ChildId {
        let child = ctx.pool.child_id();
        let Installation { slot, agreed, keys, path, role, replaces, sendable } = new;
        tracing::debug!(
            connection = self.connection.0, slot = slot.0, %child, inbound = %agreed.inbound,
            outbound = %agreed.outbound, suite = %agreed.suite, %role, "Child SA installed"
        );
        let strand = ctx.slots.insert(child, (self.connection, slot), replaces, sendable);
        ctx.out.event(
            self.connection,
            Event::ChildUp(Box::new(ChildUp {
                slot,
                child,
                replaces,
                strand,
                inbound: keys.inbound,
                outbound: keys.outbound,
                local_ts: agreed.local_ts.clone(),
                remote_ts: agreed.remote_ts.clone(),
                local: path.local,
                remote: path.remote,
                aggfrag: agreed.aggfrag,
                sendable,
                role,
            })),
        );
        self.all.insert(
            child,
            ChildSa {
                slot,
                inbound: agreed.inbound,
                outbound: agreed.outbound,
                suite: agreed.suite,
                traffic: Traffic { local: agreed.local_ts, remote: agreed.remote_ts },
                replaces,
                installed_at: ctx.now,
                rekey_at: rekey_time(lifetime, ctx),
                expires_at: ctx.now + lifetime.hard,
                state: ChildState::Installed,
                put_off: None,
            },
        );
        self.forget_served();
        child
    }

    /// What was missing and is there does not count as missing any more.
    fn forget_served(&mut self) {
        let mut missing = std::mem::take(&mut self.missing);
        missing.retain(|lack, _| !self.serves(lack));
        self.missing = missing;
    }

    /// Removes a Child SA and tells the owner.
    pub(crate) fn remove(&mut self, child: ChildId, ctx: &mut Context<'_>) {
        if let Some(sa) = self.all.remove(&child) {
            self.count_loss(&sa, ctx.now);
            self.announce_end(child, &sa, sa.reason(), ctx);
        }
    }

    /// Something came in it: it is of use.
    pub(crate) fn on_traffic(&mut self, child: ChildId) {
        if let Some(sa) = self.all.get(&child) {
            self.losses.remove(&sa.slot);
        }
    }

    fn count_loss(&mut self, sa: &ChildSa, now: Timestamp) {
        if sa.state != ChildState::Installed {
            return;
        }
        match now < sa.installed_at + STANDS {
            true => {
                let losses = self.losses.entry(sa.slot).or_insert(0);
                *losses = (*losses + 1).min(MOST_LOSSES);
            }
            false => _ = self.losses.remove(&sa.slot),
        }
    }

    /// How often in a row a slot has lost a Child SA that was of no use yet.
    pub(crate) fn losses(&self, slot: SlotId) -> u32 {
        self.losses.get(&slot).copied().unwrap_or(0)
    }

    /// Ends what is too old, or what the peer should have deleted.
    pub(crate) fn expire(&mut self, ctx: &mut Context<'_>) {
        let mut all = std::mem::take(&mut self.all);
        for (&child, sa) in &mut all {
            match sa.state {
                ChildState::Expired => {}
                _ if sa.expires_at <= ctx.now => {
                    self.announce_end(child, sa, DownReason::Expired, ctx);
                    sa.state = ChildState::Expired;
                }
                ChildState::Leaving { until } if until <= ctx.now => sa.delete(),
                ChildState::Installed | ChildState::Leaving { .. } | ChildState::Deleting => {}
            }
        }
        self.all = all;
    }

    /// The peer has lost a Child SA: the owner knows at once, the peer is told. Another is asked for,
    /// though not again and again.
    pub(crate) fn on_lost(&mut self, child: ChildId, ctx: &mut Context<'_>) {
        let Some(mut sa) = self.all.remove(&child) else { return };
        self.count_loss(&sa, ctx.now);
        self.announce_end(child, &sa, DownReason::LostByPeer, ctx);
        sa.state = ChildState::Expired;
        let pause = LOST_AGAIN * 2_u32.pow(self.losses(sa.slot).saturating_sub(1));
        let (all, ask_at) = (Lack::of_all(sa.slot), ctx.now.max(sa.installed_at + pause));
        self.all.insert(child, sa);
        if !self.serves(&all) {
            self.postpone(all, ask_at);
        }
    }

    /// Removes all for one reason.
    pub(crate) fn clear(&mut self, reason: &DownReason, ctx: &mut Context<'_>) {
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
        tracing::debug!(connection = self.connection.0, %child, inbound = %sa.inbound,
            outbound = %sa.outbound, %reason, "Child SA gone");
        ctx.slots.remove(child);
        ctx.out.event(self.connection, Event::ChildDown { slot: sa.slot, child, reason });
    }

    /// Takes over the Child SAs of an IKE SA whose place this one takes.
    pub(crate) fn inherit(&mut self, mut other: Children) {
        self.all.append(&mut other.all);
        self.missing.append(&mut other.missing);
        self.losses.append(&mut other.losses);
        self.forget_served();
    }

    /// All of them, out of here.
    pub(crate) fn take(&mut self) -> Children {
        std::mem::replace(self, Children::new(self.connection))
    }

    /// The Child SAs of a slot are not wanted any more: the owner knows at once, the peer will.
    pub(crate) fn withdraw(&mut self, slot: SlotId, ctx: &mut Context<'_>) {
        let mut all = std::mem::take(&mut self.all);
        for (&child, sa) in all.iter_mut().filter(|(_, sa)| sa.slot == slot) {
            self.announce_end(child, sa, DownReason::Requested, ctx);
            sa.state = ChildState::Expired;
        }
        self.all = all;
        self.missing.retain(|lack, _| lack.slot != slot);
    }

    /// For what to ask next, and when, if something is missing.
    pub(crate) fn wanted(&self) -> Option<(Timestamp, Lack)> {
        self.missing.iter().map(|(&lack, missing)| (missing.ask_at, lack)).min()
    }

    /// A Child SA is lacking: ask then, unless a time is set already.
    pub(crate) fn want(&mut self, lack: Lack, ask_at: Timestamp) {
        self.missing.entry(lack).or_insert(Missing::new(ask_at));
    }

    /// Whether a time is set to ask for it.
    pub(crate) fn wants(&self, lack: Lack) -> bool {
        self.missing.contains_key(&lack)
    }

    /// Ask for it not before then.
    pub(crate) fn postpone(&mut self, lack: Lack, ask_at: Timestamp) {
        self.missing.entry(lack).or_insert(Missing::new(ask_at)).ask_at = ask_at;
    }

    /// Do not ask for it: it is there, or on its way, or not wanted.
    pub(crate) fn want_no_more(&mut self, lack: Lack) {
        self.missing.remove(&lack);
    }

    /// Ask for no pair but these, and for nothing that is there.
    pub(crate) fn want_only(&mut self, lacking: &[Lack]) {
        self.missing.retain(|lack, _| lack.pair.is_none() || lacking.contains(lack));
        self.forget_served();
    }

    /// The peer has refused it; how often it had done so before.
    pub(crate) fn on_refusal(&mut self, lack: Lack, refusal: &ChildRefusal, now: Timestamp) -> u32 {
        let missing = self.missing.entry(lack).or_insert(Missing::new(now));
        let before = missing.refusals;
        missing.refusals = before.saturating_add(1);
        missing.traffic = matches!(refusal, ChildRefusal::Selectors(_));
        before
    }

    /// The peer has put it off; how often it has done so in a row.
    pub(super) fn defer(&mut self, lack: Lack, now: Timestamp) -> Deferral {
        let missing = self.missing.entry(lack).or_insert(Missing::new(now));
        let deferral = Deferral::after(missing.put_off, now);
        missing.put_off = Some(deferral);
        deferral
    }

    /// Whether the peer has refused it and has not made it since.
    pub(crate) fn is_refused(&self, lack: Lack) -> bool {
        self.missing.get(&lack).is_some_and(|missing| missing.refusals > 0)
    }

    /// The same, because it does not take so much traffic in one.
    pub(crate) fn is_refused_traffic(&self, lack: Lack) -> bool {
        self.missing.get(&lack).is_some_and(|missing| missing.traffic)
    }

    /// Whether what is asked for there is there: for all of a slot any Child SA in use, for a pair
    /// one that takes some of it. What else the peer lets through, it has then said already.
    pub(crate) fn serves(&self, lack: &Lack) -> bool {
        let serves = |sa: &ChildSa| lack.pair.is_none_or(|pair| sa.traffic.touches(&pair));
        let of_slot = self.all.values().filter(|sa| sa.slot == lack.slot);
        of_slot.filter(|sa| sa.state == ChildState::Installed).any(serves)
    }

    /// Whether the slot's Child SAs in use are for some of the pair's protocols only.
    pub(in super::super) fn lacks_protocols(&self, slot: SlotId, pair: &Pair) -> bool {
        let installed = |sa: &&ChildSa| sa.slot == slot && sa.state == ChildState::Installed;
        let mut touching = self.all.values().filter(installed).map(|sa| &sa.traffic);
        let touches = touching.clone().any(|traffic| traffic.touches(pair));
        touches && !touching.any(|traffic| traffic.takes_protocols_of(pair))
    }

    /// Whether a slot has a Child SA in use.
    pub(crate) fn has(&self, slot: SlotId) -> bool {
        self.serves(&Lack::of_all(slot))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ChildId, &ChildSa)> {
        self.all.iter().map(|(&child, sa)| (child, sa))
    }

    pub(crate) fn get(&self, child: ChildId) -> Option<&ChildSa> {
        self.all.get(&child)
    }

    pub(crate) fn get_mut(&mut self, child: ChildId) -> Option<&mut ChildSa> {
        self.all.get_mut(&child)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The Child SA that the peer knows by its inbound SPI.
    pub(crate) fn by_outbound(&self, spi: EspSpi) -> Option<ChildId> {
        self.iter().find(|(_, sa)| sa.outbound == spi).map(|(child, _)| child)
    }

    /// The first that is in the state asked for.
    pub(crate) fn first(&self, wanted: impl Fn(&ChildSa) -> bool) -> Option<ChildId> {
        self.iter().find(|(_, sa)| wanted(sa)).map(|(child, _)| child)
    }

    /// Those in use.
    pub(crate) fn installed(&self) -> impl Iterator<Item = ChildId> {
        let installed = self.iter().filter(|(_, sa)| sa.state == ChildState::Installed);
        installed.map(|(child, _)| child)
    }
}

state_of_variants!(ChildState {
    0 => Installed,
    1 => Leaving { until },
    2 => Deleting,
    3 => Expired,
});
state_of_fields!(ChildSa {
    slot,
    inbound,
    outbound,
    suite,
    traffic,
    replaces,
    installed_at,
    rekey_at,
    expires_at,
    state,
    put_off,
});
state_of_fields!(Missing { ask_at, refusals, traffic, put_off });
state_of_fields!(Children { connection, all, missing, losses });

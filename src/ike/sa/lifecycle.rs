//! Where an IKE SA stands in its life, and how old its keys may get.
//!
//! ```text
//!   Heir ──────► Active ──────► Leaving     replaced or redundant: the peer is to delete it
//!    made by the    │               │ too late
//!    peer while we  └───────────────┴──► Closing     our Delete is due or on its way
//!    make another                           │ confirmed, or not in time
//!                                           ▼
//!                                          Gone
//! ```

use super::super::config::Lifetime;
use super::super::context::Context;
use super::super::failure::DownReason;
use super::super::state::{state_of_fields, state_of_variants};
use super::deferral::Deferral;
use crate::time::Timestamp;
use std::time::Duration;

/// How long the peer may take to delete what it is to delete.
pub(super) const LEAVING: Duration = Duration::from_secs(15);
/// How long our Delete may stay unanswered.
const CLOSING: Duration = Duration::from_secs(5);

/// Where an IKE SA stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// In use.
    Active,
    /// The peer made it to replace an IKE SA that we are replacing too. It gets the Child SAs if
    /// it wins.
    Heir { until: Timestamp },
    /// Another has its place, and the peer is to delete it.
    Leaving { until: Timestamp },
    /// We delete it.
    Closing { until: Timestamp },
    /// It is over.
    Gone,
}

/// What the passing of time asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// It has lived long enough in its state: delete it.
    Close(DownReason),
    /// The peer has not confirmed our Delete in time: forget it.
    Forget,
}

/// The life of one IKE SA.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Lifecycle {
    life: Life,
    pub established_at: Timestamp,
    pub rekey_at: Timestamp,
    pub expires_at: Timestamp,
    /// The peer has put off a successor.
    pub put_off: Option<Deferral>,
}

impl Lifecycle {
    /// An IKE SA that is established now, in use.
    pub(super) fn active(lifetime: &Lifetime, ctx: &mut Context<'_>) -> Self {
        Lifecycle {
            life: Life::Active,
            established_at: ctx.now,
            rekey_at: rekey_time(lifetime, ctx),
            expires_at: ctx.now + lifetime.hard,
            put_off: None,
        }
    }

    /// An IKE SA that the peer has made now in place of another.
    pub(super) fn heir(lifetime: &Lifetime, ctx: &mut Context<'_>) -> Self {
        let until = ctx.now + 2 * LEAVING;
        Lifecycle { life: Life::Heir { until }, ..Lifecycle::active(lifetime, ctx) }
    }

    pub(super) fn life(&self) -> Life {
        self.life
    }

    pub(super) fn is_active(&self) -> bool {
        self.life == Life::Active
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.life, Life::Closing { .. } | Life::Gone)
    }

    /// It takes the place of another.
    pub(super) fn succeed(&mut self) {
        self.life = Life::Active;
    }

    /// Leaves it to the peer to delete it.
    pub(super) fn leave(&mut self, now: Timestamp) {
        self.life = Life::Leaving { until: now + LEAVING };
    }

    /// Our Delete is due.
    pub(super) fn close(&mut self, now: Timestamp) {
        self.life = Life::Closing { until: now + CLOSING };
    }

    pub(super) fn end(&mut self) {
        self.life = Life::Gone;
    }

    /// What is overdue at `now`.
    pub(super) fn overdue(&self, now: Timestamp) -> Option<Overdue> {
        if self.end_at().is_none_or(|end| now < end) {
            return None;
        }
        match self.life {
            Life::Active => Some(Overdue::Close(DownReason::Expired)),
            Life::Heir { .. } => Some(Overdue::Close(DownReason::Duplicate)),
            Life::Leaving { .. } => Some(Overdue::Close(DownReason::Rekeyed)),
            Life::Closing { .. } => Some(Overdue::Forget),
            Life::Gone => None,
        }
    }

    /// When its state ends if nothing happens before.
    pub(super) fn end_at(&self) -> Option<Timestamp> {
        match self.life {
            Life::Active => Some(self.expires_at),
            Life::Heir { until } | Life::Leaving { until } | Life::Closing { until } => Some(until),
            Life::Gone => None,
        }
    }
}

/// When to make new keys: the soft lifetime less a random part of the jitter.
pub(super) fn rekey_time(lifetime: &Lifetime, ctx: &mut Context<'_>) -> Timestamp {
    ctx.now + lifetime.some_time_before_soft(ctx.random)
}

state_of_variants!(Life {
    0 => Active,
    1 => Heir { until },
    2 => Leaving { until },
    3 => Closing { until },
    4 => Gone,
});
state_of_fields!(Lifecycle { life, established_at, rekey_at, expires_at, put_off });

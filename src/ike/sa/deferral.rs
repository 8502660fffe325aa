//! TEMPORARY_FAILURE (RFC 7296 §2.25): for how long a peer is asked again that puts us off, and what
//! is done when it goes on: "it SHOULD conclude that the state information is out of sync".
//!
//! ```text
//!   put off ──► asked again, after a pause that grows ──► made
//!                    │ too often, for too long
//!                    ├──► another IKE SA is made beside this one, before keys are too old
//!                    └──► no Child SA is left: this one is closed, and the connection begins anew
//! ```

use super::super::config::Backoff;
use super::super::context::Context;
use super::super::event::{ChildId, Event};
use super::super::failure::{ChildRefusal, DownReason, FailureReason};
use super::super::selector::Lack;
use super::super::state::state_of_fields;
use super::children::ChildState;
use super::{Effect, Established};
use crate::time::Timestamp;
use crate::wire::ike::NotifyType;
use std::time::Duration;

/// Both sides are unlikely to ask again at once after this.
const PAUSE: Backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(10) };
/// Being put off so often in a row is told, and may be too often.
const SEVERAL: u32 = 3;
/// "Over a period of several minutes" (RFC 7296 §2.25).
const LONG: Duration = Duration::from_secs(180);
/// The same for an IKE SA that has no Child SA, and serves nobody meanwhile.
const SHORT: Duration = Duration::from_secs(10);

/// How often in a row the peer has put us off, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deferral {
    since: Timestamp,
    times: u32,
}

state_of_fields!(Deferral { since, times });

impl Deferral {
    /// Once more after those `before`.
    pub(super) fn after(before: Option<Deferral>, now: Timestamp) -> Deferral {
        let Deferral { since, times } = before.unwrap_or(Deferral { since: now, times: 0 });
        Deferral { since, times: times.saturating_add(1) }
    }

    fn pause(self, ctx: &mut Context<'_>) -> Duration {
        PAUSE.wait(self.times.saturating_sub(SEVERAL), ctx.random)
    }

    fn is_news(self) -> bool {
        self.times == SEVERAL
    }

    fn is_too_long(self, patience: Duration, now: Timestamp) -> bool {
        self.times >= SEVERAL && now >= self.since + patience
    }

    /// How long to go on while what is to be replaced lives: the other half of the time is left for a
    /// new IKE SA.
    fn patience(self, expires_at: Timestamp) -> Duration {
        LONG.min(expires_at.since(self.since) / 2)
    }
}

impl Established {
    /// The peer has put off a Child SA, new or in place of another.
    pub(super) fn child_put_off(
        &mut self,
        lack: Lack,
        replaces: Option<ChildId>,
        ctx: &mut Context<'_>,
    ) {
        let now = ctx.now;
        let (deferral, patience) = match replaces {
            // The peer has made it meanwhile.
            None if self.children.serves(&lack) => return,
            None => (self.children.defer(lack, now), LONG),
            Some(old) => {
                let Some(sa) = self.children.get_mut(old) else { return };
                if sa.state != ChildState::Installed {
                    return;
                }
                let deferral = Deferral::after(sa.put_off, now);
                sa.put_off = Some(deferral);
                (deferral, deferral.patience(sa.expires_at))
            }
        };
        let again = now + deferral.pause(ctx);
        self.retry_child(lack, replaces, again);
        if deferral.is_news() {
            self.report_slot(lack.slot, refusal(), Some(again), ctx);
        }
        let serves_nobody = self.children.installed().next().is_none();
        if serves_nobody && deferral.is_too_long(SHORT, now) {
            self.effects.push(Effect::NoChild(refusal()));
            self.close(DownReason::NoChild(refusal()), ctx);
        } else if deferral.is_too_long(patience, now) {
            self.start_anew();
        }
    }

    /// The peer has put off a successor of this IKE SA.
    pub(super) fn rekey_put_off(&mut self, ctx: &mut Context<'_>) {
        let deferral = Deferral::after(self.life.put_off, ctx.now);
        let again = ctx.now + deferral.pause(ctx);
        (self.life.put_off, self.life.rekey_at) = (Some(deferral), again);
        if deferral.is_news() {
            let exchange = "rekeying of the IKE SA";
            let reason = FailureReason::Refused { exchange, notify: NotifyType::TEMPORARY_FAILURE };
            let failed = Event::Failed { slot: None, reason, retry_at: Some(again) };
            ctx.out.event(self.connection, failed);
        }
        if deferral.is_too_long(deferral.patience(self.life.expires_at), ctx.now) {
            self.start_anew();
        }
    }

    /// The two states are out of sync: another IKE SA is to take the place of this one.
    fn start_anew(&mut self) {
        tracing::warn!(
            connection = self.connection.0, ike = %self.id(),
            "the peer puts off new keys again and again; a new IKE SA is made"
        );
        self.reauthenticate();
    }

    /// The last Child SA has expired whose new keys the peer has put off: nobody is served any more.
    pub(super) fn end_deferred(&mut self, ctx: &mut Context<'_>) {
        let expired =
            |sa: &super::children::ChildSa| sa.state == ChildState::Expired && sa.put_off.is_some();
        let deferred = self.children.first(expired).is_some();
        if deferred && self.is_active() && self.children.installed().next().is_none() {
            self.close(DownReason::NoChild(refusal()), ctx);
        }
    }
}

fn refusal() -> ChildRefusal {
    ChildRefusal::Notified(NotifyType::TEMPORARY_FAILURE)
}

//! What the passing of time does to an established IKE SA, and when that is.

use super::super::context::Context;
use super::super::event::{ChildId, TimerReason};
use super::super::failure::DownReason;
use super::super::liveness::Change;
use super::Established;
use super::children::ChildState;
use super::lifecycle::Overdue;
use crate::time::{Timestamp, soonest};

impl Established {
    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, ctx: &mut Context<'_>) {
        self.exchanges.forget_old_fragments(ctx.now);
        if !self.held.has_answer() {
            self.repeat_request(ctx);
            self.judge_peer(ctx);
        }
        self.path.forget_candidate(ctx.now);
        self.end_condemned(ctx);
        match self.life.overdue(ctx.now) {
            Some(Overdue::Close(reason)) => self.close(reason, ctx),
            Some(Overdue::Forget) => self.forget(ctx),
            None => {}
        }
        self.children.expire(ctx);
        self.end_deferred(ctx);
        self.expire_followups(ctx);
        self.want_children(ctx);
        let interval = self.config.liveness.keepalive;
        if self.path.keepalive_due(ctx.now, interval) {
            ctx.out.send_keepalive(&self.path.path());
        }
        self.pump(ctx);
    }

    fn judge_peer(&mut self, ctx: &mut Context<'_>) {
        if !self.is_active() {
            return;
        }
        let asked = self.exchanges.asked_at();
        match self.liveness.judge(&self.config.liveness, asked, ctx.now) {
            None => {}
            Some(Change::Unreachable { since }) => {
                tracing::debug!(connection = self.connection.0, ike = %self.id(), %since, "peer does not answer");
            }
            Some(Change::Gone { silent }) => self.end(DownReason::Silent(silent), ctx),
        }
    }

    /// When to be called again.
    pub(crate) fn timeout(&self) -> Option<(Timestamp, TimerReason)> {
        let keepalive = self.path.keepalive_at().map(|at| (at, TimerReason::Keepalive));
        let expiry = self.life.end_at().map(|at| (at, TimerReason::Expiry));
        let children = self.children.iter().filter_map(|(_, sa)| sa.end_at()).min();
        let children = children.map(|at| (at, TimerReason::Expiry));
        let condemned = self.vouching.end_at().map(|at| (at, TimerReason::Expiry));
        let check = self.check_until().map(|at| (at, TimerReason::Expiry));
        let followups =
            self.followups.as_ref().map(|known| (known.expires_at, TimerReason::Expiry));
        let request = self.request_timeout();
        soonest([keepalive, expiry, children, condemned, check, followups, request])
    }

    fn request_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        if self.held.has_answer() {
            return None;
        }
        let liveness = &self.config.liveness;
        if let Some(asked) = self.exchanges.asked_at() {
            let again = self.exchanges.repeat_at().map(|at| (at, TimerReason::Retransmit));
            let judgement = (self.liveness.judge_at(liveness, asked), TimerReason::Liveness);
            return soonest([again, self.is_active().then_some(judgement)]);
        }
        if !self.is_active() || !self.may_ask() {
            return None;
        }
        let installed = self.children.iter().filter(|(_, sa)| sa.state == ChildState::Installed);
        let rekey = installed.map(|(_, sa)| sa.rekey_at).min().unwrap_or(self.life.rekey_at);
        let probe = Some((self.probe_at(), TimerReason::Liveness));
        if self.followups.is_some() {
            return probe;
        }
        soonest([
            probe,
            Some((rekey.min(self.life.rekey_at), TimerReason::Rekey)),
            self.children.wanted().map(|(at, _)| (at, TimerReason::CreateChild)),
        ])
    }

    /// An operator wants new keys for the IKE SA.
    pub(crate) fn rekey_now(&mut self, ctx: &mut Context<'_>) {
        self.life.rekey_at = ctx.now;
        self.pump(ctx);
    }

    /// New keys are wanted for a Child SA: by an operator, or because it has carried much.
    pub(crate) fn rekey_child_now(&mut self, child: ChildId, ctx: &mut Context<'_>) {
        if let Some(sa) = self.children.get_mut(child) {
            sa.rekey_at = ctx.now;
        }
        self.pump(ctx);
    }
}

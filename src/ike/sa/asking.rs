//! Our requests on an established IKE SA: what is due, its repetition, its answer.

use super::super::context::Context;
use super::super::event::{ChildId, TimerReason};
use super::super::exchange::{Due, Retransmission};
use super::super::failure::DownReason;
use super::super::liveness::Change;
use super::super::payloads::Payloads;
use super::super::protect::Opened;
use super::children::ChildState;
use super::{Effect, Established, Life, create, rekey};
use crate::time::{Timestamp, soonest};
use crate::wire::ike::{Delete, ExchangeType, NotifyType, Payload, ProtocolId};

/// What an outstanding request is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To see whether the peer lives.
    Probe,
    /// To make a Child SA, new or in place of another.
    Child(Box<create::Attempt>),
    /// To replace this IKE SA.
    RekeyIke(Box<rekey::Attempt>),
    /// To delete a Child SA.
    DeleteChild(ChildId),
    /// To delete this IKE SA.
    DeleteIke,
}

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Probe,
    CreateChild,
    RekeyChild(ChildId),
    RekeyIke,
    DeleteChild(ChildId),
    DeleteIke,
}

impl Established {
    /// Sends the next request that is due, if the window is free.
    pub(super) fn pump(&mut self, ctx: &mut Context<'_>) {
        if self.requests.vacancy().is_none() {
            return;
        }
        match self.due(ctx.now) {
            None => {}
            Some(Task::Probe) => self.probe(ctx),
            Some(Task::CreateChild) => {
                self.create_child_at = None;
                self.start_child(None, None, ctx);
            }
            Some(Task::RekeyChild(child)) => self.start_child(Some(child), None, ctx),
            Some(Task::RekeyIke) => self.start_rekey(None, ctx),
            Some(Task::DeleteChild(child)) => self.delete_child(child, ctx),
            Some(Task::DeleteIke) => self.delete_ike(ctx),
        }
    }

    fn due(&self, now: Timestamp) -> Option<Task> {
        match self.life {
            Life::Gone | Life::Heir { .. } | Life::Leaving { .. } => None,
            Life::Closing { .. } => Some(Task::DeleteIke),
            Life::Active => self.due_while_active(now),
        }
    }

    fn due_while_active(&self, now: Timestamp) -> Option<Task> {
        let ending = [ChildState::Deleting, ChildState::Expired];
        let deleting = self.children.first(|sa| ending.contains(&sa.state));
        let worn =
            self.children.first(|sa| sa.state == ChildState::Installed && sa.rekey_at <= now);
        let rekey = self.rekey_at <= now || self.requests.wearing_out();
        let create = self.create_child_at.is_some_and(|at| at <= now);
        let probe = self.liveness.probe_at(&self.config.liveness) <= now;
        deleting
            .map(Task::DeleteChild)
            .or(rekey.then_some(Task::RekeyIke))
            .or(worn.map(Task::RekeyChild))
            .or(create.then_some(Task::CreateChild))
            .or(probe.then_some(Task::Probe))
    }

    /// Asks the peer for a sign of life now, if nothing else is being asked.
    pub fn probe(&mut self, ctx: &mut Context<'_>) {
        self.request(ExchangeType::INFORMATIONAL, &[], Purpose::Probe, ctx);
    }

    fn delete_child(&mut self, child: ChildId, ctx: &mut Context<'_>) {
        let Some(sa) = self.children.get(child) else { return };
        let spis = vec![sa.inbound.0.to_be_bytes().to_vec()];
        let delete = [Payload::Delete(Delete { protocol: ProtocolId::ESP, spis })];
        self.request(ExchangeType::INFORMATIONAL, &delete, Purpose::DeleteChild(child), ctx);
    }

    fn delete_ike(&mut self, ctx: &mut Context<'_>) {
        let delete = [Payload::Delete(Delete { protocol: ProtocolId::IKE, spis: Vec::new() })];
        self.request(ExchangeType::INFORMATIONAL, &delete, Purpose::DeleteIke, ctx);
    }

    pub(super) fn request(
        &mut self,
        exchange: ExchangeType,
        payloads: &[Payload],
        purpose: Purpose,
        ctx: &mut Context<'_>,
    ) {
        let Some(id) = self.requests.vacancy() else { return };
        let header = self.header(exchange, false, id);
        let bytes = self.keys.seal.seal(&header, payloads);
        ctx.out.send(&self.path.path(), &bytes);
        let schedule = Retransmission::steady(&self.config.retransmit, ctx.now);
        self.requests.start(exchange, bytes, schedule, purpose);
    }

    /// The answer to the outstanding request.
    pub(super) fn handle_response(&mut self, response: &Opened, ctx: &mut Context<'_>) {
        let Some(outstanding) = self.requests.finish() else { return };
        let round_trip = outstanding.retransmission.round_trip(ctx.now);
        if self.liveness.on_answer(ctx.now, round_trip) {
            tracing::info!(connection = self.connection.0, ike = %self.id, "peer answers again");
        }
        let payloads = match response.payloads() {
            Ok(payloads) => Payloads(payloads),
            Err(error) => return self.end(DownReason::Breach(error.to_string()), ctx),
        };
        if let Some(breach) = fatal(payloads) {
            return self.end(DownReason::Breach(breach), ctx);
        }
        match outstanding.purpose {
            Purpose::Probe => {}
            // Closed meanwhile: what the peer has made goes with the IKE SA, or right after it.
            Purpose::Child(attempt) if self.is_over() => attempt.release(ctx),
            Purpose::RekeyIke(attempt) if self.is_over() => {
                self.rekey_answered_too_late(*attempt, payloads, ctx);
            }
            Purpose::Child(attempt) => self.child_answered(*attempt, payloads, ctx),
            Purpose::RekeyIke(attempt) => self.rekey_answered(*attempt, payloads, ctx),
            Purpose::DeleteChild(child) => {
                self.children.remove(child, ctx);
                self.want_child(ctx);
            }
            Purpose::DeleteIke => self.forget(ctx),
        }
    }

    pub(super) fn forget(&mut self, ctx: &mut Context<'_>) {
        if let Some(Purpose::Child(attempt)) = self.requests.purpose() {
            attempt.release(ctx);
        }
        self.life = Life::Gone;
        self.effects.push(Effect::Forget);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, ctx: &mut Context<'_>) {
        self.repeat_request(ctx);
        self.judge_peer(ctx);
        self.expire(ctx);
        self.children.expire(ctx);
        self.want_child(ctx);
        let interval = self.config.liveness.keepalive;
        if self.path.keepalive_due(ctx.now, interval) {
            ctx.out.send_keepalive(&self.path.path());
        }
        self.pump(ctx);
    }

    fn repeat_request(&mut self, ctx: &mut Context<'_>) {
        let path = self.path.path();
        let Some(outstanding) = self.requests.outstanding_mut() else { return };
        match outstanding.retransmission.on_timeout(ctx.now) {
            Due::Resend => {
                ctx.out.stats.retransmitted += 1;
                ctx.out.send(&path, &outstanding.bytes);
            }
            Due::Nothing | Due::GiveUp => {}
        }
    }

    fn judge_peer(&mut self, ctx: &mut Context<'_>) {
        if !self.is_active() {
            return;
        }
        let asked = self.requests.outstanding().map(|one| one.retransmission.first_sent());
        match self.liveness.judge(&self.config.liveness, asked, ctx.now) {
            None => {}
            Some(Change::Unreachable { since }) => {
                tracing::warn!(connection = self.connection.0, ike = %self.id, %since, "peer does not answer");
            }
            Some(Change::Gone { silent }) => self.end(DownReason::Silent(silent), ctx),
        }
    }

    fn expire(&mut self, ctx: &mut Context<'_>) {
        match self.life {
            Life::Active if self.expires_at <= ctx.now => self.close(DownReason::Expired, ctx),
            Life::Heir { until } if until <= ctx.now => self.close(DownReason::Duplicate, ctx),
            Life::Leaving { until } if until <= ctx.now => self.close(DownReason::Rekeyed, ctx),
            Life::Closing { until } if until <= ctx.now => self.forget(ctx),
            Life::Active
            | Life::Heir { .. }
            | Life::Leaving { .. }
            | Life::Closing { .. }
            | Life::Gone => {}
        }
    }

    /// When to be called again.
    pub fn timeout(&self) -> Option<(Timestamp, TimerReason)> {
        let keepalive = self.path.keepalive_at().map(|at| (at, TimerReason::Keepalive));
        let life = match self.life {
            Life::Active => Some(self.expires_at),
            Life::Heir { until } | Life::Leaving { until } | Life::Closing { until } => Some(until),
            Life::Gone => None,
        };
        let expiry = life.map(|at| (at, TimerReason::Expiry));
        let children = self.children.iter().filter_map(|(_, sa)| sa.end_at()).min();
        let children = children.map(|at| (at, TimerReason::Expiry));
        soonest([keepalive, expiry, children, self.request_timeout()])
    }

    fn request_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        if let Some(outstanding) = self.requests.outstanding() {
            let again = outstanding.retransmission.next();
            let asked = outstanding.retransmission.first_sent();
            let judgement = self.liveness.judge_at(&self.config.liveness, asked);
            let judgement = self.is_active().then_some((judgement, TimerReason::Liveness));
            return soonest([Some((again, TimerReason::Retransmit)), judgement]);
        }
        if !self.is_active() || self.requests.vacancy().is_none() {
            return None;
        }
        let installed = self.children.iter().filter(|(_, sa)| sa.state == ChildState::Installed);
        let rekey = installed.map(|(_, sa)| sa.rekey_at).min().unwrap_or(self.rekey_at);
        soonest([
            Some((self.liveness.probe_at(&self.config.liveness), TimerReason::Liveness)),
            Some((rekey.min(self.rekey_at), TimerReason::Rekey)),
            self.create_child_at.map(|at| (at, TimerReason::CreateChild)),
        ])
    }

    /// An operator wants new keys for the IKE SA.
    pub fn rekey_now(&mut self, ctx: &mut Context<'_>) {
        self.rekey_at = ctx.now;
        self.pump(ctx);
    }

    /// New keys are wanted for a Child SA: by an operator, or because it has carried much.
    pub fn rekey_child_now(&mut self, child: ChildId, ctx: &mut Context<'_>) {
        if let Some(sa) = self.children.get_mut(child) {
            sa.rekey_at = ctx.now;
        }
        self.pump(ctx);
    }
}

/// Errors after which both sides cannot have the same state any more (RFC 7296 §2.21.3).
fn fatal(payloads: Payloads<'_>) -> Option<String> {
    if let Some(unknown) = payloads.unknown_critical() {
        return Some(format!("a response with an unknown critical payload of type {}", unknown.0));
    }
    let error = payloads.error().map(|notify| notify.notify_type);
    let mutual = [NotifyType::INVALID_SYNTAX, NotifyType::AUTHENTICATION_FAILED];
    error.filter(|error| mutual.contains(error)).map(|error| format!("it answered {error}"))
}

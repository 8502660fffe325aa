//! IKE SAs from state to state, and what they do to each other and to their connection.

use super::super::config::ConnectionId;
use super::super::connection::{Attempt, Told};
use super::super::context::Context;
use super::super::event::{IkeSaId, Role};
use super::super::failure::{ChildRefusal, DownReason, FailureReason};
use super::super::fault::{self, Fault};
use super::super::initiator;
use super::super::job::JobAnswer;
use super::super::limits::{self, Source};
use super::super::responder;
use super::super::sa::{Effect, Established, NoFirstChild};
use super::super::stats::Discard;
use super::super::view::Unanswered;
use super::Endpoint;
use super::sas::IkeSa;
use crate::moment::Moment;
use crate::time::Timestamp;
use crate::wire::ike::IkeSpi;
use std::net::SocketAddr;

impl Endpoint {
    /// What became of our attempt.
    pub(super) fn after_initiator(
        &mut self,
        spi: IkeSpi,
        id: ConnectionId,
        step: initiator::Step,
        at: &mut Moment<'_>,
    ) {
        match step {
            initiator::Step::Working(state) => self.sas.put(spi, IkeSa::Initiating(state)),
            initiator::Step::AwaitInit(state) => self.sas.put(spi, IkeSa::AwaitInit(state)),
            initiator::Step::AwaitIntermediate(state) => {
                self.sas.put(spi, IkeSa::AwaitIntermediate(state));
            }
            initiator::Step::AwaitAuth(state) => self.sas.put(spi, IkeSa::AwaitAuth(state)),
            initiator::Step::Ready(state, proof) => {
                let initial_contact = self.is_first_contact(id);
                let state = state.send(proof, initial_contact, &mut self.core.context(at));
                self.sas.put(spi, IkeSa::AwaitAuth(state));
            }
            initiator::Step::Established { sa, initial_contact, child } => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.attempt = Attempt::Idle;
                    connection.carrier.leave_off();
                }
                self.adopt(sa, initial_contact, child, at);
            }
            initiator::Step::Failed(reason) => self.attempt_failed(id, reason, at),
        }
    }

    /// The job that an IKE SA has waited for is done.
    pub(super) fn resume(&mut self, sa: IkeSa, answer: JobAnswer, at: &mut Moment<'_>) {
        let JobAnswer { id, done } = answer;
        let mut ctx = self.core.context(at);
        match sa {
            IkeSa::Initiating(state) => {
                let connection = state.connection();
                let step = state.resume(done, &mut ctx);
                self.after_initiator(id.sa, connection, step, at);
            }
            IkeSa::Responding(state) => {
                let origin = state.origin();
                let step = state.resume(done, &self.connections, &mut ctx);
                self.after_responder(origin, step, at);
            }
            IkeSa::Established(mut sa) => {
                let connection = sa.connection;
                sa.resume(id, done, &mut ctx);
                self.keep(sa, at);
                self.settle(connection, at);
            }
            other => self.sas.put(id.sa, other),
        }
    }

    /// Whether no IKE SA in working order exists between the two identities of a connection:
    /// INITIAL_CONTACT says so, for all connections between them (RFC 7296 §2.4).
    pub(super) fn is_first_contact(&self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let restarts = matches!(connection.told, Told::Unreachable { .. } | Told::Down);
        let same = self.connections.between_the_same(&connection.config).into_iter();
        let others = same.filter(|other| !(restarts && *other == id));
        others.flat_map(|other| self.sas.established_of(other)).all(Established::is_over)
    }

    /// What became of an IKE SA that a peer has begun.
    pub(super) fn after_responder(
        &mut self,
        (origin, id): (SocketAddr, IkeSaId),
        step: responder::Step,
        at: &mut Moment<'_>,
    ) {
        match step {
            responder::Step::Working(state) => self.sas.put(id.local, IkeSa::Responding(state)),
            responder::Step::HalfOpen(state) => self.sas.put(id.local, IkeSa::HalfOpen(state)),
            responder::Step::Established { sa, initial_contact, child } => {
                self.half_open.remove(origin, id);
                self.adopt(sa, initial_contact, child, at);
            }
            responder::Step::Refused { answer, path, reason } => {
                self.half_open.remove(origin, id);
                // One that has proved who it is, is no suspect.
                let is_known = reason == FailureReason::Disabled;
                if !is_known {
                    self.suspects.on_failed(Source::of(path.remote.ip()), at.now);
                }
                if !is_known && !self.tell_peers_at(path, &reason, at.now) {
                    tracing::warn!(remote = %path.remote, %reason, "{} refused: {reason}", path.remote);
                }
                self.sas.put_over(id.local, answer, path);
            }
            responder::Step::Dropped(discard) => {
                self.half_open.remove(origin, id);
                self.core.out.count(discard);
            }
        }
    }

    /// A handshake has made an IKE SA.
    fn adopt(
        &mut self,
        mut sa: Box<Established>,
        initial_contact: bool,
        child: Result<(), NoFirstChild>,
        at: &mut Moment<'_>,
    ) {
        let (id, role) = (sa.connection, sa.role());
        if let Some(connection) = self.connections.get_mut(id) {
            connection.carrier.on_up(sa.path().is_streamed(), at.now);
            // Timers and slots may have been changed while the handshake was under way.
            sa.reconfigure(connection.config.clone(), &mut self.core.context(at));
        }
        match child {
            Err(none) if !sa.serves_despite(&none) => {
                let refusal = none.refusal;
                // An IKE SA without a Child SA serves nobody. A fresh attempt, after a pause,
                // may find the other side with another configuration.
                let reason = DownReason::NoChild(refusal.clone());
                sa.close(reason, &mut self.core.context(at));
                self.keep(sa, at);
                self.child_failed(id, role, refusal, at);
            }
            child => {
                if let Err(none) = child {
                    sa.on_no_first_child(none, &mut self.core.context(at));
                }
                sa.begin_with_slots(&mut self.core.context(at));
                if initial_contact {
                    self.end_older(&sa, at);
                }
                if role == Role::Responder {
                    self.cancel_early_attempt(id, at);
                }
                self.end_surplus(id, at);
                self.keep(sa, at);
            }
        }
        self.settle(id, at);
    }

    fn child_failed(
        &mut self,
        id: ConnectionId,
        role: Role,
        refusal: ChildRefusal,
        at: &mut Moment<'_>,
    ) {
        let reason = FailureReason::Child(refusal);
        match role {
            Role::Initiator => self.attempt_failed(id, reason, at),
            Role::Responder => self.note_failure(id, reason, None, at.now),
        }
    }

    /// One side has said that the new IKE SA is its only one: those that were there before it
    /// began are dead. One that came up meanwhile is not (both sides may initiate at once).
    fn end_older(&mut self, new: &Established, at: &mut Moment<'_>) {
        for spi in self.sas.spis_of(new.connection) {
            let any = fault::is_on(Fault::ContactEndsAll);
            let older = |sa: &Established| any || sa.established_at() < new.began_at();
            if !self.sas.established(spi).is_some_and(older) {
                continue;
            }
            self.with_established(spi, at, |sa, ctx| match new.role() {
                Role::Responder => sa.end(DownReason::PeerRestarted, ctx),
                Role::Initiator => sa.close(DownReason::Duplicate, ctx),
            });
        }
    }

    /// One more IKE SA of a connection that has too many: the oldest goes, first of those that are
    /// out of use.
    fn end_surplus(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        while self.sas.spis_of(id).len() >= limits::IKE_SAS {
            let age = |sa: &&Established| (sa.is_active(), sa.established_at());
            let oldest = self.sas.established_of(id).min_by_key(age).map(|sa| sa.id().local);
            let Some(oldest) = oldest else { return };
            self.core.out.count(Discard::TooManyIkeSas);
            self.with_established(oldest, at, |sa, ctx| sa.end(DownReason::Duplicate, ctx));
        }
    }

    /// The peer was quicker: as long as we have not sent IKE_AUTH, our own attempt would only
    /// make a duplicate.
    fn cancel_early_attempt(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let Some(connection) = self.connections.get(id) else { return };
        let late = match connection.attempt {
            Attempt::Running { spi } => match self.sas.get(spi) {
                Some(IkeSa::AwaitAuth(_)) => true,
                Some(IkeSa::Initiating(state)) => state.has_sent_auth(),
                Some(_) | None => false,
            },
            Attempt::Idle | Attempt::Waiting { .. } => false,
        };
        if !late {
            self.cancel_attempt(id, at);
        }
    }

    /// Calls on one IKE SA, then does what that asks for.
    pub(super) fn with_established(
        &mut self,
        spi: IkeSpi,
        at: &mut Moment<'_>,
        call: impl FnOnce(&mut Established, &mut Context<'_>),
    ) {
        match self.sas.take(spi) {
            Some(IkeSa::Established(mut sa)) => {
                call(&mut sa, &mut self.core.context(at));
                self.keep(sa, at);
            }
            Some(other) => {
                self.sas.put(spi, other);
            }
            None => {}
        }
    }

    /// Puts an IKE SA into its place, and does what it asks for.
    pub(super) fn keep(&mut self, mut sa: Box<Established>, at: &mut Moment<'_>) {
        let (spi, id, role) = (sa.id().local, sa.connection, sa.role());
        let effects = sa.take_effects();
        self.sas.put(spi, IkeSa::Established(sa));
        for effect in effects {
            match effect {
                Effect::Insert(made) => self.keep(made, at),
                Effect::Inherit(heir, estate) => {
                    let mut ctx = self.core.context(at);
                    match self.sas.established_mut(heir) {
                        Some(heir) => heir.inherit(estate, &mut ctx),
                        None => estate.dissolve(&mut ctx),
                    }
                }
                Effect::Redundant(spi) => {
                    if let Some(redundant) = self.sas.established_mut(spi) {
                        redundant.leave(at.now);
                    }
                }
                Effect::Ended(reason) => {
                    if let Some(connection) = self.connections.get_mut(id) {
                        connection.ended = Some(reason);
                    }
                }
                Effect::Reauthenticate => self.reauthenticate(id, at),
                Effect::Reconnect => {
                    if let Some(connection) = self.connections.get_mut(id) {
                        connection.hurry(at.now);
                    }
                }
                Effect::NoChild(refusal) => self.child_failed(id, role, refusal, at),
                Effect::Forget => self.forget(spi, id, at.now),
            }
        }
    }

    /// Makes another IKE SA beside the one that there is, unless that is being done.
    fn reauthenticate(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.config.initiate && connection.attempt == Attempt::Idle {
            self.start_attempt(id, at);
        }
    }

    fn forget(&mut self, spi: IkeSpi, id: ConnectionId, now: Timestamp) {
        let Some(IkeSa::Established(sa)) = self.sas.take(spi) else { return };
        for other in self.sas.spis_of(id) {
            if let Some(other) = self.sas.established_mut(other) {
                other.forget_rival(spi);
            }
        }
        if let Some((answer, path)) = sa.into_last_answer(now) {
            self.sas.put_over(spi, answer, path);
        }
    }

    /// The time of one IKE SA has come; says whose connection may be affected.
    pub(super) fn time_out(&mut self, spi: IkeSpi, at: &mut Moment<'_>) -> Option<ConnectionId> {
        let sa = self.sas.take(spi)?;
        let mut ctx = self.core.context(at);
        match sa {
            IkeSa::Initiating(state) => {
                let connection = state.connection();
                let step = state.handle_timeout(&mut ctx);
                self.after_initiator(spi, connection, step, at);
                Some(connection)
            }
            IkeSa::AwaitInit(state) => {
                let connection = state.attempt.connection;
                let step = state.handle_timeout(&mut ctx);
                self.after_initiator(spi, connection, step, at);
                Some(connection)
            }
            IkeSa::AwaitIntermediate(state) => {
                let connection = state.keyed.connection;
                let step = state.handle_timeout(&mut ctx);
                self.after_initiator(spi, connection, step, at);
                Some(connection)
            }
            IkeSa::AwaitAuth(state) => {
                let connection = state.keyed.connection;
                let step = state.handle_timeout(&mut ctx);
                self.after_initiator(spi, connection, step, at);
                Some(connection)
            }
            IkeSa::Responding(state) => self.expire_half_open(state.origin()),
            IkeSa::HalfOpen(state) => self.expire_half_open(state.origin()),
            IkeSa::Established(mut sa) => {
                let connection = sa.connection;
                sa.handle_timeout(&mut ctx);
                self.keep(sa, at);
                Some(connection)
            }
            IkeSa::Over(..) => None,
        }
    }
    /// A peer did not authenticate itself in time; no connection is affected.
    fn expire_half_open(&mut self, (origin, id): (SocketAddr, IkeSaId)) -> Option<ConnectionId> {
        self.core.out.count(Discard::HalfOpenExpired);
        self.half_open.remove(origin, id);
        None
    }

    /// What an attempt has had no answer to.
    pub(super) fn unanswered(&self, attempt: Attempt) -> Option<Unanswered> {
        let Attempt::Running { spi } = attempt else { return None };
        match self.sas.get(spi)? {
            IkeSa::AwaitInit(state) => Some(state.unanswered()),
            IkeSa::AwaitIntermediate(state) => Some(state.unanswered()),
            IkeSa::AwaitAuth(state) => Some(state.unanswered()),
            IkeSa::Initiating(_) | IkeSa::Responding(_) | IkeSa::HalfOpen(_) => None,
            IkeSa::Established(_) | IkeSa::Over(..) => None,
        }
    }

    /// Whether an attempt to connect is under way to which nobody has answered so far.
    pub fn is_unheard(&self, id: ConnectionId) -> bool {
        let attempt = self.connections.get(id).map(|connection| connection.attempt);
        let Some(Attempt::Running { spi }) = attempt else { return false };
        matches!(self.sas.get(spi), Some(IkeSa::AwaitInit(_)))
    }
}

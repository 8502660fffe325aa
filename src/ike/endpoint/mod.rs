//! The IKEv2 endpoint: all connections and all IKE SAs of a gateway, without I/O.
//!
//! One input (`handle_…` or a verb), then drain [`Endpoint::poll_event`] and
//! [`Endpoint::poll_transmit`], events first: a Child SA must be installed before the message
//! leaves that lets the peer use it. What [`Endpoint::poll_job`] gives is done elsewhere and
//! comes back by [`Endpoint::handle_job`]. Then wait until [`Endpoint::poll_timeout`] or the next
//! input.
//!
//! Here IKE SAs only come together; what each does by itself is in `initiator`, `responder`
//! and `sa`. The parts: `sas` (where they are found), `dispatch` (datagrams to IKE SAs),
//! `lifecycle` (what IKE SAs do to each other and to their connection), `settle` (duplicates, and
//! what the owner is told).
//!
//! No input looks at more than the IKE SAs and connections that it is about: all are found by an
//! index, and every verb ends by setting the timers of those it touched.

mod dispatch;
mod handover;
mod lifecycle;
mod sas;
mod sending;
mod settle;
mod ways;

use super::carrier::Carrier;
use super::config::{ConnectionConfig, ConnectionId, EndpointConfig, RemoteAddress, SlotId};
use super::connection::{self, Connection, Told};
use super::connections::Connections;
use super::context::{Core, Outbox, Pool};
use super::cookie::CookieJar;
use super::event::{ChildId, Event, TimerReason, Transmit};
use super::failure::{DownReason, FailureReason};
use super::half_open::{HalfOpenIndex, ReplyLimit};
use super::initiator::Attempt;
use super::job::{Job, JobAnswer, Jobs};
use super::limits::{Accounts, Suspects};
use super::path::Path;
use super::sa::Established;
use super::sa::children::ChildState;
use super::slots::{Owner, Slots};
use super::sounding::Soundings;
use super::stats::Stats;
use super::view::{ConnectionState, ConnectionView, IkeSecrets};
use super::ways::Ways;
use crate::moment::Moment;
use crate::time::{Timers, Timestamp};
use crate::wire::ike::IkeSpi;
use sas::{IkeSa, Sas};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
pub use ways::Trial;

/// Whose deadline it is; of those that are due at once, IKE SAs come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Sa(IkeSpi),
    Connection(ConnectionId),
    Sounding(ConnectionId),
}

/// The IKEv2 engine of one gateway.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub struct Endpoint {
    core: Core,
    connections: Connections,
    sas: Sas,
    timers: Timers<Timer>,
    half_open: HalfOpenIndex,
    cookies: CookieJar,
    replies: ReplyLimit,
    suspects: Suspects,
    soundings: Soundings,
    ways: Ways,
}

impl Endpoint {
    /// An endpoint without connections.
    pub fn new(settings: EndpointConfig, at: &mut Moment<'_>) -> Self {
        let out = Outbox::new(settings.natt_port);
        Endpoint {
            core: Core {
                settings,
                pool: Pool::default(),
                slots: Slots::default(),
                jobs: Jobs::default(),
                accounts: Accounts::default(),
                out,
            },
            connections: Connections::default(),
            sas: Sas::default(),
            timers: Timers::default(),
            half_open: HalfOpenIndex::default(),
            cookies: CookieJar::new(at),
            replies: ReplyLimit::default(),
            suspects: Suspects::default(),
            soundings: Soundings::default(),
            ways: Ways::default(),
        }
    }

    /// Adds a connection, or replaces the one of this number. It starts by itself if it is to
    /// initiate.
    pub fn add_connection(
        &mut self,
        id: ConnectionId,
        config: ConnectionConfig,
        at: &mut Moment<'_>,
    ) {
        self.remove_connection(id, at);
        let connection = Connection::new(config);
        let wanted = connection.wanted;
        self.connections.insert(id, connection);
        if wanted {
            self.start_attempt(id, at);
        }
        self.rearm();
    }

    /// Changes a connection. If only timers and slots differ, its IKE SA goes on, and so do the
    /// Child SAs of slots that stay; those of slots that are gone, or are for other traffic now,
    /// are deleted, and new slots get theirs. Else the connection begins anew.
    pub fn update_connection(
        &mut self,
        id: ConnectionId,
        config: ConnectionConfig,
        at: &mut Moment<'_>,
    ) {
        let known = self.connections.get_mut(id);
        let Some(connection) = known.filter(|known| known.config.same_peer(&config)) else {
            return self.add_connection(id, config, at);
        };
        let begins = config.initiate && !connection.config.initiate;
        let elsewhere = config.local != connection.config.local;
        connection.wanted &= config.initiate;
        let config = Arc::new(config);
        self.connections.reconfigure(id, config.clone());
        for spi in self.sas.spis_of(id) {
            self.with_established(spi, at, |sa, ctx| {
                sa.reconfigure(config.clone(), ctx);
                if elsewhere {
                    sa.follow_way(ctx);
                }
            });
        }
        self.settle(id, at);
        if config.refuses {
            self.terminate(id, at);
        }
        if elsewhere {
            self.hasten(id, at);
        }
        if begins {
            self.initiate(id, at);
        }
        self.rearm();
    }

    /// These addresses of ours are gone: IKE SAs that run from one of them move to that of their
    /// connection if it is for us to say so (RFC 4555), or else end here and now, and
    /// connections that initiate begin anew at once. Only then is every IKE SA looked at.
    pub fn on_addresses_gone(&mut self, gone: &BTreeSet<IpAddr>, at: &mut Moment<'_>) {
        let lost = |sa: &Established| Some(sa.local_ip()).filter(|local| gone.contains(local));
        let all = self.sas.all_established();
        let lost: Vec<_> =
            all.filter_map(|sa| Some((sa.id().local, sa.connection, lost(sa)?))).collect();
        for (spi, id, local) in lost {
            if self.sas.established(spi).is_some_and(Established::may_move) {
                self.with_established(spi, at, |sa, ctx| sa.on_address_gone(ctx));
                continue;
            }
            let reason = DownReason::AddressGone(local);
            self.with_established(spi, at, |sa, ctx| sa.end(reason, ctx));
            self.settle(id, at);
            self.hasten(id, at);
        }
        self.rearm();
    }

    /// Deletes the connection and its SAs; the peer is told.
    pub fn remove_connection(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        self.terminate(id, at);
        self.connections.remove(id);
        self.core.accounts.forget(id);
        self.soundings.forget(id);
        self.ways.forget(id);
        self.arm_sounding(id);
        self.rearm();
    }

    /// Brings the connection up, and keeps it up.
    pub fn initiate(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.wanted = connection.config.remote != RemoteAddress::Any;
        let running = matches!(connection.attempt, connection::Attempt::Running { .. });
        if connection.wanted && connection.told == Told::Down && !running {
            self.start_attempt(id, at);
        }
        self.rearm();
    }

    /// Takes the connection down until [`Endpoint::initiate`] or the peer brings it up.
    pub fn terminate(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.wanted = false;
        self.cancel_attempt(id, at);
        for spi in self.sas.spis_of(id) {
            self.with_established(spi, at, |sa, ctx| {
                sa.close(DownReason::Requested, ctx);
            });
        }
        self.settle(id, at);
        self.rearm();
    }

    /// Gives the connection's IKE SA new keys now.
    pub fn rekey_ike(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        for spi in self.sas.active_spis(id) {
            self.with_established(spi, at, |sa, ctx| sa.rekey_now(ctx));
        }
        self.rearm();
    }

    /// Gives the Child SAs of a connection's slot new keys now.
    pub fn rekey_child(&mut self, id: ConnectionId, slot: SlotId, at: &mut Moment<'_>) {
        let active = self.sas.active_of(id);
        let children: Vec<ChildId> = active
            .flat_map(|sa| sa.children.iter())
            .filter(|(_, sa)| sa.slot == slot && sa.state == ChildState::Installed)
            .map(|(child, _)| child)
            .collect();
        for child in children {
            self.on_soft_limit(child, at);
        }
    }

    /// A Child SA has carried so much that it needs new keys.
    pub fn on_soft_limit(&mut self, child: ChildId, at: &mut Moment<'_>) {
        if let Some((spi, _)) = self.owner_of(child) {
            self.with_established(spi, at, |sa, ctx| sa.rekey_child_now(child, ctx));
        }
        self.rearm();
    }

    /// A Child SA has opened a packet: the peer lives, and sends on it.
    pub fn on_inbound_traffic(&mut self, child: ChildId, now: Timestamp) {
        let Some((spi, owner)) = self.owner_of(child) else { return };
        let sending = self.core.slots.sending(owner.strand);
        let Some(sa) = self.sas.established_mut(spi) else { return };
        sa.on_traffic(child, now);
        if let Some(connection) = self.connections.get_mut(owner.connection) {
            connection.on_traffic(now);
        }
        let replacement = sa.children.get(child).is_some_and(|sa| {
            sa.state == ChildState::Installed && (sa.replaces == sending || sending.is_none())
        });
        if replacement {
            self.core.slots.send_on(child);
            let Owner { connection, slot, .. } = owner;
            self.core.out.event(connection, Event::ChildSendable { slot, child });
        }
        self.rearm();
    }

    /// What was asked in a Child SA was answered: packets pass both ways.
    pub fn on_data_passes(&mut self, child: ChildId, now: Timestamp) {
        let Some((spi, _)) = self.owner_of(child) else { return };
        if let Some(sa) = self.sas.established_mut(spi) {
            sa.on_traffic(child, now);
            let connection = sa.connection;
            if let Some(connection) = self.connections.get_mut(connection) {
                connection.on_traffic(now);
                connection.data_passed = Some(now);
            }
        }
        self.rearm();
    }

    /// A Child SA has opened a packet that came from elsewhere than it is sent to: `local` got it
    /// from `remote`. The peer may have moved.
    pub fn on_inbound_from(
        &mut self,
        child: ChildId,
        (local, remote): (SocketAddr, SocketAddr),
        at: &mut Moment<'_>,
    ) {
        let Some((spi, Owner { connection, .. })) = self.owner_of(child) else { return };
        self.with_established(spi, at, |sa, ctx| sa.on_traffic_from(Path { local, remote }, ctx));
        self.settle(connection, at);
        self.rearm();
    }

    /// Time has passed: everything that was due by `now` is done.
    pub fn handle_timeout(&mut self, at: &mut Moment<'_>) {
        self.cookies.rotate(at);
        let due: BTreeSet<Timer> = std::iter::from_fn(|| self.timers.pop_due(at.now)).collect();
        let mut connections = BTreeSet::new();
        for timer in due {
            match timer {
                Timer::Sa(spi) => connections.extend(self.time_out(spi, at)),
                Timer::Connection(id) => {
                    self.connections.touch(id);
                    connections.insert(id);
                }
                Timer::Sounding(id) => self.time_out_sounding(id, at),
            }
        }
        for id in connections {
            self.time_out_connection(id, at);
        }
        self.rearm();
    }

    /// When to call [`Endpoint::handle_timeout`] at the latest, and what for; `None` when there
    /// is nothing to wait for but datagrams.
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        let (due, timer) = self.timers.next()?;
        Some((due, self.timeout_of(timer).map_or(TimerReason::Expiry, |(_, reason)| reason)))
    }

    /// Sets the deadlines of those IKE SAs and connections that the last input touched.
    fn rearm(&mut self) {
        while let Some(spi) = self.sas.next_touched() {
            self.rearm_one(Timer::Sa(spi));
        }
        while let Some(id) = self.connections.next_touched() {
            self.rearm_one(Timer::Connection(id));
        }
    }

    fn rearm_one(&mut self, timer: Timer) {
        let deadline = self.timeout_of(timer).map(|(due, _)| due);
        self.timers.arm(timer, deadline);
    }

    fn timeout_of(&self, timer: Timer) -> Option<(Timestamp, TimerReason)> {
        match timer {
            Timer::Sa(spi) => self.sas.get(spi)?.timeout(),
            Timer::Connection(id) => self.connections.get(id)?.timeout(),
            Timer::Sounding(id) => Some((self.soundings.timeout(id)?, TimerReason::Retransmit)),
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.core.out.poll_transmit()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<(ConnectionId, Event)> {
        self.core.out.poll_event()
    }

    /// The next piece of public-key work to do. Every job that is polled must be answered.
    pub fn poll_job(&mut self) -> Option<Job> {
        let Endpoint { core, sas, .. } = self;
        core.jobs.poll(|job| sas.get(job.sa).is_some_and(|sa| sa.awaits(job)))
    }

    /// A job is done. Without effect when nobody waits for it any more.
    pub fn handle_job(&mut self, answer: JobAnswer, at: &mut Moment<'_>) {
        self.core.jobs.on_answer();
        if let Some(sa) = self.sas.take_awaiting(answer.id) {
            self.resume(sa, answer, at);
            self.rearm();
        }
    }

    /// Does on the spot all the public-key work that there is to do.
    #[cfg(any(test, fuzzing))]
    pub fn run_jobs(&mut self, at: &mut Moment<'_>) {
        while let Some(job) = self.poll_job() {
            self.handle_job(job.run(), at);
        }
    }

    /// Counters since the start.
    pub fn stats(&self) -> &Stats {
        &self.core.out.stats
    }

    /// Whether no IKE SA is left, not even one whose deletion the peer has yet to confirm.
    pub fn is_idle(&self) -> bool {
        self.sas.is_idle()
    }

    /// The connection as it is now.
    pub fn view(&self, id: ConnectionId) -> Option<ConnectionView> {
        let connection = self.connections.get(id)?;
        let state = match (connection.told, connection.attempt) {
            (Told::Up, _) => ConnectionState::Up,
            (Told::Unreachable { since }, _) => ConnectionState::Unreachable(since),
            (Told::Down, connection::Attempt::Running { .. }) => ConnectionState::Connecting,
            (Told::Down, connection::Attempt::Waiting { .. }) => ConnectionState::Waiting,
            (Told::Down, connection::Attempt::Idle) => ConnectionState::Idle,
        };
        Some(ConnectionView {
            state,
            ike_sas: self.sas.active_of(id).map(Established::view).collect(),
            unanswered: self.unanswered(connection.attempt),
            retry_at: connection.attempt_at(),
            last_failure: connection.last_failure.clone(),
            udp_silent_since: connection.carrier.silent_since(),
            excess: self.core.accounts.refused(id),
        })
    }

    /// The keys of a connection's IKE SAs, for whoever reads a capture.
    pub fn secrets(&self, id: ConnectionId) -> Vec<IkeSecrets> {
        self.sas.active_of(id).map(Established::secrets).collect()
    }

    /// Begins an attempt to connect.
    fn start_attempt(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let ports = (self.core.settings.ike_port, self.core.settings.natt_port);
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Some(path) = connection.way(ports.0, ports.1) else { return };
        let quiet = connection.carrier.is_trying();
        let hurried = Carrier::of_attempt(&connection.config).map(Arc::new);
        let config = hurried.unwrap_or_else(|| connection.config.clone());
        let mut ctx = self.core.context(at);
        let spi = ctx.ike_spi();
        match Attempt::begin(id, config, spi, (path, quiet), &mut ctx) {
            Ok(step) => {
                connection.attempt = connection::Attempt::Running { spi };
                self.after_initiator(spi, id, step, at);
            }
            Err(reason) => self.attempt_failed(id, reason, at),
        }
    }

    fn cancel_attempt(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let attempt = std::mem::replace(&mut connection.attempt, connection::Attempt::Idle);
        connection.carrier.leave_off();
        let connection::Attempt::Running { spi } = attempt else { return };
        match self.sas.take(spi) {
            Some(IkeSa::AwaitIntermediate(state)) => {
                state.keyed.abandon(&mut self.core.context(at));
            }
            Some(IkeSa::AwaitAuth(state)) => state.keyed.abandon(&mut self.core.context(at)),
            Some(IkeSa::Initiating(state)) => state.abandon(&mut self.core.context(at)),
            Some(_) | None => {}
        }
    }

    fn attempt_failed(&mut self, id: ConnectionId, reason: FailureReason, at: &mut Moment<'_>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let beside = connection.carrier.is_trying();
        connection.carrier.leave_off();
        if beside && connection.told != Told::Down {
            // Nobody has lost anything: what is up in TCP stays.
            connection.attempt = connection::Attempt::Idle;
            return;
        }
        let silent = matches!(reason, FailureReason::NoAnswer { .. });
        let mode = connection.config.encapsulation;
        // That there is no answer in UDP was known before it was tried beside TCP.
        let retry_at = match silent && !beside && connection.carrier.on_silence(mode, at.now) {
            true => connection.retry_now(at.now),
            false => connection.plan_retry(at),
        };
        self.note_failure(id, reason, retry_at, at.now);
    }

    fn note_failure(
        &mut self,
        id: ConnectionId,
        reason: FailureReason,
        retry_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        tracing::debug!(connection = id.0, %reason, "attempt failed");
        connection.last_failure = Some((now, reason.clone()));
        self.core.out.event(id, Event::Failed { slot: None, reason, retry_at });
    }

    /// The IKE SA that a Child SA is under, and whose it is.
    fn owner_of(&self, child: ChildId) -> Option<(IkeSpi, Owner)> {
        let owner = self.core.slots.owner(child)?;
        let mut sas = self.sas.established_of(owner.connection);
        let ike = sas.find(|sa| sa.children.get(child).is_some())?;
        Some((ike.id().local, owner))
    }
}

#[cfg(test)]
mod tests;

//! One connection: whether it should be up, whether it is, and when to try again.

use super::carrier::Carrier;
use super::config::{ConnectionConfig, RemoteAddress};
use super::event::TimerReason;
use super::failure::{DownReason, FailureReason};
use super::path::Path;
use super::state::{state_of_fields, state_of_variants};
use crate::moment::Moment;
use crate::net::streamed;
use crate::time::{Timestamp, soonest};
use crate::wire::ike::IkeSpi;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A Child SA that has stood for so long has been of use, also if nobody sent anything.
const STANDS: Duration = Duration::from_secs(30);

/// Our attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// None is needed.
    Idle,
    /// The next begins then.
    Waiting { until: Timestamp },
    /// One is under way, under this SPI of ours.
    Running { spi: IkeSpi },
}

/// What the owner has been told about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Down,
    Up,
    Unreachable { since: Timestamp },
}

/// What goes on in another process.
#[derive(Debug)]
pub(super) struct Kept {
    wanted: bool,
    retry_at: Option<Timestamp>,
    told: Told,
    failures: u32,
    settle_at: Option<Timestamp>,
}

state_of_fields!(Kept { wanted, retry_at, told, failures, settle_at });
state_of_variants!(Told { 0 => Down, 1 => Up, 2 => Unreachable { since }, });

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Connection {
    pub config: Arc<ConnectionConfig>,
    /// Whether we bring it up whenever it is down.
    pub wanted: bool,
    pub attempt: Attempt,
    pub told: Told,
    failures: u32,
    /// From when on it counts as one that serves, while it has Child SAs or has just lost them.
    serves_from: Option<Timestamp>,
    /// Why the last IKE SA ended.
    pub ended: Option<DownReason>,
    pub last_failure: Option<(Timestamp, FailureReason)>,
    /// Why somebody at the peer's address was refused last, who has not proved to be the peer.
    pub suspicion: Option<(Timestamp, FailureReason)>,
    /// When to look again at duplicate IKE SAs.
    pub settle_at: Option<Timestamp>,
    /// When ESP was last known to pass both ways, whatever became of our requests.
    pub data_passed: Option<Timestamp>,
    /// In what the next attempt goes.
    pub carrier: Carrier,
}

impl Connection {
    /// A connection that is down; it wants to come up if its configuration says so and names an address.
    pub(super) fn new(config: ConnectionConfig) -> Self {
        Connection {
            wanted: config.initiate && config.remote != RemoteAddress::Any,
            config: Arc::new(config),
            attempt: Attempt::Idle,
            told: Told::Down,
            failures: 0,
            serves_from: None,
            ended: None,
            last_failure: None,
            suspicion: None,
            settle_at: None,
            data_passed: None,
            carrier: Carrier::default(),
        }
    }

    /// What an owner with the same configuration could not know. A handshake under way is none of
    /// it: it begins anew.
    pub(super) fn kept(&self) -> Kept {
        let retry_at = match self.attempt {
            Attempt::Idle => None,
            Attempt::Waiting { until } => Some(until),
            Attempt::Running { .. } => Some(Timestamp::ZERO),
        };
        let Connection { wanted, told, failures, settle_at, .. } = *self;
        Kept { wanted, retry_at, told, failures, settle_at }
    }

    /// A connection of which this was kept.
    pub(super) fn with(config: ConnectionConfig, kept: Kept) -> Self {
        let Kept { wanted, retry_at, told, failures, settle_at } = kept;
        let attempt = retry_at.map_or(Attempt::Idle, |until| Attempt::Waiting { until });
        Connection { wanted, attempt, told, failures, settle_at, ..Connection::new(config) }
    }

    /// A connection of which nothing was kept: if it wants to come up, an attempt is due.
    pub(super) fn unknown(config: ConnectionConfig) -> Self {
        let new = Connection::new(config);
        let attempt = match new.wanted {
            true => Attempt::Waiting { until: Timestamp::ZERO },
            false => Attempt::Idle,
        };
        Connection { attempt, ..new }
    }

    /// Where the next IKE_SA_INIT goes: in UDP to the peer's port from that of ours which has the
    /// non-ESP marker or not as the peer's has, or in TCP.
    pub(super) fn way(&self, ike_port: u16, natt_port: u16) -> Option<Path> {
        let RemoteAddress::At(remote) = self.config.remote else { return None };
        let local = self.config.local;
        if self.carrier.is_streamed(self.config.encapsulation) {
            let remote = SocketAddr::new(remote.ip(), self.config.tcp_port);
            return Some(Path { local: streamed(local), remote });
        }
        // Another port than 500 speaks with the non-ESP marker from the start.
        let local_port = if remote.port() == ike_port { ike_port } else { natt_port };
        Some(Path { local: SocketAddr::new(local, local_port), remote })
    }

    /// When UDP is tried beside the IKE SA in TCP that there is.
    pub(super) fn trial_at(&self) -> Option<Timestamp> {
        let is_at_rest = self.attempt == Attempt::Idle && self.told == Told::Up && self.wanted;
        self.carrier.again_at(self.config.encapsulation).filter(|_| is_at_rest)
    }

    /// Whether it has a Child SA now.
    pub(super) fn on_children(&mut self, some: bool, now: Timestamp) {
        match (some, self.serves_from) {
            (true, None) => self.serves_from = Some(now + STANDS),
            (false, Some(from)) if now < from => self.serves_from = None,
            (true, Some(_)) | (false, _) => {}
        }
    }

    /// A Child SA has carried something.
    pub(super) fn on_traffic(&mut self, now: Timestamp) {
        self.serves_from = Some(self.serves_from.map_or(now, |from| from.min(now)));
    }

    /// It does not serve any more. The next failure is the first if it did: that a peer has let us in
    /// is not enough, for it may refuse all Child SAs, or delete what it has just made.
    pub(super) fn on_lost(&mut self, now: Timestamp) {
        if self.serves_from.take().is_some_and(|from| from <= now) {
            self.failures = 0;
        }
    }

    /// What served is lost, and nobody is to blame: the next attempt is due now, unless one is under
    /// way. One that never served waits its turn, or two sides that always lose their SAs would
    /// connect without end.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        let served = self.serves_from.is_some_and(|from| from <= now);
        let running = matches!(self.attempt, Attempt::Running { .. });
        if self.wanted && served && !running {
            self.attempt = Attempt::Waiting { until: now };
        }
    }

    /// Plans the next attempt, later after every failure; says when.
    pub(super) fn plan_retry(&mut self, at: &mut Moment<'_>) -> Option<Timestamp> {
        if !self.wanted {
            self.attempt = Attempt::Idle;
            return None;
        }
        let until = at.now + self.config.reconnect.wait(self.failures, at.random);
        self.failures = self.failures.saturating_add(1);
        self.attempt = Attempt::Waiting { until };
        Some(until)
    }

    /// Plans the next attempt for now, if one is wanted; says when.
    pub(super) fn retry_now(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.attempt = if self.wanted { Attempt::Waiting { until: now } } else { Attempt::Idle };
        self.wanted.then_some(now)
    }

    /// When to look at the connection again.
    pub(super) fn timeout(&self) -> Option<(Timestamp, TimerReason)> {
        let attempt = self.attempt_at().map(|at| (at, TimerReason::Reconnect));
        let trial = self.trial_at().map(|at| (at, TimerReason::Reconnect));
        soonest([attempt, trial, self.settle_at.map(|at| (at, TimerReason::Expiry))])
    }

    /// When an attempt is to begin, as far as is known now.
    pub(super) fn attempt_at(&self) -> Option<Timestamp> {
        match (self.attempt, self.told) {
            (Attempt::Running { .. }, _) => None,
            (Attempt::Waiting { until }, _) => Some(until),
            // A peer that has lost its SAs answers nothing in them. One that answers in ESP has them:
            // a new IKE SA would only take a tunnel away that works (RFC 7296 §2.4).
            (Attempt::Idle, Told::Unreachable { since }) if self.wanted => {
                let since = self.data_passed.map_or(since, |passed| passed.max(since));
                Some(since + self.config.liveness.timeout + self.config.liveness.restart_after)
            }
            (Attempt::Idle, Told::Down | Told::Up | Told::Unreachable { .. }) => None,
        }
    }
}

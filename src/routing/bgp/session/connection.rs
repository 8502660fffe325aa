//! One TCP connection of a session: its place in the state machine, its timers, its half-received
//! message.

use super::{ConnectionId, Negotiated, State, Timer};
use crate::routing::bgp::FrameBuffer;
use crate::time::{Timestamp, soonest};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Connection {
    pub state: State,
    pub incoming: bool,
    /// The transport, while there is one or an attempt at one.
    pub id: Option<ConnectionId>,
    pub frames: FrameBuffer,
    /// Set by the peer's OPEN.
    pub negotiated: Option<Negotiated>,
    pub established_at: Timestamp,
    pub connect_retry: Option<Timestamp>,
    pub hold: Option<Timestamp>,
    pub keepalive: Option<Timestamp>,
}

impl Connection {
    /// A connection that we are about to open.
    pub(super) fn outgoing() -> Connection {
        Connection::new(false, None)
    }

    /// A connection that the peer opened.
    pub(super) fn incoming(id: ConnectionId) -> Connection {
        Connection::new(true, Some(id))
    }

    fn new(incoming: bool, id: Option<ConnectionId>) -> Connection {
        Connection {
            state: State::Idle,
            incoming,
            id,
            frames: FrameBuffer::default(),
            negotiated: None,
            established_at: Timestamp::ZERO,
            connect_retry: None,
            hold: None,
            keepalive: None,
        }
    }

    /// Begins anew on a transport called `id`.
    pub(super) fn attempt(&mut self, id: ConnectionId) {
        self.id = Some(id);
        self.frames = FrameBuffer::default();
        self.negotiated = None;
    }

    /// Lets go of the transport and stops the timers that watch it.
    pub(super) fn drop_transport(&mut self) -> Option<ConnectionId> {
        self.hold = None;
        self.keepalive = None;
        self.id.take()
    }

    /// The agreed hold time; zero for none.
    pub(super) fn hold_time(&self) -> Duration {
        self.negotiated.as_ref().map_or(Duration::ZERO, |negotiated| negotiated.hold_time)
    }

    /// The earliest deadline.
    pub(super) fn deadline(&self) -> Option<(Timestamp, Timer)> {
        soonest([
            self.hold.map(|at| (at, Timer::Hold)),
            self.connect_retry.map(|at| (at, Timer::ConnectRetry)),
            self.keepalive.map(|at| (at, Timer::Keepalive)),
        ])
    }

    /// Stops `timer` if it is due; whether it was.
    pub(super) fn take_due(&mut self, timer: Timer, now: Timestamp) -> bool {
        let deadline = match timer {
            Timer::Hold => &mut self.hold,
            Timer::ConnectRetry => &mut self.connect_retry,
            Timer::Keepalive => &mut self.keepalive,
            Timer::IdleHold | Timer::Stale => return false,
        };
        deadline.take_if(|at| *at <= now).is_some()
    }
}

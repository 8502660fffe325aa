//! The finite state machine of RFC 4271 §8.2.2, one instance for each TCP connection.
//!
//! ```text
//!             Start                  connected               OPEN             KEEPALIVE
//!    Idle ────────────► Connect ──────────────► OpenSent ──────────► OpenConfirm ──────► Established
//!     ▲  StartPassive     │ ▲                     ▲ │
//!     │ ─────────────► Active ────────────────────┘ │ TCP fails
//!     │                   ▲─────────────────────────┘
//!     └── any error, any notification, Stop: from every state
//! ```
//!
//! [`transition`] is the whole machine: a total function of state and event. What carries it out
//! is [`super::Session`]. Not implemented, as the RFC allows: DelayOpen, damping of oscillations
//! by the machine itself (the session waits between attempts instead).
//!
//! Deviations: a NOTIFICATION is never answered with a NOTIFICATION, also in OpenSent, where
//! §8.2.2 would have event 25 be an FSM error; and a passive start does not start the
//! ConnectRetryTimer, since nothing but an incoming connection can end the wait.

use std::fmt;

/// A state of RFC 4271 §8.2.2, in order of nearness to Established.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Refuses everything until started.
    #[default]
    Idle,
    /// Waits for its connection attempt to succeed.
    Connect,
    /// Waits for the peer to connect.
    Active,
    /// Waits for the peer's OPEN.
    OpenSent,
    /// Waits for the peer's KEEPALIVE.
    OpenConfirm,
    /// Exchanges routes.
    Established,
}

impl State {
    /// Every state.
    pub const ALL: [State; 6] = [
        State::Idle,
        State::Connect,
        State::Active,
        State::OpenSent,
        State::OpenConfirm,
        State::Established,
    ];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What can happen (RFC 4271 §8.1; the numbers are those of its events).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// 1, 3: connect to the peer.
    Start,
    /// 4, 5: wait for the peer.
    StartPassive,
    /// 2, 8: end the session.
    Stop,
    /// 9.
    ConnectRetryTimerExpires,
    /// 10.
    HoldTimerExpires,
    /// 11.
    KeepaliveTimerExpires,
    /// 16, 17: the TCP connection stands, ours or the peer's.
    TcpConnected,
    /// 18: the TCP connection failed, could not be made, or was closed.
    TcpFails,
    /// 19: a valid OPEN.
    Open,
    /// 21: a header that cannot stand.
    HeaderError,
    /// 22: an OPEN that cannot stand.
    OpenError,
    /// 23: another connection to the same peer goes on instead.
    CollisionDump,
    /// 24: the peer does not speak our version.
    NotificationVersionError,
    /// 25: the peer ends the session.
    Notification,
    /// 26.
    Keepalive,
    /// 27: an UPDATE, also one that is treated as a withdrawal.
    Update,
    /// 28: an UPDATE that cannot stand.
    UpdateError,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 18] = [
        Event::Start,
        Event::StartPassive,
        Event::Stop,
        Event::ConnectRetryTimerExpires,
        Event::HoldTimerExpires,
        Event::KeepaliveTimerExpires,
        Event::TcpConnected,
        Event::TcpFails,
        Event::Open,
        Event::HeaderError,
        Event::OpenError,
        Event::CollisionDump,
        Event::NotificationVersionError,
        Event::Notification,
        Event::Keepalive,
        Event::Update,
        Event::UpdateError,
        Event::RouteRefresh,
    ];
}

/// What to do on the way to the next state, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open a TCP connection.
    Connect,
    /// (Re)start the ConnectRetryTimer.
    StartConnectRetry,
    /// Stop the ConnectRetryTimer.
    StopConnectRetry,
    /// Send OPEN and wait for the peer's with a large hold time.
    SendOpen,
    /// Send KEEPALIVE and restart the KeepaliveTimer.
    SendKeepalive,
    /// Restart the HoldTimer with the agreed time.
    RestartHold,
    /// Tell the peer what the event carries: why it ends.
    Notify,
    /// Tell the peer that this has no place in the state.
    NotifyUnexpected,
    /// Close the TCP connection and stop its timers.
    Drop,
    /// Hand the message's contents on.
    Deliver,
}

/// The answer of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state afterwards.
    pub next: State,
    /// What to do, in order.
    pub steps: &'static [Step],
}

/// What `event` does in `state`.
pub fn transition(state: State, event: Event) -> Transition {
    use Event as E;
    use State as S;
    use Step as Do;
    let to = |next, steps| Transition { next, steps };
    match (state, event) {
        (S::Idle, E::Start) => to(S::Connect, &[Do::Connect, Do::StartConnectRetry]),
        (S::Idle, E::StartPassive) => to(S::Active, &[]),
        (S::Idle, _) => to(S::Idle, &[]),

        (S::Connect | S::Active, E::Start | E::StartPassive) => to(state, &[]),
        (S::Connect, E::ConnectRetryTimerExpires) => {
            to(S::Connect, &[Do::Drop, Do::Connect, Do::StartConnectRetry])
        }
        (S::Active, E::ConnectRetryTimerExpires) => {
            to(S::Connect, &[Do::Connect, Do::StartConnectRetry])
        }
        (S::Connect | S::Active, E::TcpConnected) => {
            to(S::OpenSent, &[Do::StopConnectRetry, Do::SendOpen])
        }
        (S::Connect | S::Active, _) => to(S::Idle, &[Do::StopConnectRetry, Do::Drop]),

        (S::OpenSent | S::OpenConfirm | S::Established, E::Start | E::StartPassive) => {
            to(state, &[])
        }
        // A second connection is tracked by an instance of its own (§8.2.1).
        (S::OpenSent | S::OpenConfirm | S::Established, E::TcpConnected) => to(state, &[]),
        (S::OpenSent | S::OpenConfirm | S::Established, E::Stop | E::CollisionDump) => {
            to(S::Idle, &[Do::Notify, Do::Drop])
        }
        (S::OpenSent | S::OpenConfirm | S::Established, E::HoldTimerExpires | E::HeaderError) => {
            to(S::Idle, &[Do::Notify, Do::Drop])
        }
        (
            S::OpenSent | S::OpenConfirm | S::Established,
            E::Notification | E::NotificationVersionError,
        ) => to(S::Idle, &[Do::Drop]),

        (S::OpenSent, E::TcpFails) => to(S::Active, &[Do::Drop, Do::StartConnectRetry]),
        (S::OpenSent, E::Open) => to(S::OpenConfirm, &[Do::SendKeepalive, Do::RestartHold]),
        (S::OpenSent | S::OpenConfirm, E::OpenError) => to(S::Idle, &[Do::Notify, Do::Drop]),

        (S::OpenConfirm | S::Established, E::TcpFails) => to(S::Idle, &[Do::Drop]),
        (S::OpenConfirm | S::Established, E::KeepaliveTimerExpires) => {
            to(state, &[Do::SendKeepalive])
        }
        (S::OpenConfirm | S::Established, E::Keepalive) => to(S::Established, &[Do::RestartHold]),

        (S::Established, E::Update | E::RouteRefresh) => {
            to(S::Established, &[Do::RestartHold, Do::Deliver])
        }
        (S::Established, E::UpdateError) => to(S::Idle, &[Do::Notify, Do::Drop]),

        // "In response to any other event": Finite State Machine Error (RFC 6608 names the state).
        (
            S::OpenSent,
            E::ConnectRetryTimerExpires
            | E::KeepaliveTimerExpires
            | E::Keepalive
            | E::Update
            | E::UpdateError
            | E::RouteRefresh,
        )
        | (
            S::OpenConfirm,
            E::ConnectRetryTimerExpires | E::Open | E::Update | E::UpdateError | E::RouteRefresh,
        )
        | (S::Established, E::ConnectRetryTimerExpires | E::Open | E::OpenError) => {
            to(S::Idle, &[Do::NotifyUnexpected, Do::Drop])
        }
    }
}

#[cfg(test)]
mod tests;

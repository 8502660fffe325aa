//! What happens to a connection: an event of the state machine with what came with it, as one
//! value, so that the two cannot disagree.

use super::super::codec::{self, Context};
use super::super::{
    Cause, CeaseReason, Event, Family, Frame, Message, MessageType, Notification, Open, Refresh,
    State, Step, Update,
};
use super::connection::Connection;
use super::values::{DownReason, Negotiated, Output};

/// What happened.
pub(super) enum Input {
    Start,
    StartPassive,
    Stop(CeaseReason),
    /// Another connection to the same peer goes on instead.
    Collision,
    ConnectRetryTimer,
    HoldTimer,
    KeepaliveTimer,
    Connected,
    Closed,
    /// With what was agreed, in the one state that waits for it.
    Open(Option<Negotiated>),
    Keepalive,
    Update(Update),
    /// Of a family that we know, or another.
    Refresh(Option<(Family, Refresh)>),
    Notification(Notification),
    HeaderError(Cause),
    OpenError(Cause),
    UpdateError(Cause),
}

impl Input {
    /// What a message is to the connection that it came by; an OPEN comes back to be looked at.
    ///
    /// One that has no place before the session is established is named, not read: its layout
    /// depends on what is not agreed yet.
    pub(super) fn of(frame: &Frame, connection: &Connection) -> Result<Input, Open> {
        let message = match (frame.message_type, &connection.negotiated) {
            (MessageType::Update, None) => Ok(Message::Update(Update::default())),
            (_, None) => codec::decode(frame, &Context::default()),
            (_, Some(negotiated)) => codec::decode(frame, &negotiated.context),
        };
        Ok(match message {
            Ok(Message::Open(open)) => return Err(open),
            Ok(Message::Keepalive) => Input::Keepalive,
            Ok(Message::Update(update)) => Input::Update(update),
            Ok(Message::RouteRefresh(refresh)) => Input::Refresh(refresh),
            Ok(Message::Notification(notification)) => Input::Notification(notification),
            Err(cause) => match frame.message_type {
                MessageType::Open => Input::OpenError(cause),
                MessageType::Update => Input::UpdateError(cause),
                MessageType::Notification | MessageType::Keepalive | MessageType::RouteRefresh => {
                    Input::HeaderError(cause)
                }
            },
        })
    }

    /// The event that it is to the machine.
    pub(super) fn event(&self) -> Event {
        match self {
            Input::Start => Event::Start,
            Input::StartPassive => Event::StartPassive,
            Input::Stop(_) => Event::Stop,
            Input::Collision => Event::CollisionDump,
            Input::ConnectRetryTimer => Event::ConnectRetryTimerExpires,
            Input::HoldTimer => Event::HoldTimerExpires,
            Input::KeepaliveTimer => Event::KeepaliveTimerExpires,
            Input::Connected => Event::TcpConnected,
            Input::Closed => Event::TcpFails,
            Input::Open(_) => Event::Open,
            Input::Keepalive => Event::Keepalive,
            Input::Update(_) => Event::Update,
            Input::Refresh(_) => Event::RouteRefresh,
            Input::Notification(it) if it.is_version_error() => Event::NotificationVersionError,
            Input::Notification(_) => Event::Notification,
            Input::HeaderError(_) => Event::HeaderError,
            Input::OpenError(_) => Event::OpenError,
            Input::UpdateError(_) => Event::UpdateError,
        }
    }

    /// What the peer is told of it when it ends the connection; `None` when there is nobody to
    /// tell, or nothing to say.
    pub(super) fn cause(&self) -> Option<Cause> {
        match self {
            Input::Stop(reason) => Some(Cause::Cease(*reason)),
            Input::Collision => Some(Cause::Cease(CeaseReason::Collision)),
            Input::HoldTimer => Some(Cause::HoldTimerExpired),
            Input::HeaderError(cause) | Input::OpenError(cause) | Input::UpdateError(cause) => {
                Some(cause.clone())
            }
            Input::Start
            | Input::StartPassive
            | Input::ConnectRetryTimer
            | Input::KeepaliveTimer
            | Input::Connected
            | Input::Closed
            | Input::Open(_)
            | Input::Keepalive
            | Input::Update(_)
            | Input::Refresh(_)
            | Input::Notification(_) => None,
        }
    }

    /// Why a connection in `state` ended when this happened and `steps` were taken.
    pub(super) fn end_reason(&self, state: State, steps: &[Step]) -> DownReason {
        if steps.contains(&Step::NotifyUnexpected) {
            return DownReason::Sent(Cause::Unexpected(state));
        }
        if let Input::Notification(notification) = self {
            return DownReason::Received(notification.clone());
        }
        self.cause().map_or(DownReason::TransportClosed, DownReason::Sent)
    }

    /// What the router hears of it.
    pub(super) fn delivery(&self) -> Option<Output> {
        if let Input::Update(update) = self {
            return Some(Output::Update(update.clone()));
        }
        let Input::Refresh(refresh) = self else { return None };
        refresh.map(|(family, refresh)| Output::Refresh(family, refresh))
    }
}

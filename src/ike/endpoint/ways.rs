//! Which way to a peer is another, how others fare, and how an IKE SA gets there.

use super::super::config::{ConnectionId, Way};
use super::super::connection;
use super::super::event::Event;
use super::super::path::Path;
use super::super::sa::Established;
use super::super::ways::Answered;
use super::Endpoint;
use crate::moment::Moment;
use crate::wire::ike::Header;

/// What becomes of the wish to have an IKE SA elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// The peer is asked there, and the IKE SA goes there when it answers (RFC 4555 §3.5).
    Asked,
    /// A new IKE SA alone gets there.
    TakesNew,
    /// It is not for us to say where it runs, there is none, or a new one is not ours to make now.
    NotOurs,
}

impl Endpoint {
    /// The way to a connection's peer may be another now: an attempt that is under way begins anew,
    /// and one that waits waits no longer.
    pub fn on_another_way(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        self.hasten(id, at);
        self.rearm();
    }

    pub(super) fn hasten(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.wanted && connection.attempt != connection::Attempt::Idle {
            self.cancel_attempt(id, at);
            self.start_attempt(id, at);
        }
    }

    /// Asks the peer of a connection on a way whether it answers there; [`Event::WayAnswered`] tells.
    /// Only who began the IKE SA asks, and not in TCP; says whether it did.
    pub fn ask_way(&mut self, id: ConnectionId, way: Way, at: &mut Moment<'_>) -> bool {
        let Some((ike, path)) = self.newest(id).filter(|sa| may_leave(sa)).map(|sa| {
            let path = sa.path().between(way.local, way.remote);
            ((sa.id(), sa.role()), path)
        }) else {
            return false;
        };
        self.ways.ask(id, ike, path, &mut self.core.context(at));
        true
    }

    /// A response that may answer a question of [`Endpoint::ask_way`]; says whether it does.
    pub(super) fn hear_way(&mut self, header: &Header, path: &Path) -> bool {
        if !header.flags.response {
            return false;
        }
        let Some(answered) = self.ways.on_response(header, path) else { return false };
        let Answered { connection, way, asked } = answered;
        self.core.out.event(connection, Event::WayAnswered { way, asked });
        true
    }

    /// Another way is better, or the one in use is dead: the IKE SA is to go there, if the peer is found to be
    /// there.
    pub fn try_way(&mut self, id: ConnectionId, way: Way, at: &mut Moment<'_>) -> Trial {
        let Some(sa) = self.newest(id).filter(|sa| may_leave(sa)) else { return Trial::NotOurs };
        if !sa.may_move() {
            let connection = self.connections.get(id);
            let may_replace = connection.is_some_and(|connection| {
                connection.config.initiate && connection.attempt == connection::Attempt::Idle
            });
            return if may_replace { Trial::TakesNew } else { Trial::NotOurs };
        }
        let spi = sa.id().local;
        self.with_established(spi, at, |sa, ctx| sa.try_way(way, ctx));
        self.rearm();
        Trial::Asked
    }

    /// Makes another IKE SA of a connection, where its peer is looked for now, which takes the place of
    /// the one that there is when it is known to work.
    pub fn replace(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        for spi in self.sas.active_spis(id) {
            self.with_established(spi, at, |sa, _| sa.reauthenticate());
        }
        self.rearm();
    }
}

/// Who began an IKE SA sees to it that it runs well; in TCP it runs where the connection does.
fn may_leave(sa: &Established) -> bool {
    sa.has_begun() && !sa.path().is_streamed()
}

//! Whether the peer answers on a way beside the one in use, and how soon.
//!
//! A request in the IKE SA cannot tell: one at most is under way (RFC 7296 §2.3), and one that is lost would hold up
//! all others. So the peer is sent a header of a major version that does not exist, which it drops, and
//! "SHOULD send an unauthenticated Notify message of type INVALID_MAJOR_VERSION" (RFC 7296 §2.5). Nothing hangs on
//! it: it may be lost, and a peer that never answers is not measured.
//!
//! The question bears the SPIs of the IKE SA and a message ID that is chosen by chance, by which its answer
//! is known. Who can forge one is on the way, and can delay all packets there anyway; before an IKE SA moves the
//! peer proves that it is there.

use super::config::{ConnectionId, Way};
use super::context::Context;
use super::event::{IkeSaId, Role};
use super::path::Path;
use super::sounding::LATER;
use crate::time::Timestamp;
use crate::wire::ike::{ExchangeType, Flags, Header, IkeSpi, Message, MessageId};
use std::collections::{BTreeMap, VecDeque};

/// Questions of one connection that are waited for: four on each of the ways that a peer may have.
const WAITING: usize = 32;

/// By what an answer is known: the initiator's SPI, and the message ID.
type Mark = (IkeSpi, MessageId);

/// The questions that may be answered yet.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Ways {
    asked: BTreeMap<Mark, Question>,
    /// Those of each connection, the oldest first.
    of: BTreeMap<ConnectionId, VecDeque<Mark>>,
}

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
struct Question {
    connection: ConnectionId,
    path: Path,
    at: Timestamp,
}

/// What an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub connection: ConnectionId,
    pub way: Way,
    /// When the question went out.
    pub asked: Timestamp,
}

impl Ways {
    /// Asks the peer of an IKE SA, of which we have this side, on `path`. The oldest of too many questions is
    /// waited for no longer.
    pub(super) fn ask(
        &mut self,
        connection: ConnectionId,
        (ike, role): (IkeSaId, Role),
        path: Path,
        ctx: &mut Context<'_>,
    ) {
        let id = MessageId(ctx.random.u64() as u32);
        let (initiator, responder) = match role {
            Role::Initiator => (ike.local, ike.remote),
            Role::Responder => (ike.remote, ike.local),
        };
        let mark = (initiator, id);
        let waiting = self.of.entry(connection).or_default();
        if waiting.len() == WAITING
            && let Some(oldest) = waiting.pop_front()
        {
            self.asked.remove(&oldest);
        }
        waiting.push_back(mark);
        self.asked.insert(mark, Question { connection, path, at: ctx.now });
        let flags = Flags { initiator: role == Role::Initiator, ..Flags::default() };
        let header = Header::new(initiator, responder, ExchangeType::INFORMATIONAL, flags, id);
        let header = Header { version: LATER, ..header };
        ctx.out.send(&path, &Message { header, payloads: Vec::new() }.encode());
    }

    /// A response without protection: what it shows, if it is the answer to a question.
    pub(super) fn on_response(&mut self, header: &Header, path: &Path) -> Option<Answered> {
        let mark = (header.initiator_spi, header.message_id);
        let Question { connection, at: asked, .. } =
            *self.asked.get(&mark).filter(|question| question.path == *path)?;
        self.asked.remove(&mark);
        if let Some(waiting) = self.of.get_mut(&connection) {
            waiting.retain(|waiting| *waiting != mark);
        }
        let way = Way { local: path.local.ip(), remote: path.remote.ip() };
        Some(Answered { connection, way, asked })
    }

    /// No answer is waited for any more.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        for mark in self.of.remove(&connection).unwrap_or_default() {
            self.asked.remove(&mark);
        }
    }
}

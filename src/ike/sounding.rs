//! Whether a datagram of some size reaches a peer of another make in one piece (RFC 8899 §4.1).
//!
//! A request in the IKE SA that is lost for its size would block it, unless the peer takes its
//! repetition in fragments, which others do not for every exchange. So such a peer is sent a message
//! of a major version that does not exist, which it drops, and "SHOULD send an unauthenticated
//! Notify message of type INVALID_MAJOR_VERSION" (RFC 7296 §2.5). Such a message may be lost: nobody
//! waits for it.
//!
//! ```text
//!   whole ── refused ───► arrived
//!     │ silence              ▲ the refusal of the whole comes after all
//!     ▼                      │
//!   small ── refused ───► lost
//!     │ silence, 3 ×
//!     ▼
//!   unanswered: the peer refuses nothing, or nothing passes at all
//! ```
//!
//! A refusal bears no proof but the initiator SPI, which is chosen by chance for each question: who
//! can forge one is on the path, and can drop what is too big anyway.

use super::config::ConnectionId;
use super::context::{Context, Outbox};
use super::path::Path;
use crate::time::Timestamp;
use crate::wire::ike::{ExchangeType, Flags, Header, IkeSpi, Message, MessageId, Payload, Version};
use std::collections::BTreeMap;
use std::time::Duration;

/// A major version that no peer knows.
pub(super) const LATER: Version = Version { major: 3, minor: 0 };
/// Small messages without an answer before we take the peer for one that does not refuse.
const MAX_SMALL: u32 = 3;
/// Headers of UDP, of IKE, and of the payload that pads.
const UDP: usize = 8;
const VENDOR_ID: usize = 4;

/// What came of a sounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// A datagram of so many octets has arrived.
    Arrived(u16),
    /// It has not, but a small one has.
    Lost(u16),
    /// Neither.
    Unanswered,
}

/// The soundings under way, at most one of each connection.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Soundings {
    all: BTreeMap<ConnectionId, Sounding>,
    by_spi: BTreeMap<IkeSpi, ConnectionId>,
}

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
struct Sounding {
    path: Path,
    size: u16,
    /// SPIs of the message in question, and of the small ones after it.
    whole: IkeSpi,
    small: IkeSpi,
    /// Small messages sent.
    repeated: u32,
    patience: Duration,
    due: Timestamp,
}

impl Soundings {
    /// Sends a datagram of `size` octets, as IP packet, that no router may fragment. An answer is
    /// waited for as long as `patience`. What was asked before is not answered any more.
    pub(super) fn begin(
        &mut self,
        id: ConnectionId,
        path: Path,
        size: u16,
        patience: Duration,
        ctx: &mut Context<'_>,
    ) {
        self.forget(id);
        let (whole, small) = (ctx.ike_spi(), ctx.ike_spi());
        let due = ctx.now + patience;
        let sounding = Sounding { path, size, whole, small, repeated: 0, patience, due };
        ctx.out.send_whole(&path, &sounding.question(ctx.out));
        self.by_spi.extend([(whole, id), (small, id)]);
        self.all.insert(id, sounding);
    }

    /// Whose question bears this SPI.
    pub(super) fn asked_by(&self, spi: IkeSpi) -> Option<ConnectionId> {
        self.by_spi.get(&spi).copied()
    }

    /// A response with an SPI of ours came on `path`: what it shows, if it is an answer.
    pub(super) fn on_response(
        &mut self,
        spi: IkeSpi,
        path: &Path,
    ) -> Option<(ConnectionId, Finding)> {
        let id = self.asked_by(spi)?;
        let sounding = self.all.get(&id).filter(|sounding| sounding.path == *path)?;
        let (size, arrived) = (sounding.size, spi == sounding.whole);
        self.forget(id);
        Some((id, if arrived { Finding::Arrived(size) } else { Finding::Lost(size) }))
    }

    /// When [`Soundings::handle_timeout`] is due.
    pub(super) fn timeout(&self, id: ConnectionId) -> Option<Timestamp> {
        self.all.get(&id).map(|sounding| sounding.due)
    }

    /// Nothing has come in time: a small message follows, or that was the last.
    pub(super) fn handle_timeout(
        &mut self,
        id: ConnectionId,
        ctx: &mut Context<'_>,
    ) -> Option<Finding> {
        let sounding = self.all.get_mut(&id).filter(|sounding| sounding.due <= ctx.now)?;
        if sounding.repeated == MAX_SMALL {
            self.forget(id);
            return Some(Finding::Unanswered);
        }
        sounding.repeated += 1;
        sounding.due = ctx.now + sounding.patience;
        ctx.out.send(&sounding.path, &message(sounding.small, 0));
        None
    }

    /// All, with their deadlines, for the model of the tests.
    #[cfg(test)]
    pub(super) fn walk(&self) -> impl Iterator<Item = (ConnectionId, Timestamp)> {
        self.all.iter().map(|(id, sounding)| (*id, sounding.due))
    }

    /// The question is of no use any more.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        if let Some(sounding) = self.all.remove(&id) {
            self.by_spi.remove(&sounding.whole);
            self.by_spi.remove(&sounding.small);
        }
    }
}

impl Sounding {
    fn question(&self, out: &Outbox) -> Vec<u8> {
        let ip = if self.path.remote.is_ipv4() { 20 } else { 40 };
        let around = ip + UDP + out.marker(&self.path).len();
        message(self.whole, usize::from(self.size).saturating_sub(around))
    }
}

/// A message of a later version, padded to `length` octets if it is shorter.
fn message(spi: IkeSpi, length: usize) -> Vec<u8> {
    let flags = Flags { initiator: true, ..Flags::default() };
    let exchange = ExchangeType::INFORMATIONAL;
    let header = Header::new(spi, IkeSpi::ZERO, exchange, flags, MessageId(0));
    let header = Header { version: LATER, ..header };
    let padding = length.checked_sub(Header::LEN + VENDOR_ID);
    let payloads = padding.map(|length| Payload::VendorId(vec![0; length])).into_iter().collect();
    Message { header, payloads }.encode()
}

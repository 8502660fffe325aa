//! Datagrams that the host did not send: counted by reason, and a failure of the peer that they
//! were for. A peer that cannot be reached from here must not look like one that is silent.

use super::diagnosis::Fact;
use super::io::Datagram;
use super::{Gateway, connection};
use crate::net::{PeerId, RemoteId};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tracing::debug;

/// How long the same reason is not told again of one peer.
const REPEATED: Duration = Duration::from_secs(60);

/// Why the host did not send a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsent {
    /// It is longer than what the interface takes.
    TooBig,
    /// No route leads to the peer.
    NoRoute,
    /// A firewall or policy of the host forbids it.
    Denied,
    /// The address that it should leave from is not the host's.
    NoAddress,
    /// The host has no room for it now.
    Busy,
    /// Anything else, by its number in Linux.
    Other(i32),
}

impl Unsent {
    /// The reason in a metric's words.
    pub fn name(self) -> &'static str {
        match self {
            Unsent::TooBig => "not_sent_too_big",
            Unsent::NoRoute => "not_sent_no_route",
            Unsent::Denied => "not_sent_denied",
            Unsent::NoAddress => "not_sent_no_address",
            Unsent::Busy => "not_sent_busy",
            Unsent::Other(_) => "not_sent_other",
        }
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unsent::TooBig => "it is longer than the interface's MTU",
            Unsent::NoRoute => "this host has no route to that address",
            Unsent::Denied => "this host's firewall does not let it out",
            Unsent::NoAddress => "this host does not have the address that it is to leave from",
            Unsent::Busy => "this host has no room for it",
            Unsent::Other(errno) => return write!(f, "the system says error {errno}"),
        })
    }
}

/// How often, by reason, and what was told last of each peer.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    told: BTreeMap<PeerId, (Unsent, Timestamp)>,
}

impl Tally {
    /// Every reason that occurred, with its count.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().map(|(name, count)| (*name, *count))
    }

    fn count(&mut self, why: Unsent) {
        *self.counts.entry(why.name()).or_default() += 1;
    }

    /// Whether a reason is news of a peer.
    fn is_news(&mut self, peer: PeerId, why: Unsent, now: Timestamp) -> bool {
        let last = self.told.get(&peer);
        let known = last.is_some_and(|(last, at)| *last == why && now.since(*at) < REPEATED);
        if !known {
            self.told.insert(peer, (why, now));
        }
        !known
    }

    /// The peer is not configured any more.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.told.remove(&peer);
    }
}

impl Gateway {
    /// The host did not send a datagram of [`Output::Datagram`](super::Output::Datagram).
    pub fn handle_unsent(&mut self, datagram: &Datagram, why: Unsent, now: Timestamp) {
        let Datagram { local, remote, bytes } = datagram;
        self.unsent.count(why);
        let text = format!("{} bytes of IKE to {remote} were not sent: {why}", bytes.len());
        let Some(connection) = self.ike.sender_of(*local, bytes) else {
            return debug!("{text}");
        };
        self.tell_unsent(connection::remote(connection), why, &text, now);
        self.take_down();
    }

    /// Tells the peers at a remote gateway, unless they know.
    pub(super) fn tell_unsent(&mut self, id: RemoteId, why: Unsent, text: &str, now: Timestamp) {
        for peer in self.remotes.get(&id).into_iter().flatten() {
            if self.unsent.is_news(*peer, why, now)
                && let Some(tunnel) = self.tunnels.get_mut(peer)
            {
                let to = self.config.peers.get(peer).and_then(|config| config.remote_address);
                tunnel.tell(Fact::of_unsent(why, text, to), now);
                self.dirty.told.insert(*peer);
            }
        }
    }
}

#[cfg(test)]
mod tests;

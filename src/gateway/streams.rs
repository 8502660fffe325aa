//! Which TCP connections tunnels have a use for (RFC 9329 §6.1): those that their Child SAs go in.

use super::diagnosis::Fact;
use super::tunnel::Tunnel;
use super::{Gateway, Output};
use crate::control::Code;
use crate::net::{PeerId, StreamWay, is_streamed};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What to do about a TCP connection of the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOutput {
    /// Somebody who has proved to be a peer goes in it.
    Keep(StreamWay),
    /// Nobody does any more: it is to end soon.
    Release(StreamWay),
}

/// Who goes in which connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    of_peer: BTreeMap<PeerId, BTreeSet<StreamWay>>,
    users: BTreeMap<StreamWay, usize>,
}

impl Streams {
    /// A tunnel goes in these connections now, and in no other: what that changes.
    fn follow(&mut self, peer: PeerId, ways: BTreeSet<StreamWay>) -> Vec<StreamOutput> {
        let before = match ways.is_empty() {
            true => self.of_peer.remove(&peer).unwrap_or_default(),
            false => self.of_peer.insert(peer, ways.clone()).unwrap_or_default(),
        };
        let mut changes = Vec::new();
        for way in ways.difference(&before) {
            let users = self.users.entry(*way).or_default();
            *users += 1;
            if *users == 1 {
                changes.push(StreamOutput::Keep(*way));
            }
        }
        for way in before.difference(&ways) {
            let Some(users) = self.users.get_mut(way) else { continue };
            *users -= 1;
            if *users == 0 {
                self.users.remove(way);
                changes.push(StreamOutput::Release(*way));
            }
        }
        changes
    }
}

impl Gateway {
    /// The Child SAs of a tunnel may go in other connections now.
    pub(super) fn follow_streams(&mut self, peer: PeerId) {
        let tunnel = self.tunnels.get(&peer);
        let children = tunnel.into_iter().flat_map(|tunnel| tunnel.sas.children());
        let ends = children.map(|(_, child)| (child.local, child.remote));
        let streamed = ends.filter(|(local, _)| is_streamed(*local));
        let ways = streamed.map(|(local, remote)| (local.ip(), remote)).collect();
        let changes = self.streams.follow(peer, ways);
        self.outputs.extend(changes.into_iter().map(Output::Stream));
    }

    /// Whether a tunnel goes in a TCP connection on this way.
    pub fn uses_stream(&self, way: StreamWay) -> bool {
        self.streams.users.contains_key(&way)
    }

    /// Whether it is for us to make a TCP connection on this way: a peer listens there that may be
    /// spoken to in TCP. Where a peer came from there is nobody to connect to.
    pub fn may_open_stream(&self, way: StreamWay) -> bool {
        self.ike.listens_in_tcp(way.0, way.1)
    }
}

impl Tunnel {
    /// Tells in what the tunnel goes when that is another than before.
    pub(super) fn note_carrier(&mut self, in_tcp: bool, now: Timestamp) {
        let fact = match (std::mem::replace(&mut self.in_tcp, in_tcp), in_tcp) {
            (false, true) => Fact::new(Code::InTcp, "the tunnel goes in TCP (RFC 9329)"),
            (true, false) => Fact::new(Code::InUdpAgain, "the tunnel goes in UDP again"),
            (true, true) | (false, false) => return,
        };
        self.tell(fact, now);
    }
}

#[cfg(test)]
mod tests;

//! Which Child SA each connection sends on, and whose each Child SA is. Only IKE SAs and the
//! endpoint change it, at the moment at which they tell the owner.

use super::config::ConnectionId;
use super::event::ChildId;
use std::collections::BTreeMap;

/// The Child SAs of all connections, as their owner knows them.
#[derive(Debug, Default)]
pub(super) struct Slots {
    owners: BTreeMap<ChildId, ConnectionId>,
    sending: BTreeMap<ConnectionId, ChildId>,
}

impl Slots {
    /// A Child SA is there; the connection sends on it from now on if it is `sendable`.
    pub fn insert(&mut self, child: ChildId, connection: ConnectionId, sendable: bool) {
        self.owners.insert(child, connection);
        if sendable {
            self.send_on(child);
        }
    }

    /// The connection of `child` sends on it from now on.
    pub fn send_on(&mut self, child: ChildId) {
        if let Some(&connection) = self.owners.get(&child) {
            self.sending.insert(connection, child);
        }
    }

    /// A Child SA is gone.
    pub fn remove(&mut self, child: ChildId) {
        if let Some(connection) = self.owners.remove(&child)
            && self.sending(connection) == Some(child)
        {
            self.sending.remove(&connection);
        }
    }

    /// The connection of a Child SA.
    pub fn owner(&self, child: ChildId) -> Option<ConnectionId> {
        self.owners.get(&child).copied()
    }

    /// The Child SA that the connection sends on.
    pub fn sending(&self, connection: ConnectionId) -> Option<ChildId> {
        self.sending.get(&connection).copied()
    }
}

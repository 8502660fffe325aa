//! TCP connections of the underlay, as what they carry sees them: nothing is lost or overtakes while a
//! connection stands, what is under way when it breaks is, and only who made it makes another.

use crate::gateway::Datagram;
use crate::net::streamed;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Where gateways listen.
pub(super) const PORT: u16 = 4500;

/// The connections that stand.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    /// The port of the TCP Originator, by its address and that of the other end.
    ports: BTreeMap<(IpAddr, IpAddr), u16>,
    made: u16,
}

impl Pipes {
    /// Whether a message on this way is the first of a connection that is yet to be made.
    pub(super) fn is_new(&self, sent: &Datagram) -> bool {
        sent.remote.port() == PORT && !self.ports.contains_key(&(sent.local.ip(), sent.remote.ip()))
    }

    /// Makes the connection of a message.
    pub(super) fn make(&mut self, sent: &Datagram) {
        self.made += 1;
        self.ports.insert((sent.local.ip(), sent.remote.ip()), 20_000 + self.made);
    }

    /// The message as it comes out at the other end; `None` where there is no connection.
    pub(super) fn through(&self, sent: &Datagram) -> Option<Datagram> {
        let (from, to) = (sent.local.ip(), sent.remote.ip());
        let remote = match sent.remote.port() {
            PORT => SocketAddr::new(from, *self.ports.get(&(from, to))?),
            port => {
                self.ports.get(&(to, from)).filter(|made| **made == port)?;
                SocketAddr::new(from, PORT)
            }
        };
        Some(Datagram { local: streamed(to), remote, bytes: sent.bytes.clone() })
    }

    /// Whether the connection in which a message has come still stands.
    pub(super) fn stands(&self, come: &Datagram) -> bool {
        let (here, there) = (come.local.ip(), come.remote.ip());
        match come.remote.port() {
            PORT => self.ports.contains_key(&(here, there)),
            port => self.ports.get(&(there, here)) == Some(&port),
        }
    }

    /// All connections end.
    pub(super) fn break_all(&mut self) {
        self.ports.clear();
    }

    /// The connections of a host end with it.
    pub(super) fn break_of(&mut self, host: IpAddr) {
        self.ports.retain(|(from, to), _| *from != host && *to != host);
    }
}

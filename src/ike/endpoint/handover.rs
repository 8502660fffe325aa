//! An endpoint as octets, for the process that goes on with its IKE SAs and Child SAs.
//!
//! ```text
//! octet 0      version (6)
//! 8 octets     the calendar time at which the octets were written
//! the rest     numbers given out, slots, connections, IKE SAs, last answers: see `ike::state`
//! 32 octets    SHA-256 of all before
//! ```
//!
//! Handshakes are left behind, in both roles: they begin anew. So are cookies and counters.

use super::super::config::{ConnectionConfig, ConnectionId, EndpointConfig};
use super::super::connection::{Connection, Kept};
use super::super::exchange::LastAnswer;
use super::super::path::Path;
use super::super::sa::Established;
use super::super::state::{State, StateReader, StateWriter};
use super::Endpoint;
use super::sas::IkeSa;
use crate::crypto::secret::Secret;
use crate::moment::Moment;
use crate::time::WallTime;
use crate::wire::DecodeError;
use crate::wire::ike::IkeSpi;
use std::collections::BTreeMap;

const VERSION: u8 = 6;

impl Endpoint {
    /// The endpoint as octets, which stand for it from now on. Events and datagrams have been
    /// polled before.
    ///
    /// # Errors
    ///
    /// The endpoint itself, while some IKE SA waits for the answer to a key exchange whose
    /// private key cannot leave this process, that of an ECP group, or for a job. Try again after
    /// the answer.
    pub fn export(self, at: &Moment<'_>) -> Result<Secret, Box<Endpoint>> {
        if !self.sas.all_established().all(Established::is_portable) {
            return Err(Box::new(self));
        }
        let mut out = StateWriter::new(at.now);
        VERSION.write(&mut out);
        at.wall.as_unix_micros().write(&mut out);
        self.core.pool.write(&mut out);
        self.core.slots.write(&mut out);
        count(self.connections.all().count()).write(&mut out);
        for (id, connection) in self.connections.all() {
            id.write(&mut out);
            connection.kept().write(&mut out);
        }
        count(self.sas.all_established().count()).write(&mut out);
        self.sas.all_established().for_each(|sa| sa.write(&mut out));
        count(self.sas.all_over().count()).write(&mut out);
        for (spi, answer, path) in self.sas.all_over() {
            (spi, *path).write(&mut out);
            answer.write(&mut out);
        }
        Ok(out.finish())
    }

    /// The endpoint that [`export`](Endpoint::export) turned into octets, with connections that
    /// are configured as they were; what has changed is for
    /// [`update_connection`](Endpoint::update_connection) to say. IKE SAs of connections that are
    /// not among them are forgotten, and connections that the octets do not
    /// know begin. The clock may be another: how much time has passed, the calendar says, and what
    /// happened before the clock's zero happened at its zero.
    ///
    /// # Errors
    ///
    /// When the octets are of another version, damaged, or no endpoint.
    pub fn import(
        octets: &Secret,
        settings: EndpointConfig,
        connections: BTreeMap<ConnectionId, ConnectionConfig>,
        at: &mut Moment<'_>,
    ) -> Result<Endpoint, DecodeError> {
        let mut endpoint = Endpoint::new(settings, at);
        let mut from = StateReader::new(octets.as_bytes(), at.now)?;
        if u8::read(&mut from)? != VERSION {
            return Err(from.invalid("a version that this program does not know"));
        }
        let written_at = WallTime::from_unix_micros(u64::read(&mut from)?);
        from.set_age(at.wall.since(written_at));
        endpoint.core.pool = State::read(&mut from)?;
        endpoint.core.slots = State::read(&mut from)?;
        endpoint.read_connections(connections, &mut from)?;
        endpoint.read_sas(&mut from)?;
        from.finish()?;
        endpoint.rearm();
        Ok(endpoint)
    }

    fn read_connections(
        &mut self,
        mut configs: BTreeMap<ConnectionId, ConnectionConfig>,
        from: &mut StateReader<'_>,
    ) -> Result<(), DecodeError> {
        for _ in 0..u32::read(from)? {
            let id = ConnectionId::read(from)?;
            let kept = Kept::read(from)?;
            if let Some(config) = configs.remove(&id) {
                self.connections.insert(id, Connection::with(config, kept));
            }
        }
        for (id, config) in configs {
            self.connections.insert(id, Connection::unknown(config));
        }
        Ok(())
    }

    fn read_sas(&mut self, from: &mut StateReader<'_>) -> Result<(), DecodeError> {
        for _ in 0..u32::read(from)? {
            let connections = &self.connections;
            let config = |id| connections.get(id).map(|connection| connection.config.clone());
            if let Some(sa) = Established::read(from, config)? {
                sa.esp_spis().for_each(|spi| self.core.pool.reserve(spi));
                self.sas.put(sa.id().local, IkeSa::Established(sa));
            }
        }
        for _ in 0..u32::read(from)? {
            let (spi, path) = <(IkeSpi, Path)>::read(from)?;
            self.sas.put_over(spi, LastAnswer::read(from)?, path);
        }
        Ok(())
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

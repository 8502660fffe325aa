//! An established IKE SA as octets: all that another process needs to go on with it.

use super::super::config::{ConnectionConfig, ConnectionId};
use super::super::state::{State, StateReader, StateWriter};
use super::Established;
use super::asking::Purpose;
use super::following::Followups;
use super::held::Held;
use crate::net::EspSpi;
use crate::wire::DecodeError;
use std::sync::Arc;

impl Established {
    /// Whether another process could go on with it: no message waits for a job of this one.
    pub(crate) fn is_portable(&self) -> bool {
        self.held.is_empty() && self.exchanges.purpose().is_none_or(Purpose::is_portable)
    }

    /// Writes all that makes it but its configuration, if it is portable.
    pub(crate) fn write(&self, out: &mut StateWriter) {
        self.connection.write(out);
        self.children.write(out);
        self.descent.write(out);
        self.additional.write(out);
        self.followups.write(out);
        self.life.write(out);
        self.exchanges.write(out);
        self.liveness.write(out);
        self.vouching.write(out);
        self.path.write(out);
        ((self.peer_token.clone(), self.owes_token), self.mobility.clone()).write(out);
    }

    /// What [`write`](Established::write) wrote, with the configuration of its connection;
    /// `None` when that is not configured any more.
    ///
    /// # Errors
    ///
    /// When the octets are no IKE SA.
    pub(crate) fn read(
        from: &mut StateReader<'_>,
        config: impl Fn(ConnectionId) -> Option<Arc<ConnectionConfig>>,
    ) -> Result<Option<Box<Established>>, DecodeError> {
        let connection = ConnectionId::read(from)?;
        let (children, descent) = (State::read(from)?, State::read(from)?);
        let (additional, followups) = (State::read(from)?, State::read(from)?);
        let life = State::read(from)?;
        let (exchanges, liveness) = (State::read(from)?, State::read(from)?);
        let vouching = State::read(from)?;
        let (path, effects) = (State::read(from)?, Vec::new());
        let ((peer_token, owes_token), mobility) = State::read(from)?;
        Ok(config(connection).map(|config| {
            Box::new(Established {
                connection,
                config,
                children,
                descent,
                additional,
                followups,
                life,
                exchanges,
                held: Held::default(),
                liveness,
                vouching,
                path,
                to_measure: None,
                peer_token,
                owes_token,
                mobility,
                effects,
            })
        }))
    }

    /// The ESP SPIs that we have given to our side of its Child SAs, also of one that is being made.
    pub(crate) fn esp_spis(&self) -> impl Iterator<Item = EspSpi> + '_ {
        let being_made = match self.exchanges.purpose() {
            Some(Purpose::Child(attempt)) => Some(attempt.spi()),
            _ => None,
        };
        let granted = self.followups.as_ref().and_then(Followups::spi);
        self.children.iter().map(|(_, sa)| sa.inbound).chain(being_made).chain(granted)
    }
}

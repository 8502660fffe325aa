//! What tests look at that explore many schedules.

use super::asking::Purpose;
use super::children::ChildState;
use super::*;
use crate::wire::ike::{ExchangeType, Flags, Header, Message, MessageId, Payload};
use std::fmt;

/// What an outstanding request is for, without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Child,
    RekeyIke,
    DeleteChild,
    DeleteIke,
    Other,
}

impl Established {
    /// Everything that decides what it does from now on, but its configuration.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub(crate) fn write_state(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Established { children, descent, life, exchanges, .. } = self;
        write!(out, "{children:?}{descent:?}{life:?}{exchanges:?}")?;
        write!(out, "{:?}", &exchanges.keys.sk_pi.as_bytes()[..8])?;
        let Established { additional, followups, .. } = self;
        write!(out, "{additional:?}{followups:?}")?;
        let Established { held, liveness, path, to_measure, .. } = self;
        write!(out, "{held:?}{liveness:?}{path:?}{to_measure:?}")?;
        write!(out, "{:?}{}{:?}", self.peer_token, self.owes_token, self.mobility)
    }

    /// Whether it is in use, nothing is being asked, and nothing is about to be.
    pub(crate) fn is_quiet(&self) -> bool {
        let installed = |sa: &children::ChildSa| sa.state == ChildState::Installed;
        self.is_active()
            && self.held.is_empty()
            && self.followups.is_none()
            && self.exchanges.purpose().is_none()
            && self.children.iter().all(|(_, sa)| installed(sa))
            && self.children.wanted().is_none()
            && !self.owes_token
            && !self.mobility.is_pending()
    }

    /// A request without protection that names this IKE SA the wrong way round.
    pub(crate) fn pretence(&self) -> Vec<u8> {
        let IkeSaId { local, remote } = self.id();
        let is_initiator = self.role() == Role::Initiator;
        let (initiator, responder) = if is_initiator { (local, remote) } else { (remote, local) };
        let flags = Flags { initiator: !is_initiator, ..Flags::default() };
        let exchange = ExchangeType::INFORMATIONAL;
        let header = Header::new(initiator, responder, exchange, flags, MessageId(9));
        Message { header, payloads: Vec::new() }.encode()
    }

    /// Between which addresses it runs.
    pub(crate) fn path_now(&self) -> Path {
        self.path.path()
    }

    /// What is in a message of the peer.
    pub(crate) fn read_message(&self, message: &[u8]) -> Option<Vec<Payload>> {
        let opened = self.exchanges.keys.open.open(message).ok()?;
        opened.payloads().ok().map(<[Payload]>::to_vec)
    }

    /// What is being asked.
    pub(crate) fn asked(&self) -> Option<Asked> {
        Some(match self.exchanges.purpose()? {
            Purpose::Child(_) => Asked::Child,
            Purpose::RekeyIke(_) => Asked::RekeyIke,
            Purpose::DeleteChild(_) => Asked::DeleteChild,
            Purpose::DeleteIke => Asked::DeleteIke,
            Purpose::Probe | Purpose::CheckPath(_) | Purpose::Measure(_) => Asked::Other,
            Purpose::UpdateAddresses => Asked::Other,
        })
    }

    /// Whether both sides are asking for a successor.
    pub(crate) fn is_contested(&self) -> bool {
        match self.exchanges.purpose() {
            Some(Purpose::RekeyIke(attempt)) => attempt.race.rival().is_some(),
            _ => false,
        }
    }
}

//! What tests look at that explore many schedules.

use super::super::sas::IkeSa;
use super::*;
use crate::ike::event::Role;
use crate::ike::sa::Asked;
use crate::wire::ike::{Header, Payload};
use std::fmt;

impl Endpoint {
    /// Everything that decides what it does from now on: neither configurations, nor counters, nor
    /// how often a peer has asked for something.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_state(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Core { pool, slots, jobs, .. } = &self.core;
        jobs.write_state(out)?;
        write!(out, "{pool:?}{slots:?}")?;
        for (_, connection) in self.connections.walk() {
            let Connection { attempt, ended, .. } = connection;
            write!(out, "{:?}{attempt:?}{ended:?}", connection.kept())?;
        }
        for (_, sa) in self.sas.walk() {
            match sa {
                IkeSa::Established(sa) => sa.write_state(out)?,
                other => write!(out, "{other:?}")?,
            }
        }
        Ok(())
    }

    /// Whether nothing is under way and nothing is about to be.
    pub fn is_quiet(&self) -> bool {
        let attempts = self.connections.walk().map(|(_, connection)| connection.attempt);
        attempts.into_iter().all(|attempt| attempt == connection::Attempt::Idle)
            && self.sas.walk().all(|(_, sa)| match sa {
                IkeSa::Established(sa) => sa.is_quiet(),
                IkeSa::Over(..) | IkeSa::HalfOpen(_) | IkeSa::Responding(_) => true,
                IkeSa::Initiating(_)
                | IkeSa::AwaitInit(_)
                | IkeSa::AwaitIntermediate(_)
                | IkeSa::AwaitAuth(_) => false,
            })
    }

    /// How many pieces of public-key work have no answer.
    pub fn unanswered_jobs(&self) -> usize {
        self.core.jobs.unanswered()
    }

    /// How many ESP SPIs are taken.
    pub fn spis_taken(&self) -> usize {
        self.core.pool.taken()
    }

    fn addressed(&self, header: &Header) -> Option<&IkeSa> {
        let of_initiator = header.flags.initiator;
        let ours = if of_initiator { header.responder_spi } else { header.initiator_spi };
        self.sas.get(ours)
    }

    fn established_for(&self, header: &Header) -> Option<&Established> {
        match self.addressed(header)? {
            IkeSa::Established(sa) => Some(sa),
            _ => None,
        }
    }

    /// What is in a message of the peer, if one of the established IKE SAs can open it.
    pub fn read_message(&self, message: &[u8]) -> Option<Vec<Payload>> {
        self.established_for(&Header::decode(message).ok()?)?.read_message(message)
    }

    /// What is being asked under the IKE SA of this message.
    pub fn asked(&self, header: &Header) -> Option<Asked> {
        self.established_for(header)?.asked()
    }

    /// Whether both sides are asking for a successor of the IKE SA of this message.
    pub fn is_contested(&self, header: &Header) -> bool {
        self.established_for(header).is_some_and(Established::is_contested)
    }

    /// Whether the IKE SA of this message is gone, and its last answer kept.
    pub fn is_over(&self, message: &[u8]) -> bool {
        let header = Header::decode(message).ok();
        matches!(header.and_then(|header| self.addressed(&header)), Some(IkeSa::Over(..)))
    }

    /// Whether the IKE SA with this SPI of ours waits for IKE_AUTH.
    pub fn is_half_open(&self, spi: IkeSpi) -> bool {
        matches!(self.sas.get(spi), Some(IkeSa::HalfOpen(_)))
    }

    /// Our side of the exchange that made the newest IKE SA in use.
    pub fn newest_role(&self) -> Option<Role> {
        let active = self.established_by_walk().filter(|sa| sa.is_active());
        active.max_by_key(|sa| sa.established_at()).map(Established::role)
    }

    /// Asks for a sign of life.
    pub fn probe(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        for spi in self.sas.active_spis(id) {
            self.with_established(spi, at, |sa, ctx| sa.probe(ctx));
        }
        self.rearm();
    }

    /// Somebody asks the peer in our name, under the IKE SAs that there are, but as the other side of
    /// them.
    pub fn pretend(&mut self, at: &mut Moment<'_>) {
        let ctx = self.core.context(at);
        for sa in self.sas.all_established() {
            ctx.out.send(&sa.path_now(), &sa.pretence());
        }
    }

    /// Asks for a Child SA while IKE_AUTH is under way, with a proof of identity that is none: no
    /// honest peer does so.
    pub fn presume(&mut self, at: &mut Moment<'_>) {
        let waiting = self.sas.walk().filter(|(_, sa)| matches!(sa, IkeSa::AwaitAuth(_)));
        let spis: Vec<IkeSpi> = waiting.map(|(spi, _)| *spi).collect();
        for spi in spis {
            if let Some(IkeSa::AwaitAuth(mut state)) = self.sas.take(spi) {
                state.presume(&mut self.core.context(at));
                self.sas.put(spi, IkeSa::AwaitAuth(state));
            }
        }
        self.rearm();
    }
}

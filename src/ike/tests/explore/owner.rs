//! The owner of one end: it installs Child SAs as events tell, and remembers what it had.

use crate::ike::*;
use crate::net::EspSpi;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Why a Child SA is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Another has its place, or the peer has deleted it: both ends have taken part.
    Agreed,
    /// This end has dropped it by itself, with its IKE SA or for its age.
    Alone,
    /// Its end has lost all state.
    Restart,
}

/// The outbound half of a Child SA.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Outbound {
    pub slot: SlotId,
    pub strand: Strand,
    pub keys: ChildKeys,
    pub replaces: Option<ChildId>,
    pub role: Role,
    /// Whether its packets are AGGFRAG payloads.
    pub aggfrag: bool,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outbound { slot, strand, keys, replaces, .. } = self;
        let secret = &keys.keymat.as_bytes()[..8];
        write!(f, "{}{}{}{replaces:?}{secret:?}", slot.0, strand.0, keys.spi.0)
    }
}

/// The data plane of one end.
#[derive(Clone, Default)]
pub(super) struct Owner {
    pub inbound: BTreeMap<EspSpi, (ChildId, ChildKeys)>,
    pub outbound: BTreeMap<ChildId, Outbound>,
    pub senders: BTreeMap<Strand, ChildId>,
    /// Inbound halves that were there; they go on opening what is under way.
    pub gone: BTreeMap<EspSpi, Cause>,
    /// The IKE SAs whose peer has proved its identity.
    pub authenticated: BTreeSet<IkeSaId>,
    /// How many of them by IKE_AUTH.
    pub handshakes: usize,
    pub restarts: u32,
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { outbound, senders, gone, restarts, .. } = self;
        write!(f, "{:?}{outbound:?}{senders:?}{gone:?}{restarts}", self.inbound.keys())
    }
}

impl Owner {
    /// Does what an event asks for.
    ///
    /// # Errors
    ///
    /// What the event must not have said.
    pub(super) fn on_event(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Established(sa) => {
                self.handshakes += 1;
                self.authenticated.insert(sa.ike);
                Ok(())
            }
            Event::IkeRekeyed { old, new, .. } => {
                let known = self.authenticated.contains(&old);
                self.authenticated.insert(new);
                known.then_some(()).ok_or(format!("{new} replaces {old}, which proved nothing"))
            }
            Event::ChildUp(up) => self.install(*up),
            Event::ChildSendable { child, .. } => self.send_on(child),
            Event::ChildDown { child, reason, .. } => self.remove(child, &reason),
            _ => Ok(()),
        }
    }

    fn install(&mut self, up: ChildUp) -> Result<(), String> {
        let ChildUp {
            slot, child, replaces, strand, inbound, outbound: keys, role, aggfrag, ..
        } = up;
        if self.authenticated.is_empty() {
            return Err(format!("Child SA {child} under an IKE SA that nobody has authenticated"));
        }
        if self.gone.contains_key(&inbound.spi) || self.inbound.contains_key(&inbound.spi) {
            return Err(format!("the inbound SPI of {child} is used again"));
        }
        self.inbound.insert(inbound.spi, (child, inbound));
        self.outbound.insert(child, Outbound { slot, strand, keys, replaces, role, aggfrag });
        if up.sendable { self.send_on(child) } else { Ok(()) }
    }

    fn send_on(&mut self, child: ChildId) -> Result<(), String> {
        let Some(outbound) = self.outbound.get(&child) else {
            return Err(format!("{child} is sendable, but not installed"));
        };
        self.senders.insert(outbound.strand, child);
        Ok(())
    }

    fn remove(&mut self, child: ChildId, reason: &DownReason) -> Result<(), String> {
        if self.outbound.remove(&child).is_none() {
            return Err(format!("{child} goes down, but is not installed"));
        }
        self.senders.retain(|_, sending| *sending != child);
        let agreed = matches!(reason, DownReason::Rekeyed | DownReason::DeletedByPeer);
        let cause = if agreed { Cause::Agreed } else { Cause::Alone };
        self.drain(cause, |of| of == child);
        Ok(())
    }

    fn drain(&mut self, cause: Cause, whose: impl Fn(ChildId) -> bool) {
        let gone = self.inbound.iter().filter(|(_, (child, _))| whose(*child));
        let gone: Vec<EspSpi> = gone.map(|(spi, _)| *spi).collect();
        for spi in gone {
            self.inbound.remove(&spi);
            self.gone.insert(spi, cause);
        }
    }

    /// Nothing is left, and what was before is forgotten but for this.
    pub(super) fn lose_all(&mut self, cause: Cause) {
        self.drain(cause, |_| true);
        self.outbound.clear();
        self.senders.clear();
        self.authenticated.clear();
        self.handshakes = 0;
        self.restarts += 1;
    }

    /// The Child SAs on which it sends.
    pub(super) fn sending(&self) -> impl Iterator<Item = (ChildId, &Outbound)> {
        self.senders.values().filter_map(|child| Some((*child, self.outbound.get(child)?)))
    }
}

//! The exchange of OPENs: what we propose, what we accept, and which of two connections stays
//! (RFC 4271 §4.2, §6.2, §6.8; RFC 6286).

use super::{
    COLLISION_WINDOW, Cause, Connection, Input, Key, Negotiated, Session, SessionConfig, State,
};
use crate::routing::attributes::Role;
use crate::routing::bgp::codec::Context;
use crate::routing::bgp::{Capabilities, GracefulRestart, Open};
use crate::time::Timestamp;
use std::time::Duration;

impl SessionConfig {
    /// The OPEN that we send.
    pub fn open(&self, restarted: bool) -> Open {
        Open {
            asn: self.local_asn,
            four_octet: true,
            hold_time: u16::try_from(self.hold_time.as_secs()).unwrap_or(u16::MAX),
            identifier: self.identifier,
            families: self.families.clone(),
            capabilities: Capabilities {
                route_refresh: true,
                enhanced_refresh: true,
                // It is about IPv4 routes where the session may be of IPv6.
                extended_next_hop: self.families.len() > 1,
                extended_messages: true,
                roles: self.spoken_role().map(Role::code).into_iter().collect(),
                graceful_restart: Some(GracefulRestart { restarted, ..GracefulRestart::default() }),
            },
        }
    }

    /// What we agree on with a peer that sent `open`.
    ///
    /// # Errors
    /// Why the peer cannot be the one that is configured (RFC 4271 §6.2, RFC 6286 §2.2).
    pub fn negotiate(&self, open: &Open) -> Result<Negotiated, Cause> {
        if open.asn != self.remote_asn {
            return Err(Cause::BadPeerAs { got: open.asn, expected: self.remote_asn });
        }
        let internal = self.local_asn == self.remote_asn;
        if internal && open.identifier == self.identifier {
            return Err(Cause::BadIdentifier);
        }
        self.check_role(&open.capabilities)?;
        let ours = self.open(false);
        let hold_time = Duration::from_secs(ours.hold_time.min(open.hold_time).into());
        let families = ours.families.intersection(&open.families).copied().collect();
        let context = Context {
            four_octet: open.four_octet,
            internal,
            families,
            extended_next_hop: ours.capabilities.extended_next_hop
                && open.capabilities.extended_next_hop,
            extended_messages: open.capabilities.extended_messages,
        };
        let capabilities = open.capabilities.clone();
        Ok(Negotiated { hold_time, context, capabilities, identifier: open.identifier })
    }

    /// What we say that we are to the peer: inside an AS there is no such thing (RFC 9234 §4.1).
    fn spoken_role(&self) -> Option<Role> {
        self.role.filter(|_| self.local_asn != self.remote_asn)
    }

    /// RFC 9234 §4.2: a peer that names no role is taken at our word, unless the operator is strict.
    fn check_role(&self, theirs: &Capabilities) -> Result<(), Cause> {
        let Some(ours) = self.spoken_role() else { return Ok(()) };
        let expected = ours.counterpart().code();
        let is_silent = theirs.roles.is_empty() && self.strict_role;
        if theirs.roles.iter().all(|role| *role == expected) && !is_silent {
            return Ok(());
        }
        Err(Cause::RoleMismatch { ours, theirs: theirs.roles.clone() })
    }

    /// Whether, of two connections with a peer that sent `open`, the one that we opened stays:
    /// the speaker with the higher identifier keeps its own (RFC 4271 §6.8); of equal identifiers
    /// the higher AS number decides (RFC 6286 §2.3).
    fn keeps_outgoing(&self, open: &Open) -> bool {
        (self.identifier, self.local_asn) > (open.identifier, open.asn)
    }
}

impl Session {
    /// An OPEN arrived: is it acceptable, and does it collide?
    pub(super) fn handle_open(&mut self, key: Key, open: &Open, now: Timestamp) {
        let waits = |c: &Connection| c.state == State::OpenSent;
        if !self.connections.get(&key).is_some_and(waits) {
            return self.fire(key, &Input::Open(None), now);
        }
        match self.config.negotiate(open) {
            Ok(negotiated) => {
                if self.survives_collision(key, open, now) {
                    self.fire(key, &Input::Open(Some(negotiated)), now);
                }
            }
            Err(cause) => self.fire(key, &Input::OpenError(cause), now),
        }
    }

    /// Resolves the collision of connection `key` with others that have seen an OPEN; whether
    /// `key` is the one that stays.
    fn survives_collision(&mut self, key: Key, open: &Open, now: Timestamp) -> bool {
        let Some(incoming) = self.connections.get(&key).map(|c| c.incoming) else { return false };
        for other in self.keys(|c| c.state >= State::OpenConfirm) {
            let Some(rival) = self.connections.get(&other) else { continue };
            let rival_yields = match rival.state {
                State::Established => now.since(rival.established_at) >= COLLISION_WINDOW,
                // Two of the peer's own: it has given up the older one.
                _ if rival.incoming == incoming => true,
                _ => incoming != self.config.keeps_outgoing(open),
            };
            let loser = if rival_yields { other } else { key };
            self.fire(loser, &Input::Collision, now);
            if !rival_yields {
                return false;
            }
        }
        true
    }
}

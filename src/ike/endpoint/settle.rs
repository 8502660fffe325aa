//! After every input: one IKE SA a connection, one Child SA a strand to send on, and an owner who
//! knows how things stand.
//!
//! Both sides may have initiated at once. Then both see the same two IKE SAs with the same four
//! nonces, and the rule of RFC 7296 §2.8.2 decides: the one made with the lowest nonce goes, and
//! who initiated it deletes it. It goes only once the other is known to work, so one always
//! remains. A peer that does not know the rule is given a moment, then we delete it.

use super::super::config::{ConnectionId, SlotId};
use super::super::connection::{Attempt, Told};
use super::super::event::{ChildId, Event, Role, Strand};
use super::super::failure::DownReason;
use super::super::liveness::Verdict;
use super::super::sa::Established;
use super::Endpoint;
use crate::moment::Moment;
use crate::time::Timestamp;
use crate::wire::ike::IkeSpi;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the initiator of a redundant IKE SA may take to delete it.
const DUPLICATE: Duration = Duration::from_secs(3);

/// What is to be done about one of two IKE SAs.
enum Verdicts {
    Nothing,
    /// Delete this one.
    Close(IkeSpi),
    /// See whether this one works; look again then.
    Probe(IkeSpi, Timestamp),
    /// Look again then.
    Wait(Timestamp),
}

impl Endpoint {
    /// The time of a connection may have come.
    pub(super) fn time_out_connection(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        self.settle(id, at);
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.trial_at().is_some_and(|due| due <= at.now) {
            connection.carrier.try_again(at.now);
            return self.start_attempt(id, at);
        }
        if connection.attempt_at().is_none_or(|due| at.now < due) {
            return;
        }
        if connection.told == Told::Up || !connection.wanted {
            connection.attempt = Attempt::Idle;
        } else {
            self.start_attempt(id, at);
        }
    }

    /// Brings order into a connection.
    pub(super) fn settle(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        self.settle_duplicates(id, at);
        self.settle_sending(id);
        self.settle_owner(id, at);
    }

    fn settle_duplicates(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let again = match self.judge_duplicates(id, at.now) {
            Verdicts::Nothing => None,
            Verdicts::Wait(until) => Some(until),
            Verdicts::Probe(spi, until) => {
                self.with_established(spi, at, |sa, ctx| sa.probe(ctx));
                Some(until)
            }
            Verdicts::Close(spi) => {
                self.with_established(spi, at, |sa, ctx| {
                    sa.close(DownReason::Duplicate, ctx);
                });
                Some(at.now + DUPLICATE)
            }
        };
        if let Some(connection) = self.connections.get_mut(id) {
            connection.settle_at = again;
        }
    }

    fn judge_duplicates(&self, id: ConnectionId, now: Timestamp) -> Verdicts {
        let mut sas: Vec<&Established> = self.sas.active_of(id).collect();
        sas.sort_by(|one, other| one.lineage().cmp(other.lineage()));
        let [loser, .., winner] = sas.as_slice() else { return Verdicts::Nothing };
        if let Some(dead) = unreachable_beside_reachable(&sas) {
            return Verdicts::Close(dead);
        }
        if let Some(old) = outdated_beside_newer(&sas) {
            return Verdicts::Close(old);
        }
        if let Some((old, newer)) = streamed_beside_newer(&sas) {
            return match newer.confirmed_after(old.established_at()) {
                true => Verdicts::Close(old.id().local),
                false => Verdicts::Probe(newer.id().local, now + DUPLICATE),
            };
        }
        if !winner.confirmed_after(loser.established_at()) {
            return Verdicts::Probe(winner.id().local, now + DUPLICATE);
        }
        let patience = loser.established_at().max(winner.established_at()) + DUPLICATE;
        if loser.role() == Role::Initiator || now >= patience {
            return Verdicts::Close(loser.id().local);
        }
        Verdicts::Wait(patience)
    }

    /// When the Child SA that a strand sent on is gone, the newest that took its place takes over.
    fn settle_sending(&mut self, id: ConnectionId) {
        let mut newest: BTreeMap<Strand, (ChildId, SlotId)> = BTreeMap::new();
        for child in self.sas.active_of(id).flat_map(|sa| sa.children.installed()) {
            let Some(owner) = self.core.slots.owner(child) else { continue };
            let known = newest.entry(owner.strand).or_insert((child, owner.slot));
            *known = (child, owner.slot).max(*known);
        }
        newest.retain(|&strand, (child, _)| {
            self.core.slots.sending(strand).is_none() && !self.is_carried_elsewhere(id, *child)
        });
        for (child, slot) in newest.into_values() {
            self.core.slots.send_on(child);
            self.core.out.event(id, Event::ChildSendable { slot, child });
        }
    }

    /// Whether the traffic of a Child SA goes over another IKE SA, which the peer is about to
    /// replace by the one of this Child SA.
    fn is_carried_elsewhere(&self, id: ConnectionId, child: ChildId) -> bool {
        let mut sas = self.sas.active_of(id);
        let Some(new) = sas.find_map(|sa| sa.children.get(child)) else { return false };
        let carries = |sa: &Established| {
            let beside = sa.children.get(child).is_none();
            let sends = |other| {
                self.core.slots.owner(other).and_then(|owner| self.core.slots.sending(owner.strand))
                    == Some(other)
            };
            beside
                && sa.children.iter().any(|(other, known)| {
                    known.slot == new.slot && known.traffic.is_same(&new.traffic) && sends(other)
                })
        };
        self.sas.active_of(id).any(carries)
    }

    /// Tells the owner what has changed for the connection as a whole.
    fn settle_owner(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        let (state, round_trip) = self.state_of(id);
        let serves = self.sas.active_of(id).any(|sa| sa.children.installed().next().is_some());
        let Some(connection) = self.connections.get_mut(id) else { return };
        if before_is_better(connection.told, state) {
            connection.on_lost(at.now);
        }
        connection.on_children(serves, at.now);
        let before = std::mem::replace(&mut connection.told, state);
        let event = match (before, state) {
            (Told::Down, Told::Up | Told::Down) | (Told::Up, Told::Up) => None,
            (Told::Unreachable { .. }, Told::Unreachable { .. }) => None,
            (Told::Unreachable { .. }, Told::Up) => Some(Event::Alive { rtt: round_trip }),
            (Told::Up | Told::Down, Told::Unreachable { since }) => {
                Some(Event::Unreachable { since })
            }
            (Told::Up | Told::Unreachable { .. }, Told::Down) => {
                if connection.attempt == Attempt::Idle {
                    connection.plan_retry(at);
                }
                let reason = connection.ended.clone().unwrap_or(DownReason::Requested);
                tracing::debug!(connection = id.0, %reason, "connection down");
                Some(Event::Down { reason })
            }
        };
        if let Some(event) = event {
            self.core.out.event(id, event);
        }
    }

    /// How a connection stands, and the round-trip time of the IKE SA that says so.
    fn state_of(&self, id: ConnectionId) -> (Told, Option<Duration>) {
        let mut state = (Told::Down, None);
        for sa in self.sas.active_of(id) {
            match sa.verdict() {
                Verdict::Reachable => return (Told::Up, sa.round_trip()),
                Verdict::Unreachable { since } => state = (Told::Unreachable { since }, None),
            }
        }
        state
    }
}

/// Whether a connection was up, or had an IKE SA at least, and has it no longer.
fn before_is_better(before: Told, after: Told) -> bool {
    match (before, after) {
        (Told::Up, Told::Unreachable { .. } | Told::Down) => true,
        (Told::Unreachable { .. }, Told::Down) => true,
        (Told::Down | Told::Unreachable { .. }, Told::Unreachable { .. } | Told::Up) => false,
        (Told::Up, Told::Up) | (Told::Down, Told::Down) => false,
    }
}

/// An IKE SA that another was made to take the place of, when that other is known to work.
fn outdated_beside_newer(sas: &[&Established]) -> Option<IkeSpi> {
    let old = sas.iter().find(|sa| sa.is_outdated())?;
    let newer = |sa: &&&Established| {
        !sa.is_outdated()
            && sa.verdict() == Verdict::Reachable
            && sa.confirmed_after(old.established_at())
    };
    sas.iter().find(newer).map(|_| old.id().local)
}

/// An IKE SA in TCP and a newer one in UDP, which takes its place: UDP is to be favoured "whenever
/// possible" (RFC 9329 §9).
fn streamed_beside_newer<'s>(
    sas: &[&'s Established],
) -> Option<(&'s Established, &'s Established)> {
    let old = sas.iter().find(|sa| sa.path().is_streamed())?;
    let newer =
        |sa: &&&Established| !sa.path().is_streamed() && sa.established_at() > old.established_at();
    sas.iter().find(newer).map(|newer| (*old, *newer))
}

/// An IKE SA whose peer does not answer, when the same peer does on another.
fn unreachable_beside_reachable(sas: &[&Established]) -> Option<IkeSpi> {
    let (dead, since) = sas.iter().find_map(|sa| match sa.verdict() {
        Verdict::Reachable => None,
        Verdict::Unreachable { since } => Some((sa, since)),
    })?;
    let lives =
        |sa: &&&Established| sa.verdict() == Verdict::Reachable && sa.confirmed_after(since);
    sas.iter().find(lives).map(|_| dead.id().local)
}

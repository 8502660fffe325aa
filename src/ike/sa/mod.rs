//! An established IKE SA: both sides are authenticated, and the SA carries CREATE_CHILD_SA and
//! INFORMATIONAL exchanges until it is replaced or deleted.
//!
//! [`Established`] only composes. Each part keeps its own state and knows no other part:
//!
//! * [`birth`]: how it comes to be,
//! * [`lifecycle`]: where the IKE SA stands, and how old its keys may get,
//! * [`exchanges`]: keys, windows in both directions, repetition,
//! * [`held`]: what waits for public-key work,
//! * [`liveness`](super::liveness): whether the peer lives,
//! * [`vouching`]: whether the peer's certificate still holds,
//! * [`path`](super::path): between which addresses it runs,
//! * [`children`]: its Child SAs,
//! * [`crash`]: by what each side shows that it has lost the IKE SA,
//! * [`replacement`]: which of two SAs made at once stays, for IKE SAs and Child SAs alike;
//!   [`create`] and [`rekey`] negotiate the one and the other.
//!
//! What they do together stands in [`asking`] (what is due, and the answers to our requests),
//! [`deferral`] (the peer puts us off), [`drafting`] (requests that take a key exchange), [`following`]
//! (which takes more than one), [`succession`] (who inherits), [`answering`] (the peer's requests),
//! [`working`] (messages come and wait), [`filling`] (every slot has its Child SAs, once each),
//! [`moving`] (the peer is elsewhere), [`mobility`] (one side is, and says so), [`measuring`] (which size fits the path), [`timing`], [`viewing`]
//! and [`handover`] (all of it as octets). What is to be requested next is not kept in a queue but read
//! off the state: whenever the window is free, [`Established::pump`] looks what is due.

mod answering;
mod asking;
mod birth;
pub(super) mod children;
mod crash;
mod create;
mod deferral;
mod drafting;
mod exchanges;
mod filling;
mod following;
mod handover;
mod held;
mod lifecycle;
mod measuring;
mod mobility;
mod moving;
mod rekey;
mod replacement;
mod succession;
#[cfg(test)]
mod tests;
mod timing;
mod viewing;
mod vouching;
mod working;

use super::config::{ConnectionConfig, ConnectionId, Lifetime};
use super::context::Context;
use super::crash::PeerToken;
use super::event::{ChildId, Event, IkeSaId, Role};
use super::exchange::LastAnswer;
use super::failure::{ChildRefusal, DownReason};
use super::fragments::Sealed;
use super::limits::Wish;
use super::liveness::{Liveness, Verdict};
use super::path::{LivePath, Path};
use super::state::state_of_fields;
use super::stats::Discard;
use crate::crypto::suite::{Additional, IkeSuite};
use crate::time::Timestamp;
use crate::wire::ike::Identity;
use crate::wire::ike::{Header, IkeSpi, MessageId};
use asking::Purpose;
use birth::Birth;
pub(super) use birth::{Handshake, NoFirstChild};
use children::{Children, Installation};
use crash::is_protected;
use exchanges::{Arrival, Exchanges, Request};
use following::Followups;
use held::Held;
use lifecycle::Lifecycle;
pub(super) use mobility::Mobility;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
#[cfg(test)]
pub(super) use tests::Asked;
use vouching::Vouching;

/// Of a Child SA whose slot is gone: it is deleted at once.
const NO_LIFETIME: Lifetime =
    Lifetime { soft: Duration::ZERO, jitter: Duration::ZERO, hard: Duration::ZERO };

/// What an IKE SA wants its endpoint to do, for it is about other IKE SAs.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Effect {
    /// This IKE SA has been made.
    Insert(Box<Established>),
    /// The IKE SA with this SPI of ours gets the Child SAs.
    Inherit(IkeSpi, Estate),
    /// Another IKE SA is to be made beside it, with the newest certificates.
    Reauthenticate,
    /// The peer has lost this IKE SA: another is to be made at once.
    Reconnect,
    /// The IKE SA with this SPI of ours is redundant, and the peer is to delete it.
    Redundant(IkeSpi),
    /// This IKE SA serves no longer.
    Ended(DownReason),
    /// This IKE SA can be forgotten.
    Forget,
    /// No Child SA could be made.
    NoChild(ChildRefusal),
}

/// What an IKE SA leaves to its successor.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Estate {
    from: IkeSaId,
    children: Children,
}

impl Estate {
    /// There is nobody to inherit.
    pub(super) fn dissolve(mut self, ctx: &mut Context<'_>) {
        self.children.clear(&DownReason::Rekeyed, ctx);
    }
}

/// An IKE SA from its establishment to its end.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Established {
    pub connection: ConnectionId,
    pub config: Arc<ConnectionConfig>,
    pub children: Children,
    descent: Descent,
    /// The key exchanges beside the first that have made it.
    additional: Additional,
    /// What the peer has asked for, and is to complete by IKE_FOLLOWUP_KE.
    followups: Option<Followups>,
    life: Lifecycle,
    exchanges: Exchanges<Purpose>,
    held: Held,
    liveness: Liveness,
    vouching: Vouching,
    path: LivePath,
    /// The size whose way to the peer is to be measured when the window is free.
    to_measure: Option<u16>,
    /// What the peer shows if it has lost the IKE SA (RFC 6290).
    peer_token: PeerToken,
    /// The peer has yet to get ours.
    owes_token: bool,
    mobility: Mobility,
    effects: Vec<Effect>,
}

/// The handshake from which an IKE SA descends, through however many rekeyings.
#[derive(Clone, Debug)]
struct Descent {
    /// Who the peer proved to be.
    remote_id: Identity,
    /// The lowest nonce of the IKE_SA_INIT: by it both sides tell which of two IKE SAs stays.
    lineage: Vec<u8>,
    /// When the IKE_SA_INIT was sent or received.
    began_at: Timestamp,
    /// Our side of it.
    role: Role,
    /// Whether the peer names slots, as we do.
    names_slots: bool,
    /// Whether AUTH has covered all of IKE_SA_INIT.
    covered_in_full: bool,
    /// Whether a post-quantum pre-shared key has gone into the keys.
    ppk_in_use: bool,
}

state_of_fields!(Descent {
    remote_id,
    lineage,
    began_at,
    role,
    names_slots,
    covered_in_full,
    ppk_in_use,
});

impl Established {
    fn install(
        &mut self,
        made: create::Made,
        role: Role,
        replaces: Option<ChildId>,
        sendable: bool,
        ctx: &mut Context<'_>,
    ) -> ChildId {
        let create::Made { slot, agreed, secrets, nonces } = made;
        let spis = (agreed.inbound, agreed.outbound);
        let seed = self.exchanges.keys.child_seed();
        let keys = seed.keys(agreed.suite, spis, &secrets, &nonces, role);
        let path = self.path.path();
        let new = Installation { slot, agreed, keys, path, role, replaces, sendable };
        let lifetime = self.config.slots.get(&slot).map(|slot| slot.lifetime.clone());
        self.children.install(new, &lifetime.unwrap_or(NO_LIFETIME), ctx)
    }

    /// Records the answer with which the handshake ended, as responder.
    pub(super) fn answered(&mut self, request: (MessageId, [u8; 32]), response: Sealed) {
        self.exchanges.on_answered(request, response);
    }

    /// One datagram whose header names this IKE SA.
    pub(super) fn handle(
        &mut self,
        header: &Header,
        datagram: &[u8],
        path: Path,
        ctx: &mut Context<'_>,
    ) {
        let wish = Wish::Request { strands: self.config.strands() };
        if !is_protected(header) {
            return self.on_unprotected(datagram, path, ctx);
        }
        let asks = !header.flags.response;
        if asks && !ctx.accounts.has(self.connection, wish, ctx.now) {
            return ctx.out.count(Discard::TooManyRequests);
        }
        match self.exchanges.examine(header, datagram, ctx.now) {
            Arrival::Partial => {}
            Arrival::Discarded(reason) => ctx.out.count(reason),
            Arrival::Repetition(response) => {
                ctx.out.count(Discard::Retransmission);
                ctx.out.send_sealed(&path, &response);
                self.liveness.on_repeat(ctx.now);
            }
            Arrival::Request(opened) => {
                ctx.accounts.take(self.connection, wish, ctx.now);
                self.receive_request(Request { opened, path }, ctx);
            }
            Arrival::Response(opened) => self.receive_response(opened, path, ctx),
        }
    }

    /// Starts to delete the IKE SA: its Child SAs are gone at once, the peer is told.
    pub(super) fn close(&mut self, reason: DownReason, ctx: &mut Context<'_>) {
        if self.is_over() {
            return;
        }
        self.bequeath_to_rival();
        self.drop_followups(ctx);
        tracing::debug!(connection = self.connection.0, ike = %self.id(), %reason, "closing IKE SA");
        self.children.clear(&reason, ctx);
        self.life.close(ctx.now);
        self.effects.push(Effect::Ended(reason));
        self.pump(ctx);
    }

    /// Ends the IKE SA here and now, without a word to the peer.
    pub(super) fn end(&mut self, reason: DownReason, ctx: &mut Context<'_>) {
        if self.life.life() == lifecycle::Life::Gone {
            return;
        }
        tracing::debug!(connection = self.connection.0, ike = %self.id(), %reason, "IKE SA gone");
        self.bequeath_to_rival();
        self.children.clear(&reason, ctx);
        if !self.is_over() {
            self.effects.push(Effect::Ended(reason));
        }
        self.forget(ctx);
    }

    /// Takes over from the IKE SA that this one replaces.
    pub(super) fn inherit(&mut self, estate: Estate, ctx: &mut Context<'_>) {
        if self.is_over() {
            return estate.dissolve(ctx);
        }
        let (old, new, suite, additional) = (estate.from, self.id(), self.suite(), self.additional);
        tracing::debug!(connection = self.connection.0, %old, %new, %suite, "IKE SA rekeyed");
        ctx.out.event(self.connection, Event::IkeRekeyed { old, new, suite, additional });
        self.children.inherit(estate.children);
        self.life.succeed();
        self.recheck(ctx);
        if self.path.wants_check() {
            self.pump(ctx);
        }
    }

    fn estate(&mut self) -> Estate {
        Estate { from: self.id(), children: self.children.take() }
    }

    /// What the endpoint is to do now.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What must be kept to answer the peer's last request once more.
    pub(super) fn into_last_answer(self, now: Timestamp) -> Option<(LastAnswer, Path)> {
        let path = self.path.path();
        self.exchanges.into_last_answer(now).map(|answer| (answer, path))
    }

    /// Leaves it to the peer to delete this IKE SA.
    pub(super) fn leave(&mut self, now: Timestamp) {
        self.life.leave(now);
    }

    /// An ESP packet of the peer was authentic.
    pub(super) fn on_traffic(&mut self, child: ChildId, now: Timestamp) {
        self.children.on_traffic(child);
        self.liveness.on_heard(now);
    }

    /// The way to the peer.
    pub(super) fn path(&self) -> Path {
        self.path.path()
    }

    /// Our address.
    pub(super) fn local_ip(&self) -> IpAddr {
        self.path.path().local.ip()
    }

    pub(super) fn id(&self) -> IkeSaId {
        self.exchanges.id
    }

    /// Our side of the exchange that made it.
    pub(super) fn role(&self) -> Role {
        self.exchanges.role
    }

    pub(super) fn suite(&self) -> IkeSuite {
        self.exchanges.keys.suite
    }

    pub(super) fn remote_id(&self) -> &Identity {
        &self.descent.remote_id
    }

    /// By this both sides tell which of two IKE SAs stays: the one of the lower lineage goes.
    pub(super) fn lineage(&self) -> &[u8] {
        &self.descent.lineage
    }

    /// When the IKE_SA_INIT was sent or received from which it descends.
    pub(super) fn began_at(&self) -> Timestamp {
        self.descent.began_at
    }

    pub(super) fn established_at(&self) -> Timestamp {
        self.life.established_at
    }

    pub(super) fn is_active(&self) -> bool {
        self.life.is_active()
    }

    pub(super) fn is_over(&self) -> bool {
        self.life.is_over()
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.liveness.verdict()
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.liveness.round_trip()
    }

    /// Whether the peer is known to have had this IKE SA later than `time`.
    pub(super) fn confirmed_after(&self, time: Timestamp) -> bool {
        let established_at = self.established_at();
        let by_handshake = self.role() == Role::Initiator && established_at >= time;
        by_handshake || self.liveness.last_answer() > time.max(established_at)
    }
}

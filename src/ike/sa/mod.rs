//! An established IKE SA: both sides are authenticated, and the SA carries CREATE_CHILD_SA and
//! INFORMATIONAL exchanges until it is replaced or deleted.
//!
//! What is to be requested next is not kept in a queue but read off the state: whenever the
//! window is free, [`Established::pump`] looks what is due. The parts:
//!
//! * [`children`]: the Child SAs,
//! * [`requests`]: what is due, and the answers to our requests,
//! * [`answers`]: the peer's requests,
//! * [`create`]: CREATE_CHILD_SA for Child SAs, in both roles,
//! * [`rekey`]: CREATE_CHILD_SA for the IKE SA itself, in both roles.
//!
//! ```text
//!   Heir ──────► Active ──────► Leaving     replaced or redundant: the peer is to delete it
//!    made by the    │               │ too late
//!    peer while we  └───────────────┴──► Closing     our Delete is due or on its way
//!    make another
//! ```

mod answers;
pub(super) mod children;
pub(super) mod create;
mod rekey;
mod requests;

use super::auth::Authenticated;
use super::child::Agreed;
use super::config::{ConnectionConfig, ConnectionId};
use super::context::Context;
use super::event::{self, ChildId, Event, IkeSaId, Role};
use super::exchange::{LastAnswer, Place, Requests, Responses};
use super::failure::{ChildRefusal, DownReason};
use super::identity::Identity;
use super::keys::{ChildKeyPair, IkeKeys, Nonces, Spis};
use super::liveness::{Liveness, Verdict};
use super::path::{LivePath, Path};
use super::protect::Opened;
use super::stats::Discard;
use crate::crypto::suite::IkeSuite;
use crate::time::Timestamp;
use crate::wire::ike::{ExchangeType, Flags, Header, IkeSpi, MessageId, Payload};
use children::{Children, Installation};
use requests::Purpose;
use std::sync::Arc;
use std::time::Duration;

/// How long our Delete may stay unanswered.
const CLOSING: Duration = Duration::from_secs(5);

/// Where an IKE SA stands in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// In use.
    Active,
    /// The peer made it to replace an IKE SA that we are replacing too. It gets the Child SAs if
    /// it wins.
    Heir { until: Timestamp },
    /// Another has its place, and the peer is to delete it.
    Leaving { until: Timestamp },
    /// We delete it.
    Closing { until: Timestamp },
    /// It is over.
    Gone,
}

/// What an IKE SA wants its endpoint to do, for it is about other IKE SAs.
#[derive(Debug)]
pub(super) enum Effect {
    /// This IKE SA has been made.
    Insert(Box<Established>),
    /// The IKE SA with this SPI of ours gets the Child SAs.
    Inherit(IkeSpi, Estate),
    /// The IKE SA with this SPI of ours is redundant, and the peer is to delete it.
    Redundant(IkeSpi),
    /// This IKE SA serves no longer.
    Ended(DownReason),
    /// This IKE SA can be forgotten.
    Forget,
    /// No Child SA could be made.
    NoChild(ChildRefusal),
}

/// An authentic request of the peer, new, and the path on which it came.
struct Request {
    opened: Opened,
    path: Path,
}

/// What an IKE SA leaves to its successor.
#[derive(Debug)]
pub(super) struct Estate {
    from: IkeSaId,
    children: Children,
    create_child_at: Option<Timestamp>,
}

impl Estate {
    /// There is nobody to inherit.
    pub fn dissolve(mut self, ctx: &mut Context<'_>) {
        self.children.clear(&DownReason::Rekeyed, ctx);
    }
}

/// An IKE SA from its establishment to its end.
#[derive(Debug)]
pub(super) struct Established {
    pub id: IkeSaId,
    /// Our side of the exchange that made it.
    pub role: Role,
    pub connection: ConnectionId,
    pub config: Arc<ConnectionConfig>,
    pub remote_id: Identity,
    /// The lowest nonce of the IKE_SA_INIT from which it descends: by it both sides tell which
    /// of two IKE SAs stays.
    pub lineage: Vec<u8>,
    /// When that IKE_SA_INIT was sent or received.
    pub began_at: Timestamp,
    pub established_at: Timestamp,
    pub children: Children,
    keys: IkeKeys,
    path: LivePath,
    requests: Requests<Purpose>,
    responses: Responses,
    liveness: Liveness,
    life: Life,
    rekey_at: Timestamp,
    expires_at: Timestamp,
    create_child_at: Option<Timestamp>,
    effects: Vec<Effect>,
}

/// What a handshake hands over.
pub(super) struct Birth {
    pub id: IkeSaId,
    pub role: Role,
    pub connection: ConnectionId,
    pub config: Arc<ConnectionConfig>,
    pub keys: IkeKeys,
    pub nonces: Nonces,
    pub path: LivePath,
    pub began_at: Timestamp,
}

impl Established {
    /// The IKE SA that a handshake has made; that takes a proof of the peer's identity.
    pub fn new(birth: Birth, proof: Authenticated, ctx: &mut Context<'_>) -> Established {
        let (sent, answered) = match birth.role {
            Role::Initiator => (2, 0),
            Role::Responder => (0, 2),
        };
        let lifetime = &birth.config.ike_lifetime;
        Established {
            id: birth.id,
            role: birth.role,
            connection: birth.connection,
            remote_id: proof.into_identity(),
            lineage: birth.nonces.lowest().to_vec(),
            began_at: birth.began_at,
            established_at: ctx.now,
            children: Children::new(birth.connection),
            keys: birth.keys,
            path: birth.path,
            requests: Requests::from(sent),
            responses: Responses::from(answered),
            liveness: Liveness::new(ctx.now),
            life: Life::Active,
            rekey_at: children::rekey_time(lifetime, ctx),
            expires_at: ctx.now + lifetime.hard,
            create_child_at: None,
            effects: Vec::new(),
            config: birth.config,
        }
    }

    /// Tells the owner that the IKE SA is up, and installs the Child SA that the handshake has
    /// agreed on.
    pub fn announce_and_install(&mut self, agreed: Agreed, nonces: &Nonces, ctx: &mut Context<'_>) {
        let Path { local, remote } = self.path.path();
        tracing::info!(
            connection = self.connection.0, ike = %self.id, role = %self.role,
            suite = %self.suite(), %local, %remote, peer = %self.remote_id, "IKE SA established"
        );
        let established = event::Established {
            ike: self.id,
            role: self.role,
            suite: self.suite(),
            local,
            remote,
            local_id: self.config.local_id.clone(),
            remote_id: self.remote_id.clone(),
            nat: self.path.nat(),
        };
        ctx.out.event(self.connection, Event::Established(Box::new(established)));
        let spis = (agreed.inbound, agreed.outbound);
        let keys = self.keys.child_seed().keys(agreed.suite, spis, None, nonces, self.role);
        self.install(agreed, keys, self.role, None, true, ctx);
    }

    fn install(
        &mut self,
        agreed: Agreed,
        keys: ChildKeyPair,
        role: Role,
        replaces: Option<ChildId>,
        sendable: bool,
        ctx: &mut Context<'_>,
    ) -> ChildId {
        let path = self.path.path();
        let new = Installation { agreed, keys, path, role, replaces, sendable };
        self.children.install(new, &self.config.child_lifetime, ctx)
    }

    /// Records the answer with which the handshake ended, as responder.
    pub fn answered(&mut self, request: [u8; 32], response: Vec<u8>) {
        self.responses = Responses::from(1);
        self.responses.answer(request, response);
    }

    /// One datagram whose header names this IKE SA.
    pub fn handle(&mut self, header: &Header, datagram: &[u8], path: Path, ctx: &mut Context<'_>) {
        if header.flags.initiator == (self.role == Role::Initiator) {
            return ctx.out.count(Discard::Unexpected); // our own message, reflected
        }
        if header.flags.response {
            self.handle_response_datagram(header, datagram, path, ctx);
        } else {
            self.handle_request_datagram(header, datagram, path, ctx);
        }
    }

    fn handle_request_datagram(
        &mut self,
        header: &Header,
        datagram: &[u8],
        path: Path,
        ctx: &mut Context<'_>,
    ) {
        match self.responses.place(header.message_id, datagram) {
            Place::Outside => ctx.out.count(Discard::OutsideWindow),
            Place::Again(response) => {
                ctx.out.count(Discard::Retransmission);
                ctx.out.send(&path, response);
                self.liveness.on_repeat(ctx.now);
            }
            Place::Next => match self.keys.open.open(datagram) {
                Err(reason) => ctx.out.count(reason),
                Ok(opened) => {
                    self.on_authentic(path, ctx);
                    self.handle_request(&Request { opened, path }, ctx);
                    self.pump(ctx);
                }
            },
        }
    }

    fn handle_response_datagram(
        &mut self,
        header: &Header,
        datagram: &[u8],
        path: Path,
        ctx: &mut Context<'_>,
    ) {
        if !self.requests.awaits(header.exchange_type, header.message_id) {
            return ctx.out.count(Discard::StrayResponse);
        }
        match self.keys.open.open(datagram) {
            Err(reason) => ctx.out.count(reason),
            Ok(opened) => {
                self.on_authentic(path, ctx);
                self.handle_response(&opened, ctx);
                self.pump(ctx);
            }
        }
    }

    /// A new, authentic message has come on `path`.
    fn on_authentic(&mut self, path: Path, ctx: &mut Context<'_>) {
        self.liveness.on_heard(ctx.now);
        if self.path.on_authentic(path) {
            tracing::info!(connection = self.connection.0, remote = %path.remote, "peer moved");
            let moved = Event::Moved { local: path.local, remote: path.remote };
            ctx.out.event(self.connection, moved);
        }
    }

    fn header(&self, exchange: ExchangeType, response: bool, id: MessageId) -> Header {
        let spis = self.spis();
        let initiator = self.role == Role::Initiator;
        let flags = Flags { initiator, response, version: false };
        Header::new(spis.initiator, spis.responder, exchange, flags, id)
    }

    fn spis(&self) -> Spis {
        match self.role {
            Role::Initiator => Spis { initiator: self.id.local, responder: self.id.remote },
            Role::Responder => Spis { initiator: self.id.remote, responder: self.id.local },
        }
    }

    /// Answers the peer's request where it came from (RFC 7296 §2.11), and remembers the answer.
    fn respond(&mut self, request: &Request, payloads: &[Payload], ctx: &mut Context<'_>) {
        let asked = request.opened.header();
        let header = self.header(asked.exchange_type, true, asked.message_id);
        let response = self.keys.seal.seal(&header, payloads);
        ctx.out.send(&request.path, &response);
        self.responses.answer(request.opened.digest(), response);
    }

    /// Starts to delete the IKE SA: its Child SAs are gone at once, the peer is told.
    pub fn close(&mut self, reason: DownReason, ctx: &mut Context<'_>) {
        if self.is_over() {
            return;
        }
        self.bequeath_to_rival();
        tracing::info!(connection = self.connection.0, ike = %self.id, %reason, "closing IKE SA");
        self.children.clear(&reason, ctx);
        self.life = Life::Closing { until: ctx.now + CLOSING };
        self.effects.push(Effect::Ended(reason));
        self.pump(ctx);
    }

    /// Ends the IKE SA here and now, without a word to the peer.
    pub fn end(&mut self, reason: DownReason, ctx: &mut Context<'_>) {
        if self.life == Life::Gone {
            return;
        }
        tracing::info!(connection = self.connection.0, ike = %self.id, %reason, "IKE SA gone");
        self.bequeath_to_rival();
        self.children.clear(&reason, ctx);
        if !self.is_over() {
            self.effects.push(Effect::Ended(reason));
        }
        self.forget(ctx);
    }

    /// Takes over from the IKE SA that this one replaces.
    pub fn inherit(&mut self, estate: Estate, ctx: &mut Context<'_>) {
        if self.is_over() {
            return estate.dissolve(ctx);
        }
        let (old, new, suite) = (estate.from, self.id, self.suite());
        tracing::info!(connection = self.connection.0, %old, %new, %suite, "IKE SA rekeyed");
        ctx.out.event(self.connection, Event::IkeRekeyed { old, new, suite });
        self.children.inherit(estate.children);
        self.create_child_at = estate.create_child_at.or(self.create_child_at);
        self.life = Life::Active;
    }

    fn estate(&mut self) -> Estate {
        let from = self.id;
        Estate {
            from,
            children: self.children.take(),
            create_child_at: self.create_child_at.take(),
        }
    }

    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What must be kept to answer the peer's last request once more.
    pub fn into_last_answer(self, now: Timestamp) -> Option<(LastAnswer, Path)> {
        let path = self.path.path();
        self.responses.into_last_answer(now).map(|answer| (answer, path))
    }

    pub fn is_active(&self) -> bool {
        self.life == Life::Active
    }

    pub fn is_over(&self) -> bool {
        matches!(self.life, Life::Closing { .. } | Life::Gone)
    }

    /// Leaves it to the peer to delete this IKE SA.
    pub fn leave(&mut self, now: Timestamp) {
        self.life = Life::Leaving { until: now + children::LEAVING };
    }

    pub fn suite(&self) -> IkeSuite {
        self.keys.suite
    }

    pub fn path(&self) -> &LivePath {
        &self.path
    }

    pub fn rekey_time(&self) -> Timestamp {
        self.rekey_at
    }

    pub fn verdict(&self) -> Verdict {
        self.liveness.verdict()
    }

    pub fn round_trip(&self) -> Option<Duration> {
        self.liveness.round_trip()
    }

    pub fn last_heard(&self) -> Timestamp {
        self.liveness.last_heard()
    }

    /// Whether the peer is known to have had this IKE SA later than `time`.
    pub fn confirmed_after(&self, time: Timestamp) -> bool {
        let by_handshake = self.role == Role::Initiator && self.established_at >= time;
        by_handshake || self.liveness.last_answer() > time.max(self.established_at)
    }

    /// The configuration has changed in its timers.
    pub fn reconfigure(&mut self, config: Arc<ConnectionConfig>) {
        self.config = config;
    }

    /// An ESP packet of the peer was authentic.
    pub fn on_traffic(&mut self, now: Timestamp) {
        self.liveness.on_heard(now);
    }
}

//! The addresses of an IKE SA change (RFC 4555): the side that initiated it decides, the other follows
//! to where it is told, once it has answered from there.
//!
//! ```text
//!   initiator: an address is gone, or nothing answers and there is another
//!        SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION…)}  ──►  from and to the new ones
//!                          ◄──  SK {N(NAT_DETECTION…)}
//!                          ◄──  SK {N(COOKIE2)}               to the new one alone
//!        SK {N(COOKIE2)}  ──►                                 now the responder has moved, too
//! ```
//!
//! An initiator is believed where the connection takes it from, or where it has said before that it
//! may be as well. Who only forwards its messages from elsewhere is answered UNACCEPTABLE_ADDRESSES.

use super::super::config::{RemoteAddress, Way};
use super::super::context::Context;
use super::super::event::{Event, IkeSaId, Role};
use super::super::failure::DownReason;
use super::super::fault::{self, Fault};
use super::super::liveness::Verdict;
use super::super::mobike;
use super::super::path::{Path, detect, detection_payloads};
use super::super::payloads::{Payloads, notify};
use super::super::state::state_of_fields;
use super::asking::Purpose;
use super::{Effect, Established};
use crate::wire::ike::{ExchangeType, IkeSpi, NotifyType, Payload};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What is known and to be done about addresses.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Mobility {
    /// Whether both sides speak MOBIKE.
    spoken: bool,
    /// Where the peer is as well.
    theirs: Vec<IpAddr>,
    /// On which path the peer has said that it is now.
    announced: Option<Path>,
    /// We have moved, and the peer has yet to hear of it.
    pending: bool,
    /// Our address is gone.
    homeless: bool,
    /// The path that was left although it worked, until the peer agrees to the other.
    left: Option<Path>,
    /// The peer has yet to hear of our other addresses.
    owes_addresses: bool,
    /// As what the peer has last seen us, and under which IKE SA: the hash is over its SPIs, too.
    seen: Option<(IkeSaId, Vec<u8>)>,
}

state_of_fields!(Mobility {
    spoken,
    theirs,
    announced,
    pending,
    homeless,
    left,
    owes_addresses,
    seen
});

impl Mobility {
    /// What IKE_AUTH of the peer says, if we speak it, too.
    pub(in super::super) fn of(ours: bool, payloads: Payloads<'_>) -> Mobility {
        let spoken = ours && mobike::is_spoken_by_sender(payloads);
        let theirs = mobike::named(payloads).filter(|_| spoken).unwrap_or_default();
        Mobility { spoken, theirs, ..Mobility::default() }
    }

    /// Whether both sides speak MOBIKE.
    pub(in super::super) fn is_spoken(&self) -> bool {
        self.spoken
    }

    /// Whether something is to be asked for at once.
    pub(super) fn is_pending(&self) -> bool {
        self.pending && !self.homeless
    }
}

/// The side that initiated.
impl Established {
    /// Whether it is for us to say between which addresses the IKE SA runs.
    pub(crate) fn may_move(&self) -> bool {
        self.mobility.spoken && self.has_begun() && self.is_active()
    }

    /// Whether we have begun it, or that from which it descends.
    pub(crate) fn has_begun(&self) -> bool {
        self.descent.role == Role::Initiator
    }

    /// Our address is gone. There is another, or there will be.
    pub(crate) fn on_address_gone(&mut self, ctx: &mut Context<'_>) {
        self.mobility.homeless = true;
        self.follow_way(ctx);
    }

    /// The way to the peer may lead from another address of ours now: one that works is left alone.
    pub(crate) fn follow_way(&mut self, ctx: &mut Context<'_>) {
        let Path { local, remote } = self.path.path();
        let next = self.config.local;
        let next = self.local_towards(remote.ip()).unwrap_or(next);
        let usable = !next.is_unspecified() && next.is_ipv4() == remote.is_ipv4();
        let needed = self.mobility.homeless || self.verdict() != Verdict::Reachable;
        if self.may_move() && needed && usable && next != local.ip() {
            let local = SocketAddr::new(next, local.port());
            self.relocate(Path { local, remote }, ctx);
            self.pump(ctx);
        }
    }

    /// Where the peer is asked as well while it does not answer (RFC 4555 §3.10).
    pub(super) fn alternatives(&self) -> Vec<Path> {
        let here = self.path.path();
        let asks = self.may_move() && self.verdict() != Verdict::Reachable;
        let configured = match self.config.remote {
            RemoteAddress::At(remote) => Some(remote.ip()),
            RemoteAddress::Any => None,
        };
        let named = self.mobility.theirs.iter().copied().chain(configured);
        let named = named.filter(|ip| self.local_towards(*ip).is_none());
        let named = named.map(|remote| Way { local: here.local.ip(), remote });
        let all: BTreeSet<Way> = named.chain(self.config.ways.iter().copied()).collect();
        let leads = |way: &Way| way.remote.is_ipv4() == way.local.is_ipv4();
        let other = |way: &Way| way.remote != here.remote.ip() && !way.local.is_unspecified();
        let some = all.into_iter().filter(|way| asks && leads(way) && other(way));
        some.map(|way| here.between(way.local, way.remote)).collect()
    }

    /// Our address for one of the peer's, where it has several.
    fn local_towards(&self, remote: IpAddr) -> Option<IpAddr> {
        let way = self.config.ways.iter().find(|way| way.remote == remote);
        way.map(|way| way.local)
    }

    /// An answer has come from another address of the peer, at which it was asked: the IKE SA goes
    /// there.
    pub(super) fn on_answer_from(&mut self, from: Path, ctx: &mut Context<'_>) {
        if self.alternatives().contains(&from) {
            self.relocate(from, ctx);
        }
    }

    /// The IKE SA and its Child SAs run on `path` from now on, what is being asked is asked there, and
    /// the peer is told as soon as the window is free (RFC 4555 §3.5).
    fn relocate(&mut self, path: Path, ctx: &mut Context<'_>) {
        self.mobility.left = None;
        self.path.relocate(path);
        self.relocated(ctx);
        self.exchanges.send_again(&path, ctx);
    }

    /// The IKE SA and its Child SAs run elsewhere, which the peer is told as soon as the window is free.
    pub(super) fn relocated(&mut self, ctx: &mut Context<'_>) {
        let Path { local, remote } = self.path.path();
        tracing::info!(connection = self.connection.0, %local, %remote, "moved");
        self.mobility.homeless = false;
        self.mobility.pending = true;
        self.owe_token(ctx);
        ctx.out.event(self.connection, Event::Moved { local, remote, ours: true });
    }

    /// The peer has answered on the way that was to be taken.
    pub(super) fn left(&mut self, path: Path, ctx: &mut Context<'_>) {
        self.mobility.left.get_or_insert(path);
        self.relocated(ctx);
    }

    /// Tells the peer where it is to send from now on.
    pub(super) fn update_addresses(&mut self, ctx: &mut Context<'_>) {
        self.mobility.pending = false;
        let path = self.path.path();
        let mut payloads = vec![notify(NotifyType::UPDATE_SA_ADDRESSES, [])];
        payloads.extend(self.nat_detection(&path));
        payloads.extend(self.take_addresses(ctx));
        payloads.extend(self.take_token(ctx));
        self.request(ExchangeType::INFORMATIONAL, &payloads, Purpose::UpdateAddresses, ctx);
    }

    /// The peer has answered that. If we have moved since, it will hear of that, too. What was left of our own
    /// accord is gone back to when the peer does not agree: "the initiator MAY … keep on using the previously
    /// used addresses" (RFC 4555 §3.5).
    pub(super) fn addresses_updated(&mut self, answer: Payloads<'_>, ctx: &mut Context<'_>) {
        if self.mobility.pending {
            return;
        }
        let path = self.path.path();
        let left = self.mobility.left.take();
        if answer.notify(NotifyType::UNACCEPTABLE_ADDRESSES).is_some() {
            if let Some(left) = left {
                let way = Way { local: path.local.ip(), remote: path.remote.ip() };
                ctx.out.event(self.connection, Event::WayRefused { way });
                return self.relocate(left, ctx);
            }
            self.effects.push(Effect::Reconnect);
            return self.close(DownReason::AddressRefused(path.local.ip()), ctx);
        }
        if let Some(nat) = detect(answer.0, self.header_spis(), &path) {
            self.path.set_nat(nat);
        }
    }

    /// Behind a NAT: what asks the peer how it sees us. Mappings change without a word (RFC 4555 §3.8).
    pub(super) fn asks_how_seen(&self) -> Vec<Payload> {
        match self.may_move() && self.path.nat().local {
            true => self.nat_detection(&self.path.path()).into(),
            false => Vec::new(),
        }
    }

    /// The peer has answered that: if it sees us elsewhere than before, it is told that we have moved.
    pub(super) fn on_seen_as(&mut self, answer: Payloads<'_>) {
        let seen = answer.notify(NotifyType::NAT_DETECTION_DESTINATION_IP);
        let Some(seen) = seen.filter(|_| self.may_move()) else { return };
        let now = (self.id(), seen.data.clone());
        let before = self.mobility.seen.replace(now.clone());
        self.mobility.pending |=
            before.is_some_and(|before| before.0 == now.0 && before.1 != now.1);
    }

    fn header_spis(&self) -> (IkeSpi, IkeSpi) {
        let id = self.id();
        match self.role() {
            Role::Initiator => (id.local, id.remote),
            Role::Responder => (id.remote, id.local),
        }
    }

    fn nat_detection(&self, path: &Path) -> [Payload; 2] {
        detection_payloads(self.header_spis(), path, self.config.force_encapsulation)
    }
}

/// Addresses beside those in use.
impl Established {
    /// We have other addresses than before.
    pub(crate) fn on_own_addresses(&mut self, ctx: &mut Context<'_>) {
        self.mobility.owes_addresses = self.mobility.spoken && self.config.anywhere;
        self.pump(ctx);
    }

    /// Whether the peer is to be told of our other addresses.
    pub(super) fn owes_addresses(&self) -> bool {
        self.mobility.owes_addresses
    }

    /// What the peer is to be told of our other addresses, if it has not been told yet.
    pub(super) fn take_addresses(&mut self, ctx: &Context<'_>) -> Vec<Payload> {
        match std::mem::take(&mut self.mobility.owes_addresses) {
            true => mobike::replaced(&ctx.settings.addresses, self.local_ip()),
            false => Vec::new(),
        }
    }

    /// The peer has other addresses than before.
    fn on_their_addresses(&mut self, payloads: Payloads<'_>) {
        if let Some(theirs) = mobike::named(payloads) {
            self.mobility.theirs = theirs;
        }
    }
}

/// What the peer says of addresses.
impl Established {
    /// A request that has come on `path` may say something of addresses, or ask: the answer to that.
    pub(super) fn addresses_told(
        &mut self,
        path: Path,
        payloads: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) -> Vec<Payload> {
        if !self.mobility.spoken {
            return Vec::new();
        }
        if mobike::meets_forbidden_nat(payloads, &path) {
            return vec![notify(NotifyType::UNEXPECTED_NAT_DETECTED, [])];
        }
        let updates = payloads.notify(NotifyType::UPDATE_SA_ADDRESSES).is_some();
        let answer = match updates && self.descent.role == Role::Responder {
            true => self.update_requested(path, payloads, ctx),
            false => self.seen_on(&path, payloads),
        };
        // What was said before, from where it was then, decides where the peer may go.
        self.on_their_addresses(payloads);
        answer
    }

    /// How the peer is seen, if it asks (RFC 4555 §3.8).
    fn seen_on(&self, path: &Path, payloads: Payloads<'_>) -> Vec<Payload> {
        match payloads.notify(NotifyType::NAT_DETECTION_DESTINATION_IP) {
            Some(_) => self.nat_detection(path).into(),
            None => Vec::new(),
        }
    }

    /// The peer says where it is: what it is answered. It is followed when it has answered from there,
    /// too, which nobody can say for it.
    fn update_requested(
        &mut self,
        path: Path,
        payloads: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) -> Vec<Payload> {
        if !self.is_acceptable(path.remote.ip()) {
            return vec![notify(NotifyType::UNACCEPTABLE_ADDRESSES, [])];
        }
        if fault::is_on(Fault::FollowsAtOnce) {
            self.path.relocate(path);
        }
        self.mobility.announced = Some(path);
        let until = ctx.now + self.check_time();
        if self.path.on_announced(path, until) {
            // What was asked on the way that is left may never be answered there.
            self.exchanges.send_again(&path, ctx);
        }
        let Some(nat) = detect(payloads.0, self.header_spis(), &path) else { return Vec::new() };
        self.path.set_nat(nat);
        self.nat_detection(&path).into()
    }

    /// Whether the peer may be there: where it is configured to be, or where it has said before, from
    /// an address that it had, that it may be.
    pub(crate) fn is_acceptable(&self, ip: IpAddr) -> bool {
        let now = self.path.path().remote.ip();
        self.config.admits(ip) || ip == now || self.mobility.theirs.contains(&ip)
    }

    /// Whether the peer has said that it is there.
    pub(super) fn is_announced(&self, path: Path) -> bool {
        self.mobility.announced == Some(path)
    }

    /// Whether the peer copies COOKIE2, as all do that speak MOBIKE (RFC 4555 §3.7).
    pub(super) fn copies_cookies(&self) -> bool {
        self.mobility.spoken
    }
}

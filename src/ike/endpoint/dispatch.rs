//! From a datagram to the IKE SA that it is for (RFC 7296 §2.6, §2.21.4, §2.5).

use super::super::config::ConnectionId;
use super::super::context::NON_ESP_MARKER;
use super::super::cookie::Bearer;
use super::super::event::{Event, IkeSaId};
use super::super::failure::FailureReason;
use super::super::half_open::Place;
use super::super::job::Client;
use super::super::limits::Source;
use super::super::path::Path;
use super::super::payloads::{Payloads, notify};
use super::super::responder::{Answering, InitRefusal, Working, stateless_answer};
use super::super::stats::Discard;
use super::Endpoint;
use super::sas::IkeSa;
use crate::moment::Moment;
use crate::time::Timestamp;
use crate::wire::ike::{
    ExchangeType, Flags, Header, IkeSpi, Message, MessageId, NotifyType, Version,
};
use std::net::SocketAddr;
use std::time::Duration;

/// How long nothing more is told of strangers at a peer's address, who may say anything.
const REPEATED_SUSPICION: Duration = Duration::from_secs(1);
/// A NAT keepalive (RFC 3948 §2.3).
const KEEPALIVE: [u8; 1] = [0xff];

impl Endpoint {
    /// One datagram as it came from the wire: on the NAT traversal port with the non-ESP marker.
    pub fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        datagram: &[u8],
        at: &mut Moment<'_>,
    ) {
        self.core.out.stats.received += 1;
        self.handle_payload(datagram, Path { local, remote }, at);
        self.rearm();
    }

    /// The payload of a UDP datagram.
    fn handle_payload(&mut self, datagram: &[u8], path: Path, at: &mut Moment<'_>) {
        let message = if path.is_marked(self.core.settings.natt_port) {
            datagram.strip_prefix(&NON_ESP_MARKER)
        } else {
            Some(datagram)
        };
        match message {
            None if datagram == KEEPALIVE => {}
            None => self.core.out.count(Discard::NoMarker),
            Some(message) => self.handle_message(message, path, at),
        }
    }

    fn handle_message(&mut self, datagram: &[u8], path: Path, at: &mut Moment<'_>) {
        let Ok(header) = Header::decode(datagram) else {
            return self.core.out.count(Discard::Malformed);
        };
        if header.version.major != 2 {
            return self.refuse_version(&header, path, at.now);
        }
        if self.hear_sounding(&header, &path) || self.hear_way(&header, &path) {
            return;
        }
        if header.length as usize != datagram.len() || header.initiator_spi.is_zero() {
            return self.core.out.count(Discard::Malformed);
        }
        let begins = header.exchange_type == ExchangeType::IKE_SA_INIT
            && header.flags.initiator
            && !header.flags.response
            && header.message_id == MessageId(0)
            && header.responder_spi.is_zero();
        if begins {
            return self.handle_init(datagram, path, at);
        }
        let ours = if header.flags.initiator { header.responder_spi } else { header.initiator_spi };
        match self.sas.take(ours) {
            Some(sa) => self.dispatch(sa, ours, &header, datagram, path, at),
            None => self.refuse_spi(&header, path, at.now),
        }
    }

    /// "MUST drop the message and SHOULD send an unauthenticated Notify message of type
    /// INVALID_MAJOR_VERSION" (RFC 7296 §2.5).
    fn refuse_version(&mut self, header: &Header, path: Path, now: Timestamp) {
        let refused = header.version.major > 2 && !header.flags.response;
        let refusal = notify(NotifyType::INVALID_MAJOR_VERSION, []);
        let answer = refused.then(|| stateless_answer(header, refusal));
        let peer = answer.as_ref().and_then(|_| self.measured_by(header, &path));
        match (answer, peer) {
            (Some(answer), Some(peer)) if self.core.accounts.answers_way(peer, now) => {
                self.core.out.send(&path, &answer);
            }
            (Some(_), Some(_)) => self.core.out.count(Discard::ReplyLimit),
            (Some(answer), None) => {
                self.core.out.count(Discard::Version);
                self.reply(path, answer, now);
            }
            (None, _) => self.core.out.count(Discard::Version),
        }
    }

    /// The connection whose peer measures its ways to us (`ike::ways`): the message bears both SPIs of an
    /// IKE SA, and comes from where that peer may be.
    fn measured_by(&self, header: &Header, path: &Path) -> Option<ConnectionId> {
        let id = IkeSaId::of_receiver(header);
        let sa = self.sas.established(id.local).filter(|sa| sa.id() == id)?;
        sa.is_acceptable(path.remote.ip()).then_some(sa.connection)
    }

    /// A request for an IKE SA that is not there: perhaps we have restarted (RFC 7296 §2.21.4). With
    /// our token the peer knows that it need not wait for us (RFC 6290 §4.5).
    fn refuse_spi(&mut self, header: &Header, path: Path, now: Timestamp) {
        self.core.out.count(Discard::UnknownSpi);
        let established = [
            ExchangeType::INFORMATIONAL,
            ExchangeType::CREATE_CHILD_SA,
            ExchangeType::IKE_FOLLOWUP_KE,
            ExchangeType::IKE_AUTH,
        ];
        if header.flags.response || !established.contains(&header.exchange_type) {
            return;
        }
        let id = IkeSaId::of_receiver(header);
        let flags = Flags { initiator: !header.flags.initiator, response: true, version: false };
        let header = Header { flags, version: Version::IKEV2, ..*header };
        let mut payloads = vec![notify(NotifyType::INVALID_IKE_SPI, [])];
        payloads.extend(self.core.settings.crash_token(id, path.local.ip()));
        self.reply(path, Message { header, payloads }.encode(), now);
    }

    /// An answer without protection, if there have not been too many.
    fn reply(&mut self, path: Path, message: Vec<u8>, now: Timestamp) {
        if self.replies.allows(self.core.settings.unprotected_replies_per_second, now) {
            self.core.out.send(&path, &message);
        } else {
            self.core.out.count(Discard::ReplyLimit);
        }
    }

    /// Somebody wants a new IKE SA.
    fn handle_init(&mut self, datagram: &[u8], path: Path, at: &mut Moment<'_>) {
        let Ok(message) = Message::decode(datagram) else {
            return self.core.out.count(Discard::Malformed);
        };
        if let Some(unknown) = Payloads(&message.payloads).unknown_critical() {
            self.core.out.count(Discard::CriticalPayload);
            let refusal = notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, [unknown.0]);
            return self.reply(path, stateless_answer(&message.header, refusal), at.now);
        }
        if let Some(spi) = self.half_open.find(path.remote, message.header.initiator_spi) {
            let mut ctx = self.core.context(at);
            return match self.sas.get(spi) {
                Some(IkeSa::HalfOpen(known)) => known.answer_again(datagram, &mut ctx),
                Some(IkeSa::Responding(known)) => known.answer_again(datagram, &mut ctx),
                Some(_) | None => {}
            };
        }
        match self.admit(&message, datagram, path, at) {
            Ok((working, place)) => {
                self.make_room(place);
                let (origin, id) = working.origin();
                self.half_open.insert(origin, id);
                self.sas.put(id.local, IkeSa::Responding(working));
            }
            Err(refusal) => self.refuse_init(&message.header, refusal, path, at.now),
        }
    }

    fn admit(
        &mut self,
        message: &Message,
        datagram: &[u8],
        path: Path,
        at: &mut Moment<'_>,
    ) -> Result<(Box<Working>, Place), InitRefusal> {
        let Some(acceptable) = self.connections.acceptable(path) else {
            let answer = notify(NotifyType::NO_PROPOSAL_CHOSEN, []);
            return Err(InitRefusal::answered(Discard::UnknownPeer, answer));
        };
        let (address, source) = (path.remote.ip(), Source::of(path.remote.ip()));
        if !self.suspects.may_try(source, at.now) {
            return Err(InitRefusal::silent(Discard::FailedBefore));
        }
        self.demand_cookie(message, path)?;
        let expected = self.connections.expects(path);
        let limits = &self.core.settings.half_open;
        let place = self.half_open.place(address, expected, limits);
        let place = place.map_err(InitRefusal::silent)?;
        if !expected && self.core.jobs.is_full() {
            return Err(InitRefusal::silent(Discard::Busy));
        }
        let client = if expected { Client::Expected(source) } else { Client::Stranger(source) };
        let mut ctx = self.core.context(at);
        let working = Answering::begin(message, datagram, path, client, &acceptable, &mut ctx)?;
        Ok((working, place))
    }

    /// Ends the half-open IKE SA that gives way, if one does.
    fn make_room(&mut self, place: Place) {
        let Place::InsteadOf(spi) = place else { return };
        let origin = match self.sas.take(spi) {
            Some(IkeSa::HalfOpen(state)) => state.origin(),
            Some(IkeSa::Responding(state)) => state.origin(),
            _ => return,
        };
        self.core.out.count(Discard::HalfOpenDisplaced);
        self.half_open.remove(origin.0, origin.1);
    }

    /// Under load, an initiator must show that it gets what we send to its address.
    fn demand_cookie(&self, message: &Message, path: Path) -> Result<(), InitRefusal> {
        let limits = &self.core.settings.half_open;
        let unanswered = self.core.jobs.unanswered();
        // The connection has shown it already (RFC 9329 §6.3).
        if path.is_streamed() {
            return Ok(());
        }
        if !self.half_open.wants_cookie(path.remote.ip(), unanswered, limits) {
            return Ok(());
        }
        let payloads = Payloads(&message.payloads);
        let Some(nonce) = payloads.nonce() else {
            return Err(InitRefusal::silent(Discard::MissingPayload));
        };
        let spi = message.header.initiator_spi;
        let bearer = Bearer { nonce, address: path.remote.ip(), spi };
        let count = match payloads.notify(NotifyType::COOKIE) {
            Some(cookie) if self.cookies.accepts(&cookie.data, bearer) => return Ok(()),
            Some(_) => Discard::CookieWrong,
            None => Discard::CookieMissing,
        };
        let cookie = notify(NotifyType::COOKIE, self.cookies.make(bearer));
        Err(InitRefusal::answered(count, cookie))
    }

    fn refuse_init(&mut self, header: &Header, refusal: InitRefusal, path: Path, now: Timestamp) {
        let InitRefusal { count, answer, reason } = refusal;
        self.core.out.count(count);
        let Some(answer) = answer else { return };
        let message = stateless_answer(header, *answer);
        // A cookie or a group is what an honest initiator needs to go on.
        if matches!(count, Discard::CookieMissing | Discard::CookieWrong | Discard::OtherGroup) {
            return self.core.out.send(&path, &message);
        }
        if !self.replies.allows(self.core.settings.unprotected_replies_per_second, now) {
            return self.core.out.count(Discard::ReplyLimit);
        }
        self.core.out.send(&path, &message);
        if let Some(reason) = reason {
            // Of strangers the counters tell.
            let _ = self.tell_peers_at(path, &reason, now);
        }
    }

    /// Tells the connections that are configured with this very address that somebody there was
    /// refused. It may have been anybody, so what is known of the peer stays as it is.
    /// Says whether there are any.
    pub(super) fn tell_peers_at(
        &mut self,
        path: Path,
        reason: &FailureReason,
        now: Timestamp,
    ) -> bool {
        let ids = self.connections.at_address(path);
        for &id in &ids {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            let last = connection.suspicion.as_ref();
            if last.is_some_and(|(at, _)| now - *at < REPEATED_SUSPICION) {
                continue;
            }
            connection.suspicion = Some((now, reason.clone()));
            self.core.out.event(id, Event::Suspected { reason: reason.clone() });
        }
        !ids.is_empty()
    }

    fn dispatch(
        &mut self,
        sa: IkeSa,
        spi: IkeSpi,
        header: &Header,
        datagram: &[u8],
        path: Path,
        at: &mut Moment<'_>,
    ) {
        let mut ctx = self.core.context(at);
        match sa {
            IkeSa::Initiating(state) => {
                state.handle(&mut ctx);
                self.sas.put(spi, IkeSa::Initiating(state));
            }
            IkeSa::AwaitInit(state) => {
                let connection = state.attempt.connection;
                let step = state.handle(datagram, path, &mut ctx);
                self.after_initiator(spi, connection, step, at);
            }
            IkeSa::AwaitIntermediate(state) => {
                let connection = state.keyed.connection;
                let step = state.handle(header, datagram, &mut ctx);
                self.after_initiator(spi, connection, step, at);
            }
            IkeSa::AwaitAuth(state) => {
                let connection = state.keyed.connection;
                let step = state.handle(header, datagram, path, &mut ctx);
                self.after_initiator(spi, connection, step, at);
            }
            IkeSa::Responding(state) => {
                state.handle(datagram, &mut ctx);
                self.sas.put(spi, IkeSa::Responding(state));
            }
            IkeSa::HalfOpen(state) => {
                let origin = state.origin();
                let step = state.handle(header, datagram, path, &self.connections, &mut ctx);
                self.after_responder(origin, step, at);
            }
            IkeSa::Established(mut sa) => {
                let connection = sa.connection;
                sa.handle(header, datagram, path, &mut ctx);
                self.keep(sa, at);
                self.settle(connection, at);
            }
            IkeSa::Over(answer, at) => {
                match answer.to(datagram) {
                    Some(response) => ctx.out.send_sealed(&at, response),
                    None => ctx.out.count(Discard::UnknownSpi),
                }
                self.sas.put(spi, IkeSa::Over(answer, at));
            }
        }
    }
}

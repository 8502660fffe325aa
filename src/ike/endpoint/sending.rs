//! What becomes of datagrams on their way out: which size fits, and whose was not sent.

use super::super::config::ConnectionId;
use super::super::context::NON_ESP_MARKER;
use super::super::event::Event;
use super::super::path::Path;
use super::super::sa::Established;
use super::super::sounding::Finding;
use super::sas::IkeSa;
use super::{Endpoint, Timer};
use crate::crypto::secret::Secret;
use crate::moment::Moment;
use crate::net::{Encapsulation, is_streamed, streamed};
use crate::wire::ike::Header;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

impl Endpoint {
    /// Sees whether an IP packet of `size` octets reaches the peer in one piece;
    /// [`Event::Measured`] or [`Event::Unmeasured`] tells. Without effect when there is no IKE SA.
    pub fn measure(&mut self, id: ConnectionId, size: u16, at: &mut Moment<'_>) {
        let Some(sa) = self.newest(id) else { return };
        let (spi, path, patience) = (sa.id().local, sa.path(), sa.patience().first);
        if sa.takes_probes() {
            self.with_established(spi, at, |sa, ctx| sa.measure(size, ctx));
            return self.rearm();
        }
        self.soundings.begin(id, path, size, patience, &mut self.core.context(at));
        self.arm_sounding(id);
    }

    /// A response that may be the answer to a sounding; says whether it bears the SPI of one.
    pub(super) fn hear_sounding(&mut self, header: &Header, path: &Path) -> bool {
        let spi = header.initiator_spi;
        if !header.flags.response || self.soundings.asked_by(spi).is_none() {
            return false;
        }
        if let Some((id, finding)) = self.soundings.on_response(spi, path) {
            self.tell_sounding(id, finding);
        }
        true
    }

    /// The time of a sounding may have come.
    pub(super) fn time_out_sounding(&mut self, id: ConnectionId, at: &mut Moment<'_>) {
        if self.newest(id).is_none() {
            self.soundings.forget(id);
        }
        match self.soundings.handle_timeout(id, &mut self.core.context(at)) {
            Some(finding) => self.tell_sounding(id, finding),
            None => self.arm_sounding(id),
        }
    }

    fn tell_sounding(&mut self, id: ConnectionId, finding: Finding) {
        let event = match finding {
            Finding::Arrived(size) => Event::Measured { size, arrived: true },
            Finding::Lost(size) => Event::Measured { size, arrived: false },
            Finding::Unanswered => Event::Unmeasured,
        };
        self.core.out.event(id, event);
        self.arm_sounding(id);
    }

    pub(super) fn arm_sounding(&mut self, id: ConnectionId) {
        self.timers.arm(Timer::Sounding(id), self.soundings.timeout(id));
    }

    /// Whether the way to the peer of a connection is measured by requests, which it answers;
    /// `None` without an IKE SA.
    pub fn takes_probes(&self, id: ConnectionId) -> Option<bool> {
        self.newest(id).map(Established::takes_probes)
    }

    /// Whether the peer of some connection that may go in TCP is configured to listen there.
    pub fn listens_in_tcp(&self, local: IpAddr, remote: SocketAddr) -> bool {
        let at_address = self.connections.at_address(Path { local: streamed(local), remote });
        at_address.into_iter().filter_map(|id| self.connections.get(id)).any(|connection| {
            let config = &connection.config;
            config.tcp_port == remote.port() && config.encapsulation != Encapsulation::Udp
        })
    }

    pub(super) fn newest(&self, id: ConnectionId) -> Option<&Established> {
        self.sas.active_of(id).max_by_key(|sa| sa.established_at())
    }

    /// Whether IKE SAs made from now on take messages in fragments.
    pub fn set_fragmentation(&mut self, takes: bool) {
        self.core.settings.fragmentation = takes;
    }

    /// Whether to believe and to show tokens of lost IKE SAs (RFC 6290).
    pub fn set_crash_detection(&mut self, detects: bool) {
        self.core.settings.crash_detection = detects;
    }

    /// We can be found at these addresses; peers of IKE SAs whose addresses may change are told.
    pub fn set_addresses(&mut self, addresses: BTreeSet<IpAddr>, at: &mut Moment<'_>) {
        if self.core.settings.addresses == addresses {
            return;
        }
        self.core.settings.addresses = addresses;
        let all: Vec<_> = self.sas.all_established().map(|sa| sa.id().local).collect();
        for spi in all {
            self.with_established(spi, at, |sa, ctx| sa.on_own_addresses(ctx));
        }
        self.rearm();
    }

    /// What our tokens are made of from now on; see [`EndpointConfig`](super::super::EndpointConfig).
    pub fn set_crash_secret(&mut self, secret: Secret) {
        self.core.settings.crash_secret = Some(secret);
    }

    /// The path of a connection carries datagrams of so many octets in one piece: messages are
    /// cut accordingly. `None` when that is not known.
    pub fn on_path_mtu(&mut self, id: ConnectionId, mtu: Option<u16>) {
        for spi in self.sas.active_spis(id) {
            if let Some(sa) = self.sas.established_mut(spi) {
                sa.on_path_mtu(mtu);
            }
        }
    }

    /// The connection whose message a datagram of ours is, as [`Endpoint::poll_transmit`] gave it
    /// out; `None` when it belongs to none: an answer to a stranger, or an IKE SA that is gone.
    pub fn sender_of(&self, local: SocketAddr, datagram: &[u8]) -> Option<ConnectionId> {
        let marked = is_streamed(local) || local.port() == self.core.settings.natt_port;
        let message = match marked {
            true => datagram.strip_prefix(&NON_ESP_MARKER)?,
            false => datagram,
        };
        let header = Header::decode(message).ok()?;
        let ours = if header.flags.initiator { header.initiator_spi } else { header.responder_spi };
        if let Some(connection) = self.soundings.asked_by(ours) {
            return Some(connection);
        }
        // A question on a way that may lead nowhere.
        if header.version.major != 2 {
            return None;
        }
        match self.sas.get(ours)? {
            IkeSa::Initiating(state) => Some(state.connection()),
            IkeSa::AwaitInit(state) => Some(state.attempt.connection),
            IkeSa::AwaitIntermediate(state) => Some(state.keyed.connection),
            IkeSa::AwaitAuth(state) => Some(state.keyed.connection),
            IkeSa::Established(sa) => Some(sa.connection),
            IkeSa::Responding(_) | IkeSa::HalfOpen(_) | IkeSa::Over(..) => None,
        }
    }
}

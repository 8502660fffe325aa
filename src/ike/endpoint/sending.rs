//! What becomes of datagrams on their way out: which size fits, and whose was not sent.

use super::super::config::ConnectionId;
use super::super::context::NON_ESP_MARKER;
use super::super::sa::Established;
use super::Endpoint;
use super::sas::IkeSa;
use crate::moment::Moment;
use crate::wire::ike::Header;
use std::net::SocketAddr;

impl Endpoint {
    /// Sees whether an IP packet of `size` octets reaches the peer in one piece;
    /// [`Event::Measured`](super::super::event::Event::Measured) tells. Without effect when there
    /// is no IKE SA, or none on the port of ESP.
    pub fn measure(&mut self, id: ConnectionId, size: u16, at: &mut Moment<'_>) {
        if let Some(spi) = self.newest(id).map(|sa| sa.id().local) {
            self.with_established(spi, at, |sa, ctx| sa.measure(size, ctx));
        }
        self.rearm();
    }

    /// Whether the peer of a connection takes what [`Endpoint::measure`] sends.
    pub fn takes_probes(&self, id: ConnectionId) -> bool {
        self.newest(id).is_some_and(Established::takes_probes)
    }

    fn newest(&self, id: ConnectionId) -> Option<&Established> {
        self.sas.active_of(id).max_by_key(|sa| sa.established_at())
    }

    /// Whether IKE SAs made from now on take messages in fragments.
    pub fn set_fragmentation(&mut self, takes: bool) {
        self.core.settings.fragmentation = takes;
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
        let message = match local.port() == self.core.settings.natt_port {
            true => datagram.strip_prefix(&NON_ESP_MARKER)?,
            false => datagram,
        };
        let header = Header::decode(message).ok()?;
        let ours = if header.flags.initiator { header.initiator_spi } else { header.responder_spi };
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

//! Datagrams under way: whose they are, which message they are, and what is in them.

use super::node::Node;
use super::state::fingerprint;
use crate::ike::tests::net::{EAST, WEST};
use crate::wire::ike::{Header, IkeSpi, Message, NotifyType, Payload, ProtocolId};
use std::net::{IpAddr, SocketAddr};

/// A datagram.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// Which message of which IKE SA a datagram is: the SPIs, whether the original initiator sends it,
/// whether it is a response, its message ID and which fragment it is.
pub(super) type Sent = ((IkeSpi, IkeSpi), (bool, bool), u32, (u16, u16));

impl Datagram {
    /// Which end it is for.
    pub(super) fn end(&self, west: &[IpAddr]) -> usize {
        if west.contains(&self.to.ip()) { WEST } else { EAST }
    }

    /// 128 bits that tell it from any other.
    pub(super) fn fingerprint(&self) -> u128 {
        let Datagram { from, to, bytes } = self;
        fingerprint(&[format!("{from}{to}").as_bytes(), bytes])
    }

    pub(super) fn message(&self) -> &[u8] {
        self.bytes.strip_prefix(&[0; 4]).filter(|_| self.to.port() == 4500).unwrap_or(&self.bytes)
    }

    /// Which message it is, and a digest of its octets; `None` when it has no protection.
    pub(super) fn sent(&self) -> Option<(Sent, u64)> {
        let message = Message::decode(self.message()).ok()?;
        let fragment = match message.payloads.last()? {
            Payload::Encrypted(_) => (1, 1),
            Payload::EncryptedFragment(part) => (part.fragment_number, part.total_fragments),
            _ => return None,
        };
        let Header { initiator_spi, responder_spi, flags, message_id, .. } = message.header;
        let sides = (flags.initiator, flags.response);
        let sent = ((initiator_spi, responder_spi), sides, message_id.0, fragment);
        Some((sent, fingerprint(&[self.message()]) as u64))
    }

    /// Whether it shows a token without protection (RFC 6290 §4.5).
    pub(super) fn shows_token(&self) -> bool {
        let token = |payload: &Payload| matches!(payload, Payload::Notify(said) if said.notify_type == NotifyType::QUICK_CRASH_DETECTION);
        Message::decode(self.message()).is_ok_and(|message| message.payloads.iter().any(token))
    }

    /// The same with the roles exchanged, if it shows a token.
    pub(super) fn turned(&self) -> Option<Datagram> {
        let mut message = Message::decode(self.message()).ok().filter(|_| self.shows_token())?;
        message.header.flags.initiator = !message.header.flags.initiator;
        let marker = &self.bytes[..self.bytes.len() - self.message().len()];
        Some(Datagram { bytes: [marker, &message.encode()].concat(), ..self.clone() })
    }

    /// Of which message it is a fragment, and which one of how many.
    pub(super) fn fragment(&self) -> Option<(Sent, (u16, u16))> {
        let ((spis, sides, id, part), _) = self.sent()?;
        (part.1 > 1).then_some(((spis, sides, id, (0, 0)), part))
    }

    /// What it says, as its receiver can read it.
    pub(super) fn describe(&self, receiver: &Node) -> String {
        let Ok(message) = Message::decode(self.message()) else { return "no message".to_owned() };
        let Header { flags, message_id, exchange_type, initiator_spi, .. } = message.header;
        let kind = if flags.response { "answer" } else { "request" };
        let spi = initiator_spi.0[0];
        let opened = receiver.endpoint().read_message(self.message());
        let payloads = opened.as_deref().unwrap_or(&message.payloads);
        let said: Vec<String> = payloads.iter().map(name).collect();
        let said = said.join(", ");
        format!("{spi:02x} {exchange_type} {kind} {message_id} {{{said}}}")
    }
}

/// A payload in a few letters.
fn name(payload: &Payload) -> String {
    let protocol = |protocol: ProtocolId| if protocol == ProtocolId::IKE { "IKE" } else { "ESP" };
    match payload {
        Payload::SecurityAssociation(sa) => {
            let first = sa.proposals.first().map(|first| protocol(first.protocol));
            format!("SA({})", first.unwrap_or("none"))
        }
        Payload::Notify(notify) => format!("N({})", notify.notify_type),
        Payload::Delete(delete) => {
            format!("D({} {})", protocol(delete.protocol), delete.spis.len())
        }
        Payload::KeyExchange(_) => "KE".to_owned(),
        Payload::Nonce(_) => "N".to_owned(),
        Payload::Encrypted(_) => "SK".to_owned(),
        Payload::EncryptedFragment(part) => {
            format!("SKF {}/{}", part.fragment_number, part.total_fragments)
        }
        Payload::TrafficSelectorsInitiator(_) => "TSi".to_owned(),
        Payload::TrafficSelectorsResponder(_) => "TSr".to_owned(),
        _ => "…".to_owned(),
    }
}

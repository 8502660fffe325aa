//! Opening packets (RFC 4303 §3.4).

use super::aggfrag::Aggregate;
use super::associated::AssociatedData;
use super::layout::{
    ESP_HEADER_LEN, Layout, NEXT_HEADER_DUMMY, NEXT_HEADER_IPV4, NEXT_HEADER_IPV6, TRAILER_LEN,
};
use super::usage::Counter;
use super::window::WindowState;
use super::{Discard, ReplayWindow, SaConfig, Usage};
use crate::crypto::cipher::{KeyError, OpeningKey};
use crate::crypto::secret::Secret;
use crate::net::EspSpi;
use crate::wire::aggfrag::AGGFRAG_PAYLOAD;
use crate::wire::ip::InnerPacket;

/// An inbound SA, shared by reference between workers.
#[derive(Debug)]
pub struct InboundSa {
    config: SaConfig,
    layout: Layout,
    key: OpeningKey,
    window: ReplayWindow,
    packets: Counter,
    bytes: Counter,
    replayed: Counter,
    late: Counter,
    not_authentic: Counter,
}

/// All that an inbound SA knows, to go on with elsewhere.
#[derive(Debug)]
pub struct InboundState {
    pub(super) config: SaConfig,
    /// Bytes, packets, replayed, late, not authentic.
    pub(super) counts: [u64; InboundState::COUNTS],
    pub(super) window: WindowState,
}

impl InboundState {
    pub(super) const COUNTS: usize = 5;
}

/// A packet that was authenticated, was not received before, and holds an IP packet.
#[derive(Debug)]
#[expect(clippy::manual_non_exhaustive, reason = "other modules of this crate may not make one")]
pub struct Opened<'a> {
    /// The packet's sequence number; 64 bits of it with ESN.
    pub sequence: u64,
    /// 4 for an inner IPv4 packet, 41 for IPv6; the version in `inner` is the same.
    pub next_header: u8,
    /// What the inner packet's headers say.
    pub packet: InnerPacket,
    /// The inner packet, cut to the length that its IP header names.
    pub inner: &'a mut [u8],
    _proof: (),
}

/// What an authentic packet that was not received before holds.
#[derive(Debug)]
pub enum Content<'a> {
    /// An IP packet.
    Packet(Opened<'a>),
    /// Nothing for anybody (RFC 4303 §2.6), or a word from gateway to gateway.
    Dummy(&'a [u8]),
    /// Packets and pieces of packets (RFC 9347).
    Aggregate(Aggregate<'a>),
}

/// The proof that a packet with this sequence number passed the integrity check. Only opening
/// one makes it, and only it moves a replay window.
#[derive(Debug)]
pub struct Authentic {
    sequence: u64,
}

impl Authentic {
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What opening a packet would give, for tests of the window alone.
    #[cfg(test)]
    pub(super) fn for_test(sequence: u64) -> Authentic {
        Authentic { sequence }
    }
}

impl InboundSa {
    /// An SA that has received nothing yet.
    ///
    /// # Errors
    ///
    /// When the key material does not have the length that the suite takes.
    pub fn new(config: SaConfig) -> Result<InboundSa, KeyError> {
        let window = WindowState::empty(config.replay_window);
        InboundSa::import(InboundState { config, counts: [0; InboundState::COUNTS], window })
    }

    /// The SA that [`export`](InboundSa::export) ended: it opens what that one would have opened
    /// from then on, and refuses what that one has opened.
    ///
    /// # Errors
    ///
    /// When the key material does not have the length that the suite takes.
    pub fn import(state: InboundState) -> Result<InboundSa, KeyError> {
        let InboundState { config, counts, window } = state;
        let layout = Layout::of(config.suite.cipher);
        let key = OpeningKey::new(config.suite.cipher, config.keymat.as_bytes())?;
        let [bytes, packets, replayed, late, not_authentic] = counts.map(Counter::new);
        let window = ReplayWindow::import(config.replay_window, &window);
        Ok(InboundSa { config, layout, key, window, packets, bytes, replayed, late, not_authentic })
    }

    /// Ends the SA: no later packet opens here (each counts as late), so that whoever imports the
    /// state is the only one that accepts.
    pub fn export(&self) -> InboundState {
        let window = self.window.export();
        let counters =
            [&self.bytes, &self.packets, &self.replayed, &self.late, &self.not_authentic];
        let counts = counters.map(Counter::read);
        InboundState { config: self.config.clone(), counts, window }
    }

    /// The SPI that we gave the SA.
    pub fn spi(&self) -> EspSpi {
        self.config.spi
    }

    /// Its key material, for whoever reads a capture. Never log it.
    pub fn keymat(&self) -> &Secret {
        &self.config.keymat
    }

    /// How long packets of the SA are.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// As [`open_any`](InboundSa::open_any), for who has no use for dummy packets and aggregates.
    ///
    /// # Errors
    ///
    /// As there, [`Discard::Dummy`] for a dummy packet, and [`Discard::NotTunnelMode`] for an aggregate.
    #[inline]
    pub fn open<'a>(&self, packet: &'a mut [u8]) -> Result<Opened<'a>, Discard> {
        match self.open_any(packet)? {
            Content::Packet(opened) => Ok(opened),
            Content::Dummy(_) => Err(Discard::Dummy),
            Content::Aggregate(_) => Err(Discard::NotTunnelMode),
        }
    }

    /// Opens an ESP packet where it lies, from the SPI to the end of the ICV.
    ///
    /// The order is that of RFC 4303 §3.4.3: replay check, integrity check, and only then the
    /// window moves. After an error the content of `packet` is unspecified.
    ///
    /// # Errors
    ///
    /// Why the packet is discarded; it is counted by that reason.
    #[inline]
    pub fn open_any<'a>(&self, packet: &'a mut [u8]) -> Result<Content<'a>, Discard> {
        let opened = self.open_uncounted(packet);
        if let Err(reason) = &opened {
            self.count(*reason);
        }
        opened
    }

    fn open_uncounted<'a>(&self, packet: &'a mut [u8]) -> Result<Content<'a>, Discard> {
        let (authentic, body) = self.decrypt(packet)?;
        self.window.accept(&authentic)?;
        self.packets.add(1);
        let (payload, next_header) = split_trailer(body)?;
        self.bytes.add(payload.len() as u64);
        let sequence = authentic.sequence;
        match next_header {
            NEXT_HEADER_DUMMY => return Ok(Content::Dummy(payload)),
            AGGFRAG_PAYLOAD => return Ok(Content::Aggregate(Aggregate { sequence, payload })),
            _ => {}
        }
        let packet = parse_inner(payload, next_header)?;
        let inner = payload.get_mut(..packet.total_len).ok_or(Discard::MalformedInner)?;
        Ok(Content::Packet(Opened { sequence, next_header, packet, inner, _proof: () }))
    }

    /// The decrypted body, padding and trailer included, of an authentic packet.
    #[inline]
    fn decrypt<'a>(&self, packet: &'a mut [u8]) -> Result<(Authentic, &'a mut [u8]), Discard> {
        if !self.layout.admits(packet.len()) {
            return Err(Discard::MalformedEsp);
        }
        let (header, rest) =
            packet.split_first_chunk_mut::<ESP_HEADER_LEN>().ok_or(Discard::MalformedEsp)?;
        let (spi, sequence) = read_header(header);
        if spi != self.config.spi {
            return Err(Discard::UnknownSpi);
        }
        if self.config.hard.reached_by(self.bytes.read(), self.packets.read()) {
            return Err(Discard::HardLifetime);
        }
        let sequence = match self.config.suite.esn {
            true => self.window.extend(sequence).ok_or(Discard::Late)?,
            false => u64::from(sequence),
        };
        self.window.check(sequence)?;
        let associated = AssociatedData::new(&self.config, sequence);
        let (iv, body) = rest.split_at_mut(self.layout.iv_len);
        let body = self.key.open(associated.parts(), iv, body);
        Ok((Authentic { sequence }, body.map_err(|_| Discard::NotAuthentic)?))
    }

    fn count(&self, reason: Discard) {
        match reason {
            Discard::Replayed => self.replayed.add(1),
            Discard::Late => self.late.add(1),
            Discard::NotAuthentic => self.not_authentic.add(1),
            _ => {} // counted by the caller only
        }
    }

    /// Authenticated packets and their bytes so far.
    pub fn usage(&self) -> Usage {
        let (bytes, packets) = (self.bytes.read(), self.packets.read());
        Usage {
            bytes,
            packets,
            soft_exceeded: self.config.soft.reached_by(bytes, packets),
            hard_exceeded: self.config.hard.reached_by(bytes, packets),
        }
    }

    /// Authenticated packets so far: grows with every sign of life of the peer.
    pub fn opened_packets(&self) -> u64 {
        self.packets.read()
    }

    /// Packets received before.
    pub fn replayed(&self) -> u64 {
        self.replayed.read()
    }

    /// Packets that came when the window had left them behind.
    pub fn late(&self) -> u64 {
        self.late.read()
    }

    /// Packets whose integrity check failed.
    pub fn not_authentic(&self) -> u64 {
        self.not_authentic.read()
    }

    /// Sequence numbers up to the highest that have not arrived: lost, late, or still on the way.
    /// Of an SA that was exported nothing is known.
    pub fn lost(&self) -> u64 {
        match self.window.is_exported() {
            true => 0,
            false => self.window.highest().saturating_sub(self.packets.read()),
        }
    }

    /// The replay window, to look at.
    pub fn window(&self) -> &ReplayWindow {
        &self.window
    }
}

#[inline]
fn read_header(header: &[u8; ESP_HEADER_LEN]) -> (EspSpi, u32) {
    let [s0, s1, s2, s3, q0, q1, q2, q3] = *header;
    (EspSpi(u32::from_be_bytes([s0, s1, s2, s3])), u32::from_be_bytes([q0, q1, q2, q3]))
}

/// The body without its padding and trailer, and the next header. The padding must be 1, 2, 3 …
/// (RFC 4303 §2.4).
#[inline]
fn split_trailer(body: &mut [u8]) -> Result<(&mut [u8], u8), Discard> {
    let (rest, [pad_len, next_header]) =
        body.split_last_chunk_mut::<TRAILER_LEN>().ok_or(Discard::BadPadding)?;
    let payload_len = rest.len().checked_sub(usize::from(*pad_len)).ok_or(Discard::BadPadding)?;
    let (payload, padding) = rest.split_at_mut(payload_len);
    if !padding.iter().copied().eq(1..=*pad_len) {
        return Err(Discard::BadPadding);
    }
    Ok((payload, *next_header))
}

/// The inner packet as its own header says, without the traffic flow confidentiality padding that
/// may follow it (RFC 4303 §2.7).
#[inline]
fn parse_inner(payload: &[u8], next_header: u8) -> Result<InnerPacket, Discard> {
    if !matches!(next_header, NEXT_HEADER_IPV4 | NEXT_HEADER_IPV6) {
        return Err(Discard::NotTunnelMode);
    }
    let packet = InnerPacket::parse(payload).ok();
    let right = packet.filter(|packet| packet.esp_next_header() == next_header);
    right.ok_or(Discard::MalformedInner)
}

/// A packet of an [`Aggregate`], which is as long as its own header says.
#[inline]
pub(super) fn opened(sequence: u64, inner: &mut [u8]) -> Result<Opened<'_>, Discard> {
    let packet = InnerPacket::parse(inner).ok().filter(|packet| packet.total_len == inner.len());
    let packet = packet.ok_or(Discard::MalformedInner)?;
    let next_header = packet.esp_next_header();
    Ok(Opened { sequence, next_header, packet, inner, _proof: () })
}

#[cfg(test)]
mod tests;

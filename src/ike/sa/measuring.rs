//! Whether a datagram of some size reaches the peer in one piece (RFC 8899 §4.1): a padded request,
//! which every peer answers.
//!
//! The window holds one request, so it must be answered in the end: what is lost in one piece is
//! repeated in fragments, and that an answer came only then is the verdict.

use super::super::config::Retransmit;
use super::super::context::Context;
use super::super::event::Event;
use super::super::exchange::Retransmission;
use super::Established;
use super::asking::Purpose;
use crate::wire::ike::Payload;
use std::time::Duration;

/// A round trip may take so many times the last one before a request counts as lost …
const ROUND_TRIPS: u32 = 4;
/// … but at least this, and at most that: the window is not free meanwhile.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// What a padding payload begins with; its receiver knows no such vendor and ignores it
/// (RFC 7296 §3.12).
const PADDING: &[u8] = b"padding to measure the path";
/// A cipher pads to such blocks at most.
const BLOCK: usize = 16;
/// Header of UDP, and the non-ESP marker.
const UDP: usize = 8 + 4;

impl Established {
    /// Sends an IP packet of `size` octets to the peer as soon as no other request waits;
    /// [`Event::Measured`] tells whether it arrived.
    pub(crate) fn measure(&mut self, size: u16, ctx: &mut Context<'_>) {
        self.to_measure = Some(size);
        self.pump(ctx);
    }

    pub(super) fn start_measuring(&mut self, size: u16, ctx: &mut Context<'_>) {
        self.to_measure = None;
        let path = self.path.path();
        // ESP takes the way of its port only.
        if !ctx.out.is_marked(&path) {
            return;
        }
        let headers = UDP + if path.remote.is_ipv4() { 20 } else { 40 };
        let room = usize::from(size).saturating_sub(headers);
        let padded = self.padded(room);
        let size = |message: usize| u16::try_from(message + headers).unwrap_or(u16::MAX);
        let schedule = Retransmission::steady(&self.patience(), ctx.now);
        let purpose = |message| Purpose::Measure(size(message));
        self.exchanges.ask_whole(&path, &padded, purpose, schedule, ctx);
    }

    /// Payloads that fill a message up to `room` octets, or nearly.
    fn padded(&mut self, room: usize) -> [Payload; 1] {
        let vendor = |length: usize| {
            let padding = PADDING.iter().copied().chain(std::iter::repeat(0));
            [Payload::VendorId(padding.take(length).collect())]
        };
        let length = room.saturating_sub(self.exchanges.length(&vendor(0)));
        match self.exchanges.length(&vendor(length)) > room {
            true => vendor(length.saturating_sub(BLOCK)),
            false => vendor(length),
        }
    }

    /// The schedule of such a request.
    pub(crate) fn patience(&self) -> Retransmit {
        let usual = self.round_trip().map(|time| time * ROUND_TRIPS);
        let first = usual.unwrap_or(self.config.retransmit.first);
        let first = first.clamp(SHORTEST_WAIT, LONGEST_WAIT);
        Retransmit { first, ..self.config.retransmit.clone() }
    }

    pub(super) fn measured(&mut self, size: u16, arrived: bool, ctx: &mut Context<'_>) {
        ctx.out.event(self.connection, Event::Measured { size, arrived });
    }

    /// Whether the way to the peer may be measured so. What is lost must get through in smaller
    /// pieces, or it would block the IKE SA; strongSwan, for one, takes no INFORMATIONAL in
    /// fragments: it is sounded (`ike::sounding`).
    pub(crate) fn takes_probes(&self) -> bool {
        self.exchanges.fragmentation.agreed && self.descent.names_slots
    }

    /// The path carries datagrams of so many octets in one piece, as measured.
    pub(crate) fn on_path_mtu(&mut self, mtu: Option<u16>) {
        self.exchanges.fragmentation.path_mtu = mtu;
    }
}

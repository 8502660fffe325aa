//! Every reason to discard a packet, each with a counter: nothing disappears silently.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! discards {
    ($($variant:ident $name:literal $text:literal),* $(,)?) => {
        /// Why a packet was discarded, on its way out or in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Discard {
            $(#[doc = $text] $variant,)*
        }

        impl Discard {
            /// Every reason, in the order of [`Discard::index`].
            pub const ALL: &'static [Discard] = &[$(Discard::$variant),*];

            /// The reason's name in metrics and JSON, in snake_case.
            pub const fn name(self) -> &'static str {
                match self { $(Discard::$variant => $name),* }
            }

            /// The reason as a sentence for people.
            pub const fn text(self) -> &'static str {
                match self { $(Discard::$variant => $text),* }
            }
        }
    };
}

discards! {
    // On the way out.
    NoRoute "no_route" "No prefix of the VPC's forwarding table covers the destination.",
    TunnelDown "tunnel_down" "The route's next hops are all down; nothing leaves in the clear.",
    TooBig "too_big" "The inner packet exceeds the tunnel's MTU and may not be fragmented.",
    SequenceExhausted "sequence_exhausted" "The SA has used its last sequence number.",
    NoBuffer "no_buffer" "There is no room for the packet in the send buffer.",
    QueueFull "queue_full" "More waits already than the tunnel's constant rate carries away soon.",
    RateLimit "rate_limit" "The peer is sent no more than its `rate_limit`: dropped so that senders slow down.",
    SendFailed "send_failed" "The underlay's socket refused the datagram.",
    // On the way in.
    MalformedEsp "malformed_esp" "The datagram is too short to be ESP.",
    UnknownSpi "unknown_spi" "No inbound SA has this SPI.",
    Replayed "replayed" "The sequence number was received before.",
    Late "late" "The sequence number lies behind the replay window.",
    NotAuthentic "not_authentic" "The integrity check failed: forged, damaged or of other keys.",
    BadPadding "bad_padding" "The authenticated ESP trailer contradicts the packet.",
    NotTunnelMode "not_tunnel_mode" "The next header is neither IPv4 nor IPv6.",
    MalformedAggregate "malformed_aggregate" "An AGGFRAG payload of the peer cannot be read (RFC 9347 §6.1).",
    IncompletePacket "incomplete_packet" "Not all pieces of a cut packet came in time, or they are too many octets for one.",
    Dummy "dummy" "A dummy packet of the peer (next header 59).",
    SourceNotAllowed "source_not_allowed" "The inner source is not of this VPC, or not one of the peer.",
    DestinationNotLocal "destination_not_local" "The inner destination is not of this VPC.",
    NotForGateway "not_for_gateway" "Only the peer's BGP, ICMP and what is permitted may go to an address of a gateway.",
    HopLimit "hop_limit" "BGP that a router has forwarded: its TTL is below 255 (RFC 5082).",
    EcnInvalid "ecn_invalid" "Congestion marked outside on a packet that does not do ECN inside.",
    // Both ways.
    HardLifetime "hard_lifetime" "The SA has reached its limit of bytes or packets.",
    SelectorMismatch "selector_mismatch" "The inner packet lies outside the SA's traffic selectors.",
    MalformedInner "malformed_inner" "The inner packet is not a well-formed IP packet.",
    NotForwardable "not_forwardable" "Multicast, link-local, loopback and the like stay local.",
    IcmpUnrelated "icmp_unrelated" "An ICMP error about no packet that the tunnel carries (RFC 4301 §6.2).",
    Fragment "fragment" "A later fragment has no ports, which the traffic selectors need.",
}

impl Discard {
    /// The reason's number, below `ALL.len()`.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Discard {}

/// One counter for each reason.
#[derive(Debug)]
pub struct DiscardCounters([AtomicU64; Discard::ALL.len()]);

impl DiscardCounters {
    /// All zero.
    pub const fn new() -> DiscardCounters {
        DiscardCounters([const { AtomicU64::new(0) }; Discard::ALL.len()])
    }

    /// Counts one packet.
    pub fn add(&self, reason: Discard) {
        self.add_many(reason, 1);
    }

    /// Counts `packets` packets.
    pub fn add_many(&self, reason: Discard, packets: u64) {
        if let Some(counter) = self.0.get(reason.index()) {
            counter.fetch_add(packets, Ordering::Relaxed);
        }
    }

    /// Packets discarded for this reason.
    pub fn read(&self, reason: Discard) -> u64 {
        self.0.get(reason.index()).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// The reasons that occurred, with their counts.
    pub fn occurred(&self) -> impl Iterator<Item = (Discard, u64)> + '_ {
        let counts = Discard::ALL.iter().map(|reason| (*reason, self.read(*reason)));
        counts.filter(|(_, count)| *count > 0)
    }
}

impl Default for DiscardCounters {
    fn default() -> DiscardCounters {
        DiscardCounters::new()
    }
}

#[cfg(test)]
mod tests;

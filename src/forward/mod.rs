//! What becomes of a packet: the per-packet path over an immutable [`Snapshot`].
//!
//! ```text
//!            ┌ no prefix, group down: discarded, never sent in the clear
//!   TUN ──► route ──► translate ──► selectors ──► size ──► MSS ──► seal ──► datagrams  (outbound)
//!                                                   └ too big: fragment, or tell the inner host
//!                                          └ AGGFRAG: pack ──► seal, when the turn ends
//!
//!   datagram ──► SPI ──► open ──► policy ──► translate ──► ECN ──► MSS ──► Permitted ──► TUN  (inbound)
//!                                    ├ for the gateway itself ──► ForGateway ──► daemon
//!                                    └ for an address of the host: only what it has asked for, ping,
//!                                      and what the operator permits
//! ```
//!
//! Where a peer knows prefixes of ours by others ([`Translation`]), routes, sources and our own addresses are
//! in our terms, selectors and prefix policy in the peer's.
//!
//! Where several tunnels carry a prefix together, each flow keeps to one of them ([`Shared`]).
//!
//! Control decides, data obeys: the gateway publishes whole snapshots, and switching a next-hop
//! group to another tunnel costs the same for one prefix as for a million. Nothing here allocates
//! (except to tell a host about a packet that is too big, for fragments where selectors name ports, and for
//! packets that share datagrams), locks (except for pieces), or reads a clock. The same code
//! runs in the data plane, which hands in super-packets, and in simulations, which hand in single
//! packets.
//!
//! Implements the outbound and inbound processing of RFC 4301 §5.1 and §5.2 in tunnel mode, AGGFRAG payloads of
//! RFC 9347 without a rate of their own, path MTU handling of RFC 4301 §8.2, ICMP errors by RFC 4301
//! §6.2, and ECN by RFC 6040 (in normal mode).
//! TTLs are the kernel's: it decrements them when it forwards a packet to or from the TUN device
//! (RFC 4301 §5.1.2.1); only a packet that would not survive that is answered here, from an address
//! that the peer's hosts may hear.

mod chunked;
mod conversations;
mod counters;
mod datagram;
mod familiar;
mod flow;
mod fragment;
mod fragment_ports;
mod inbound;
mod inbound_table;
mod outbound;
mod own;
mod pacing;
mod packing;
mod reassembly;
mod selectors;
mod services;
mod shaping;
mod sharing;
#[cfg(any(test, fuzzing))]
mod single;
mod snapshot;
#[cfg(test)]
mod tests;
mod translation;

pub use chunked::Chunked;
pub use conversations::Conversations;
pub use counters::TunnelCounters;
pub use familiar::Familiar;
pub use fragment_ports::FragmentPorts;
pub use inbound::{ForGateway, Inbound, Permitted, Strayed, Verdict};
pub use inbound_table::InboundTable;
pub use outbound::{Egress, Outbound, originate, originate_echo};
pub use pacing::keep_pace;
pub use packing::Packers;
pub use reassembly::Reassembly;
pub use selectors::Selectors;
pub use services::{Offer, Service, Services};
pub use shaping::{Held, Released, Shaper};
pub use sharing::{Buckets, FlowHash, MOST_MEMBERS, Member, NextHops, Shared};
#[cfg(any(test, fuzzing))]
pub use single::{Datagram, Outcome, inbound_packet, outbound_packet};
pub use snapshot::{GroupId, InboundEntry, Neighbor, Snapshot, TunnelEntry, VpcTable};
pub use translation::Translation;

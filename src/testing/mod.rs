//! Whole gateways on a virtual network in virtual time: the same [`Gateway`](crate::gateway) and
//! the same forwarding code that ship, between them a network that loses, repeats, reorders and
//! cuts by a seed. The same seed gives the same trace, byte for byte.
//!
//! ```text
//!   hosts of a region ── LAN (VRRP, ARP, ND) ── Node ─┐
//!                                                     ├── underlay (Weather, cuts) ── other regions
//!   hosts of a region ── LAN (VRRP, ARP, ND) ── Node ─┘
//! ```
//!
//! The network watches what must never happen: an inner byte in the clear on the underlay, a
//! packet in another VPC, a packet that leaves by a host's default route.

pub(crate) mod deployment;
mod dns;
mod kernel;
mod moving;
mod network;
mod node;
mod orders;
mod packet;
mod stream;
mod weather;

mod aggfrag;
mod beyond;
#[cfg(test)]
mod certificates;
mod chronicle;
mod hops;
mod isolation;
mod multipath;
mod named;
mod narrowing;
mod operations;
mod overlap;
mod paths;
mod planned;
mod publics;
mod refusals;
#[cfg(test)]
mod scale;
mod segments;
mod six_gateways;
mod sizes;
mod streams;
mod takeover;
mod two_gateways;
mod uplinks;
mod verdict;
pub(crate) mod walk;
mod wishes;

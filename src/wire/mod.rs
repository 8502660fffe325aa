//! Bytes ↔ values: readers and writers, IANA registries, checksums, header views, and the
//! messages of the protocols that a gateway speaks.
//!
//! Nothing here decides, keeps state or computes cryptography. Decoders are total (no input
//! makes them panic), exact (octets that no field accounts for are refused) and bounded (lengths
//! and counts are checked before anything is allocated).
//!
//! | for | module | form |
//! |---|---|---|
//! | the packet path | [`ip`] [`tcp`] [`udp`] [`esp`] [`aggfrag`] [`checksum`] | views and numbers, no allocation |
//! | replies to inner hosts | [`icmp`] | whole packets |
//! | IKEv2 | [`ike`] | values |
//! | the virtual router | [`vrrp`] [`neighbor`] | values, whole frames |
//! | failure detection | [`bfd`] | values |
//! | IKE and ESP in TCP | [`stream`] | messages out of octets as they come |

#![warn(clippy::missing_errors_doc)]

mod error;
mod reader;
mod registry;
mod writer;

pub mod aggfrag;
pub mod bfd;
pub mod checksum;
pub mod echo;
pub mod esp;
pub mod icmp;
pub mod ike;
pub mod ip;
pub mod neighbor;
pub mod probe;
pub mod stream;
pub mod tcp;
pub mod udp;
pub mod vrrp;

pub use error::{DecodeError, Fault};
pub use reader::Reader;
pub(crate) use registry::registry;
pub use writer::{LengthGuard, Writer};

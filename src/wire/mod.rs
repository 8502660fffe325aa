//! Bytes ↔ values: readers and writers, IANA registries, checksums, header views, and the
//! messages of the protocols that a gateway speaks.
//!
//! Nothing here decides, keeps state or computes cryptography. Decoders are total (no input
//! makes them panic), exact (octets that no field accounts for are refused) and bounded (lengths
//! and counts are checked before anything is allocated).

mod error;
mod reader;
mod registry;
mod writer;

pub mod ike;

pub use error::{DecodeError, Fault};
pub use reader::Reader;
pub(crate) use registry::registry;
pub use writer::{LengthGuard, Writer};

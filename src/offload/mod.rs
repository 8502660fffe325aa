//! Super-packets as bytes: what a TUN device hands over and takes when segmentation is offloaded.
//!
//! ```text
//!   read   [virtio-net header | IP | TCP or UDP | payload up to 64 KB]  ── SuperPacket ──► segments
//!   write  [virtio-net header | IP | TCP or UDP | payload | payload …]  ◄── Coalescer ─── packets
//! ```
//!
//! [`SuperPacket`] splits without copying a payload: each [`Segment`] is a header written for it and
//! a slice of the original. [`Coalescer`] merges without copying either: a [`Merged`] run is one
//! header and the payloads where they lie, to be gathered by one vectored write. No file
//! descriptor lives here.
//!
//! The header is that of virtio 1.3 §5.1.6 in the ten-byte form of Linux's TUN driver; the rules
//! of merging are those of Linux's own receive offload, so that what is merged here and split by the
//! kernel again comes out as it went in.

mod coalesce;
mod layer4;
#[cfg(test)]
pub(crate) mod samples;
mod split;
mod vnet;

pub use coalesce::{Coalescer, Merged};
pub use layer4::Transport;
pub use split::{Segment, Segments, SuperPacket};
pub use vnet::{Malformed, Segmentation, VirtioNetHeader};

/// Longest header (IP with options or extensions, and TCP or UDP) that a super-packet may have.
pub const MAX_HEAD: usize = 192;
/// Longest packet in bytes: what the 16-bit lengths of IP can say.
pub const MAX_PACKET: usize = 65535;
/// Most segments that are merged into one super-packet.
pub const MAX_SEGMENTS: usize = 64;

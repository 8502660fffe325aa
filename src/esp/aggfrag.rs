//! AGGFRAG mode (RFC 9347): inner packets share ESP packets, and long ones are cut.
//!
//! ```text
//!   packets ──Packer──► stream ──cut──► payloads ──Train──► ESP packets of one size, the last shorter
//!
//!   ESP packets ──InboundSa──► Aggregate ──unpack──► Packets: what ends here, what is whole, …
//!                                            ▲
//!                                        Unpacker: beginnings and ends whose rest is not there yet
//! ```
//!
//! A sender packs what waits together and no more: no packet waits for others, and no packet
//! begins in one [`Train`](super::Train) and ends in the next. So the pieces of a packet have
//! consecutive sequence numbers (§2.2.3) whatever other workers seal meanwhile, and are all of
//! one SA.
//!
//! A receiver hands on at once what is whole (§2.5, the first way) and keeps only the pieces of
//! cut packets, each as long as the numbers of later packets, time and memory permit. So nothing
//! waits behind a lost packet, and a lost packet takes along only what had a piece in it; packets
//! change their order only if the underlay has changed it.
//!
//! Where the rate is constant (IP-TFS), packets wait in a [`Pacer`] instead, and datagrams leave by the
//! clock. Congestion control is not here.

mod pacer;
mod packer;
mod room;
mod unpacker;

pub use pacer::{Filled, Pacer};
pub use packer::{Packer, Payload, Payloads};
pub use room::Room;
pub use unpacker::{Aggregate, Packets, Unpacker};

/// Octets of inner packets in a payload of `payload` octets.
pub const fn data_len(payload: usize) -> usize {
    payload.saturating_sub(crate::wire::aggfrag::AggfragHeader::LEN)
}

//! Two endpoints against each other.

mod adversary;
mod attacks;
mod handshake;
mod key_schedule;
mod lifecycle;
mod net;
mod rekeying;
mod soak;

//! Two endpoints against each other.

mod adversary;
mod handshake;
mod key_schedule;
mod net;

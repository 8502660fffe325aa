//! Two endpoints against each other.

mod adversary;
mod handshake;
mod net;

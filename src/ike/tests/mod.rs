//! Two endpoints against each other.

mod handshake;
mod net;

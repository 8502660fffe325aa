//! Two endpoints against each other.

mod adversary;
mod attacks;
mod certificates;
mod conformance;
mod crossing;
mod explore;
mod fragments;
mod handover;
mod handshake;
mod jobs;
mod key_schedule;
mod lifecycle;
mod limits;
mod moving;
mod narrowing;
mod net;
mod patience;
mod raw_peer;
mod rekeying;
mod scale;
mod slots;
mod soak;

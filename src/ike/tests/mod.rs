//! Two endpoints against each other.

mod adversary;
mod attacks;
mod certificates;
mod conformance;
mod crash;
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
mod notifications;
mod patience;
mod post_quantum;
mod raw_peer;
mod rekeying;
mod scale;
mod slots;
mod soak;
mod sounding;

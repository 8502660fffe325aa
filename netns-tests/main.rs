//! Real daemons, real packets, real peers, each scenario in network namespaces of its own.
//!
//! Needs root; `./test` installs what the peers need and runs everything. One scenario:
//! `cargo test --test netns -- failures --nocapture`. Scenarios share nothing but the machine
//! (names of namespaces, folders and sockets are theirs alone), so several may run at once.

#![expect(clippy::unwrap_used, reason = "a scenario ends where something unexpected happens")]
#![expect(unreachable_pub, reason = "what the scenarios share is nobody else's")]

mod support;

mod aggfrag;
mod bird;
mod certificates;
mod devices;
mod documents;
mod failures;
mod faults;
mod hostile;
mod keys;
mod lab_itself;
mod ladder;
mod many_routes;
mod monitoring;
mod moving;
mod multipath;
mod names;
mod operator;
mod overlap;
mod own;
mod packaging;
mod planned;
mod public;
mod rates;
mod reference;
mod refusals;
mod rekeying;
mod reload;
mod rules;
mod schema;
mod secrets;
mod segments;
mod simultaneous;
mod sizes;
mod soak;
mod startup;
mod streams;
mod strongswan;
mod together;
mod uplinks;
mod vpc_routers;
mod vpcs;

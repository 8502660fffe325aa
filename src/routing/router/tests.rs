//! Routers against each other, over in-memory pipes with latency, in virtual time.

mod graceful;
mod hostile;
mod maps;
mod net;
mod policy;
mod rules;
mod sessions;
mod turns;
mod vpc;

use super::*;
use crate::net::{Asn, Mappings, PrefixSet};
use crate::routing::rib::RejectReason;
use net::{Net, addr, asn};
use std::net::Ipv4Addr;
use std::time::Duration;

/// A peer that may announce anything, with the usual preference.
fn anything() -> PrefixSet {
    [Prefix::all_ipv4(), Prefix::all_ipv6()].into_iter().collect()
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn prefixes(texts: &[&str]) -> BTreeSet<Prefix> {
    texts.iter().map(|text| prefix(text)).collect()
}

//! Settings of a router and of its neighbours.

use crate::net::{Asn, Mappings, Prefix, PrefixSet};
use crate::routing::policy::{Role, Rule};
use crate::routing::rib::Side;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// What all sessions of a router share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterConfig {
    /// Our AS.
    pub asn: Asn,
    /// Our BGP Identifier, and the next hop of IPv4 routes where no inside IPv4 address is.
    pub router_id: Ipv4Addr,
    /// The next hop of IPv6 routes where no inside IPv6 address is. Without one they are not announced
    /// there: a next hop that only maps an IPv4 address is refused by other speakers.
    pub ipv6_next_hop: Option<Ipv6Addr>,
    /// Longest wait between attempts to connect, and for one attempt.
    pub connect_retry: Duration,
    /// Announce to peers what other peers announced.
    pub transit: bool,
    /// Peers whose routes to a prefix are equally good carry it together.
    pub multipath: bool,
}

impl RouterConfig {
    /// The defaults: retry after 5 s at most, no transit, no multipath, no next hop but inside addresses.
    pub fn new(asn: Asn, router_id: Ipv4Addr) -> RouterConfig {
        RouterConfig {
            asn,
            router_id,
            ipv6_next_hop: None,
            connect_retry: Duration::from_secs(5),
            transit: false,
            multipath: false,
        }
    }
}

/// How routes of a peer come to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeighborKind {
    /// By a BGP session between the inside addresses, or on the VPC's network.
    Bgp {
        /// The AS that the peer must be of.
        remote_asn: Asn,
        /// Our inside address.
        local: IpAddr,
        /// The peer's inside address.
        remote: IpAddr,
        /// What we are to the peer (RFC 9234); `None` says nothing and marks nothing.
        role: Option<Role>,
        /// The peer must say what it is to us (RFC 9234 §4.2, strict mode).
        strict_role: bool,
        /// Hold time that the peer is proposed, in whole seconds; keepalives go three times as
        /// often. Zero turns both off.
        hold_time: Duration,
        /// Never connect, wait for the peer.
        passive: bool,
    },
    /// By configuration: reachable whenever the tunnel is up.
    Static {
        /// What lies behind the peer.
        prefixes: BTreeSet<Prefix>,
    },
}

/// One peer, as far as routing is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct NeighborConfig {
    /// How its routes come to be known.
    pub kind: NeighborKind,
    /// Where it is. One in the VPC has no tunnel: its link stands in for it.
    pub side: Side,
    /// What it may announce: every prefix that one of these covers.
    pub import: PrefixSet,
    /// By which prefixes it is told of ours.
    pub maps: Mappings,
    /// What the operator says of routes from it.
    pub import_rules: Arc<[Rule]>,
    /// What the operator says of routes to it.
    pub export_rules: Arc<[Rule]>,
    /// How much its paths are preferred; the higher wins. 100 is usual.
    pub local_preference: u32,
    /// Most prefixes that it may announce before its session is ended.
    pub max_prefixes: u32,
}

//! The layout of the host's routing policy: which rules stand in which order, and what their
//! tables hold. A packet of a VPC cannot get around them, whatever other routes the host has.
//!
//! ```text
//!   0   local addresses                                              (the kernel's own)
//!  72   public addresses of VPCs: each to the outlet of its VPC, which is a namespace of its own
//!  74   what comes in by any other device than those of the VPCs, which 73 leads over to 75: the
//!       ingress table, in which the prefixes of the VPCs are barred. Where many devices would have
//!       to be led over, the others are listed instead
//!  76   what comes in by a VPC's device: what belongs to the others in its namespace is barred
//!  77   what comes out of an outlet, and is translated ────────────────────────────────► 90
//!  78   all but the tunnels' own datagrams, which bear a mark: the prefixes behind the peers of
//!       all VPCs, each with a guard, and those that routers of the VPCs have announced
//!  79   the tunnels' own datagrams, and what the host itself sends from the underlay's
//!       address ───────────────────────────────────────────────────────────────► 90
//!  79   in the namespace of a VPC with public addresses: what is marked, because it will be translated,
//!       to the outlet
//!  80   the default routes of a VPC: for what comes from its prefixes or by its devices only
//!  81   what else the host itself sends from an address (asked in IPv6 only) ────► 90
//!  82   ICMP that it sends without one yet, errors about packets of the VPC among it: the same
//!       default routes
//!       In the namespace of a VPC with public addresses: to the outlet
//!  83   what comes out of a tunnel for a part of the VPC to which only devices of others lead: nowhere
//!  84   what comes out of a tunnel: the main table, but only routes that lead to the VPC's hosts,
//!  85   else nowhere
//!  86   from a derived inside address: nowhere, since it was not for a tunnel
//!  90   (the place where those land that pass over)
//!  32766 the main table                                              (the host's own)
//! ```
//!
//! The kernel walks the rules of a packet's family twice for every packet that it forwards: for
//! its destination, and for its source. So there are as few as can be, and none in a family that
//! no VPC uses. VPCs that share a namespace share no prefix and so share the tables; whose a route
//! is says its metric. Only what keeps their hosts apart is one rule for each of them: many VPCs are
//! better off in namespaces of their own.

use super::wish::Table;
use crate::net::VpcId;

/// Metric of routes into the TUN device of the first VPC; every further VPC has the next one.
const METRIC: u32 = 79;
/// Metric of what is at home in the first VPC, and in no wider route; every further VPC has the next
/// one. A route to the same prefix by a router of the VPC goes first.
const HOME_METRIC: u32 = 1 << 20;
/// Metric of guards of the first VPC; every further VPC has the one before. Every route wins
/// against them.
const GUARD_METRIC: u32 = u32::MAX;

/// See the module's table.
pub(super) const PUBLIC: u32 = 72;
pub(super) const FAMILIAR: u32 = 73;
pub(super) const ARRIVING: u32 = 74;
pub(super) const ARRIVED: u32 = 75;
pub(super) const FENCED: u32 = 76;
pub(super) const OUTLET: u32 = 77;
pub(super) const PREFIXES: u32 = 78;
pub(super) const HOST: u32 = 79;
pub(super) const TRANSLATED: u32 = 79;
pub(super) const DEFAULTS: u32 = 80;
pub(super) const SOURCED: u32 = 81;
pub(super) const COMPLAINTS: u32 = 82;
pub(super) const ASTRAY: u32 = 83;
pub(super) const INWARD: u32 = 84;
pub(super) const NOWHERE: u32 = 85;
pub(super) const INSIDE: u32 = 86;
pub(super) const END: u32 = 90;

/// The device by which rules know what the host itself sends.
pub(super) const LOOPBACK: &str = "lo";

/// The first of our tables.
const FIRST: u32 = 79_000;
/// The table of the fences of the first VPC; every further VPC has the next one.
const FENCES: u32 = 79_100;

impl Table {
    /// Its number in the kernel.
    pub fn number(self) -> u32 {
        match self {
            Table::Ingress => FIRST,
            Table::Prefixes => FIRST + 1,
            Table::Defaults => FIRST + 2,
            Table::Public => FIRST + 3,
            Table::Fences(vpc) => FENCES + u32::from(vpc.0),
        }
    }

    /// The table with a number, if it is one of ours.
    pub fn numbered(number: u32) -> Option<Table> {
        let shared = [Table::Ingress, Table::Prefixes, Table::Defaults, Table::Public];
        let mut shared = shared.into_iter();
        let fences = || numbered(number.checked_sub(FENCES)?).map(Table::Fences);
        shared.find(|table| table.number() == number).or_else(fences)
    }
}

/// The metric of a VPC's routes.
pub fn metric(vpc: VpcId) -> u32 {
    METRIC + u32::from(vpc.0)
}

/// The metric of what is at home in a VPC.
pub fn home_metric(vpc: VpcId) -> u32 {
    HOME_METRIC + u32::from(vpc.0)
}

/// Whose home has a metric.
pub fn home_owner(metric: u32) -> Option<VpcId> {
    numbered(metric.checked_sub(HOME_METRIC)?)
}

/// The metric of a VPC's guards.
pub fn guard_metric(vpc: VpcId) -> u32 {
    GUARD_METRIC - u32::from(vpc.0)
}

/// Whose route has a metric.
pub fn owner(metric: u32) -> Option<VpcId> {
    numbered(metric.checked_sub(METRIC)?)
}

/// Whose guard has a metric.
pub fn guard_owner(metric: u32) -> Option<VpcId> {
    numbered(GUARD_METRIC - metric)
}

fn numbered(number: u32) -> Option<VpcId> {
    u16::try_from(number).ok().map(VpcId)
}

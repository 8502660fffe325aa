//! The layout of the host's routing policy: which rules stand in which order, and what their
//! tables hold. A packet of a VPC cannot get around them, whatever other routes the host has.
//!
//! ```text
//!   0   local addresses                                              (the kernel's own)
//!  70   the tunnels' own datagrams, by mark ──────────────────────────────────► 90
//!  74   what comes in by the underlay's device: the ingress table, in which the prefixes of
//!       the VPCs are barred
//!  78   the table of every VPC: its prefixes behind peers, each with a guard
//!  79   what the host itself sends from the underlay's address ────────────────► 90
//!  80   the default routes of a VPC: for what comes from its prefixes or by its devices only
//!  84   what comes out of a tunnel: the main table, but never its default route,
//!  85   else nowhere
//!  90   (the place where those land that pass over)
//!  32766 the main table                                              (the host's own)
//! ```

use super::wish::Table;

/// Metric of routes into a TUN device.
pub const METRIC: u32 = 79;
/// Metric of guards: every route wins against them.
pub const GUARD_METRIC: u32 = u32::MAX;

/// See the module's table.
pub(super) const MARKED: u32 = 70;
pub(super) const ARRIVING: u32 = 74;
pub(super) const PREFIXES: u32 = 78;
pub(super) const HOST: u32 = 79;
pub(super) const DEFAULTS: u32 = 80;
pub(super) const INWARD: u32 = 84;
pub(super) const NOWHERE: u32 = 85;
pub(super) const END: u32 = 90;

/// The first of our tables; a VPC has two of those behind it.
const FIRST: u32 = 79_000;
/// The last: VPCs are numbered with 16 bits.
const LAST: u32 = FIRST + 1 + 2 * u16::MAX as u32 + 1;

impl Table {
    /// Its number in the kernel.
    pub fn number(self) -> u32 {
        match self {
            Table::Ingress => FIRST,
            Table::Vpc(vpc) => FIRST + 1 + 2 * u32::from(vpc.0),
            Table::Default(vpc) => FIRST + 2 + 2 * u32::from(vpc.0),
        }
    }

    /// The table with a number, if it is one of ours.
    pub fn numbered(number: u32) -> Option<Table> {
        let place = number.checked_sub(FIRST).filter(|_| number <= LAST)?;
        let Some(place) = place.checked_sub(1) else { return Some(Table::Ingress) };
        let vpc = crate::net::VpcId(u16::try_from(place / 2).ok()?);
        Some(if place % 2 == 0 { Table::Vpc(vpc) } else { Table::Default(vpc) })
    }
}

//! The routes of one VPC: BGP sessions ([`bgp`]), the table and its decisions ([`rib`]), what operators
//! say of routes ([`policy`]), and the
//! [`Router`] that composes them. Beside it, [`vrrp`]: who of a region's gateways answers for
//! the address that the VPC's hosts use as their next hop; and [`bfd`]: whether the tunnels carry
//! packets in both directions.
//!
//! All of it is pure: bytes, tunnels' states and points in time come in; actions come out.

mod attributes;
pub mod bfd;
pub mod bgp;
pub mod policy;
pub mod rib;
mod router;
pub mod vrrp;

pub use attributes::{
    Aggregator, AsPath, Attributes, Origin, Reflection, Role, Segment, TransitiveAttribute,
    role_name,
};
pub use bgp::{ConnectionId, DownReason};
pub use rib::{Ranked, Reach, Reason, RejectReason, Reserved, Side};
pub use router::{
    Action, FibChange, NeighborConfig, NeighborCounters, NeighborKind, NeighborView, PathView,
    RouteView, Router, RouterConfig, Why,
};

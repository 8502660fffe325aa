//! One thing that the gateway keeps on its host, in words that need no netlink.

use super::public::{self, Outlet, Sharing, Translation};
use super::segment::{Admission, Segment, VirtualMac};
use super::tables::OUTLET;
use crate::net::{Prefix, VpcId};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// One thing that the gateway keeps on its host. The order of the variants is the order in which
/// they come to be: what needs a device comes after the device, and a rule after what the table
/// that it leads to holds. There may be as many as peers have prefixes: what is larger than a route
/// is boxed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// The TUN device of a VPC.
    Device {
        /// The VPC.
        vpc: VpcId,
        /// The device's name.
        name: String,
        /// The network namespace in which it appears; `None` is the daemon's.
        netns: Option<String>,
        /// Its MTU in bytes: the longest inner packet.
        mtu: u16,
    },
    /// An address on the VPC's TUN device, as a host address.
    Address {
        /// The VPC whose device gets the address.
        vpc: VpcId,
        /// The address.
        address: IpAddr,
    },
    /// A guard against plaintext: an `unreachable` route of the worst metric.
    Guard {
        /// The VPC.
        vpc: VpcId,
        /// The prefix that must never leave but through a tunnel.
        prefix: Prefix,
    },
    /// A prefix that is at home in the VPC, which no wider route into the tunnels must draw away.
    Home {
        /// The VPC.
        vpc: VpcId,
        /// The prefix.
        prefix: Prefix,
        /// Where the wider routes stand.
        table: Table,
    },
    /// A route into the VPC's TUN device.
    Route {
        /// The VPC whose device the route leads to.
        vpc: VpcId,
        /// The destination.
        prefix: Prefix,
        /// The address from which the host itself speaks to it (RFC 1122 §3.3.4.3, RFC 6724 §5):
        /// its ICMP errors, its pings. `None` leaves the choice to the kernel.
        source: Option<IpAddr>,
    },
    /// A route to what is behind a router of the VPC.
    Onward {
        /// The VPC.
        vpc: VpcId,
        /// The destination, which is at home in the VPC.
        prefix: Prefix,
        /// The next hop, on the VPC's network.
        router: IpAddr,
    },
    /// A prefix that nothing from the underlay may be sent to in the clear.
    Bar {
        /// The prefix.
        prefix: Prefix,
    },
    /// A prefix of another VPC, which hosts of this one must not reach.
    Fence {
        /// The VPC of the hosts.
        vpc: VpcId,
        /// The prefix of the other.
        prefix: Prefix,
    },
    /// A policy rule.
    Rule(Box<Rule>),
    /// Who may send into a VPC's segment.
    Admission(Box<Admission>),
    /// The VXLAN device of a VPC.
    Segment(Box<Segment>),
    /// The Ethernet address of a virtual router, while it is active in a segment.
    VirtualMac(VirtualMac),
    /// That the host forwards packets of a VPC. It is for the operator to say: we only look.
    Forwarding {
        /// The VPC.
        vpc: VpcId,
        /// The address family.
        ipv4: bool,
        /// The devices that packets come in by.
        devices: BTreeSet<String>,
    },
    /// What translates public addresses of a VPC.
    Translation(Box<Translation>),
    /// The devices by which translated packets of a VPC cross.
    Outlet(Box<Outlet>),
    /// The way of translated packets out of a VPC's namespace.
    Exit {
        /// The VPC.
        vpc: VpcId,
        /// Its outlet.
        device: String,
    },
    /// Where packets for a public address go while another gateway is to have them, or nobody can: nowhere.
    Closed {
        /// The VPC.
        vpc: VpcId,
        /// The public address.
        address: Ipv4Addr,
    },
    /// The way of packets for a public address into the namespace of its VPC.
    Public {
        /// The VPC.
        vpc: VpcId,
        /// The public address.
        address: Ipv4Addr,
        /// The outlet of the VPC.
        device: String,
    },
    /// That translated connections of a VPC are known to another gateway.
    Sharing(Box<Sharing>),
}

/// The network namespace in which a wish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground<'w> {
    /// The one that the wish says; `None` is the daemon's.
    Named(Option<&'w str>),
    /// That of the VPC.
    Of(VpcId),
}

/// A rule of the routing policy: which packets look into which table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The network namespace in which it rules; `None` is the daemon's.
    pub netns: Option<String>,
    /// Its address family.
    pub ipv4: bool,
    /// Its place among the rules: the lowest is asked first.
    pub priority: u32,
    /// Which packets it concerns.
    pub when: When,
    /// What becomes of them.
    pub then: Then,
}

/// Which packets a rule concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// All.
    Always,
    /// Those of the gateway's sockets on the underlay, by their mark.
    Marked,
    /// All but those.
    Unmarked,
    /// Those that come in by a device.
    Arriving(String),
    /// Those that come in by a device and go to a prefix.
    Bound(String, Prefix),
    /// Those from a prefix.
    From(Prefix),
    /// Those that are marked, because they will be translated to a public address.
    Translated,
    /// Those that the host itself sends from a prefix.
    SentFrom(Prefix),
    /// ICMP that the host itself sends from whatever address fits the route: its errors, and pings.
    Complaint,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Then {
    /// A table is asked; when it has no route, the next rule.
    Lookup(Table),
    /// The main table is asked, but only its routes to prefixes of at least this length count.
    LookupMain {
        /// In bits; with 0 the default route counts, too.
        shortest: u8,
    },
    /// The rules up to a priority are passed over.
    Goto(u32),
    /// Nothing: the place that others go to.
    Pass,
    /// It is dropped, and its sender is told.
    Unreachable,
}

/// A routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// What must not come in from the underlay.
    Ingress,
    /// What belongs to the VPCs that share a namespace with this one.
    Fences(VpcId),
    /// The prefixes behind the peers of the VPCs in a namespace.
    Prefixes,
    /// The default routes of a VPC, whole or in parts, which only its own packets may take. VPCs that
    /// share a namespace share no destination.
    Defaults,
    /// Public addresses, each by the outlet of its VPC; in the VPC's namespace, the way out.
    Public,
}

impl Table {
    /// Prefixes shorter than this are a default route, or one of the parts into which somebody has
    /// cut it: what the host itself sends anywhere does not take them.
    const DEFAULT_BELOW: u8 = 8;

    /// The table of a prefix behind the peers.
    pub fn of(prefix: &Prefix) -> Table {
        if prefix.len() < Table::DEFAULT_BELOW { Table::Defaults } else { Table::Prefixes }
    }
}

impl Wish {
    /// The VPC that it is for; `None` when it serves the gateway itself, or several.
    pub fn vpc(&self) -> Option<VpcId> {
        match self {
            Wish::Device { vpc, .. }
            | Wish::Address { vpc, .. }
            | Wish::Guard { vpc, .. }
            | Wish::Home { vpc, .. }
            | Wish::Fence { vpc, .. }
            | Wish::Route { vpc, .. }
            | Wish::Forwarding { vpc, .. }
            | Wish::Onward { vpc, .. }
            | Wish::VirtualMac(VirtualMac { vpc, .. })
            | Wish::Exit { vpc, .. }
            | Wish::Closed { vpc, .. }
            | Wish::Public { vpc, .. } => Some(*vpc),
            Wish::Admission(admission) => Some(admission.vpc),
            Wish::Segment(segment) => Some(segment.vpc),
            Wish::Translation(translation) => Some(translation.vpc),
            Wish::Outlet(outlet) => Some(outlet.vpc),
            Wish::Sharing(sharing) => Some(sharing.vpc),
            Wish::Rule(_) | Wish::Bar { .. } => None,
        }
    }

    /// Where it stands.
    pub fn ground(&self) -> Ground<'_> {
        match self {
            Wish::Device { netns, .. } => Ground::Named(netns.as_deref()),
            Wish::Rule(rule) => Ground::Named(rule.netns.as_deref()),
            Wish::Segment(segment) => Ground::Named(segment.netns.as_deref()),
            Wish::Translation(translation) => Ground::Named(translation.netns.as_deref()),
            Wish::Outlet(outlet) => Ground::Named(outlet.netns.as_deref()),
            Wish::Sharing(sharing) => Ground::Named(sharing.netns.as_deref()),
            Wish::Bar { .. } | Wish::Admission(_) | Wish::Closed { .. } | Wish::Public { .. } => {
                Ground::Named(None)
            }
            Wish::Address { vpc, .. }
            | Wish::Guard { vpc, .. }
            | Wish::Home { vpc, .. }
            | Wish::Fence { vpc, .. }
            | Wish::Route { vpc, .. }
            | Wish::Forwarding { vpc, .. }
            | Wish::Onward { vpc, .. }
            | Wish::Exit { vpc, .. }
            | Wish::VirtualMac(VirtualMac { vpc, .. }) => Ground::Of(*vpc),
        }
    }

    /// The table in which it is a route.
    pub fn table(&self) -> Option<Table> {
        match self {
            Wish::Guard { prefix, .. } | Wish::Route { prefix, .. } => Some(Table::of(prefix)),
            Wish::Onward { .. } => Some(Table::Prefixes),
            Wish::Home { table, .. } => Some(*table),
            Wish::Bar { .. } => Some(Table::Ingress),
            Wish::Fence { vpc, .. } => Some(Table::Fences(*vpc)),
            Wish::Exit { .. } | Wish::Closed { .. } | Wish::Public { .. } => Some(Table::Public),
            Wish::Device { .. }
            | Wish::Address { .. }
            | Wish::Rule(_)
            | Wish::Admission(_)
            | Wish::Segment(_)
            | Wish::VirtualMac(_)
            | Wish::Forwarding { .. }
            | Wish::Translation(_)
            | Wish::Outlet(_)
            | Wish::Sharing(_) => None,
        }
    }

    /// Whether it keeps packets from leaving or coming in in the clear, and so must outlive the
    /// daemon. A segment goes with its device, whoever may send into it, and an outlet with what is
    /// translated there.
    pub fn is_guard(&self) -> bool {
        match self {
            Wish::Device { .. }
            | Wish::Address { .. }
            | Wish::Route { .. }
            | Wish::Onward { .. }
            | Wish::Admission(_)
            | Wish::Segment(_)
            | Wish::VirtualMac(_)
            | Wish::Forwarding { .. }
            | Wish::Translation(_)
            | Wish::Outlet(_)
            | Wish::Exit { .. }
            | Wish::Closed { .. }
            | Wish::Public { .. }
            | Wish::Sharing(_) => false,
            Wish::Rule(rule) => !rule.is_for_publics(),
            Wish::Guard { .. } | Wish::Home { .. } | Wish::Bar { .. } | Wish::Fence { .. } => true,
        }
    }

    /// Whether it is there for public addresses of a VPC.
    pub(in crate::gateway) fn is_for_publics(&self) -> bool {
        match self {
            Wish::Translation(_)
            | Wish::Outlet(_)
            | Wish::Exit { .. }
            | Wish::Closed { .. }
            | Wish::Public { .. }
            | Wish::Sharing(_) => true,
            Wish::Rule(rule) => rule.is_for_publics(),
            Wish::Device { .. }
            | Wish::Address { .. }
            | Wish::Guard { .. }
            | Wish::Home { .. }
            | Wish::Route { .. }
            | Wish::Onward { .. }
            | Wish::Bar { .. }
            | Wish::Fence { .. }
            | Wish::Admission(_)
            | Wish::Segment(_)
            | Wish::VirtualMac(_)
            | Wish::Forwarding { .. } => false,
        }
    }

    /// Whether it can be left from an earlier run: what stands on the device has gone with it.
    pub(super) fn outlives_us(&self) -> bool {
        !matches!(self, Wish::Device { .. } | Wish::Address { .. })
    }

    /// Whether a look at a namespace finds it.
    pub(super) fn is_found(&self) -> bool {
        !matches!(
            self,
            Wish::Device { .. }
                | Wish::Admission(_)
                | Wish::Translation(_)
                | Wish::Forwarding { .. }
                | Wish::Sharing(_)
        )
    }

    /// Whether it is the device of a segment, or its guard.
    pub(super) fn is_of_segment(&self) -> bool {
        matches!(self, Wish::Segment(_) | Wish::Admission(_))
    }

    /// Whether both are the same device, whatever its MTU, or the same segment's, whatever else of it:
    /// one takes the place of the other.
    pub(super) fn is_same_device(&self, other: &Wish) -> bool {
        match (self, other) {
            (Wish::Segment(one), Wish::Segment(other)) => {
                (one.vpc, &one.name, &one.netns) == (other.vpc, &other.name, &other.netns)
            }
            (Wish::Admission(one), Wish::Admission(other)) => one.vpc == other.vpc,
            (
                Wish::Device { vpc, name, netns, .. },
                Wish::Device { vpc: of, name: called, netns: place, .. },
            ) => (vpc, name, netns) == (of, called, place),
            (one, other) => public::is_same_place(one, other),
        }
    }

    /// Whether both are the same route, whatever its source or its router: one takes the place of the other.
    pub fn is_same_route(&self, other: &Wish) -> bool {
        match (self, other) {
            (Wish::Route { vpc, prefix, .. }, Wish::Route { vpc: of, prefix: to, .. }) => {
                (vpc, prefix) == (of, to)
            }
            (Wish::Onward { vpc, prefix, .. }, Wish::Onward { vpc: of, prefix: to, .. }) => {
                (vpc, prefix) == (of, to)
            }
            _ => false,
        }
    }
}

impl Rule {
    /// Whether it leads packets to and from public addresses.
    pub(super) fn is_for_publics(&self) -> bool {
        self.then == Then::Lookup(Table::Public) || self.priority == OUTLET
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wish::Device { name, .. } => write!(f, "device {name}"),
            Wish::Address { address, .. } => write!(f, "address {address}"),
            Wish::Guard { prefix, .. } => write!(f, "guard of {prefix}"),
            Wish::Home { prefix, .. } => write!(f, "exception for our own {prefix}"),
            Wish::Route { prefix, .. } => write!(f, "route to {prefix}"),
            Wish::Onward { prefix, router, .. } => write!(f, "route to {prefix} by {router}"),
            Wish::Bar { prefix, .. } => write!(f, "bar before {prefix}"),
            Wish::Fence { prefix, .. } => write!(f, "fence before {prefix} of another VPC"),
            Wish::Rule(rule) => write!(f, "{rule}"),
            Wish::Admission(admission) => write!(f, "guard of VNI {}", admission.vni),
            Wish::Segment(segment) => write!(f, "VXLAN {} with VNI {}", segment.name, segment.vni),
            Wish::VirtualMac(virtual_mac) => {
                write!(f, "virtual router address {}", virtual_mac.mac())
            }
            Wish::Forwarding { ipv4, .. } => {
                write!(f, "forwarding of {}", if *ipv4 { "IPv4" } else { "IPv6" })
            }
            Wish::Translation(translation) => {
                write!(f, "translation of public addresses at {}", translation.outlet)
            }
            Wish::Outlet(outlet) => write!(f, "outlet {}", outlet.name),
            Wish::Exit { device, .. } => write!(f, "way out by {device}"),
            Wish::Closed { address, .. } => write!(f, "barrier before {address}"),
            Wish::Public { address, .. } => write!(f, "public address {address}"),
            Wish::Sharing(sharing) => {
                write!(f, "sharing of connections with {}", sharing.sibling)
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.ipv4 { "IPv4" } else { "IPv6" };
        write!(f, "{family} rule {} for {}", self.priority, self.when)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Always => f.write_str("all packets"),
            When::Marked => f.write_str("packets of the tunnels themselves"),
            When::Unmarked => f.write_str("packets of others than the tunnels themselves"),
            When::Arriving(device) => write!(f, "packets that come in by {device}"),
            When::Bound(device, prefix) => {
                write!(f, "packets to {prefix} that come in by {device}")
            }
            When::From(prefix) => write!(f, "packets from {prefix}"),
            When::Translated => f.write_str("packets that will be translated"),
            When::SentFrom(prefix) => write!(f, "packets that the host sends from {prefix}"),
            When::Complaint => f.write_str("ICMP that the host sends from any address"),
        }
    }
}

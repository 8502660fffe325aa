//! What a VPC's segment (RFC 7348) wants of the host: that only its VTEPs can send into it, its
//! device, and the Ethernet addresses of the virtual routers that are active on it.

use super::wish::Wish;
use crate::config::{VpcConfig, VxlanConfig};
use crate::net::{InterfaceAddress, MacAddress, VpcId};
use crate::wire::vrrp::virtual_mac;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Who may send into a segment. Nothing in VXLAN itself tells one VTEP from another (RFC 7348 §7), so
/// this stands before the device, and what comes from others is counted and dropped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Admission {
    /// The VPC.
    pub vpc: VpcId,
    /// Its VNI.
    pub vni: u32,
    /// Our end, in the daemon's network namespace.
    pub local: IpAddr,
    /// The UDP port of both ends.
    pub port: u16,
    /// The other ends, of the family of `local`.
    pub vteps: BTreeSet<IpAddr>,
    /// Those of them from which VRRP is let in; `None` is all. It is not authenticated (RFC 9568 §9), and
    /// a virtual machine could say to be the Active Router.
    pub gateways: Option<BTreeSet<IpAddr>>,
}

/// A VXLAN device in a VPC's network namespace, whose datagrams come and go in the daemon's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// The VPC.
    pub vpc: VpcId,
    /// The device's name.
    pub name: String,
    /// The VPC's network namespace.
    pub netns: Option<String>,
    /// VXLAN Network Identifier.
    pub vni: u32,
    /// Our end.
    pub local: IpAddr,
    /// The UDP port of both ends.
    pub port: u16,
    /// Its MTU in bytes: the longest inner packet.
    pub mtu: u16,
    /// The other ends, to each of which goes what is for all hosts (head-end replication).
    pub vteps: BTreeSet<IpAddr>,
    /// Our addresses in the segment.
    pub addresses: BTreeSet<InterfaceAddress>,
}

/// A virtual router that is active in a segment receives what is sent to its Ethernet address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualMac {
    /// The VPC.
    pub vpc: VpcId,
    /// The VXLAN device.
    pub interface: String,
    /// The VRID.
    pub vrid: u8,
    /// The family of the virtual router.
    pub ipv4: bool,
}

impl VirtualMac {
    /// The address itself (RFC 9568 §7.3).
    pub fn mac(&self) -> MacAddress {
        virtual_mac(self.vrid, self.ipv4)
    }
}

/// What came to a segment, as the host last counted it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentCounters {
    /// What each VTEP has sent to us.
    pub vteps: BTreeMap<IpAddr, VtepCounters>,
    /// Packets of its VNI from others, to another address of ours, or of VRRP from no gateway.
    pub refused: u64,
    /// Packets of no VNI of ours, to the ends of any segment.
    pub unknown_vni: u64,
    /// Behind which VTEP a station was last heard.
    pub stations: BTreeMap<MacAddress, IpAddr>,
}

/// What one VTEP has sent to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VtepCounters {
    /// Packets.
    pub packets: u64,
    /// Bytes, with the outer headers.
    pub bytes: u64,
}

/// Below all guards and devices of a VPC's segment, each in its place among the wishes, and above
/// those of the VPCs before it.
pub(super) fn first_of(vpc: VpcId) -> [Wish; 2] {
    let lowest = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let (local, vteps) = (lowest, BTreeSet::new());
    let admission = Admission { vpc, vni: 0, local, port: 0, vteps, gateways: None };
    let segment = Segment {
        vpc,
        name: String::new(),
        netns: None,
        vni: 0,
        local: lowest,
        port: 0,
        mtu: 0,
        vteps: BTreeSet::new(),
        addresses: BTreeSet::new(),
    };
    [Wish::Admission(admission.into()), Wish::Segment(segment.into())]
}

/// The wishes of a VPC whose hosts live in a segment.
pub(super) fn wishes(vpc: VpcId, settings: &VpcConfig) -> Vec<Wish> {
    let Some(vxlan) = &settings.vxlan else { return Vec::new() };
    let VxlanConfig { vni, interface, local, port, vteps, gateways, mtu, addresses } = vxlan;
    let admission = Admission {
        vpc,
        vni: *vni,
        local: *local,
        port: *port,
        vteps: vteps.clone(),
        gateways: gateways.clone(),
    };
    let segment = Segment {
        vpc,
        name: interface.clone(),
        netns: settings.netns.clone(),
        vni: *vni,
        local: *local,
        port: *port,
        mtu: *mtu,
        vteps: vteps.clone(),
        addresses: addresses.clone(),
    };
    vec![Wish::Admission(admission.into()), Wish::Segment(segment.into())]
}

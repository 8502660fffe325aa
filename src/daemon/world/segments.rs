//! The VXLAN devices of VPCs, made and kept as they are wished for. A device that is as wished is
//! left alone; one that is not ours is never touched.

use crate::gateway::world::{Segment, VirtualMac};
use crate::net::{InterfaceAddress, VpcId};
use crate::os::netlink::{Netlink, Vxlan};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Makes sure of a segment. `underlay` is where its datagrams come and go, `inside` where its device
/// is.
pub(super) async fn set(segment: &Segment, underlay: &Netlink, inside: &Netlink) -> Result<()> {
    room(segment, underlay).await?;
    let wanted = device(segment);
    let standing = inside.our_vxlans().await?;
    let same = |one: &&Vxlan| one.name == wanted.name;
    match standing.iter().find(same) {
        Some(found) if *found == wanted => {}
        Some(found) if is_same(found, &wanted) => {
            inside.set_mtu(&wanted.name, wanted.mtu.into()).await?;
        }
        Some(found) => {
            inside.delete_link(&found.name).await?;
            make(segment, &wanted, underlay).await?;
        }
        None => make(segment, &wanted, underlay).await?,
    }
    flood(segment, inside).await?;
    if !inside.link(&wanted.name).await?.is_up {
        inside.keep_to_own_addresses(&wanted.name).await?;
        inside.set_up(&wanted.name).await?;
    }
    address(segment, inside).await
}

/// Takes a segment's device back, and with it all that stands on it.
pub(super) async fn remove(segment: &Segment, inside: &Netlink) -> Result<()> {
    let ours = inside.our_vxlans().await?;
    if ours.iter().any(|one| one.name == segment.name) {
        inside.delete_link(&segment.name).await?;
    }
    Ok(())
}

async fn make(segment: &Segment, wanted: &Vxlan, underlay: &Netlink) -> Result<()> {
    let netns = segment.netns.as_deref().context("the VPC has no network namespace")?;
    underlay.add_vxlan(wanted, netns).await
}

/// VTEPs must not fragment (RFC 7348 §4.3): what the underlay does not carry would be lost.
async fn room(segment: &Segment, underlay: &Netlink) -> Result<()> {
    let bearer = underlay.bearer(segment.local).await?;
    let Some(bearer) = bearer else {
        bail!("no device of the underlay has the address {}", segment.local);
    };
    let headers: u32 = if segment.local.is_ipv4() { 50 } else { 70 };
    let needed = u32::from(segment.mtu) + headers;
    if needed > bearer.mtu {
        bail!(
            "packets of {} bytes need {needed} of {}, whose MTU is {}; write mtu = {} in [vpc.vxlan]",
            segment.mtu,
            bearer.name,
            bearer.mtu,
            bearer.mtu.saturating_sub(headers)
        );
    }
    Ok(())
}

async fn flood(segment: &Segment, inside: &Netlink) -> Result<()> {
    let standing = inside.flood_list(&segment.name).await?;
    for vtep in standing.difference(&segment.vteps) {
        inside.take_from_flood_list(&segment.name, *vtep).await?;
    }
    for vtep in segment.vteps.difference(&standing) {
        inside.add_to_flood_list(&segment.name, *vtep).await?;
    }
    Ok(())
}

async fn address(segment: &Segment, inside: &Netlink) -> Result<()> {
    let standing: BTreeSet<InterfaceAddress> =
        inside.our_addresses(&segment.name).await?.into_iter().collect();
    for gone in standing.difference(&segment.addresses) {
        inside.remove_address(&segment.name, *gone).await?;
    }
    for new in segment.addresses.difference(&standing) {
        inside.add_address(&segment.name, *new).await?;
    }
    Ok(())
}

fn device(segment: &Segment) -> Vxlan {
    let Segment { name, vni, local, port, mtu, .. } = segment;
    Vxlan { name: name.clone(), vni: *vni, local: *local, port: *port, mtu: *mtu }
}

/// Whether one can become the other without being made anew.
fn is_same(one: &Vxlan, other: &Vxlan) -> bool {
    (one.vni, one.local, one.port) == (other.vni, other.local, other.port)
}

/// The segments in a namespace as they stand, for the VPC that lives there.
pub(super) async fn found(
    inside: &Netlink,
    netns: Option<&str>,
    vpc: VpcId,
) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for Vxlan { name, vni, local, port, mtu } in inside.our_vxlans().await? {
        let vteps: BTreeSet<IpAddr> = inside.flood_list(&name).await?;
        let addresses = inside.our_addresses(&name).await?.into_iter().collect();
        let netns = netns.map(str::to_owned);
        segments.push(Segment { vpc, name, netns, vni, local, port, mtu, vteps, addresses });
    }
    Ok(segments)
}

/// Receives for a virtual router.
pub(super) async fn set_virtual_mac(wish: &VirtualMac, inside: &Netlink) -> Result<()> {
    let name = name_of(wish);
    if !inside.our_macvlans().await?.contains(&name) {
        // Reserved, and so no host's (RFC 3927 §2.1).
        let address = [169, 254, 0, wish.vrid].into();
        inside.add_macvlan(&name, &wish.interface, wish.mac(), address).await?;
    }
    inside.set_up(&name).await
}

/// Receives for a virtual router no more.
pub(super) async fn remove_virtual_mac(wish: &VirtualMac, inside: &Netlink) -> Result<()> {
    let name = name_of(wish);
    if inside.our_macvlans().await?.contains(&name) {
        inside.delete_link(&name).await?;
    }
    Ok(())
}

/// The virtual routers of a namespace that receive, on the segment of the VPC that lives there.
pub(super) async fn found_virtual_macs(
    inside: &Netlink,
    vpc: VpcId,
    interface: &str,
) -> Result<Vec<VirtualMac>> {
    let read = |name: String| {
        let (ipv4, vrid) = match name.strip_prefix("vrrp6-") {
            Some(vrid) => (false, vrid),
            None => (true, name.strip_prefix("vrrp-")?),
        };
        let vrid = vrid.parse().ok()?;
        Some(VirtualMac { vpc, interface: interface.to_owned(), vrid, ipv4 })
    };
    Ok(inside.our_macvlans().await?.into_iter().filter_map(read).collect())
}

fn name_of(wish: &VirtualMac) -> String {
    let family = if wish.ipv4 { "" } else { "6" };
    format!("vrrp{family}-{}", wish.vrid)
}

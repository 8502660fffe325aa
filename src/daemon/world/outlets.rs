//! The devices by which translated packets of VPCs cross from one namespace to another, made and kept as
//! they are wished for. One that is not ours is never touched.

use crate::gateway::world::Outlet;
use crate::net::VpcId;
use crate::os::netlink::Netlink;
use crate::os::{caps, sysctl};
use anyhow::{Context, Result, bail};
use std::net::Ipv4Addr;

/// A strict filter of sources there would find no way back, because none stands in the main table.
const RP_FILTER: &str = "net.ipv4.conf.all.rp_filter";

/// Makes sure of an outlet between the underlay and the namespace of its VPC.
pub(super) async fn set(outlet: &Outlet, underlay: &Netlink, inside: &Netlink) -> Result<()> {
    let netns = outlet.netns.as_deref().context("the VPC has no network namespace")?;
    passable(netns)?;
    let name = &outlet.name;
    let both = underlay.has_our_veth(name).await? && inside.has_our_veth(name).await?;
    if !both {
        // One without the other leads into another namespace than it should.
        for netlink in [underlay, inside] {
            if netlink.has_our_veth(name).await? {
                netlink.delete_link(name).await?;
            }
        }
        underlay.add_outlet(name, netns, outlet.mtu.into()).await?;
    }
    for netlink in [inside, underlay] {
        if netlink.link(name).await?.mtu != u32::from(outlet.mtu) {
            netlink.set_mtu(name, outlet.mtu.into()).await?;
        }
    }
    underlay.believe_own_ways(name).await?;
    inside.believe_all_sources(name).await?;
    for netlink in [inside, underlay] {
        netlink.set_up(name).await?;
    }
    Ok(())
}

/// Makes sure that the host does not have a public address itself.
pub(super) async fn free(address: Ipv4Addr, underlay: &Netlink) -> Result<()> {
    match underlay.bearer(address.into()).await? {
        Some(link) => bail!(
            "{address} is an address of {} itself, and its packets end there: take it away \
             (ip addr del {address} dev {}), or translate another",
            link.name,
            link.name
        ),
        None => Ok(()),
    }
}

/// Takes an outlet back: with one end the other goes.
pub(super) async fn remove(outlet: &Outlet, inside: &Netlink) -> Result<()> {
    if inside.has_our_veth(&outlet.name).await? {
        inside.delete_link(&outlet.name).await?;
    }
    Ok(())
}

/// The outlets of the VPC that lives in a namespace, as they stand.
pub(super) async fn found(
    inside: &Netlink,
    netns: Option<&str>,
    vpc: VpcId,
) -> Result<Vec<Outlet>> {
    let outlet = |link: crate::os::netlink::Link| {
        let mtu = u16::try_from(link.mtu).unwrap_or(u16::MAX);
        // One that is down is none.
        let mtu = if link.is_up { mtu } else { 0 };
        Outlet { vpc, name: link.name, netns: netns.map(str::to_owned), mtu }
    };
    Ok(inside.our_veths().await?.into_iter().map(outlet).collect())
}

/// What would make the kernel drop in silence what crosses.
fn passable(netns: &str) -> Result<()> {
    for (namespace, whose) in [(None, "the gateway"), (Some(netns), netns)] {
        let remedies = caps::forwarding_off(namespace);
        if let Some(remedy) = remedies.iter().find(|one| one.contains("ipv4")) {
            let inside = namespace.map(|name| format!("ip netns exec {name} ")).unwrap_or_default();
            bail!("{whose} forwards no packets in its network namespace: {inside}{remedy}");
        }
    }
    if sysctl::read(Some(netns), RP_FILTER).is_ok_and(|value| value == "1") {
        bail!(
            "{RP_FILTER} is 1 in {netns}, which drops what comes from the world: \
             ip netns exec {netns} sysctl -w {RP_FILTER}=0"
        );
    }
    Ok(())
}

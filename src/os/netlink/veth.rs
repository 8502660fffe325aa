//! Pairs of devices that connect two namespaces from point to point. Ours bear [`super::PROTOCOL`] as
//! their device group from their making on.

use std::os::fd::AsRawFd;

use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkMessage,
};
use rtnetlink::{LinkMessageBuilder, LinkVeth};

use super::vxlan::{
    ADDR_GEN_MODE_NONE, GROUP, IFLA_INET6_ADDR_GEN_MODE, NESTED, RP_FILTER, attribute,
    inet_settings, is_ours, kind,
};
use super::{Link, Netlink, errno};
use crate::os::netns;

/// Both ends have it: neither asks for the other's, and what one sends is for the other.
const STATION: [u8; 6] = [0x02, 79, b'p', b'u', b'b', 0];

impl Netlink {
    /// Makes a pair of one name, with one end here and the other in another namespace. Nobody is asked for
    /// Ethernet addresses, so that neither end needs an address. Both are down.
    pub async fn add_outlet(&self, name: &str, namespace: &str, mtu: u32) -> Result<()> {
        let target = netns::open(namespace)?;
        let mut far = LinkMessage::default();
        far.header.flags = LinkFlags::Noarp;
        far.header.change_mask = LinkFlags::Noarp;
        far.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::NetNsFd(target.as_raw_fd()),
            LinkAttribute::Address(STATION.to_vec()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::Group(GROUP),
        ];
        let builder = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
            .name(name.to_owned())
            .set_info_data(InfoData::Veth(InfoVeth::Peer(far)))
            .append_extra_attribute(LinkAttribute::Address(STATION.to_vec()))
            .append_extra_attribute(LinkAttribute::Mtu(mtu))
            .append_extra_attribute(LinkAttribute::Group(GROUP));
        let mut message = builder.build();
        message.header.flags |= LinkFlags::Noarp;
        message.header.change_mask |= LinkFlags::Noarp;
        let made = self.handle.link().add(message).execute().await;
        match made {
            Err(error) if errno(&error) == Some(Errno::EEXIST) => {
                bail!("there is a device {name} here or in {namespace} already, which is not ours")
            }
            made => made.with_context(|| format!("making the devices {name} to {namespace}")),
        }
    }

    /// The ends of pairs of ours in this namespace.
    pub async fn our_veths(&self) -> Result<Vec<Link>> {
        let answers = self.handle.link().get().execute();
        let messages: Vec<LinkMessage> = answers.try_collect().await.context("listing devices")?;
        let ours = messages.iter().filter(|message| is_ours(message));
        let veths = ours.filter(|message| kind(message) == Some(&InfoKind::Veth));
        Ok(veths.map(Link::from_message).collect())
    }

    /// Whether a pair of ours has an end of that name in this namespace.
    pub async fn has_our_veth(&self, name: &str) -> Result<bool> {
        Ok(self.our_veths().await?.iter().any(|link| link.name == name))
    }

    /// Takes IPv4 packets from a device only if answers would leave by it, and has no IPv6 there.
    pub async fn believe_own_ways(&self, name: &str) -> Result<()> {
        self.configure(name, without_ipv6(inet_settings(&[(RP_FILTER, 1)]))).await
    }

    /// Takes packets from a device whatever their source, and has no IPv6 there.
    pub async fn believe_all_sources(&self, name: &str) -> Result<()> {
        self.configure(name, without_ipv6(inet_settings(&[(RP_FILTER, 0)]))).await
    }
}

fn without_ipv6(mut settings: Vec<u8>) -> Vec<u8> {
    settings.extend(attribute(
        nix::libc::AF_INET6 as u16 | NESTED,
        &attribute(IFLA_INET6_ADDR_GEN_MODE, &[ADDR_GEN_MODE_NONE]),
    ));
    settings
}

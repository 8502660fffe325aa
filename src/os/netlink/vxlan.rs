//! VXLAN devices (RFC 7348), what they know of other VTEPs, and further Ethernet addresses on them.
//!
//! Ours bear the number [`PROTOCOL`] as their device group, which they have from their making on, so
//! that no crash leaves one that cannot be told from somebody else's.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use nix::errno::Errno;
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage, MacVlanMode,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{LinkMacVlan, LinkUnspec, LinkVxlan};

use super::{Link, Netlink, PROTOCOL, errno, unless};
use crate::net::{InterfaceAddress, MacAddress};
use crate::os::netns;

/// Our device group.
pub(super) const GROUP: u32 = PROTOCOL as u32;
/// Where frames go whose destination is not known, or is a group: to every VTEP of this entry.
const EVERYBODY: MacAddress = MacAddress::UNKNOWN;

// `linux/if_link.h`, `linux/ip.h`
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET_CONF: u16 = 1;
pub(super) const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
pub(super) const ADDR_GEN_MODE_NONE: u8 = 1;
pub(super) const NESTED: u16 = 1 << 15;
pub(super) const RP_FILTER: u16 = 8;
const ARP_ANNOUNCE: u16 = 18;
const ARP_IGNORE: u16 = 19;

/// The Ethernet address of our end. It follows from the address on the underlay, which no other station
/// of the segment has, so that hosts keep their ARP entries when the device is made anew.
fn own_station(local: IpAddr) -> [u8; 6] {
    const LOCALLY_ADMINISTERED: u8 = 0x02;
    let [a, b, c, d] = match local {
        IpAddr::V4(four) => four.octets(),
        IpAddr::V6(six) => {
            let fold = |folded: [u8; 4], word: &[u8]| {
                std::array::from_fn(|at| folded[at].rotate_left(1) ^ word[at])
            };
            six.octets().chunks_exact(4).fold([0; 4], fold)
        }
    };
    [LOCALLY_ADMINISTERED, 79, a, b, c, d]
}

/// A VXLAN device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// Its name.
    pub name: String,
    /// VXLAN Network Identifier.
    pub vni: u32,
    /// Our end.
    pub local: IpAddr,
    /// The UDP port of all ends.
    pub port: u16,
    /// Its MTU in bytes.
    pub mtu: u16,
}

impl Netlink {
    /// Makes a VXLAN device in another namespace, whose datagrams come and go in this one. It has no
    /// address yet and is down.
    pub async fn add_vxlan(&self, vxlan: &Vxlan, namespace: &str) -> Result<()> {
        let target = netns::open(namespace)?;
        let message = LinkVxlan::new(&vxlan.name, vxlan.vni)
            .port(vxlan.port)
            .learning(true)
            .append_extra_attribute(LinkAttribute::Mtu(vxlan.mtu.into()))
            .append_extra_attribute(LinkAttribute::Group(GROUP))
            .append_extra_attribute(LinkAttribute::Address(own_station(vxlan.local).to_vec()))
            .setns_by_fd(target.as_raw_fd());
        let message = match vxlan.local {
            IpAddr::V4(local) => message.local(local),
            // IPv6 wants a checksum, and some hardware sends none (RFC 6935 §5).
            IpAddr::V6(local) => message.local6(local).udp_zero_csum6_rx(true),
        };
        let made = self.handle.link().add(message.build()).execute().await;
        let doing = || format!("making the VXLAN device {} in {namespace}", vxlan.name);
        match made {
            Err(error) if errno(&error) == Some(Errno::EEXIST) => bail!(
                "there is a device {} already, or another with VNI {} and port {}, which is not ours",
                vxlan.name,
                vxlan.vni,
                vxlan.port
            ),
            made => made.with_context(doing),
        }
    }

    /// The VXLAN devices of ours in this namespace.
    pub async fn our_vxlans(&self) -> Result<Vec<Vxlan>> {
        let answers = self.handle.link().get().execute();
        let messages: Vec<LinkMessage> = answers.try_collect().await.context("listing devices")?;
        Ok(messages.iter().filter(|message| is_ours(message)).filter_map(read).collect())
    }

    /// The names of the devices with further Ethernet addresses of ours in this namespace.
    pub async fn our_macvlans(&self) -> Result<Vec<String>> {
        let answers = self.handle.link().get().execute();
        let messages: Vec<LinkMessage> = answers.try_collect().await.context("listing devices")?;
        let ours = messages.iter().filter(|message| is_ours(message));
        let macvlans = ours.filter(|message| kind(message) == Some(&InfoKind::MacVlan));
        Ok(macvlans.map(|message| Link::from_message(message).name).collect())
    }

    /// Answers ARP on a device for its own addresses only, and speaks from them only: those of other
    /// devices may stand for a virtual router, which has an Ethernet address of its own.
    pub async fn keep_to_own_addresses(&self, name: &str) -> Result<()> {
        let settings = inet_settings(&[(ARP_IGNORE, 1), (ARP_ANNOUNCE, 2)]);
        self.configure(name, settings).await
    }

    /// Receives what is sent to `mac` on a device, by another device on top of it. Nothing is ever
    /// sent from there: it answers nobody. `address` is one that nobody uses; without any the kernel
    /// believes no source of IPv4 packets that come in by another device than answers would go out by
    /// (`rp_filter` in `ip-sysctl`).
    pub async fn add_macvlan(
        &self,
        name: &str,
        parent: &str,
        mac: MacAddress,
        address: IpAddr,
    ) -> Result<()> {
        let parent = self.link(parent).await?;
        // A bridge among its like: a frame from the same address elsewhere reaches the parent, too.
        let message = LinkMacVlan::new(name, parent.index, MacVlanMode::Bridge)
            .address(mac.0.to_vec())
            .append_extra_attribute(LinkAttribute::Group(GROUP))
            .build();
        let made = self.handle.link().add(message).execute().await;
        made.with_context(|| format!("making the device {name} for {mac}"))?;
        // A packet may come from any host, whatever way leads back to it.
        let mut settings = inet_settings(&[(ARP_IGNORE, 1), (RP_FILTER, 2)]);
        settings.extend(attribute(
            nix::libc::AF_INET6 as u16 | NESTED,
            &attribute(IFLA_INET6_ADDR_GEN_MODE, &[ADDR_GEN_MODE_NONE]),
        ));
        self.configure(name, settings).await?;
        self.add_address(name, InterfaceAddress::host(address)).await
    }

    /// Changes settings of a device by family.
    pub(super) async fn configure(&self, name: &str, settings: Vec<u8>) -> Result<()> {
        let index = self.link(name).await?.index;
        let settings = LinkAttribute::Other(DefaultNla::new(IFLA_AF_SPEC | NESTED, settings));
        let message = LinkUnspec::new_with_index(index).append_extra_attribute(settings).build();
        let changed = self.handle.link().set(message).execute().await;
        changed.with_context(|| format!("changing the settings of device {name}"))
    }

    /// The VTEPs to which a device sends what is for everybody.
    pub async fn flood_list(&self, device: &str) -> Result<BTreeSet<IpAddr>> {
        let entries = self.forwarding_entries(device).await?;
        let everybody = entries.into_iter().filter(|(mac, _)| *mac == EVERYBODY);
        Ok(everybody.map(|(_, vtep)| vtep).collect())
    }

    /// Behind which VTEP a device has learned each station to be.
    pub async fn stations(&self, device: &str) -> Result<Vec<(MacAddress, IpAddr)>> {
        let entries = self.forwarding_entries(device).await?;
        Ok(entries.into_iter().filter(|(mac, _)| *mac != EVERYBODY).collect())
    }

    async fn forwarding_entries(&self, device: &str) -> Result<Vec<(MacAddress, IpAddr)>> {
        let index = self.link(device).await?.index;
        let mut request = self.handle.neighbours().get().set_address_family(AddressFamily::Bridge);
        request.message_mut().header.ifindex = index;
        let entries: Vec<NeighbourMessage> =
            request.execute().try_collect().await.context("listing the stations of a device")?;
        let here = entries.iter().filter(|entry| entry.header.ifindex == index);
        Ok(here.filter_map(station).collect())
    }

    /// Sends to a VTEP what is for everybody, too.
    pub async fn add_to_flood_list(&self, device: &str, vtep: IpAddr) -> Result<()> {
        let message = self.flood_entry(device, vtep).await?;
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(message));
        // Beside the entries that are there: they all have one Ethernet address.
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND;
        let mut answers = self.handle.clone().request(request).context("asking the kernel")?;
        let mut outcome = Ok(());
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload
                && error.code.is_some()
            {
                outcome = Err(rtnetlink::Error::NetlinkError(error));
            }
        }
        unless(outcome, &[Errno::EEXIST])
            .with_context(|| format!("adding the VTEP {vtep} to {device}"))
    }

    /// Does not send to a VTEP what is for everybody any more.
    pub async fn take_from_flood_list(&self, device: &str, vtep: IpAddr) -> Result<()> {
        let message = self.flood_entry(device, vtep).await?;
        let removed = self.handle.neighbours().del(message).execute().await;
        unless(removed, &[Errno::ENOENT])
            .with_context(|| format!("taking the VTEP {vtep} from {device}"))
    }

    async fn flood_entry(&self, device: &str, vtep: IpAddr) -> Result<NeighbourMessage> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = self.link(device).await?.index;
        message.header.state = NeighbourState::Permanent;
        message.header.flags = NeighbourFlags::Own;
        message.attributes = vec![
            NeighbourAttribute::LinkLayerAddress(EVERYBODY.0.to_vec()),
            NeighbourAttribute::Destination(match vtep {
                IpAddr::V4(vtep) => NeighbourAddress::Inet(vtep),
                IpAddr::V6(vtep) => NeighbourAddress::Inet6(vtep),
            }),
        ];
        Ok(message)
    }
}

pub(super) fn is_ours(message: &LinkMessage) -> bool {
    message.attributes.contains(&LinkAttribute::Group(GROUP))
}

fn link_infos(message: &LinkMessage) -> impl Iterator<Item = &LinkInfo> {
    message.attributes.iter().flat_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => infos.as_slice(),
        _ => &[],
    })
}

pub(super) fn kind(message: &LinkMessage) -> Option<&InfoKind> {
    link_infos(message).find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    })
}

/// The VXLAN device that a message shows, if it does.
fn read(message: &LinkMessage) -> Option<Vxlan> {
    let settings = link_infos(message).find_map(|info| match info {
        LinkInfo::Data(InfoData::Vxlan(settings)) => Some(settings),
        _ => None,
    })?;
    let link = Link::from_message(message);
    let (mut vni, mut local, mut port) = (None, None, None);
    for setting in settings {
        match setting {
            InfoVxlan::Id(id) => vni = Some(*id),
            InfoVxlan::Local(address) => local = Some(IpAddr::V4(*address)),
            InfoVxlan::Local6(address) => local = Some(IpAddr::V6(*address)),
            InfoVxlan::Port(number) => port = Some(*number),
            _ => {}
        }
    }
    let mtu = u16::try_from(link.mtu).unwrap_or(u16::MAX);
    Some(Vxlan { name: link.name, vni: vni?, local: local?, port: port?, mtu })
}

fn station(entry: &NeighbourMessage) -> Option<(MacAddress, IpAddr)> {
    let mac = entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(octets) => octets.as_slice().try_into().ok(),
        _ => None,
    })?;
    let vtep = entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(vtep)) => Some(IpAddr::V4(*vtep)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(vtep)) => Some(IpAddr::V6(*vtep)),
        // Entries of a bridge do not say of which family it is.
        NeighbourAttribute::Destination(NeighbourAddress::Other(octets)) => {
            let four = <[u8; 4]>::try_from(octets.as_slice()).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(octets.as_slice()).map(IpAddr::from)).ok()
        }
        _ => None,
    })?;
    Some((MacAddress(mac), vtep))
}

/// `IFLA_INET_CONF` in its family: settings of `/proc/sys/net/ipv4/conf/DEVICE`, which this way need
/// no file system.
pub(super) fn inet_settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let settings: Vec<u8> = settings
        .iter()
        .flat_map(|(setting, value)| attribute(*setting, &value.to_ne_bytes()))
        .collect();
    attribute(nix::libc::AF_INET as u16 | NESTED, &attribute(IFLA_INET_CONF | NESTED, &settings))
}

/// A netlink attribute, padded to four octets.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut octets = Vec::with_capacity(8 + value.len());
    octets.extend(length.to_ne_bytes());
    octets.extend(kind.to_ne_bytes());
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

//! Network devices.

use std::os::fd::AsRawFd;

use anyhow::{Context, Result, anyhow};
use futures::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, State};
use rtnetlink::{LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::{Netlink, errno, unless};
use crate::net::MacAddress;
use crate::os::netns;

/// A device as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number that every other request names it by.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Set up by an administrator.
    pub is_up: bool,
    /// Up and able to carry packets: has a carrier.
    pub is_running: bool,
    /// Largest packet in bytes, without the link-layer header.
    pub mtu: u32,
    /// Ethernet address, for devices that have one.
    pub mac: Option<MacAddress>,
}

impl Link {
    pub(super) fn from_message(message: &LinkMessage) -> Self {
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            is_up: message.header.flags.contains(LinkFlags::Up),
            is_running: message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
            mtu: 0,
            mac: None,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::Address(mac) => {
                    link.mac = mac.as_slice().try_into().ok().map(MacAddress);
                }
                LinkAttribute::OperState(State::Down | State::LowerLayerDown) => {
                    link.is_running = false;
                }
                _ => {}
            }
        }
        link
    }
}

impl Netlink {
    /// A device by name; an error when there is none.
    pub async fn link(&self, name: &str) -> Result<Link> {
        self.find_link(name).await?.ok_or_else(|| anyhow!("there is no network device {name}"))
    }

    /// A device by name, if there is one.
    pub async fn find_link(&self, name: &str) -> Result<Option<Link>> {
        let mut answers = self.handle.link().get().match_name(name).execute();
        match answers.try_next().await {
            Ok(message) => Ok(message.as_ref().map(Link::from_message)),
            Err(error) if errno(&error) == Some(Errno::ENODEV) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking for device {name}")),
        }
    }

    /// All devices.
    pub async fn links(&self) -> Result<Vec<Link>> {
        let answers = self.handle.link().get().execute();
        let messages: Vec<LinkMessage> = answers.try_collect().await.context("listing devices")?;
        Ok(messages.iter().map(Link::from_message).collect())
    }

    /// Makes a pair of connected Ethernet devices.
    pub async fn add_veth(&self, name: &str, peer: &str) -> Result<()> {
        let message = LinkVeth::new(name, peer).build();
        let made = self.handle.link().add(message).execute().await;
        made.with_context(|| format!("making the veth pair {name} and {peer}"))
    }

    /// Makes a bridge that forwards at once (no spanning tree) and floods all multicast.
    pub async fn add_bridge(&self, name: &str) -> Result<()> {
        let message = LinkBridge::new(name).forward_delay(0).mcast_snooping(false).build();
        let made = self.handle.link().add(message).execute().await;
        made.with_context(|| format!("making the bridge {name}"))
    }

    /// Deletes a device.
    pub async fn delete_link(&self, name: &str) -> Result<()> {
        let Some(link) = self.find_link(name).await? else { return Ok(()) };
        let deleted = self.handle.link().del(link.index).execute().await;
        unless(deleted, &[Errno::ENODEV]).with_context(|| format!("deleting device {name}"))
    }

    /// Sets a device up.
    pub async fn set_up(&self, name: &str) -> Result<()> {
        self.change(name, "setting up", LinkMessageBuilder::up).await
    }

    /// Sets a device down.
    pub async fn set_down(&self, name: &str) -> Result<()> {
        self.change(name, "setting down", LinkMessageBuilder::down).await
    }

    /// Sets a device's MTU in bytes.
    pub async fn set_mtu(&self, name: &str, mtu: u32) -> Result<()> {
        self.change(name, "setting the MTU of", |link| link.mtu(mtu)).await
    }

    /// Makes a device a port of a bridge.
    pub async fn set_bridge(&self, name: &str, bridge: &str) -> Result<()> {
        let index = self.link(bridge).await?.index;
        self.change(name, "adding to its bridge", |link| link.controller(index)).await
    }

    /// Takes a device out of its bridge.
    pub async fn leave_bridge(&self, name: &str) -> Result<()> {
        self.change(name, "taking from its bridge", |link| link.controller(0)).await
    }

    /// Renames a device, which must be down.
    pub async fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        self.change(name, "renaming", |link| link.name(new_name)).await
    }

    /// Moves a device to a named namespace, where it arrives down and without addresses.
    pub async fn move_link(&self, name: &str, namespace: &str) -> Result<()> {
        let target = netns::open(namespace)?;
        let descriptor = target.as_raw_fd();
        self.change(name, "moving", |link| link.setns_by_fd(descriptor)).await
    }

    async fn change(
        &self,
        name: &str,
        doing: &str,
        edit: impl FnOnce(LinkMessageBuilder<LinkUnspec>) -> LinkMessageBuilder<LinkUnspec>,
    ) -> Result<()> {
        let index = self.link(name).await?.index;
        let message = edit(LinkUnspec::new_with_index(index)).build();
        let changed = self.handle.link().set(message).execute().await;
        changed.with_context(|| format!("{doing} device {name}"))
    }
}

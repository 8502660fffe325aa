//! Addresses of devices.

use std::net::IpAddr;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
};

use super::{Link, Netlink, PROTOCOL, unless};
use crate::net::InterfaceAddress;

impl Netlink {
    /// Gives a device an address, usable at once: duplicate address detection (RFC 4862 §5.4)
    /// is left out, since a gateway that takes over cannot wait a second for it.
    pub async fn add_address(&self, device: &str, address: InterfaceAddress) -> Result<()> {
        let index = self.link(device).await?.index;
        let handle = self.handle.address();
        let mut request = handle.add(index, address.address, address.prefix_len);
        let message = request.message_mut();
        message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(self.protocol)));
        if address.address.is_ipv6() {
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        unless(request.execute().await, &[Errno::EEXIST])
            .with_context(|| format!("adding {address} to {device}"))
    }

    /// Takes an address from a device. A device that is gone has none.
    pub async fn remove_address(&self, device: &str, address: InterfaceAddress) -> Result<()> {
        for message in self.address_messages(device).await? {
            if read(&message) == Some(address) {
                let removed = self.handle.address().del(message).execute().await;
                unless(removed, &[Errno::EADDRNOTAVAIL, Errno::ENODEV])
                    .with_context(|| format!("removing {address} from {device}"))?;
            }
        }
        Ok(())
    }

    /// The addresses of a device, link-local ones included.
    pub async fn addresses(&self, device: &str) -> Result<Vec<InterfaceAddress>> {
        Ok(self.address_messages(device).await?.iter().filter_map(read).collect())
    }

    /// The addresses of a device that carry our [`PROTOCOL`].
    pub async fn our_addresses(&self, device: &str) -> Result<Vec<InterfaceAddress>> {
        let messages = self.address_messages(device).await?;
        Ok(messages.iter().filter(|message| is_ours(message)).filter_map(read).collect())
    }

    /// The device that bears an address, if one does.
    pub async fn bearer(&self, address: IpAddr) -> Result<Option<Link>> {
        let answers = self.handle.address().get().execute();
        let messages: Vec<AddressMessage> =
            answers.try_collect().await.context("listing addresses")?;
        let bears =
            |message: &&AddressMessage| read(message).is_some_and(|one| one.address == address);
        let Some(index) = messages.iter().find(bears).map(|one| one.header.index) else {
            return Ok(None);
        };
        Ok(self.links().await?.into_iter().find(|link| link.index == index))
    }

    async fn address_messages(&self, device: &str) -> Result<Vec<AddressMessage>> {
        let Some(link) = self.find_link(device).await? else { return Ok(Vec::new()) };
        let answers = self.handle.address().get().set_link_index_filter(link.index).execute();
        answers.try_collect().await.with_context(|| format!("listing the addresses of {device}"))
    }
}

fn is_ours(message: &AddressMessage) -> bool {
    let ours = AddressAttribute::Protocol(AddressProtocol::Other(PROTOCOL));
    message.attributes.contains(&ours)
}

/// `IFA_LOCAL` is the device's own end, `IFA_ADDRESS` the other end where there is one.
pub(super) fn read(message: &AddressMessage) -> Option<InterfaceAddress> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let any = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    let address = local.or(any)?;
    Some(InterfaceAddress { address, prefix_len: message.header.prefix_len })
}

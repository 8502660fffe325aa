//! Addresses of devices.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
};

use super::{Netlink, PROTOCOL, unless};

/// An address with the length of its on-link prefix, such as `10.1.1.2/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceAddress {
    /// The address, host bits included.
    pub address: IpAddr,
    /// How many leading bits are the network.
    pub prefix_len: u8,
}

impl InterfaceAddress {
    /// An address that is alone on its link: /32 or /128.
    pub fn host(address: IpAddr) -> Self {
        InterfaceAddress { address, prefix_len: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl FromStr for InterfaceAddress {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let (address, prefix_len) =
            text.split_once('/').with_context(|| format!("'{text}' has no prefix length"))?;
        let address: IpAddr =
            address.parse().with_context(|| format!("'{address}' is no address"))?;
        let prefix_len: u8 = prefix_len.parse().with_context(|| format!("'{text}' is odd"))?;
        if prefix_len > InterfaceAddress::host(address).prefix_len {
            bail!("'{text}' has too long a prefix");
        }
        Ok(InterfaceAddress { address, prefix_len })
    }
}

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

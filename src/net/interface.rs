//! An address as a device has it: with the length of its network.

use super::Prefix;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address with the length of its on-link prefix, such as `10.1.1.2/24`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceAddress {
    /// The address, host bits included.
    pub address: IpAddr,
    /// How many leading bits are the network.
    pub prefix_len: u8,
}

/// A text that is no address with a length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address with a length, such as \"10.1.1.2/24\"")]
pub struct ParseInterfaceAddressError(String);

impl InterfaceAddress {
    /// An address that is alone on its link: /32 or /128.
    pub fn host(address: IpAddr) -> Self {
        InterfaceAddress { address, prefix_len: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The network that it is in.
    pub fn network(&self) -> Option<Prefix> {
        Prefix::containing(self.address, self.prefix_len)
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl fmt::Debug for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for InterfaceAddress {
    type Err = ParseInterfaceAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (address, length) = text.split_once('/')?;
            let (address, prefix_len): (IpAddr, u8) = (address.parse().ok()?, length.parse().ok()?);
            let fits = prefix_len <= InterfaceAddress::host(address).prefix_len;
            fits.then_some(InterfaceAddress { address, prefix_len })
        };
        parsed().ok_or_else(|| ParseInterfaceAddressError(text.to_owned()))
    }
}

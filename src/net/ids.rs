//! Numbers with a role, each in a type of its own.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Security Parameters Index of an ESP SA (RFC 4303 §2.1), in host byte order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EspSpi(pub u32);

impl EspSpi {
    /// The lowest SPI that may be given to an SA; 1 to 255 are reserved by IANA (RFC 4303 §2.1).
    pub const FIRST: EspSpi = EspSpi(256);
}

impl fmt::Display for EspSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for EspSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EspSpi({self})")
    }
}

/// One VPC of this gateway, numbered by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VpcId(pub u16);

impl VpcId {
    /// Stands for the underlay where interfaces are named by their VPC. No configuration has so many VPCs.
    pub const UNDERLAY: VpcId = VpcId(u16::MAX);
}

/// One configured peer, which is one tunnel for one VPC. The number stays the same over a
/// reload as long as the names of the remote gateway and of the VPC do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId(pub u32);

/// One configured remote gateway, to which there is a tunnel for each VPC that both serve. The
/// number stays the same over a reload as long as the gateway's name does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemoteId(pub u32);

/// A four-octet autonomous system number (RFC 6793).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Asn(pub u32);

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

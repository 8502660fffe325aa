//! Public addresses, and services of this host, as values.

use crate::net::Prefix;
use crate::wire::ip::protocol;
use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

/// A public address of a host, or of a service of one: `[[vpc.public]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicConfig {
    /// The public address.
    pub address: Ipv4Addr,
    /// The ports that are translated; empty is the whole address, in both directions.
    pub ports: Vec<ServiceConfig>,
    /// The host.
    pub to: Ipv4Addr,
    /// Its port, where it is another than the public one.
    pub to_port: Option<u16>,
}

/// A public address from which hosts speak to the world: `[[vpc.egress]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressConfig {
    /// The public address.
    pub address: Ipv4Addr,
    /// The hosts.
    pub from: Vec<Prefix>,
    /// The ports that this gateway may use of it.
    pub ports: RangeInclusive<u16>,
}

/// Services of this host at its own addresses in the VPC: an item of `services`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// The protocol: TCP, UDP or SCTP.
    pub protocol: u8,
    /// Its ports.
    pub ports: RangeInclusive<u16>,
}

impl ServiceConfig {
    /// The protocol's name.
    pub fn protocol_name(&self) -> &'static str {
        match self.protocol {
            protocol::TCP => "tcp",
            protocol::UDP => "udp",
            _ => "sctp",
        }
    }
}

impl fmt::Display for ServiceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.ports.start(), self.ports.end());
        write!(f, "{}/{first}", self.protocol_name())?;
        if first == last { Ok(()) } else { write!(f, "-{last}") }
    }
}

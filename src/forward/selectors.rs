//! Traffic selectors of an SA, as the packet path asks them (RFC 4301 §4.4.1.1, RFC 7296 §2.9).

use crate::net::AddressRange;
use crate::wire::ike::TrafficSelector;
use std::net::IpAddr;
use std::sync::Arc;

/// The selectors of one side of an SA; a packet must match one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectors(Arc<[TrafficSelector]>);

impl Selectors {
    /// Whether one of the selectors takes some ports only.
    pub fn name_ports(&self) -> bool {
        self.0.iter().any(|selector| (selector.start_port, selector.end_port) != (0, u16::MAX))
    }

    /// The addresses that the selectors take with all protocols and ports.
    pub fn whole(&self) -> impl Iterator<Item = AddressRange> {
        let whole = self.0.iter().filter(|selector| selector.is_whole());
        whole.map(|selector| selector.addresses)
    }

    /// The addresses that the selectors take, if only with some protocols or ports.
    pub fn addresses(&self) -> impl Iterator<Item = AddressRange> {
        self.0.iter().map(|selector| selector.addresses)
    }

    /// Whether one of the selectors takes this end of a packet. `port` is `None` where the packet
    /// shows none: a later fragment, or a protocol without ports.
    pub fn permit(&self, address: IpAddr, protocol: u8, port: Option<u16>) -> bool {
        self.0.iter().any(|selector| permits(selector, address, protocol, port))
    }
}

fn permits(selector: &TrafficSelector, address: IpAddr, protocol: u8, port: Option<u16>) -> bool {
    let any_protocol = selector.protocol == 0;
    (any_protocol || selector.protocol == protocol)
        && permits_port(selector, port)
        && selector.addresses.contains(address)
}

/// A range of all ports takes what has none, too; so does OPAQUE, and nothing else
/// (RFC 7296 §3.13.1).
fn permits_port(selector: &TrafficSelector, port: Option<u16>) -> bool {
    let all = (selector.start_port, selector.end_port) == (0, u16::MAX);
    let opaque = (selector.start_port, selector.end_port) == (u16::MAX, 0);
    match port {
        _ if all => true,
        None => opaque,
        Some(port) => (selector.start_port..=selector.end_port).contains(&port),
    }
}

impl FromIterator<TrafficSelector> for Selectors {
    fn from_iter<I: IntoIterator<Item = TrafficSelector>>(selectors: I) -> Self {
        Selectors(selectors.into_iter().collect())
    }
}

impl From<&[TrafficSelector]> for Selectors {
    fn from(selectors: &[TrafficSelector]) -> Self {
        Selectors(selectors.into())
    }
}

#[cfg(test)]
mod tests;

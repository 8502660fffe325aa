//! Traffic Selector payloads (RFC 7296 §3.13).

use super::{TsType, limits};
use crate::net::AddressRange;
use crate::wire::{DecodeError, Fault, Reader, Writer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The packets of one protocol whose address and port lie in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrafficSelector {
    /// IP protocol number; 0 is any protocol.
    pub protocol: u8,
    /// Lowest port (for ICMP: type and code, RFC 7296 §3.13.1).
    pub start_port: u16,
    /// Highest port. 0 with `start_port` 65535 means OPAQUE: ports that cannot be seen.
    pub end_port: u16,
    /// The addresses; their family makes the selector's type.
    pub addresses: AddressRange,
}

impl TrafficSelector {
    /// The selector of all traffic to or from `addresses`.
    pub fn any_protocol(addresses: impl Into<AddressRange>) -> TrafficSelector {
        TrafficSelector {
            protocol: 0,
            start_port: 0,
            end_port: u16::MAX,
            addresses: addresses.into(),
        }
    }

    /// Whether it takes all protocols and ports of its addresses.
    pub fn is_whole(&self) -> bool {
        (self.protocol, self.start_port, self.end_port) == (0, 0, u16::MAX)
    }

    /// The type that the selector has on the wire.
    pub fn ts_type(&self) -> TsType {
        if self.addresses.is_ipv4() { TsType::IPV4_ADDR_RANGE } else { TsType::IPV6_ADDR_RANGE }
    }
}

impl fmt::Display for TrafficSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.addresses)?;
        if self.protocol != 0 {
            write!(f, " protocol {}", self.protocol)?;
        }
        if (self.start_port, self.end_port) != (0, u16::MAX) {
            write!(f, " ports {}-{}", self.start_port, self.end_port)?;
        }
        Ok(())
    }
}

/// A selector of a type that we do not know; narrowing leaves it out (RFC 7296 §2.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTrafficSelector {
    /// Its type.
    pub ts_type: TsType,
    /// The octet that is the IP protocol in the types that we know.
    pub protocol: u8,
    /// All that follows the selector's length field.
    pub body: Vec<u8>,
}

/// The contents of one TSi or TSr payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficSelectors {
    /// Address ranges, in the order of the payload.
    pub selectors: Vec<TrafficSelector>,
    /// What else was in it; encoded behind the address ranges.
    pub unknown: Vec<UnknownTrafficSelector>,
}

impl From<Vec<TrafficSelector>> for TrafficSelectors {
    fn from(selectors: Vec<TrafficSelector>) -> Self {
        TrafficSelectors { selectors, unknown: Vec::new() }
    }
}

impl TrafficSelectors {
    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(reader.u8()?);
        reader.array::<3>()?; // RESERVED
        if count > limits::SELECTORS {
            return Err(reader.error(Fault::TooMany { limit: limits::SELECTORS }));
        }
        let mut all = TrafficSelectors::default();
        for _ in 0..count {
            all.take_selector(&mut reader)?;
        }
        reader.finish()?;
        Ok(all)
    }

    fn take_selector(&mut self, outer: &mut Reader<'_>) -> Result<(), DecodeError> {
        let ts_type = TsType(outer.u8()?);
        let protocol = outer.u8()?;
        let length = outer.u16()?;
        let mut reader = outer.nested_after("traffic selector", length, 4)?;
        match ts_type {
            TsType::IPV4_ADDR_RANGE => {
                self.selectors.push(address_range(protocol, reader, |r| {
                    Ok(IpAddr::from(Ipv4Addr::from(r.array::<4>()?)))
                })?);
            }
            TsType::IPV6_ADDR_RANGE => {
                self.selectors.push(address_range(protocol, reader, |r| {
                    Ok(IpAddr::from(Ipv6Addr::from(r.array::<16>()?)))
                })?);
            }
            _ => {
                let body = reader.rest().to_vec();
                self.unknown.push(UnknownTrafficSelector { ts_type, protocol, body });
            }
        }
        Ok(())
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let count = self.selectors.len() + self.unknown.len();
        writer.u8(u8::try_from(count).unwrap_or(u8::MAX));
        writer.zeros(3); // RESERVED
        for selector in &self.selectors {
            selector.encode(writer);
        }
        for unknown in &self.unknown {
            writer.u8(unknown.ts_type.0);
            writer.u8(unknown.protocol);
            writer.length_u16(2).bytes(&unknown.body);
        }
    }
}

fn address_range<'a>(
    protocol: u8,
    mut reader: Reader<'a>,
    address: impl Fn(&mut Reader<'a>) -> Result<IpAddr, DecodeError>,
) -> Result<TrafficSelector, DecodeError> {
    let start_port = reader.u16()?;
    let end_port = reader.u16()?;
    let (first, last) = (address(&mut reader)?, address(&mut reader)?);
    let Some(addresses) = AddressRange::new(first, last) else {
        return Err(reader.invalid("the ending address is below the starting address"));
    };
    reader.finish()?;
    Ok(TrafficSelector { protocol, start_port, end_port, addresses })
}

impl TrafficSelector {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.ts_type().0);
        writer.u8(self.protocol);
        let mut body = writer.length_u16(2);
        body.u16(self.start_port);
        body.u16(self.end_port);
        for address in [self.addresses.first(), self.addresses.last()] {
            match address {
                IpAddr::V4(v4) => body.bytes(&v4.octets()),
                IpAddr::V6(v6) => body.bytes(&v6.octets()),
            }
        }
    }
}

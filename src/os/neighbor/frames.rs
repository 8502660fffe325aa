//! Questions about addresses and their answers, as Ethernet frames.
//!
//! ```text
//!  ARP (RFC 826)        eth 14 │ htype 2 ptype 2 hlen 1 plen 1 oper 2 │ sha 6 spa 4 tha 6 tpa 4
//!  NS  (RFC 4861 §4.3)  eth 14 │ IPv6 40 │ type 1 code 1 sum 2 reserved 4 target 16 options…
//!  NA  (RFC 4861 §4.4)  eth 14 │ IPv6 40 │ type 1 code 1 sum 2 flags 4 target 16 │ option 8
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::os::packet::{EtherType, Mac};

pub(super) const ICMPV6: u8 = 58;
pub(super) const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const HOP_LIMIT: u8 = 255;
/// Ethernet, IPv4, lengths 6 and 4.
const ARP_SHAPE: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ARP_REQUEST: [u8; 2] = [0, 1];
const ARP_REPLY: [u8; 2] = [0, 2];
/// Flags of an advertisement: from a router, solicited, overriding what is cached.
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// Somebody on the link wants to know where `target` is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) target: IpAddr,
    asker_mac: Mac,
    asker: IpAddr,
}

impl Question {
    /// The frame that says: at `own`.
    pub(super) fn answer(&self, own: Mac) -> Vec<u8> {
        match (self.target, self.asker) {
            (IpAddr::V4(target), IpAddr::V4(asker)) => {
                arp_reply(own, target, self.asker_mac, asker)
            }
            (IpAddr::V6(target), IpAddr::V6(asker)) => {
                advertisement(own, target, self.asker_mac, asker)
            }
            // `parse` makes both of one family.
            _ => Vec::new(),
        }
    }
}

/// The group on which an address is asked for (RFC 4291 §2.7.1).
pub(super) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let low = u128::from(u32::from_be_bytes([0, a, b, c]));
    Ipv6Addr::from_bits(0xff02_0000_0000_0000_0000_0001_ff00_0000 | low)
}

/// `None` for everything but a well-formed question.
pub(super) fn parse(frame: &[u8]) -> Option<Question> {
    let (ethernet, body) = frame.split_at_checked(14)?;
    let asker_mac = ethernet.get(6..12)?.try_into().ok()?;
    match ethernet.get(12..14)? {
        [0x08, 0x06] => parse_arp(body, asker_mac),
        [0x86, 0xdd] => parse_solicitation(body, asker_mac),
        _ => None,
    }
}

fn parse_arp(body: &[u8], asker_mac: Mac) -> Option<Question> {
    let is_request = body.get(..6)? == ARP_SHAPE && body.get(6..8)? == ARP_REQUEST;
    let address = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 4] = body.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets).into())
    };
    let (asker, target) = (address(14)?, address(24)?);
    // Who asks for its own address announces it and wants no answer.
    (is_request && asker != target).then_some(Question { target, asker_mac, asker })
}

/// RFC 4861 §7.1.1: hop limit 255, code 0, checksum valid.
fn parse_solicitation(packet: &[u8], asker_mac: Mac) -> Option<Question> {
    let (header, rest) = packet.split_at_checked(40)?;
    let length = usize::from(u16::from_be_bytes([*header.get(4)?, *header.get(5)?]));
    let message = rest.get(..length)?;
    let is_solicitation = header.get(6..8)? == [ICMPV6, HOP_LIMIT]
        && message.get(..2)? == [SOLICITATION, 0]
        && message.len() >= 24;
    let address = |bytes: &[u8]| -> Option<Ipv6Addr> {
        Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
    };
    let (source, destination) = (address(header.get(8..24)?)?, address(header.get(24..40)?)?);
    let target = address(message.get(8..24)?)?;
    let is_intact = checksum(source, destination, message) == 0;
    (is_solicitation && is_intact && !target.is_multicast()).then_some(Question {
        target: target.into(),
        asker_mac,
        asker: source.into(),
    })
}

fn arp_reply(own: Mac, target: Ipv4Addr, asker_mac: Mac, asker: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(asker_mac, own, EtherType::ARP);
    frame.extend(ARP_SHAPE);
    frame.extend(ARP_REPLY);
    frame.extend(own);
    frame.extend(target.octets());
    frame.extend(asker_mac);
    frame.extend(asker.octets());
    frame
}

/// Duplicate address detection asks from `::`; the answer goes to all nodes, unsolicited
/// (RFC 4861 §7.2.4).
fn advertisement(own: Mac, target: Ipv6Addr, asker_mac: Mac, asker: Ipv6Addr) -> Vec<u8> {
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];
    let (to, to_mac, flags) = if asker.is_unspecified() {
        (ALL_NODES, ALL_NODES_MAC, ROUTER | OVERRIDE)
    } else {
        (asker, asker_mac, ROUTER | SOLICITED | OVERRIDE)
    };
    let mut message = vec![ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    message.extend(target.octets());
    message.extend([2, 1]);
    message.extend(own);
    let sum = checksum(target, to, &message).to_be_bytes();
    message.splice(2..4, sum);

    let mut frame = ethernet(to_mac, own, EtherType::IPV6);
    let length = u16::try_from(message.len()).unwrap_or_default().to_be_bytes();
    frame.extend([0x60, 0, 0, 0, length[0], length[1], ICMPV6, HOP_LIMIT]);
    frame.extend(target.octets());
    frame.extend(to.octets());
    frame.extend(message);
    frame
}

fn ethernet(to: Mac, from: Mac, kind: EtherType) -> Vec<u8> {
    [&to[..], &from[..], &kind.0.to_be_bytes()[..]].concat()
}

/// ICMPv6's checksum over pseudo-header and message (RFC 4443 §2.3); 0 over an intact one.
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let words = |bytes: &[u8]| -> u32 {
        let word = |pair: &[u8]| match *pair {
            [high, low] => u32::from(u16::from_be_bytes([high, low])),
            [high] => u32::from(high) << 8,
            _ => 0,
        };
        bytes.chunks(2).map(word).sum()
    };
    let length = u32::try_from(message.len()).unwrap_or_default();
    let mut sum = words(&source.octets())
        + words(&destination.octets())
        + words(&length.to_be_bytes())
        + u32::from(ICMPV6)
        + words(message);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! Whole Ethernet frames by which a gateway tells its LAN where an address is now: gratuitous
//! ARP (RFC 826, RFC 5227 §3) and unsolicited Neighbor Advertisements (RFC 4861 §4.4, §7.2.6).

use super::icmp::{Icmpv6Type, ipv6_header};
use super::ip::protocol;
use super::{Writer, checksum};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// All hosts of the LAN.
    pub const BROADCAST: MacAddress = MacAddress([0xff; 6]);
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The multicast address that IPv6's all-nodes group has on Ethernet (RFC 2464 §7).
const ALL_NODES_MAC: MacAddress = MacAddress([0x33, 0x33, 0, 0, 0, 1]);

/// The frame that makes the LAN send packets for `address` to `mac`.
pub fn announcement(address: IpAddr, mac: MacAddress) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => gratuitous_arp(address, mac),
        IpAddr::V6(address) => unsolicited_neighbor_advertisement(address, mac),
    }
}

/// An ARP request for one's own address, from the address itself: hosts that know it update
/// their caches (RFC 826, RFC 5227 §3, RFC 9568 §6.4.1).
pub fn gratuitous_arp(address: Ipv4Addr, mac: MacAddress) -> Vec<u8> {
    const ETHERNET: u16 = 1;
    const IPV4: u16 = 0x0800;
    const REQUEST: u16 = 1;
    let mut frame = frame(MacAddress::BROADCAST, mac, ETHERTYPE_ARP);
    frame.u16(ETHERNET);
    frame.u16(IPV4);
    frame.u8(6);
    frame.u8(4);
    frame.u16(REQUEST);
    frame.bytes(&mac.0);
    frame.bytes(&address.octets());
    frame.zeros(6); // target hardware address: unknown to a request
    frame.bytes(&address.octets());
    frame.into_bytes()
}

/// A Neighbor Advertisement to all nodes, of a router, with the override flag set and the
/// solicited flag clear (RFC 4861 §7.2.6, RFC 9568 §6.4.1).
pub fn unsolicited_neighbor_advertisement(address: Ipv6Addr, mac: MacAddress) -> Vec<u8> {
    const HOP_LIMIT: u8 = 255;
    let message = neighbor_advertisement(address, mac);
    let mut frame = frame(ALL_NODES_MAC, mac, ETHERTYPE_IPV6);
    ipv6_header(message.len(), protocol::ICMPV6, HOP_LIMIT, address, ALL_NODES, &mut frame);
    frame.bytes(&message);
    frame.into_bytes()
}

fn neighbor_advertisement(address: Ipv6Addr, mac: MacAddress) -> [u8; 32] {
    const ROUTER: u8 = 0x80;
    const OVERRIDE: u8 = 0x20;
    const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
    let mut message = [0; 32];
    message[0] = Icmpv6Type::NEIGHBOR_ADVERTISEMENT.0;
    message[4] = ROUTER | OVERRIDE;
    message[8..24].copy_from_slice(&address.octets());
    message[24] = TARGET_LINK_LAYER_ADDRESS;
    message[25] = 1; // the option's length in units of 8 octets
    message[26..].copy_from_slice(&mac.0);
    let length = message.len() as u32;
    let pseudo = checksum::pseudo_header_v6(address, ALL_NODES, protocol::ICMPV6, length);
    [message[2], message[3]] = pseudo.bytes(&message).finish().to_be_bytes();
    message
}

fn frame(destination: MacAddress, source: MacAddress, ethertype: u16) -> Writer {
    let mut frame = Writer::with_capacity(96);
    frame.bytes(&destination.0);
    frame.bytes(&source.0);
    frame.u16(ethertype);
    frame
}

#[cfg(test)]
mod tests;

//! What an Active Router and the stations of its link tell each other about its addresses: the
//! questions that it answers, its announcements, and the claims of others (RFC 9568 §8.1, §8.2).
//!
//! The frames bear the Ethernet address that they are given: which one that is, when they are
//! sent, and for which addresses, is decided by others.

use crate::net::MacAddress;
use crate::wire::neighbor::{
    ALL_NODES, Arp, ArpOperation, NeighborAdvertisement, NeighborFrame, NeighborMessage, group_mac,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The frame that makes the link send packets for `address` to `mac`: a gratuitous ARP request
/// (RFC 5227 §3) or an unsolicited Neighbor Advertisement (RFC 4861 §7.2.6).
pub fn announcement(address: IpAddr, mac: MacAddress) -> NeighborFrame {
    match address {
        IpAddr::V4(address) => gratuitous_arp(address, mac),
        IpAddr::V6(address) => to_all_nodes(address, mac),
    }
}

/// The same for switches alone: to a station that does not exist, another one with every `number` (RFC 9542
/// §2.1.4 gives these to nobody). A switch that forwards by remembered flows (Open vSwitch) learns where an
/// Ethernet address has moved from the frames that it has to think about, and from others up to half a
/// second later.
pub fn announcement_to_switches(address: IpAddr, mac: MacAddress, number: u8) -> NeighborFrame {
    let nobody = MacAddress([0, 0, 0x5e, 0, 0x53, number]);
    NeighborFrame { destination: nobody, ..announcement(address, mac) }
}

/// The address that a frame asks for. Who asks for its own address announces it and wants no
/// answer.
pub fn question(frame: &NeighborFrame) -> Option<IpAddr> {
    match &frame.message {
        NeighborMessage::Arp(arp) => {
            let asks = arp.operation == ArpOperation::REQUEST && arp.sender != arp.target;
            asks.then_some(arp.target.into())
        }
        NeighborMessage::Solicitation(solicitation) => Some(solicitation.target.into()),
        NeighborMessage::Advertisement(_) => None,
    }
}

/// The frame that answers a question: the address is at `mac`. `None` when nobody asks, or when
/// the asker says that it is a group of stations.
pub fn answer(frame: &NeighborFrame, mac: MacAddress) -> Option<NeighborFrame> {
    question(frame)?;
    match &frame.message {
        NeighborMessage::Arp(arp) => arp_reply(arp, mac),
        NeighborMessage::Solicitation(asked) if asked.source.is_unspecified() => {
            // It tries the address for itself: all must hear that it is taken (§7.2.4).
            Some(to_all_nodes(asked.target, mac))
        }
        NeighborMessage::Solicitation(asked) => {
            let asker_mac = asked.source_mac.unwrap_or(frame.source);
            let reply = advertisement(asked.target, asked.source, true, mac);
            (!asker_mac.is_group()).then(|| addressed(asker_mac, mac, reply))
        }
        NeighborMessage::Advertisement(_) => None,
    }
}

/// The address that the sender says it has, and where (RFC 5227 §2.4, RFC 4861 §7.2.5).
pub fn claim(frame: &NeighborFrame) -> Option<(IpAddr, MacAddress)> {
    match &frame.message {
        NeighborMessage::Arp(arp) if arp.sender.is_unspecified() => None,
        NeighborMessage::Arp(arp) => Some((arp.sender.into(), arp.sender_mac)),
        NeighborMessage::Solicitation(_) => None,
        NeighborMessage::Advertisement(told) => Some((told.target.into(), told.target_mac?)),
    }
}

fn gratuitous_arp(address: Ipv4Addr, mac: MacAddress) -> NeighborFrame {
    let message = Arp {
        operation: ArpOperation::REQUEST,
        sender_mac: mac,
        sender: address,
        target_mac: MacAddress::UNKNOWN,
        target: address,
    };
    addressed(MacAddress::BROADCAST, mac, NeighborMessage::Arp(message))
}

/// RFC 826: the fields change sides.
fn arp_reply(asked: &Arp, mac: MacAddress) -> Option<NeighborFrame> {
    let message = Arp {
        operation: ArpOperation::REPLY,
        sender_mac: mac,
        sender: asked.target,
        target_mac: asked.sender_mac,
        target: asked.sender,
    };
    let reply = NeighborMessage::Arp(message);
    (!asked.sender_mac.is_group()).then(|| addressed(asked.sender_mac, mac, reply))
}

fn to_all_nodes(address: Ipv6Addr, mac: MacAddress) -> NeighborFrame {
    addressed(group_mac(ALL_NODES), mac, advertisement(address, ALL_NODES, false, mac))
}

fn advertisement(
    address: Ipv6Addr,
    destination: Ipv6Addr,
    is_solicited: bool,
    mac: MacAddress,
) -> NeighborMessage {
    NeighborMessage::Advertisement(NeighborAdvertisement {
        source: address,
        destination,
        is_router: true,
        is_solicited,
        overrides: true,
        target: address,
        target_mac: Some(mac),
    })
}

fn addressed(
    destination: MacAddress,
    source: MacAddress,
    message: NeighborMessage,
) -> NeighborFrame {
    NeighborFrame { destination, source, message }
}

#[cfg(test)]
mod tests;

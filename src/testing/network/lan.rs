//! The LANs of the regions: hosts that ask by ARP and Neighbor Solicitation where their gateway
//! is and believe what they hear for ever, and what the gateways of a region say to each other.

use super::{Arrival, LAN_DELAY, Network};
use crate::net::{MacAddress, VpcId};
use crate::routing::vrrp::neighbor;
use crate::time::Timestamp;
use crate::wire::neighbor::{
    Arp, ArpOperation, NeighborFrame, NeighborMessage, NeighborSolicitation, group_mac,
    solicited_node,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How long a packet waits for the answer to where its next hop is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who is on a LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Station {
    /// The hosts of the region.
    Host,
    /// A gateway.
    Node(usize),
}

/// A host of a region in a VPC. It asks once and never again: if an address moves and nobody
/// tells it, its packets go to the wrong station for ever.
#[derive(Debug)]
pub(super) struct Host {
    mac: MacAddress,
    addresses: [IpAddr; 2],
    known: BTreeMap<IpAddr, MacAddress>,
    waiting: Vec<(Timestamp, IpAddr, Vec<u8>)>,
}

impl Host {
    pub(super) fn new(region: u8) -> Host {
        Host {
            mac: MacAddress([2, 0xff, 0, 0, 0, region]),
            addresses: [super::host(region, true), super::host(region, false)],
            known: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// Learns from a frame as RFC 826 and RFC 4861 §7.2.5 have it: an announcement changes what
    /// is known, an answer also what is not. Gives the packets that waited for it.
    fn handle_frame(
        &mut self,
        frame: &NeighborFrame,
        now: Timestamp,
    ) -> Vec<(MacAddress, Vec<u8>)> {
        let Some((address, mac)) = neighbor::claim(frame) else { return Vec::new() };
        let is_for_us = frame.destination == self.mac;
        if is_for_us || self.known.contains_key(&address) {
            self.known.insert(address, mac);
        }
        let (ready, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .filter(|(since, _, _)| now.since(*since) < PATIENCE)
            .partition(|(_, hop, _)| self.known.contains_key(hop));
        self.waiting = waiting;
        let ready: Vec<(Timestamp, IpAddr, Vec<u8>)> = ready;
        ready.into_iter().map(|(_, _, packet)| (mac, packet)).collect()
    }

    /// The frame that asks where an address is.
    fn ask(&self, address: IpAddr) -> NeighborFrame {
        let own = self.addresses.iter().find(|own| own.is_ipv4() == address.is_ipv4());
        let (destination, message) = match (own, address) {
            (Some(IpAddr::V4(own)), IpAddr::V4(target)) => {
                let (sender_mac, target_mac) = (self.mac, MacAddress::UNKNOWN);
                let operation = ArpOperation::REQUEST;
                let arp = Arp { operation, sender_mac, sender: *own, target_mac, target };
                (MacAddress::BROADCAST, NeighborMessage::Arp(arp))
            }
            (Some(IpAddr::V6(own)), IpAddr::V6(target)) => {
                let (destination, source_mac) = (solicited_node(target), Some(self.mac));
                let asked = NeighborSolicitation { source: *own, destination, target, source_mac };
                (group_mac(destination), NeighborMessage::Solicitation(asked))
            }
            _ => panic!("a host has an address of either family"),
        };
        NeighborFrame { destination, source: self.mac, message }
    }
}

impl Network {
    /// Advertisements of VRRP are lost on the LAN of a region, and nothing else, or no longer.
    pub(crate) fn mute_vrrp(&mut self, region: u8, muted: bool) {
        match muted {
            true => self.muted.insert(region),
            false => self.muted.remove(&region),
        };
    }

    /// The LAN of a region falls into two: the gateway of zone 1, and all others with the hosts.
    /// Or it is one again.
    pub(crate) fn split_lan(&mut self, region: u8, split: bool) {
        match split {
            true => self.split.insert(region),
            false => self.split.remove(&region),
        };
    }

    /// The gateway that the hosts of a region send packets for an address to.
    pub(crate) fn believed(&self, region: u8, vpc: VpcId, address: IpAddr) -> Option<usize> {
        let mac = *self.hosts.get(&(region, vpc))?.known.get(&address)?;
        self.station(region, mac)
    }

    /// A host sends a packet by its gateway's virtual address; it asks for it when it must.
    pub(super) fn send_from_host(&mut self, region: u8, vpc: VpcId, packet: Vec<u8>) {
        let hop = next_hop(region, super::packet::read(&packet).dst.is_ipv4());
        let now = self.now;
        let host = self.hosts.entry((region, vpc)).or_insert_with(|| Host::new(region));
        match host.known.get(&hop).copied() {
            Some(mac) => self.pass_to(region, vpc, mac, packet),
            None => {
                host.waiting.push((now, hop, packet));
                let frame = host.ask(hop);
                self.spread(region, Station::Host, vpc, &frame.encode());
            }
        }
    }

    fn pass_to(&mut self, region: u8, vpc: VpcId, mac: MacAddress, packet: Vec<u8>) {
        let node = self.station(region, mac).filter(|node| self.hears(*node, Station::Host));
        if let Some(node) = node {
            self.with_node(node, |node, now| node.forward(vpc, packet, now));
        }
    }

    /// A frame goes to whom it is addressed.
    pub(super) fn spread(&mut self, region: u8, from: Station, vpc: VpcId, bytes: &[u8]) {
        let frame = NeighborFrame::decode(bytes).expect("what stations send is well formed");
        for node in self.nodes_of(region) {
            let is_for_it = frame.destination.is_group()
                || self.station(region, frame.destination) == Some(node);
            if from != Station::Node(node) && is_for_it {
                let to = Station::Node(node);
                self.schedule(LAN_DELAY, Arrival::Frame { from, to, vpc, bytes: bytes.to_vec() });
            }
        }
        if let Station::Node(_) = from {
            let to = Station::Host;
            self.schedule(LAN_DELAY, Arrival::Frame { from, to, vpc, bytes: bytes.to_vec() });
        }
    }

    pub(super) fn frame_arrives(&mut self, from: Station, to: Station, vpc: VpcId, bytes: &[u8]) {
        match (from, to) {
            (_, Station::Node(node)) if self.hears(node, from) => {
                self.with_node(node, |node, now| node.receive_frame(vpc, bytes, now));
            }
            (Station::Node(node), Station::Host) if self.hears(node, to) => {
                self.host_hears(self.sites[node].region, vpc, bytes);
            }
            (_, Station::Node(_) | Station::Host) => {}
        }
    }

    fn host_hears(&mut self, region: u8, vpc: VpcId, bytes: &[u8]) {
        let frame = NeighborFrame::decode(bytes).expect("what gateways send is well formed");
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&(region, vpc)) else { return };
        if frame.destination != host.mac && !frame.destination.is_group() {
            return;
        }
        for (mac, packet) in host.handle_frame(&frame, now) {
            self.pass_to(region, vpc, mac, packet);
        }
    }

    pub(super) fn multicast(&mut self, from: usize, vpc: VpcId, source: IpAddr, bytes: &[u8]) {
        let region = self.sites[from].region;
        for to in self.nodes_of(region) {
            if to != from && !self.muted.contains(&region) {
                let bytes = bytes.to_vec();
                self.schedule(LAN_DELAY, Arrival::Vrrp { from, to, vpc, source, bytes });
            }
        }
    }

    /// Whether what a station of its LAN sends reaches a gateway, and the other way round.
    pub(super) fn hears(&self, node: usize, other: Station) -> bool {
        let site = self.sites[node];
        let runs = |node: usize| self.nodes[node].as_ref().is_some_and(|node| node.has_lan());
        let (its_side, other_side, other_runs) = match other {
            Station::Host => (site.zone == 1, false, true),
            Station::Node(other) => (site.zone == 1, self.sites[other].zone == 1, runs(other)),
        };
        let is_split = self.split.contains(&site.region);
        runs(node) && other_runs && (!is_split || its_side == other_side)
    }

    fn nodes_of(&self, region: u8) -> Vec<usize> {
        (0..self.sites.len()).filter(|node| self.sites[*node].region == region).collect()
    }

    fn station(&self, region: u8, mac: MacAddress) -> Option<usize> {
        let here = self.nodes_of(region).into_iter();
        here.filter(|node| self.runs(*node))
            .find(|node| self.nodes[*node].as_ref().is_some_and(|node| node.receives(mac)))
    }
}

/// The virtual address that hosts of a region use.
pub(crate) fn next_hop(region: u8, ipv4: bool) -> IpAddr {
    match ipv4 {
        true => IpAddr::from([10, region, 0, 1]),
        false => IpAddr::from([0xfd00, u16::from(region), 0, 0, 0, 0, 0, 1]),
    }
}

//! Public addresses of the VPCs (`[[vpc.public]]`, `[[vpc.egress]]`): they follow the VPC's virtual
//! router for IPv4, so that what hosts send back comes to the gateway that has translated the question.
//! Questions on the underlay about them are answered here, for the same reason as those about virtual
//! addresses: a killed daemon's kernel must not go on answering.

use super::link::{Link, LinkId};
use super::{Redundancy, VrrpOutput, vrrp};
use crate::net::{MacAddress, VpcId};
use crate::routing::vrrp::neighbor;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The public addresses by VPC, and the devices of the underlay on which they are asked for.
#[derive(Debug, Default)]
pub(super) struct Publics {
    addresses: BTreeMap<VpcId, BTreeSet<Ipv4Addr>>,
    devices: BTreeSet<String>,
}

impl Publics {
    /// Whose an address is.
    fn owner(&self, address: IpAddr) -> Option<VpcId> {
        let IpAddr::V4(address) = address else { return None };
        let mut all = self.addresses.iter();
        all.find(|(_, addresses)| addresses.contains(&address)).map(|(vpc, _)| *vpc)
    }
}

impl Redundancy {
    /// From now on these are public addresses, asked for on these devices of the underlay.
    pub(in crate::gateway) fn set_publics(
        &mut self,
        addresses: BTreeMap<VpcId, BTreeSet<Ipv4Addr>>,
        devices: BTreeSet<String>,
    ) {
        for gone in self.publics.devices.difference(&devices) {
            self.links.remove(&LinkId::new(VpcId::UNDERLAY, gone));
            let (vpc, interface) = (VpcId::UNDERLAY, gone.clone());
            self.outputs.push_back(VrrpOutput::Leave { vpc, interface });
        }
        for new in devices.difference(&self.publics.devices) {
            self.links.insert(LinkId::new(VpcId::UNDERLAY, new), Link::default());
            let (vpc, interface) = (VpcId::UNDERLAY, new.clone());
            self.outputs.push_back(VrrpOutput::Heed { vpc, interface });
        }
        let before = std::mem::replace(&mut self.publics, Publics { addresses, devices });
        let news = self.publics.addresses.iter();
        let news = news.filter(|(vpc, now)| before.addresses.get(vpc) != Some(now));
        let news: Vec<VpcId> = news.map(|(vpc, _)| *vpc).collect();
        news.into_iter().for_each(|vpc| self.announce_publics(vpc));
    }

    /// Whether packets for the public addresses of a VPC are to come here: where it has no virtual router,
    /// to every gateway to which they are routed.
    pub(in crate::gateway) fn serves_publics(&self, vpc: VpcId) -> bool {
        let mut routers = self.here(vpc, None).filter(|(id, _)| id.ipv4).peekable();
        routers.peek().is_none() || routers.any(|(_, member)| member.state() == vrrp::State::Active)
    }

    /// Whether this gateway answers for an address on the underlay.
    pub(super) fn answers_on_underlay(&self, address: IpAddr) -> bool {
        self.publics.owner(address).is_some_and(|vpc| self.serves_publics(vpc))
    }

    /// Tells the underlay where the public addresses of a VPC are, if they are here.
    pub(super) fn announce_publics(&mut self, vpc: VpcId) {
        if !self.serves_publics(vpc) {
            return;
        }
        let links = self.links.iter().filter(|(id, _)| id.vpc == VpcId::UNDERLAY);
        let links: Vec<(String, MacAddress)> =
            links.filter_map(|(id, link)| Some((id.interface.clone(), link.mac?))).collect();
        for (interface, mac) in links {
            let addresses = self.publics.addresses.get(&vpc).into_iter().flatten();
            let frames = addresses.map(|address| VrrpOutput::Frame {
                vpc: VpcId::UNDERLAY,
                interface: interface.clone(),
                bytes: neighbor::announcement((*address).into(), mac).encode(),
            });
            self.outputs.extend(frames);
        }
    }

    /// A device of the underlay has come, or has another Ethernet address.
    pub(super) fn announce_all_publics(&mut self) {
        let vpcs: Vec<VpcId> = self.publics.addresses.keys().copied().collect();
        vpcs.into_iter().for_each(|vpc| self.announce_publics(vpc));
    }
}

//! The virtual routers of this gateway (RFC 9568) and what their priority follows.
//!
//! One state machine runs per VRID and address family, while the interface is up and has an
//! address to send from. Its priority is the configured one while some tunnel of the VPC carries
//! packets and the isolated one otherwise, so that hosts find the gateway that can serve them.
//!
//! Questions about the addresses of an Active Router come in as frames and are answered here,
//! with the interface's own Ethernet address or, in a segment (RFC 7348), with the virtual router's
//! (RFC 9568 §7.3): there every station learns by the frames themselves behind which VTEP an address
//! is, and the hosts keep what they know. The kernel could answer if the addresses were on
//! the interface. They are kept off it so that they share the life of this process: when it is
//! killed, nobody is left that answers, and the next Active Router is alone on the link.

mod link;
mod member;
mod publics;
mod trouble;

pub(super) use member::Member;

use super::io::{LinkState, VrrpOutput};
use super::world::VirtualMac;
use crate::config::{VpcConfig, VrrpConfig};
use crate::net::{MacAddress, VpcId};
use crate::routing::vrrp::{self, VirtualRouter, neighbor};
use crate::time::{Timers, Timestamp};
use crate::wire::neighbor::NeighborFrame;
use crate::wire::vrrp::{Advertisement, GROUP_V4, GROUP_V6, virtual_router_id};
use link::{DEFENCE, DELIBERATION, Link, LinkId, RETRY};
use publics::Publics;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use tracing::{info, trace};
use trouble::Trouble;

/// One virtual router, named by where it lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VirtualRouterId {
    /// The VPC.
    pub vpc: VpcId,
    /// The interface.
    pub interface: String,
    /// The VRID.
    pub vrid: u8,
    /// The family.
    pub ipv4: bool,
}

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A timer of a virtual router.
    Router(VirtualRouterId),
    /// Time to look at an interface again.
    Look(LinkId),
    /// Time to see whether a virtual router still has the address that another one claimed.
    Claim(VirtualRouterId),
}

/// All virtual routers of the gateway.
#[derive(Debug, Default)]
pub(super) struct Redundancy {
    members: BTreeMap<VirtualRouterId, Member>,
    links: BTreeMap<LinkId, Link>,
    /// Addresses that follow virtual routers on the underlay.
    publics: Publics,
    timers: Timers<Due>,
    unknown: u64,
    /// How many announcements were for switches.
    announcements: u8,
    /// Whether the operator wants other routers to answer for all addresses.
    leaving: bool,
    outputs: VecDeque<VrrpOutput>,
}

impl Redundancy {
    /// Makes the virtual routers of a VPC what `config` says. Those that did not change are left
    /// alone; new ones join, and begin with the [`Redundancy::handle_link`] that answers.
    pub(super) fn configure(&mut self, vpc: VpcId, config: &VpcConfig, now: Timestamp) {
        let wanted: BTreeMap<VirtualRouterId, &VrrpConfig> =
            config.vrrp.iter().flat_map(|router| member::families(vpc, router)).collect();
        let segment = config.vxlan.as_ref().map(|vxlan| vxlan.interface.as_str());
        let has_virtual_mac = |id: &VirtualRouterId| segment == Some(id.interface.as_str());
        let here = self.members_of(vpc, None);
        let is_stale = |id: &VirtualRouterId| {
            self.members.get(id).is_some_and(|member| {
                wanted.get(id) != Some(&&member.config)
                    || member.has_virtual_mac != has_virtual_mac(id)
            })
        };
        let stale: Vec<VirtualRouterId> = here.into_iter().filter(is_stale).collect();
        for id in stale {
            self.stop(&id, now);
            self.members.remove(&id);
        }
        for (id, router) in wanted {
            if !self.members.contains_key(&id) {
                let (vpc, interface) = (id.vpc, id.interface.clone());
                self.outputs.push_back(VrrpOutput::Join { vpc, interface });
                let member = Member::new(router.clone(), has_virtual_mac(&id), self.leaving, now);
                self.members.insert(id, member);
            }
        }
        self.heed(vpc, config.interface.as_deref());
    }

    /// From now on a VPC has no other interfaces than `interface` and those of its virtual
    /// routers: at others nobody looks any more.
    fn heed(&mut self, vpc: VpcId, interface: Option<&str>) {
        let routers = self.here(vpc, None).map(|(id, _)| id.interface.as_str());
        let heeded: BTreeSet<LinkId> =
            routers.chain(interface).map(|name| LinkId::new(vpc, name)).collect();
        let ours = self.links.keys().filter(|link| link.vpc == vpc);
        let left: Vec<LinkId> = ours.filter(|link| !heeded.contains(link)).cloned().collect();
        for link in left {
            self.links.remove(&link);
            self.timers.arm(Due::Look(link), None);
        }
        for link in heeded {
            self.links.entry(link).or_default();
        }
    }

    /// Starts and stops virtual routers as their interface comes and goes, and follows its
    /// addresses.
    pub(super) fn handle_link(&mut self, state: &LinkState, now: Timestamp) {
        let id = LinkId::new(state.vpc, &state.interface);
        let Some(link) = self.links.get_mut(&id) else { return };
        let moved = state.mac.is_some() && link.mac != state.mac;
        link.mac = state.mac.or(link.mac);
        self.timers.arm(Due::Look(id), (!state.complete).then_some(now + RETRY));
        if moved && state.vpc == VpcId::UNDERLAY {
            self.announce_all_publics();
        }
        for id in self.members_of(state.vpc, Some(&state.interface)) {
            self.follow(&id, link::source(state, id.ipv4), moved, now);
        }
    }

    /// The state of an interface could not be seen. That does not mean that it is down.
    pub(super) fn handle_unseen_link(&mut self, vpc: VpcId, interface: &str, now: Timestamp) {
        let link = LinkId::new(vpc, interface);
        if self.links.contains_key(&link) {
            self.timers.arm(Due::Look(link), Some(now + RETRY));
        }
    }

    /// Takes a VRRP packet that came in on an interface. What is no advertisement of version 3 for
    /// a VRID of ours is counted and changes nothing.
    pub(super) fn handle_packet(
        &mut self,
        vpc: VpcId,
        interface: &str,
        source: IpAddr,
        bytes: &[u8],
        now: Timestamp,
    ) {
        let vrid = virtual_router_id(bytes).unwrap_or_default();
        let (interface, ipv4) = (interface.to_owned(), source.is_ipv4());
        let id = VirtualRouterId { vpc, interface, vrid, ipv4 };
        let Some(member) = self.members.get_mut(&id) else {
            self.unknown += 1;
            return;
        };
        let group = group(source);
        match Advertisement::decode(bytes, source, group) {
            Ok(advertisement) => {
                let ours = member.addresses(ipv4);
                let trouble = Trouble::of_addresses(source, &advertisement, &ours);
                trouble.into_iter().for_each(|trouble| member.note(&id, trouble, now));
                if let Some(machine) = &mut member.machine {
                    machine.handle_advertisement(source, &advertisement, now);
                    member.heard = Some(source);
                }
                self.drain(&id);
            }
            Err(error) => {
                member.note(&id, Trouble::of_packet(source, group, bytes, error), now);
            }
        }
    }

    /// Takes a neighbour frame that came in on an interface: answers it when it asks for an
    /// address of an Active Router there, and does not let another station keep such an address.
    pub(super) fn handle_frame(
        &mut self,
        vpc: VpcId,
        interface: &str,
        bytes: &[u8],
        now: Timestamp,
    ) {
        let frame = match NeighborFrame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => return trace!(interface, %error, "neighbour frame ignored"),
        };
        if let Some((address, claimant)) = neighbor::claim(&frame)
            && let Some(id) = self.holder(vpc, interface, address)
            && self.mac_of(&id).is_some_and(|mac| mac != claimant)
        {
            self.on_claim(id, address, claimant, now);
        }
        if let Some(target) = neighbor::question(&frame)
            && let Some(mac) = self.answering(vpc, interface, target)
            && let Some(answer) = neighbor::answer(&frame, mac)
        {
            let (interface, bytes) = (interface.to_owned(), answer.encode());
            self.outputs.push_back(VrrpOutput::Frame { vpc, interface, bytes });
        }
    }

    /// Another station says that it has an address of an Active Router. It may be the better one,
    /// whose advertisement is on its way: what is still ours a second later is defended.
    fn on_claim(&mut self, id: VirtualRouterId, address: IpAddr, mac: MacAddress, now: Timestamp) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.defended.is_none_or(|at| now.since(at) >= DEFENCE) && member.claimed.is_none() {
            member.claimed = Some((address, mac));
            self.timers.arm(Due::Claim(id), Some(now + DELIBERATION));
        }
    }

    /// RFC 5227 §2.4: one announcement against a claim, and none against the next ones, lest two
    /// that both insist flood the link.
    fn defend(&mut self, id: &VirtualRouterId, now: Timestamp) {
        let Some(member) = self.members.get_mut(id) else { return };
        let Some((address, mac)) = member.claimed.take() else { return };
        if member.answers_for(address) {
            member.defended = Some(now);
            member.note(id, Trouble::Claimed { mac, address }, now);
            member.machine.iter_mut().for_each(|machine| machine.announce_again(now));
        }
        self.drain(id);
    }

    /// The host does not receive what is sent to a virtual router's Ethernet address, or does so again:
    /// meanwhile hosts are told the interface's own.
    pub(super) fn on_virtual_mac(&mut self, wish: &VirtualMac, carried: bool, now: Timestamp) {
        let id = of_virtual_mac(wish);
        let Some(member) = self.members.get_mut(&id) else { return };
        member.lacks_virtual_mac = !carried;
        member.machine.iter_mut().for_each(|machine| machine.announce_again(now));
        self.drain(&id);
    }

    /// Whether a virtual router is active in a segment and has its own Ethernet address there.
    pub(super) fn is_active(&self, wish: &VirtualMac) -> bool {
        let member = self.members.get(&of_virtual_mac(wish));
        member.is_some_and(|one| one.has_virtual_mac && one.state() == vrrp::State::Active)
    }

    /// The Ethernet address with which a question about `target` on an interface is answered, if it is.
    fn answering(&self, vpc: VpcId, interface: &str, target: IpAddr) -> Option<MacAddress> {
        if vpc == VpcId::UNDERLAY {
            let link = self.links.get(&LinkId::new(vpc, interface))?;
            return link.mac.filter(|_| self.answers_on_underlay(target));
        }
        self.mac_of(&self.holder(vpc, interface, target)?)
    }

    /// The Ethernet address that a virtual router answers with.
    fn mac_of(&self, id: &VirtualRouterId) -> Option<MacAddress> {
        let virtual_mac = self.members.get(id).and_then(|member| member.virtual_mac(id));
        let own = || self.links.get(&LinkId::new(id.vpc, &id.interface))?.mac;
        virtual_mac.or_else(own)
    }

    /// Tells the VPC's virtual routers whether some tunnel carries packets.
    pub(super) fn on_isolation(&mut self, vpc: VpcId, isolated: bool, now: Timestamp) {
        for id in self.members_of(vpc, None) {
            let Some(member) = self.members.get_mut(&id) else { continue };
            if member.isolated == isolated {
                continue;
            }
            member.isolated = isolated;
            self.follow_priority(&id, now);
        }
    }

    /// Other routers are to answer for all addresses, as long as there are others; or not any more.
    pub(crate) fn set_leaving(&mut self, leaving: bool, now: Timestamp) {
        self.leaving = leaving;
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.leaving = leaving;
            if leaving && !member.config.preempt {
                member.step_back(now);
            }
            self.follow_priority(&id, now);
        }
    }

    fn follow_priority(&mut self, id: &VirtualRouterId, now: Timestamp) {
        let Some(member) = self.members.get_mut(id) else { return };
        let priority = member.priority();
        if let Some(machine) = &mut member.machine {
            machine.set_priority(priority, now);
        }
        self.drain(id);
    }

    /// Runs the timers that are due.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(due) = self.timers.pop_due(now) {
            match due {
                Due::Router(id) => {
                    if let Some(Member { machine: Some(machine), .. }) = self.members.get_mut(&id) {
                        machine.handle_timeout(now);
                    }
                    self.drain(&id);
                }
                Due::Claim(id) => self.defend(&id, now),
                Due::Look(link) => {
                    let (vpc, interface) = (link.vpc, link.interface.clone());
                    self.outputs.push_back(VrrpOutput::Look { vpc, interface });
                    self.timers.arm(Due::Look(link), Some(now + RETRY));
                }
            }
        }
    }

    /// Gives every virtual address up with priority 0, so that a backup takes over at once
    /// (RFC 9568 §6.4.3).
    pub(super) fn shutdown(&mut self, now: Timestamp) {
        let ids: Vec<VirtualRouterId> = self.members.keys().cloned().collect();
        ids.iter().for_each(|id| self.stop(id, now));
    }

    /// All virtual routers.
    pub(super) fn members(&self) -> impl Iterator<Item = (&VirtualRouterId, &Member)> {
        self.members.iter()
    }

    /// Whether we answer for an address on some interface of a VPC.
    pub(super) fn answers_for(&self, vpc: VpcId, address: IpAddr) -> bool {
        self.here(vpc, None).any(|(_, member)| member.answers_for(address))
    }

    /// VRRP packets for virtual routers that are not configured here.
    pub(super) fn unknown(&self) -> u64 {
        self.unknown
    }

    /// What to do next.
    pub(super) fn poll_output(&mut self) -> Option<VrrpOutput> {
        self.outputs.pop_front()
    }

    /// When the next timer is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next().map(|(at, _)| at)
    }

    /// The virtual routers of a VPC, on one interface or on all.
    fn here<'a>(
        &'a self,
        vpc: VpcId,
        interface: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a VirtualRouterId, &'a Member)> {
        let name = interface.unwrap_or_default().to_owned();
        let first = VirtualRouterId { vpc, interface: name, vrid: 0, ipv4: false };
        let is_here = move |id: &VirtualRouterId| {
            id.vpc == vpc && interface.is_none_or(|name| id.interface == name)
        };
        self.members.range(first..).take_while(move |(id, _)| is_here(id))
    }

    /// The virtual router that answers for an address on an interface.
    fn holder(&self, vpc: VpcId, interface: &str, address: IpAddr) -> Option<VirtualRouterId> {
        let mut here = self.here(vpc, Some(interface));
        here.find(|(_, member)| member.answers_for(address)).map(|(id, _)| id.clone())
    }

    fn members_of(&self, vpc: VpcId, interface: Option<&str>) -> Vec<VirtualRouterId> {
        self.here(vpc, interface).map(|(id, _)| id.clone()).collect()
    }

    /// A virtual router goes on from a new address; it starts with the first one and stops when
    /// there is none (RFC 9568 §6.4.1). Hosts must learn a new Ethernet address.
    fn follow(
        &mut self,
        id: &VirtualRouterId,
        source: Option<IpAddr>,
        moved: bool,
        now: Timestamp,
    ) {
        let Some(member) = self.members.get_mut(id) else { return };
        match (&mut member.machine, source) {
            (Some(machine), Some(local)) => {
                machine.set_local(local, now);
                if moved {
                    machine.announce_again(now);
                }
                member.source = source;
                self.drain(id);
            }
            (Some(_), None) => self.stop(id, now),
            (None, Some(local)) => self.start(id, local, now),
            (None, None) => {}
        }
    }

    fn start(&mut self, id: &VirtualRouterId, local: IpAddr, now: Timestamp) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.source = Some(local);
        let mut machine = VirtualRouter::new(member.machine_config(id.ipv4, local));
        machine.startup(now);
        member.machine = Some(machine);
        self.drain(id);
    }

    fn stop(&mut self, id: &VirtualRouterId, now: Timestamp) {
        if let Some(Member { machine: Some(machine), .. }) = self.members.get_mut(id) {
            machine.shutdown(now);
        }
        self.drain(id);
        if let Some(member) = self.members.get_mut(id) {
            (member.machine, member.source, member.stopped) = (None, None, now);
        }
        self.timers.arm(Due::Router(id.clone()), None);
    }

    /// Passes on what a virtual router wants, and notes when it wants to be woken.
    fn drain(&mut self, id: &VirtualRouterId) {
        let Some(member) = self.members.get_mut(id) else { return };
        let (Some(machine), Some(source)) = (&mut member.machine, member.source) else { return };
        let actions: Vec<vrrp::Action> = std::iter::from_fn(|| machine.poll_action()).collect();
        let deadline = machine.poll_timeout().map(|(at, _)| at);
        self.timers.arm(Due::Router(id.clone()), deadline);
        actions.into_iter().for_each(|action| self.carry_out(id, source, action));
    }

    fn carry_out(&mut self, id: &VirtualRouterId, source: IpAddr, action: vrrp::Action) {
        let (vpc, interface) = (id.vpc, id.interface.clone());
        match action {
            vrrp::Action::Send(advertisement) => {
                let bytes = advertisement.encode(source, group(source));
                let mac = self.members.get(id).and_then(|member| member.virtual_mac(id));
                self.outputs.push_back(VrrpOutput::Send { vpc, interface, source, mac, bytes });
            }
            vrrp::Action::BecomeActive { addresses } => {
                let vrid = id.vrid;
                let names = addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ");
                info!(interface, vrid, "VRID {vrid} on {interface}: active, answers for {names}");
                let held = addresses.clone();
                let install = VrrpOutput::Install { vpc, interface, vrid, addresses: held };
                self.outputs.push_back(install);
                self.announce(id, &addresses);
            }
            vrrp::Action::Announce { addresses } => self.announce(id, &addresses),
            vrrp::Action::BecomeBackup { addresses } => {
                let (vrid, family) = (id.vrid, if id.ipv4 { "IPv4" } else { "IPv6" });
                info!(
                    interface,
                    vrid, "VRID {vrid} {family} on {interface}: backup, another answers"
                );
                self.outputs.push_back(VrrpOutput::Withdraw { vpc, interface, vrid, addresses });
            }
        }
    }

    /// Tells hosts and bridges where the virtual addresses are (RFC 9568 §6.4.2, §6.4.3).
    fn announce(&mut self, id: &VirtualRouterId, addresses: &[IpAddr]) {
        if id.ipv4 {
            self.announce_publics(id.vpc);
        }
        let Some(mac) = self.mac_of(id) else { return };
        let to_switches = self.announcement_to_switches(id, addresses);
        let to_hosts = addresses.iter().map(|address| neighbor::announcement(*address, mac));
        let frames = to_switches.into_iter().chain(to_hosts).map(|frame| VrrpOutput::Frame {
            vpc: id.vpc,
            interface: id.interface.clone(),
            bytes: frame.encode(),
        });
        self.outputs.extend(frames);
    }

    /// A virtual Ethernet address has moved, which switches must learn.
    fn announcement_to_switches(
        &mut self,
        id: &VirtualRouterId,
        addresses: &[IpAddr],
    ) -> Option<NeighborFrame> {
        let mac = self.members.get(id)?.virtual_mac(id)?;
        self.announcements = self.announcements.wrapping_add(1);
        Some(neighbor::announcement_to_switches(*addresses.first()?, mac, self.announcements))
    }
}

fn of_virtual_mac(wish: &VirtualMac) -> VirtualRouterId {
    let VirtualMac { vpc, interface, vrid, ipv4 } = wish;
    VirtualRouterId { vpc: *vpc, interface: interface.clone(), vrid: *vrid, ipv4: *ipv4 }
}

/// Where advertisements of the family of `source` go.
fn group(source: IpAddr) -> IpAddr {
    if source.is_ipv4() { GROUP_V4.into() } else { GROUP_V6.into() }
}

#[cfg(test)]
mod tests;

//! The virtual routers of this gateway (RFC 9568) and what their priority follows.
//!
//! One state machine runs per VRID and address family, while the interface is up and has an
//! address to send from. Its priority is the configured one while some tunnel of the VPC carries
//! packets and the isolated one otherwise, so that hosts find the gateway that can serve them.

use super::io::{LinkState, VrrpOutput};
use crate::config::{VpcConfig, VrrpConfig};
use crate::net::VpcId;
use crate::routing::vrrp::{self, VirtualRouter, VirtualRouterConfig};
use crate::time::{Timestamp, soonest};
use crate::wire::vrrp::{Advertisement, GROUP_V4, GROUP_V6};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use tracing::debug;

/// One virtual router, named by where it lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualRouterId {
    /// The VPC.
    pub vpc: VpcId,
    /// The interface.
    pub interface: String,
    /// The VRID.
    pub vrid: u8,
    /// The family.
    pub ipv4: bool,
}

/// A configured virtual router.
#[derive(Debug)]
pub struct Member {
    /// Its configuration, shared by both families.
    pub config: VrrpConfig,
    /// Its state machine; `None` while the interface cannot be used.
    pub machine: Option<VirtualRouter>,
    heard: Option<IpAddr>,
    stopped: Timestamp,
    isolated: bool,
    source: Option<IpAddr>,
}

/// All virtual routers of the gateway.
#[derive(Debug, Default)]
pub struct Redundancy {
    members: BTreeMap<VirtualRouterId, Member>,
    outputs: VecDeque<VrrpOutput>,
}

impl Redundancy {
    /// Makes the virtual routers of a VPC what `config` says. Those that did not change are left
    /// alone; new ones join, and begin with the [`Redundancy::handle_link`] that answers.
    pub fn configure(&mut self, vpc: VpcId, config: &VpcConfig, now: Timestamp) {
        let wanted: BTreeMap<VirtualRouterId, &VrrpConfig> =
            config.vrrp.iter().flat_map(|router| families(vpc, router)).collect();
        let stale: Vec<VirtualRouterId> = self
            .members
            .iter()
            .filter(|(id, member)| id.vpc == vpc && wanted.get(id) != Some(&&member.config))
            .map(|(id, _)| id.clone())
            .collect();
        for id in stale {
            self.stop(&id, now);
            self.members.remove(&id);
        }
        for (id, router) in wanted {
            if !self.members.contains_key(&id) {
                let (vpc, interface) = (id.vpc, id.interface.clone());
                self.outputs.push_back(VrrpOutput::Join { vpc, interface });
                self.members.insert(id, Member::new(router.clone(), now));
            }
        }
    }

    /// Starts and stops virtual routers as their interface comes and goes.
    pub fn handle_link(&mut self, link: &LinkState, now: Timestamp) {
        let here: Vec<VirtualRouterId> = self
            .members
            .keys()
            .filter(|id| id.vpc == link.vpc && id.interface == link.interface)
            .cloned()
            .collect();
        for id in here {
            let source =
                if id.ipv4 { link.ipv4.map(IpAddr::V4) } else { link.ipv6.map(IpAddr::V6) };
            let source = source.filter(|_| link.up);
            let unchanged = self.members.get(&id).is_some_and(|member| member.source == source);
            if !unchanged {
                self.stop(&id, now);
                self.start(&id, source, now);
            }
        }
    }

    /// Takes a VRRP packet that came in on an interface; one that does not parse is ignored.
    pub fn handle_packet(
        &mut self,
        vpc: VpcId,
        interface: &str,
        source: IpAddr,
        bytes: &[u8],
        now: Timestamp,
    ) {
        let advertisement = match Advertisement::decode(bytes, source, group(source)) {
            Ok(advertisement) => advertisement,
            Err(error) => return debug!(interface, %source, %error, "VRRP packet ignored"),
        };
        let id = VirtualRouterId {
            vpc,
            interface: interface.to_owned(),
            vrid: advertisement.virtual_router_id,
            ipv4: source.is_ipv4(),
        };
        if let Some(member) = self.members.get_mut(&id)
            && let Some(machine) = &mut member.machine
        {
            machine.handle_advertisement(source, &advertisement, now);
            member.heard = Some(source);
        }
        self.drain(&id);
    }

    /// Tells the VPC's virtual routers whether some tunnel carries packets.
    pub fn on_isolation(&mut self, vpc: VpcId, isolated: bool, now: Timestamp) {
        let here: Vec<VirtualRouterId> =
            self.members.keys().filter(|id| id.vpc == vpc).cloned().collect();
        for id in here {
            let Some(member) = self.members.get_mut(&id) else { continue };
            if member.isolated == isolated {
                continue;
            }
            member.isolated = isolated;
            let priority = member.priority();
            if let Some(machine) = &mut member.machine {
                machine.set_priority(priority, now);
            }
            self.drain(&id);
        }
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let ids: Vec<VirtualRouterId> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(Member { machine: Some(machine), .. }) = self.members.get_mut(&id) {
                machine.handle_timeout(now);
            }
            self.drain(&id);
        }
    }

    /// Gives every virtual address up with priority 0, so that a backup takes over at once
    /// (RFC 9568 §6.4.3).
    pub fn shutdown(&mut self, now: Timestamp) {
        let ids: Vec<VirtualRouterId> = self.members.keys().cloned().collect();
        ids.iter().for_each(|id| self.stop(id, now));
    }

    /// The virtual routers of a VPC.
    pub fn members(&self) -> impl Iterator<Item = (&VirtualRouterId, &Member)> {
        self.members.iter()
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<VrrpOutput> {
        self.outputs.pop_front()
    }

    /// When the next timer is due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let timers = self.members.values().filter_map(|member| member.machine.as_ref());
        soonest(timers.map(VirtualRouter::poll_timeout)).map(|(at, _)| at)
    }

    fn start(&mut self, id: &VirtualRouterId, source: Option<IpAddr>, now: Timestamp) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.source = source;
        let Some(local) = source else { return };
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
    }

    fn drain(&mut self, id: &VirtualRouterId) {
        let Some(member) = self.members.get_mut(id) else { return };
        let (Some(machine), Some(source)) = (&mut member.machine, member.source) else { return };
        while let Some(action) = machine.poll_action() {
            self.outputs.push_back(output(id, source, action));
        }
    }
}

impl Member {
    fn new(config: VrrpConfig, now: Timestamp) -> Member {
        Member { config, machine: None, heard: None, stopped: now, isolated: true, source: None }
    }

    /// The state of its machine.
    pub fn state(&self) -> vrrp::State {
        self.machine.as_ref().map_or(vrrp::State::Initialize, VirtualRouter::state)
    }

    /// Since when it is in this state.
    pub fn since(&self) -> Timestamp {
        self.machine.as_ref().map_or(self.stopped, VirtualRouter::since)
    }

    /// The Active Router as last heard of, when it is another one.
    pub fn active_router(&self) -> Option<IpAddr> {
        self.heard.filter(|_| self.state() == vrrp::State::Backup)
    }

    /// Its priority now.
    pub fn priority(&self) -> u8 {
        if self.isolated { self.config.isolated_priority } else { self.config.priority }
    }

    fn machine_config(&self, ipv4: bool, local: IpAddr) -> VirtualRouterConfig {
        VirtualRouterConfig {
            vrid: self.config.vrid,
            priority: self.priority(),
            interval: self.config.interval_centiseconds,
            preempt: self.config.preempt,
            addresses: self.addresses(ipv4),
            local,
        }
    }

    /// Its addresses of one family.
    pub fn addresses(&self, ipv4: bool) -> Vec<IpAddr> {
        addresses(&self.config, ipv4)
    }
}

fn addresses(config: &VrrpConfig, ipv4: bool) -> Vec<IpAddr> {
    match ipv4 {
        true => config.ipv4.iter().copied().map(IpAddr::V4).collect(),
        false => config.ipv6.iter().copied().map(IpAddr::V6).collect(),
    }
}

/// The virtual routers of one entry: one per family that has addresses.
fn families(vpc: VpcId, config: &VrrpConfig) -> Vec<(VirtualRouterId, &VrrpConfig)> {
    let id = |ipv4| VirtualRouterId {
        vpc,
        interface: config.interface.clone(),
        vrid: config.vrid,
        ipv4,
    };
    let present = [true, false].into_iter().filter(|&ipv4| !addresses(config, ipv4).is_empty());
    present.map(|ipv4| (id(ipv4), config)).collect()
}

/// Where advertisements of the family of `source` go.
fn group(source: IpAddr) -> IpAddr {
    if source.is_ipv4() { GROUP_V4.into() } else { GROUP_V6.into() }
}

fn output(id: &VirtualRouterId, source: IpAddr, action: vrrp::Action) -> VrrpOutput {
    let (vpc, interface) = (id.vpc, id.interface.clone());
    match action {
        vrrp::Action::Send(advertisement) => {
            let bytes = advertisement.encode(source, group(source));
            VrrpOutput::Send { vpc, interface, source, bytes }
        }
        vrrp::Action::BecomeActive { addresses } => {
            VrrpOutput::Install { vpc, interface, vrid: id.vrid, addresses }
        }
        vrrp::Action::BecomeBackup { addresses } => {
            VrrpOutput::Withdraw { vpc, interface, addresses }
        }
    }
}

#[cfg(test)]
mod tests;

//! One configured virtual router: its settings, and its state machine while it can run.

use super::VirtualRouterId;
use super::trouble::{Trouble, Troubles};
use crate::config::VrrpConfig;
use crate::net::{MacAddress, VpcId};
use crate::routing::vrrp::{self, VirtualRouter, VirtualRouterConfig};
use crate::time::Timestamp;
use crate::wire::vrrp::virtual_mac;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A configured virtual router.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its configuration, shared by both families.
    pub config: VrrpConfig,
    /// Its state machine; `None` while the interface cannot be used.
    pub machine: Option<VirtualRouter>,
    /// Who sent the last advertisement that was taken in.
    pub heard: Option<IpAddr>,
    /// When the state machine stopped.
    pub stopped: Timestamp,
    /// Whether it has an Ethernet address of its own (RFC 9568 §7.3), as in a segment.
    pub has_virtual_mac: bool,
    /// Whether the host does not receive what is sent there.
    pub lacks_virtual_mac: bool,
    /// Whether no tunnel of the VPC carries packets.
    pub isolated: bool,
    /// Whether the operator wants others to answer for the addresses.
    pub leaving: bool,
    /// The address that it sends from.
    pub source: Option<IpAddr>,
    /// What was wrong with others.
    pub troubles: Troubles,
    /// The claim of another station to an address of ours that is not answered yet.
    pub claimed: Option<(IpAddr, MacAddress)>,
    /// When such a claim was last answered.
    pub defended: Option<Timestamp>,
}

impl Member {
    /// A virtual router whose interface has not answered yet.
    pub(crate) fn new(
        config: VrrpConfig,
        has_virtual_mac: bool,
        leaving: bool,
        now: Timestamp,
    ) -> Member {
        Member {
            config,
            machine: None,
            heard: None,
            stopped: now,
            has_virtual_mac,
            lacks_virtual_mac: false,
            isolated: true,
            leaving,
            source: None,
            troubles: Troubles::default(),
            claimed: None,
            defended: None,
        }
    }

    /// The state of its machine.
    pub(crate) fn state(&self) -> vrrp::State {
        self.machine.as_ref().map_or(vrrp::State::Initialize, VirtualRouter::state)
    }

    /// Since when it is in this state.
    pub(crate) fn since(&self) -> Timestamp {
        self.machine.as_ref().map_or(self.stopped, VirtualRouter::since)
    }

    /// The Active Router as last heard of, when it is another one.
    pub(crate) fn active_router(&self) -> Option<IpAddr> {
        self.heard.filter(|_| self.state() == vrrp::State::Backup)
    }

    /// Its priority now. One that is to be left still leads somewhere, so it goes before one that
    /// is isolated.
    pub(crate) fn priority(&self) -> u8 {
        let VrrpConfig { priority, isolated_priority, .. } = self.config;
        match (self.isolated, self.leaving) {
            (true, _) => isolated_priority,
            (false, true) => isolated_priority.saturating_add(1).min(priority),
            (false, false) => priority,
        }
    }

    /// Where none takes over from an Active Router that runs, this one resigns, and is a backup like
    /// the others.
    pub(crate) fn step_back(&mut self, now: Timestamp) {
        let active = self.state() == vrrp::State::Active;
        if let Some(machine) = self.machine.as_mut().filter(|_| active) {
            machine.shutdown(now);
            machine.startup(now);
        }
    }

    /// Whether it answers for an address.
    pub(crate) fn answers_for(&self, address: IpAddr) -> bool {
        self.machine.as_ref().is_some_and(|machine| machine.answers_for(address))
    }

    /// Its Ethernet address, where it has one of its own that can be used.
    pub(crate) fn virtual_mac(&self, id: &VirtualRouterId) -> Option<MacAddress> {
        let usable = self.has_virtual_mac && !self.lacks_virtual_mac;
        usable.then(|| virtual_mac(id.vrid, id.ipv4))
    }

    /// Notes what is wrong with another station.
    pub(crate) fn note(&mut self, id: &VirtualRouterId, trouble: Trouble, now: Timestamp) {
        self.troubles.note(trouble, &id.interface, id.vrid, now);
    }

    /// Advertisements that were not taken in, and other signs that something is wrong, by kind
    /// (RFC 9568 §7.1).
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let discards = self.machine.as_ref().map(VirtualRouter::discards).unwrap_or_default();
        let of_machine = [
            ("zero_interval", discards.zero_interval),
            ("owner", discards.owner),
            ("own", discards.own),
        ];
        of_machine
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .chain(self.troubles.counts())
            .collect()
    }

    /// What its state machine is made of.
    pub(crate) fn machine_config(&self, ipv4: bool, local: IpAddr) -> VirtualRouterConfig {
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
    pub(crate) fn addresses(&self, ipv4: bool) -> Vec<IpAddr> {
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
pub(super) fn families(vpc: VpcId, config: &VrrpConfig) -> Vec<(VirtualRouterId, &VrrpConfig)> {
    let id = |ipv4| VirtualRouterId {
        vpc,
        interface: config.interface.clone(),
        vrid: config.vrid,
        ipv4,
    };
    let present = [true, false].into_iter().filter(|&ipv4| !addresses(config, ipv4).is_empty());
    present.map(|ipv4| (id(ipv4), config)).collect()
}

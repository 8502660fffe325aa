//! What the host answers, passed on to those whom it concerns: a prefix that the host refuses to
//! route is not usable, and a VPC that the host does not serve is not announced.

use super::Gateway;
use super::diagnosis::Fact;
use super::world::{
    Answer, Change, Entrances, ForeignRule, Ground, HostDevice, Rule, Table, Then, Underlay, Wish,
    configured, has_default, outer_devices, ways,
};
use crate::config::{Outline, PeerConfig, VpcConfig, VpcOutline};
use crate::control::Code;
use crate::net::{Prefix, VpcId};
use crate::routing::Reserved;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

impl Gateway {
    /// Takes over one answer.
    pub(super) fn on_world(&mut self, answer: Answer, now: Timestamp) {
        match answer {
            Answer::Devices(namespace, devices) => {
                let before = self.underlay_devices();
                let dead = self.host.dead_addresses();
                if self.host.update(namespace, devices) {
                    if self.underlay_devices() != before {
                        self.doubt_all(now);
                    }
                    self.note_links(&dead, now);
                    self.note_host(now);
                    self.reserve_underlay(now);
                    self.reconcile_world(now);
                    self.follow_addresses();
                }
                return;
            }
            Answer::Rules(namespace, rules) => {
                self.host.rules.insert(namespace, rules);
                return self.note_foreign_rules(now);
            }
            Answer::Sources(sources) => return self.learn_sources(sources, now),
            Answer::Segments(counters) => {
                self.segments = counters;
                return;
            }
            Answer::Translated(vpc, counters) => {
                self.nat.insert(vpc, counters);
                return;
            }
            Answer::Trouble(trouble) => return self.on_trouble(&trouble, now),
            Answer::Done(Change::Set(ref wish)) => self.note_forwarding(wish, false),
            Answer::Refused(Change::Set(ref wish), _) => self.note_forwarding(wish, true),
            Answer::Done(Change::Remove(_))
            | Answer::Refused(Change::Remove(_), _)
            | Answer::Lost(_)
            | Answer::Found(..)
            | Answer::Replaced(_) => {}
        }
        let vpcs = &self.config.vpcs;
        let lives_in = |wish: &Wish, namespace: Option<&str>| lives_in(vpcs, wish, namespace);
        self.world.on_answer(answer, lives_in, now);
    }

    /// Takes in more of what was found on the host.
    pub(super) fn compare_world(&mut self) {
        let vpcs = &self.config.vpcs;
        self.world.compare(&|wish: &Wish, namespace: Option<&str>| lives_in(vpcs, wish, namespace));
    }

    /// The host forwards packets of a VPC, or not. Hosts count on it from the first time on, and at any
    /// time where they have a virtual router here (RFC 9568 §6.4.3).
    fn note_forwarding(&mut self, wish: &Wish, refused: bool) {
        let Wish::Forwarding { vpc: id, ipv4, .. } = wish else { return };
        let has_virtual_router =
            || self.config.vpcs.get(id).is_some_and(|vpc| !vpc.vrrp.is_empty());
        if refused && !has_virtual_router() {
            return;
        }
        if let Some(vpc) = self.vpcs.get_mut(id) {
            vpc.count_on_forwarding(*ipv4);
        }
    }

    /// The devices that bear the addresses from which peers are reached.
    fn underlay_devices(&self) -> BTreeMap<String, HostDevice> {
        let chosen = self.local_addresses.values();
        let addresses: Vec<IpAddr> = self.listening.iter().chain(chosen).copied().collect();
        let bearing = self.host.bearing(&addresses);
        bearing.map(|(name, device)| (name.to_owned(), device.clone())).collect()
    }

    /// Lets no peer of a VPC beside the underlay announce what reaches into it: the gateways'
    /// addresses on it, and the networks that lead to them.
    pub(super) fn reserve_underlay(&mut self, now: Timestamp) {
        let chosen = self.local_addresses.values();
        let ours = self.listening.iter().chain(chosen).filter(|own| !own.is_unspecified());
        let theirs = self.config.peers.values().flat_map(PeerConfig::places);
        let own: BTreeSet<IpAddr> = ours.copied().collect();
        let gateways = own.iter().copied().chain(theirs).map(Prefix::host);
        let devices = self.underlay_devices();
        let networks = devices.values().flat_map(|device| &device.networks).copied();
        let reserved: BTreeSet<Prefix> =
            gateways.chain(networks).filter(|prefix| !is_of_a_link(prefix)).collect();
        for (id, vpc) in &mut self.vpcs {
            if self.config.vpcs.get(id).is_some_and(|config| config.netns.is_none()) {
                let underlay = Reserved::new(reserved.iter().copied(), own.clone());
                vpc.router.set_underlay(underlay, now);
                self.dirty.vpcs.insert(*id);
            }
        }
    }

    /// Wants from the host what the configuration names, beside what is learned.
    pub(super) fn reconcile_world(&mut self, now: Timestamp) {
        let mut configured = configured(&self.config, &self.host, &self.listening);
        self.follow_publics();
        let serving =
            self.config.vpcs.iter().filter(|(id, _)| self.redundancy.serves_publics(**id));
        configured.extend(serving.flat_map(|(id, vpc)| ways(*id, vpc)));
        let learned = |wish: &Wish| match wish {
            Wish::Route { vpc, prefix, .. } => {
                self.vpcs.get(vpc).is_some_and(|vpc| vpc.routes.group_of(prefix).is_some())
            }
            Wish::Onward { vpc, .. } => self.vpcs.contains_key(vpc),
            // Virtual addresses come and go with their virtual router.
            Wish::Address { vpc, address } => self.redundancy.answers_for(*vpc, *address),
            Wish::VirtualMac(one) => self.redundancy.is_active(one),
            Wish::Device { .. }
            | Wish::Guard { .. }
            | Wish::Home { .. }
            | Wish::Bar { .. }
            | Wish::Fence { .. }
            | Wish::Rule(_)
            | Wish::Admission(_)
            | Wish::Segment(_)
            | Wish::Forwarding { .. }
            | Wish::Translation(_)
            | Wish::Outlet(_)
            | Wish::Exit { .. }
            | Wish::Closed { .. }
            | Wish::Public { .. }
            | Wish::Sharing(_) => false,
        };
        self.world.reconcile(&configured, |wish| !learned(wish));
        self.note_foreign_rules(now);
    }

    /// The public addresses of the configuration follow their virtual routers.
    fn follow_publics(&mut self) {
        let publics = self.config.vpcs.iter().map(|(id, vpc)| (*id, vpc.public_addresses()));
        let publics = publics.filter(|(_, addresses)| !addresses.is_empty()).collect();
        let devices = outer_devices(&self.config, &self.host, &self.listening);
        self.redundancy.set_publics(publics, devices);
    }

    /// Where the host asks a rule of somebody else's before ours, ours does not do its work. Of one
    /// that asks for a mark nobody knows whether it catches packets of a VPC: it is told.
    fn note_foreign_rules(&mut self, now: Timestamp) {
        if self.host.rules.values().all(BTreeSet::is_empty) && !self.world.is_overruled() {
            self.marking_rules.clear();
            return;
        }
        let outline = Outline::of(&self.config);
        let underlay = Underlay::of(&outline, &self.host, &self.listening);
        let entrances: Vec<Entrances<'_>> =
            outline.vpcs.values().map(|vpc| Entrances::of(vpc, underlay)).collect();
        let first = |rule: &Rule, mark: bool| {
            let foreign = self.host.rules.get(&rule.netns)?;
            let there = || entrances.iter().filter(|one| one.vpc.netns == rule.netns);
            let overrules = |one: &ForeignRule| there().any(|of| one.overrules(rule, of));
            let first = foreign.iter().find(|one| one.mark == mark && overrules(one))?;
            Some((Wish::Rule(rule.clone().into()), first.complaint(rule)))
        };
        let overruled = self.world.rules().filter_map(|rule| first(rule, false)).collect();
        let marking = self.world.rules().filter_map(|rule| Some(first(rule, true)?.1)).collect();
        self.world.overrule(overruled);
        let before = std::mem::replace(&mut self.marking_rules, marking);
        for complaint in self.marking_rules.difference(&before).cloned().collect::<Vec<_>>() {
            self.warn_of(Fact::new(Code::HostRule, complaint), now);
        }
    }

    /// Tells the routers what the host refuses, and what it does again.
    pub(super) fn tell_refusals(&mut self, now: Timestamp) {
        while let Some((wish, carried)) = self.world.poll_turn() {
            if !carried {
                self.tell_refusal(&wish, now);
            }
            if let Wish::VirtualMac(virtual_mac) = &wish {
                self.redundancy.on_virtual_mac(virtual_mac, carried, now);
            }
            for id in self.concerned(&wish) {
                if let Some(vpc) = self.vpcs.get_mut(&id) {
                    self.dirty.vpcs.insert(id);
                    vpc.on_refusal(wish.clone(), carried, now);
                }
            }
        }
    }

    /// Tells a new VPC what the host refuses to all that live where it does.
    pub(super) fn tell_standing_refusals(&mut self, id: VpcId, now: Timestamp) {
        let concerns = |wish: &&Wish| self.concerned(wish).contains(&id);
        let shared: Vec<Wish> = self.world.refused_wishes().filter(concerns).cloned().collect();
        if let Some(vpc) = self.vpcs.get_mut(&id) {
            shared.into_iter().for_each(|wish| vpc.on_refusal(wish, false, now));
        }
    }

    /// The VPCs that are not served without a wish.
    fn concerned(&self, wish: &Wish) -> Vec<VpcId> {
        let Wish::Rule(rule) = wish else { return wish.vpc().into_iter().collect() };
        let needs = |vpc: &VpcOutline| match rule.then {
            Then::Lookup(Table::Prefixes) => true,
            Then::Lookup(Table::Defaults) => has_default(vpc, rule.ipv4),
            Then::LookupMain { .. } => rule.is_for_tunnels_of(vpc),
            Then::Lookup(Table::Ingress | Table::Fences(_) | Table::Public)
            | Then::Goto(_)
            | Then::Pass
            | Then::Unreachable => false,
        };
        let outline = Outline::of(&self.config);
        let lives_there = outline.vpcs.into_iter().filter(|(_, vpc)| vpc.netns == rule.netns);
        lives_there.filter(|(_, vpc)| needs(vpc)).map(|(id, _)| id).collect()
    }
}

/// Link-local networks are on every link and lead to no gateway.
fn is_of_a_link(prefix: &Prefix) -> bool {
    matches!(prefix.addr(), IpAddr::V6(six) if six.is_unicast_link_local())
}

/// Whether a wish is one for this network namespace; `None` is the daemon's.
fn lives_in(vpcs: &BTreeMap<VpcId, VpcConfig>, wish: &Wish, namespace: Option<&str>) -> bool {
    match wish.ground() {
        Ground::Named(name) => name == namespace,
        Ground::Of(vpc) => vpcs.get(&vpc).is_some_and(|vpc| vpc.netns.as_deref() == namespace),
    }
}

//! Policy rules of somebody else's that the kernel asks before ours: what they catch goes another
//! way, by the underlay in the clear perhaps, or from there into a VPC, whatever our tables say.

use super::lans::Underlay;
use super::tables::{END, LOOPBACK};
use super::wish::{Rule, Table, Then, When};
use crate::config::VpcOutline;
use crate::net::Prefix;
use std::collections::BTreeSet;

/// A rule of somebody else's that decides about packets of any mark and any socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignRule {
    /// Its address family.
    pub ipv4: bool,
    /// Its place: the lowest is asked first.
    pub priority: u32,
    /// The device that packets come in by.
    pub input: Option<String>,
    /// Where they come from.
    pub source: Option<Prefix>,
    /// Where they want to go.
    pub destination: Option<Prefix>,
    /// Whether they must bear some mark, which packets of a VPC bear if the host gives it to them.
    pub mark: bool,
}

/// A VPC, and the devices by which packets of its hosts come in.
#[derive(Clone, Debug)]
pub struct Entrances<'v> {
    /// The VPC.
    pub vpc: &'v VpcOutline,
    /// The devices.
    pub lans: BTreeSet<&'v str>,
}

impl<'v> Entrances<'v> {
    /// What the host shows of them.
    pub(crate) fn of(vpc: &'v VpcOutline, underlay: Underlay<'v>) -> Entrances<'v> {
        let more = vpc.let_in.iter().map(String::as_str);
        Entrances { vpc, lans: underlay.lans_of(vpc).into_iter().chain(more).collect() }
    }

    fn have(&self, device: &str) -> bool {
        self.lans.contains(device) || self.vpc.tun == device
    }
}

/// What a rule of ours keeps from happening, and one in front of it may let happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// Packets of the VPC pass the tunnels by.
    PassBy,
    /// What comes in by devices of others gets into the VPC in the clear.
    ComeIn,
    /// What comes out of a tunnel leaves by a way that does not lead to the VPC's hosts.
    GoAstray,
}

impl ForeignRule {
    /// Whether it is asked before `rule` about packets for which the VPC needs that one.
    pub fn overrules(&self, rule: &Rule, of: &Entrances<'_>) -> bool {
        let comes_first = (self.ipv4, self.priority < rule.priority) == (rule.ipv4, true);
        comes_first
            && match rule.keeps_from() {
                Some(Harm::PassBy) => self.catches_from(of) && self.catches_to(of.vpc),
                Some(Harm::ComeIn) => self.lets_in(rule, of),
                Some(Harm::GoAstray) => rule.is_for_tunnels_of(of.vpc) && self.leads_on(of.vpc),
                None => false,
            }
    }

    fn catches_from(&self, of: &Entrances<'_>) -> bool {
        let own = |source: &Prefix| of.vpc.prefixes.iter().any(|prefix| prefix.overlaps(source));
        self.input.as_ref().is_none_or(|input| of.have(input))
            && self.source.as_ref().is_none_or(own)
    }

    fn catches_to(&self, vpc: &VpcOutline) -> bool {
        let behind = |to: &Prefix| vpc.behind().any(|prefix| prefix.overlaps(to));
        self.destination.as_ref().is_none_or(behind)
    }

    /// Whether it may catch what comes from the underlay for the VPC. A rule that names only where
    /// packets come from, or their mark, is how hosts with several uplinks choose the way out: it is
    /// no way in.
    fn lets_in(&self, rule: &Rule, of: &Entrances<'_>) -> bool {
        let by_others = |input: &String| {
            !of.have(input) && input != LOOPBACK && rule.when.is_for_arriving_by(input)
        };
        let barred = || of.vpc.prefixes.iter().chain(&of.vpc.accept);
        let into = |to: &Prefix| barred().any(|one| one.overlaps(to));
        let is_of_choice = self.input.is_none() && (self.source.is_some() || self.mark);
        self.input.as_ref().is_none_or(by_others)
            && self.destination.as_ref().map_or(!is_of_choice, into)
    }

    /// Whether it may catch what comes out of the VPC's tunnels.
    fn leads_on(&self, vpc: &VpcOutline) -> bool {
        let home = |to: &Prefix| vpc.prefixes.iter().any(|prefix| prefix.overlaps(to));
        let from_peers = |from: &Prefix| vpc.behind().any(|prefix| prefix.overlaps(from));
        self.input.as_ref().is_none_or(|input| *input == vpc.tun)
            && self.destination.as_ref().is_none_or(home)
            && self.source.as_ref().is_none_or(from_peers)
    }

    /// What the operator is told about its effect on `rule`.
    pub fn complaint(&self, rule: &Rule) -> String {
        let (family, priority) = (if self.ipv4 { 4 } else { 6 }, self.priority);
        let harm = match rule.keeps_from() {
            Some(Harm::ComeIn) => "what the underlay brings gets into the VPC in the clear",
            Some(Harm::GoAstray) => "what comes out of a tunnel may leave in the clear",
            Some(Harm::PassBy) | None => "packets of the VPC pass the tunnels by",
        };
        let marked = if self.mark { " if the host gives them its mark" } else { "" };
        format!(
            "the host asks its own rule {priority} first, by which {harm}{marked}; see `ip -{family} rule` \
             and give it a priority above {END}"
        )
    }
}

impl Rule {
    fn keeps_from(&self) -> Option<Harm> {
        match self.then {
            Then::Lookup(Table::Prefixes | Table::Defaults) => Some(Harm::PassBy),
            Then::Lookup(Table::Ingress) => Some(Harm::ComeIn),
            Then::LookupMain { .. } => Some(Harm::GoAstray),
            Then::Lookup(Table::Fences(_) | Table::Public)
            | Then::Goto(_)
            | Then::Pass
            | Then::Unreachable => None,
        }
    }

    /// Whether it is about what comes out of the tunnels of a VPC.
    pub(in crate::gateway) fn is_for_tunnels_of(&self, vpc: &VpcOutline) -> bool {
        match &self.when {
            When::Arriving(device) | When::Bound(device, _) => *device == vpc.tun,
            When::Always
            | When::Marked
            | When::Unmarked
            | When::From(_)
            | When::SentFrom(_)
            | When::Translated
            | When::Complaint => false,
        }
    }
}

impl When {
    fn is_for_arriving_by(&self, input: &str) -> bool {
        match self {
            When::Arriving(device) => device == input,
            When::Always => true,
            When::Marked
            | When::Unmarked
            | When::Bound(..)
            | When::From(_)
            | When::SentFrom(_)
            | When::Translated
            | When::Complaint => false,
        }
    }
}

#[cfg(test)]
mod tests;

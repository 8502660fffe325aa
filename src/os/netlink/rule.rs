//! Policy rules: which packets look into which routing table, and which must not go anywhere.

use std::fmt;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use nix::errno::Errno;
use nix::libc;
use rtnetlink::IpVersion;
use rtnetlink::packet_route::route::{RouteHeader, RouteProtocol};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, IpProtocol};

use super::{Netlink, PROTOCOL, unless};
use crate::net::Prefix;

/// Priority of guards: after the rule for local addresses (0), before every routing table (32766).
const PRIORITY: u32 = 79;
/// ICMP for IPv6, which has no name among the protocols there.
const ICMPV6: IpProtocol = IpProtocol::Other(58);
/// The table of the host's own addresses.
const LOCAL_TABLE: u32 = libc::RT_TABLE_LOCAL as u32;
/// What the kernel shows where a rule suppresses nothing.
const NO_SUPPRESSION: u32 = u32::MAX;

/// A rule. Every condition that is set must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Its address family.
    pub ipv4: bool,
    /// Its place: the lowest is asked first.
    pub priority: u32,
    /// The device that packets come in by; `lo` are those that the host itself sends.
    pub input: Option<String>,
    /// Where they come from.
    pub source: Option<Prefix>,
    /// Where they want to go.
    pub destination: Option<Prefix>,
    /// The mark that they carry, or do not carry.
    pub mark: Option<Mark>,
    /// Whether it is for ICMP of its family only.
    pub icmp: bool,
    /// What becomes of them.
    pub action: Action,
}

/// A condition on a packet's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It carries this one.
    Is(u32),
    /// It does not carry this one. The kernel inverts rules as a whole, so no other condition can
    /// stand beside it.
    IsNot(u32),
}

/// What becomes of the packets of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// A table is asked; when it has no route, the next rule.
    Lookup(u32),
    /// The same, but of its routes only those for prefixes of at least this length count.
    LookupFrom(u32, u8),
    /// The rules before the one of this priority are passed over.
    Goto(u32),
    /// Nothing.
    Pass,
    /// They go nowhere, and the sender is told.
    Unreachable,
    /// They go nowhere, in silence.
    Blackhole,
}

impl Rule {
    fn message(&self, protocol: u8) -> RuleMessage {
        let mut message = RuleMessage::default();
        let header = &mut message.header;
        header.family = if self.ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
        header.dst_len = self.destination.map_or(0, |prefix| prefix.len());
        header.src_len = self.source.map_or(0, |prefix| prefix.len());
        header.action = self.action.kind();
        let destination = self.destination.map(|prefix| RuleAttribute::Destination(prefix.addr()));
        let source = self.source.map(|prefix| RuleAttribute::Source(prefix.addr()));
        let input = self.input.clone().map(RuleAttribute::Iifname);
        let mark =
            self.mark.map(|(Mark::Is(mark) | Mark::IsNot(mark))| RuleAttribute::FwMark(mark));
        if let Some(Mark::IsNot(_)) = self.mark {
            header.flags |= RuleFlags::Invert;
        }
        let icmp = if self.ipv4 { IpProtocol::Icmp } else { ICMPV6 };
        let icmp = self.icmp.then_some(RuleAttribute::IpProtocol(icmp));
        message.attributes.extend([destination, source, input, mark, icmp].into_iter().flatten());
        message.attributes.push(RuleAttribute::Priority(self.priority));
        message.attributes.push(RuleAttribute::Protocol(RouteProtocol::from(protocol)));
        message.attributes.extend(self.action.attributes());
        message
    }

    /// Which packets a rule of any kind is for; all where it says for which it is not. What becomes
    /// of them is left open.
    fn read_where(message: &RuleMessage) -> Rule {
        let conditions = Rule::conditions(message);
        match message.header.flags.contains(RuleFlags::Invert) {
            true => Rule { priority: conditions.priority, ..Rule::for_all(conditions.ipv4) },
            false => conditions,
        }
    }

    /// For all packets of a family, and of no effect.
    fn for_all(ipv4: bool) -> Rule {
        Rule {
            ipv4,
            priority: 0,
            input: None,
            source: None,
            destination: None,
            mark: None,
            icmp: false,
            action: Action::Pass,
        }
    }

    /// What a rule asks of packets, as it stands there: inverted or not, and of no effect.
    fn conditions(message: &RuleMessage) -> Rule {
        let mut rule = Rule::for_all(message.header.family == AddressFamily::Inet);
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Priority(priority) => rule.priority = *priority,
                RuleAttribute::Iifname(name) => rule.input = Some(name.clone()),
                RuleAttribute::FwMark(mark) if *mark != 0 => rule.mark = Some(Mark::Is(*mark)),
                RuleAttribute::IpProtocol(IpProtocol::Icmp | ICMPV6) => {
                    rule.icmp = true;
                }
                RuleAttribute::Source(address) => {
                    rule.source = Prefix::containing(*address, message.header.src_len);
                }
                RuleAttribute::Destination(address) => {
                    rule.destination = Prefix::containing(*address, message.header.dst_len);
                }
                _ => {}
            }
        }
        rule
    }

    /// `None` for kinds of rule that we never make.
    pub(super) fn read(message: &RuleMessage) -> Option<Rule> {
        let mut rule = Rule::conditions(message);
        let (table, mut target) = (table(message), None);
        let mut suppressed = NO_SUPPRESSION;
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Goto(priority) => target = Some(*priority),
                RuleAttribute::SuppressPrefixLen(length) => suppressed = *length,
                _ => {}
            }
        }
        rule.mark = match (rule.mark, message.header.flags.contains(RuleFlags::Invert)) {
            (mark, false) => mark,
            (Some(Mark::Is(mark)), true) => Some(Mark::IsNot(mark)),
            (Some(Mark::IsNot(_)) | None, true) => return None,
        };
        rule.action = match message.header.action {
            RuleAction::ToTable if suppressed == NO_SUPPRESSION => Action::Lookup(table),
            RuleAction::ToTable => {
                Action::LookupFrom(table, u8::try_from(suppressed).ok()?.checked_add(1)?)
            }
            RuleAction::Goto => Action::Goto(target?),
            RuleAction::Nop => Action::Pass,
            RuleAction::Unreachable => Action::Unreachable,
            RuleAction::Blackhole => Action::Blackhole,
            _ => return None,
        };
        Some(rule)
    }
}

impl Action {
    fn kind(self) -> RuleAction {
        match self {
            Action::Lookup(_) | Action::LookupFrom(..) => RuleAction::ToTable,
            Action::Goto(_) => RuleAction::Goto,
            Action::Pass => RuleAction::Nop,
            Action::Unreachable => RuleAction::Unreachable,
            Action::Blackhole => RuleAction::Blackhole,
        }
    }

    fn attributes(self) -> Vec<RuleAttribute> {
        match self {
            Action::Lookup(table) => vec![RuleAttribute::Table(table)],
            Action::LookupFrom(table, shortest) => {
                let suppressed = shortest.checked_sub(1).map_or(NO_SUPPRESSION, u32::from);
                vec![RuleAttribute::Table(table), RuleAttribute::SuppressPrefixLen(suppressed)]
            }
            Action::Goto(priority) => vec![RuleAttribute::Goto(priority)],
            Action::Pass | Action::Unreachable | Action::Blackhole => Vec::new(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} for packets", self.priority)?;
        self.source.iter().try_for_each(|prefix| write!(f, " from {prefix}"))?;
        self.destination.iter().try_for_each(|prefix| write!(f, " to {prefix}"))?;
        self.input.iter().try_for_each(|device| write!(f, " arriving on {device}"))?;
        f.write_str(if self.icmp { " of ICMP" } else { "" })?;
        match self.mark {
            Some(Mark::Is(mark)) => write!(f, " with mark {mark}"),
            Some(Mark::IsNot(mark)) => write!(f, " without mark {mark}"),
            None => Ok(()),
        }
    }
}

/// Drops packets in silence before any routing table is asked. Packets for this host's own
/// addresses are not touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuardRule(Rule);

impl GuardRule {
    /// Packets from a prefix.
    pub fn from(source: Prefix) -> Self {
        let guard = Self::to(source);
        GuardRule(Rule { source: Some(source), destination: None, ..guard.0 })
    }

    /// Packets to a prefix.
    pub fn to(destination: Prefix) -> Self {
        GuardRule(Rule {
            ipv4: destination.is_ipv4(),
            priority: PRIORITY,
            input: None,
            source: None,
            destination: Some(destination),
            mark: None,
            icmp: false,
            action: Action::Blackhole,
        })
    }
}

impl Netlink {
    /// Adds a guard.
    pub async fn add_guard(&self, guard: &GuardRule) -> Result<()> {
        self.add_rule(&guard.0).await
    }

    /// Removes a guard.
    pub async fn remove_guard(&self, guard: &GuardRule) -> Result<()> {
        self.remove_rule(&guard.0).await
    }

    /// Adds a rule.
    pub async fn add_rule(&self, rule: &Rule) -> Result<()> {
        let mut request = self.handle.rule().add();
        *request.message_mut() = rule.message(self.protocol);
        unless(request.execute().await, &[Errno::EEXIST])
            .with_context(|| format!("adding the {rule}"))
    }

    /// Removes a rule.
    pub async fn remove_rule(&self, rule: &Rule) -> Result<()> {
        let removed = self.handle.rule().del(rule.message(self.protocol)).execute().await;
        unless(removed, &[Errno::ENOENT]).with_context(|| format!("removing the {rule}"))
    }

    /// All rules that carry our [`PROTOCOL`].
    pub async fn our_rules(&self) -> Result<Vec<Rule>> {
        Ok(self.our_rule_messages().await?.iter().filter_map(Rule::read).collect())
    }

    /// The rules of others that decide about packets that are forwarded, with the mark that they ask
    /// for. Those that only look for local addresses decide nothing.
    pub async fn foreign_rules(&self) -> Result<Vec<Rule>> {
        let all = self.rule_messages().await?;
        let foreign = all.iter().filter(|message| !is_ours(message) && decides(message));
        Ok(foreign.map(Rule::read_where).collect())
    }

    /// Removes all rules that carry our [`PROTOCOL`]; says how many there were.
    pub async fn remove_our_rules(&self) -> Result<usize> {
        let rules = self.our_rule_messages().await?;
        let count = rules.len();
        for rule in rules {
            let removed = self.handle.rule().del(rule).execute().await;
            unless(removed, &[Errno::ENOENT]).context("removing a stale rule")?;
        }
        Ok(count)
    }

    async fn our_rule_messages(&self) -> Result<Vec<RuleMessage>> {
        Ok(self.rule_messages().await?.into_iter().filter(is_ours).collect())
    }

    async fn rule_messages(&self) -> Result<Vec<RuleMessage>> {
        let mut all = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let answers = self.handle.rule().get(version).execute();
            let rules: Vec<RuleMessage> = answers.try_collect().await.context("listing rules")?;
            all.extend(rules);
        }
        Ok(all)
    }
}

/// Whether a rule can send a packet that is forwarded another way. Such a packet is root's.
fn decides(message: &RuleMessage) -> bool {
    let is_for_some = message.attributes.iter().any(|attribute| match attribute {
        RuleAttribute::Iifname(name) => name == "lo",
        RuleAttribute::UidRange(range) => range.start > 0,
        RuleAttribute::Oifname(_) => true,
        RuleAttribute::L3MDev(is_on) => *is_on,
        _ => false,
    });
    !is_for_some && message.header.action != RuleAction::Nop && table(message) != LOCAL_TABLE
}

/// The table that a rule has asked: the header has room for small numbers only.
fn table(message: &RuleMessage) -> u32 {
    let number = message.attributes.iter().find_map(|attribute| match attribute {
        RuleAttribute::Table(number) => Some(*number),
        _ => None,
    });
    number.unwrap_or(message.header.table.into())
}

/// Whether a rule carries our [`PROTOCOL`].
pub(super) fn is_ours(message: &RuleMessage) -> bool {
    message.attributes.contains(&RuleAttribute::Protocol(RouteProtocol::from(PROTOCOL)))
}

/// The main routing table.
pub const MAIN_TABLE: u32 = RouteHeader::RT_TABLE_MAIN as u32;

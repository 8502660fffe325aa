//! Policy rules that keep traffic out of places where it must not be.

use std::fmt;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::IpVersion;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::RouteProtocol;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

use super::{Netlink, PROTOCOL, unless};
use crate::net::Prefix;

/// After the rule for local addresses (0) and before every routing table (32766).
const PRIORITY: u32 = 79;

/// Drops packets in silence before any routing table is asked. Packets for this host's own
/// addresses are not touched. Every condition that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuardRule {
    /// The device that they come in by.
    pub input: Option<String>,
    /// Where they come from.
    pub source: Option<Prefix>,
    /// Where they want to go.
    pub destination: Option<Prefix>,
}

impl GuardRule {
    /// Packets that come in by a device and want to go to a prefix.
    pub fn arriving(input: &str, destination: Prefix) -> Self {
        let input = Some(input.to_owned());
        GuardRule { input, source: None, destination: Some(destination) }
    }

    /// Packets from a prefix.
    pub fn from(source: Prefix) -> Self {
        GuardRule { source: Some(source), ..GuardRule::default() }
    }

    /// Packets to a prefix.
    pub fn to(destination: Prefix) -> Self {
        GuardRule { destination: Some(destination), ..GuardRule::default() }
    }

    fn message(&self, protocol: u8) -> RuleMessage {
        let prefix = self.destination.or(self.source);
        let is_ipv4 = prefix.is_none_or(|prefix| prefix.is_ipv4());
        let mut message = RuleMessage::default();
        message.header.family = if is_ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.dst_len = self.destination.map_or(0, |prefix| prefix.len());
        message.header.src_len = self.source.map_or(0, |prefix| prefix.len());
        message.header.action = RuleAction::Blackhole;
        let destination = self.destination.map(|prefix| RuleAttribute::Destination(prefix.addr()));
        let source = self.source.map(|prefix| RuleAttribute::Source(prefix.addr()));
        let input = self.input.clone().map(RuleAttribute::Iifname);
        message.attributes.extend([destination, source, input].into_iter().flatten());
        message.attributes.push(RuleAttribute::Priority(PRIORITY));
        message.attributes.push(RuleAttribute::Protocol(RouteProtocol::from(protocol)));
        message
    }
}

impl fmt::Display for GuardRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("packets")?;
        self.source.iter().try_for_each(|prefix| write!(f, " from {prefix}"))?;
        self.destination.iter().try_for_each(|prefix| write!(f, " to {prefix}"))?;
        self.input.iter().try_for_each(|device| write!(f, " arriving on {device}"))
    }
}

impl Netlink {
    /// Adds a guard.
    pub async fn add_guard(&self, guard: &GuardRule) -> Result<()> {
        let mut request = self.handle.rule().add();
        *request.message_mut() = guard.message(self.protocol);
        unless(request.execute().await, &[Errno::EEXIST])
            .with_context(|| format!("adding the guard against {guard}"))
    }

    /// Removes a guard.
    pub async fn remove_guard(&self, guard: &GuardRule) -> Result<()> {
        let removed = self.handle.rule().del(guard.message(self.protocol)).execute().await;
        unless(removed, &[Errno::ENOENT])
            .with_context(|| format!("removing the guard against {guard}"))
    }

    /// Removes all rules that carry our [`PROTOCOL`]; says how many there were.
    pub async fn remove_our_rules(&self) -> Result<usize> {
        let ours = RuleAttribute::Protocol(RouteProtocol::from(PROTOCOL));
        let mut count = 0;
        for version in [IpVersion::V4, IpVersion::V6] {
            let answers = self.handle.rule().get(version).execute();
            let rules: Vec<RuleMessage> = answers.try_collect().await.context("listing rules")?;
            for rule in rules.into_iter().filter(|rule| rule.attributes.contains(&ours)) {
                let removed = self.handle.rule().del(rule).execute().await;
                unless(removed, &[Errno::ENOENT]).context("removing a stale rule")?;
                count += 1;
            }
        }
        Ok(count)
    }
}

//! Policy rules that keep traffic out of places where it must not be.

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

/// Packets that arrive on one device for some destinations are dropped in silence, whatever
/// the routing tables say; packets for this host's own addresses are not touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuardRule {
    /// The device that they come in by.
    pub input: String,
    /// Where they want to go.
    pub destination: Prefix,
}

impl GuardRule {
    fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family =
            if self.destination.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.dst_len = self.destination.len();
        message.header.action = RuleAction::Blackhole;
        message.attributes = vec![
            RuleAttribute::Destination(self.destination.addr()),
            RuleAttribute::Iifname(self.input.clone()),
            RuleAttribute::Priority(PRIORITY),
            RuleAttribute::Protocol(RouteProtocol::from(PROTOCOL)),
        ];
        message
    }
}

impl Netlink {
    /// Adds a guard.
    pub async fn add_guard(&self, guard: &GuardRule) -> Result<()> {
        let mut request = self.handle.rule().add();
        *request.message_mut() = guard.message();
        unless(request.execute().await, &[Errno::EEXIST])
            .with_context(|| format!("guarding {} against {}", guard.destination, guard.input))
    }

    /// Removes a guard.
    pub async fn remove_guard(&self, guard: &GuardRule) -> Result<()> {
        let removed = self.handle.rule().del(guard.message()).execute().await;
        unless(removed, &[Errno::ENOENT]).with_context(|| {
            format!("removing the guard of {} against {}", guard.destination, guard.input)
        })
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

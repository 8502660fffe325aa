//! Wishes in the kernel's words, and back.

use super::Place;
use crate::gateway::world::{
    self, Rule, Table, Then, When, Wish, guard_metric, guard_owner, home_metric, home_owner,
    metric, owner,
};
use crate::net::{Prefix, VpcId};
use crate::os::netlink::{self, Action, MAIN_TABLE, Mark, Route, Via};
use crate::os::udp::MARK;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// TTL of what the host itself sends into a tunnel, which tells it from what it forwards.
const OWN_HOP_LIMIT: u32 = 255;

/// What marks packets of a VPC that will be translated to a public address.
pub(super) const TRANSLATED: u32 = MARK + 1;
/// The device by which a rule knows what the host itself sends.
const LOOPBACK: &str = "lo";
/// Metric of bars, which belong to no VPC.
const BAR_METRIC: u32 = 79;

/// The route that a wish is; `None` for what is no route, or has no place.
pub(super) fn route(wish: &Wish, places: &BTreeMap<VpcId, Place>) -> Option<Route> {
    let table = wish.table()?.number();
    let (prefix, via, metric) = match wish {
        Wish::Guard { prefix, vpc } => (*prefix, Via::Unreachable, guard_metric(*vpc)),
        Wish::Home { prefix, vpc, .. } => (*prefix, Via::Throw, home_metric(*vpc)),
        Wish::Route { prefix, vpc, .. } => {
            (*prefix, Via::Device(places.get(vpc)?.device.clone()), metric(*vpc))
        }
        Wish::Onward { prefix, vpc, router } => (*prefix, Via::Gateway(*router), metric(*vpc)),
        Wish::Bar { prefix } | Wish::Fence { prefix, .. } => (*prefix, Via::Blackhole, BAR_METRIC),
        Wish::Exit { vpc, device } => {
            let everywhere = Prefix::containing(Ipv4Addr::UNSPECIFIED.into(), 0)?;
            (everywhere, Via::Device(device.clone()), metric(*vpc))
        }
        Wish::Closed { vpc, address } => {
            (Prefix::host((*address).into()), Via::Blackhole, guard_metric(*vpc))
        }
        Wish::Public { vpc, address, device } => {
            (Prefix::host((*address).into()), Via::Device(device.clone()), metric(*vpc))
        }
        Wish::Device { .. }
        | Wish::Address { .. }
        | Wish::Rule(_)
        | Wish::Admission(_)
        | Wish::Segment(_)
        | Wish::VirtualMac(_)
        | Wish::Forwarding { .. }
        | Wish::Translation(_)
        | Wish::Outlet(_)
        | Wish::Sharing(_) => return None,
    };
    let route = Route::new(prefix, via).in_table(table).with_metric(metric);
    Some(match wish {
        Wish::Route { source, .. } => {
            Route { source: *source, hop_limit: Some(OWN_HOP_LIMIT), ..route }
        }
        _ => route,
    })
}

/// The wish that a route of ours is, if it is one.
pub(super) fn wish_of_route(route: &Route) -> Option<Wish> {
    let prefix = route.prefix;
    let wish = match (Table::numbered(route.table)?, &route.via) {
        (Table::Ingress, Via::Blackhole) => Wish::Bar { prefix },
        (Table::Fences(vpc), Via::Blackhole) => Wish::Fence { vpc, prefix },
        (table @ (Table::Prefixes | Table::Defaults), Via::Throw) => {
            Wish::Home { vpc: home_owner(route.metric)?, prefix, table }
        }
        (Table::Prefixes | Table::Defaults, Via::Unreachable) => {
            Wish::Guard { vpc: guard_owner(route.metric)?, prefix }
        }
        (Table::Prefixes | Table::Defaults, Via::Device(_)) => {
            Wish::Route { vpc: owner(route.metric)?, prefix, source: route.source }
        }
        (Table::Prefixes, Via::Gateway(router)) => {
            Wish::Onward { vpc: owner(route.metric)?, prefix, router: *router }
        }
        (Table::Public, Via::Blackhole) => match prefix.addr() {
            IpAddr::V4(address) => Wish::Closed { vpc: guard_owner(route.metric)?, address },
            IpAddr::V6(_) => return None,
        },
        (Table::Public, Via::Device(device)) => {
            let (vpc, device) = (owner(route.metric)?, device.clone());
            match prefix.addr() {
                IpAddr::V4(_) if prefix.len() == 0 => Wish::Exit { vpc, device },
                IpAddr::V4(address) if prefix.len() == 32 => Wish::Public { vpc, address, device },
                IpAddr::V4(_) | IpAddr::V6(_) => return None,
            }
        }
        (
            Table::Ingress | Table::Fences(_) | Table::Prefixes | Table::Defaults | Table::Public,
            _,
        ) => return None,
    };
    Some(wish)
}

/// A rule in the kernel's words.
pub(super) fn rule(rule: &Rule) -> netlink::Rule {
    let (mut input, mut source, mut destination) = (None, None, None);
    let (mut mark, mut icmp) = (None, false);
    match &rule.when {
        When::Always => {}
        When::Marked => mark = Some(Mark::Is(MARK)),
        When::Unmarked => mark = Some(Mark::IsNot(MARK)),
        When::Translated => mark = Some(Mark::Is(TRANSLATED)),
        When::Arriving(device) => input = Some(device.clone()),
        When::Bound(device, prefix) => {
            (input, destination) = (Some(device.clone()), Some(*prefix));
        }
        When::From(prefix) => source = Some(*prefix),
        When::SentFrom(prefix) => (input, source) = (Some(LOOPBACK.to_owned()), Some(*prefix)),
        When::Complaint => {
            input = Some(LOOPBACK.to_owned());
            source = no_source(rule.ipv4);
            icmp = true;
        }
    }
    let action = match rule.then {
        Then::Lookup(table) => Action::Lookup(table.number()),
        Then::LookupMain { shortest: 0 } => Action::Lookup(MAIN_TABLE),
        Then::LookupMain { shortest } => Action::LookupFrom(MAIN_TABLE, shortest),
        Then::Goto(priority) => Action::Goto(priority),
        Then::Pass => Action::Pass,
        Then::Unreachable => Action::Unreachable,
    };
    let (ipv4, priority) = (rule.ipv4, rule.priority);
    netlink::Rule { ipv4, priority, input, source, destination, mark, icmp, action }
}

/// The source of packets that have none yet, as rules for IPv4 can ask for it.
fn no_source(ipv4: bool) -> Option<Prefix> {
    ipv4.then(|| Prefix::host(Ipv4Addr::UNSPECIFIED.into()))
}

/// The wish that a rule of ours is, if it is one.
pub(super) fn wish_of_rule(rule: &netlink::Rule, namespace: Option<&str>) -> Option<Wish> {
    let is_own = rule.input.as_deref() == Some(LOOPBACK);
    let when = match (&rule.input, rule.source, rule.destination, rule.mark) {
        (_, source, None, None) if rule.icmp => {
            (is_own && source == no_source(rule.ipv4)).then_some(When::Complaint)?
        }
        (None, None, None, None) => When::Always,
        (None, None, None, Some(Mark::Is(MARK))) => When::Marked,
        (None, None, None, Some(Mark::IsNot(MARK))) => When::Unmarked,
        (None, None, None, Some(Mark::Is(TRANSLATED))) => When::Translated,
        (Some(_), Some(source), None, None) if is_own => When::SentFrom(source),
        (Some(device), None, None, None) => When::Arriving(device.clone()),
        (Some(device), None, Some(prefix), None) => When::Bound(device.clone(), prefix),
        (None, Some(source), None, None) => When::From(source),
        _ => return None,
    };
    let then = match rule.action {
        Action::Lookup(MAIN_TABLE) => Then::LookupMain { shortest: 0 },
        Action::Lookup(table) => Then::Lookup(Table::numbered(table)?),
        Action::LookupFrom(MAIN_TABLE, shortest) => Then::LookupMain { shortest },
        Action::Goto(priority) => Then::Goto(priority),
        Action::Pass => Then::Pass,
        Action::Unreachable => Then::Unreachable,
        Action::LookupFrom(..) | Action::Blackhole => return None,
    };
    let (ipv4, priority) = (rule.ipv4, rule.priority);
    let netns = namespace.map(str::to_owned);
    Some(Wish::Rule(Box::new(world::Rule { netns, ipv4, priority, when, then })))
}

#[cfg(test)]
mod tests;

//! Wishes in the kernel's words, and back.

use super::Place;
use crate::gateway::world::{
    self, Rule, Table, Then, When, Wish, guard_metric, guard_owner, metric, owner,
};
use crate::net::{Prefix, VpcId};
use crate::os::netlink::{self, Action, MAIN_TABLE, Mark, Route, Via};
use crate::os::udp::MARK;
use std::collections::BTreeMap;

/// The device by which a rule knows what the host itself sends.
const LOOPBACK: &str = "lo";
/// Metric of bars, which belong to no VPC.
const BAR_METRIC: u32 = 79;

/// The route that a wish is; `None` for what is no route, or has no place.
pub fn route(wish: &Wish, places: &BTreeMap<VpcId, Place>) -> Option<Route> {
    let table = wish.table()?.number();
    let (prefix, via, metric) = match wish {
        Wish::Guard { prefix, vpc } => (*prefix, Via::Unreachable, guard_metric(*vpc)),
        Wish::Home { prefix, vpc } => (*prefix, Via::Throw, metric(*vpc)),
        Wish::Route { prefix, vpc } => {
            (*prefix, Via::Device(places.get(vpc)?.device.clone()), metric(*vpc))
        }
        Wish::Bar { prefix } => (*prefix, Via::Blackhole, BAR_METRIC),
        Wish::Device { .. } | Wish::Address { .. } | Wish::Rule(_) => return None,
    };
    Some(Route::new(prefix, via).in_table(table).with_metric(metric))
}

/// The wish that a route of ours is, if it is one.
pub fn wish_of_route(route: &Route) -> Option<Wish> {
    let prefix = route.prefix;
    let wish = match (Table::numbered(route.table)?, &route.via) {
        (Table::Ingress, Via::Blackhole) => Wish::Bar { prefix },
        (Table::Defaults, Via::Throw) => Wish::Home { vpc: owner(route.metric)?, prefix },
        (Table::Prefixes | Table::Defaults, Via::Unreachable) => {
            Wish::Guard { vpc: guard_owner(route.metric)?, prefix }
        }
        (Table::Prefixes | Table::Defaults, Via::Device(_)) => {
            Wish::Route { vpc: owner(route.metric)?, prefix }
        }
        (Table::Ingress | Table::Prefixes | Table::Defaults, _) => return None,
    };
    Some(wish)
}

/// A rule in the kernel's words.
pub fn rule(rule: &Rule) -> netlink::Rule {
    let (mut input, mut source, mut mark) = (None, None, None);
    match &rule.when {
        When::Always => {}
        When::Marked => mark = Some(Mark::Is(MARK)),
        When::Unmarked => mark = Some(Mark::IsNot(MARK)),
        When::Arriving(device) => input = Some(device.clone()),
        When::From(prefix) => source = Some(*prefix),
        When::SentFrom(address) => {
            (input, source) = (Some(LOOPBACK.to_owned()), Some(Prefix::host(*address)));
        }
    }
    let action = match rule.then {
        Then::Lookup(table) => Action::Lookup(table.number()),
        Then::LookupMainButDefault => Action::LookupButDefault(MAIN_TABLE),
        Then::Goto(priority) => Action::Goto(priority),
        Then::Pass => Action::Pass,
        Then::Unreachable => Action::Unreachable,
    };
    let (ipv4, priority) = (rule.ipv4, rule.priority);
    netlink::Rule { ipv4, priority, input, source, destination: None, mark, action }
}

/// The wish that a rule of ours is, if it is one.
pub fn wish_of_rule(rule: &netlink::Rule, namespace: Option<&str>) -> Option<Wish> {
    let when = match (&rule.input, rule.source, rule.mark) {
        (None, None, None) => When::Always,
        (None, None, Some(Mark::Is(MARK))) => When::Marked,
        (None, None, Some(Mark::IsNot(MARK))) => When::Unmarked,
        (Some(device), Some(source), None) if device == LOOPBACK => When::SentFrom(source.addr()),
        (Some(device), None, None) => When::Arriving(device.clone()),
        (None, Some(source), None) => When::From(source),
        _ => return None,
    };
    let then = match rule.action {
        Action::Lookup(table) => Then::Lookup(Table::numbered(table)?),
        Action::LookupButDefault(MAIN_TABLE) => Then::LookupMainButDefault,
        Action::Goto(priority) => Then::Goto(priority),
        Action::Pass => Then::Pass,
        Action::Unreachable => Then::Unreachable,
        Action::LookupButDefault(_) | Action::Blackhole => return None,
    };
    let (ipv4, priority) = (rule.ipv4, rule.priority);
    let netns = namespace.map(str::to_owned);
    Some(Wish::Rule(world::Rule { netns, ipv4, priority, when, then }))
}

#[cfg(test)]
mod tests;

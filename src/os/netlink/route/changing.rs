//! Changes of routes as requests to the kernel, and what its refusals mean.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use anyhow::{Context, Error, Result, anyhow};
use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::super::bulk::{Bulk, Request};
use super::{Route, RouteChange, Via};

/// What requests are made with.
pub(super) struct Changing<'n> {
    bulk: &'n Bulk,
    protocol: u8,
    /// The numbers of the devices that are there.
    devices: BTreeMap<&'n str, u32>,
}

impl<'n> Changing<'n> {
    /// For these changes: the devices that they name are looked up. Blocks.
    pub(super) fn new(bulk: &'n Bulk, protocol: u8, changes: &'n [RouteChange]) -> Changing<'n> {
        let names = changes.iter().filter_map(|change| change.route().device());
        let names: BTreeSet<&str> = names.collect();
        let devices = names.into_iter().filter_map(|name| Some((name, bulk.device(name)?)));
        Changing { bulk, protocol, devices: devices.collect() }
    }

    /// Makes changes in their order; one outcome for each. Blocks.
    pub(super) fn change(&self, changes: &[RouteChange]) -> Vec<Result<()>> {
        let requests = changes.iter().filter_map(|change| self.request(change)).collect();
        let mut outcomes = self.bulk.request(requests).into_iter();
        let judge = |change| match self.is_deviceless(change) {
            true => without_device(change),
            false => judge(change, outcomes.next().unwrap_or(Ok(()))),
        };
        let mut outcomes: Vec<Result<()>> = changes.iter().map(judge).collect();
        self.leave_sources(changes, &mut outcomes);
        outcomes
    }

    /// A route matters more than a source that the host does not have (any more): what was refused
    /// for it is asked for without, unless something later has been asked of the same route.
    fn leave_sources(&self, changes: &[RouteChange], outcomes: &mut [Result<()>]) {
        let mut latter = changes;
        let mut again = Vec::new();
        for (place, outcome) in outcomes.iter().enumerate() {
            let Some((change, rest)) = latter.split_first() else { break };
            latter = rest;
            let RouteChange::Set(route) = change else { continue };
            let is_last = || !rest.iter().any(|next| next.route().takes_place_of(route));
            if route.source.is_some() && is_invalid(outcome) && is_last() {
                again.push((place, RouteChange::Set(route.without_source())));
            }
        }
        let (places, changes): (Vec<usize>, Vec<RouteChange>) = again.into_iter().unzip();
        if changes.is_empty() {
            return;
        }
        for (place, outcome) in places.into_iter().zip(self.change(&changes)) {
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = outcome;
            }
        }
    }

    fn request(&self, change: &RouteChange) -> Option<Request> {
        if self.is_deviceless(change) {
            return None;
        }
        Some(match change {
            RouteChange::Set(route) => Request {
                message: RouteNetlinkMessage::NewRoute(self.message(route)),
                flags: NLM_F_CREATE | NLM_F_REPLACE,
            },
            RouteChange::Remove(route) => Request {
                message: RouteNetlinkMessage::DelRoute(self.message(&route.without_source())),
                flags: 0,
            },
        })
    }

    fn message(&self, route: &Route) -> super::RouteMessage {
        route.message(self.protocol, self.device(route))
    }

    fn device(&self, route: &Route) -> Option<u32> {
        self.devices.get(route.device()?).copied()
    }

    /// Whether the route leads out of a device that is gone.
    fn is_deviceless(&self, change: &RouteChange) -> bool {
        let route = change.route();
        route.device().is_some() && self.device(route).is_none()
    }
}

impl Route {
    fn device(&self) -> Option<&str> {
        match &self.via {
            Via::Device(name) => Some(name),
            Via::Gateway(_) | Via::Unreachable | Via::Blackhole | Via::Throw => None,
        }
    }

    fn without_source(&self) -> Route {
        Route { source: None, ..self.clone() }
    }

    /// Whether the kernel keeps one of the two only.
    fn takes_place_of(&self, other: &Route) -> bool {
        (self.prefix, self.table, self.metric) == (other.prefix, other.table, other.metric)
    }
}

/// Its routes have gone with a device.
fn without_device(change: &RouteChange) -> Result<()> {
    match change {
        RouteChange::Set(route) => {
            Err(anyhow!("adding a route to {}: its device is gone", route.prefix))
        }
        RouteChange::Remove(_) => Ok(()),
    }
}

fn judge(change: &RouteChange, outcome: io::Result<()>) -> Result<()> {
    match change {
        RouteChange::Set(route) => {
            outcome.with_context(|| format!("adding a route to {}", route.prefix))
        }
        RouteChange::Remove(_) if outcome.as_ref().is_err_and(is_gone) => Ok(()),
        RouteChange::Remove(route) => {
            outcome.with_context(|| format!("removing the route to {}", route.prefix))
        }
    }
}

/// Whether there is nothing to remove.
fn is_gone(error: &io::Error) -> bool {
    [Errno::ESRCH, Errno::ENODEV].iter().any(|gone| error.raw_os_error() == Some(*gone as i32))
}

fn is_invalid(outcome: &Result<()>) -> bool {
    let number = |error: &Error| error.downcast_ref::<io::Error>()?.raw_os_error();
    outcome.as_ref().is_err_and(|error| number(error) == Some(Errno::EINVAL as i32))
}

//! The gateway's wishes for addresses and routes, carried out by netlink in the order they come.
//!
//! A task of its own does it, so that a thousand routes do not hold up a handshake. What needs
//! an address or a route waits at a barrier. An error is logged and the rest goes on: the packet
//! path is closed without a route, never open.

use super::ingress::Ingress;
use crate::gateway::{KernelEffect, KernelItem};
use crate::net::{Prefix, VpcId};
use crate::os::netlink::{GuardRule, InterfaceAddress, Netlink, Route, Via};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::{debug, error, info, warn};

/// Metric of routes into a TUN device: routes of connected networks win.
const METRIC: u32 = 79;
/// Metric of guards: every other route wins.
const GUARD_METRIC: u32 = u32::MAX;

/// Where a VPC lives on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Network namespace; `None` is our own.
    pub namespace: Option<String>,
    /// TUN device.
    pub device: String,
}

enum Job {
    Effect(KernelEffect),
    Barrier(oneshot::Sender<()>),
    ForgetStale,
    Guard(Ingress),
}

/// Carries out kernel effects in the background.
#[derive(Debug)]
pub struct Kernel {
    jobs: mpsc::UnboundedSender<Job>,
    task: JoinHandle<()>,
}

impl Kernel {
    /// Opens netlink in the namespaces of all VPCs, and remembers what an earlier run has left.
    pub async fn open(places: BTreeMap<VpcId, Place>) -> Result<Kernel> {
        let mut carrier = Carrier {
            places,
            netlinks: BTreeMap::new(),
            stale: BTreeSet::new(),
            ours: BTreeSet::new(),
            here: Netlink::here()?,
            guards: None,
        };
        for place in carrier.places.values() {
            let namespace = place.namespace.clone();
            if carrier.netlinks.contains_key(&namespace) {
                continue;
            }
            let netlink = Netlink::open(namespace.as_deref())?;
            let left = netlink.our_routes().await?;
            carrier.stale.extend(left.into_iter().map(|route| (namespace.clone(), route)));
            carrier.netlinks.insert(namespace, netlink);
        }
        let (jobs, queue) = mpsc::unbounded_channel();
        Ok(Kernel { jobs, task: tokio::spawn(carrier.run(queue)) })
    }

    /// Carries out an effect after all that were asked for before.
    pub fn apply(&self, effect: KernelEffect) {
        let _ = self.jobs.send(Job::Effect(effect));
    }

    /// Resolves when everything that was asked for is done.
    pub fn barrier(&self) -> oneshot::Receiver<()> {
        let (done, wait) = oneshot::channel();
        let _ = self.jobs.send(Job::Barrier(done));
        wait
    }

    /// Guards the VPCs against plaintext from the underlay, as `ingress` says and no more.
    pub fn guard(&self, ingress: Ingress) {
        let _ = self.jobs.send(Job::Guard(ingress));
    }

    /// Removes what an earlier run has left and this one does not want.
    pub fn forget_stale(&self) {
        let _ = self.jobs.send(Job::ForgetStale);
    }

    /// Waits until everything is done.
    pub async fn finish(self) {
        let _ = self.barrier().await;
        self.task.abort();
    }
}

type Placed = (Option<String>, Route);

struct Carrier {
    places: BTreeMap<VpcId, Place>,
    netlinks: BTreeMap<Option<String>, Netlink>,
    stale: BTreeSet<Placed>,
    ours: BTreeSet<Placed>,
    /// Netlink of our own namespace, where the underlay is.
    here: Netlink,
    guards: Option<BTreeSet<GuardRule>>,
}

impl Carrier {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Job>) {
        while let Some(job) = queue.recv().await {
            match job {
                Job::Effect(effect) => self.carry_out(effect).await,
                Job::Barrier(done) => drop(done.send(())),
                Job::Guard(ingress) => {
                    if let Err(error) = self.guard(&ingress).await {
                        error!(
                            error = format!("{error:#}"),
                            "plaintext from the underlay is not kept out of the VPCs"
                        );
                    }
                }
                Job::ForgetStale => {
                    let stale = std::mem::take(&mut self.stale);
                    let unwanted: Vec<Placed> = stale.difference(&self.ours).cloned().collect();
                    self.remove_all(unwanted).await;
                }
            }
        }
    }

    async fn carry_out(&mut self, effect: KernelEffect) {
        let outcome = match effect {
            KernelEffect::Add(item) => self.add(item).await,
            KernelEffect::Remove(item) => self.remove(item).await,
        };
        match outcome {
            Ok(()) => debug!(?effect, "kernel"),
            Err(error) => error!(
                ?effect,
                error = format!("{error:#}"),
                "the kernel refused; packets of this prefix are not carried until it is mended"
            ),
        }
    }

    async fn add(&mut self, item: KernelItem) -> Result<()> {
        let Some((place, netlink)) = self.place(item) else { return Ok(()) };
        match item {
            KernelItem::Address { address, .. } => {
                netlink.add_address(&place.device, InterfaceAddress::host(address)).await
            }
            KernelItem::Route { prefix, .. } | KernelItem::Guard { prefix, .. } => {
                let route = route(item, prefix, place);
                netlink.set_route(&route).await?;
                self.ours.insert((place.namespace.clone(), route));
                Ok(())
            }
        }
    }

    async fn remove(&mut self, item: KernelItem) -> Result<()> {
        let Some((place, netlink)) = self.place(item) else { return Ok(()) };
        match item {
            KernelItem::Address { address, .. } => {
                netlink.remove_address(&place.device, InterfaceAddress::host(address)).await
            }
            KernelItem::Route { prefix, .. } | KernelItem::Guard { prefix, .. } => {
                let route = route(item, prefix, place);
                netlink.remove_route(&route).await?;
                self.ours.remove(&(place.namespace.clone(), route));
                Ok(())
            }
        }
    }

    /// Guards of an earlier run are not known one by one: the first time all are replaced.
    async fn guard(&mut self, ingress: &Ingress) -> Result<()> {
        if ingress.is_blind() {
            warn!(
                "plaintext from the underlay is not kept out of the VPCs: name the underlay's \
                 addresses in `listen` of [gateway]"
            );
        }
        let netlink = &self.here;
        let wanted = ingress.rules(netlink).await?;
        let standing = match &self.guards {
            Some(standing) => standing.clone(),
            None => {
                netlink.remove_our_rules().await?;
                BTreeSet::new()
            }
        };
        for rule in wanted.difference(&standing) {
            netlink.add_guard(rule).await?;
        }
        for rule in standing.difference(&wanted) {
            netlink.remove_guard(rule).await?;
        }
        self.guards = Some(wanted);
        Ok(())
    }

    async fn remove_all(&self, routes: Vec<Placed>) {
        for (namespace, route) in routes {
            let Some(netlink) = self.netlinks.get(&namespace) else { continue };
            match netlink.remove_route(&route).await {
                Ok(()) => info!(prefix = %route.prefix, "removed a route that is not wanted"),
                Err(error) => error!(error = format!("{error:#}"), "a stale route stays"),
            }
        }
    }

    fn place(&self, item: KernelItem) -> Option<(&Place, &Netlink)> {
        let place = self.places.get(&item.vpc())?;
        Some((place, self.netlinks.get(&place.namespace)?))
    }
}

fn route(item: KernelItem, prefix: Prefix, place: &Place) -> Route {
    match item {
        KernelItem::Guard { .. } => Route::new(prefix, Via::Unreachable).with_metric(GUARD_METRIC),
        KernelItem::Route { .. } | KernelItem::Address { .. } => {
            Route::new(prefix, Via::Device(place.device.clone())).with_metric(METRIC)
        }
    }
}

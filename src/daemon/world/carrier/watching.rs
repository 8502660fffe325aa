//! What happens to a namespace, and a look at what stands there.

use super::super::grounds::{Namespace, REOPEN};
use super::super::look::{devices, foreign, found, sources};
use super::super::words::{wish_of_route, wish_of_rule};
use super::{Carrier, SETTLING};
use crate::gateway::world::{Answer, HostDevice, Table, Trouble, Wish};
use crate::net::Prefix;
use crate::os::netlink::{Loss, Route};
use anyhow::Result;
use std::collections::BTreeMap;
use std::net::IpAddr;
use tokio::time::Instant;
use tracing::{error, warn};

impl Carrier {
    /// Takes all losses that wait: those that are known are told, for the others we look.
    pub(super) fn on_losses(&mut self, namespace: Namespace, loss: Loss) {
        let mut answers = Vec::new();
        let mut next = Some((namespace, loss));
        while let Some((namespace, loss)) = next {
            let ours = namespace.is_none();
            let trouble = match loss {
                // By which device it led is not told.
                Loss::Route(route) if route.table == Table::Public.number() => {
                    self.doubt(namespace, None)
                }
                Loss::Route(route) => {
                    answers.extend(wish_of_route(&route).map(Answer::Lost));
                    None
                }
                Loss::Rule(rule) => {
                    answers.extend(wish_of_rule(&rule, namespace.as_deref()).map(Answer::Lost));
                    None
                }
                Loss::WayFound(prefix) | Loss::WayLost(prefix)
                    if prefix.len() > 0 && !self.is_asked(&prefix, ours) =>
                {
                    None
                }
                Loss::WayLost(prefix) => self.doubt(namespace, Some(Trouble::Route(prefix))),
                Loss::Device(name) => self.doubt(namespace, Some(Trouble::Device(name))),
                Loss::Address(address) => self.doubt(namespace, Some(Trouble::Address(address))),
                Loss::Elsewhere(table) if Table::numbered(table).is_none() => None,
                Loss::Elsewhere(_) => {
                    self.next_look = Some(Instant::now());
                    self.doubt(namespace, None)
                }
                Loss::WayFound(_) | Loss::Unknown => self.doubt(namespace, None),
            };
            answers.extend(trouble.filter(|_| ours).map(Answer::Trouble));
            next = self.losses.try_recv().ok();
        }
        self.answer(answers);
    }

    /// A namespace is to be looked at when it has settled.
    pub(super) fn doubt(
        &mut self,
        namespace: Namespace,
        trouble: Option<Trouble>,
    ) -> Option<Trouble> {
        self.doubtful.insert(namespace);
        self.next_look.get_or_insert_with(|| Instant::now() + SETTLING);
        trouble
    }

    /// Whether a route leads to peers, or to hosts of the VPCs.
    fn is_asked(&self, prefix: &Prefix, ours: bool) -> bool {
        let behind = self.questions.remotes.range(prefix.addr()..).next();
        let leads_to_peers = behind.is_some_and(|remote| prefix.contains(*remote));
        ours && leads_to_peers || self.questions.homes.iter().any(|home| home.overlaps(prefix))
    }

    pub(super) async fn look(&mut self) {
        self.next_look = None;
        for namespace in std::mem::take(&mut self.doubtful) {
            match self.look_at(&namespace).await {
                Ok(answers) => self.answer(answers),
                Err(error) => {
                    error!(?namespace, error = format!("{error:#}"), "the host cannot be seen");
                    self.doubtful.insert(namespace);
                    self.next_look = Some(Instant::now() + REOPEN);
                }
            }
        }
    }

    async fn look_at(&mut self, namespace: &Namespace) -> Result<Vec<Answer>> {
        if self.grounds.lacks(namespace) {
            return Ok(Vec::new());
        }
        self.grounds.enter(namespace)?;
        let netlink = self.grounds.entered(namespace)?;
        let is_ours = |table| Table::numbered(table).is_some();
        let is_known = |route: &Route| wish_of_route(route).is_some();
        for stranger in netlink.remove_strangers(is_ours, is_known).await? {
            warn!(?namespace, "a route of somebody else's was in a table of ours: {stranger}");
        }
        let mut found = found(netlink, namespace.as_deref(), &self.places).await?;
        let devices = devices(netlink, &self.questions.homes).await?;
        let missing = self.missing(namespace, &devices);
        found.retain(|wish| !is_taken(wish, &devices));
        let found = Answer::Found(namespace.clone(), found);
        let rules = Answer::Rules(namespace.clone(), foreign(netlink).await?);
        let mut answers = vec![found, rules, Answer::Devices(namespace.clone(), devices)];
        answers.extend(missing);
        if namespace.is_none() {
            answers.push(Answer::Sources(sources(self.questions.remotes.clone())));
        }
        Ok(answers)
    }

    /// The TUN devices that are not there under their names.
    fn missing(&self, namespace: &Namespace, there: &BTreeMap<String, HostDevice>) -> Vec<Answer> {
        let is_missing = |wish: &&Wish| match wish {
            Wish::Device { name, netns, .. } => netns == namespace && !there.contains_key(name),
            _ => false,
        };
        self.devices.values().filter(is_missing).cloned().map(Answer::Lost).collect()
    }
}

/// A public address that the host itself has leads nowhere else.
fn is_taken(wish: &Wish, devices: &BTreeMap<String, HostDevice>) -> bool {
    let Wish::Public { address, .. } = wish else { return false };
    devices.values().any(|device| device.addresses.contains(&IpAddr::V4(*address)))
}

//! What the host answers, passed on to those whom it concerns: a prefix that the host refuses to
//! route is not usable, and a VPC that the host does not serve is not announced.

use super::Gateway;
use super::world::{Answer, Underlay, Wish, configured};
use crate::time::Timestamp;

impl Gateway {
    /// Takes over one answer.
    pub(super) fn on_world(&mut self, answer: Answer, now: Timestamp) {
        match answer {
            Answer::Devices(devices) if devices == self.host.devices => return,
            Answer::Devices(devices) => {
                self.host.devices = devices;
                return self.reconcile_world();
            }
            Answer::Sources(sources) => {
                self.host.sources = sources;
                return;
            }
            Answer::Done(_) | Answer::Refused(..) | Answer::Lost(_) | Answer::Found(..) => {}
        }
        let vpcs = &self.config.vpcs;
        let lives_in = |wish: &Wish, namespace: Option<&str>| match wish {
            Wish::Rule(rule) => rule.netns.as_deref() == namespace,
            Wish::Bar { .. } => namespace.is_none(),
            Wish::Device { vpc, .. }
            | Wish::Address { vpc, .. }
            | Wish::Guard { vpc, .. }
            | Wish::Home { vpc, .. }
            | Wish::Route { vpc, .. } => {
                vpcs.get(vpc).is_some_and(|vpc| vpc.netns.as_deref() == namespace)
            }
        };
        self.world.on_answer(answer, lives_in, now);
    }

    /// Wants from the host what the configuration names, beside what is learned.
    pub(super) fn reconcile_world(&mut self) {
        let underlay = Underlay { host: &self.host, listening: &self.listening };
        let configured = configured(&self.config, underlay);
        let learned = |wish: &Wish| match wish {
            Wish::Route { vpc, prefix } => {
                self.vpcs.get(vpc).is_some_and(|vpc| vpc.routes.group_of(prefix).is_some())
            }
            // Virtual addresses come and go with their virtual router.
            Wish::Address { vpc, address } => self.redundancy.answers_for(*vpc, *address),
            Wish::Device { .. }
            | Wish::Guard { .. }
            | Wish::Home { .. }
            | Wish::Bar { .. }
            | Wish::Rule(_) => false,
        };
        self.world.reconcile(&configured, |wish| !learned(wish));
    }

    /// Tells the routers what the host refuses, and what it does again.
    pub(super) fn tell_refusals(&mut self, now: Timestamp) {
        while let Some((wish, carried)) = self.world.poll_turn() {
            if let Some(vpc) = wish.vpc().and_then(|vpc| self.vpcs.get_mut(&vpc)) {
                self.dirty.vpcs.insert(vpc.id);
                vpc.on_refusal(wish, carried, now);
            }
        }
    }
}

//! A network namespace of a VPC that is made anew under the same name, as orchestrators do: what we
//! have in the old one serves nobody, and is made again in the new one.

use super::event_loop::Daemon;
use crate::config::Outline;
use crate::gateway::world::Answer;
use crate::net::VpcId;
use tracing::{error, warn};

impl Daemon {
    /// What became of wishes; but first we leave namespaces that are gone.
    pub(super) fn on_world(&mut self, answers: Vec<Answer>) {
        for answer in &answers {
            if let Answer::Replaced(Some(name)) = answer {
                self.leave(name);
            }
        }
        let now = self.now();
        self.gateway.handle_world(answers, now);
    }

    fn leave(&mut self, namespace: &str) {
        error!(
            "the network namespace {namespace} is gone or another one now; all is made anew there"
        );
        let there = |name: &Option<String>| name.as_deref() == Some(namespace);
        self.claims.forget(namespace);
        self.lans.leave(namespace);
        let devices = self.devices.values().filter(|device| there(&device.netns));
        let vpcs: Vec<VpcId> = devices.map(|device| device.vpc).collect();
        vpcs.into_iter().for_each(|vpc| self.on_device_gone(vpc));
        if let Err(refused) = self.claims.extend(&Outline::of(self.gateway.config())) {
            warn!(error = format!("{refused:#}"), "the namespace is not ours alone");
        }
        self.watch_lans();
    }
}

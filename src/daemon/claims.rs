//! The network namespaces that this daemon alone keeps: those in which its VPCs live.

use crate::config::Outline;
use crate::os::claim::{Claim, claim};
use crate::os::netns::{self, Identity};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};

type Namespace = Option<String>;

/// The claims of a running daemon.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<Namespace, (Identity, Claim)>);

impl Claims {
    /// Claims where the VPCs of a configuration live. Nobody keeps a namespace that is not there.
    ///
    /// # Errors
    ///
    /// When another gateway is in one of them, and when two names are of one: what their VPCs have
    /// there would get mixed up.
    pub(super) fn extend(&mut self, outline: &Outline) -> Result<()> {
        for namespace in namespaces(outline) {
            let is_there = namespace.as_deref().is_none_or(netns::exists);
            if is_there && !self.0.contains_key(&namespace) {
                let identity = self.identify(namespace.as_deref())?;
                let claim = claim(namespace.as_deref()).with_context(|| match &namespace {
                    Some(name) => format!("network namespace {name}"),
                    None => "the network namespace of this daemon".to_owned(),
                })?;
                self.0.insert(namespace, (identity, claim));
            }
        }
        Ok(())
    }

    /// A namespace that is none of those that we keep.
    fn identify(&self, namespace: Option<&str>) -> Result<Identity> {
        let identity = netns::identity(namespace)?;
        let Some(name) = namespace else { return Ok(identity) };
        if netns::identity(None)? == identity {
            bail!("the network namespace {name} is this daemon's own: leave `netns` out");
        }
        let mut kept = self.0.iter().filter(|(_, (kept, _))| *kept == identity);
        if let Some((Some(other), _)) = kept.next() {
            bail!(
                "{name} and {other} are two names of one network namespace: give all VPCs in it the \
                 same `netns`"
            );
        }
        Ok(identity)
    }

    /// A namespace is not the one any more that was claimed by this name.
    pub(super) fn forget(&mut self, namespace: &str) {
        self.0.remove(&Some(namespace.to_owned()));
    }

    /// Lets go of where no VPC of a configuration lives.
    pub(super) fn keep_only(&mut self, outline: &Outline) {
        let kept = namespaces(outline);
        self.0.retain(|namespace, _| kept.contains(namespace));
    }
}

fn namespaces(outline: &Outline) -> BTreeSet<Namespace> {
    outline.vpcs.values().map(|vpc| vpc.netns.clone()).collect()
}

//! The network namespaces that this daemon alone keeps: those in which its VPCs live.

use crate::config::Outline;
use crate::os::claim::{Claim, claim};
use crate::os::netns;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

type Namespace = Option<String>;

/// The claims of a running daemon.
#[derive(Debug, Default)]
pub struct Claims(BTreeMap<Namespace, Claim>);

impl Claims {
    /// Claims where the VPCs of a configuration live. Nobody keeps a namespace that is not there.
    ///
    /// # Errors
    ///
    /// When another gateway is in one of them.
    pub fn extend(&mut self, outline: &Outline) -> Result<()> {
        for namespace in namespaces(outline) {
            let is_there = namespace.as_deref().is_none_or(netns::exists);
            if is_there && !self.0.contains_key(&namespace) {
                let claim = claim(namespace.as_deref()).with_context(|| match &namespace {
                    Some(name) => format!("network namespace {name}"),
                    None => "the network namespace of this daemon".to_owned(),
                })?;
                self.0.insert(namespace, claim);
            }
        }
        Ok(())
    }

    /// Lets go of where no VPC of a configuration lives.
    pub fn keep_only(&mut self, outline: &Outline) {
        let kept = namespaces(outline);
        self.0.retain(|namespace, _| kept.contains(namespace));
    }
}

fn namespaces(outline: &Outline) -> BTreeSet<Namespace> {
    outline.vpcs.values().map(|vpc| vpc.netns.clone()).collect()
}

//! Guards against plaintext that comes in from the underlay: a packet for a VPC that arrives on
//! the underlay's device unprotected is dropped (RFC 4301 §5.2, step 4), whatever the routing
//! table says.
//!
//! They exist for VPCs that say by which `interface` their hosts come in, when that is another
//! device than the underlay's. A gateway with one device for both cannot tell hosts from
//! strangers by the device, and a VPC in a network namespace of its own needs no guard: the
//! underlay's device is not in it.

use crate::config::{Config, VpcConfig};
use crate::net::Prefix;
use crate::os::netlink::{GuardRule, Netlink};
use anyhow::Result;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What must not come in by which device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    underlay: Vec<IpAddr>,
    lans: BTreeSet<String>,
    prefixes: BTreeSet<Prefix>,
}

impl Ingress {
    /// What a configuration asks for.
    pub fn of(config: &Config) -> Ingress {
        let guarded = |vpc: &&VpcConfig| vpc.netns.is_none() && vpc.interface.is_some();
        let vpcs = config.vpcs.iter().filter(|(_, vpc)| guarded(vpc));
        let mut ingress = Ingress { underlay: config.gateway.listen.clone(), ..Ingress::default() };
        for (id, vpc) in vpcs {
            let beyond = config.peers_of(*id).flat_map(|(_, peer)| &peer.accept);
            ingress.prefixes.extend(vpc.prefixes.iter().chain(beyond));
            ingress.lans.extend(vpc.interface.clone());
        }
        ingress
    }

    /// Whether there is something to guard and no way to tell the underlay's devices: the gateway
    /// listens on every address.
    pub fn is_blind(&self) -> bool {
        !self.prefixes.is_empty() && self.underlay.iter().any(IpAddr::is_unspecified)
    }

    /// The rules that say so, for the devices that bear the underlay's addresses.
    pub async fn rules(&self, netlink: &Netlink) -> Result<BTreeSet<GuardRule>> {
        let mut rules = BTreeSet::new();
        for link in netlink.links().await? {
            if self.lans.contains(&link.name) {
                continue;
            }
            let addresses = netlink.addresses(&link.name).await?;
            if addresses.iter().any(|address| self.underlay.contains(&address.address)) {
                let rule = |prefix: &Prefix| GuardRule::arriving(&link.name, *prefix);
                rules.extend(self.prefixes.iter().map(rule));
            }
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests;

//! Whether two gateways of a region translate public addresses alike.

use super::{Contradiction, shared};
use crate::config::{Config, PublicConfig, SharingConfig, VpcConfig};
use std::ops::RangeInclusive;

/// Gateways that share a virtual router translate alike, so that connections outlive one of them, but for
/// the ports from which hosts speak.
pub(super) fn compare(one: &Config, other: &Config, found: &mut Vec<Contradiction>) {
    let (a, b) = (&one.gateway.name, &other.gateway.name);
    for here in one.vpcs.values() {
        for there in other.vpcs.values().filter(|there| there.name == here.name) {
            if shared(here, there).next().is_none() {
                continue;
            }
            let name = &here.name;
            let differs = |one: &&PublicConfig, all: &[PublicConfig]| !all.contains(one);
            let ours = here.public.iter().find(|one| differs(one, &there.public));
            let theirs = there.public.iter().find(|one| differs(one, &here.public));
            if let Some(mapping) = ours.or(theirs) {
                let (address, to) = (mapping.address, mapping.to);
                found.push(Contradiction {
                    message: format!(
                        "{a} and {b} translate {address} of VPC {name} to {to} in different ways"
                    ),
                    help:
                        "write the same [[vpc.public]] in both files: either gateway goes on with \
                           the other's connections"
                            .to_owned(),
                });
            }
            found.extend(egress_ports((a, here), (b, there)));
            found.extend(sharing((a, here), (b, there)));
        }
    }
}

fn egress_ports(
    (a, here): (&str, &VpcConfig),
    (b, there): (&str, &VpcConfig),
) -> Option<Contradiction> {
    let mut pairs =
        here.egress.iter().flat_map(|ours| there.egress.iter().map(move |theirs| (ours, theirs)));
    let (ours, theirs) = pairs.find(|(ours, theirs)| {
        let overlap =
            ours.ports.start() <= theirs.ports.end() && theirs.ports.start() <= ours.ports.end();
        ours.address == theirs.address && overlap
    })?;
    let words = |ports: &RangeInclusive<u16>| format!("{}-{}", ports.start(), ports.end());
    Some(Contradiction {
        message: format!(
            "{a} and {b} both speak from ports of {} to the world, {} and {}",
            ours.address,
            words(&ours.ports),
            words(&theirs.ports)
        ),
        help: "write `ports` of [[vpc.egress]] apart, \"1024-32767\" and \"32768-65535\": one takes a \
               port of the other's for its own"
            .to_owned(),
    })
}

/// Connections are shared by both or by none, and each means the other.
fn sharing((a, here): (&str, &VpcConfig), (b, there): (&str, &VpcConfig)) -> Option<Contradiction> {
    let name = &here.name;
    let help =
        "write [vpc.conntrackd] in both files: `sibling` of each is `local` of the other, and \
                `port` is one"
            .to_owned();
    let message = match (&here.sharing, &there.sharing) {
        (None, None) => return None,
        (Some(_), None) => format!("{a} shares connections of VPC {name}, and {b} does not"),
        (None, Some(_)) => format!("{b} shares connections of VPC {name}, and {a} does not"),
        (Some(ours), Some(theirs)) => {
            let meet = (ours.sibling, ours.local, ours.port);
            if meet == (theirs.local, theirs.sibling, theirs.port) {
                return None;
            }
            let words = |one: &SharingConfig| {
                let SharingConfig { sibling, local, port } = one;
                format!("from {local} with {sibling}, port {port}")
            };
            format!(
                "{a} shares connections of VPC {name} {}, and {b} {}",
                words(ours),
                words(theirs)
            )
        }
    };
    Some(Contradiction { message, help })
}

#[cfg(test)]
mod tests;

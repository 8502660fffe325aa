//! What two files say of prefixes that others know by other ones.

use super::Contradiction;
use crate::config::{Config, VpcConfig};
use crate::net::Prefix;

/// Gateways of one region are known by the same prefixes, so that a connection outlives one of them, and
/// those of two regions by different ones, so that a third knows whom it speaks to.
pub(super) fn compare(one: &Config, other: &Config, found: &mut Vec<Contradiction>) {
    let regions = (&one.gateway.region, &other.gateway.region);
    if regions.0.is_empty() || regions.1.is_empty() {
        return;
    }
    for here in one.vpcs.values() {
        for there in other.vpcs.values().filter(|there| there.name == here.name) {
            match regions.0 == regions.1 {
                true => alike((one, here), (other, there), found),
                false => apart((one, here), (other, there), found),
            }
        }
    }
}

type Side<'c> = (&'c Config, &'c VpcConfig);

fn alike((one, here): Side<'_>, (other, there): Side<'_>, found: &mut Vec<Contradiction>) {
    let sides = [(one, here, other, there), (other, there, one, here)];
    for (has, vpc, lacks, counterpart) in sides {
        let serves = |inside: Prefix| counterpart.prefixes.iter().any(|own| inside.covers(own));
        let missing = vpc.maps.iter().filter(|map| !counterpart.maps.contains(map));
        for map in missing.filter(|map| serves(map.mapping.inside())) {
            let (a, b) = (&has.gateway.name, &lacks.gateway.name);
            let (inside, outside) = (map.mapping.inside(), map.mapping.outside());
            found.push(Contradiction {
                message: format!(
                    "{a} maps {inside} of VPC {} to {outside}, and {b} of the same region does not",
                    vpc.name
                ),
                help: "write the same [[vpc.map]] in both files: connections break when packets move from \
                       one gateway to the other"
                    .to_owned(),
            });
        }
    }
}

fn apart((one, here): Side<'_>, (other, there): Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (&one.gateway.name, &other.gateway.name);
    for ours in outsides(here) {
        let used = known(there).filter(|theirs| theirs.overlaps(&ours));
        found.extend(used.map(|theirs| clashing((a, ours), (b, theirs), &here.name)));
    }
    for theirs in outsides(there) {
        let used = unmapped(here).filter(|ours| ours.overlaps(&theirs));
        found.extend(used.map(|ours| clashing((b, theirs), (a, ours), &here.name)));
    }
}

fn clashing(one: (&str, Prefix), other: (&str, Prefix), vpc: &str) -> Contradiction {
    let ((a, outside), (b, used)) = (one, other);
    Contradiction {
        message: format!(
            "{a} maps onto {outside} in VPC {vpc}, and {b} of another region is known by {used}"
        ),
        help: format!(
            "write another `outside` at {a}: a third region could not tell the two apart"
        ),
    }
}

fn outsides(vpc: &VpcConfig) -> impl Iterator<Item = Prefix> {
    vpc.maps.iter().map(|map| map.mapping.outside())
}

/// The prefixes by which others know a VPC.
fn known(vpc: &VpcConfig) -> impl Iterator<Item = Prefix> {
    unmapped(vpc).chain(outsides(vpc))
}

/// The prefixes that others know as they are.
fn unmapped(vpc: &VpcConfig) -> impl Iterator<Item = Prefix> {
    let is_mapped = |own: &Prefix| vpc.maps.iter().any(|map| map.mapping.inside().covers(own));
    vpc.prefixes.iter().filter(move |own| !is_mapped(own)).copied()
}

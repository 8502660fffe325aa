//! What two files say of each other's routes: roles, and which prefixes are accepted.

use super::{Contradiction, Side};
use crate::config::BgpConfig;

/// What each side is to the other, where both say so.
pub(super) fn roles(
    one: (&str, &BgpConfig),
    other: (&str, &BgpConfig),
    found: &mut Vec<Contradiction>,
) {
    let ((a, here), (b, there)) = (one, other);
    for (one, asks, other, answers) in [(a, here, b, there), (b, there, a, here)] {
        if asks.strict_role && answers.role.is_none() {
            found.push(Contradiction {
                message: format!("{one} takes {other} only with its role, and {other} says none"),
                help: format!("write `bgp_role` at {other}, or leave `strict_role` out at {one}"),
            });
        }
    }
    let Some((ours, theirs)) = here.role.zip(there.role) else { return };
    if theirs != ours.counterpart() {
        let fits = ours.counterpart();
        found.push(Contradiction {
            message: format!("{a} is {ours} to {b}, which is {theirs} to {a}"),
            help: format!(
                "`bgp_role` of both mirror each other: {ours} at {a} needs {fits} at {b}"
            ),
        });
    }
}

/// What routers of `other`'s VPC may bring, of which `one` accepts nothing.
pub(super) fn learned(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    let routers = other.vpc().into_iter().flat_map(|vpc| &vpc.routers);
    let brought = routers.flat_map(|router| router.accept.iter().map(move |of| (router, of)));
    for (router, prefix) in brought {
        if !one.peer.accept.iter().any(|accepted| accepted.overlaps(prefix)) {
            found.push(Contradiction {
                message: format!(
                    "{a} does not accept {prefix}, which router {:?} may bring at {b}",
                    router.name
                ),
                help: format!("add \"{prefix}\" to `accept` of {} at {a}", one.peer.name),
            });
        }
    }
}

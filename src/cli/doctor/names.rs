//! Whether the host names of peers mean where peers can be.

use super::super::names::{self, LookedUp};
use super::Finding;
use crate::config::Config;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// One finding for each name, on a host with the addresses `own`.
pub(super) fn of(config: &Config, own: &BTreeSet<IpAddr>) -> Vec<Finding> {
    names::look_up(config, own).into_iter().map(finding).collect()
}

fn finding(LookedUp { host, usable, complaints }: LookedUp) -> Finding {
    match complaints.as_slice() {
        [] => {
            let usable: Vec<String> = usable.iter().map(ToString::to_string).collect();
            Finding::good("names", format!("{host} is {}", usable.join(", ")))
        }
        _ => Finding::bad(
            "names",
            complaints.join("; "),
            format!("getent ahosts {host}: it must show the peer's addresses alone"),
        ),
    }
}

#[cfg(test)]
mod tests;

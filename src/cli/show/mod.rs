//! Views as text. Nothing here asks or prints: a view goes in, text comes out.

mod nat;
mod peer;
mod peers;
mod plan;
mod routes;
mod sas;
mod vpcs;
mod vrrp;
mod why;

pub(super) use nat::{is_translated, nat};
pub(super) use peer::{is_well, peer};
pub(super) use peers::{are_well, notes, peers};
pub(super) use plan::{can_be_done, plan};
pub(super) use routes::routes;
pub(super) use sas::sas;
pub(super) use vpcs::{are_served, vpcs};
pub(super) use vrrp::vrrp;
pub(super) use why::{arrives, why};

use super::look::{FAINT, Look, STRONG};
use super::sheet::{Cell, Sheet, Tone};
use crate::control::{StatsView, Verdict};

/// The counters of the gateway as a whole.
pub(super) fn stats(view: &StatsView, look: Look) -> String {
    let mut sheet = Sheet::new(&["GATEWAY", "COUNTER", "WHAT", "COUNT"]);
    let families = [
        ("ike", &view.ike),
        ("discards", &view.discards),
        ("dataplane", &view.dataplane),
        ("host", &view.host),
    ];
    let counts = families.into_iter().flat_map(|(family, counts)| {
        counts.iter().map(move |(name, count)| (family, name.as_str(), *count))
    });
    let refused = Some(("host", "refused_now", view.host_refuses));
    for (family, name, count) in counts.chain(refused.filter(|(.., count)| *count > 0)) {
        let gateway = view.gateway.as_str().into();
        sheet.row([gateway, family.into(), name.into(), Cell::right(count.to_string())]);
    }
    titled(&view.gateway, "", "nothing has been counted yet", sheet, look)
}

/// A table under the gateway's name; for programs the name is a column of each row instead.
fn titled(gateway: &str, about: &str, empty: &str, sheet: Sheet, look: Look) -> String {
    if !look.aligned {
        return sheet.render(look);
    }
    let about =
        if about.is_empty() { String::new() } else { format!("  {}", look.paint(FAINT, about)) };
    headed(&format!("{}{about}", look.paint(STRONG, gateway)), empty, sheet, look)
}

/// A table under a title.
fn headed(title: &str, empty: &str, sheet: Sheet, look: Look) -> String {
    match sheet.is_empty() {
        true => format!("{title}\n{}", look.paint(FAINT, empty)),
        false => format!("{title}\n{}", sheet.without("GATEWAY").render(look)),
    }
}

pub(super) fn tone_of(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Up => Tone::Good,
        Verdict::Connecting
        | Verdict::BeyondPoor
        | Verdict::Disabled
        | Verdict::Drained
        | Verdict::Rejecting => Tone::Warning,
        Verdict::Down
        | Verdict::Unreachable
        | Verdict::OneWay
        | Verdict::NoBgp
        | Verdict::NoRoutes
        | Verdict::HostRefuses
        | Verdict::BeyondSilent => Tone::Bad,
    }
}

#[cfg(test)]
mod tests;

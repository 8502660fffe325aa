//! Views as text. Nothing here asks or prints: a view goes in, text comes out.

mod peer;
mod peers;
mod routes;
mod sas;
mod vrrp;

pub(super) use peer::peer;
pub(super) use peers::peers;
pub(super) use routes::routes;
pub(super) use sas::sas;
pub(super) use vrrp::vrrp;

use super::look::{FAINT, Look, STRONG};
use super::sheet::{Cell, Sheet, Tone};
use crate::control::{PeerState, StatsView};

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
    let title = format!("{}{about}", look.paint(STRONG, gateway));
    match sheet.is_empty() {
        true => format!("{title}\n{}", look.paint(FAINT, empty)),
        false => format!("{title}\n{}", sheet.without("GATEWAY").render(look)),
    }
}

fn state_tone(state: PeerState) -> Tone {
    match state {
        PeerState::Up => Tone::Good,
        PeerState::Connecting => Tone::Warning,
        PeerState::Unreachable | PeerState::Down => Tone::Bad,
    }
}

#[cfg(test)]
mod tests;

//! The virtual routers and who answers for their addresses.

use super::super::look::Look;
use super::super::sheet::{Cell, Sheet, Tone};
use super::super::units::span;
use super::titled;
use crate::control::{VirtualRouterState, VirtualRouterView, VrrpView};

const COLUMNS: [&str; 10] = [
    "GATEWAY",
    "VPC",
    "INTERFACE",
    "VRID",
    "FAMILY",
    "STATE",
    "SINCE",
    "PRIORITY",
    "ADDRESSES",
    "ACTIVE ROUTER",
];

/// Columns that go first where there is no room.
const SPARE: [&str; 3] = ["PRIORITY", "SINCE", "INTERFACE"];

/// The virtual routers of a gateway.
pub(in super::super) fn vrrp(view: &VrrpView, look: Look) -> String {
    let mut sheet = Sheet::new(&COLUMNS).spare(&SPARE).folding(&["ADDRESSES"]);
    let mut routers: Vec<&VirtualRouterView> = view.routers.iter().collect();
    routers.sort_by_key(|router| (&router.vpc, &router.interface, router.vrid, router.family));
    for router in routers {
        sheet.row(line(&view.gateway, router));
    }
    let table = titled(&view.gateway, "", "no virtual routers are configured", sheet, look);
    let troubles: Vec<String> = view.routers.iter().filter_map(trouble).collect();
    match look.aligned && !troubles.is_empty() {
        true => format!("{table}\n{}", troubles.join("\n")),
        false => table,
    }
}

/// What is wrong with another router of the link, and how often it was.
fn trouble(router: &VirtualRouterView) -> Option<String> {
    let last = router.last_trouble.as_ref()?;
    let count: u64 = router.discards.values().sum();
    let (vrid, family, interface) = (router.vrid, router.family, &router.interface);
    let (what, ago) = (&last.what, span(last.ago_ms));
    Some(format!("VRID {vrid} {family} on {interface}: {what} ({count} times, last {ago} ago)"))
}

fn line(gateway: &str, router: &VirtualRouterView) -> [Cell; 10] {
    let tone = match router.state {
        VirtualRouterState::Active => Tone::Good,
        VirtualRouterState::Backup => Tone::Plain,
        VirtualRouterState::Initialize => Tone::Warning,
    };
    let addresses: Vec<String> = router.addresses.iter().map(ToString::to_string).collect();
    [
        gateway.into(),
        router.vpc.as_str().into(),
        router.interface.as_str().into(),
        Cell::right(router.vrid.to_string()),
        router.family.to_string().into(),
        Cell::from(router.state.to_string()).tone(tone),
        Cell::right(span(router.state_for_ms)),
        Cell::right(router.priority.to_string()),
        addresses.join(" ").into(),
        match router.state {
            VirtualRouterState::Active => Cell::from("this gateway"),
            _ => Cell::optional(router.active_router),
        },
    ]
}

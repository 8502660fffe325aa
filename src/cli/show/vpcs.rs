//! The VPCs of a gateway and the segments in which their hosts are.

use super::super::look::Look;
use super::super::sheet::{Cell, Sheet, Tone};
use super::super::units;
use super::titled;
use crate::control::{MapView, SegmentView, VpcRouterView, VpcView, VpcsView};

const COLUMNS: [&str; 15] = [
    "GATEWAY",
    "VPC",
    "NETNS",
    "DEVICE",
    "MTU",
    "PREFIXES",
    "INTERFACE",
    "ROUTERS",
    "VNI",
    "LOCAL",
    "VTEPS",
    "HEARD",
    "MACS",
    "REFUSED",
    "KNOWN AS",
];

/// Columns that go first where there is no room.
const SPARE: [&str; 4] = ["DEVICE", "NETNS", "INTERFACE", "LOCAL"];

/// The VPCs of a gateway.
pub(in super::super) fn vpcs(view: &VpcsView, look: Look) -> String {
    let mut sheet = Sheet::new(&COLUMNS).spare(&SPARE).folding(&["PREFIXES"]);
    for vpc in &view.vpcs {
        sheet.row(line(&view.gateway, vpc));
    }
    let table = titled(&view.gateway, "", "no VPC is configured", sheet, look);
    let mut remarks: Vec<String> = view.vpcs.iter().flat_map(remarks).collect();
    if view.unknown_vni > 0 {
        remarks.push(format!("{} packets with no VNI of ours were dropped", view.unknown_vni));
    }
    match look.aligned && !remarks.is_empty() {
        true => format!("{table}\n{}", remarks.join("\n")),
        false => table,
    }
}

/// Whether the host refuses nothing of any VPC, and all routers are there.
pub(in super::super) fn are_served(view: &VpcsView) -> bool {
    let is_served =
        |vpc: &VpcView| vpc.refusals.is_empty() && vpc.routers.iter().all(|router| router.up);
    view.vpcs.iter().all(is_served)
}

fn remarks(vpc: &VpcView) -> Vec<String> {
    let name = &vpc.vpc;
    let refused = vpc.refusals.iter().map(|refusal| {
        format!("{name}: the host refuses the {}: {}", refusal.what, refusal.reason)
    });
    let segment = vpc.segment.iter().filter(|segment| segment.up);
    let silent = segment.flat_map(|segment| segment.vteps.iter().filter(|vtep| vtep.packets == 0));
    let silent = silent.map(|vtep| format!("{name}: nothing came from {} yet", vtep.address));
    let routers = vpc.routers.iter().flat_map(|router| about_router(name, router));
    refused.chain(silent).chain(routers).collect()
}

/// A router of the VPC in one line, and what is wrong with it and what to do in two more.
fn about_router(vpc: &str, router: &VpcRouterView) -> Vec<String> {
    let VpcRouterView { name, bgp, prefixes_accepted, prefixes_rejected, .. } = router;
    let age = units::span(bgp.state_for_ms);
    let mut about = format!(
        "{vpc}: router {name} at {}, AS{}: {} for {age}, {prefixes_accepted} prefixes in use, {} \
         told",
        bgp.remote, bgp.remote_asn, bgp.state, bgp.prefixes_announced
    );
    if *prefixes_rejected > 0 {
        about.push_str(&format!(", {prefixes_rejected} rejected: vpnctl routes"));
    }
    let trouble = router.trouble.iter();
    let trouble = trouble.flat_map(|trouble| [Some(&trouble.reason), trouble.remedy.as_ref()]);
    let marks = ["  ", "  → "];
    let trouble = trouble.zip(marks).filter_map(|(words, mark)| Some(format!("{mark}{}", words?)));
    [about].into_iter().chain(trouble).collect()
}

fn line(gateway: &str, vpc: &VpcView) -> [Cell; 15] {
    let prefixes: Vec<String> = vpc.prefixes.iter().map(ToString::to_string).collect();
    let segment = vpc.segment.as_ref();
    let number = |of: fn(&SegmentView) -> u64| match segment {
        Some(segment) => Cell::right(of(segment).to_string()),
        None => Cell::optional(None::<String>),
    };
    let heard = number(|segment| count(segment.vteps.iter().filter(|vtep| vtep.packets > 0)));
    let refused = number(|segment| segment.refused);
    let tone = |bad: bool| if bad { Tone::Warning } else { Tone::Plain };
    [
        gateway.into(),
        vpc.vpc.as_str().into(),
        Cell::optional(vpc.netns.as_deref()),
        vpc.device.as_str().into(),
        Cell::right(vpc.mtu.to_string()),
        prefixes.join(" ").into(),
        Cell::optional(vpc.interface.as_deref()),
        routers(vpc),
        number(|segment| segment.vni.into()).tone(tone(segment.is_some_and(|one| !one.up))),
        Cell::optional(segment.map(|segment| segment.local)),
        number(|segment| count(segment.vteps.iter())),
        heard,
        number(|segment| count(segment.stations.iter())),
        refused.tone(tone(segment.is_some_and(|one| one.refused > 0))),
        Cell::optional((!vpc.maps.is_empty()).then(|| known_as(&vpc.maps))),
    ]
}

/// By which prefixes peers know ours.
fn known_as(maps: &[MapView]) -> String {
    let one = |map: &MapView| match &map.towards {
        None => map.outside.to_string(),
        Some(peers) => format!("{} ({})", map.outside, peers.join(" ")),
    };
    maps.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// How many of the VPC's routers are there.
fn routers(vpc: &VpcView) -> Cell {
    let up = vpc.routers.iter().filter(|router| router.up).count();
    match vpc.routers.len() {
        0 => Cell::optional(None::<String>),
        all if up == all => Cell::from(format!("{all} up")).tone(Tone::Good),
        all => Cell::from(format!("{up} of {all} up")).tone(Tone::Bad),
    }
}

fn count(items: impl Iterator) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}

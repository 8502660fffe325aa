//! The VPCs of a gateway and the segments in which their hosts are.

use super::super::look::Look;
use super::super::sheet::{Cell, Sheet, Tone};
use super::titled;
use crate::control::{MapView, SegmentView, VpcView, VpcsView};

const COLUMNS: [&str; 14] = [
    "GATEWAY",
    "VPC",
    "NETNS",
    "DEVICE",
    "MTU",
    "PREFIXES",
    "INTERFACE",
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

/// Whether the host refuses nothing of any VPC.
pub(in super::super) fn are_served(view: &VpcsView) -> bool {
    view.vpcs.iter().all(|vpc| vpc.refusals.is_empty())
}

fn remarks(vpc: &VpcView) -> Vec<String> {
    let name = &vpc.vpc;
    let refused = vpc.refusals.iter().map(|refusal| {
        format!("{name}: the host refuses the {}: {}", refusal.what, refusal.reason)
    });
    let segment = vpc.segment.iter().filter(|segment| segment.up);
    let silent = segment.flat_map(|segment| segment.vteps.iter().filter(|vtep| vtep.packets == 0));
    let silent = silent.map(|vtep| format!("{name}: nothing came from {} yet", vtep.address));
    refused.chain(silent).collect()
}

fn line(gateway: &str, vpc: &VpcView) -> [Cell; 14] {
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

fn count(items: impl Iterator) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}

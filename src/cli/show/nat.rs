//! What a gateway translates between public addresses and hosts of its VPCs.

use super::super::look::Look;
use super::super::sheet::{Cell, Sheet, Tone};
use super::titled;
use crate::control::{EgressView, NatView, PublicView, VpcNatView};

const COLUMNS: [&str; 7] = ["GATEWAY", "VPC", "DIRECTION", "PUBLIC", "PORTS", "HOSTS", "BEGUN"];

/// The mappings of a gateway.
pub(in super::super) fn nat(view: &NatView, look: Look) -> String {
    let mut sheet = Sheet::new(&COLUMNS).spare(&["GATEWAY"]).elastic(&["HOSTS"]);
    for vpc in &view.vpcs {
        let tone = if vpc.up { Tone::Plain } else { Tone::Warning };
        let name = || Cell::from(vpc.vpc.as_str()).tone(tone);
        for public in &vpc.public {
            sheet.row(public_line(&view.gateway, name(), public));
        }
        for egress in &vpc.egress {
            sheet.row(egress_line(&view.gateway, name(), egress));
        }
    }
    let table = titled(&view.gateway, "", "no VPC has a public address", sheet, look);
    let remarks: Vec<String> = view.vpcs.iter().flat_map(remarks).collect();
    match look.aligned && !remarks.is_empty() {
        true => format!("{table}\n{}", remarks.join("\n")),
        false => table,
    }
}

/// Whether the host refuses nothing of it.
pub(in super::super) fn is_translated(view: &NatView) -> bool {
    view.vpcs.iter().all(|vpc| vpc.refusals.is_empty())
}

fn public_line(gateway: &str, vpc: Cell, public: &PublicView) -> [Cell; 7] {
    let both = if public.ports.is_some() { "in" } else { "in, out" };
    [
        gateway.into(),
        vpc,
        both.into(),
        public.address.to_string().into(),
        public.ports.as_deref().unwrap_or("all").into(),
        public.to.as_str().into(),
        Cell::right(public.connections.to_string()),
    ]
}

fn egress_line(gateway: &str, vpc: Cell, egress: &EgressView) -> [Cell; 7] {
    let from: Vec<String> = egress.from.iter().map(ToString::to_string).collect();
    [
        gateway.into(),
        vpc,
        "out".into(),
        egress.address.to_string().into(),
        format!("{}-{}", egress.first_port, egress.last_port).into(),
        from.join(" ").into(),
        Cell::right(egress.connections.to_string()),
    ]
}

fn remarks(vpc: &VpcNatView) -> Vec<String> {
    let name = &vpc.vpc;
    let refused = vpc.refusals.iter().map(|refusal| {
        format!("{name}: the host refuses the {}: {}", refusal.what, refusal.reason)
    });
    let waits =
        (!vpc.serving).then(|| format!("{name}: another gateway translates; this one waits"));
    let counts = [
        (vpc.refused, "packets from the underlay were for no host"),
        (vpc.spoofed, "packets from the underlay had a source of the VPC's or of its peers'"),
        (vpc.lost, "packets were of connections that nobody knows here"),
        (vpc.untranslated, "packets would have left untranslated"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts = counts.map(|(count, words)| format!("{name}: {count} {words}, and were dropped"));
    let open = (vpc.open > 0).then(|| format!("{name}: {} connections are open", vpc.open));
    refused.chain(waits).chain(open).chain(counts).collect()
}

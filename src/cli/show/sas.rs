//! All SAs: a line for each IKE SA and one for each Child SA.

use super::super::look::Look;
use super::super::sheet::{Cell, Sheet, Tone};
use super::super::units::{rate, span, volume};
use super::titled;
use crate::control::{ChildSaState, ChildSaView, IkeSaView, SasView, TunnelSas};

const COLUMNS: [&str; 12] = [
    "GATEWAY",
    "PEER",
    "SA",
    "SPI",
    "SUITE",
    "STATE",
    "AGE",
    "REKEYED IN",
    "RECEIVED",
    "SENT",
    "RECEIVING",
    "SENDING",
];

/// Columns that go first where there is no room.
const SPARE: [&str; 7] = ["SUITE", "SENT", "RECEIVED", "REKEYED IN", "AGE", "SENDING", "RECEIVING"];

/// The SAs of a gateway.
pub(in super::super) fn sas(view: &SasView, look: Look) -> String {
    let mut sheet = Sheet::new(&COLUMNS).spare(&SPARE).folding(&["SPI"]);
    for tunnel in &view.tunnels {
        if let Some(sa) = &tunnel.ike_sa {
            sheet.row(ike(&view.gateway, tunnel, sa));
        }
        for sa in &tunnel.child_sas {
            sheet.row(child(&view.gateway, tunnel, sa));
        }
    }
    titled(&view.gateway, "", "no SA stands", sheet, look)
}

fn ike(gateway: &str, tunnel: &TunnelSas, sa: &IkeSaView) -> [Cell; 12] {
    [
        gateway.into(),
        tunnel.peer.as_str().into(),
        "IKE".into(),
        format!("{}_i {}_r", sa.initiator_spi, sa.responder_spi).into(),
        sa.suite.as_str().into(),
        sa.role.to_string().into(),
        Cell::right(span(sa.age_ms)),
        rekey(sa.rekey_in_ms),
        Cell::right("-"),
        Cell::right("-"),
        Cell::right("-"),
        Cell::right("-"),
    ]
}

fn child(gateway: &str, tunnel: &TunnelSas, sa: &ChildSaView) -> [Cell; 12] {
    let tone = match sa.state {
        ChildSaState::Active => Tone::Good,
        ChildSaState::Receiving => Tone::Faint,
    };
    [
        gateway.into(),
        tunnel.peer.as_str().into(),
        "Child".into(),
        format!("{}_in {}_out", sa.inbound_spi, sa.outbound_spi).into(),
        sa.suite.as_str().into(),
        Cell::from(sa.state.to_string()).tone(tone),
        Cell::right(span(sa.age_ms)),
        rekey(sa.rekey_in_ms),
        Cell::right(volume(sa.received.bytes)),
        Cell::right(volume(sa.sent.bytes)),
        Cell::right(rate(sa.received.bits_per_second)),
        Cell::right(rate(sa.sent.bits_per_second)),
    ]
}

fn rekey(in_ms: Option<u64>) -> Cell {
    Cell::right(in_ms.map_or("-".to_owned(), span))
}

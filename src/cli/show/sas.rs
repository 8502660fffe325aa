//! All SAs: a line for each IKE SA and one for each Child SA.

use super::super::look::Look;
use super::super::sheet::{Cell, Sheet, Tone};
use super::super::units::{span, volume};
use super::titled;
use crate::control::{ChildSaState, ChildSaView, IkeSaView, SasView, TunnelSas};

const COLUMNS: [&str; 10] =
    ["GATEWAY", "PEER", "SA", "SPI", "SUITE", "STATE", "AGE", "REKEYED IN", "RECEIVED", "SENT"];

/// Columns that go first where there is no room.
const SPARE: [&str; 5] = ["SUITE", "REKEYED IN", "SENT", "RECEIVED", "AGE"];

/// The SAs of a gateway.
pub(in super::super) fn sas(view: &SasView, look: Look) -> String {
    let mut sheet = Sheet::new(&COLUMNS).spare(&SPARE).elastic(&["SPI"]);
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

fn ike(gateway: &str, tunnel: &TunnelSas, sa: &IkeSaView) -> [Cell; 10] {
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
    ]
}

fn child(gateway: &str, tunnel: &TunnelSas, sa: &ChildSaView) -> [Cell; 10] {
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
    ]
}

fn rekey(in_ms: Option<u64>) -> Cell {
    Cell::right(in_ms.map_or("-".to_owned(), span))
}

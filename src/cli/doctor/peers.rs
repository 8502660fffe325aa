//! What the gateways that run here say of themselves and of their peers.

use super::super::args::Common;
use super::super::client;
use super::super::gateways;
use super::Finding;
use crate::control::{PeerSummary, PeersView, Request, StatsView};

/// The gateways that run here.
pub(super) fn of(common: &Common) -> Vec<Finding> {
    let Ok(targets) = gateways::all(common) else {
        return vec![Finding::bad("daemon", "no gateway runs here", "systemctl start vpngwd")];
    };
    let mut findings = Vec::new();
    for target in targets {
        let answer = client::ask(&target.socket, &Request::Peers);
        let view = answer.and_then(|body| Ok(serde_json::from_str::<PeersView>(&body)?));
        match view {
            Ok(view) => {
                findings.extend(gateway(&view));
                findings.extend(refusals(&target));
            }
            Err(error) => findings.push(Finding::bad(
                "daemon",
                format!("{}: {error:#}", target.name),
                "systemctl status vpngwd, and journalctl -u vpngwd",
            )),
        }
    }
    findings
}

fn gateway(view: &PeersView) -> Vec<Finding> {
    let name = &view.gateway.name;
    let bad: Vec<Finding> = view
        .peers
        .iter()
        .filter(|peer| !peer.verdict.is_well())
        .map(|peer| of_peer(name, peer))
        .collect();
    if bad.is_empty() {
        let count = view.peers.len();
        return vec![Finding::good(
            "daemon",
            format!("{name} runs, and all is well with {count} peer(s)"),
        )];
    }
    bad
}

fn of_peer(gateway: &str, peer: &PeerSummary) -> Finding {
    let failure = peer.last_failure.as_ref();
    let why = failure.map_or_else(String::new, |failure| format!(": {}", failure.reason));
    let what = format!("{gateway} → {} is {}{why}", peer.name, peer.verdict);
    let remedy = failure.and_then(|failure| failure.remedy.clone());
    Finding::bad("peer", what, remedy.unwrap_or_else(|| format!("vpnctl peers {}", peer.name)))
}

/// What the host refuses to a gateway.
fn refusals(target: &gateways::Target) -> Option<Finding> {
    let body = client::ask(&target.socket, &Request::Stats).ok()?;
    let stats: StatsView = serde_json::from_str(&body).ok()?;
    let count = stats.host_refuses;
    let what = format!("the host refuses {count} thing(s) to {}", target.name);
    (count > 0).then(|| {
        Finding::bad("guards", what, "vpnctl peers NAME names them, with the host's words")
    })
}

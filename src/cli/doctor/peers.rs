//! What the gateways that run here say of themselves, of their peers and of what their host refuses: all
//! that is wrong now, and not what was.

use super::super::args::Common;
use super::super::client;
use super::super::gateways::{self, Target};
use super::super::units;
use super::Finding;
use crate::control::{
    Code, EventView, EventsView, FailureView, NatView, PeerSummary, PeersView, RefusalView,
    Request, StatsView, TroubleView, Verdict, VirtualRouterView, VpcRouterView, VpcsView, VrrpView,
};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// What happened so long ago has not gone on: what goes on is told again sooner.
const LATELY_MS: u64 = 15 * 60 * 1000;
/// Two virtual routers that do not agree say so with every advertisement; while one takes over from the
/// other they may not agree for a moment.
const ADVERTISED_MS: u64 = 3000;

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
            Ok(view) => findings.extend(of_gateway(&target, &view)),
            Err(error) => findings.push(Finding::bad(
                "daemon",
                format!("{}: {error:#}", target.name),
                "systemctl status vpngwd, and journalctl -u vpngwd",
            )),
        }
    }
    findings
}

fn of_gateway(target: &Target, view: &PeersView) -> Vec<Finding> {
    let name = &view.gateway.name;
    let mut bad: Vec<Finding> = view.peers.iter().flat_map(|peer| of_peer(name, peer)).collect();
    bad.extend(refusals(target, view));
    if let Some(view) = ask::<VpcsView>(target, &Request::Vpcs) {
        let routers = view.vpcs.iter().flat_map(|vpc| &vpc.routers).filter(|router| !router.up);
        bad.extend(routers.map(|router| of_router(name, router)));
    }
    if let Some(view) = ask::<VrrpView>(target, &Request::Vrrp) {
        bad.extend(view.routers.iter().filter_map(|router| of_virtual_router(name, router)));
    }
    if let Some(view) = ask::<EventsView>(target, &Request::Events { after: 0 }) {
        bad.extend(refused_file(name, &view.events));
    }
    if bad.is_empty() {
        let count = view.peers.len();
        let what = format!("{name} runs, and all is well with {count} peer(s)");
        return vec![Finding::good("daemon", what)];
    }
    bad
}

fn ask<V: DeserializeOwned>(target: &Target, request: &Request) -> Option<V> {
    serde_json::from_str(&client::ask(&target.socket, request).ok()?).ok()
}

/// Why a peer is not as it should be, what of it is rejected, and who is refused at its address.
fn of_peer(gateway: &str, peer: &PeerSummary) -> Vec<Finding> {
    let name = &peer.name;
    let remedy = |failure: Option<&FailureView>| {
        let known = failure.and_then(|failure| failure.remedy.clone());
        known.unwrap_or_else(|| format!("vpnctl peers {name}"))
    };
    let failure = peer.last_failure.as_ref().filter(|failure| failure.unproven || concerns(peer));
    let mut findings = Vec::new();
    if !peer.verdict.is_well() {
        let why = failure.map_or_else(String::new, |failure| format!(": {}", failure.reason));
        let what = format!("{gateway} → {name} is {}{why}", peer.verdict);
        findings.push(Finding::bad("peer", what, remedy(failure)));
    } else if let Some(stranger) = failure.filter(|one| one.unproven && one.ago_ms < LATELY_MS) {
        let (reason, ago) = (&stranger.reason, units::span(stranger.ago_ms));
        let what =
            format!("{gateway} refuses somebody at the address of {name}: {reason} ({ago} ago)");
        findings.push(Finding::bad("peer", what, remedy(failure)));
    }
    if peer.prefixes_rejected > 0 {
        let count = peer.prefixes_rejected;
        let what = format!("{gateway} → {name}: {count} prefix(es) that it announces are rejected");
        let remedy =
            "vpnctl routes says which and why: add them to `accept`, or take them out there";
        findings.push(Finding::bad("routes", what, remedy));
    }
    findings
}

/// Whether what went wrong last is why the peer is as it is; else it is history.
fn concerns(peer: &PeerSummary) -> bool {
    match peer.verdict {
        Verdict::Down
        | Verdict::Connecting
        | Verdict::Unreachable
        | Verdict::OneWay
        | Verdict::NoBgp
        | Verdict::Disabled => true,
        Verdict::NoRoutes
        | Verdict::HostRefuses
        | Verdict::BeyondSilent
        | Verdict::BeyondPoor
        | Verdict::Drained
        | Verdict::Rejecting
        | Verdict::Up => false,
    }
}

/// What the host refuses to a gateway, each once.
fn refusals(target: &Target, view: &PeersView) -> Vec<Finding> {
    let of_peers = view.peers.iter().filter_map(|peer| peer.refusal.clone());
    let vpcs: Option<VpcsView> = ask(target, &Request::Vpcs);
    let of_vpcs = vpcs.into_iter().flat_map(|view| view.vpcs).flat_map(|vpc| vpc.refusals);
    let nat: Option<NatView> = ask(target, &Request::Nat);
    let of_nat = nat.into_iter().flat_map(|view| view.vpcs).flat_map(|vpc| vpc.refusals);
    let said = |refusal: RefusalView| (refusal.what, refusal.reason);
    let all: BTreeSet<_> = of_peers.chain(of_vpcs).chain(of_nat).map(said).collect();
    let stats: StatsView = ask(target, &Request::Stats).unwrap_or_default();
    let mut findings: Vec<Finding> = all
        .iter()
        .map(|(what, reason)| {
            let what = format!("the host refuses the {what} to {}: {reason}", target.name);
            Finding::bad("guards", what, "mend what it says; the gateway asks again by itself")
        })
        .collect();
    let unnamed = stats.host_refuses.saturating_sub(all.len() as u64);
    if all.is_empty() && unnamed > 0 {
        let what = format!("the host refuses {unnamed} thing(s) to {}", target.name);
        findings.push(Finding::bad("guards", what, "vpnctl events --warnings names them"));
    }
    findings.extend(stats.host_rules.into_iter().map(|complaint| {
        let remedy = "vpnctl events --warnings; mark none of the VPC's packets, or remove the rule";
        Finding::bad("guards", complaint, remedy)
    }));
    findings
}

fn of_router(gateway: &str, router: &VpcRouterView) -> Finding {
    let VpcRouterView { name, bgp, trouble, .. } = router;
    let why = trouble.as_ref().map(|trouble| format!(": {}", trouble.reason)).unwrap_or_default();
    let what = format!("{gateway}: the BGP session with router {name} is {}{why}", bgp.state);
    let remedy = trouble.as_ref().and_then(|trouble| trouble.remedy.clone());
    Finding::bad("router", what, remedy.unwrap_or_else(|| "vpnctl vpcs".to_owned()))
}

fn of_virtual_router(gateway: &str, router: &VirtualRouterView) -> Option<Finding> {
    let stands = |trouble: &&TroubleView| {
        trouble.ago_ms < ADVERTISED_MS && router.state_for_ms > ADVERTISED_MS
    };
    let trouble = router.last_trouble.as_ref().filter(stands)?;
    let (vrid, interface, ago) = (router.vrid, &router.interface, units::span(trouble.ago_ms));
    let what = format!("{gateway}: VRID {vrid} on {interface}: {} ({ago} ago)", trouble.what);
    Some(Finding::bad("VRRP", what, "vpnctl vrrp shows it, and how often it was"))
}

/// A file that was refused, when nothing was taken over since.
fn refused_file(gateway: &str, events: &[EventView]) -> Option<Finding> {
    let of_reload = |event: &&EventView| {
        matches!(event.code, Code::ReloadFailed | Code::Reloaded | Code::RolledBack)
    };
    let last = events.iter().rev().find(of_reload)?;
    let first_line = last.what.lines().next().unwrap_or_default();
    let what = format!("{gateway} runs by an older file: {first_line}");
    let refused = last.code == Code::ReloadFailed;
    refused.then(|| Finding::bad("reload", what, "vpnctl diff says what is wrong with the new one"))
}

#[cfg(test)]
mod tests;

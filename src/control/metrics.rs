//! The views once more, as Prometheus reads them (text exposition format 0.0.4).
//!
//! Not by `prometheus-client`: it exposes a registry of live metrics that own their values, while
//! these are views of one moment, borrowed, of as many peers as there are.

mod paths;

use super::SaKind;
use super::views::{
    MetricsView, NatView, PeerMetrics, PeerState, SegmentView, StatsView, Traffic,
    VirtualRouterState, VirtualRouterView, VpcNatView, VpcRouterView, VpcView, VpcsView, VtepView,
};
use std::collections::BTreeMap;
use std::fmt::Write;

const PEER_STATES: [PeerState; 4] =
    [PeerState::Up, PeerState::Unreachable, PeerState::Connecting, PeerState::Down];

/// The metrics as text.
pub fn render(view: &MetricsView) -> String {
    let mut page = Page { text: String::new(), gateway: label_value(&view.gateway.name) };
    gateway(&mut page, view);
    tunnels(&mut page, &view.peers);
    keys(&mut page, view);
    certificates(&mut page, &view.peers);
    paths::bfd(&mut page, &view.peers);
    paths::beyond(&mut page, &view.peers);
    paths::places(&mut page, &view.peers);
    traffic(&mut page, &view.peers);
    carriers(&mut page, &view.peers);
    routes(&mut page, &view.peers);
    events(&mut page, view);
    virtual_routers(&mut page, &view.virtual_routers);
    segments(&mut page, &view.vpcs);
    vpc_routers(&mut page, &view.vpcs);
    translations(&mut page, &view.nat);
    stats(&mut page, &view.stats);
    page.text
}

fn gateway(page: &mut Page, view: &MetricsView) {
    let MetricsView { gateway, unix_ms, reload_successful, reloaded_ago_ms, .. } = view;
    page.metric("vpngw_info", "gauge", "Always 1; what runs where.");
    let labels = [
        ("version", gateway.version.as_str()),
        ("region", gateway.region.as_str()),
        ("zone", gateway.zone.as_str()),
    ];
    page.sample("vpngw_info", &labels, 1.0);
    let mut gauge = |name: &str, help: &str, value: f64| {
        page.metric(name, "gauge", help);
        page.sample(name, &[], value);
    };
    gauge("vpngw_uptime_seconds", "Time since the gateway started.", seconds(gateway.up_for_ms));
    let start = unix_ms.saturating_sub(gateway.up_for_ms);
    let help = "When the gateway started, in seconds since 1970.";
    gauge("vpngw_start_time_seconds", help, seconds(start));
    let help = "1 while the gateway is drained.";
    gauge("vpngw_drained", help, flag(gateway.drain.is_some()));
    let help = "1 unless the last attempt at another configuration was refused.";
    gauge("vpngw_config_last_reload_successful", help, flag(*reload_successful));
    let name = "vpngw_config_last_reload_success_timestamp_seconds";
    let help = "When the configuration in use was taken over, in seconds since 1970.";
    gauge(name, help, seconds(unix_ms.saturating_sub(*reloaded_ago_ms)));
}

/// VPCs without routers have no sample.
fn vpc_routers(page: &mut Page, view: &VpcsView) {
    let of_vpc = |vpc: &'_ VpcView| (vpc.vpc.clone(), vpc.routers.clone());
    let all: Vec<(String, Vec<VpcRouterView>)> = view.vpcs.iter().map(of_vpc).collect();
    let routers = || all.iter().flat_map(|(vpc, routers)| routers.iter().map(move |r| (vpc, r)));
    if routers().next().is_none() {
        return;
    }
    page.metric("vpngw_vpc_router_up", "gauge", "1 while BGP with the VPC's router stands.");
    for (vpc, router) in routers() {
        let labels = [("vpc", vpc.as_str()), ("router", router.name.as_str())];
        page.sample("vpngw_vpc_router_up", &labels, flag(router.up));
    }
    let help = "Prefixes exchanged with the VPC's router, by what became of them.";
    page.metric("vpngw_vpc_router_prefixes", "gauge", help);
    for (vpc, router) in routers() {
        let counts = [
            ("accepted", router.prefixes_accepted),
            ("announced", router.bgp.prefixes_announced),
            ("rejected", router.prefixes_rejected),
        ];
        for (state, count) in counts {
            let of = [("vpc", vpc.as_str()), ("router", router.name.as_str()), ("state", state)];
            page.sample("vpngw_vpc_router_prefixes", &of, f64::from(count));
        }
    }
}

/// VPCs whose hosts are in no segment have no sample.
fn segments(page: &mut Page, view: &VpcsView) {
    let segments: Vec<(&str, &SegmentView)> = view
        .vpcs
        .iter()
        .filter_map(|vpc| Some((vpc.vpc.as_str(), vpc.segment.as_ref()?)))
        .collect();
    if segments.is_empty() {
        return;
    }
    type Gauge = (&'static str, &'static str, &'static str, fn(&SegmentView) -> f64);
    let gauges: [Gauge; 3] = [
        ("vpngw_segment_up", "gauge", "1 while the VXLAN device stands.", |segment| {
            f64::from(u8::from(segment.up))
        }),
        ("vpngw_segment_stations", "gauge", "Stations that were heard.", |segment| {
            segment.stations.len() as f64
        }),
        (
            "vpngw_segment_refused_packets_total",
            "counter",
            "Packets from others than the segment's VTEPs.",
            |segment| segment.refused as f64,
        ),
    ];
    for (name, kind, help, of) in gauges {
        page.metric(name, kind, help);
        for (vpc, segment) in &segments {
            page.sample(name, &[("vpc", vpc)], of(segment));
        }
    }
    type Count = (&'static str, &'static str, fn(&VtepView) -> u64);
    let counts: [Count; 2] = [
        ("vpngw_vtep_received_packets_total", "Packets of VXLAN.", |vtep| vtep.packets),
        ("vpngw_vtep_received_bytes_total", "Their bytes, outer headers too.", |vtep| vtep.bytes),
    ];
    for (name, help, of) in counts {
        page.metric(name, "counter", help);
        for (vpc, segment) in &segments {
            for vtep in &segment.vteps {
                let address = vtep.address.to_string();
                page.sample(name, &[("vpc", vpc), ("vtep", &address)], of(vtep) as f64);
            }
        }
    }
    let help = "Packets of VXLAN with no VNI of ours.";
    page.metric("vpngw_unknown_vni_packets_total", "counter", help);
    page.sample("vpngw_unknown_vni_packets_total", &[], view.unknown_vni as f64);
}

/// VPCs without public addresses have no sample.
fn translations(page: &mut Page, view: &NatView) {
    if view.vpcs.is_empty() {
        return;
    }
    type Gauge = (&'static str, &'static str, &'static str, fn(&VpcNatView) -> f64);
    let gauges: [Gauge; 7] = [
        ("vpngw_nat_up", "gauge", "1 while public addresses can be translated.", |vpc| {
            flag(vpc.up)
        }),
        ("vpngw_nat_serving", "gauge", "1 while their packets come to this gateway.", |vpc| {
            flag(vpc.serving)
        }),
        ("vpngw_nat_connections", "gauge", "Connections that are remembered.", |vpc| {
            vpc.open as f64
        }),
        (
            "vpngw_nat_refused_packets_total",
            "counter",
            "Packets from the underlay for no host.",
            |vpc| vpc.refused as f64,
        ),
        (
            "vpngw_nat_spoofed_packets_total",
            "counter",
            "Packets from the underlay with a source of the VPC's or of its peers'.",
            |vpc| vpc.spoofed as f64,
        ),
        (
            "vpngw_nat_lost_packets_total",
            "counter",
            "Packets of connections that nobody knows here.",
            |vpc| vpc.lost as f64,
        ),
        (
            "vpngw_nat_untranslated_packets_total",
            "counter",
            "Packets that would have left as they are.",
            |vpc| vpc.untranslated as f64,
        ),
    ];
    for (name, kind, help, of) in gauges {
        page.metric(name, kind, help);
        for vpc in &view.vpcs {
            page.sample(name, &[("vpc", &vpc.vpc)], of(vpc));
        }
    }
    begun(page, view);
}

fn begun(page: &mut Page, view: &NatView) {
    let name = "vpngw_nat_begun_connections_total";
    page.metric(name, "counter", "Connections that were begun, by public address.");
    for vpc in &view.vpcs {
        for one in &vpc.public {
            let (address, ports) = (one.address.to_string(), one.ports.as_deref().unwrap_or("all"));
            let labels = [("vpc", vpc.vpc.as_str()), ("address", &address), ("ports", ports)];
            page.sample(name, &labels, one.connections as f64);
        }
        for one in &vpc.egress {
            let address = one.address.to_string();
            let labels = [("vpc", vpc.vpc.as_str()), ("address", &address), ("ports", "egress")];
            page.sample(name, &labels, one.connections as f64);
        }
    }
}

fn tunnels(page: &mut Page, peers: &[PeerMetrics]) {
    page.metric("vpngw_peer_up", "gauge", "1 while traffic goes to the peer as it should.");
    for peer in peers {
        let labels = [peer_label(peer), vpc_label(peer)];
        page.sample("vpngw_peer_up", &labels, flag(peer.summary.verdict.is_well()));
    }
    page.metric("vpngw_peer_verdict", "gauge", "Always 1; whether all is well, in a word.");
    for peer in peers {
        let verdict = peer.summary.verdict.to_string();
        let labels = [peer_label(peer), vpc_label(peer), ("verdict", verdict.as_str())];
        page.sample("vpngw_peer_verdict", &labels, 1.0);
    }
    page.metric("vpngw_peer_state", "gauge", "1 for the state that the tunnel is in.");
    for peer in peers {
        for state in PEER_STATES {
            let (name, is) = (state.to_string(), peer.summary.state == state);
            let labels = [peer_label(peer), vpc_label(peer), ("state", &name)];
            page.sample("vpngw_peer_state", &labels, flag(is));
        }
    }
    page.metric("vpngw_peer_state_seconds", "gauge", "Time since the state last changed.");
    for peer in peers {
        let since = seconds(peer.summary.state_for_ms);
        page.sample("vpngw_peer_state_seconds", &[peer_label(peer), vpc_label(peer)], since);
    }
    page.metric(
        "vpngw_peer_planned",
        "gauge",
        "1 for what an operator has planned for the tunnel.",
    );
    for peer in peers {
        if let Some(planned) = peer.summary.planned {
            let labels = [peer_label(peer), vpc_label(peer), ("what", planned.name())];
            page.sample("vpngw_peer_planned", &labels, 1.0);
        }
    }
    page.metric("vpngw_peer_rtt_seconds", "gauge", "Round-trip time of the last liveness probe.");
    for peer in peers {
        if let Some(rtt) = peer.summary.rtt_us {
            let labels = [peer_label(peer), vpc_label(peer)];
            page.sample("vpngw_peer_rtt_seconds", &labels, rtt as f64 / 1e6);
        }
    }
    let help = "The longest IP packet that reaches the peer in one piece, as far as known.";
    page.metric("vpngw_peer_path_mtu_bytes", "gauge", help);
    for peer in peers {
        if let Some(mtu) = peer.path_mtu {
            let labels = [peer_label(peer), vpc_label(peer)];
            page.sample("vpngw_peer_path_mtu_bytes", &labels, mtu.into());
        }
    }
}

/// When keys are replaced, and how often they were. Without SAs there is no time.
fn keys(page: &mut Page, view: &MetricsView) {
    let name = "vpngw_peer_rekeys_total";
    page.metric(name, "counter", "SAs that took the place of others with new keys, by kind.");
    for peer in &view.peers {
        for (kind, count) in peer.rekeys {
            page.sample(name, &[peer_label(peer), vpc_label(peer), sa_label(kind)], count as f64);
        }
    }
    let name = "vpngw_peer_next_rekey_timestamp_seconds";
    page.metric(name, "gauge", "When keys are replaced next, in seconds since 1970, by kind.");
    for peer in &view.peers {
        for (kind, rekey) in peer.rekey_in_ms {
            if let Some(rekey) = rekey {
                let labels = [peer_label(peer), vpc_label(peer), sa_label(kind)];
                page.sample(name, &labels, seconds(view.unix_ms + rekey));
            }
        }
    }
}

fn sa_label(kind: SaKind) -> (&'static str, &'static str) {
    let name = match kind {
        SaKind::Ike => "ike",
        SaKind::Child => "child",
    };
    ("sa", name)
}

/// What happened, by code: what docs/events.md lists.
fn events(page: &mut Page, view: &MetricsView) {
    let name = "vpngw_peer_events_total";
    page.metric(name, "counter", "What happened to the tunnel, by the codes of events.");
    for peer in &view.peers {
        for (code, count) in &peer.events {
            let labels = [peer_label(peer), vpc_label(peer), ("code", code.as_str())];
            page.sample(name, &labels, *count as f64);
        }
    }
    let name = "vpngw_events_total";
    page.metric(
        name,
        "counter",
        "What happened to the gateway as a whole, by the codes of events.",
    );
    for (code, count) in &view.events {
        page.sample(name, &[("code", code.as_str())], *count as f64);
    }
}

/// Tunnels without certificates have no sample.
fn certificates(page: &mut Page, peers: &[PeerMetrics]) {
    let name = "vpngw_certificate_expires_seconds";
    page.metric(name, "gauge", "When the certificate expires, in seconds since 1970.");
    for peer in peers {
        let sides =
            [("own", peer.own_certificate_expires), ("peer", peer.peer_certificate_expires)];
        for (side, expires) in sides {
            if let Some(expires) = expires {
                let labels = [peer_label(peer), vpc_label(peer), ("side", side)];
                page.sample(name, &labels, expires as f64);
            }
        }
    }
}

fn traffic(page: &mut Page, peers: &[PeerMetrics]) {
    type Direction = fn(&PeerMetrics) -> Traffic;
    let directions: [(&str, Direction); 2] =
        [("received", |peer| peer.summary.received), ("sent", |peer| peer.summary.sent)];
    for (direction, of) in directions {
        let name = format!("vpngw_peer_{direction}_bytes_total");
        page.metric(&name, "counter", "Bytes of inner packets.");
        for peer in peers {
            page.sample(&name, &[peer_label(peer), vpc_label(peer)], of(peer).bytes as f64);
        }
        let name = format!("vpngw_peer_{direction}_packets_total");
        page.metric(&name, "counter", "Inner packets.");
        for peer in peers {
            page.sample(&name, &[peer_label(peer), vpc_label(peer)], of(peer).packets as f64);
        }
    }
    let help = "Packets of the SAs in use that were sent and have not come, or not yet.";
    page.metric("vpngw_peer_lost_packets", "gauge", help);
    for peer in peers {
        let labels = [peer_label(peer), vpc_label(peer)];
        page.sample("vpngw_peer_lost_packets", &labels, peer.lost as f64);
    }
    page.metric("vpngw_peer_discards_total", "counter", "Packets not let through, by reason.");
    for peer in peers {
        for (reason, count) in &peer.discards {
            let labels = [peer_label(peer), vpc_label(peer), ("reason", reason.as_str())];
            page.sample("vpngw_peer_discards_total", &labels, *count as f64);
        }
    }
}

fn carriers(page: &mut Page, peers: &[PeerMetrics]) {
    page.metric("vpngw_peer_in_tcp", "gauge", "1 while IKE and ESP go in TCP.");
    for peer in peers {
        let labels = [peer_label(peer), vpc_label(peer)];
        page.sample("vpngw_peer_in_tcp", &labels, flag(peer.summary.in_tcp));
    }
}

fn routes(page: &mut Page, peers: &[PeerMetrics]) {
    page.metric("vpngw_peer_bgp_up", "gauge", "1 while the BGP session is established.");
    let by_bgp = || peers.iter().filter_map(|peer| Some((peer, peer.announced?)));
    for (peer, _) in by_bgp() {
        let labels = [peer_label(peer), vpc_label(peer)];
        page.sample("vpngw_peer_bgp_up", &labels, flag(peer.summary.bgp_waits.is_none()));
    }
    let help = "Prefixes that are announced to the peer by BGP.";
    page.metric("vpngw_peer_bgp_prefixes_announced", "gauge", help);
    for (peer, announced) in by_bgp() {
        let labels = [peer_label(peer), vpc_label(peer)];
        page.sample("vpngw_peer_bgp_prefixes_announced", &labels, f64::from(announced));
    }
    page.metric("vpngw_peer_prefixes", "gauge", "Prefixes of the peer, by what became of them.");
    for peer in peers {
        let counts = [
            ("accepted", peer.summary.prefixes_accepted),
            ("rejected", peer.summary.prefixes_rejected),
            ("active", peer.summary.prefixes_active),
            ("refused_by_host", peer.summary.prefixes_refused),
        ];
        for (state, count) in counts {
            let labels = [peer_label(peer), vpc_label(peer), ("state", state)];
            page.sample("vpngw_peer_prefixes", &labels, f64::from(count));
        }
    }
}

fn virtual_routers(page: &mut Page, routers: &[VirtualRouterView]) {
    page.metric("vpngw_vrrp_active", "gauge", "1 while this gateway answers for the addresses.");
    for router in routers {
        let active = router.state == VirtualRouterState::Active;
        let (vrid, family) = (router.vrid.to_string(), router.family.to_string());
        let labels = router_labels(router, &vrid, &family);
        page.sample("vpngw_vrrp_active", &labels, flag(active));
    }
    let help = "Signs that another station of the link is set up otherwise, by reason.";
    page.metric("vpngw_vrrp_discards_total", "counter", help);
    for router in routers {
        let (vrid, family) = (router.vrid.to_string(), router.family.to_string());
        for (reason, count) in &router.discards {
            let [vpc, interface, vrid, family] = router_labels(router, &vrid, &family);
            let labels = [vpc, interface, vrid, family, ("reason", reason.as_str())];
            page.sample("vpngw_vrrp_discards_total", &labels, *count as f64);
        }
    }
}

fn router_labels<'a>(
    router: &'a VirtualRouterView,
    vrid: &'a str,
    family: &'a str,
) -> [(&'static str, &'a str); 4] {
    let (vpc, interface) = (router.vpc.as_str(), router.interface.as_str());
    [("vpc", vpc), ("interface", interface), ("vrid", vrid), ("family", family)]
}

fn stats(page: &mut Page, stats: &StatsView) {
    let mut family = |name: &str, help: &str, label: &str, counts: &BTreeMap<String, u64>| {
        page.metric(name, "counter", help);
        for (reason, count) in counts {
            page.sample(name, &[(label, reason.as_str())], *count as f64);
        }
    };
    let help = "IKE messages and exchanges, by what became of them.";
    family("vpngw_ike_total", help, "outcome", &stats.ike);
    let help = "Packets of no tunnel that were discarded, by reason.";
    family("vpngw_discards_total", help, "reason", &stats.discards);
    let help = "What happened in the data plane outside any tunnel.";
    family("vpngw_dataplane_total", help, "event", &stats.dataplane);
    let help = "Routes, rules, addresses and devices of the host, by what became of them.";
    family("vpngw_host_total", help, "event", &stats.host);
    page.metric("vpngw_host_refusals", "gauge", "What the host refuses now.");
    page.sample("vpngw_host_refusals", &[], stats.host_refuses as f64);
}

fn peer_label(peer: &PeerMetrics) -> (&'static str, &str) {
    ("peer", &peer.summary.name)
}

fn vpc_label(peer: &PeerMetrics) -> (&'static str, &str) {
    ("vpc", &peer.summary.vpc)
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn seconds(millis: u64) -> f64 {
    millis as f64 / 1e3
}

/// The text so far. Writing to a `String` cannot fail.
struct Page {
    text: String,
    gateway: String,
}

impl Page {
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.text, "{name}{{gateway=\"{}\"", self.gateway);
        for (label, text) in labels {
            let _ = write!(self.text, ",{label}=\"{}\"", label_value(text));
        }
        let _ = writeln!(self.text, "}} {value}");
    }
}

/// A label's value with the three characters escaped that the format asks for.
fn label_value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

//! Views of peers, their SAs and their paths.

use super::failures::{last_failure, suspicion, waits};
use super::{Gateway, certificates, millis, pages, vpcs};
use crate::config::{BgpConfig, Credentials, PeerConfig, Routing};
use crate::control::{
    BfdView, BgpView, ChildSaState, ChildSaView, Code, EventView, FailureView, IkeSaView,
    LivenessView, PathMtuView, PathState, PeerMetrics, PeerState, PeerSummary, PeerView, Planned,
    ReplayView, Role, SaKind, TimerView, Traffic, TunnelSas, Verdict,
};
use crate::gateway::connection;
use crate::gateway::failover::Health;
use crate::gateway::path::{Bfd, Loss};
use crate::gateway::sas::Child;
use crate::gateway::snapshot::sending_mtu;
use crate::gateway::tunnel::Tunnel;
use crate::gateway::vpc::Vpc;
use crate::ike::{self, ConnectionState, ConnectionView, IkeView, NatStatus, SlotId};
use crate::net::{Asn, PeerId, is_streamed};
use crate::routing::bgp::State;
use crate::time::{Timestamp, WallTime};
use std::net::SocketAddr;
use std::time::Duration;

/// Suites that are configured for the peer and are weak, in words.
fn weak_suites(config: &PeerConfig) -> Vec<String> {
    let ike = config.ike_suites.iter().filter(|suite| suite.weakness().is_some());
    let esp = config.esp_suites.iter().filter(|suite| suite.weakness().is_some());
    ike.map(ToString::to_string).chain(esp.map(ToString::to_string)).collect()
}

/// How many refusals and unreached prefixes are told of one peer; there may be very many.
const REFUSALS: usize = 16;

/// A peer as views look at it: everything found once.
pub(super) struct Seen<'g> {
    peer: PeerId,
    pub(super) tunnel: &'g Tunnel,
    pub(super) config: &'g PeerConfig,
    vpc: &'g Vpc,
    pub(super) ike: Option<ConnectionView>,
}

impl Seen<'_> {
    /// Its tunnel.
    pub(super) fn tunnel(&self) -> &Tunnel {
        self.tunnel
    }

    fn in_use(&self) -> Option<&IkeView> {
        in_use(self.ike.as_ref(), self.tunnel)
    }
}

impl Gateway {
    /// Looks at a peer.
    pub(super) fn seen(&self, peer: PeerId) -> Option<Seen<'_>> {
        let (tunnel, config) = (self.tunnels.get(&peer)?, self.config.peers.get(&peer)?);
        Some(Seen {
            peer,
            tunnel,
            vpc: self.vpcs.get(&tunnel.vpc)?,
            config,
            ike: self.ike.view(connection::id(config.remote)),
        })
    }

    pub(super) fn peer_summary(&self, seen: &Seen<'_>, now: Timestamp) -> PeerSummary {
        let summary = self.facts(seen, now);
        let verdict = Verdict::of(&summary, seen.tunnel.data_path(now));
        PeerSummary { verdict, ..summary }
    }

    fn facts(&self, seen: &Seen<'_>, now: Timestamp) -> PeerSummary {
        let Seen { peer, tunnel, config, vpc, ike } = seen;
        let ike_sa = seen.in_use();
        let (accepted, rejected) = vpc.router.prefix_counts(*peer);
        PeerSummary {
            name: config.name.clone(),
            vpc: self.vpc_name(tunnel),
            remote: ike_sa.map(|ike| ike.remote).or(configured_remote(config)),
            state: state(tunnel, ike.as_ref()),
            state_for_ms: millis(now.since(tunnel.since())),
            ike_suite: ike_sa.map(|ike| ike.suite.to_string()),
            esp_suite: tunnel.sas.sending().next().map(|(_, child)| child.suite.to_string()),
            rtt_us: ike_sa.and_then(|ike| ike.round_trip).map(micros),
            received: received(tunnel),
            sent: sent(tunnel),
            prefixes_accepted: count(accepted),
            prefixes_rejected: count(rejected),
            prefixes_active: count(vpc.carried_to(*peer)),
            prefixes_refused: count(vpc.refused_to(*peer)),
            refusal: self.refusals(*peer, config, vpc).next(),
            key_exchange: ike_sa.map(IkeView::key_exchanges),
            weak_suites: weak_suites(config),
            bfd: bfd_view(tunnel, now),
            bgp_waits: bgp_waits(vpc, *peer),
            in_tcp: ike_sa.is_some_and(|ike| is_streamed(ike.local)),
            probe: tunnel.beyond.view(now),
            planned: self.planned_for(*peer, tunnel),
            verdict: Verdict::default(),
            last_failure: last_failure(seen, now)
                .or_else(|| suspicion(tunnel, now))
                .filter(|_| !self.planned.is_cut_off(*peer))
                .or_else(|| self.disabled(seen, now))
                .or_else(|| waits(seen, self.closed.contains(peer))),
        }
    }

    pub(super) fn peer_view(
        &self,
        seen: &Seen<'_>,
        (now, wall): (Timestamp, WallTime),
    ) -> PeerView {
        let Seen { peer, tunnel, config, vpc, ike } = seen;
        let refusals = self.refusals(*peer, config, vpc).chain(self.other_refusals(config, vpc));
        let sending = tunnel.sas.sending().next().map(|(_, child)| child);
        PeerView {
            gateway: self.config.gateway.name.clone(),
            summary: self.peer_summary(seen, now),
            host_name: self.name_view(config.remote, now),
            places: self.place_views(*peer, seen.in_use(), now),
            local_identity: config.local_identity.to_string(),
            remote_identity: config.remote_identity.to_string(),
            authentication: match config.credentials {
                Credentials::Psk(_) => "psk".to_owned(),
                Credentials::PublicKey { .. } => "public_key".to_owned(),
                Credentials::Certificate { .. } => "certificate".to_owned(),
            },
            certificates: certificates::view(config, seen.in_use(), wall),
            udp_silent_for_ms: ike
                .as_ref()
                .and_then(|ike| ike.udp_silent_since)
                .map(|since| millis(now.since(since))),
            local: seen.in_use().map(|ike| ike.local),
            inside_local: config.routing.inside().map(|inside| inside.local),
            inside_remote: config.routing.inside().map(|inside| inside.remote),
            netns: self.config.vpcs.get(&config.vpc).and_then(|vpc| vpc.netns.clone()),
            local_preference: config.local_preference,
            weight: self.may_share(config).then_some(config.weight.get()),
            shares_with: self.sharing_with(*peer, vpc),
            inner_mtu: sending.map(|child| sending_mtu(&self.config, tunnel, child)),
            aggfrag: config.aggfrag,
            constant_rate: config.constant_rate,
            rate_limit: config.rate_limit,
            path_mtu: self.path_mtu_view(config),
            ike_sa: seen.in_use().map(|ike| ike_sa(ike, now)),
            child_sas: child_sas(tunnel, config, ike.as_ref(), now),
            discards: discards(tunnel),
            liveness: liveness(config, seen.in_use(), now),
            data_path: tunnel.data_path(now),
            bgp: self.bgp_view(seen, now),
            maps: config.maps.iter().map(vpcs::known_by).collect(),
            unreached: vpc.router.unreached(*peer).take(REFUSALS).collect(),
            parts: tunnel.sas.parts().into_iter().take(REFUSALS).collect(),
            refusals: refusals.take(REFUSALS).collect(),
            suspicion: suspicion(tunnel, now),
            excess: ike.as_ref().map_or(0, |ike| ike.excess),
            timers: timers(ike.as_ref(), connection::slot(seen.peer), now),
            events: events(tunnel, now),
        }
    }

    pub(super) fn tunnel_sas(&self, seen: &Seen<'_>, now: Timestamp) -> TunnelSas {
        let Seen { tunnel, config, ike, .. } = seen;
        TunnelSas {
            peer: config.name.clone(),
            vpc: self.vpc_name(tunnel),
            ike_sa: seen.in_use().map(|ike| ike_sa(ike, now)),
            child_sas: child_sas(tunnel, config, ike.as_ref(), now),
        }
    }

    pub(super) fn peer_metrics(&self, seen: &Seen<'_>, now: Timestamp) -> PeerMetrics {
        let tunnel = seen.tunnel;
        let ike_sa = seen.in_use();
        let child = ike_sa.and_then(|ike| ike.children.iter().map(|child| child.rekey_at).min());
        let until = |at: Timestamp| millis(at.since(now));
        let neighbor = seen.vpc.router.neighbor(seen.peer).filter(|one| one.state.is_some());
        PeerMetrics {
            events: tunnel.events.tally().by_name(),
            rekeys: [(SaKind::Ike, tunnel.rekeys.ike), (SaKind::Child, tunnel.rekeys.child)],
            rekey_in_ms: [
                (SaKind::Ike, ike_sa.map(|ike| until(ike.rekey_at))),
                (SaKind::Child, child.map(until)),
            ],
            lost: tunnel.sas.children().map(|(_, child)| child.inbound.lost()).sum(),
            announced: neighbor.map(|neighbor| count(neighbor.announced)),
            summary: self.peer_summary(seen, now),
            path_mtu: self.path_mtu_view(seen.config).map(|path| path.bytes),
            discards: discards(seen.tunnel),
            own_certificate_expires: certificates::own_expires(seen.config),
            peer_certificate_expires: certificates::peer_expires(seen.in_use()),
            places: self.place_views(seen.peer, seen.in_use(), now),
        }
    }

    /// What is planned for a tunnel, by this side or by the peer.
    fn planned_for(&self, peer: PeerId, tunnel: &Tunnel) -> Option<Planned> {
        if self.planned.is_disabled(peer) {
            Some(Planned::Disabled)
        } else if self.planned.drained_since().is_some() {
            Some(Planned::DrainedHere)
        } else {
            tunnel.watch.peer_leaves().then_some(Planned::DrainedThere)
        }
    }

    /// Why there is no tunnel to a peer that is disabled.
    fn disabled(&self, seen: &Seen<'_>, now: Timestamp) -> Option<FailureView> {
        let name = &seen.config.name;
        self.planned.is_cut_off(seen.peer).then(|| FailureView {
            code: Code::Disabled,
            reason: "disabled here by `vpnctl disable`".to_owned(),
            remedy: Some(format!("vpnctl enable {name}")),
            ago_ms: millis(now.since(seen.tunnel.since())),
            ..FailureView::default()
        })
    }

    fn path_mtu_view(&self, config: &PeerConfig) -> Option<PathMtuView> {
        let (bytes, known_by) = self.ways.mtu(config.remote)?;
        let configured = self.config.gateway.underlay_mtu;
        Some(PathMtuView { bytes, known_by: known_by.name().to_owned(), configured })
    }

    fn vpc_name(&self, tunnel: &Tunnel) -> String {
        self.config.vpcs.get(&tunnel.vpc).map(|vpc| vpc.name.clone()).unwrap_or_default()
    }

    fn bgp_view(&self, seen: &Seen<'_>, now: Timestamp) -> Option<BgpView> {
        let Routing::Bgp(bgp) = &seen.config.routing else { return None };
        let neighbor = seen.vpc.router.neighbor(seen.peer)?;
        let BgpConfig { remote_asn, inside_local, inside_remote, hold_time, .. } = bgp;
        Some(BgpView {
            state: neighbor.state.map(|state| state.to_string()).unwrap_or_default(),
            state_for_ms: millis(now.since(neighbor.since)),
            local: *inside_local,
            remote: *inside_remote,
            local_asn: self.config.gateway.asn.unwrap_or(Asn(0)),
            remote_asn: *remote_asn,
            hold_time_ms: millis(neighbor.hold_time.unwrap_or(*hold_time)),
            prefixes_announced: count(neighbor.announced),
            last_down: neighbor.last_down.map(|reason| reason.to_string()),
            peer_can: neighbor.peer_can,
            prefixes_stale: count(neighbor.stale),
        })
    }
}

fn bfd_view(tunnel: &Tunnel, now: Timestamp) -> Option<BfdView> {
    let watch = &tunnel.watch;
    let report = watch.report()?;
    let (path, why) = match (watch.says(), tunnel.path.health()) {
        (Bfd::SaysNothing, _) => (PathState::Unwatched, None),
        (Bfd::Works, Health::Held) => (PathState::Held, None),
        (Bfd::Works, _) => (PathState::Works, None),
        (Bfd::Lost(why), _) => (PathState::Lost, Some(why)),
    };
    Some(BfdView {
        path,
        one_way: why == Some(Loss::NotHeard),
        why: why.map(|why| why.to_string()),
        state: report.state.to_string(),
        state_for_ms: millis(now.since(report.since)),
        diagnostic: report.diagnostic.to_string(),
        remote_state: report.remote.map(|(state, _)| state.to_string()),
        remote_diagnostic: report.remote.map(|(_, diagnostic)| diagnostic.to_string()),
        interval_us: micros(report.interval),
        detection_time_us: micros(report.detection_time),
        rtt_us: report.round_trip.map(micros),
        losses: tunnel.path.losses(),
    })
}

fn state(tunnel: &Tunnel, ike: Option<&ConnectionView>) -> PeerState {
    match tunnel.health() {
        Health::Usable | Health::Poor | Health::Held | Health::Silent | Health::Leaving => {
            PeerState::Up
        }
        Health::Unreachable => PeerState::Unreachable,
        Health::Down if ike.is_some_and(is_connecting) => PeerState::Connecting,
        Health::Down => PeerState::Down,
    }
}

/// The state of a peer's BGP session, unless it is established.
fn bgp_waits(vpc: &Vpc, peer: PeerId) -> Option<String> {
    let state = vpc.router.neighbor(peer)?.state?;
    (state != State::Established).then(|| state.to_string())
}

fn is_connecting(ike: &ConnectionView) -> bool {
    match ike.state {
        // An IKE SA without a Child SA for this VPC: one is being asked for.
        ConnectionState::Connecting | ConnectionState::Waiting | ConnectionState::Up => true,
        ConnectionState::Idle | ConnectionState::Unreachable(_) => false,
    }
}

/// The IKE SA in use: the one of the newest Child SA that sends; for moments there are two.
fn in_use<'v>(ike: Option<&'v ConnectionView>, tunnel: &Tunnel) -> Option<&'v IkeView> {
    let sending = tunnel.sas.sending().next().map(|(id, _)| id);
    let sends = |ike: &IkeView| ike.children.iter().any(|child| Some(child.child) == sending);
    ike?.ike_sas.iter().max_by_key(|ike| (sends(ike), ike.established_at))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn configured_remote(config: &PeerConfig) -> Option<SocketAddr> {
    config.remote_address.map(|address| SocketAddr::new(address, config.remote_port))
}

fn received(tunnel: &Tunnel) -> Traffic {
    Traffic {
        packets: tunnel.counters.received_packets(),
        bytes: tunnel.counters.received_bytes(),
        bits_per_second: tunnel.rates.rx_bits,
    }
}

fn sent(tunnel: &Tunnel) -> Traffic {
    Traffic {
        packets: tunnel.counters.sent_packets(),
        bytes: tunnel.counters.sent_bytes(),
        bits_per_second: tunnel.rates.tx_bits,
    }
}

fn ike_sa(ike: &IkeView, now: Timestamp) -> IkeSaView {
    let (initiator, responder, role) = match ike.role {
        ike::Role::Initiator => (ike.id.local, ike.id.remote, Role::Initiator),
        ike::Role::Responder => (ike.id.remote, ike.id.local, Role::Responder),
    };
    IkeSaView {
        initiator_spi: initiator.to_string(),
        responder_spi: responder.to_string(),
        role,
        suite: ike.suite.to_string(),
        beside: ike.additional.to_string(),
        transcript: ike.covered_in_full,
        ppk: ike.ppk_in_use,
        local: ike.local,
        remote: ike.remote,
        nat: nat(ike.nat).to_owned(),
        age_ms: millis(now.since(ike.established_at)),
        rekey_in_ms: Some(millis(ike.rekey_at.since(now))),
    }
}

fn nat(status: NatStatus) -> &'static str {
    match (status.local, status.remote) {
        (false, false) => "none",
        (true, false) => "local",
        (false, true) => "remote",
        (true, true) => "both",
    }
}

/// Child SAs, those that send first.
fn child_sas(
    tunnel: &Tunnel,
    config: &PeerConfig,
    ike: Option<&ConnectionView>,
    now: Timestamp,
) -> Vec<ChildSaView> {
    let mut children: Vec<_> = tunnel.sas.children().collect();
    children.sort_by_key(|(id, _)| !tunnel.sas.is_sending(*id));
    let state = |id| match tunnel.sas.is_sending(id) {
        true => ChildSaState::Active,
        false => ChildSaState::Receiving,
    };
    let rekey_at = |wanted| {
        let children = ike?.ike_sas.iter().flat_map(|ike| &ike.children);
        children.into_iter().find(|child| child.child == wanted).map(|child| child.rekey_at)
    };
    let view = |(id, child): (ike::ChildId, &Child)| ChildSaView {
        rekey_in_ms: rekey_at(id).map(|at| millis(at.since(now))),
        ..child_sa(child, state(id), config, now)
    };
    children.into_iter().map(view).collect()
}

fn child_sa(
    child: &Child,
    state: ChildSaState,
    config: &PeerConfig,
    now: Timestamp,
) -> ChildSaView {
    let (inbound, outbound) = (child.inbound.usage(), child.outbound.usage());
    let traffic = |usage: crate::esp::Usage, bits_per_second| Traffic {
        packets: usage.packets,
        bytes: usage.bytes,
        bits_per_second,
    };
    ChildSaView {
        inbound_spi: child.inbound.spi().to_string(),
        outbound_spi: child.outbound.spi().to_string(),
        suite: child.suite.to_string(),
        aggfrag: child.aggfrag.is_some(),
        state,
        age_ms: millis(now.since(child.since)),
        rekey_in_ms: None,
        received: traffic(inbound, child.rates.rx_bits),
        sent: traffic(outbound, child.rates.tx_bits),
        replay: ReplayView {
            window: config.replay_window,
            replayed: child.inbound.replayed(),
            late: child.inbound.late(),
            lost: child.inbound.lost(),
        },
        local_ts: child.local_words.clone(),
        remote_ts: child.remote_words.clone(),
    }
}

fn discards(tunnel: &Tunnel) -> std::collections::BTreeMap<String, u64> {
    let occurred = tunnel.counters.discards.occurred();
    occurred.map(|(reason, count)| (reason.name().to_owned(), count)).collect()
}

fn liveness(config: &PeerConfig, ike: Option<&IkeView>, now: Timestamp) -> LivenessView {
    LivenessView {
        interval_ms: millis(config.liveness.interval),
        timeout_ms: millis(config.liveness.timeout),
        give_up_ms: millis(config.liveness.give_up),
        heard_ago_ms: ike.map(|ike| ike.last_heard).map(|at| millis(now.since(at))),
    }
}

/// What the IKE engine will do, the soonest first.
fn timers(ike: Option<&ConnectionView>, slot: SlotId, now: Timestamp) -> Vec<TimerView> {
    let Some(ike) = ike else { return Vec::new() };
    let retry = ike.retry_at.map(|at| (at, "connect again"));
    let ike_sas = ike.ike_sas.iter().map(|ike| (ike.rekey_at, "rekey the IKE SA"));
    let children = ike.ike_sas.iter().flat_map(|ike| &ike.children);
    let children = children.filter(|child| child.slot == slot).flat_map(|child| {
        [(child.rekey_at, "rekey the Child SA"), (child.expires_at, "the Child SA expires")]
    });
    let mut timers: Vec<_> = ike_sas.chain(children).chain(retry).collect();
    timers.sort();
    let view = |(at, what): (Timestamp, &str)| TimerView {
        what: what.to_owned(),
        in_ms: millis(at - now),
    };
    timers.into_iter().filter(|(at, _)| *at > now).map(view).collect()
}

fn events(tunnel: &Tunnel, now: Timestamp) -> Vec<EventView> {
    let mut events: Vec<EventView> =
        tunnel.events.iter().map(|event| pages::event_view(event, now)).collect();
    events.reverse();
    events
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

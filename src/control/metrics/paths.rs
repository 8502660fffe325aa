//! Whether packets get through to peers, and to what is behind them.

use super::{Page, flag, peer_label, vpc_label};
use crate::control::{BfdView, PathState, PeerMetrics, PlaceView, ProbeState, ProbeView};

/// What BFD says. A peer without a session has no sample.
pub(super) fn bfd(page: &mut Page, peers: &[PeerMetrics]) {
    type Gauge = (&'static str, &'static str, fn(&BfdView) -> f64);
    let gauges: [Gauge; 4] = [
        ("vpngw_bfd_up", "1 while the BFD session is up.", |bfd| flag(bfd.state == "Up")),
        ("vpngw_bfd_path_lost", "1 while BFD says that the path is lost.", |bfd| {
            flag(bfd.path == PathState::Lost)
        }),
        ("vpngw_bfd_detection_seconds", "Silence after which the path is lost.", |bfd| {
            bfd.detection_time_us as f64 / 1e6
        }),
        ("vpngw_bfd_recent_losses", "How often the path was lost of late.", |bfd| {
            f64::from(bfd.losses)
        }),
    ];
    for (name, help, of) in gauges {
        page.metric(name, "gauge", help);
        for peer in peers {
            if let Some(bfd) = &peer.summary.bfd {
                page.sample(name, &[peer_label(peer), vpc_label(peer)], of(bfd));
            }
        }
    }
}

/// Whether hosts behind peers answer. A peer without `probe` has no sample.
pub(super) fn beyond(page: &mut Page, peers: &[PeerMetrics]) {
    let name = "vpngw_peer_probe_answers";
    page.metric(name, "gauge", "1 while the host behind the peer answers, 0 while it does not.");
    for peer in peers {
        let state = peer.summary.probe.as_ref().map(|probe| probe.state);
        let answers = match state {
            None | Some(ProbeState::Unknown) => continue,
            Some(state) => state != ProbeState::Silent,
        };
        page.sample(name, &[peer_label(peer), vpc_label(peer)], flag(answers));
    }
    measures(page, peers);
}

/// What the last questions to these hosts have shown; there is no sample before there are enough.
fn measures(page: &mut Page, peers: &[PeerMetrics]) {
    type Gauge = (&'static str, &'static str, fn(&ProbeView) -> Option<f64>);
    let gauges: [Gauge; 4] = [
        (
            "vpngw_peer_probe_poor",
            "1 while the way there is poorer than `probe` allows.",
            |probe| Some(flag(probe.state == ProbeState::Poor)),
        ),
        ("vpngw_peer_probe_rtt_seconds", "Mean round trip of the last ten answers.", |probe| {
            seconds(probe.mean_rtt_us)
        }),
        ("vpngw_peer_probe_jitter_seconds", "Mean difference between them.", |probe| {
            seconds(probe.jitter_us)
        }),
        ("vpngw_peer_probe_loss_ratio", "Part of the last questions without an answer.", |probe| {
            (probe.asked > 0).then(|| f64::from(probe.lost) / f64::from(probe.asked))
        }),
    ];
    for (name, help, of) in gauges {
        page.metric(name, "gauge", help);
        for peer in peers {
            if let Some(value) = peer.summary.probe.as_ref().and_then(of) {
                page.sample(name, &[peer_label(peer), vpc_label(peer)], value);
            }
        }
    }
}

/// How peers fare at each of their addresses, where they have several.
pub(super) fn places(page: &mut Page, peers: &[PeerMetrics]) {
    type Gauge = (&'static str, &'static str, fn(&PlaceView) -> Option<f64>);
    let gauges: [Gauge; 4] = [
        (
            "vpngw_peer_place_in_use",
            "1 for the address of the peer at which the tunnel is.",
            |place| Some(flag(place.in_use)),
        ),
        ("vpngw_peer_place_rtt_seconds", "Mean round trip of the last ten answers.", |place| {
            seconds(place.mean_rtt_us)
        }),
        ("vpngw_peer_place_jitter_seconds", "Mean difference between them.", |place| {
            seconds(place.jitter_us)
        }),
        ("vpngw_peer_place_loss_ratio", "Part of the last questions without an answer.", |place| {
            (place.asked > 0).then(|| f64::from(place.lost) / f64::from(place.asked))
        }),
    ];
    for (name, help, of) in gauges {
        page.metric(name, "gauge", help);
        for (peer, place) in
            peers.iter().flat_map(|peer| peer.places.iter().map(move |one| (peer, one)))
        {
            let Some(value) = of(place) else { continue };
            let address = place.address.to_string();
            page.sample(name, &[peer_label(peer), vpc_label(peer), ("address", &address)], value);
        }
    }
}

fn seconds(micros: Option<u64>) -> Option<f64> {
    micros.map(|micros| micros as f64 / 1e6)
}

//! Both ends initiating, restarts, silence, deletion, replays and the like.

use super::net::*;
use crate::ike::*;
use crate::wire::ike::ExchangeType;

fn configs() -> [ConnectionConfig; 2] {
    config_pair((psk("a secret"), psk("a secret")))
}

fn both_initiate() -> [ConnectionConfig; 2] {
    configs().map(|config| ConnectionConfig { initiate: true, ..config })
}

fn tunnel(seed: u64) -> Net {
    let mut net = Net::new(seed, configs());
    net.run(secs(1));
    net.assert_one_tunnel();
    net
}

#[test]
fn both_ends_initiate_at_once_and_one_tunnel_remains() {
    for seed in 0..40 {
        let mut net = Net::new(700 + seed, both_initiate());
        net.run(ms(500));
        net.assert_one_tunnel();
        net.run(secs(30));
        net.assert_one_tunnel();
        for end in &net.ends {
            assert_eq!(end.count(|event| matches!(event, Event::Down { .. })), 0);
        }
    }
}

/// Which of the first datagrams of each side are late, and by how much.
#[test]
fn every_order_of_the_first_datagrams_leaves_one_tunnel() {
    for late in 0u32..256 {
        let mut net = Net::new(800, both_initiate());
        let mut seen = 0;
        net.filter = Some(Box::new(move |_, _| {
            let drop = seen < 8 && late & (1 << seen) != 0;
            seen += 1;
            !drop
        }));
        net.run(secs(12));
        net.assert_one_tunnel();
    }
}

#[test]
fn both_ends_initiate_at_once_under_loss_and_reordering() {
    for seed in 0..60 {
        let mut net = Net::new(900 + seed, both_initiate());
        net.faults = Faults { loss_percent: 30, duplicate_percent: 20, jitter: ms(100) };
        net.run(secs(6));
        net.faults = Faults::default();
        net.run(secs(40));
        net.assert_one_tunnel();
    }
}

#[test]
fn a_peer_that_restarts_and_initiates_replaces_its_old_ike_sa() {
    let mut net = Net::new(41, both_initiate());
    net.run(secs(2));
    let [_, east] = both_initiate();
    net.crash(EAST, east);
    net.run(ms(300));
    net.assert_one_tunnel();
    let restarted =
        |event: &Event| matches!(event, Event::ChildDown { reason: DownReason::PeerRestarted, .. });
    assert_eq!(net.ends[WEST].count(restarted), 1);
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::Down { .. })), 0);
}

#[test]
fn a_peer_that_restarts_and_only_answers_is_found_again_fast() {
    let mut net = tunnel(42);
    let [_, east] = configs();
    net.crash(EAST, east);
    net.run(secs(6));
    net.assert_one_tunnel();
}

#[test]
fn silence_is_noticed_and_its_end_too() {
    let mut net = tunnel(43);
    net.filter = Some(Box::new(|_, _| false));
    net.run(ms(2700));
    let unreachable = |event: &Event| matches!(event, Event::Unreachable { .. });
    assert_eq!(net.ends[WEST].count(unreachable), 1);
    assert_eq!(net.ends[EAST].count(unreachable), 1);
    assert_eq!(net.ends[WEST].children(), 1, "the SA stays");
    net.filter = None;
    net.run(secs(3));
    for end in [WEST, EAST] {
        assert_eq!(net.ends[end].count(|event| matches!(event, Event::Alive { .. })), 1);
    }
    net.run(secs(20));
    net.assert_one_tunnel();
}

#[test]
fn incoming_traffic_buys_time_but_not_for_ever() {
    let mut net = tunnel(44);
    let unreachable = |event: &Event| matches!(event, Event::Unreachable { .. });
    net.filter = Some(Box::new(|_, _| false));
    for _ in 0..25 {
        net.ping(EAST);
        net.run(ms(100));
    }
    assert_eq!(net.ends[WEST].count(unreachable), 0);
    for _ in 0..20 {
        net.ping(EAST);
        net.run(ms(100));
    }
    assert_eq!(net.ends[WEST].count(unreachable), 1);
}

#[test]
fn long_silence_ends_the_ike_sa() {
    let mut net = tunnel(45);
    net.filter = Some(Box::new(|_, _| false));
    net.run(secs(33));
    for end in [WEST, EAST] {
        let down = |event: &Event| matches!(event, Event::Down { reason: DownReason::Silent(_) });
        assert_eq!(net.ends[end].count(down), 1);
        assert_eq!(net.ends[end].children(), 0);
    }
    net.filter = None;
    net.run(secs(20));
    net.assert_one_tunnel();
}

#[test]
fn round_trip_times_are_measured() {
    let mut net = tunnel(46);
    net.run(secs(3));
    assert_eq!(net.ends[WEST].ike_sas()[0].round_trip, Some(ms(40)));
}

#[test]
fn deletion_on_request_reaches_the_peer() {
    let mut net = tunnel(47);
    net.at(WEST, |endpoint, at| endpoint.terminate(CONNECTION, at));
    let requested = |event: &Event| matches!(event, Event::Down { reason: DownReason::Requested });
    assert_eq!(net.ends[WEST].count(requested), 1, "at once");
    assert_eq!(net.ends[WEST].children(), 0);
    net.run(ms(100));
    let by_peer =
        |event: &Event| matches!(event, Event::Down { reason: DownReason::DeletedByPeer });
    assert_eq!(net.ends[EAST].count(by_peer), 1);
    assert!(net.ends[WEST].endpoint.is_idle() && net.ends[EAST].endpoint.is_idle());
    net.run(secs(60));
    assert_eq!(net.ends[WEST].state(), ConnectionState::Idle);
    net.at(WEST, |endpoint, at| endpoint.initiate(CONNECTION, at));
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn a_lost_answer_to_the_deletion_is_given_again() {
    let mut net = tunnel(48);
    let mut lost = false;
    net.filter = Some(Box::new(move |datagram, _| {
        let header = datagram.header();
        let first = !lost && header.flags.response;
        lost |= first;
        !first
    }));
    net.at(WEST, |endpoint, at| endpoint.terminate(CONNECTION, at));
    net.run(secs(1));
    assert!(net.ends[WEST].endpoint.is_idle());
}

#[test]
fn a_connection_kept_up_comes_back_after_the_peer_deletes_it() {
    let mut net = tunnel(49);
    net.at(EAST, |endpoint, at| endpoint.terminate(CONNECTION, at));
    net.run(secs(3));
    net.assert_one_tunnel();
}

#[test]
fn changed_timers_leave_the_tunnel_alone_and_other_changes_renew_it() {
    let mut net = tunnel(50);
    let [west, _] = configs();
    let (id, timers) = (
        net.ends[WEST].ike_sas()[0].id,
        LivenessConfig { interval: secs(3), ..LivenessConfig::default() },
    );
    let changed = ConnectionConfig { liveness: timers, ..west.clone() };
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, changed, at));
    net.run(secs(5));
    assert_eq!(net.ends[WEST].ike_sas()[0].id, id);
    let mut changed = west;
    slot(&mut changed).remote_ts = selectors(&["10.2.3.0/24"]);
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, changed, at));
    net.run(secs(2));
    net.assert_one_tunnel();
    let ike_sas = net.ends[WEST].ike_sas();
    assert_eq!(ike_sas[0].id, id, "other traffic takes another Child SA only");
    assert_eq!(ike_sas[0].children[0].remote_ts, selectors(&["10.2.3.0/24"]));
}

#[test]
fn timers_changed_during_the_handshake_count() {
    let mut net = Net::new(54, configs());
    let [west, _] = configs();
    let mut changed = west;
    slot(&mut changed).lifetime = Lifetime { soft: secs(5), jitter: secs(0), hard: secs(9) };
    net.at(WEST, |endpoint, at| {
        endpoint.update_connection(CONNECTION, changed, at);
    });
    net.run(secs(1));
    net.at(WEST, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
    net.run(secs(7));
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::ChildUp(_))), 3);
    net.assert_one_tunnel();
}

#[test]
fn a_tunnel_that_was_taken_down_and_came_back_is_rekeyed_by_either_side() {
    for (down, rekeys) in [(WEST, WEST), (WEST, EAST), (EAST, WEST), (EAST, EAST)] {
        let mut net = Net::new(55, both_initiate());
        net.run(secs(2));
        net.at(down, |endpoint, at| endpoint.terminate(CONNECTION, at));
        net.run(secs(3));
        net.at(down, |endpoint, at| endpoint.initiate(CONNECTION, at));
        net.run(secs(3));
        net.assert_one_tunnel();
        let before = net.ends[rekeys].ike_sas()[0].id;
        net.at(rekeys, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        net.run(ms(300));
        assert_ne!(net.ends[rekeys].ike_sas()[0].id, before);
        net.assert_one_tunnel();
    }
}

#[test]
fn a_repeated_request_is_answered_with_the_same_octets_and_processed_once() {
    let mut net = tunnel(51);
    net.log.clear();
    net.at(WEST, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
    net.run(ms(25));
    let request = net.log.iter().find(|one| !one.header().flags.response).expect("sent").clone();
    let first = net.log.iter().find(|one| one.header().flags.response).expect("answered").clone();
    let children = net.ends[EAST].children();
    net.log.clear();
    for _ in 0..3 {
        net.deliver(request.clone());
    }
    assert_eq!(net.ends[EAST].children(), children);
    assert_eq!(net.log.len(), 3);
    assert!(net.log.iter().all(|again| again.bytes == first.bytes));
}

#[test]
fn a_replayed_old_request_is_dropped() {
    let mut net = tunnel(52);
    net.run(secs(5));
    let probes = net.log.clone();
    net.run(ms(100));
    let before = net.ends[EAST].endpoint.stats().discarded(Discard::OutsideWindow);
    let old: Vec<Datagram> = probes
        .into_iter()
        .filter(|one| one.header().exchange_type == ExchangeType::INFORMATIONAL)
        .filter(|one| !one.header().flags.response && one.from.ip().to_string() == "192.0.2.1")
        .take(3)
        .collect();
    for datagram in &old {
        net.deliver(datagram.clone());
    }
    let dropped = net.ends[EAST].endpoint.stats().discarded(Discard::OutsideWindow) - before;
    assert_eq!(dropped, old.len() as u64);
    net.assert_one_tunnel();
}

//! New keys for Child SAs and IKE SAs, by either side and by both at once.

use super::net::*;
use crate::ike::*;
use crate::wire::ike::ExchangeType;

fn tunnel(seed: u64) -> Net {
    let mut net = Net::new(seed, config_pair((psk("a secret"), psk("a secret"))));
    net.run(secs(1));
    net.assert_one_tunnel();
    net
}

fn rekey_child(net: &mut Net, end: usize) {
    net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
}

fn rekey_ike(net: &mut Net, end: usize) {
    net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
}

/// Lets time pass while both ends send all the time; every packet must be opened.
fn run_under_traffic(net: &mut Net, steps: usize) {
    for step in 0..steps {
        assert!(net.ping(WEST), "a packet of West is lost at step {step}");
        assert!(net.ping(EAST), "a packet of East is lost at step {step}");
        net.run(ms(1));
    }
}

#[test]
fn a_child_sa_is_rekeyed_by_either_side_without_a_gap() {
    for end in [WEST, EAST] {
        let mut net = tunnel(31);
        let before = net.ends[end].ike_sas()[0].children[0].inbound;
        rekey_child(&mut net, end);
        run_under_traffic(&mut net, 2000);
        net.assert_one_tunnel();
        assert_ne!(net.ends[end].ike_sas()[0].children[0].inbound, before);
    }
}

#[test]
fn the_responder_of_a_rekey_waits_before_it_sends_on_the_new_sa() {
    let off = |config| ConnectionConfig { post_quantum: PostQuantum::Off, ..config };
    let mut net = Net::new(32, config_pair((psk("a secret"), psk("a secret"))).map(off));
    net.run(secs(1));
    let old = net.ends[EAST].sending;
    // The response to the rekey is lost.
    net.filter = Some(Box::new(|datagram, _| !datagram.header().flags.response));
    rekey_child(&mut net, WEST);
    net.run(ms(200));
    assert_eq!(net.ends[EAST].children(), 2);
    assert_eq!(net.ends[EAST].sending, old);
    net.filter = None;
    net.run(secs(1));
    net.assert_one_tunnel();
    assert_ne!(net.ends[EAST].sending, old);
}

#[test]
fn first_traffic_on_the_new_sa_moves_the_responder_over() {
    let mut net = tunnel(33);
    let old = net.ends[EAST].sending;
    // The Delete of the old SA is lost for a while.
    net.filter = Some(Box::new(|datagram, _| {
        datagram.header().exchange_type != ExchangeType::INFORMATIONAL
    }));
    rekey_child(&mut net, WEST);
    net.run(ms(100));
    assert_eq!(net.ends[EAST].sending, old);
    assert!(net.ping(WEST));
    assert_ne!(net.ends[EAST].sending, old);
}

#[test]
fn both_sides_rekey_the_same_child_sa_at_once() {
    for seed in 0..20 {
        let mut net = tunnel(200 + seed);
        rekey_child(&mut net, WEST);
        rekey_child(&mut net, EAST);
        run_under_traffic(&mut net, 1500);
        net.run(secs(20));
        net.assert_one_tunnel();
    }
}

#[test]
fn both_sides_rekey_the_same_child_sa_under_loss() {
    for seed in 0..60 {
        let mut net = tunnel(300 + seed);
        net.faults = Faults { loss_percent: 30, duplicate_percent: 10, jitter: ms(60) };
        rekey_child(&mut net, WEST);
        net.run(ms(seed * 3));
        rekey_child(&mut net, EAST);
        net.run(secs(5));
        net.faults = Faults::default();
        net.run(secs(30));
        net.assert_one_tunnel();
    }
}

#[test]
fn an_ike_sa_is_rekeyed_by_either_side_and_its_child_sa_moves_over() {
    for end in [WEST, EAST] {
        let mut net = tunnel(34);
        let (before, child) = (net.ends[end].ike_sas()[0].id, net.ends[end].sending);
        rekey_ike(&mut net, end);
        run_under_traffic(&mut net, 1000);
        net.assert_one_tunnel();
        assert_ne!(net.ends[end].ike_sas()[0].id, before);
        assert_eq!(net.ends[end].sending, child);
        assert_eq!(net.ends[end].count(|event| matches!(event, Event::IkeRekeyed { .. })), 1);
        assert_eq!(net.ends[end].count(|event| matches!(event, Event::Down { .. })), 0);
        rekey_child(&mut net, WEST);
        run_under_traffic(&mut net, 1000);
        net.assert_one_tunnel();
    }
}

#[test]
fn both_sides_rekey_the_ike_sa_at_once() {
    for seed in 0..20 {
        let mut net = tunnel(400 + seed);
        rekey_ike(&mut net, WEST);
        rekey_ike(&mut net, EAST);
        run_under_traffic(&mut net, 1500);
        net.assert_one_tunnel();
        for end in [WEST, EAST] {
            assert_eq!(net.ends[end].count(|event| matches!(event, Event::IkeRekeyed { .. })), 1);
            assert_eq!(net.ends[end].count(|event| matches!(event, Event::ChildDown { .. })), 0);
        }
    }
}

#[test]
fn both_sides_rekey_the_ike_sa_under_loss() {
    for seed in 0..60 {
        let mut net = tunnel(500 + seed);
        net.faults = Faults { loss_percent: 30, duplicate_percent: 10, jitter: ms(60) };
        rekey_ike(&mut net, WEST);
        net.run(ms(seed * 3));
        rekey_ike(&mut net, EAST);
        net.run(secs(5));
        net.faults = Faults::default();
        net.run(secs(40));
        net.assert_one_tunnel();
    }
}

#[test]
fn ike_and_child_rekeys_that_cross_both_happen_in_the_end() {
    for seed in 0..20 {
        let mut net = tunnel(600 + seed);
        let (ike, child) = (net.ends[WEST].ike_sas()[0].id, net.ends[WEST].sending);
        rekey_ike(&mut net, WEST);
        rekey_child(&mut net, EAST);
        run_under_traffic(&mut net, 4000);
        net.assert_one_tunnel();
        assert_ne!(net.ends[WEST].ike_sas()[0].id, ike);
        assert_ne!(net.ends[WEST].sending, child);
    }
}

#[test]
fn lifetimes_rekey_by_themselves() {
    let mut configs = config_pair((psk("a secret"), psk("a secret")));
    for config in &mut configs {
        slot(config).lifetime = Lifetime { soft: secs(20), jitter: secs(4), hard: secs(30) };
        config.ike_lifetime = Lifetime { soft: secs(45), jitter: secs(9), hard: secs(60) };
    }
    let mut net = Net::new(35, configs);
    net.run(secs(1));
    for _ in 0..3000 {
        assert!(net.ping(WEST) && net.ping(EAST), "a packet is lost at {}", net.now);
        net.run(ms(100));
    }
    net.assert_one_tunnel();
    assert!(net.ends[WEST].count(|event| matches!(event, Event::ChildUp(_))) > 10);
    assert!(net.ends[WEST].count(|event| matches!(event, Event::IkeRekeyed { .. })) > 4);
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::Down { .. })), 0);
}

#[test]
fn child_sas_are_rekeyed_with_the_group_of_the_ike_sa() {
    for (prf, group) in [("sha256", "ecp256"), ("sha384", "ecp384"), ("sha384", "curve25519")] {
        for end in [WEST, EAST] {
            let mut configs = config_pair((psk("a secret"), psk("a secret")));
            let ike = format!("aes256gcm16-prf{prf}-{group}").parse().expect("a suite");
            configs[end].ike_suites = vec![ike];
            let mut net = Net::new(38, configs);
            net.run(secs(1));
            rekey_child(&mut net, end);
            run_under_traffic(&mut net, 500);
            net.assert_one_tunnel();
            let suite = net.ends[end].ike_sas()[0].children[0].suite;
            assert_eq!(suite.to_string(), format!("aes256gcm16-{group}-esn"));
            let asked = |datagram: &&Datagram| {
                let header = datagram.header();
                header.exchange_type == ExchangeType::CREATE_CHILD_SA && !header.flags.response
            };
            let asked = net.log.iter().filter(asked).map(|datagram| datagram.header().message_id);
            let asked: std::collections::BTreeSet<_> = asked.collect();
            assert_eq!(asked.len(), 1, "no INVALID_KE_PAYLOAD");
        }
    }
}

#[test]
fn a_soft_limit_of_the_data_plane_rekeys() {
    let mut net = tunnel(36);
    let old = net.ends[EAST].sending.expect("a Child SA");
    net.at(EAST, |endpoint, at| endpoint.on_soft_limit(old, at));
    run_under_traffic(&mut net, 500);
    net.assert_one_tunnel();
    assert_ne!(net.ends[EAST].sending, Some(old));
}

#[test]
fn hard_lifetime_ends_keys_that_could_not_be_replaced() {
    let mut configs = config_pair((psk("a secret"), psk("a secret")));
    slot(&mut configs[WEST]).lifetime =
        Lifetime { soft: secs(10), jitter: secs(1), hard: secs(15) };
    let mut net = Net::new(37, configs);
    net.run(secs(1));
    let old = net.ends[WEST].sending;
    net.filter = Some(Box::new(|datagram, _| {
        let blocked = [ExchangeType::CREATE_CHILD_SA, ExchangeType::IKE_SA_INIT];
        !blocked.contains(&datagram.header().exchange_type)
    }));
    net.run(secs(13));
    assert_eq!(net.ends[WEST].sending, old);
    net.run(secs(3));
    assert_eq!(net.ends[WEST].sending, None, "expired keys are in use");
    net.filter = None;
    net.run(secs(5));
    net.assert_one_tunnel();
}

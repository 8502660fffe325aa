//! How often a peer is asked again that lets us in, and then is of no use, or puts us off.

use super::net::*;
use crate::ike::*;
use crate::wire::ike::ExchangeType;

fn configs() -> [ConnectionConfig; 2] {
    config_pair((psk("a secret"), psk("a secret")))
}

/// How many requests of this kind an end has sent, repetitions not counted.
fn asked(net: &Net, end: usize, exchange: ExchangeType) -> usize {
    let from = configs()[end].local;
    let headers = net.log.iter().filter(|one| one.from.ip() == from).map(Datagram::header);
    let requests = headers.filter(|one| one.exchange_type == exchange && !one.flags.response);
    let requests = requests.map(|one| (one.initiator_spi.0, one.message_id.0));
    requests.collect::<std::collections::BTreeSet<_>>().len()
}

/// East deletes every IKE SA as soon as it is up.
fn run_with_a_peer_that_deletes(net: &mut Net, time: std::time::Duration) {
    let end = net.now + time;
    while net.now < end {
        if net.ends[EAST].state() == ConnectionState::Up {
            net.at(EAST, |endpoint, at| endpoint.terminate(CONNECTION, at));
        }
        net.run(ms(10));
    }
}

#[test]
fn a_peer_that_deletes_what_it_has_just_made_is_asked_ever_more_seldom() {
    let mut net = Net::new(1, configs());
    run_with_a_peer_that_deletes(&mut net, secs(120));
    let attempts = asked(&net, WEST, ExchangeType::IKE_SA_INIT);
    assert!((5..=14).contains(&attempts), "{attempts} attempts");
}

#[test]
fn a_peer_that_has_been_of_use_is_asked_again_at_once() {
    for carries in [true, false] {
        let mut net = Net::new(2, configs());
        run_with_a_peer_that_deletes(&mut net, secs(60));
        net.run_until(secs(60), |net| net.ends[WEST].state() == ConnectionState::Up);
        match carries {
            true => assert!(net.ping(EAST)),
            false => net.run(secs(31)),
        }
        net.at(EAST, |endpoint, at| endpoint.terminate(CONNECTION, at));
        net.run(secs(1));
        net.assert_one_tunnel();
    }
}

#[test]
fn a_peer_that_refuses_all_child_sas_is_asked_ever_more_seldom() {
    let [mut west, mut east] = configs();
    let pair = |there: &str| Pair {
        local: selectors(&["10.1.0.0/16"])[0],
        remote: selectors(&[there])[0],
    };
    *slot(&mut west) = SlotConfig {
        pairs: vec![pair("10.2.0.0/24"), pair("10.2.1.0/24")],
        ..SlotConfig::new(selectors(&["10.1.0.0/16"]), selectors(&["10.2.0.0/24", "10.2.1.0/24"]))
    };
    *slot(&mut east) = SlotConfig::new(selectors(&["10.9.0.0/16"]), selectors(&["10.1.0.0/16"]));
    let mut net = Net::new(3, [west, east]);
    net.run(secs(120));
    let attempts = asked(&net, WEST, ExchangeType::IKE_SA_INIT);
    assert!((5..=14).contains(&attempts), "{attempts} attempts");
}

#[test]
fn a_child_sa_that_the_peer_deletes_at_once_is_made_again_ever_more_seldom() {
    let mut net = Net::new(4, configs());
    net.run(secs(1));
    let end = net.now + secs(120);
    let mut deleted = None;
    while net.now < end {
        let newest = net.ends[EAST].sending.filter(|newest| deleted != Some(*newest));
        if let Some(newest) = newest {
            deleted = Some(newest);
            net.at(EAST, |endpoint, at| endpoint.delete_child(newest, at));
        }
        net.run(ms(10));
    }
    let attempts = asked(&net, WEST, ExchangeType::CREATE_CHILD_SA);
    assert!((5..=14).contains(&attempts), "{attempts} attempts");
}

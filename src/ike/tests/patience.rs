//! How often a peer is asked again that lets us in, and then is of no use, or puts us off.

use super::net::*;
use super::raw_peer::RawPeer;
use crate::ike::payloads::notify;
use crate::ike::*;
use crate::moment::Moment;
use crate::wire::ike::{ExchangeType, Header, NotifyType, Payload, ProtocolId};

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

/// A peer that answers all probes and puts off all new keys, and an endpoint whose Child SA lives for
/// a minute.
fn with_a_peer_that_puts_us_off(initiate: bool) -> RawPeer {
    let mut peer = RawPeer::connect();
    let [_, mut east] = config_pair((psk("shared"), psk("shared")));
    slot(&mut east).lifetime = Lifetime { soft: secs(50), jitter: secs(2), hard: secs(60) };
    east.initiate = initiate;
    let at = &mut Moment::simulated(peer.now, &mut peer.random);
    peer.endpoint.update_connection(CONNECTION, east, at);
    peer
}

/// Puts off all new keys until the endpoint sends something else; how often it was asked for them.
fn put_off_until_it_gives_up(peer: &mut RawPeer) -> usize {
    let mut asked = 0;
    loop {
        let request = peer.await_request();
        let of_this = |header: &Header| header.initiator_spi == peer.spis.initiator;
        let Some(header) = Header::decode(&request).ok().filter(of_this) else { return asked };
        let opened = peer.keys.open.open(&request).expect("an authentic request");
        let answer = match opened.payloads().expect("a well-formed request") {
            [Payload::Delete(delete), ..] if delete.protocol == ProtocolId::IKE => return asked,
            [] | [Payload::Delete(_), ..] => Vec::new(),
            _ => vec![notify(NotifyType::TEMPORARY_FAILURE, [])],
        };
        asked += usize::from(header.exchange_type == ExchangeType::CREATE_CHILD_SA);
        let header = peer.header(header.exchange_type, true, header.message_id.0);
        let answer = peer.keys.seal.seal(&header, &answer);
        peer.deliver(&answer);
    }
}

#[test]
fn a_peer_that_puts_off_new_keys_is_asked_for_a_new_ike_sa_while_the_old_ones_last() {
    let mut peer = with_a_peer_that_puts_us_off(true);
    peer.endpoint.rekey_child(CONNECTION, SLOT, &mut Moment::simulated(peer.now, &mut peer.random));
    peer.drain();
    let begun = peer.now;
    let asked = put_off_until_it_gives_up(&mut peer);
    assert!((3..60).contains(&asked), "asked {asked} times");
    let waited = peer.now.since(begun);
    assert!((secs(180)..secs(200)).contains(&waited), "after {waited:?}");
    assert_eq!((peer.is_up(), peer.children()), (true, 1), "make before break");
    let told = |event: &Event| match event {
        Event::Failed { slot, reason, .. } => {
            slot.is_some() && reason.to_string().contains("TEMPORARY_FAILURE")
        }
        _ => false,
    };
    assert_eq!(peer.events.iter().filter(|event| told(event)).count(), 1);
}

#[test]
fn an_ike_sa_of_which_nothing_is_left_but_promises_is_closed() {
    let mut peer = with_a_peer_that_puts_us_off(false);
    let asked = put_off_until_it_gives_up(&mut peer);
    assert!((3..500).contains(&asked), "asked {asked} times");
    assert_eq!((peer.is_up(), peer.children()), (false, 0));
}

#[test]
fn a_peer_that_puts_off_the_successor_of_an_ike_sa_is_asked_for_a_new_one() {
    let mut peer = with_a_peer_that_puts_us_off(true);
    peer.endpoint.rekey_ike(CONNECTION, &mut Moment::simulated(peer.now, &mut peer.random));
    peer.drain();
    let begun = peer.now;
    let asked = put_off_until_it_gives_up(&mut peer);
    assert!((3..60).contains(&asked), "asked {asked} times");
    assert!(peer.now.since(begun) <= secs(200));
    assert_eq!((peer.is_up(), peer.children()), (true, 1), "make before break");
}

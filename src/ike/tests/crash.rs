//! Quick crash detection (RFC 6290): what a restart has taken is given up at once, and nothing else is.

use super::net::*;
use super::raw_peer::RawPeer;
use crate::crypto::secret::Secret;
use crate::ike::*;
use crate::wire::ike::*;

fn settings() -> EndpointConfig {
    let crash_secret = Some(Secret::copy_of(&[9; 32]));
    EndpointConfig { crash_secret, ..EndpointConfig::default() }
}

fn configs() -> [ConnectionConfig; 2] {
    config_pair((psk("a secret"), psk("a secret")))
}

/// A tunnel that has carried something.
fn tunnel(configs: [ConnectionConfig; 2]) -> Net {
    let mut net = Net::with_settings(7, configs, settings());
    net.run(secs(1));
    net.assert_one_tunnel();
    net
}

fn restarted(event: &Event) -> bool {
    matches!(event, Event::Down { reason: DownReason::PeerRestarted })
}

/// The next probe is answered with the token, and the handshake follows at once: with 40 ms for a
/// round trip, three of them after a second at most.
#[test]
fn a_peer_that_restarts_and_only_answers_is_found_again_within_a_round_trip_of_the_next_request() {
    for end in [WEST, EAST] {
        let pair = configs();
        let mut net = tunnel(pair.map(|config| ConnectionConfig {
            initiate: config.initiate == (end == EAST),
            ..config
        }));
        let [west, east] = configs();
        let only_answers = if end == EAST { east } else { west };
        let only_answers = ConnectionConfig { initiate: false, ..only_answers };
        net.crash_with(end, only_answers, settings());
        net.run(ms(1000 + 3 * 40 + 10));
        net.assert_one_tunnel();
        assert_eq!(net.ends[1 - end].count(restarted), 1);
    }
}

#[test]
fn after_every_rekeying_of_the_ike_sa_both_sides_have_new_tokens() {
    for rekeys in [WEST, EAST] {
        for lost in [WEST, EAST] {
            let pair = configs().map(|config| ConnectionConfig { initiate: true, ..config });
            let mut net = tunnel(pair.clone());
            net.at(rekeys, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
            net.run(ms(500));
            net.assert_one_tunnel();
            let [west, east] = pair;
            let config = if lost == WEST { west } else { east };
            let config = ConnectionConfig { initiate: false, ..config };
            net.crash_with(lost, config, settings());
            net.run(ms(1150));
            net.assert_one_tunnel();
            assert_eq!(net.ends[1 - lost].count(restarted), 1, "{rekeys} {lost}");
        }
    }
}

/// "Replacing the tokens SHOULD be piggybacked on the INFORMATIONAL exchange with the
/// UPDATE_SA_ADDRESSES notifications" (RFC 6290 §5.2).
#[test]
fn a_side_that_has_moved_has_a_token_for_where_it_is_now() {
    let (first, second) = (configs()[WEST].local, "192.0.2.2".parse().expect("an address"));
    let [west, east] = configs().map(|config| ConnectionConfig { anywhere: true, ..config });
    let east = ConnectionConfig { remote: RemoteAddress::Any, ..east };
    let mut net = tunnel([west.clone(), east]);
    net.aliases.insert(second, WEST);
    net.unreachable.insert(first);
    let elsewhere = ConnectionConfig { local: second, ..west };
    net.at(WEST, |endpoint, at| {
        endpoint.update_connection(CONNECTION, elsewhere.clone(), at);
        endpoint.on_addresses_gone(&[first].into(), at);
    });
    net.run(ms(500));
    net.assert_one_tunnel();
    let only_answers = ConnectionConfig { initiate: false, ..elsewhere };
    net.crash_with(WEST, only_answers, settings());
    net.run(ms(1200));
    assert_eq!(net.ends[EAST].count(restarted), 1);
}

#[test]
fn tokens_go_along_with_post_quantum_rekeyings_and_hand_overs() {
    let pair = configs().map(|config| ConnectionConfig {
        post_quantum: PostQuantum::Require,
        initiate: true,
        ..config
    });
    let mut net = tunnel(pair.clone());
    net.at(WEST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
    net.run(secs(1));
    net.assert_one_tunnel();
    let [west, east] = pair;
    net.at(WEST, |endpoint, at| {
        let old = std::mem::replace(endpoint, Endpoint::new(settings(), at));
        let octets = old.export(at).expect("nothing waits");
        let connections = [(CONNECTION, west)].into();
        *endpoint = Endpoint::import(&octets, settings(), connections, at).expect("whole octets");
    });
    net.crash_with(EAST, ConnectionConfig { initiate: false, ..east }, settings());
    net.run(ms(1400));
    net.assert_one_tunnel();
    assert_eq!(net.ends[WEST].count(restarted), 1);
}

#[test]
fn without_a_secret_that_outlives_the_restart_silence_has_to_tell() {
    let mut net = tunnel(configs());
    let [_, east] = configs();
    let other = EndpointConfig { crash_secret: Some(Secret::copy_of(&[1; 32])), ..settings() };
    net.crash_with(EAST, east, other);
    net.run(secs(2));
    assert_eq!(net.ends[WEST].count(restarted), 0, "it is not the token of this IKE SA");
    assert_eq!(net.ends[WEST].children(), 1);
    net.run(secs(5));
    net.assert_one_tunnel();
}

#[test]
fn crash_detection_that_is_off_neither_shows_nor_believes_tokens() {
    let off = EndpointConfig { crash_detection: false, ..settings() };
    for (of_west, of_east) in [(off.clone(), settings()), (settings(), off)] {
        let mut net = Net::with_settings(8, configs(), of_west.clone());
        net.crash_with(EAST, configs()[EAST].clone(), of_east.clone());
        net.run(secs(1));
        net.assert_one_tunnel();
        net.crash_with(EAST, configs()[EAST].clone(), of_east);
        net.run(secs(2));
        assert_eq!(net.ends[WEST].count(restarted), 0);
    }
}

/// Two gateways that lose their SAs to each other over and over connect ever more seldom.
#[test]
fn a_tunnel_that_never_served_is_not_made_anew_without_a_pause() {
    let mut net = Net::with_settings(9, configs(), settings());
    let mut handshakes = 0;
    for _ in 0..200 {
        net.run(ms(50));
        if net.ends[EAST].children() == 1 {
            handshakes += 1;
            net.crash_with(EAST, configs()[EAST].clone(), settings());
        }
    }
    assert!(handshakes < 12, "{handshakes} in ten seconds");
}

/// What an attacker who hears everything but cannot stop it may try while the IKE SA stands.
#[test]
fn nobody_gets_the_token_of_an_ike_sa_that_stands() {
    let mut net = tunnel(configs());
    let ike = net.ends[EAST].ike_sas()[0].id;
    let (east, west) = (configs()[EAST].local, configs()[WEST].local);
    let asked = |initiator: bool, swapped: bool, exchange: ExchangeType| {
        let (first, second) = (ike.remote, ike.local);
        let (first, second) = if swapped { (second, first) } else { (first, second) };
        let flags = Flags { initiator, ..Flags::default() };
        let header = Header::new(first, second, exchange, flags, MessageId(3));
        Message { header, payloads: Vec::new() }.encode()
    };
    let mut shown = Vec::new();
    for initiator in [true, false] {
        for swapped in [true, false] {
            for exchange in [ExchangeType::INFORMATIONAL, ExchangeType::CREATE_CHILD_SA] {
                let bytes = [&[0; 4], asked(initiator, swapped, exchange).as_slice()].concat();
                let [to, from] = [east, west].map(|address| (address, 4500).into());
                net.log.clear();
                net.deliver(Datagram { from, to, bytes });
                let answers =
                    net.log.iter().filter_map(|sent| Message::decode(sent.message()).ok());
                let notifies = answers.flat_map(|message| message.payloads);
                shown.extend(notifies.filter(|payload| {
                    matches!(payload, Payload::Notify(notify)
                        if notify.notify_type == NotifyType::QUICK_CRASH_DETECTION)
                }));
            }
        }
    }
    assert!(!shown.is_empty(), "some name IKE SAs that are not there");
    // Whatever was learnt is of no use.
    for token in shown {
        for initiator in [true, false] {
            let flags = Flags { initiator, response: true, version: false };
            let exchange = ExchangeType::INFORMATIONAL;
            let header = Header::new(ike.remote, ike.local, exchange, flags, MessageId(3));
            let lost = Payload::Notify(Notify::new(NotifyType::INVALID_IKE_SPI, []));
            let message = Message { header, payloads: vec![lost, token.clone()] }.encode();
            let bytes = [&[0; 4], message.as_slice()].concat();
            let [to, from] = [west, east].map(|address| (address, 4500).into());
            net.deliver(Datagram { from, to, bytes });
        }
    }
    net.assert_one_tunnel();
    assert_eq!(net.ends[WEST].count(restarted), 0);
}

#[test]
fn the_right_token_from_the_wrong_place_is_not_believed() {
    let mut peer = RawPeer::connect();
    let token = Payload::Notify(Notify::new(NotifyType::QUICK_CRASH_DETECTION, vec![3; 32]));
    // "MUST accept such gratuitous QCD_TOKEN notifications" (RFC 6290 §4.4).
    assert_eq!(
        peer.ask(ExchangeType::INFORMATIONAL, std::slice::from_ref(&token)),
        Some(Vec::new())
    );
    let header = peer.header(ExchangeType::INFORMATIONAL, true, 0);
    let lost = Payload::Notify(Notify::new(NotifyType::INVALID_IKE_SPI, []));
    let message = Message { header, payloads: vec![lost, token] }.encode();
    let marked = [&[0; 4], message.as_slice()].concat();
    let RemoteAddress::At(to) = peer.config.remote else { unreachable!("the pair has addresses") };
    let to = (to.ip(), 4500).into();
    let from = "203.0.113.9:4500".parse().unwrap();
    let mut at = crate::moment::Moment::simulated(peer.now, &mut peer.random);
    peer.endpoint.handle_datagram(to, from, &marked, &mut at);
    peer.drain();
    assert!(peer.is_up());
    assert_eq!(peer.deliver(&message), Vec::<Vec<u8>>::new(), "without a word");
    assert!(!peer.is_up());
}

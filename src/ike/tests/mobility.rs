//! Addresses of IKE SAs that change (RFC 4555): the initiator's, at its own will; the responder's, which
//! the initiator finds; and those that only somebody else would like to change.

use super::net::*;
use super::raw_peer::RawPeer;
use crate::ike::*;
use crate::wire::ike::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

const SECOND: [&str; 2] = ["192.0.2.2", "198.51.100.2"];

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Both ends may be found at any of their addresses, and West is taken from anywhere.
fn configs() -> [ConnectionConfig; 2] {
    let [west, east] = config_pair((psk("one secret for both"), psk("one secret for both")));
    let east = ConnectionConfig { remote: RemoteAddress::Any, ..east };
    [west, east].map(|config| ConnectionConfig { anywhere: true, ..config })
}

/// A tunnel, both ends of which have a second address.
fn tunnel(configs: [ConnectionConfig; 2]) -> Net {
    tunnel_with(configs, EndpointConfig::default())
}

fn tunnel_with(configs: [ConnectionConfig; 2], settings: EndpointConfig) -> Net {
    let addresses = [configs[WEST].local, configs[EAST].local];
    let configs = configs.map(|config| ConnectionConfig { initiate: false, ..config });
    let mut net = Net::with_settings(21, configs, settings);
    for end in [WEST, EAST] {
        net.aliases.insert(address(SECOND[end]), end);
        let own: BTreeSet<IpAddr> = [addresses[end], address(SECOND[end])].into();
        net.at(end, |endpoint, at| endpoint.set_addresses(own, at));
    }
    net.at(WEST, |endpoint, at| endpoint.initiate(CONNECTION, at));
    net.run(secs(1));
    net.assert_one_tunnel();
    net
}

/// West loses its first address, and is told of the second at once.
fn renumber(net: &mut Net, west: ConnectionConfig) {
    let lost = BTreeSet::from([west.local]);
    net.unreachable.insert(west.local);
    let elsewhere = ConnectionConfig { local: address(SECOND[WEST]), ..west };
    net.at(WEST, |endpoint, at| {
        endpoint.update_connection(CONNECTION, elsewhere, at);
        endpoint.on_addresses_gone(&lost, at);
    });
}

fn down(net: &Net, end: usize) -> usize {
    net.ends[end].count(|event| matches!(event, Event::Down { .. } | Event::ChildDown { .. }))
}

fn remote_of(net: &Net, end: usize) -> SocketAddr {
    net.ends[end].ike_sas()[0].remote
}

#[test]
fn an_initiator_that_loses_its_address_goes_on_from_another_in_two_round_trips() {
    let [west, east] = configs();
    let mut net = tunnel([west.clone(), east]);
    renumber(&mut net, west);
    net.run(ms(4 * 20 + 5));
    assert_eq!(remote_of(&net, EAST).ip(), address(SECOND[WEST]));
    net.assert_one_tunnel();
    for end in [WEST, EAST] {
        assert_eq!(down(&net, end), 0, "no SA is lost");
        let moved =
            |event: &Event| matches!(event, Event::Moved { ours, .. } if *ours == (end == WEST));
        assert_eq!(net.ends[end].count(moved), 1);
    }
    net.run(secs(30));
    net.assert_one_tunnel();
    for end in [WEST, EAST] {
        net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        net.run(secs(1));
        net.assert_one_tunnel();
        assert_eq!(remote_of(&net, EAST).ip(), address(SECOND[WEST]));
    }
}

#[test]
fn an_address_that_comes_only_later_is_waited_for() {
    let [west, east] = configs();
    let mut net = tunnel([west.clone(), east]);
    let lost = BTreeSet::from([west.local]);
    net.unreachable.insert(west.local);
    net.at(WEST, |endpoint, at| endpoint.on_addresses_gone(&lost, at));
    net.run(secs(1));
    let elsewhere = ConnectionConfig { local: address(SECOND[WEST]), ..west };
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, elsewhere, at));
    net.run(ms(100));
    net.assert_one_tunnel();
    assert_eq!([down(&net, WEST), down(&net, EAST)], [0, 0]);
}

#[test]
fn a_responder_that_is_lost_at_one_address_is_found_at_the_other() {
    let mut net = tunnel(configs());
    net.unreachable.insert(configs()[EAST].local);
    net.run(secs(5));
    assert_eq!(remote_of(&net, WEST).ip(), address(SECOND[EAST]));
    net.assert_one_tunnel();
    let handshakes = |event: &Event| matches!(event, Event::Established(_));
    assert_eq!(net.ends[WEST].count(handshakes), 1);
    assert_eq!([down(&net, WEST), down(&net, EAST)], [0, 0]);
}

#[test]
fn loss_and_reordering_leave_both_ends_at_the_same_addresses() {
    for seed in 0..40 {
        let [west, east] = configs();
        let mut net = tunnel([west.clone(), east]);
        net.random = crate::random::Seeded::new(seed);
        net.faults = Faults { loss_percent: 30, duplicate_percent: 20, jitter: ms(100) };
        renumber(&mut net, west);
        net.run(secs(4));
        net.faults = Faults::default();
        net.run(secs(20));
        net.assert_one_tunnel();
        let (west, east) = (net.ends[WEST].ike_sas(), net.ends[EAST].ike_sas());
        assert_eq!((west[0].local, west[0].remote), (east[0].remote, east[0].local), "{seed}");
        assert_eq!(east[0].remote.ip(), address(SECOND[WEST]));
    }
}

#[test]
fn without_mobike_at_either_end_the_connection_begins_anew() {
    for without in [WEST, EAST] {
        let mut pair = configs();
        pair[without].mobike = false;
        let west = ConnectionConfig { initiate: true, ..pair[WEST].clone() };
        let mut net = tunnel(pair);
        renumber(&mut net, west);
        net.run(secs(3));
        net.assert_one_tunnel();
        assert!(down(&net, WEST) > 0);
    }
}

/// A peer with a fixed address may be where it has said before that it may be, and nowhere else.
#[test]
fn a_peer_of_a_fixed_address_moves_only_where_it_has_said_before() {
    for announces in [true, false] {
        let [west, east] = configs();
        let remote = RemoteAddress::At(SocketAddr::new(west.local, 500));
        let west = ConnectionConfig { anywhere: true, initiate: true, ..west };
        let mut net = tunnel([west.clone(), ConnectionConfig { remote, ..east }]);
        if !announces {
            let none = BTreeSet::new();
            net.at(WEST, |endpoint, at| endpoint.set_addresses(none, at));
            net.run(secs(2));
        }
        renumber(&mut net, west);
        net.run(secs(2));
        let refused =
            |event: &Event| matches!(event, Event::Down { reason: DownReason::AddressRefused(_) });
        assert_eq!(net.ends[WEST].count(refused), usize::from(!announces));
        if announces {
            net.assert_one_tunnel();
        }
    }
}

/// What somebody who hears everything may do: send a move on from elsewhere before it arrives.
#[test]
fn a_move_that_somebody_forwards_from_elsewhere_leads_nobody_there() {
    let [west, east] = configs();
    let mut net = tunnel([west.clone(), east]);
    net.filter = Some(Box::new(|_, _| false));
    net.log.clear();
    renumber(&mut net, west);
    net.filter = None;
    let update = net.log.iter().find(|one| one.from.ip() == address(SECOND[WEST])).unwrap().clone();
    let thief: SocketAddr = "203.0.113.66:4500".parse().unwrap();
    net.deliver(Datagram { from: thief, ..update });
    net.run(secs(6));
    assert_eq!(remote_of(&net, EAST).ip(), address(SECOND[WEST]));
    net.assert_one_tunnel();
    let to_thief = net.log.iter().filter(|one| one.to == thief).count();
    assert!(to_thief <= 8, "{to_thief} datagrams");
}

/// Nobody but the initiator moves an IKE SA (RFC 4555 §3.5).
#[test]
fn a_responder_cannot_move_the_initiator() {
    let mut net = tunnel(configs());
    let before = remote_of(&net, WEST);
    net.log.clear();
    net.run(secs(3));
    let probes: Vec<Datagram> = net.log.clone();
    for probe in probes.into_iter().filter(|one| one.from.ip() == configs()[EAST].local) {
        net.deliver(Datagram { from: "203.0.113.66:4500".parse().unwrap(), ..probe });
    }
    net.run(secs(3));
    assert_eq!(remote_of(&net, WEST), before);
}

#[test]
fn a_move_through_a_nat_that_was_forbidden_is_answered_so_and_not_made() {
    let (mut peer, request) = RawPeer::mobile();
    peer.authenticate(&request);
    let say = |kind, data: &[u8]| Payload::Notify(Notify::new(kind, data));
    let update = say(NotifyType::UPDATE_SA_ADDRESSES, &[]);
    let forbidden = say(NotifyType::NO_NATS_ALLOWED, &[0; 12]);
    let answer = peer.ask(ExchangeType::INFORMATIONAL, &[update.clone(), forbidden]).unwrap();
    assert_eq!(answer, [say(NotifyType::UNEXPECTED_NAT_DETECTED, &[])]);
    let cookie = say(NotifyType::COOKIE2, &[7; 16]);
    let answer = peer.ask(ExchangeType::INFORMATIONAL, &[update, cookie.clone()]).unwrap();
    assert_eq!(answer, [cookie]);
    assert!(peer.is_up());
}

fn way(local: &str, remote: &str) -> Way {
    Way { local: address(local), remote: address(remote) }
}

/// From West's first address to East's second, and the way that the tunnel takes.
fn another_way(net: &Net) -> [Way; 2] {
    let sa = net.ends[WEST].ike_sas()[0].clone();
    let here = Way { local: sa.local.ip(), remote: sa.remote.ip() };
    [Way { remote: address(SECOND[EAST]), ..here }, here]
}

fn ask(net: &mut Net, way: Way) {
    net.at(WEST, |endpoint, at| {
        endpoint.ask_way(CONNECTION, way, at);
    });
}

fn answered(net: &Net) -> Vec<Way> {
    let way = |event: &Event| match event {
        Event::WayAnswered { way, .. } => Some(*way),
        _ => None,
    };
    net.ends[WEST].events.iter().filter_map(way).collect()
}

#[test]
fn every_way_is_asked_without_anything_waiting_for_its_answer() {
    let mut net = tunnel(configs());
    let [other, here] = another_way(&net);
    let nobody = way("192.0.2.1", "198.51.100.77");
    [other, here, nobody].into_iter().for_each(|way| ask(&mut net, way));
    net.at(WEST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
    net.run(secs(1));
    assert_eq!(answered(&net), [other, here]);
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::IkeRekeyed { .. })), 1);
    assert_eq!(remote_of(&net, WEST).ip(), here.remote, "a question moves nothing");
    assert_eq!((down(&net, WEST), down(&net, EAST)), (0, 0));
}

/// The way may have no route: that is no failure of the tunnel.
#[test]
fn a_question_is_no_message_of_the_tunnel() {
    let mut net = tunnel(configs());
    let [other, _] = another_way(&net);
    net.at(WEST, |endpoint, at| {
        assert!(endpoint.ask_way(CONNECTION, other, at));
        let question = endpoint.poll_transmit().expect("the question");
        assert_eq!(endpoint.sender_of(question.local, &question.bytes), None);
    });
}

#[test]
fn who_began_measures_and_moves_whoever_has_replaced_the_keys_since() {
    let mut net = tunnel(configs());
    net.at(EAST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
    net.run(secs(1));
    assert_eq!(net.ends[WEST].ike_sas()[0].role, Role::Responder);
    let [other, _] = another_way(&net);
    ask(&mut net, other);
    net.at(WEST, |endpoint, at| {
        endpoint.try_way(CONNECTION, other, at);
    });
    net.run(secs(1));
    assert_eq!(answered(&net), [other]);
    assert_eq!(remote_of(&net, WEST).ip(), other.remote);
    net.assert_one_tunnel();
}

#[test]
fn peers_that_measure_are_answered_whatever_strangers_are() {
    let mut net = tunnel_with(configs(), nothing_for_strangers());
    let [_, here] = another_way(&net);
    for _ in 0..200 {
        ask(&mut net, here);
        net.run(ms(60));
    }
    net.run(secs(1));
    assert_eq!(answered(&net).len(), 200);
}

/// Strangers are answered nothing.
fn nothing_for_strangers() -> EndpointConfig {
    EndpointConfig { unprotected_replies_per_second: 0, ..EndpointConfig::default() }
}

/// How many answers are sent to a question that somebody has seen, and sends again so often from there
/// as it is made by `change`.
fn answers_to(
    [west, east]: [ConnectionConfig; 2],
    times: usize,
    from: Option<&str>,
    change: impl Fn(&mut Vec<u8>),
) -> usize {
    let mut net = tunnel_with([west, east], nothing_for_strangers());
    let [_, here] = another_way(&net);
    let before = net.log.len();
    ask(&mut net, here);
    let mut question = net.log[before].clone();
    if let Some(from) = from {
        question.from.set_ip(address(from));
    }
    change(&mut question.bytes);
    net.run(secs(2));
    let is_answer = |sent: &Datagram| sent.from == question.to && sent.to == question.from;
    let before = net.log.len();
    (0..times).for_each(|_| net.deliver(question.clone()));
    net.log[before..].iter().filter(|sent| is_answer(sent)).count()
}

#[test]
fn who_sends_the_questions_of_a_peer_again_is_answered_seldom() {
    assert_eq!(answers_to(configs(), 5, None, |_| ()), 5);
    assert_eq!(answers_to(configs(), 1000, None, |_| ()), 20);
}

/// Somebody has guessed one SPI, or has the answers sent to somebody else.
#[test]
fn a_question_counts_as_the_peers_only_with_both_spis_and_from_where_the_peer_may_be() {
    let fixed = || {
        let [west, east] = configs();
        let remote = RemoteAddress::At(SocketAddr::new(west.local, 500));
        [west, ConnectionConfig { remote, ..east }]
    };
    assert_eq!(answers_to(fixed(), 1, None, |_| ()), 1);
    assert_eq!(answers_to(fixed(), 1, Some(SECOND[WEST]), |_| ()), 1, "where it has said it is");
    assert_eq!(answers_to(fixed(), 1, Some("203.0.113.66"), |_| ()), 0);
    // After the non-ESP marker, the initiator's and the responder's.
    for octet in [4, 12] {
        assert_eq!(answers_to(fixed(), 1, None, |bytes| bytes[octet] ^= 1), 0);
    }
}

#[test]
fn an_answer_that_was_not_asked_for_or_comes_another_way_shows_nothing() {
    let mut net = tunnel(configs());
    let [other, _] = another_way(&net);
    net.run(ms(10));
    let seen = net.log.len();
    ask(&mut net, other);
    net.run(secs(1));
    assert_eq!(answered(&net).len(), 1);
    let answer = |net: &Net, since: usize| {
        let answer = net.log[since..].iter().find(|sent| sent.from.ip() == other.remote);
        answer.expect("the answer").clone()
    };
    let first = answer(&net, seen);
    net.deliver(first);
    assert_eq!(answered(&net).len(), 1);
    let seen = net.log.len();
    // The answer to the second question is held back.
    net.filter = Some(Box::new(move |sent, _| sent.from.ip() != other.remote));
    ask(&mut net, other);
    net.run(secs(1));
    let second = answer(&net, seen);
    let mut forged = second.clone();
    forged.from.set_ip(address("198.51.100.66"));
    net.deliver(forged);
    assert_eq!(answered(&net).len(), 1);
    net.deliver(second);
    assert_eq!(answered(&net).len(), 2);
}

#[test]
fn the_initiator_goes_to_another_way_once_the_peer_has_answered_there() {
    let mut net = tunnel(configs());
    let [other, here] = another_way(&net);
    for way in [other, here] {
        net.at(WEST, |endpoint, at| {
            assert_eq!(endpoint.try_way(CONNECTION, way, at), Trial::Asked);
        });
        net.run(ms(500));
        assert_eq!(remote_of(&net, WEST).ip(), way.remote);
        assert_eq!(net.ends[EAST].ike_sas()[0].local.ip(), way.remote);
        assert!(net.ping(WEST) && net.ping(EAST));
    }
    assert_eq!((down(&net, WEST), down(&net, EAST)), (0, 0));
    net.assert_one_tunnel();
}

/// The peer knows us by one address, and answers questions from another all the same.
#[test]
fn a_tunnel_that_works_goes_back_from_where_the_peer_does_not_want_us() {
    let [west, east] = configs();
    let remote = RemoteAddress::At(SocketAddr::new(west.local, 500));
    let mut net = tunnel([west.clone(), ConnectionConfig { remote, ..east.clone() }]);
    net.at(WEST, |endpoint, at| endpoint.set_addresses(BTreeSet::new(), at));
    net.run(secs(2));
    let unwanted = way(SECOND[WEST], "198.51.100.1");
    for refusals in 1..=3 {
        net.at(WEST, |endpoint, at| {
            assert_eq!(endpoint.try_way(CONNECTION, unwanted, at), Trial::Asked);
        });
        net.run(secs(2));
        let refused =
            |event: &Event| matches!(event, Event::WayRefused { way } if *way == unwanted);
        assert_eq!(net.ends[WEST].count(refused), refusals);
        assert_eq!(net.ends[WEST].ike_sas()[0].local.ip(), west.local);
        assert!(net.ping(WEST) && net.ping(EAST));
    }
    assert_eq!((down(&net, WEST), down(&net, EAST)), (0, 0));
    net.assert_one_tunnel();
}

#[test]
fn a_way_that_is_being_tried_is_tried_on_when_the_keys_are_replaced_meanwhile() {
    let mut net = tunnel(configs());
    let [other, here] = another_way(&net);
    net.unreachable.insert(here.remote);
    net.at(WEST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
    net.at(WEST, |endpoint, at| {
        assert_eq!(endpoint.try_way(CONNECTION, other, at), Trial::Asked);
    });
    net.run(ms(700));
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::IkeRekeyed { .. })), 1);
    assert_eq!(remote_of(&net, WEST).ip(), other.remote);
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn a_way_on_which_nobody_answers_is_not_taken() {
    let mut net = tunnel(configs());
    let [_, here] = another_way(&net);
    let nobody = Way { remote: address("198.51.100.77"), ..here };
    net.at(WEST, |endpoint, at| {
        assert_eq!(endpoint.try_way(CONNECTION, nobody, at), Trial::Asked);
    });
    net.run(secs(5));
    assert_eq!(remote_of(&net, WEST).ip(), here.remote);
    let moved = |event: &Event| matches!(event, Event::Moved { .. } | Event::Unreachable { .. });
    assert_eq!((net.ends[WEST].count(moved), net.ends[EAST].count(moved)), (0, 0));
    assert_eq!(net.ends[WEST].state(), ConnectionState::Up);
}

#[test]
fn it_is_for_the_initiator_to_move_and_without_mobike_a_new_ike_sa_does() {
    let mut net = tunnel(configs());
    let [other, here] = another_way(&net);
    let back = Way { local: here.remote, remote: here.local };
    net.at(EAST, |endpoint, at| {
        assert_eq!(endpoint.try_way(CONNECTION, back, at), Trial::NotOurs);
        assert!(!endpoint.ask_way(CONNECTION, back, at));
    });
    let without = configs().map(|config| ConnectionConfig { mobike: false, ..config });
    let mut net = tunnel(without.clone());
    for (initiate, trial) in [(false, Trial::NotOurs), (true, Trial::TakesNew)] {
        let config = ConnectionConfig { initiate, ..without[WEST].clone() };
        net.at(WEST, |endpoint, at| {
            endpoint.update_connection(CONNECTION, config, at);
            assert_eq!(endpoint.try_way(CONNECTION, other, at), trial);
        });
    }
    net.run(secs(1));
    assert_eq!(remote_of(&net, WEST).ip(), here.remote);
}

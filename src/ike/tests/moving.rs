//! Peers that are seen elsewhere: those that moved are followed, those that did not are not.

use super::net::*;
use crate::ike::payloads::Payloads;
use crate::ike::protect::OpenKey;
use crate::ike::*;
use crate::wire::ike::NotifyType;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

const OUTSIDE: [&str; 2] = ["203.0.113.1", "203.0.113.2"];
const VICTIM: &str = "192.0.2.66:4500";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn configs() -> [ConnectionConfig; 2] {
    config_pair((psk("one secret for both"), psk("one secret for both")))
}

/// East takes West from anywhere.
fn roaming() -> [ConnectionConfig; 2] {
    let [west, east] = configs();
    [west, ConnectionConfig { remote: RemoteAddress::Any, ..east }]
}

/// A net whose tunnel is up, with NATs in front of these ends.
fn up_behind(ends: &[usize], mut configs: [ConnectionConfig; 2]) -> Net {
    let nat = |end: usize| (end, Nat { outside: address(OUTSIDE[end]), shift: 0 });
    let nats: BTreeMap<usize, Nat> = ends.iter().map(|end| nat(*end)).collect();
    for &end in ends {
        if let RemoteAddress::At(remote) = &mut configs[1 - end].remote {
            remote.set_ip(address(OUTSIDE[end]));
        }
    }
    let mut net = Net::behind(nats, 1, configs, EndpointConfig::default());
    net.run(ms(2100));
    net.assert_one_tunnel();
    net
}

fn moves(net: &Net, end: usize) -> usize {
    net.ends[end].count(|event| matches!(event, Event::Moved { .. }))
}

/// A new request of West that has not reached East.
fn held_request(net: &mut Net) -> Datagram {
    net.filter = Some(Box::new(|_, _| false));
    net.log.clear();
    net.run(ms(1100));
    net.filter = None;
    let of_west = |one: &&Datagram| one.from.ip() == address("192.0.2.1");
    let mut requests = net.log.iter().filter(|one| !one.header().flags.response);
    requests.find(of_west).expect("a probe").clone()
}

#[test]
fn a_nat_that_takes_another_port_is_followed_whoever_else_is_behind_one() {
    for behind in [&[WEST][..], &[WEST, EAST]] {
        let mut net = up_behind(behind, configs());
        net.nats.get_mut(&WEST).expect("a NAT").shift = 1000;
        net.run(ms(2500));
        assert_eq!(net.ends[EAST].ike_sas()[0].remote, socket("203.0.113.1:5500"));
        assert_eq!((moves(&net, EAST), moves(&net, WEST)), (1, 0));
        for end in [WEST, EAST] {
            let silent = net.ends[end].count(|one| matches!(one, Event::Unreachable { .. }));
            assert_eq!((silent, net.ends[end].state()), (0, ConnectionState::Up));
        }
        net.assert_one_tunnel();
    }
}

/// What an initiator says under MOBIKE of moves, as the other end opens it.
fn says_that_it_moves(net: &Net, one: &Datagram) -> bool {
    let secrets = net.ends[EAST].endpoint.secrets(CONNECTION).remove(0);
    let key = OpenKey::new(secrets.suite.cipher, secrets.theirs).expect("a key");
    let Ok(opened) = key.open(one.message()) else { return false };
    let payloads = Payloads(opened.payloads().expect("payloads"));
    payloads.notify(NotifyType::UPDATE_SA_ADDRESSES).is_some()
}

/// "The initiator … SHOULD include these notifications in DPD messages and compare … the initiator SHOULD
/// send UPDATE_SA_ADDRESSES" (RFC 4555 §3.8): a responder that does not follow by itself learns of it.
#[test]
fn an_initiator_whose_nat_takes_another_port_says_so() {
    for behind in [true, false] {
        let ends = [WEST];
        let mut net = up_behind(if behind { &ends } else { &[] }, configs());
        net.run(secs(3));
        assert!(!net.log.iter().any(|one| says_that_it_moves(&net, one)), "nothing has moved yet");
        if let Some(nat) = net.nats.get_mut(&WEST) {
            nat.shift = 1000;
        }
        net.log.clear();
        net.run(ms(2500));
        let told = net.log.iter().filter(|one| says_that_it_moves(&net, one)).count();
        assert_eq!(told, usize::from(behind));
        net.assert_one_tunnel();
    }
}

/// New SPIs make another hash of the same address.
#[test]
fn new_keys_are_no_move() {
    let mut net = up_behind(&[WEST], configs());
    net.run(secs(3));
    net.at(WEST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
    net.run(ms(500));
    net.log.clear();
    net.run(secs(3));
    assert!(!net.log.iter().any(|one| says_that_it_moves(&net, one)));
}

#[test]
fn a_peer_that_may_be_anywhere_is_followed_to_another_address() {
    let mut net = up_behind(&[WEST], roaming());
    let nat = net.nats.get_mut(&WEST).expect("a NAT");
    (nat.outside, nat.shift) = (address("203.0.113.99"), 7);
    net.run(ms(2500));
    assert_eq!(net.ends[EAST].ike_sas()[0].remote, socket("203.0.113.99:4507"));
    net.assert_one_tunnel();
}

#[test]
fn esp_from_elsewhere_moves_a_peer_that_sends_nothing_else() {
    let mut net = up_behind(&[WEST], roaming());
    net.nats.get_mut(&WEST).expect("a NAT").shift = 7;
    let child = net.ends[EAST].sending.expect("a Child SA");
    let way = (socket("198.51.100.1:4500"), socket("203.0.113.1:4507"));
    net.at(EAST, |endpoint, at| endpoint.on_inbound_from(child, way, at));
    net.run(ms(200));
    assert_eq!(net.ends[EAST].ike_sas()[0].remote, way.1);
    assert_eq!(moves(&net, EAST), 1);
}

#[test]
fn a_peer_with_a_configured_address_is_never_sought_at_another() {
    let mut net = up_behind(&[], configs());
    let request = held_request(&mut net);
    net.log.clear();
    net.deliver(Datagram { from: socket(VICTIM), ..request });
    let child = net.ends[EAST].sending.expect("a Child SA");
    let way = (socket("198.51.100.1:4500"), socket(VICTIM));
    net.at(EAST, |endpoint, at| endpoint.on_inbound_from(child, way, at));
    net.run(secs(10));
    assert_eq!(moves(&net, EAST), 0);
    // The answer to the request, which goes where that came from (RFC 7296 §2.11).
    assert_eq!(net.log.iter().filter(|one| one.to == socket(VICTIM)).count(), 1);
    net.assert_one_tunnel();
}

#[test]
fn a_request_with_another_source_moves_nobody_and_brings_its_owner_little() {
    let mut net = up_behind(&[], roaming());
    let request = held_request(&mut net);
    net.log.clear();
    net.deliver(Datagram { from: socket(VICTIM), ..request });
    net.run(secs(10));
    assert_eq!(moves(&net, EAST), 0);
    let at_victim = net.log.iter().filter(|one| one.to == socket(VICTIM)).count();
    assert!(at_victim <= 6, "{at_victim} datagrams");
    assert_eq!(net.ends[EAST].ike_sas()[0].remote, socket("192.0.2.1:4500"));
    let silent = net.ends[EAST].count(|one| matches!(one, Event::Unreachable { .. }));
    assert_eq!(silent, 0, "the peer that did not move is still asked in time");
    net.assert_one_tunnel();
}

#[test]
fn somebody_who_passes_everything_on_from_elsewhere_does_not_move_a_peer_that_did_not_ask_for_it() {
    let mut net = up_behind(&[], roaming());
    let request = held_request(&mut net);
    net.deliver(Datagram { from: socket(VICTIM), ..request });
    // West's answers arrive with the victim's source, but West never gets what only the victim got.
    for _ in 0..40 {
        net.log.clear();
        net.run(ms(50));
        let answers = net.log.clone().into_iter().filter(|one| one.header().flags.response);
        let from_west = answers.filter(|one| one.from == socket("192.0.2.1:4500"));
        from_west.for_each(|one| net.deliver(Datagram { from: socket(VICTIM), ..one }));
    }
    assert_eq!(moves(&net, EAST), 0);
    net.assert_one_tunnel();
}

#[test]
fn a_rebinding_in_bad_weather_is_followed() {
    for seed in 0..20 {
        let mut net = up_behind(&[WEST, EAST], configs());
        net.random = crate::random::Seeded::new(seed);
        net.faults = Faults { loss_percent: 20, duplicate_percent: 10, jitter: ms(30) };
        net.nats.get_mut(&WEST).expect("a NAT").shift = 1000;
        net.run(secs(8));
        net.faults = Faults::default();
        net.run(secs(5));
        assert_eq!(net.ends[EAST].ike_sas()[0].remote, socket("203.0.113.1:5500"), "seed {seed}");
        net.assert_one_tunnel();
    }
}

#[test]
fn who_is_asked_at_a_second_address_answers_from_there() {
    let second = address("198.51.100.2");
    for anywhere in [true, false] {
        let [mut west, east] = configs();
        if let RemoteAddress::At(remote) = &mut west.remote {
            remote.set_ip(second);
        }
        let mut net = Net::new(5, [west, ConnectionConfig { anywhere, ..east }]);
        net.aliases.insert(second, EAST);
        net.run(secs(2));
        let answers = net.log.iter().filter(|one| one.from.ip() == second).count();
        assert_eq!(net.ends[EAST].ike_sas().len(), usize::from(anywhere)); // RFC 7296 §2.11
        assert!(answers > 0 && net.log.iter().all(|one| one.from != socket("198.51.100.1:500")));
        if anywhere {
            net.assert_one_tunnel();
        }
    }
}

#[test]
fn an_address_that_goes_ends_what_runs_from_it_and_begins_anew_from_the_next() {
    let [west, mut east] = roaming().map(|config| ConnectionConfig { mobike: false, ..config });
    east.initiate = false;
    let mut net = Net::new(6, [ConnectionConfig { anywhere: true, ..west.clone() }, east]);
    net.run(secs(2));
    net.assert_one_tunnel();
    let next = address("192.0.2.2");
    net.aliases.insert(next, WEST);
    let config = ConnectionConfig { anywhere: true, local: next, ..west };
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, config, at));
    net.run(secs(2));
    assert_eq!(net.ends[WEST].ike_sas()[0].local, socket("192.0.2.1:4500"), "it works: it stays");
    let gone = [address("192.0.2.1")].into();
    net.at(WEST, |endpoint, at| endpoint.on_addresses_gone(&gone, at));
    net.run(ms(200));
    assert_eq!(net.ends[WEST].ike_sas()[0].local, socket("192.0.2.2:4500"));
    net.assert_one_tunnel();
    let went = |event: &Event| {
        matches!(event, Event::ChildDown { reason: DownReason::AddressGone(_), .. })
    };
    assert_eq!(net.ends[WEST].count(went), 1);
}

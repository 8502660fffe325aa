//! IKE in TCP (RFC 9329): what is left out there, and what is otherwise than in UDP.

use super::net::*;
use crate::ike::*;
use crate::wire::ike::{ExchangeType, Message, NotifyType, Payload, TrafficSelector};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

fn both(encapsulation: Encapsulation) -> [ConnectionConfig; 2] {
    let configs = config_pair((psk("a secret"), psk("a secret")));
    configs.map(|config| ConnectionConfig { encapsulation, ..config })
}

/// Two ends whose IKE_AUTH is some kilobytes long.
fn with_long_messages(encapsulation: Encapsulation) -> [ConnectionConfig; 2] {
    let texts: Vec<String> = (0..130).map(|i| format!("10.{}.{i}.0/24", 100 + i % 7)).collect();
    let many: Vec<TrafficSelector> =
        selectors(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let [mut west, mut east] = both(encapsulation);
    slot(&mut west).remote_ts = many.clone();
    slot(&mut east).local_ts = many;
    [west, east]
}

fn is_streamed(datagram: &Datagram) -> bool {
    datagram.to.port() == 0
}

fn is_fragment(datagram: &Datagram) -> bool {
    let message = Message::decode(datagram.message());
    message
        .is_ok_and(|message| matches!(message.payloads.last(), Some(Payload::EncryptedFragment(_))))
}

fn is_init_request(datagram: &Datagram) -> bool {
    let header = datagram.header();
    header.exchange_type == ExchangeType::IKE_SA_INIT && !header.flags.response
}

fn init_requests(net: &Net) -> Vec<&Datagram> {
    net.log.iter().filter(|datagram| is_init_request(datagram)).collect()
}

#[test]
fn silence_in_udp_leads_to_another_ike_sa_init_in_tcp() {
    let mut net = Net::new(1, both(Encapsulation::Auto));
    net.filter = Some(Box::new(|datagram, _| is_streamed(datagram)));
    net.run(secs(4));
    net.assert_one_tunnel();
    let (in_tcp, in_udp): (Vec<_>, Vec<_>) =
        init_requests(&net).into_iter().partition(|sent| is_streamed(sent));
    assert!(in_udp.len() >= 3, "RFC 9329 §5.1: repeated at least once: {}", in_udp.len());
    let spis = |sent: &[&Datagram]| -> BTreeSet<_> {
        sent.iter().map(|sent| sent.header().initiator_spi).collect()
    };
    assert!(spis(&in_tcp).is_disjoint(&spis(&in_udp)));
    let message = Message::decode(in_tcp[0].message()).expect("an IKE message");
    for wanted in [NotifyType::NAT_DETECTION_SOURCE_IP, NotifyType::NAT_DETECTION_DESTINATION_IP] {
        let is_it = |payload: &Payload| matches!(payload, Payload::Notify(notify) if notify.notify_type == wanted);
        assert!(message.payloads.iter().any(is_it), "{wanted:?}");
    }
}

#[test]
fn all_of_an_ike_sa_goes_in_tcp_whoever_makes_new_keys() {
    let mut net = Net::new(2, both(Encapsulation::Tcp));
    net.run(secs(1));
    for end in [EAST, WEST, EAST] {
        net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        net.run(secs(1));
        net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
        net.run(secs(1));
        net.assert_one_tunnel();
    }
    assert!(net.log.iter().all(is_streamed));
    let ends: BTreeSet<u16> = net.log.iter().map(|sent| sent.from.port()).collect();
    assert_eq!(ends, BTreeSet::from([4500, ORIGINATOR]), "West makes the connections, always");
}

#[test]
fn no_cookie_is_asked_for_in_tcp() {
    let half_open =
        HalfOpenLimits { cookies_above: 0, cookies_above_per_source: 0, ..Default::default() };
    let settings = EndpointConfig { half_open, ..EndpointConfig::default() };
    let asked = |encapsulation| {
        let mut net = Net::with_settings(3, both(encapsulation), settings.clone());
        net.run(secs(1));
        net.assert_one_tunnel();
        init_requests(&net).len()
    };
    assert_eq!([Encapsulation::Udp, Encapsulation::Tcp].map(asked), [2, 1]);
}

#[test]
fn a_refusal_in_tcp_is_believed_at_once() {
    let failed_after = |encapsulation| {
        let [mut west, mut east] = both(encapsulation);
        west.ike_suites = vec!["aes256gcm16-prfsha384-curve25519".parse().expect("a suite")];
        east.ike_suites = vec!["aes128gcm16-prfsha256-ecp256".parse().expect("a suite")];
        let mut net = Net::new(4, [west, east]);
        let begin = net.now;
        net.run_until(secs(10), |net| !net.ends[WEST].failures().is_empty());
        net.now.since(begin)
    };
    assert!(failed_after(Encapsulation::Udp) > secs(1), "a true answer may still come");
    assert!(failed_after(Encapsulation::Tcp) < ms(200));
}

#[test]
fn another_group_is_asked_for_in_the_same_connection() {
    let [mut west, mut east] = both(Encapsulation::Tcp);
    let suites = ["aes256gcm16-prfsha384-curve25519", "aes256gcm16-prfsha384-ecp384"];
    west.ike_suites = suites.iter().map(|words| words.parse().expect("a suite")).collect();
    east.ike_suites = west.ike_suites[1..].to_vec();
    let mut net = Net::new(5, [west, east]);
    net.run(secs(1));
    net.assert_one_tunnel();
    assert_eq!(init_requests(&net).len(), 2);
}

#[test]
fn neither_keepalives_nor_fragments_are_sent_in_tcp() {
    let outside = "203.0.113.9".parse().expect("an address");
    let sent = |encapsulation| {
        let nats = BTreeMap::from([(WEST, Nat { outside, shift: 1000 })]);
        let [west, east] = with_long_messages(encapsulation);
        let east = ConnectionConfig { remote: RemoteAddress::Any, ..east };
        let mut net = Net::behind(nats, 6, [west, east], EndpointConfig::default());
        net.run(secs(120));
        net.assert_one_tunnel();
        let (keepalives, messages): (Vec<&Datagram>, Vec<&Datagram>) =
            net.log.iter().partition(|sent| sent.bytes == [0xff]);
        (keepalives.len(), messages.into_iter().filter(|sent| is_fragment(sent)).count())
    };
    let (keepalives, fragments) = sent(Encapsulation::Udp);
    assert!(keepalives > 0 && fragments > 0, "{keepalives} {fragments}");
    assert_eq!(sent(Encapsulation::Tcp), (0, 0));
}

#[test]
fn a_keepalive_in_tcp_is_nothing() {
    let mut net = Net::new(7, both(Encapsulation::Tcp));
    net.run(secs(1));
    let end = |host: &str, port| SocketAddr::new(host.parse().expect("an address"), port);
    let (from, to) = (end("198.51.100.1", 4500), end("192.0.2.1", 0));
    let discarded = |net: &Net| net.ends[WEST].endpoint.stats().discarded(Discard::NoMarker);
    let before = discarded(&net);
    net.deliver(Datagram { from, to, bytes: vec![0xff] });
    assert_eq!(discarded(&net), before);
    net.deliver(Datagram { from, to, bytes: vec![0xfe] });
    assert_eq!(discarded(&net), before + 1, "anything else is counted");
    net.assert_one_tunnel();
}

#[test]
fn fragments_are_taken_in_tcp() {
    let configs = with_long_messages(Encapsulation::Auto);
    let configs =
        configs.map(|config| ConnectionConfig { post_quantum: PostQuantum::Off, ..config });
    let mut net = Net::new(8, configs);
    net.filter = Some(Box::new(|datagram, _| !is_fragment(datagram)));
    net.run(ms(200));
    assert!(net.ends[EAST].ike_sas().is_empty());
    let fragments: Vec<Datagram> =
        net.log.iter().filter(|sent| is_fragment(sent)).cloned().collect();
    assert!(fragments.len() > 1);
    for Datagram { mut from, mut to, bytes } in fragments {
        from.set_port(ORIGINATOR);
        to.set_port(0);
        net.deliver(Datagram { from, to, bytes });
    }
    assert_eq!(net.ends[EAST].ike_sas().len(), 1);
}

#[test]
fn a_tunnel_that_ends_while_udp_is_tried_comes_up_again() {
    let mut net = Net::new(9, both(Encapsulation::Auto));
    net.filter = Some(Box::new(|datagram, _| is_streamed(datagram)));
    net.run(secs(4));
    net.assert_one_tunnel();
    let in_udp =
        |net: &Net| init_requests(net).into_iter().filter(|request| !is_streamed(request)).count();
    let before = in_udp(&net);
    net.run_until(secs(40), |net| in_udp(net) > before);
    assert!(in_udp(&net) > before, "UDP is tried");
    net.at(EAST, |endpoint, at| endpoint.terminate(CONNECTION, at));
    net.run(ms(500));
    assert!(net.ends[WEST].ike_sas().is_empty(), "East has ended it");
    net.run(secs(10));
    net.assert_one_tunnel();
}

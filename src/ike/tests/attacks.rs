//! What strangers can do: nothing but be counted.

use super::net::*;
use super::raw_peer::RawPeer;
use crate::ike::*;
use crate::random::Random;
use crate::wire::ike::{ExchangeType, Message, NotifyType, Payload};
use std::net::SocketAddr;

fn configs() -> [ConnectionConfig; 2] {
    config_pair((psk("a secret"), psk("a secret")))
}

fn tunnel(seed: u64) -> Net {
    let mut net = Net::new(seed, configs());
    net.run(secs(1));
    net.assert_one_tunnel();
    net
}

/// All that an end could show.
fn picture(net: &Net, end: usize) -> String {
    format!("{:?} {}", net.ends[end].endpoint.view(CONNECTION), net.ends[end].events.len())
}

#[test]
fn damaged_and_truncated_datagrams_change_nothing() {
    let mut net = tunnel(61);
    let genuine = net.log.clone();
    let before = [picture(&net, WEST), picture(&net, EAST)];
    for round in 0..4000u64 {
        let mut datagram = genuine[round as usize % genuine.len()].clone();
        let length = datagram.bytes.len() as u64;
        match net.random.below(3) {
            0 => datagram.bytes.truncate(net.random.below(length) as usize),
            1 => datagram.bytes[net.random.below(length) as usize] ^= 1 << net.random.below(8),
            _ => {
                let at = net.random.below(length) as usize;
                net.random.fill(&mut datagram.bytes[at..]);
            }
        }
        net.deliver(datagram);
    }
    assert_eq!([picture(&net, WEST), picture(&net, EAST)], before);
    net.run(secs(40));
    net.assert_one_tunnel();
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::Down { .. })), 0);
}

#[test]
fn random_octets_change_nothing() {
    let mut net = tunnel(62);
    let before = [picture(&net, WEST), picture(&net, EAST)];
    let (west, east): (SocketAddr, SocketAddr) =
        ("192.0.2.1:4500".parse().expect("one"), "198.51.100.1:4500".parse().expect("one"));
    for _ in 0..2000 {
        let mut bytes = vec![0; net.random.below(300) as usize];
        net.random.fill(&mut bytes);
        net.deliver(Datagram { from: west, to: east, bytes });
    }
    assert_eq!([picture(&net, WEST), picture(&net, EAST)], before);
    net.assert_one_tunnel();
}

#[test]
fn a_forged_refusal_of_ike_sa_init_does_not_stop_the_true_answer() {
    let mut net = Net::new(63, configs());
    let request = net.log[0].clone();
    for refusal in [NotifyType::NO_PROPOSAL_CHOSEN, NotifyType::INVALID_SYNTAX, NotifyType(9999)] {
        let mut message = Message::decode(request.message()).expect("a message");
        message.header.flags.initiator = false;
        message.header.flags.response = true;
        message.payloads = vec![Payload::Notify(crate::wire::ike::Notify::new(refusal, []))];
        let Datagram { from, to, .. } = request.clone();
        net.deliver(Datagram { from: to, to: from, bytes: message.encode() });
    }
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn unprotected_notifications_change_nothing() {
    let mut net = tunnel(64);
    let last = net.log.last().expect("a datagram").clone();
    let before = [picture(&net, WEST), picture(&net, EAST)];
    for notify in
        [NotifyType::INVALID_IKE_SPI, NotifyType::INVALID_SPI, NotifyType::AUTHENTICATION_FAILED]
    {
        for response in [false, true] {
            for id in 0..5 {
                let mut header = last.header();
                header.flags.response = response;
                header.message_id.0 = id;
                let payloads = vec![Payload::Notify(crate::wire::ike::Notify::new(notify, []))];
                let bytes = [vec![0; 4], Message { header, payloads }.encode()].concat();
                net.deliver(Datagram { bytes, ..last.clone() });
            }
        }
    }
    assert_eq!([picture(&net, WEST), picture(&net, EAST)], before);
    net.run(secs(5));
    net.assert_one_tunnel();
}

#[test]
fn a_flood_of_initiators_is_bounded_and_the_true_peer_gets_in() {
    let mut configs = configs();
    configs[EAST].remote = RemoteAddress::Any;
    configs[WEST].initiate = false;
    let mut net = Net::new(65, configs);
    let request = {
        net.at(WEST, |endpoint, at| endpoint.initiate(CONNECTION, at));
        net.log.last().expect("a request").clone()
    };
    let limits = HalfOpenLimits::default();
    for flood in 0..20_000u64 {
        let mut bytes = request.bytes.clone();
        net.random.fill(&mut bytes[..8]);
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + (flood % 5000) as u32);
        let from = SocketAddr::new(source.into(), 500);
        net.deliver(Datagram { from, bytes, ..request.clone() });
    }
    let stats = net.ends[EAST].endpoint.stats();
    assert!(stats.discarded(Discard::CookieMissing) > 19_000);
    assert!(stats.received - stats.discarded(Discard::CookieMissing) < 2 * limits.total as u64);
    net.run(secs(2));
    net.assert_one_tunnel();
}

#[test]
fn a_flood_in_the_peers_name_does_not_keep_the_peer_out() {
    let mut net = Net::new(66, configs());
    let request = net.log[0].clone();
    for _ in 0..500 {
        let mut bytes = request.bytes.clone();
        net.random.fill(&mut bytes[..8]);
        net.deliver(Datagram { bytes, ..request.clone() });
    }
    let stats = net.ends[EAST].endpoint.stats();
    assert!(stats.discarded(Discard::CookieMissing) >= 490);
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn strangers_are_answered_seldom() {
    let mut net = Net::new(67, configs());
    let request = net.log[0].clone();
    net.log.clear();
    let stranger: SocketAddr = "203.0.113.9:500".parse().expect("an address");
    for _ in 0..1000 {
        net.deliver(Datagram { from: stranger, ..request.clone() });
    }
    assert!(net.log.len() <= 50);
    assert_eq!(net.ends[EAST].endpoint.stats().discarded(Discard::UnknownPeer), 1000);
}

#[test]
fn another_major_version_is_refused() {
    let mut net = Net::new(68, configs());
    let request = net.log[0].clone();
    net.log.clear();
    let mut bytes = request.bytes.clone();
    bytes[17] = 0x30;
    net.deliver(Datagram { bytes, ..request });
    let answer = Message::decode(net.log[0].message()).expect("an answer");
    let Payload::Notify(notify) = &answer.payloads[0] else { panic!("a notification") };
    assert_eq!(notify.notify_type, NotifyType::INVALID_MAJOR_VERSION);
}

#[test]
fn an_unknown_critical_payload_is_refused_and_an_uncritical_one_ignored() {
    use crate::wire::ike::{PayloadType, UnknownPayload};
    for critical in [true, false] {
        let mut net = Net::new(69, configs());
        let request = net.log[0].clone();
        net.log.clear();
        let mut message = Message::decode(request.message()).expect("a message");
        let payload_type = PayloadType(200);
        let unknown = UnknownPayload { payload_type, critical, body: vec![1, 2, 3] };
        message.payloads.push(Payload::Unknown(unknown));
        net.deliver(Datagram { bytes: message.encode(), ..request });
        let answer = Message::decode(net.log[0].message()).expect("an answer");
        let refused = matches!(&answer.payloads[0], Payload::Notify(notify)
            if notify.notify_type == NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD && notify.data == [200]);
        assert_eq!(refused, critical);
    }
}

#[test]
fn a_reflected_message_is_dropped() {
    let mut net = tunnel(70);
    let before = [picture(&net, WEST), picture(&net, EAST)];
    for datagram in net.log.clone() {
        let Datagram { from, to, bytes } = datagram;
        net.deliver(Datagram { from: to, to: from, bytes });
    }
    // The reflected IKE_SA_INIT asks West for an IKE SA, which stays half-open.
    assert_eq!([picture(&net, WEST), picture(&net, EAST)], before);
    net.run(secs(20));
    net.assert_one_tunnel();
}

/// Whoever has come as far as IKE_SA_INIT has keys, but no name: strongSwan made a Child SA for it
/// all the same (CVE-2026-78135).
#[test]
fn cve_2026_78135_create_child_sa_before_ike_auth_has_no_effect() {
    let (mut peer, auth) = RawPeer::half_open();
    let asks_for_child = peer.child_request("aes256gcm16-esn", 0x6001);
    for id in [0, 1, 2] {
        for exchange in [ExchangeType::CREATE_CHILD_SA, ExchangeType::INFORMATIONAL] {
            peer.next_id = id;
            assert_eq!(peer.ask(exchange, &asks_for_child), None, "{exchange} {id}");
        }
    }
    assert!(peer.events.is_empty() && !peer.is_up(), "{:?}", peer.events);
    assert_eq!(peer.endpoint.stats().discarded(Discard::Unexpected), 6);

    peer.authenticate(&auth);
    assert!(peer.is_up());
    assert_eq!(peer.children(), 1);
}

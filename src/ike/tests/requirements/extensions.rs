//! The same of what is not RFC 7296 itself: additional key exchanges (RFC 9370, RFC 9242), MOBIKE (RFC 4555), crash
//! detection (RFC 6290), bad public values (RFC 6989), ESP in UDP (RFC 3948).

use super::*;
use crate::crypto::digest::sha1;
use crate::ike::crash;
use crate::ike::keys::Spis;
use std::net::IpAddr;

/// RFC 4555 §3.7: "If the values do not match, the IKE_SA MUST be closed."
#[test]
fn a_cookie_that_comes_back_as_another_ends_the_ike_sa() {
    for copied in [true, false] {
        let mut peer = RawPeer::connect();
        let probe = peer.header(ExchangeType::INFORMATIONAL, false, peer.next_id);
        let probe = peer.keys.seal.seal(&probe, &[]);
        let marked = [&[0; 4], probe.as_slice()].concat();
        let RemoteAddress::At(to) = peer.config.remote else { unreachable!("it has an address") };
        let elsewhere = SocketAddr::new(peer.config.local, 4501);
        let to = SocketAddr::new(to.ip(), 4500);
        let mut at = Moment::simulated(peer.now, &mut peer.random);
        peer.endpoint.handle_datagram(to, elsewhere, &marked, &mut at);
        let sent = peer.drain();
        let asked = sent.iter().find(|one| !Header::decode(one).unwrap().flags.response);
        let asked = peer.keys.open.open(asked.expect("a question")).expect("authentic");
        let cookie = Payloads(asked.payloads().unwrap()).notify(NotifyType::COOKIE2);
        let data = cookie.expect("a cookie").data.clone();
        let data = if copied { data } else { vec![9; data.len()] };
        answer(&mut peer, asked.header(), &[notify(NotifyType::COOKIE2, data)]);
        assert_eq!(peer.is_up(), copied);
    }
}

fn detection(data: u8) -> [Payload; 2] {
    [NotifyType::NAT_DETECTION_SOURCE_IP, NotifyType::NAT_DETECTION_DESTINATION_IP]
        .map(|kind| notify(kind, [data; 20]))
}

/// "If the request includes them, the responder MUST also include them in the response" (RFC 4555 §3.8):
/// each is the hash of the SPIs, an address and a port (RFC 7296 §2.23); "no other action is taken".
#[test]
fn a_peer_that_asks_how_it_is_seen_is_told() {
    let (mut peer, request) = RawPeer::mobile();
    peer.authenticate(&request);
    let answer = inform(&mut peer, &detection(1));
    let Spis { initiator, responder } = peer.spis;
    let hash =
        |ip: [u8; 4], port: u16| sha1(&[&initiator.0, &responder.0, &ip, &port.to_be_bytes()]);
    // We are at no address, for ESP is to go in UDP with or without a NAT.
    let expected = [
        notify(NotifyType::NAT_DETECTION_SOURCE_IP, hash([0; 4], 0)),
        notify(NotifyType::NAT_DETECTION_DESTINATION_IP, hash([192, 0, 2, 1], 4500)),
    ];
    assert_eq!(answer, expected);
    assert_unharmed(&mut peer);
    // Without MOBIKE nobody asks so, and nothing is to be said.
    let mut peer = RawPeer::connect();
    assert_eq!(inform(&mut peer, &detection(1)), []);
}

/// RFC 4555 §3.9: "The exchange responder MUST verify that the contents … match"; what else the message
/// says is not believed then, and nobody may move to where it says.
#[test]
fn other_addresses_that_have_met_a_forbidden_nat_are_not_believed() {
    let other = IpAddr::from([203, 0, 113, 7]);
    for met in [true, false] {
        let (mut peer, request) = RawPeer::mobile();
        peer.authenticate(&request);
        let mut said = vec![notify(NotifyType::ADDITIONAL_IP4_ADDRESS, [203, 0, 113, 7])];
        said.extend(met.then(|| notify(NotifyType::NO_NATS_ALLOWED, [0; 12])));
        let answer = inform(&mut peer, &said);
        let unexpected = met.then(|| notify(NotifyType::UNEXPECTED_NAT_DETECTED, []));
        assert_eq!(answer, Vec::from_iter(unexpected));
        assert_unharmed(&mut peer);
        peer.config.local = other;
        let answer = inform(&mut peer, &[notify(NotifyType::UPDATE_SA_ADDRESSES, [])]);
        let unacceptable = met.then(|| notify(NotifyType::UNACCEPTABLE_ADDRESSES, []));
        assert_eq!(answer, Vec::from_iter(unacceptable));
    }
}

/// The data of these is for later (RFC 4555 §4.2.1, RFC 9242 §3.1).
#[test]
fn what_extensions_add_to_their_announcements_is_passed_over() {
    let (mut peer, request) = RawPeer::half_open_saying(|payloads| {
        payloads.push(notify(NotifyType::MOBIKE_SUPPORTED, [1, 2, 3]));
    });
    let answer = peer.deliver_and_open(&request).expect("an answer");
    let mobike = Payloads(&answer).notify(NotifyType::MOBIKE_SUPPORTED).expect("we speak it, too");
    assert!(mobike.data.is_empty());
    let (mut net, request) = first_request();
    let mut message = Message::decode(request.message()).unwrap();
    for payload in &mut message.payloads {
        if let Payload::Notify(one) = payload
            && one.notify_type == NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED
        {
            one.data = vec![1, 2, 3];
        }
    }
    let answers = answered(&mut net, &request, message.encode());
    let answer = Message::decode(answers[0].message()).unwrap();
    let said = Payloads(&answer.payloads).notify(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED);
    assert!(said.expect("we do it, too").data.is_empty());
}

/// "The peers MUST treat any ADDKE Transform Types … as unknown transform types and skip the proposals
/// they appear in" (RFC 9370 §2.2.1).
#[test]
fn additional_key_exchanges_without_ike_intermediate_are_skipped() {
    let (mut net, request) = first_request();
    let mut message = Message::decode(request.message()).unwrap();
    message.payloads.retain(|payload| match payload {
        Payload::Notify(one) => one.notify_type != NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED,
        _ => true,
    });
    let answers = answered(&mut net, &request, message.encode());
    let answer = Message::decode(answers[0].message()).unwrap();
    let chosen = &Payloads(&answer.payloads).sa().expect("a proposal without them").proposals[0];
    assert!(chosen.transforms.iter().all(|one| one.transform_type.0 < TransformType::ADDKE1.0));
    let said = Payloads(&answer.payloads).notify(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED);
    assert!(said.is_none(), "the initiator does not do it");
}

/// NAT keepalives say nothing of whether a peer lives (RFC 3948 §4).
#[test]
fn keepalives_keep_nobody_alive() {
    let mut silence = [ms(0); 2];
    for (run, with) in [false, true].into_iter().enumerate() {
        let mut net = Net::new(803, config_pair(same_psk()));
        net.run(secs(1));
        net.assert_one_tunnel();
        let [west, east] = [WEST, EAST].map(|end| net.ends[end].ike_sas()[0].local);
        net.filter = Some(Box::new(|_, _| false));
        let since = net.now;
        let unreachable = |event: &Event| matches!(event, Event::Unreachable { .. });
        while net.ends[EAST].count(unreachable) == 0 {
            assert!(net.now < since + secs(60), "never unreachable");
            net.run(ms(100));
            if with {
                net.deliver(Datagram { from: west, to: east, bytes: vec![0xff] });
            }
        }
        silence[run] = net.now - since;
    }
    assert_eq!(silence[0], silence[1]);
}

/// A request for new keys of the first Child SA with ML-KEM beside Curve25519.
fn hybrid_rekeying(peer: &RawPeer) -> Vec<Payload> {
    let curve = kex::KeyExchange::from_seed(Group::Curve25519, &[2; 32]).unwrap();
    let mut request = peer.child_request("aes256gcm16-curve25519-esn", 0x6001);
    let Payload::SecurityAssociation(sa) = &mut request[0] else { unreachable!() };
    let kem = Transform::new(TransformType::ADDKE1, KeyExchangeMethod::ML_KEM_768);
    sa.proposals[0].transforms.push(kem);
    request.push(public_value(&curve));
    request.push(Payload::Notify(Notify {
        protocol: ProtocolId::ESP,
        spi: FIRST_SPI.to_be_bytes().to_vec(),
        ..Notify::new(NotifyType::REKEY_SA, [])
    }));
    request
}

/// "Delete the associated state if it does not receive the next expected IKE_FOLLOWUP_KE request after
/// some reasonable period of time" (RFC 9370 §2.2.4).
#[test]
fn what_a_peer_does_not_go_on_with_is_forgotten_in_time() {
    for (seconds, kept) in [(5, true), (20, false)] {
        let mut peer = RawPeer::connect();
        let request = hybrid_rekeying(&peer);
        let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
        let link = Payloads(&answer).notify(NotifyType::ADDITIONAL_KEY_EXCHANGE).expect("a link");
        let kem = kex::KeyExchange::from_seed(Group::MlKem768, &[1; 32]).unwrap();
        let next = [public_value(&kem), Payload::Notify(link.clone())];
        peer.now += secs(seconds);
        peer.endpoint.handle_timeout(&mut Moment::simulated(peer.now, &mut peer.random));
        peer.drain();
        let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &next).expect("an answer");
        let lost = notify(NotifyType::STATE_NOT_FOUND, []);
        assert_eq!(answer.contains(&lost), !kept, "{answer:?}");
        assert_eq!(peer.children(), if kept { 2 } else { 1 });
    }
}

/// "The responder's choice MUST NOT contain duplicated algorithms"; none is chosen then
/// (RFC 9370 §2.2.1).
#[test]
fn no_additional_key_exchange_is_made_twice() {
    let mut peer = RawPeer::connect();
    let mut request = hybrid_rekeying(&peer);
    let Payload::SecurityAssociation(sa) = &mut request[0] else { unreachable!() };
    let again = Transform::new(TransformType(7), KeyExchangeMethod::ML_KEM_768);
    sa.proposals[0].transforms.push(again);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    assert_eq!(answer, [notify(NotifyType::NO_PROPOSAL_CHOSEN, [])]);
    assert_unharmed(&mut peer);
}

/// The method of KEi(n) "MUST match the n-th negotiated additional key exchange" (RFC 9370 §2.2.4).
#[test]
fn a_key_exchange_of_another_method_than_agreed_is_a_syntax_error() {
    let mut peer = RawPeer::connect();
    let request = hybrid_rekeying(&peer);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    let link = Payloads(&answer).notify(NotifyType::ADDITIONAL_KEY_EXCHANGE).expect("a link");
    let other = kex::KeyExchange::from_seed(Group::Curve25519, &[1; 32]).unwrap();
    let next = [public_value(&other), Payload::Notify(link.clone())];
    let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &next).expect("an answer");
    assert_eq!(answer, [notify(NotifyType::INVALID_SYNTAX, [])]);
}

/// Both ends ask at once for a successor with ML-KEM: which CREATE_CHILD_SA has the lowest nonce is known
/// when both are answered, and its initiator "MUST NOT initiate the IKE_FOLLOWUP_KE exchange"
/// (RFC 9370 §2.2.4).
#[test]
fn of_two_rekeyings_that_cross_only_one_goes_on_to_its_other_key_exchanges() {
    for seed in 0..8 {
        let configs = config_pair(same_psk());
        let configs =
            configs.map(|config| ConnectionConfig { post_quantum: PostQuantum::Require, ..config });
        let mut net = Net::new(830 + seed, configs);
        net.run(secs(1));
        net.assert_one_tunnel();
        for ike in [true, false] {
            net.log.clear();
            for end in [WEST, EAST] {
                net.at(end, |endpoint, at| match ike {
                    true => endpoint.rekey_ike(CONNECTION, at),
                    false => endpoint.rekey_child(CONNECTION, SLOT, at),
                });
            }
            net.run(secs(1));
            net.assert_one_tunnel();
            let begins = |one: &&Datagram| {
                let header = one.header();
                header.exchange_type == ExchangeType::IKE_FOLLOWUP_KE && !header.flags.response
            };
            let from: std::collections::BTreeSet<_> =
                net.log.iter().filter(begins).map(|one| one.from).collect();
            assert_eq!(from.len(), 1, "seed {seed}, of the IKE SA: {ike}");
        }
    }
}

/// The same when the answer to one of them is lost, and the other is over when it comes again.
#[test]
fn a_rekeying_that_is_answered_late_does_not_go_on_against_one_that_is_made() {
    for ike in [true, false] {
        let mut stopped = 0;
        for seed in 0..8 {
            let configs = config_pair(same_psk())
                .map(|config| ConnectionConfig { post_quantum: PostQuantum::Require, ..config });
            let mut net = Net::new(870 + seed, configs);
            net.run(secs(1));
            let west = net.ends[WEST].ike_sas()[0].local;
            let mut lost = 0;
            net.filter = Some(Box::new(move |one, _| {
                let header = one.header();
                let answer = header.exchange_type == ExchangeType::CREATE_CHILD_SA
                    && header.flags.response
                    && one.to == west;
                lost += u32::from(answer);
                !answer || lost > 1
            }));
            net.log.clear();
            for end in [WEST, EAST] {
                net.at(end, |endpoint, at| match ike {
                    true => endpoint.rekey_ike(CONNECTION, at),
                    false => endpoint.rekey_child(CONNECTION, SLOT, at),
                });
            }
            net.run(secs(2));
            net.assert_one_tunnel();
            let goes_on = |one: &Datagram| {
                let header = one.header();
                let asks = !header.flags.response && one.from == west;
                asks && header.exchange_type == ExchangeType::IKE_FOLLOWUP_KE
            };
            stopped += usize::from(!net.log.iter().any(goes_on));
        }
        assert!((1..8).contains(&stopped), "West stops {stopped} times of 8");
    }
}

/// "In this case, a TEMPORARY_FAILURE notification MUST be sent" (RFC 9370 §2.2.4).
#[test]
fn whoever_asks_for_what_is_being_followed_up_is_put_off() {
    for ike in [true, false] {
        let mut configs = config_pair(same_psk());
        for config in &mut configs {
            config.post_quantum = PostQuantum::Require;
        }
        let mut net = Net::new(850, configs);
        net.run(secs(1));
        // Every IKE_FOLLOWUP_KE of East is lost, and East is asked for the same meanwhile.
        let east = net.ends[EAST].ike_sas()[0].local;
        net.filter = Some(Box::new(move |one, _| {
            one.from != east || one.header().exchange_type != ExchangeType::IKE_FOLLOWUP_KE
        }));
        let rekey = |net: &mut Net, end: usize| {
            net.at(end, |endpoint, at| match ike {
                true => endpoint.rekey_ike(CONNECTION, at),
                false => endpoint.rekey_child(CONNECTION, SLOT, at),
            });
        };
        rekey(&mut net, EAST);
        net.run(ms(100));
        net.log.clear();
        // West has granted that, and does not ask for another before it is over.
        rekey(&mut net, WEST);
        net.run(ms(100));
        let asks = |one: &&Datagram| one.header().exchange_type == ExchangeType::CREATE_CHILD_SA;
        assert_eq!(net.log.iter().filter(asks).count(), 0);
        net.run(secs(16));
        let answers = net.log.iter().filter(asks).filter(|one| one.header().flags.response);
        assert!(answers.count() >= 1, "West asks when East has taken too long");
        assert_eq!([WEST, EAST].map(|end| net.ends[end].children()), [1, 1], "and is put off");
        net.filter = None;
        net.run(secs(40));
        net.assert_one_tunnel();
    }
}

/// "Protocol ID (1 octet) MUST be 1", without an SPI, and the type is 16419 (RFC 6290 §4.1).
#[test]
fn a_token_is_of_the_ike_sa() {
    let id = IkeSaId { local: IkeSpi([1; 8]), remote: IkeSpi([2; 8]) };
    let secret = crate::crypto::secret::Secret::copy_of(&[7; 32]);
    let Payload::Notify(token) = crash::token(&secret, id, [192, 0, 2, 1].into()) else {
        unreachable!()
    };
    assert_eq!((token.protocol, token.spi.len()), (ProtocolId::IKE, 0));
    assert_eq!(token.notify_type, NotifyType(16419));
}

/// SPIs below 256 are reserved, and a datagram of the SPI zero would be one of IKE (RFC 4303 §2.1,
/// RFC 3948 §2.1).
#[test]
fn a_reserved_spi_is_refused() {
    for spi in [0, 1, 255] {
        let mut peer = RawPeer::connect();
        let request = peer.child_request("aes256gcm16-esn", spi);
        let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
        assert_eq!(answer, [notify(NotifyType::INVALID_SYNTAX, [])], "{spi}");
    }
    let mut peer = RawPeer::connect();
    let request = peer.child_request("aes256gcm16-esn", 256);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    let ours = &Payloads(&answer).sa().expect("a Child SA").proposals[0].spi;
    assert!(ours[..3] != [0; 3], "ours is not reserved either: {ours:?}");
}

/// "The recipient MUST drop the message that contains an invalid KE payload" (RFC 6989 §2.5).
#[test]
fn a_bad_public_value_in_ike_sa_init_is_dropped() {
    let (mut net, request) = first_request();
    let mut message = Message::decode(request.message()).unwrap();
    for payload in &mut message.payloads {
        if let Payload::KeyExchange(public) = payload {
            public.data.fill(0);
        }
    }
    assert!(answered(&mut net, &request, message.encode()).is_empty());
    // The true one is answered all the same.
    assert_eq!(answered(&mut net, &request, request.bytes.clone()).len(), 1);
}

/// "The Initiator getting this reply MUST immediately delete the IKE SA by sending an IKE SA Delete
/// notification as a new exchange" (RFC 6989 §2.5).
#[test]
fn a_bad_public_value_in_an_answer_deletes_the_ike_sa() {
    let (mut peer, request, asked) = asked_to_rekey();
    let mut payloads = granted(&asked, &[]);
    let offer = Payloads(&asked).sa().expect("an offer");
    let curve = Transform::new(TransformType::KE, KeyExchangeMethod::CURVE25519);
    let chosen = offer.proposals.iter().find(|one| one.transforms.contains(&curve));
    let mut chosen = chosen.expect("Curve25519 is offered").clone();
    let is_plain = |one: &Transform| one.transform_type != TransformType::KE || *one == curve;
    chosen.transforms.retain(|one| is_plain(one) && one.transform_type.0 < TransformType::ADDKE1.0);
    chosen.spi = vec![0, 0, 0x70, 1];
    payloads[0] = Payload::SecurityAssociation(SecurityAssociation { proposals: vec![chosen] });
    let method = KeyExchangeMethod::CURVE25519;
    payloads.push(Payload::KeyExchange(KeyExchange { method, data: vec![0; 32] }));
    let sent = answer(&mut peer, &request, &payloads);
    let delete = peer.keys.open.open(sent.first().expect("a request")).expect("authentic");
    let ike = Payload::Delete(Delete { protocol: ProtocolId::IKE, spis: Vec::new() });
    assert_eq!(delete.payloads().unwrap(), [ike]);
    assert!(!peer.is_up());
}

/// "The responder MUST treat all of the omitted ADDKE transforms as if they were proposed with Transform
/// ID NONE" (RFC 9370 §2.2.1).
#[test]
fn a_key_exchange_at_a_later_place_is_made_alone() {
    let mut peer = RawPeer::connect();
    let mut request = hybrid_rekeying(&peer);
    let Payload::SecurityAssociation(sa) = &mut request[0] else { unreachable!() };
    let place = sa.proposals[0].transforms.last_mut().unwrap();
    place.transform_type = TransformType(TransformType::ADDKE1.0 + 4);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    let chosen = &Payloads(&answer).sa().expect("a Child SA").proposals[0].transforms;
    let additional = |one: &&Transform| one.transform_type.0 >= TransformType::ADDKE1.0;
    let chosen: Vec<_> = chosen.iter().filter(additional).collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0].transform_type, TransformType(TransformType::ADDKE1.0 + 4));
    let link = Payloads(&answer).notify(NotifyType::ADDITIONAL_KEY_EXCHANGE).expect("a link");
    let kem = kex::KeyExchange::from_seed(Group::MlKem768, &[1; 32]).unwrap();
    let next = [public_value(&kem), Payload::Notify(link.clone())];
    let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &next).expect("an answer");
    assert!(Payloads(&answer).key_exchange().is_some(), "{answer:?}");
    assert_eq!(peer.children(), 2);
}

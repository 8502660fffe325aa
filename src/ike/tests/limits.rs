//! Peers that prove who they are and then ask for too much, and strangers in crowds.

use super::net::*;
use super::raw_peer::{Again, RawPeer};
use crate::crypto::kex::{Group, KeyExchange};
use crate::crypto::suite::IkeSuite;
use crate::ike::keys::Secrets;
use crate::ike::keys::{Nonces, Spis};
use crate::ike::payloads::{Payloads, public_value};
use crate::ike::proposal;
use crate::ike::*;
use crate::random::Random;
use crate::wire::ike::{Delete, ExchangeType, IkeSpi, Message, NotifyType, Payload, ProtocolId};
use std::net::SocketAddr;

/// More than any limit.
const STORM: usize = 1000;

fn refused(peer: &RawPeer, reason: Discard) -> u64 {
    peer.endpoint.stats().discarded(reason)
}

fn excess(peer: &RawPeer) -> u64 {
    peer.endpoint.view(CONNECTION).expect("a connection").excess
}

fn notified(answer: &[Payload]) -> Option<NotifyType> {
    answer.iter().find_map(|payload| match payload {
        Payload::Notify(notify) => Some(notify.notify_type),
        _ => None,
    })
}

/// Replaces the IKE SA and goes on with the new one; what the answer says if there is none.
fn rekey(peer: &mut RawPeer) -> Result<(), Option<NotifyType>> {
    let suite: IkeSuite = "aes256gcm16-prfsha384-curve25519".parse().unwrap();
    let ours = KeyExchange::generate(Group::Curve25519, &mut peer.random).unwrap();
    let (mut spi, mut nonce) = ([0; 8], vec![0; 32]);
    peer.random.fill(&mut spi);
    peer.random.fill(&mut nonce);
    let request = [
        Payload::SecurityAssociation(proposal::offer(&[suite], proposal::Beside::NOTHING, &spi)),
        Payload::Nonce(nonce.clone()),
        public_value(&ours),
    ];
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    let payloads = Payloads(&answer);
    let Some(sa) = payloads.sa() else { return Err(notified(&answer)) };
    let responder = sa.proposals[0].spi.as_slice().try_into().expect("an SPI of 8 octets");
    let shared = ours.agree(&payloads.key_exchange().unwrap().data).unwrap();
    let nonces = Nonces { initiator: nonce, responder: payloads.nonce().unwrap().clone() };
    peer.spis = Spis { initiator: IkeSpi(spi), responder: IkeSpi(responder) };
    peer.keys = peer
        .keys
        .rekeyed(suite, &Secrets::first(shared), &nonces, peer.spis, Role::Initiator)
        .unwrap();
    peer.next_id = 0;
    Ok(())
}

#[test]
fn a_peer_that_replaces_its_ike_sa_without_end_is_put_off() {
    let mut peer = RawPeer::connect();
    let mut made = 0;
    let refusal = loop {
        match rekey(&mut peer) {
            Ok(()) => made += 1,
            Err(refusal) => break refusal,
        }
        assert!(made < STORM, "there is no limit");
    };
    assert_eq!(refusal, Some(NotifyType::TEMPORARY_FAILURE));
    assert_eq!((refused(&peer, Discard::TooManyRekeyings), excess(&peer)), (1, 1));
    assert!(peer.is_up());
    peer.now += secs(2);
    assert_eq!(rekey(&mut peer), Ok(()), "later it may again");
}

#[test]
fn a_peer_that_makes_and_deletes_child_sas_without_end_is_put_off() {
    let mut peer = RawPeer::connect();
    let ask = |peer: &mut RawPeer, number: u32| {
        let spi = 0x7000_0000 + number;
        let request = peer.child_request("aes256gcm16-esn", spi);
        let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
        let spis = vec![spi.to_be_bytes().to_vec()];
        let delete = [Payload::Delete(Delete { protocol: ProtocolId::ESP, spis })];
        peer.ask(ExchangeType::INFORMATIONAL, &delete).expect("an answer");
        notified(&answer)
    };
    let refusal = (0..STORM as u32).find_map(|number| ask(&mut peer, number));
    assert_eq!(refusal, Some(NotifyType::TEMPORARY_FAILURE));
    assert_eq!(refused(&peer, Discard::TooManyChildSas), 1);
    assert_eq!(peer.children(), 1, "the first one is unharmed");
    peer.now += secs(2);
    assert_eq!(ask(&mut peer, STORM as u32), None, "later it may again");
}

#[test]
fn a_peer_that_asks_without_end_is_not_heard_for_a_moment() {
    let mut peer = RawPeer::connect();
    let (mut answered, mut unheard) = (0, None);
    while unheard.is_none() {
        let request = peer.seal_next(ExchangeType::INFORMATIONAL, &[]);
        match peer.deliver_and_open(&request) {
            Some(_) => answered += 1,
            None => unheard = Some(request),
        }
        assert!(answered < STORM, "there is no limit");
    }
    assert!(answered >= 100, "an honest peer asks for as much");
    assert_eq!(refused(&peer, Discard::TooManyRequests), 1);
    peer.now += secs(1);
    let answer = peer.deliver_and_open(&unheard.unwrap());
    assert_eq!(answer, Some(Vec::new()), "as if the network had lost it");
}

#[test]
fn a_peer_that_connects_without_end_is_not_answered_for_a_moment() {
    let mut peer = RawPeer::connect();
    let mut made = 1;
    let request = loop {
        match peer.connect_again() {
            Again::Ignored => panic!("IKE_SA_INIT is answered"),
            Again::PutOff(request) => break request,
            Again::Answered(answer) => assert!(Payloads(&answer).sa().is_some()),
        }
        made += 1;
        assert!(made < STORM, "there is no limit");
    };
    assert!(made >= 10, "a peer may restart a few times");
    assert_eq!(excess(&peer), 1);
    assert_eq!(peer.deliver_and_open(&request), None, "it is not even looked at");
    assert_eq!(excess(&peer), 1);
    assert_eq!(refused(&peer, Discard::TooManyIkeSas), 2);
    peer.now += secs(1);
    let answer = peer.deliver_and_open(&request).expect("an answer to the repetition");
    assert!(Payloads(&answer).sa().is_some());
}

#[test]
fn ike_sas_of_one_connection_do_not_pile_up() {
    let mut peer = RawPeer::connect();
    for _ in 0..60 {
        peer.now += ms(500);
        assert!(matches!(peer.connect_again(), Again::Answered(_)));
        assert!(peer.endpoint.established() <= 25, "{}", peer.endpoint.established());
    }
    assert!(refused(&peer, Discard::TooManyIkeSas) > 0);
    assert!(peer.is_up());
}

#[test]
fn a_stranger_who_guesses_secrets_is_soon_ignored() {
    let mut peer = RawPeer::connect();
    let right = std::mem::replace(&mut peer.credentials, psk("a guess"));
    let mut guesses = 0;
    loop {
        match peer.connect_again() {
            Again::Ignored => break,
            Again::PutOff(_) => panic!("a refusal is told"),
            Again::Answered(answer) => {
                assert_eq!(notified(&answer), Some(NotifyType::AUTHENTICATION_FAILED));
            }
        }
        guesses += 1;
        assert!(guesses < STORM, "there is no limit");
    }
    assert!(guesses >= 10, "an operator may need a few tries");
    assert_eq!(refused(&peer, Discard::FailedBefore), 1);
    assert!(peer.is_up(), "the peer's IKE SA is unharmed");
    let (told, failed) = (&peer.events, peer.endpoint.view(CONNECTION).unwrap().last_failure);
    assert!(told.iter().any(|event| matches!(event, Event::Suspected { .. })));
    assert_eq!(failed, None, "nothing is known of the peer itself");
    peer.credentials = right;
    peer.now += secs(2);
    assert!(matches!(peer.connect_again(), Again::Answered(_)), "later it is heard again");
}

/// An endpoint without cookies that has so many places for half-open IKE SAs.
fn crowded(total: usize, configs: [ConnectionConfig; 2]) -> Net {
    let half_open = HalfOpenLimits {
        total,
        per_source: 4,
        cookies_above: usize::MAX,
        cookies_above_per_source: usize::MAX,
        ..HalfOpenLimits::default()
    };
    Net::with_settings(71, configs, EndpointConfig { half_open, ..EndpointConfig::default() })
}

/// So many strangers begin as many IKE SAs as they can.
fn crowd(net: &mut Net, strangers: u8, request: &Datagram) {
    for host in 0..strangers {
        for number in 0..10 {
            let mut bytes = request.bytes.clone();
            bytes[..8].copy_from_slice(&[9, 9, 9, 9, 9, 9, host, number]);
            let from = SocketAddr::new([203, 0, 113, host].into(), 500);
            net.deliver(Datagram { from, bytes, ..request.clone() });
        }
    }
}

#[test]
fn strangers_who_take_all_places_keep_nobody_out() {
    for anywhere in [false, true] {
        let [mut west, mut east] = config_pair((psk("a secret"), psk("a secret")));
        west.initiate = false;
        if anywhere {
            east.remote = RemoteAddress::Any;
        }
        // Another connection lets strangers come as far as IKE_AUTH.
        let other = ConnectionConfig {
            remote: RemoteAddress::Any,
            remote_id: Identity::Fqdn("other.example".into()),
            ..east.clone()
        };
        let mut net = crowded(12, [west, east]);
        net.at(EAST, |endpoint, at| endpoint.add_connection(ConnectionId(8), other, at));
        net.at(WEST, |endpoint, at| endpoint.initiate(CONNECTION, at));
        let request = net.log.last().expect("IKE_SA_INIT").clone();
        crowd(&mut net, 3, &request);
        let full = net.ends[EAST].endpoint.stats().discarded(Discard::HalfOpenPerSource);
        assert!(full > 0, "the crowd has what it can get");
        net.run(secs(1));
        net.assert_one_tunnel();
        let displaced = net.ends[EAST].endpoint.stats().discarded(Discard::HalfOpenDisplaced);
        assert_eq!(displaced, u64::from(anywhere), "who is expected displaces nobody");
    }
}

#[test]
fn what_strangers_say_at_the_peers_address_is_no_failure_of_the_peer() {
    let [west, east] = config_pair((psk("a secret"), psk("a secret")));
    let mut net = Net::new(72, [west, east]);
    let request = net.log[0].clone();
    net.run(secs(1));
    net.assert_one_tunnel();
    let suite: IkeSuite = "aes256-sha1-modp1024".parse().unwrap(); // no default
    let mut message = Message::decode(request.message()).expect("IKE_SA_INIT");
    for number in 0..100u8 {
        message.header.initiator_spi = IkeSpi([7, 7, 7, 7, 7, 7, 7, number]);
        message.payloads.retain(|payload| !matches!(payload, Payload::SecurityAssociation(_)));
        message.payloads.push(Payload::SecurityAssociation(proposal::offer(
            &[suite],
            proposal::Beside::NOTHING,
            &[],
        )));
        net.deliver(Datagram { bytes: message.encode(), ..request.clone() });
    }
    let told = net.ends[EAST].count(|event| matches!(event, Event::Suspected { .. }));
    assert_eq!(told, 1, "what may be said by anybody is said seldom");
    assert_eq!(net.ends[EAST].count(|event| matches!(event, Event::Failed { .. })), 0);
    let view = net.ends[EAST].endpoint.view(CONNECTION).expect("a connection");
    assert_eq!((view.last_failure, view.state), (None, ConnectionState::Up));
}

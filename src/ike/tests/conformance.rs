//! What an authenticated peer may say, and what RFC 7296 answers.

use super::net::{secs, selectors};
use super::raw_peer::{FIRST_SPI, RawPeer, assert_unharmed, inform};
use crate::ike::*;
use crate::wire::ike::*;

fn notified(payloads: &[Payload]) -> Vec<NotifyType> {
    let notify_type = |payload: &Payload| match payload {
        Payload::Notify(notify) => Some(notify.notify_type),
        _ => None,
    };
    payloads.iter().filter_map(notify_type).collect()
}

fn unknown(critical: bool) -> Payload {
    let payload_type = PayloadType(200);
    Payload::Unknown(UnknownPayload { payload_type, critical, body: vec![1, 2, 3] })
}

fn esp_notify(notify_type: NotifyType, spi: u32) -> Payload {
    let (protocol, spi) = (ProtocolId::ESP, spi.to_be_bytes().to_vec());
    Payload::Notify(Notify { protocol, spi, notify_type, data: Vec::new() })
}

fn notify(notify_type: NotifyType, data: impl Into<Vec<u8>>) -> Payload {
    Payload::Notify(Notify::new(notify_type, data))
}

fn esp_delete(spis: &[u32]) -> Payload {
    let spis = spis.iter().map(|spi| spi.to_be_bytes().to_vec()).collect();
    Payload::Delete(Delete { protocol: ProtocolId::ESP, spis })
}

/// Asks; the notifications in the answer.
fn ask(peer: &mut RawPeer, exchange: ExchangeType, payloads: &[Payload]) -> Vec<NotifyType> {
    notified(&peer.ask(exchange, payloads).expect("an answer"))
}

fn create(peer: &mut RawPeer, payloads: &[Payload]) -> Vec<NotifyType> {
    ask(peer, ExchangeType::CREATE_CHILD_SA, payloads)
}

#[test]
fn an_unknown_critical_payload_is_named_and_changes_nothing() {
    let mut peer = RawPeer::connect();
    let delete = esp_delete(&[FIRST_SPI]);
    let answer = inform(&mut peer, &[delete, unknown(true)]);
    let [Payload::Notify(notify)] = answer.as_slice() else { panic!("{answer:?}") };
    assert_eq!(notify.notify_type, NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD);
    assert_eq!(notify.data, [200]); // RFC 7296 §2.5
    assert_unharmed(&mut peer);
}

#[test]
fn an_unknown_payload_that_is_not_critical_is_skipped() {
    let mut peer = RawPeer::connect();
    assert_eq!(inform(&mut peer, &[unknown(false)]), []);
    let status = Notify::new(NotifyType(40_999), [1, 2, 3]);
    let error = Notify::new(NotifyType(9_999), []);
    assert_eq!(inform(&mut peer, &[Payload::Notify(status), Payload::Notify(error)]), []);
    assert_unharmed(&mut peer);
}

#[test]
fn a_second_child_sa_comes_up_beside_the_first() {
    let mut peer = RawPeer::connect();
    let request = peer.child_request("aes256gcm16-esn", 0x6001);
    assert_eq!(create(&mut peer, &request), []);
    assert_eq!(peer.children(), 2);
}

#[test]
fn rekeying_an_unknown_child_sa_is_answered_with_its_spi() {
    let mut peer = RawPeer::connect();
    let mut request = vec![esp_notify(NotifyType::REKEY_SA, 0x7777)];
    request.extend(peer.child_request("aes256gcm16-esn", 0x6001));
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).unwrap();
    let [Payload::Notify(notify)] = answer.as_slice() else { panic!("{answer:?}") };
    assert_eq!(notify.notify_type, NotifyType::CHILD_SA_NOT_FOUND);
    assert_eq!((notify.protocol, &notify.spi[..]), (ProtocolId::ESP, &[0, 0, 0x77, 0x77][..]));
    assert_unharmed(&mut peer);
}

#[test]
fn traffic_of_others_is_refused_and_the_ike_sa_stays() {
    let mut peer = RawPeer::connect();
    let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
    request[2] = Payload::TrafficSelectorsResponder(selectors(&["172.16.0.0/12"]).into());
    assert_eq!(create(&mut peer, &request), [NotifyType::TS_UNACCEPTABLE]);
    assert_unharmed(&mut peer);
}

#[test]
fn wider_traffic_is_narrowed() {
    let mut peer = RawPeer::connect();
    let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
    request[1] = Payload::TrafficSelectorsInitiator(selectors(&["0.0.0.0/0"]).into());
    request[2] = Payload::TrafficSelectorsResponder(selectors(&["0.0.0.0/0"]).into());
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).unwrap();
    let narrowed = answer.iter().any(|payload| {
        *payload == Payload::TrafficSelectorsResponder(selectors(&["10.2.0.0/16"]).into())
    });
    assert!(narrowed, "{answer:?}");
}

#[test]
fn a_cipher_that_nobody_configured_is_refused_and_the_ike_sa_stays() {
    let mut peer = RawPeer::connect();
    let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
    let Payload::SecurityAssociation(sa) = &mut request[0] else { unreachable!() };
    sa.proposals[0].transforms[0] =
        Transform::new(TransformType::ENCR, EncryptionId(12)).with_key_length(128);
    assert_eq!(create(&mut peer, &request), [NotifyType::NO_PROPOSAL_CHOSEN]);
    assert_unharmed(&mut peer);
}

#[test]
fn a_proposal_with_an_unknown_type_of_transform_is_not_chosen() {
    let mut peer = RawPeer::connect();
    let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
    let Payload::SecurityAssociation(sa) = &mut request[0] else { unreachable!() };
    sa.proposals[0].transforms.push(Transform::new(TransformType(99), 1_u16));
    assert_eq!(create(&mut peer, &request), [NotifyType::NO_PROPOSAL_CHOSEN]);
    assert_unharmed(&mut peer);
}

#[test]
fn a_missing_key_exchange_is_asked_for_with_its_group() {
    let mut peer = RawPeer::connect();
    let request = peer.child_request("aes256gcm16-curve25519-esn", 0x6001);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).unwrap();
    let [Payload::Notify(notify)] = answer.as_slice() else { panic!("{answer:?}") };
    assert_eq!(notify.notify_type, NotifyType::INVALID_KE_PAYLOAD);
    assert_eq!(notify.data, [0, 31]);
    assert_unharmed(&mut peer);
}

/// RFC 6989 §2.5: such a peer is malicious or broken.
#[test]
fn a_public_value_of_small_order_is_a_syntax_error() {
    for len in [32, 31] {
        let mut peer = RawPeer::connect();
        let mut request = peer.child_request("aes256gcm16-curve25519-esn", 0x6001);
        let method = KeyExchangeMethod::CURVE25519;
        request.push(Payload::KeyExchange(KeyExchange { method, data: vec![0; len] }));
        assert_eq!(create(&mut peer, &request), [NotifyType::INVALID_SYNTAX]);
    }
}

#[test]
fn a_public_value_of_small_order_does_not_rekey_the_ike_sa() {
    let mut peer = RawPeer::connect();
    let suite = "aes256gcm16-prfsha384-curve25519".parse::<crate::crypto::suite::IkeSuite>();
    let offer = crate::ike::proposal::offer(
        &[suite.unwrap()],
        crate::ike::proposal::Beside::NOTHING,
        &[3; 8],
    );
    let method = KeyExchangeMethod::CURVE25519;
    let request = [
        Payload::SecurityAssociation(offer),
        Payload::Nonce(vec![7; 32]),
        Payload::KeyExchange(KeyExchange { method, data: vec![0; 32] }),
    ];
    assert_eq!(create(&mut peer, &request), [NotifyType::INVALID_SYNTAX]);
}

#[test]
fn a_request_without_a_nonce_is_a_syntax_error() {
    let mut peer = RawPeer::connect();
    let request = peer.child_offer("aes256gcm16-esn", 0x6001);
    assert_eq!(create(&mut peer, &request), [NotifyType::INVALID_SYNTAX]);
    assert!(!peer.is_up());
    assert_eq!(peer.children(), 0);
}

#[test]
fn payloads_that_do_not_parse_are_a_syntax_error() {
    let mut peer = RawPeer::connect();
    // An SA payload of four octets.
    let broken = Payload::Unknown(UnknownPayload {
        payload_type: PayloadType::SA,
        critical: false,
        body: vec![0xff; 4],
    });
    assert_eq!(create(&mut peer, &[broken]), [NotifyType::INVALID_SYNTAX]);
    assert!(!peer.is_up());
}

#[test]
fn an_exchange_of_an_unknown_type_gets_an_answer() {
    let mut peer = RawPeer::connect();
    let answer = peer.ask(ExchangeType(240), &[]).expect("an answer, or the window hangs");
    assert_eq!(notified(&answer), [NotifyType::INVALID_SYNTAX]);
}

#[test]
fn a_flood_of_child_sas_is_bounded() {
    let mut peer = RawPeer::connect();
    for spi in 0x6000..0x6100 {
        let request = peer.child_request("aes256gcm16-esn", spi);
        let answer = create(&mut peer, &request);
        assert!(answer.is_empty() || answer == [NotifyType::NO_ADDITIONAL_SAS]);
    }
    assert!(peer.children() <= 32);
    assert!(peer.is_up());
}

#[test]
fn deleting_unknown_child_sas_is_answered_with_nothing() {
    let mut peer = RawPeer::connect();
    assert_eq!(inform(&mut peer, &[esp_delete(&[0x7777, 0x8888])]), []);
    assert_eq!(inform(&mut peer, &[esp_delete(&[])]), []);
    assert_unharmed(&mut peer);
}

#[test]
fn deleting_a_child_sa_is_answered_with_the_other_direction() {
    let mut peer = RawPeer::connect();
    // Named twice: it goes once.
    let answer = inform(&mut peer, &[esp_delete(&[FIRST_SPI, 0x7777, FIRST_SPI])]);
    let spis = vec![peer.first_outbound.clone()];
    assert_eq!(answer, [Payload::Delete(Delete { protocol: ProtocolId::ESP, spis })]);
    assert_eq!(peer.children(), 0);
    let downs = peer.events.iter().filter(|event| matches!(event, Event::ChildDown { .. }));
    assert_eq!(downs.count(), 1);
}

#[test]
fn a_child_sa_that_the_peer_has_lost_is_replaced_at_once() {
    let mut peer = RawPeer::connect();
    let unknown = notify(NotifyType::INVALID_SPI, 0x7777u32.to_be_bytes());
    assert_eq!(inform(&mut peer, &[unknown]), []);
    assert_unharmed(&mut peer);
    peer.now += secs(5);
    let lost = notify(NotifyType::INVALID_SPI, FIRST_SPI.to_be_bytes());
    let request = peer.seal_next(ExchangeType::INFORMATIONAL, &[lost]);
    let sent = peer.deliver(&request);
    let went =
        |event: &Event| matches!(event, Event::ChildDown { reason: DownReason::LostByPeer, .. });
    assert_eq!(peer.events.iter().filter(|event| went(event)).count(), 1);
    let asks = |bytes: &&Vec<u8>| !Header::decode(bytes).unwrap().flags.response;
    let delete = sent.iter().find(asks).expect("a Delete");
    let delete = Header::decode(delete).unwrap();
    assert_eq!(delete.exchange_type, ExchangeType::INFORMATIONAL);
    let header = peer.header(ExchangeType::INFORMATIONAL, true, delete.message_id.0);
    let answer = peer.keys.seal.seal(&header, &[]);
    let next = peer.deliver(&answer);
    let create = Header::decode(next.first().expect("a request")).unwrap();
    assert_eq!(create.exchange_type, ExchangeType::CREATE_CHILD_SA);
    assert!(peer.is_up());
}

#[test]
fn a_cookie_is_copied_if_it_is_one() {
    let mut peer = RawPeer::connect();
    let cookie = notify(NotifyType::COOKIE2, [3; 16]);
    let asked = std::slice::from_ref(&cookie);
    assert_eq!(inform(&mut peer, asked), asked); // RFC 4555 §4.2.5
    assert_eq!(inform(&mut peer, &[notify(NotifyType::COOKIE2, [3; 65])]), []);
    assert_unharmed(&mut peer);
}

#[test]
fn deleting_the_ike_sa_ends_all() {
    let mut peer = RawPeer::connect();
    let delete = Payload::Delete(Delete { protocol: ProtocolId::IKE, spis: Vec::new() });
    assert_eq!(inform(&mut peer, &[delete]), []);
    assert!(!peer.is_up());
    assert_eq!(peer.children(), 0);
    let downs = peer.events.iter().filter(|event| matches!(event, Event::Down { .. }));
    assert_eq!(downs.count(), 1);
}

#[test]
fn a_repeated_request_gets_the_same_octets_and_is_done_once() {
    let mut peer = RawPeer::connect();
    let request = peer.child_request("aes256gcm16-esn", 0x6001);
    let request = peer.seal_next(ExchangeType::CREATE_CHILD_SA, &request);
    let first = peer.deliver(&request);
    assert_eq!((first.len(), peer.children()), (1, 2));
    for _ in 0..3 {
        assert_eq!(peer.deliver(&request), first);
        assert_eq!(peer.children(), 2);
    }
}

#[test]
fn requests_outside_the_window_get_no_answer() {
    let mut peer = RawPeer::connect();
    for id in [peer.next_id + 1, peer.next_id + 1000, u32::MAX, 0, 1] {
        let header = peer.header(ExchangeType::INFORMATIONAL, false, id);
        let sealed = peer.keys.seal.seal(&header, &[]);
        assert_eq!(peer.deliver(&sealed), Vec::<Vec<u8>>::new(), "message {id}");
    }
    assert_unharmed(&mut peer);
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut peer = RawPeer::connect();
    let delete = Payload::Delete(Delete { protocol: ProtocolId::IKE, spis: Vec::new() });
    for id in [0, 1, 2, u32::MAX] {
        let header = peer.header(ExchangeType::INFORMATIONAL, true, id);
        let sealed = peer.keys.seal.seal(&header, std::slice::from_ref(&delete));
        assert_eq!(peer.deliver(&sealed), Vec::<Vec<u8>>::new());
    }
    assert_unharmed(&mut peer);
}

#[test]
fn an_answer_of_another_exchange_type_is_not_taken() {
    let mut peer = RawPeer::connect();
    let probe = peer.await_request();
    let asked = Header::decode(&probe).unwrap();
    assert_eq!(asked.exchange_type, ExchangeType::INFORMATIONAL);
    let header = peer.header(ExchangeType::CREATE_CHILD_SA, true, asked.message_id.0);
    let sealed = peer.keys.seal.seal(&header, &[]);
    peer.deliver(&sealed);
    let again = peer.await_request();
    assert_eq!(again, probe, "the probe is still unanswered");
}

#[test]
fn what_comes_in_the_clear_is_ignored() {
    let mut peer = RawPeer::connect();
    let header = peer.header(ExchangeType::INFORMATIONAL, false, peer.next_id);
    let delete = Payload::Delete(Delete { protocol: ProtocolId::IKE, spis: Vec::new() });
    let plain = Message { header, payloads: vec![delete] }.encode();
    assert_eq!(peer.deliver(&plain), Vec::<Vec<u8>>::new());
    assert_unharmed(&mut peer);
}

#[test]
fn unprotected_errors_do_not_end_an_ike_sa() {
    let mut peer = RawPeer::connect();
    let probe = peer.await_request();
    let asked = Header::decode(&probe).unwrap();
    for error in [NotifyType::INVALID_IKE_SPI, NotifyType::INVALID_SYNTAX] {
        let header = peer.header(ExchangeType::INFORMATIONAL, true, asked.message_id.0);
        let payloads = vec![Payload::Notify(Notify::new(error, []))];
        peer.deliver(&Message { header, payloads }.encode());
    }
    assert!(peer.is_up());
    peer.now += secs(1);
    assert!(peer.is_up());
}

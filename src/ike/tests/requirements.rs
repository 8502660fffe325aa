//! Demands of RFC 7296 and its extensions of which no other test tells; docs/requirements.md names for each
//! demand the test that shows it.

mod extensions;

use super::net::*;
use super::raw_peer::{FIRST_SPI, RawPeer, assert_unharmed, inform};
use crate::crypto::kex::{self, Group};
use crate::crypto::suite::{EspSuite, IkeSuite};
use crate::ike::payloads::{Payloads, public_value};
use crate::ike::proposal;
use crate::ike::*;
use crate::moment::Moment;
use crate::wire::ike::*;
use std::net::SocketAddr;

fn notify(notify_type: NotifyType, data: impl Into<Vec<u8>>) -> Payload {
    Payload::Notify(Notify::new(notify_type, data))
}

fn same_psk() -> (Credentials, Credentials) {
    (psk("one secret for both"), psk("one secret for both"))
}

/// A net in which nothing arrives by itself, and the IKE_SA_INIT of West.
fn first_request() -> (Net, Datagram) {
    let mut net = Net::new(800, config_pair(same_psk()));
    net.filter = Some(Box::new(|_, _| false));
    let request = net.log[0].clone();
    net.log.clear();
    (net, request)
}

/// What East answers to these octets in place of the IKE_SA_INIT.
fn answered(net: &mut Net, request: &Datagram, bytes: Vec<u8>) -> Vec<Datagram> {
    net.log.clear();
    net.deliver(Datagram { bytes, ..request.clone() });
    std::mem::take(&mut net.log)
}

/// "Implementations MUST NOT reject as invalid a message with those payloads in any other order"
/// (RFC 7296 §2.5).
#[test]
fn payloads_may_come_in_any_order() {
    let (mut net, request) = first_request();
    let mut message = Message::decode(request.message()).unwrap();
    message.payloads.reverse();
    let answers = answered(&mut net, &request, message.encode());
    let answer = Message::decode(answers[0].message()).unwrap();
    assert!(Payloads(&answer.payloads).sa().is_some(), "{answer:?}");

    let (mut peer, request) = RawPeer::half_open_saying(|payloads| payloads.reverse());
    peer.authenticate(&request);
    let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
    request.reverse();
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    assert!(Payloads(&answer).sa().is_some(), "{answer:?}");
    assert_eq!(peer.children(), 2);
}

/// "Implementations SHOULD send the payloads … in the order shown in the figures" (RFC 7296 §2.5).
#[test]
fn payloads_go_out_in_the_order_of_the_figures() {
    let places = |payloads: &[Payload], figure: &[PayloadType]| {
        let place = |kind: &PayloadType| {
            let found = payloads.iter().position(|payload| payload.payload_type() == *kind);
            found.unwrap_or_else(|| panic!("no {kind:?} in {payloads:?}"))
        };
        figure.iter().map(place).collect::<Vec<_>>()
    };
    let (mut net, request) = first_request();
    let answers = answered(&mut net, &request, request.bytes.clone());
    let init = [PayloadType::SA, PayloadType::KE, PayloadType::NONCE];
    for datagram in [&request, &answers[0]] {
        let message = Message::decode(datagram.message()).unwrap();
        assert!(places(&message.payloads, &init).is_sorted());
    }
    let (mut peer, request) = RawPeer::half_open();
    let answer = peer.deliver_and_open(&request).expect("an answer");
    let auth =
        [PayloadType::IDr, PayloadType::AUTH, PayloadType::SA, PayloadType::TSi, PayloadType::TSr];
    assert!(places(&answer, &auth).is_sorted());
}

/// "Such request messages … MUST only lead to an UNSUPPORTED_CRITICAL_PAYLOAD or INVALID_SYNTAX"
/// (RFC 7296 §2.21.2).
#[test]
fn an_ike_auth_that_cannot_be_read_is_answered_with_that_alone() {
    let unknown = |payload_type, critical| {
        Payload::Unknown(UnknownPayload { payload_type, critical, body: vec![0xff; 4] })
    };
    for (payload, expected) in [
        (unknown(PayloadType(200), true), notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, [200])),
        (unknown(PayloadType::SA, false), notify(NotifyType::INVALID_SYNTAX, [])),
    ] {
        let (mut peer, request) = RawPeer::half_open_saying(|payloads| payloads.push(payload));
        assert_eq!(peer.deliver_and_open(&request).expect("an answer"), [expected]);
        assert!(!peer.is_up());
    }
}

/// Nobody is taken for a peer who shows no AUTH: EAP is not done here (RFC 7296 §2.16).
#[test]
fn an_ike_auth_without_auth_fails_authentication() {
    let (mut peer, request) = RawPeer::half_open_saying(|payloads| {
        payloads.retain(|payload| !matches!(payload, Payload::Authentication(_)));
    });
    let failed = notify(NotifyType::AUTHENTICATION_FAILED, []);
    assert_eq!(peer.deliver_and_open(&request).expect("an answer"), [failed]);
    assert!(!peer.is_up());
}

/// "Either return an empty string or no CP payload if CP is not supported" (RFC 7296 §2.20), and no
/// CFG_REPLY is an answer to CFG_REQUEST, too (§2.19).
#[test]
fn configuration_payloads_are_passed_over() {
    let asks = Payload::Configuration(Configuration {
        cfg_type: ConfigurationType(1),
        attributes: vec![0, 1, 0, 0, 0, 7, 0, 0],
    });
    let (mut peer, request) =
        RawPeer::half_open_saying(|payloads| payloads.insert(0, asks.clone()));
    let answer = peer.deliver_and_open(&request).expect("an answer");
    assert!(!answer.iter().any(|payload| matches!(payload, Payload::Configuration(_))));
    assert!(peer.is_up());
    assert_eq!(inform(&mut peer, &[asks]), []);
    assert_unharmed(&mut peer);
}

/// A request for an IKE SA that is not there is answered where it came from, in the clear, with what
/// its header says, and a response is not answered at all (RFC 7296 §2.21.4).
#[test]
fn a_request_for_an_unknown_ike_sa_is_answered_in_the_clear_where_it_came_from() {
    let mut peer = RawPeer::connect();
    let (first, second) = (IkeSpi([1; 8]), IkeSpi([2; 8]));
    let message = |response: bool, minor: u8| {
        let flags = Flags { initiator: true, response, version: false };
        let exchange = ExchangeType::INFORMATIONAL;
        let header = Header::new(first, second, exchange, flags, MessageId(77));
        let header = Header { version: Version { major: 2, minor }, ..header };
        let marked = Message { header, payloads: Vec::new() }.encode();
        [&[0; 4], marked.as_slice()].concat()
    };
    let RemoteAddress::At(to) = peer.config.remote else { unreachable!("the pair has addresses") };
    let to = SocketAddr::new(to.ip(), 4500);
    let from: SocketAddr = "203.0.113.9:31337".parse().unwrap();
    let mut at = Moment::simulated(peer.now, &mut peer.random);
    peer.endpoint.handle_datagram(to, from, &message(true, 0), &mut at);
    assert!(peer.endpoint.poll_transmit().is_none());
    peer.endpoint.handle_datagram(to, from, &message(false, 5), &mut at);
    let transmit = peer.endpoint.poll_transmit().expect("an answer");
    assert_eq!((transmit.local, transmit.remote), (to, from));
    let answer = Message::decode(&transmit.bytes[4..]).unwrap();
    let Header { initiator_spi, responder_spi, version, message_id, flags, .. } = answer.header;
    assert_eq!((initiator_spi, responder_spi, message_id), (first, second, MessageId(77)));
    assert_eq!(flags, Flags { initiator: false, response: true, version: false });
    assert_eq!(version, Version::IKEV2, "the minor version is ours");
    let invalid = |payload: &Payload| matches!(payload, Payload::Notify(notify) if notify.notify_type == NotifyType::INVALID_IKE_SPI);
    assert!(invalid(&answer.payloads[0]), "{answer:?}");
}

/// RFC 7296 §2.5, §3.1.
#[test]
fn another_minor_version_is_passed_over_and_never_answered_with() {
    let mut peer = RawPeer::connect();
    let header = peer.header(ExchangeType::INFORMATIONAL, false, peer.next_id);
    let header = Header { version: Version { major: 2, minor: 9 }, ..header };
    let request = peer.keys.seal.seal(&header, &[]);
    let sent = peer.deliver(&request);
    let answer = Header::decode(sent.first().expect("an answer")).unwrap();
    assert_eq!((answer.version, answer.flags.response), (Version::IKEV2, true));
}

/// Bits that mean nothing are passed over, and sent as zero, and so is the bit for a higher version
/// (RFC 7296 §3.1).
#[test]
fn flags_that_mean_nothing_change_nothing() {
    const FLAGS: usize = 19;
    let (mut net, request) = first_request();
    let mut bytes = request.bytes.clone();
    bytes[FLAGS] |= 0b1101_0111;
    let answers = answered(&mut net, &request, bytes);
    assert_eq!(answers[0].message()[FLAGS], 0b0010_0000);
    assert_eq!(request.message()[FLAGS], 0b0000_1000);
}

/// "This value MUST NOT be zero" (RFC 7296 §3.1).
#[test]
fn an_initiator_without_an_spi_begins_nothing() {
    let (mut net, request) = first_request();
    let mut message = Message::decode(request.message()).unwrap();
    message.header.initiator_spi = IkeSpi::ZERO;
    assert!(answered(&mut net, &request, message.encode()).is_empty());
    assert_eq!(net.ends[EAST].endpoint.stats().discarded(Discard::Malformed), 1);
}

/// All that is reserved is zero, and no payload is critical, in what we say in the clear; the same
/// encoders make what we seal (RFC 7296 §2.5, §3.2, §3.3.1, §3.3.2, §3.4).
#[test]
fn reserved_octets_are_zero_and_no_payload_is_critical() {
    let mut net = Net::new(801, config_pair(same_psk()));
    net.run(secs(1));
    let mut seen = 0;
    let init = |one: &&Datagram| one.header().exchange_type == ExchangeType::IKE_SA_INIT;
    for datagram in net.log.iter().filter(init) {
        let message = datagram.message();
        let (mut kind, mut at) = (message[16], Header::LEN);
        while kind != 0 {
            let length = usize::from(u16::from_be_bytes([message[at + 2], message[at + 3]]));
            assert_eq!(message[at + 1], 0, "payload {kind}");
            let body = &message[at + 4..at + length];
            match PayloadType(kind) {
                PayloadType::SA => assert_eq!(reserved_in_sa(body), 0),
                PayloadType::KE => assert_eq!(body[2..4], [0, 0]),
                _ => {}
            }
            (kind, at, seen) = (message[at], at + length, seen + 1);
        }
    }
    assert!(seen >= 8, "{seen} payloads");
}

/// The sum of the reserved octets of all proposals and transforms.
fn reserved_in_sa(mut body: &[u8]) -> u32 {
    let mut sum = 0;
    while !body.is_empty() {
        let length = usize::from(u16::from_be_bytes([body[2], body[3]]));
        sum += u32::from(body[1]);
        let mut transforms = &body[8 + usize::from(body[6])..length];
        while !transforms.is_empty() {
            let length = usize::from(u16::from_be_bytes([transforms[2], transforms[3]]));
            sum += u32::from(transforms[1]) + u32::from(transforms[5]);
            transforms = &transforms[length..];
        }
        body = &body[length..];
    }
    sum
}

/// At least 128 bits, and half the key size of any PRF that we may agree on (RFC 7296 §2.10); SPIs of IKE
/// SAs are as hard to guess (RFC 6290 §9.3).
#[test]
fn nonces_suffice_for_every_prf_and_never_repeat() {
    let mut nonces = std::collections::BTreeSet::new();
    let mut spis = std::collections::BTreeSet::new();
    let mut made = 0;
    let key_sizes = [("prfsha256", 32), ("prfsha384", 48), ("prfsha512", 64)];
    for (seed, (prf, key_size)) in key_sizes.into_iter().enumerate() {
        let suite: IkeSuite = format!("aes256gcm16-{prf}-curve25519").parse().unwrap();
        let configs = config_pair(same_psk());
        let configs = configs.map(|config| ConnectionConfig { ike_suites: vec![suite], ..config });
        let mut net = Net::new(810 + seed as u64, configs);
        net.run(secs(1));
        net.assert_one_tunnel();
        let init = |one: &&Datagram| one.header().exchange_type == ExchangeType::IKE_SA_INIT;
        for datagram in net.log.iter().filter(init) {
            let message = Message::decode(datagram.message()).unwrap();
            let nonce = Payloads(&message.payloads).nonce().unwrap().clone();
            assert!(nonce.len() >= 16.max(key_size / 2), "{} octets for {prf}", nonce.len());
            nonces.insert(nonce);
            made += 1;
        }
        let id = net.ends[WEST].ike_sas()[0].id;
        spis.extend([id.local, id.remote]);
    }
    assert_eq!((nonces.len(), spis.len()), (made, 6));
    assert!(!spis.contains(&IkeSpi::ZERO));
}

/// "Include the COOKIE notification … as the first payload, and all other payloads unchanged"
/// (RFC 7296 §2.6).
#[test]
fn a_cookie_goes_before_all_else_which_stays_as_it_was() {
    let mut settings = EndpointConfig::default();
    settings.half_open.cookies_above = 0;
    let mut net = Net::with_settings(802, config_pair(same_psk()), settings);
    net.run(secs(1));
    net.assert_one_tunnel();
    let init = |one: &&Datagram| one.header().exchange_type == ExchangeType::IKE_SA_INIT;
    let all: Vec<Message> =
        net.log.iter().filter(init).map(|one| Message::decode(one.message()).unwrap()).collect();
    let [first, demand, second, _] = all.as_slice() else { panic!("{} messages", all.len()) };
    let [Payload::Notify(cookie)] = demand.payloads.as_slice() else { panic!("{demand:?}") };
    assert_eq!(cookie.notify_type, NotifyType::COOKIE);
    assert!((1..=64).contains(&cookie.data.len()));
    let (added, rest) = second.payloads.split_first().unwrap();
    assert_eq!((added, rest), (&demand.payloads[0], first.payloads.as_slice()));
    assert_eq!(first.header.initiator_spi, second.header.initiator_spi);
    assert_eq!(
        (demand.header.responder_spi, second.header.responder_spi),
        (IkeSpi::ZERO, IkeSpi::ZERO)
    );
}

/// "Other proposals in the same SA payload are processed as usual" (RFC 7296 §3.3.6).
#[test]
fn esp_is_chosen_also_when_ah_is_preferred_to_it() {
    let mut peer = RawPeer::connect();
    let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
    let Payload::SecurityAssociation(sa) = &mut request[0] else { unreachable!() };
    let esp = Proposal { number: 2, ..sa.proposals[0].clone() };
    let integrity = Transform::new(TransformType::INTEG, IntegrityId::HMAC_SHA2_256_128);
    let ah = Proposal {
        number: 1,
        protocol: ProtocolId::AH,
        transforms: vec![integrity],
        ..sa.proposals[0].clone()
    };
    sa.proposals = vec![ah, esp];
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    let chosen = Payloads(&answer).sa().unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!((chosen.proposals[0].number, chosen.proposals[0].protocol), (2, ProtocolId::ESP));
    assert_eq!(peer.children(), 2);
    let Payload::SecurityAssociation(sa) = &mut request[0] else { unreachable!() };
    sa.proposals.truncate(1);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    assert_eq!(answer, [notify(NotifyType::NO_PROPOSAL_CHOSEN, [])]);
}

/// "It MUST ignore the initiator's KE payload and omit the KE payload from the response"
/// (RFC 7296 §3.3.6).
#[test]
fn a_key_exchange_that_is_not_chosen_is_not_answered() {
    let mut peer = connected_without_pfs();
    let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
    let Payload::SecurityAssociation(sa) = &mut request[0] else { unreachable!() };
    for method in [KeyExchangeMethod::NONE, KeyExchangeMethod::MODP_2048] {
        sa.proposals[0].transforms.push(Transform::new(TransformType::KE, method));
    }
    let method = KeyExchangeMethod::MODP_2048;
    request.push(Payload::KeyExchange(KeyExchange { method, data: vec![5; 256] }));
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    assert!(Payloads(&answer).key_exchange().is_none(), "{answer:?}");
    let chosen = &Payloads(&answer).sa().expect("a Child SA").proposals[0].transforms;
    let of_exchange = |one: &&Transform| one.transform_type == TransformType::KE;
    let chosen: Vec<u16> = chosen.iter().filter(of_exchange).map(|one| one.id).collect();
    assert_eq!(chosen, [KeyExchangeMethod::NONE.0]);
}

/// A peer whose endpoint asks for new keys of its Child SA, and that request.
fn asked_to_rekey() -> (RawPeer, Header, Vec<Payload>) {
    asked_by(RawPeer::connect())
}

/// Answers a request of the endpoint; what it sends then.
fn answer(peer: &mut RawPeer, request: &Header, payloads: &[Payload]) -> Vec<Vec<u8>> {
    let header = peer.header(request.exchange_type, true, request.message_id.0);
    let sealed = peer.keys.seal.seal(&header, payloads);
    peer.deliver(&sealed)
}

/// "MUST assume that the corresponding request has failed entirely" (RFC 7296 §3.10.1).
#[test]
fn an_unknown_error_in_an_answer_fails_the_request_and_nothing_else() {
    let (mut peer, request, _) = asked_to_rekey();
    answer(&mut peer, &request, &[notify(NotifyType(9_999), [])]);
    assert!(peer.is_up());
    assert_eq!(peer.children(), 1);
    let failed = |event: &&Event| matches!(event, Event::Failed { .. });
    assert_eq!(peer.events.iter().filter(failed).count(), 1);
    assert_unharmed(&mut peer);
}

/// Our answer to an endpoint's request for a Child SA, with `more`.
fn granted(request: &[Payload], more: &[Payload]) -> Vec<Payload> {
    let request = Payloads(request);
    let mut sa = request.sa().expect("an offer").clone();
    sa.proposals
        .retain(|one| one.transforms.iter().all(|one| one.transform_type != TransformType::KE));
    sa.proposals.truncate(1);
    sa.proposals[0].spi = vec![0, 0, 0x70, 1];
    let mut payloads = vec![
        Payload::SecurityAssociation(sa),
        Payload::Nonce(vec![8; 32]),
        Payload::TrafficSelectorsInitiator(request.ts_initiator().unwrap().to_vec().into()),
        Payload::TrafficSelectorsResponder(request.ts_responder().unwrap().to_vec().into()),
    ];
    payloads.extend_from_slice(more);
    payloads
}

/// A peer of an endpoint whose Child SAs need no key exchange of their own.
fn connected_without_pfs() -> RawPeer {
    let (mut peer, request) = RawPeer::half_open_with(without_pfs(), &[]);
    peer.authenticate(&request);
    peer
}

fn without_pfs() -> ConnectionConfig {
    let [_, mut east] = config_pair((psk("shared"), psk("shared")));
    let suite: EspSuite = "aes256gcm16-esn".parse().unwrap();
    slot(&mut east).esp_suites = vec![suite];
    east
}

fn asked_to_rekey_without_pfs() -> (RawPeer, Header, Vec<Payload>) {
    asked_by(connected_without_pfs())
}

fn asked_by(mut peer: RawPeer) -> (RawPeer, Header, Vec<Payload>) {
    let mut at = Moment::simulated(peer.now, &mut peer.random);
    peer.endpoint.rekey_child(CONNECTION, SLOT, &mut at);
    let request = peer.drain().remove(0);
    let opened = peer.keys.open.open(&request).expect("authentic");
    (peer, *opened.header(), opened.payloads().unwrap().to_vec())
}

/// An answer with a status that we do not know is as good as without (RFC 7296 §3.10.1), the request
/// for new keys names the old SA (§1.3.3) and asks for the same traffic (§2.9.2), and a Delete of what
/// we are deleting is answered without one (§1.4.1, §2.25.1).
#[test]
fn the_rekeying_of_a_child_sa_octet_by_octet_of_its_meaning() {
    let (mut peer, request, asked) = asked_to_rekey_without_pfs();
    assert_eq!(request.exchange_type, ExchangeType::CREATE_CHILD_SA);
    let rekey = Payloads(&asked).notify(NotifyType::REKEY_SA).expect("what is replaced");
    assert_eq!((rekey.protocol, &rekey.spi), (ProtocolId::ESP, &peer.first_outbound));
    let ours = slot(&mut peer.config.clone()).clone();
    assert_eq!(Payloads(&asked).ts_initiator(), Some(ours.remote_ts.as_slice()));
    assert_eq!(Payloads(&asked).ts_responder(), Some(ours.local_ts.as_slice()));

    let status = notify(NotifyType(40_999), [1]);
    let sent = answer(&mut peer, &request, &granted(&asked, &[status]));
    let delete = peer.keys.open.open(&sent[0]).expect("authentic");
    let spis = vec![peer.first_outbound.clone()];
    let deletes = Payload::Delete(Delete { protocol: ProtocolId::ESP, spis });
    assert_eq!(delete.payloads().unwrap(), [deletes]);

    let spis = vec![FIRST_SPI.to_be_bytes().to_vec()];
    let crossing = Payload::Delete(Delete { protocol: ProtocolId::ESP, spis });
    assert_eq!(inform(&mut peer, &[crossing]), [], "no Delete for what we delete ourselves");
    answer(&mut peer, delete.header(), &[]);
    assert_unharmed(&mut peer);
}

/// "The implementation MUST be capable of instead deleting the old SA and creating a new one"
/// (RFC 7296 §4).
#[test]
fn a_peer_that_takes_no_additional_sa_gets_another_in_place_of_the_old_one() {
    let mut peer = connected_without_pfs();
    let initiates = ConnectionConfig { initiate: true, ..without_pfs() };
    let mut at = Moment::simulated(peer.now, &mut peer.random);
    peer.endpoint.update_connection(CONNECTION, initiates, &mut at);
    let (mut peer, request, _) = asked_by(peer);
    answer(&mut peer, &request, &[notify(NotifyType::NO_ADDITIONAL_SAS, [])]);
    assert_eq!(peer.children(), 1, "it stays while its keys may be used");
    let mut deleted = false;
    for _ in 0..100_000 {
        let request = peer.await_request();
        let opened = peer.keys.open.open(&request).expect("authentic");
        let (header, asked) = (*opened.header(), opened.payloads().unwrap().to_vec());
        let rekeys = Payloads(&asked).notify(NotifyType::REKEY_SA).is_some();
        deleted |= Payloads(&asked).deletes().any(|one| one.protocol == ProtocolId::ESP);
        match header.exchange_type {
            ExchangeType::CREATE_CHILD_SA if rekeys => {
                answer(&mut peer, &header, &[notify(NotifyType::NO_ADDITIONAL_SAS, [])]);
            }
            ExchangeType::CREATE_CHILD_SA if Payloads(&asked).ts_initiator().is_some() => {
                assert!(deleted, "the old one goes first");
                answer(&mut peer, &header, &granted(&asked, &[]));
                return assert_unharmed(&mut peer);
            }
            ExchangeType::CREATE_CHILD_SA => {
                answer(&mut peer, &header, &[notify(NotifyType::NO_ADDITIONAL_SAS, [])]);
            }
            _ => drop(answer(&mut peer, &header, &[])),
        }
        let down = |event: &Event| matches!(event, Event::Down { .. });
        let down = peer.events.iter().find(|event| down(event));
        assert!(down.is_none(), "the IKE SA goes on: {down:?}");
    }
    panic!("the Child SA is never replaced");
}

/// RFC 7296 §2.18: "a responder MUST NOT accept such a proposal" for a new IKE SA.
#[test]
fn an_ike_sa_is_not_rekeyed_without_a_key_exchange() {
    let suite: IkeSuite = "aes256gcm16-prfsha384-curve25519".parse().unwrap();
    let curve = kex::KeyExchange::from_seed(Group::Curve25519, &[2; 32]).unwrap();
    let mut offer = proposal::offer(&[suite], proposal::Beside::NOTHING, &[3; 8]);
    for transform in &mut offer.proposals[0].transforms {
        if transform.transform_type == TransformType::KE {
            transform.id = KeyExchangeMethod::NONE.0;
        }
    }
    let mut peer = RawPeer::connect();
    let request =
        [Payload::SecurityAssociation(offer), Payload::Nonce(vec![7; 32]), public_value(&curve)];
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    assert_eq!(answer, [notify(NotifyType::NO_PROPOSAL_CHOSEN, [])]);
    assert_unharmed(&mut peer);
}

/// "If the SPI field is empty, this field MUST be sent as zero" (RFC 7296 §3.10); announcements of
/// extensions are about no SA (RFC 7383 §2.3).
#[test]
fn notifications_about_no_sa_name_no_protocol() {
    let (mut net, request) = first_request();
    let answers = answered(&mut net, &request, request.bytes.clone());
    let mut seen = Vec::new();
    for datagram in [&request, &answers[0]] {
        let message = Message::decode(datagram.message()).unwrap();
        for said in Payloads(&message.payloads).notifies() {
            assert_eq!((said.protocol, said.spi.len()), (ProtocolId::NONE, 0), "{said:?}");
            seen.push(said.notify_type);
        }
    }
    assert_eq!(seen.iter().filter(|kind| **kind == NotifyType(16430)).count(), 2);
    // What stands there is not looked at.
    let mut peer = RawPeer::connect();
    let cookie = Notify { protocol: ProtocolId::ESP, ..Notify::new(NotifyType::COOKIE2, [3; 16]) };
    let answer = inform(&mut peer, &[Payload::Notify(cookie)]);
    assert!(Payloads(&answer).notify(NotifyType::COOKIE2).is_some());
}

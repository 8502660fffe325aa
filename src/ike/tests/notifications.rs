//! Every notification of RFC 7296 §3.10.1, said by a peer that has proved who it is: what it is
//! answered, and what becomes of its SAs. docs/notifications.md names the tests of those that have
//! one elsewhere.

use super::raw_peer::{RawPeer, assert_unharmed, inform};
use crate::crypto::kex::{Group, KeyExchange};
use crate::ike::payloads::{Payloads, public_value};
use crate::wire::ike::*;

fn notify(notify_type: NotifyType) -> Payload {
    Payload::Notify(Notify::new(notify_type, [0, 0]))
}

fn first_notify(payloads: &[Payload]) -> Option<NotifyType> {
    payloads.iter().find_map(|payload| match payload {
        Payload::Notify(notify) => Some(notify.notify_type),
        _ => None,
    })
}

/// An error that is about another message, or about nothing that we have asked, is no reason to end
/// anything; the exchange is acknowledged (RFC 7296 §1.4, §3.10).
#[test]
fn errors_in_an_informational_are_acknowledged_and_end_nothing() {
    for error in [
        NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD,
        NotifyType::INVALID_IKE_SPI,
        NotifyType::INVALID_MAJOR_VERSION,
        NotifyType::INVALID_SYNTAX,
        NotifyType::INVALID_MESSAGE_ID,
        NotifyType::NO_PROPOSAL_CHOSEN,
        NotifyType::INVALID_KE_PAYLOAD,
        NotifyType::SINGLE_PAIR_REQUIRED,
        NotifyType::NO_ADDITIONAL_SAS,
        NotifyType::INTERNAL_ADDRESS_FAILURE,
        NotifyType::FAILED_CP_REQUIRED,
        NotifyType::TS_UNACCEPTABLE,
        NotifyType::INVALID_SELECTORS,
        NotifyType::TEMPORARY_FAILURE,
        NotifyType::CHILD_SA_NOT_FOUND,
        NotifyType::STATE_NOT_FOUND,
    ] {
        let mut peer = RawPeer::connect();
        assert_eq!(inform(&mut peer, &[notify(error)]), [], "{error}");
        assert_unharmed(&mut peer);
    }
}

/// "An implementation receiving … a status type … MUST ignore [what it does not recognize]"
/// (RFC 7296 §3.10.1).
#[test]
fn status_notifications_in_an_informational_change_nothing() {
    let status = 16384..=16447;
    for number in status.filter(|number| *number != NotifyType::COOKIE2.0) {
        let mut peer = RawPeer::connect();
        assert_eq!(inform(&mut peer, &[notify(NotifyType(number))]), [], "{number}");
        assert_unharmed(&mut peer);
    }
}

/// The initiator found our proof wrong after we took it for authenticated (RFC 7296 §2.21.2).
#[test]
fn authentication_failed_in_an_informational_ends_the_ike_sa() {
    let mut peer = RawPeer::connect();
    assert_eq!(inform(&mut peer, &[notify(NotifyType::AUTHENTICATION_FAILED)]), []);
    assert!(!peer.is_up());
    assert_eq!(peer.children(), 0);
}

/// Compression, transport mode and the rest are declined by leaving them out of the answer
/// (RFC 7296 §1.3.1, §2.22).
#[test]
fn what_a_child_sa_is_offered_and_does_not_take_is_left_out_of_the_answer() {
    for offered in [
        NotifyType::IPCOMP_SUPPORTED,
        NotifyType::USE_TRANSPORT_MODE,
        NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED,
        NotifyType::NON_FIRST_FRAGMENTS_ALSO,
        NotifyType::ADDITIONAL_TS_POSSIBLE,
        NotifyType::SET_WINDOW_SIZE,
        NotifyType::HTTP_CERT_LOOKUP_SUPPORTED,
    ] {
        let mut peer = RawPeer::connect();
        let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
        request.push(notify(offered));
        let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
        assert_eq!(first_notify(&answer), None, "{offered}");
        assert_eq!(peer.children(), 2);
    }
}

fn link(data: &[u8]) -> Payload {
    Payload::Notify(Notify::new(NotifyType::ADDITIONAL_KEY_EXCHANGE, data))
}

/// RFC 9370 §2.2.4: the responder does not know what the request is for.
#[test]
fn an_ike_followup_ke_for_nothing_is_told_that_there_is_no_such_state() {
    let mut peer = RawPeer::connect();
    let ours = KeyExchange::from_seed(Group::MlKem768, &[1; 32]).unwrap();
    for request in [vec![public_value(&ours), link(&[9; 8])], vec![public_value(&ours)], vec![]] {
        let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &request).expect("an answer");
        assert_eq!(first_notify(&answer), Some(NotifyType::STATE_NOT_FOUND));
        assert_unharmed(&mut peer);
    }
}

/// A request for a Child SA with ML-KEM beside Curve25519, and our half of the latter.
fn hybrid_request(peer: &RawPeer) -> Vec<Payload> {
    let curve = KeyExchange::from_seed(Group::Curve25519, &[2; 32]).unwrap();
    let mut request = peer.child_request("aes256gcm16-curve25519-esn", 0x6001);
    for payload in &mut request {
        if let Payload::SecurityAssociation(sa) = payload {
            let kem = Transform::new(TransformType::ADDKE1, KeyExchangeMethod::ML_KEM_768);
            sa.proposals[0].transforms.push(kem);
        }
    }
    request.push(public_value(&curve));
    request
}

/// Nothing of a Child SA is in use before the last of its key exchanges (RFC 9370 §2.2.4).
#[test]
fn a_child_sa_comes_to_be_with_the_last_of_its_key_exchanges() {
    let mut peer = RawPeer::connect();
    let request = hybrid_request(&peer);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    let given = Payloads(&answer).notify(NotifyType::ADDITIONAL_KEY_EXCHANGE).unwrap().data.clone();
    assert_eq!(peer.children(), 1);
    let kem = KeyExchange::from_seed(Group::MlKem768, &[1; 32]).unwrap();
    let stranger = [public_value(&kem), link(b"another")];
    let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &stranger).expect("an answer");
    assert_eq!(first_notify(&answer), Some(NotifyType::STATE_NOT_FOUND));
    assert_eq!(peer.children(), 1);
    let next = [public_value(&kem), link(&given)];
    let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &next).expect("an answer");
    assert_eq!(first_notify(&answer), None, "the last answer has no link");
    let public = &Payloads(&answer).key_exchange().expect("a ciphertext").data;
    assert_eq!(public.len(), Group::MlKem768.answer_len());
    assert_eq!(peer.children(), 2);
    let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &next).expect("an answer");
    assert_eq!(first_notify(&answer), Some(NotifyType::STATE_NOT_FOUND), "it is over");
}

#[test]
fn what_is_granted_is_forgotten_when_the_peer_asks_for_something_else() {
    let mut peer = RawPeer::connect();
    let request = hybrid_request(&peer);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    let given = Payloads(&answer).notify(NotifyType::ADDITIONAL_KEY_EXCHANGE).unwrap().data.clone();
    let plain = peer.child_request("aes256gcm16-esn", 0x6002);
    peer.ask(ExchangeType::CREATE_CHILD_SA, &plain).expect("an answer");
    let kem = KeyExchange::from_seed(Group::MlKem768, &[1; 32]).unwrap();
    let next = [public_value(&kem), link(&given)];
    let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &next).expect("an answer");
    assert_eq!(first_notify(&answer), Some(NotifyType::STATE_NOT_FOUND));
    assert_eq!(peer.children(), 2);
}

/// A peer that seals such a thing is broken or malicious (RFC 6989 §2.5).
#[test]
fn an_encapsulation_key_that_is_none_is_a_syntax_error() {
    let mut peer = RawPeer::connect();
    let request = hybrid_request(&peer);
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    let given = Payloads(&answer).notify(NotifyType::ADDITIONAL_KEY_EXCHANGE).unwrap().data.clone();
    let (method, data) = (KeyExchangeMethod::ML_KEM_768, vec![0xff; Group::MlKem768.public_len()]);
    let public = Payload::KeyExchange(crate::wire::ike::KeyExchange { method, data });
    let answer = peer.ask(ExchangeType::IKE_FOLLOWUP_KE, &[public, link(&given)]).expect("one");
    assert_eq!(first_notify(&answer), Some(NotifyType::INVALID_SYNTAX));
    assert!(!peer.is_up());
}

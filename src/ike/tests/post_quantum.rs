//! ML-KEM beside the first key exchange (RFC 9242, RFC 9370), and what somebody between both ends can
//! make of it.

use super::net::*;
use crate::crypto::kex::Group;
use crate::crypto::suite::Additional;
use crate::ike::*;
use crate::wire::ike::{ExchangeType, Message, NotifyType, Payload, SecurityAssociation};
use std::cell::RefCell;
use std::rc::Rc;

fn configs(wanted: [PostQuantum; 2]) -> [ConnectionConfig; 2] {
    let [west, east] = config_pair((psk("one secret for both"), psk("one secret for both")));
    [
        ConnectionConfig { post_quantum: wanted[WEST], ..west },
        ConnectionConfig { post_quantum: wanted[EAST], ..east },
    ]
}

fn both(wanted: PostQuantum) -> [ConnectionConfig; 2] {
    configs([wanted, wanted])
}

/// The key exchanges beside the first of the IKE SA of both ends, and whether AUTH has covered all of
/// IKE_SA_INIT.
fn made(net: &Net) -> (Additional, bool) {
    let [west, east] = [WEST, EAST]
        .map(|end| net.ends[end].ike_sas())
        .map(|sas| (sas[0].additional, sas[0].covered_in_full));
    assert_eq!(west, east);
    west
}

fn sent(net: &Net, exchange: ExchangeType) -> usize {
    net.log.iter().filter(|datagram| datagram.header().exchange_type == exchange).count()
}

fn hybrid() -> Additional {
    Additional::one(Group::MlKem768)
}

#[test]
fn gateways_of_this_kind_have_ml_kem_unasked() {
    let mut net = Net::new(701, both(PostQuantum::Prefer));
    net.run(secs(1));
    net.assert_one_tunnel();
    assert_eq!(made(&net), (hybrid(), true));
    assert!(sent(&net, ExchangeType::IKE_INTERMEDIATE) >= 2);
}

/// It cannot be fragmented: its datagram must pass every path of IPv6 whole.
#[test]
fn ike_sa_init_stays_short() {
    let many = [
        "aes256gcm16-prfsha384",
        "aes128gcm16-prfsha256",
        "chacha20poly1305-prfsha512",
        "aes256-sha256",
        "aes128-sha384",
        "aes256-sha512",
    ];
    let groups = ["modp4096", "curve25519"];
    let suite = |(one, group): (&&str, &str)| format!("{one}-{group}").parse().unwrap();
    let many: Vec<_> = groups
        .iter()
        .flat_map(|group| many.iter().map(move |one| (one, *group)))
        .map(suite)
        .collect();
    for suites in [None, Some(many)] {
        let mut configs = both(PostQuantum::Prefer);
        for config in &mut configs {
            config.ike_suites = suites.clone().unwrap_or(config.ike_suites.clone());
        }
        let mut net = Net::new(702, configs);
        net.run(secs(2));
        net.assert_one_tunnel();
        let init =
            |datagram: &&Datagram| datagram.header().exchange_type == ExchangeType::IKE_SA_INIT;
        let longest = net.log.iter().filter(init).map(|datagram| datagram.bytes.len()).max();
        assert!(longest.unwrap() <= 1280 - 40 - 8, "{longest:?}");
    }
}

#[test]
fn an_end_that_has_it_off_gets_a_tunnel_without_and_one_that_requires_it_none() {
    use PostQuantum::{Off, Prefer, Require};
    for wanted in [[Prefer, Off], [Off, Prefer], [Off, Off]] {
        let mut net = Net::new(703, configs(wanted));
        net.run(secs(1));
        net.assert_one_tunnel();
        assert_eq!(made(&net), (Additional::NONE, true));
        assert_eq!(sent(&net, ExchangeType::IKE_INTERMEDIATE), 0);
    }
    for wanted in [[Require, Prefer], [Prefer, Require], [Require, Require]] {
        let mut net = Net::new(704, configs(wanted));
        net.run(secs(1));
        net.assert_one_tunnel();
        assert_eq!(made(&net), (hybrid(), true));
    }
    for wanted in [[Require, Off], [Off, Require]] {
        let mut net = Net::new(705, configs(wanted));
        net.run(secs(3));
        assert_eq!(net.ends[WEST].children() + net.ends[EAST].children(), 0);
        let told = net.ends[EAST].failures()[0].clone();
        let (offered, accepted) =
            told.split_once("; this side accepts ").expect("both sides' wishes are told");
        let with = |words: &str| words.contains("ke1_mlkem768");
        assert_eq!(
            [with(offered), with(accepted)],
            [wanted[WEST] == Require, wanted[EAST] == Require],
            "{told}"
        );
    }
}

#[test]
fn new_keys_have_it_too() {
    for end in [WEST, EAST] {
        let mut net = Net::new(706, both(PostQuantum::Require));
        net.run(secs(1));
        net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
        net.run(secs(1));
        net.assert_one_tunnel();
        let of_child = sent(&net, ExchangeType::IKE_FOLLOWUP_KE);
        assert!(of_child >= 2);
        net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        net.run(secs(1));
        net.assert_one_tunnel();
        assert!(sent(&net, ExchangeType::IKE_FOLLOWUP_KE) >= of_child + 2);
        assert_eq!(made(&net), (hybrid(), true));
    }
}

#[test]
fn it_comes_up_over_a_path_that_loses_repeats_and_reorders() {
    for seed in 0..30 {
        let mut net = Net::new(710 + seed, both(PostQuantum::Require));
        net.faults = Faults { loss_percent: 20, duplicate_percent: 20, jitter: ms(60) };
        net.run(secs(10));
        for end in [WEST, EAST] {
            net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
            net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
            net.run(secs(5));
        }
        net.faults = Faults::default();
        net.run(secs(40));
        net.assert_one_tunnel();
        assert_eq!(made(&net), (hybrid(), true));
    }
}

/// What an attacker between both ends does to the first message that `wants` names.
fn tampered(
    wants: impl Fn(&Message) -> bool + 'static,
    change: impl Fn(&mut Message),
    wanted: PostQuantum,
) -> Net {
    let waiting = both(wanted).map(|config| ConnectionConfig { initiate: false, ..config });
    let mut net = Net::new(740, waiting);
    let caught = Rc::new(RefCell::new(None::<Datagram>));
    let catching = Rc::clone(&caught);
    net.filter = Some(Box::new(move |datagram, _| {
        let init = Message::decode(datagram.message()).ok();
        let wanted = init.is_some_and(|message| wants(&message)) && catching.borrow().is_none();
        if wanted {
            *catching.borrow_mut() = Some(datagram.clone());
        }
        !wanted
    }));
    net.at(WEST, |endpoint, at| endpoint.initiate(CONNECTION, at));
    net.run_until(secs(1), |_| caught.borrow().is_some());
    let mut datagram = caught.borrow_mut().take().expect("such a message is sent");
    let mut message = Message::decode(datagram.message()).unwrap();
    change(&mut message);
    datagram.bytes = message.encode();
    net.filter = None;
    net.put(datagram);
    net
}

fn is_init(message: &Message, response: bool) -> bool {
    message.header.exchange_type == ExchangeType::IKE_SA_INIT
        && message.header.flags.response == response
}

fn without_transcript(message: &mut Message) {
    message.payloads.retain(|payload| {
        !matches!(payload, Payload::Notify(notify)
            if notify.notify_type == NotifyType::IKE_SA_INIT_FULL_TRANSCRIPT_AUTH)
    });
}

/// draft-ietf-ipsecme-ikev2-downgrade-prevention-08: the responder says so whether asked or not, so
/// that taking it out of either message is found out.
#[test]
fn taking_the_promise_to_authenticate_all_out_of_either_message_is_found_out() {
    for response in [false, true] {
        let mut net = tampered(
            move |message| is_init(message, response),
            without_transcript,
            PostQuantum::Prefer,
        );
        net.run(ms(300));
        assert_eq!(net.ends[EAST].count(|event| matches!(event, Event::Established(_))), 0);
        assert!(net.ends[EAST].failures()[0].contains("pre-shared keys"));
        net.run(secs(20));
        net.assert_one_tunnel();
        assert_eq!(made(&net), (hybrid(), true));
    }
}

/// The proposals with ML-KEM are taken out of the request: the initiator's AUTH covers it as sent.
#[test]
fn taking_ml_kem_out_of_the_offer_is_found_out() {
    let classical = |message: &mut Message| {
        for payload in &mut message.payloads {
            if let Payload::SecurityAssociation(SecurityAssociation { proposals }) = payload {
                let is_classical =
                    |transform: &crate::wire::ike::Transform| transform.transform_type.0 < 6;
                proposals.retain(|proposal| proposal.transforms.iter().all(is_classical));
            }
        }
    };
    let mut net = tampered(|message| is_init(message, false), classical, PostQuantum::Prefer);
    net.run(ms(300));
    assert_eq!(net.ends[EAST].count(|event| matches!(event, Event::Established(_))), 0);
    net.run(secs(20));
    net.assert_one_tunnel();
    assert_eq!(made(&net), (hybrid(), true));
}

#[test]
fn an_ike_intermediate_that_was_answered_is_answered_again_the_same() {
    let mut net = Net::new(750, both(PostQuantum::Require));
    let lost = Rc::new(RefCell::new(true));
    let losing = Rc::clone(&lost);
    net.filter = Some(Box::new(move |datagram, _| {
        let header = datagram.header();
        let is_answer =
            header.exchange_type == ExchangeType::IKE_INTERMEDIATE && header.flags.response;
        !(is_answer && *losing.borrow())
    }));
    net.run(ms(200));
    *lost.borrow_mut() = false;
    net.run(secs(2));
    net.assert_one_tunnel();
    let answers = net.log.iter().filter(|datagram| {
        let header = datagram.header();
        header.exchange_type == ExchangeType::IKE_INTERMEDIATE && header.flags.response
    });
    let answers: Vec<_> = answers.map(|datagram| datagram.bytes.clone()).collect();
    let (first, again) = answers.split_at(answers.len() / 2);
    assert!(!first.is_empty());
    assert_eq!(first, again);
}

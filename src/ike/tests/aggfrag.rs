//! USE_AGGFRAG (RFC 9347 §5.1): both ends, one end, and peers that require more.

use super::net::*;
use super::raw_peer::*;
use crate::ike::payloads::Payloads;
use crate::ike::*;
use crate::wire::ike::{ExchangeType, Notify, NotifyType, Payload};

/// Two ends that wish for AGGFRAG payloads, or do not.
fn ends(wishes: [bool; 2]) -> [ConnectionConfig; 2] {
    let mut configs = config_pair((psk("a secret"), psk("a secret")));
    for (config, wish) in configs.iter_mut().zip(wishes) {
        slot(config).aggfrag = wish;
    }
    configs
}

/// Of every Child SA that an end has had: whether its packets are AGGFRAG payloads.
fn agreed(net: &Net, end: usize) -> Vec<bool> {
    let ups = net.ends[end].events.iter().filter_map(|event| match event {
        Event::ChildUp(up) => Some(up.aggfrag),
        _ => None,
    });
    ups.collect()
}

#[test]
fn packets_share_datagrams_where_both_ends_wish_so() {
    for wishes in [[true, true], [true, false], [false, true], [false, false]] {
        let mut net = Net::new(90, ends(wishes));
        net.run(secs(1));
        let both = wishes == [true, true];
        assert_eq!(
            [agreed(&net, WEST), agreed(&net, EAST)],
            [vec![both], vec![both]],
            "{wishes:?}"
        );
    }
}

#[test]
fn new_keys_from_either_end_keep_what_was_agreed() {
    for wishes in [[true, true], [true, false]] {
        let mut net = Net::new(91, ends(wishes));
        net.run(secs(1));
        for end in [WEST, EAST] {
            net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
            net.run(secs(2));
            net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
            net.run(secs(2));
        }
        let both = wishes == [true, true];
        assert_eq!([agreed(&net, WEST), agreed(&net, EAST)], [vec![both; 3], vec![both; 3]]);
    }
}

#[test]
fn both_ends_agree_when_both_begin_at_once() {
    for seed in 0..20 {
        let mut net = Net::new(seed, ends([true, true]));
        net.run(secs(1));
        for end in [WEST, EAST] {
            net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
        }
        net.run(secs(3));
        for end in [WEST, EAST] {
            let all = agreed(&net, end);
            assert!(all.len() >= 2 && all.iter().all(|agreed| *agreed), "{all:?}");
        }
    }
}

/// An endpoint that grants AGGFRAG payloads, and its answer to a wish with these flags for the second Child SA.
fn answer_to(flags: &[u8]) -> (RawPeer, Vec<Payload>) {
    let [_, east] = ends([true, true]);
    let east = ConnectionConfig { credentials: psk("shared"), ..east };
    let (mut peer, request) = RawPeer::half_open_with(east, &[]);
    peer.authenticate(&request);
    let mut request = peer.child_request("aes256gcm16-esn", 0x6001);
    request.push(Payload::Notify(Notify::new(NotifyType::USE_AGGFRAG, flags)));
    let answer = peer.ask(ExchangeType::CREATE_CHILD_SA, &request).expect("an answer");
    (peer, answer)
}

#[test]
fn a_peer_that_requires_what_is_not_known_here_gets_a_child_sa_without() {
    // D; C; both; reserved bits; another length.
    for flags in [&[1][..], &[2], &[3], &[0x80], &[], &[0, 0]] {
        let (peer, answer) = answer_to(flags);
        assert_eq!(Payloads(&answer).notify(NotifyType::USE_AGGFRAG), None, "{flags:?}");
        assert_eq!(peer.children(), 2);
    }
    let (peer, answer) = answer_to(&[0]);
    let granted = Payloads(&answer).notify(NotifyType::USE_AGGFRAG).expect("the word");
    assert_eq!((&granted.data[..], peer.children()), (&[0][..], 2));
}

#[test]
fn an_answer_that_requires_what_is_not_known_here_is_none() {
    let answer = |flags: &[u8]| {
        let payloads = [Payload::Notify(Notify::new(NotifyType::USE_AGGFRAG, flags))];
        aggfrag::is_granted(Payloads(&payloads))
    };
    assert_eq!(answer(&[0]), Ok(true));
    for flags in [&[1][..], &[2], &[0x80], &[]] {
        assert!(matches!(answer(flags), Err(ChildRefusal::Breach(_))), "{flags:?}");
    }
    assert_eq!(aggfrag::is_granted(Payloads(&[])), Ok(false));
}

#[test]
fn whoever_requires_it_has_no_child_sa_without() {
    for (requires, other) in [(WEST, EAST), (EAST, WEST)] {
        let mut configs = ends([true, true]);
        slot(&mut configs[requires]).aggfrag_required = true;
        slot(&mut configs[other]).aggfrag = false;
        let mut net = Net::new(92, configs);
        net.run(secs(5));
        // Who answers and knows nothing of it has one until it is deleted.
        assert!(agreed(&net, requires).is_empty());
        let failed = net.ends[requires].events.iter().any(|event| {
            matches!(
                event,
                Event::Failed { reason: FailureReason::Child(ChildRefusal::NoAggfrag), .. }
            )
        });
        assert!(failed, "{:?}", net.ends[requires].events);
    }
    let mut configs = ends([true, true]);
    configs.iter_mut().for_each(|config| slot(config).aggfrag_required = true);
    let mut net = Net::new(93, configs);
    net.run(secs(1));
    assert_eq!([agreed(&net, WEST), agreed(&net, EAST)], [vec![true], vec![true]]);
}

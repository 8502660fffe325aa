//! Long messages over paths that carry short ones, and how long they may be.

use super::net::*;
use crate::ike::*;
use crate::wire::ike::{ExchangeType, Message, Payload, TrafficSelector};
use std::cell::RefCell;
use std::rc::Rc;

fn same_psk() -> (Credentials, Credentials) {
    (psk("one secret for both"), psk("one secret for both"))
}

fn many_selectors() -> Vec<TrafficSelector> {
    let texts: Vec<String> = (0..130).map(|i| format!("10.{}.{i}.0/24", 100 + i % 7)).collect();
    selectors(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Two ends whose IKE_AUTH is some kilobytes long in both directions.
fn long_configs(addresses: [&str; 2]) -> [ConnectionConfig; 2] {
    let [mut west, mut east] = config_pair_at(same_psk(), addresses);
    slot(&mut west).remote_ts = many_selectors();
    slot(&mut east).local_ts = many_selectors();
    [west, east]
}

const ADDRESSES: [[&str; 2]; 2] = [["192.0.2.1", "198.51.100.1"], ["2001:db8::1", "2001:db8::2"]];

/// Octets of the IP packet.
fn size(datagram: &Datagram) -> usize {
    datagram.bytes.len() + 8 + if datagram.to.is_ipv4() { 20 } else { 40 }
}

fn is_fragment(datagram: &Datagram) -> bool {
    let message = Message::decode(datagram.message()).unwrap();
    matches!(message.payloads.last(), Some(Payload::EncryptedFragment(_)))
}

/// A wire that carries no datagram longer than `mtu`, in fragments or not.
fn narrow(net: &mut Net, mtu: usize) {
    net.filter = Some(Box::new(move |datagram, _| size(datagram) <= mtu));
}

#[test]
fn long_messages_of_both_roles_pass_a_path_of_short_datagrams() {
    for (addresses, mtu) in ADDRESSES.into_iter().zip([576, 1280]) {
        let mut net = Net::new(1, long_configs(addresses));
        narrow(&mut net, mtu);
        net.run(secs(2));
        net.assert_one_tunnel();
        let auth = |datagram: &&Datagram| {
            datagram.header().exchange_type == ExchangeType::IKE_AUTH && is_fragment(datagram)
        };
        let asked =
            net.log.iter().filter(auth).filter(|datagram| !datagram.header().flags.response);
        let answered = net.log.iter().filter(auth).filter(|sent| sent.header().flags.response);
        assert!(asked.count() > 1 && answered.count() > 1);
    }
}

#[test]
fn a_child_sa_is_made_anew_over_a_path_of_short_datagrams() {
    let mut net = Net::new(2, long_configs(ADDRESSES[0]));
    narrow(&mut net, 576);
    net.run(secs(2));
    for end in [WEST, EAST] {
        net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
        net.run(secs(1));
        net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        net.run(secs(1));
        net.assert_one_tunnel();
    }
    let protected =
        |datagram: &&Datagram| datagram.header().exchange_type != ExchangeType::IKE_SA_INIT;
    let longest = net.log.iter().filter(protected).max_by_key(|datagram| size(datagram)).unwrap();
    assert!(size(longest) <= 576, "{} {:?}", size(longest), longest.header());
}

#[test]
fn lost_repeated_and_reordered_fragments_come_together() {
    for seed in 0..20 {
        let mut net = Net::new(seed, long_configs(ADDRESSES[0]));
        net.faults = Faults { loss_percent: 10, duplicate_percent: 30, jitter: ms(50) };
        net.run(secs(20));
        net.faults = Faults::default();
        net.run(secs(5));
        net.assert_one_tunnel();
    }
}

#[test]
fn a_side_that_takes_no_fragments_gets_none() {
    let settings = EndpointConfig { fragmentation: false, ..EndpointConfig::default() };
    let mut net = Net::with_settings(3, long_configs(ADDRESSES[0]), settings);
    net.run(secs(2));
    net.assert_one_tunnel();
    assert!(!net.log.iter().any(is_fragment));
}

#[test]
fn an_answer_that_was_lost_is_given_again_to_the_first_fragment_only() {
    let mut net = Net::new(4, long_configs(ADDRESSES[0]));
    let lost = Rc::new(RefCell::new(true));
    let losing = Rc::clone(&lost);
    net.filter = Some(Box::new(move |datagram, _| {
        let header = datagram.header();
        !(*losing.borrow()
            && header.exchange_type == ExchangeType::IKE_AUTH
            && header.flags.response)
    }));
    net.run(ms(200));
    let answered = |net: &Net| {
        net.log
            .iter()
            .filter(|sent| {
                let header = sent.header();
                header.exchange_type == ExchangeType::IKE_AUTH && header.flags.response
            })
            .count()
    };
    let once = answered(&net);
    assert!(once > 1);
    *lost.borrow_mut() = false;
    net.run(secs(2));
    net.assert_one_tunnel();
    assert_eq!(answered(&net), 2 * once, "one repetition, one answer");
}

fn measured(net: &Net) -> Vec<(u16, bool)> {
    let verdict = |event: &Event| match event {
        Event::Measured { size, arrived } => Some((*size, *arrived)),
        _ => None,
    };
    net.ends[WEST].events.iter().filter_map(verdict).collect()
}

#[test]
fn a_datagram_of_the_wanted_size_is_sent_whole_and_its_arrival_is_told() {
    for addresses in ADDRESSES {
        for wanted in [1280, 1433, 1500, 9000] {
            let mut net = Net::new(5, config_pair_at(same_psk(), addresses));
            net.run(secs(1));
            net.at(WEST, |endpoint, at| endpoint.measure(CONNECTION, wanted, at));
            net.run(ms(100));
            assert_eq!(measured(&net), [(wanted, true)]);
            assert_eq!(net.whole.iter().map(size).collect::<Vec<_>>(), [usize::from(wanted)]);
        }
    }
}

#[test]
fn a_datagram_that_does_not_fit_is_told_and_holds_up_nothing() {
    for addresses in ADDRESSES {
        let mut net = Net::new(6, config_pair_at(same_psk(), addresses));
        narrow(&mut net, 1400);
        net.run(secs(1));
        net.at(WEST, |endpoint, at| endpoint.measure(CONNECTION, 1401, at));
        net.run(secs(1));
        assert_eq!(measured(&net), [(1401, false)]);
        net.at(WEST, |endpoint, at| endpoint.measure(CONNECTION, 1400, at));
        net.at(WEST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        net.run(secs(2));
        net.assert_one_tunnel();
        assert!(measured(&net).contains(&(1400, true)));
        assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::Unreachable { .. })), 0);
    }
}

#[test]
fn a_path_that_lost_the_answer_is_asked_again_in_fragments_and_answers() {
    let mut net = Net::new(7, config_pair_at(same_psk(), ADDRESSES[0]));
    net.run(secs(1));
    let first = RefCell::new(true);
    net.filter = Some(Box::new(move |datagram, _| {
        let lose = datagram.header().flags.response && *first.borrow();
        *first.borrow_mut() &= !datagram.header().flags.response;
        !lose
    }));
    net.at(WEST, |endpoint, at| endpoint.measure(CONNECTION, 1500, at));
    net.run(secs(1));
    assert_eq!(measured(&net), [(1500, false)]);
    net.assert_one_tunnel();
}

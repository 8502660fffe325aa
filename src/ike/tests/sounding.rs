//! The way to a peer that takes no fragments is measured by what it refuses.

use super::net::*;
use crate::ike::*;
use crate::wire::ike::{Header, IkeSpi};

const ADDRESSES: [[&str; 2]; 2] = [["192.0.2.1", "198.51.100.1"], ["2001:db8::1", "2001:db8::2"]];

/// Octets of the IP packet.
fn size(datagram: &Datagram) -> usize {
    datagram.bytes.len() + 8 + if datagram.to.is_ipv4() { 20 } else { 40 }
}

/// A tunnel whose East takes no fragments.
fn net(addresses: [&str; 2]) -> Net {
    let same = (psk("one secret for both"), psk("one secret for both"));
    let mut net = Net::new(4, config_pair_at(same, addresses));
    net.at(EAST, |endpoint, _| endpoint.set_fragmentation(false));
    net.run(secs(1));
    net.assert_one_tunnel();
    net
}

fn measure(net: &mut Net, size: u16) {
    net.at(WEST, |endpoint, at| endpoint.measure(CONNECTION, size, at));
}

/// What West was told: a size with whether it arrived, or nothing.
fn told(net: &Net) -> Vec<Option<(u16, bool)>> {
    let finding = |event: &Event| match event {
        Event::Measured { size, arrived } => Some(Some((*size, *arrived))),
        Event::Unmeasured => Some(None),
        _ => None,
    };
    net.ends[WEST].events.iter().filter_map(finding).collect()
}

fn is_sounding(datagram: &Datagram) -> bool {
    datagram.header().version.major == 3
}

#[test]
fn a_datagram_that_arrives_is_refused_and_counts_as_arrived() {
    for addresses in ADDRESSES {
        for wanted in [576, 1280, 1500, 9000] {
            let mut net = net(addresses);
            measure(&mut net, wanted);
            net.run(ms(200));
            assert_eq!(told(&net), [Some((wanted, true))]);
            assert_eq!(net.whole.iter().map(size).collect::<Vec<_>>(), [usize::from(wanted)]);
        }
    }
}

#[test]
fn one_that_is_too_big_is_lost_and_the_ike_sa_goes_on_meanwhile() {
    let mut net = net(ADDRESSES[0]);
    net.filter = Some(Box::new(|datagram, _| size(datagram) <= 1400));
    measure(&mut net, 1401);
    net.at(WEST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
    net.run(ms(90));
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::IkeRekeyed { .. })), 1);
    net.run(secs(3));
    assert_eq!(told(&net), [Some((1401, false))]);
    measure(&mut net, 1400);
    net.run(ms(200));
    assert_eq!(told(&net).last(), Some(&Some((1400, true))));
    net.assert_one_tunnel();
}

#[test]
fn of_a_peer_that_refuses_nothing_no_size_is_known() {
    let mut net = net(ADDRESSES[0]);
    net.filter = Some(Box::new(|datagram, _| !is_sounding(datagram)));
    measure(&mut net, 1500);
    net.run(secs(6));
    assert_eq!(told(&net), [None]);
    assert_eq!(net.log.iter().filter(|datagram| is_sounding(datagram)).count(), 4);
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::Unreachable { .. })), 0);
}

#[test]
fn a_refusal_that_is_late_shows_that_the_datagram_has_arrived_after_all() {
    let mut net = net(ADDRESSES[0]);
    net.latency = ms(400);
    measure(&mut net, 1500);
    net.run(secs(3));
    assert_eq!(told(&net), [Some((1500, true))]);
}

#[test]
fn a_response_counts_only_with_the_spi_of_a_question_and_from_where_it_went() {
    let mut net = net(ADDRESSES[0]);
    net.filter = Some(Box::new(|datagram, _| !is_sounding(datagram)));
    measure(&mut net, 1500);
    let asked = net.log.iter().rfind(|datagram| is_sounding(datagram)).unwrap();
    let (to, from, spi) = (asked.from, asked.to, asked.header().initiator_spi);
    let refusal = |spi: IkeSpi| {
        let mut message = vec![0; 4];
        message.extend(spi.0);
        message.extend([0; 8]);
        // No payload, version 2.0, INFORMATIONAL, a response, message ID 0.
        message.extend([0, 0x20, 37, 0x20, 0, 0, 0, 0, 0, 0, 0, Header::LEN as u8]);
        message
    };
    let elsewhere = "203.0.113.9:4500".parse().unwrap();
    for (from, spi) in [(from, IkeSpi([7; 8])), (elsewhere, spi)] {
        net.deliver(Datagram { from, to, bytes: refusal(spi) });
        assert_eq!(told(&net), []);
    }
    net.deliver(Datagram { from, to, bytes: refusal(spi) });
    assert_eq!(told(&net), [Some((1500, true))]);
    net.deliver(Datagram { from, to, bytes: refusal(spi) });
    assert_eq!(told(&net).len(), 1, "an answer counts once");
}

#[test]
fn a_connection_that_is_removed_waits_for_no_answer() {
    let mut net = net(ADDRESSES[0]);
    net.filter = Some(Box::new(|datagram, _| !is_sounding(datagram)));
    measure(&mut net, 1500);
    net.at(WEST, |endpoint, at| endpoint.remove_connection(CONNECTION, at));
    net.run(secs(60));
    assert_eq!(told(&net), []);
    assert_eq!(net.log.iter().filter(|datagram| is_sounding(datagram)).count(), 1);
}

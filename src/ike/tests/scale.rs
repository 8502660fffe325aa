//! No event costs what grows with the number of tunnels: the same input makes a hub of ten
//! tunnels and a hub of many look at the same number of connections and IKE SAs.

use super::net::*;
use crate::ike::*;
use crate::moment::Moment;
use crate::random::Seeded;
use crate::time::Timestamp;
use crate::wire::ike::{ExchangeType, Flags, Header, IkeSpi, Message, MessageId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const FEW: u32 = 10;
const MANY: u32 = 1000;
/// Of a hub's peers so many are up.
const UP: u32 = 100;

/// A gateway whose peers may be anywhere, and the peers that talk to it.
struct Hub {
    endpoint: Endpoint,
    peers: Vec<Endpoint>,
    now: Timestamp,
    random: Seeded,
}

fn hub_address() -> IpAddr {
    [192, 0, 2, 1].into()
}

fn peer_address(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + number).into()
}

fn configs(number: u32) -> [ConnectionConfig; 2] {
    let ids = (Identity::Fqdn("hub.example".into()), Identity::Fqdn(format!("{number}.example")));
    let ts = selectors(&["10.0.0.0/8"]);
    let hub = ConnectionConfig::new(
        hub_address(),
        RemoteAddress::Any,
        ids.clone(),
        psk("shared"),
        (ts.clone(), ts.clone()),
    );
    let peer = ConnectionConfig::new(
        peer_address(number),
        RemoteAddress::At(SocketAddr::new(hub_address(), 500)),
        (ids.1, ids.0),
        psk("shared"),
        (ts.clone(), ts),
    );
    [hub, peer]
}

impl Hub {
    /// A hub with so many peers, of which the first are up.
    fn of(peers: u32, up: u32) -> Hub {
        let (now, mut random) = (Timestamp::from_millis(1), Seeded::new(7));
        let endpoint =
            Endpoint::new(EndpointConfig::default(), &mut Moment::simulated(now, &mut random));
        let mut hub = Hub { endpoint, peers: Vec::new(), now, random };
        for number in 0..peers {
            let [config, _] = configs(number);
            hub.at(|endpoint, at| endpoint.add_connection(ConnectionId(number), config, at));
        }
        (0..up).for_each(|_| hub.connect_next());
        hub
    }

    fn at<T>(&mut self, act: impl FnOnce(&mut Endpoint, &mut Moment<'_>) -> T) -> T {
        act(&mut self.endpoint, &mut Moment::simulated(self.now, &mut self.random))
    }

    fn at_peer<T>(
        &mut self,
        peer: usize,
        act: impl FnOnce(&mut Endpoint, &mut Moment<'_>) -> T,
    ) -> T {
        act(&mut self.peers[peer], &mut Moment::simulated(self.now, &mut self.random))
    }

    /// One more peer comes up.
    fn connect_next(&mut self) {
        let (number, settings) = (self.peers.len(), EndpointConfig::default());
        let mut at = Moment::simulated(self.now, &mut self.random);
        self.peers.push(Endpoint::new(settings, &mut at));
        let [_, config] = configs(number as u32);
        self.at_peer(number, |peer, at| peer.add_connection(CONNECTION, config, at));
        self.exchange(number);
        let view = self.endpoint.view(ConnectionId(number as u32));
        assert_eq!(view.map(|view| view.state), Some(ConnectionState::Up));
    }

    /// Carries datagrams between the hub and one peer until both are quiet.
    fn exchange(&mut self, peer: usize) {
        loop {
            self.at(|hub, at| hub.run_jobs(at));
            self.at_peer(peer, |peer, at| peer.run_jobs(at));
            while self.endpoint.poll_event().is_some() {}
            while self.peers[peer].poll_event().is_some() {}
            let to_hub = self.peers[peer].poll_transmit();
            let to_peer = self.endpoint.poll_transmit();
            if to_hub.is_none() && to_peer.is_none() {
                return;
            }
            if let Some(Transmit { local, remote, bytes, .. }) = to_hub {
                self.at(|hub, at| hub.handle_datagram(remote, local, &bytes, at));
            }
            if let Some(Transmit { local, remote, bytes, .. }) = to_peer {
                self.at_peer(peer, |peer, at| peer.handle_datagram(remote, local, &bytes, at));
            }
        }
    }

    fn visits_of(&mut self, act: impl FnOnce(&mut Hub)) -> u64 {
        self.endpoint.take_visits();
        act(self);
        self.endpoint.take_visits()
    }

    fn datagram(&mut self, bytes: &[u8]) {
        let (to, from) = (hub_address(), peer_address(77));
        let [to, from] = [to, from].map(|address| SocketAddr::new(address, 500));
        self.at(|hub, at| hub.handle_datagram(to, from, bytes, at));
    }
}

/// What an act makes a small and a large hub look at, after some peers have come up.
fn visits(up: [u32; 2], act: impl Fn(&mut Hub)) -> [u64; 2] {
    [(FEW, up[0]), (MANY, up[1])].map(|(peers, up)| Hub::of(peers, up).visits_of(&act))
}

fn header_of_nobody() -> Header {
    let flags = Flags { initiator: true, ..Flags::default() };
    let spis = [IkeSpi([1; 8]), IkeSpi([2; 8])];
    Header::new(spis[0], spis[1], ExchangeType::INFORMATIONAL, flags, MessageId(5))
}

#[test]
fn a_datagram_for_nobody_costs_the_same_at_any_size() {
    let junk = visits([0, 0], |hub| hub.datagram(&[0xa5; 28]));
    assert_eq!(junk, [0, 0]);

    let unknown = Message { header: header_of_nobody(), payloads: Vec::new() }.encode();
    let [few, many] = visits([3, UP], |hub| hub.datagram(&unknown));
    assert_eq!(few, many);
    assert!(many <= 1, "an unknown SPI is looked up once, not {many} times");
}

#[test]
fn a_timeout_with_nothing_due_costs_the_same_at_any_size() {
    let [few, many] = visits([3, UP], |hub| {
        hub.at(|hub, at| hub.handle_timeout(at));
        assert!(hub.endpoint.poll_timeout().is_some_and(|(due, _)| due > hub.now));
    });
    assert_eq!(few, many);
    assert!(many <= 2, "the next timer's reason is looked up, nothing else");
}

#[test]
fn a_handshake_of_a_peer_that_may_be_anywhere_costs_the_same_at_any_size() {
    let [few, many] = visits([3, UP], Hub::connect_next);
    assert_eq!(few, many);
}

#[test]
fn a_probe_costs_the_same_at_any_size() {
    let [few, many] = visits([3, UP], |hub| {
        hub.now += secs(1);
        hub.at_peer(2, |peer, at| peer.handle_timeout(at));
        hub.exchange(2);
    });
    assert_eq!(few, many);
}

#[test]
fn rekeying_costs_the_same_at_any_size() {
    let [few, many] = visits([3, UP], |hub| {
        hub.at_peer(1, |peer, at| peer.rekey_child(CONNECTION, SLOT, at));
        hub.exchange(1);
        hub.at_peer(1, |peer, at| peer.rekey_ike(CONNECTION, at));
        hub.exchange(1);
        hub.at(|hub, at| hub.rekey_ike(ConnectionId(2), at));
        hub.exchange(2);
    });
    // Which of a connection's two IKE SAs is looked at first is chance.
    assert!(many.abs_diff(few) <= 2, "{few} and {many}");
}

#[test]
fn a_view_of_one_connection_costs_the_same_at_any_size() {
    let [few, many] = visits([3, UP], |hub| {
        assert_eq!(hub.endpoint.view(ConnectionId(2)).map(|view| view.ike_sas.len()), Some(1));
    });
    assert_eq!(few, many);
}

//! An IKE peer that the scenario itself plays, with the library's engine: so it knows the keys.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use vpngw::crypto::secret::Secret;
use vpngw::ike::{
    ChildUp, ConnectionConfig, ConnectionId, Credentials, Endpoint, EndpointConfig, Event,
    Identity, RemoteAddress, SlotId,
};
use vpngw::moment::Moment;
use vpngw::net::Prefix;
use vpngw::os::clock::Clock;
use vpngw::os::netns;
use vpngw::os::random::OsRandom;
use vpngw::time::Timestamp;
use vpngw::wire::ike::TrafficSelector;

use super::PATIENCE;
use super::pair::{Pair, Side};
use super::vpngwd::PSK;

/// How long one look at the sockets takes.
const GLANCE: Duration = Duration::from_millis(5);
const CONNECTION: ConnectionId = ConnectionId(0);

/// A peer in the place of one side's gateway. It speaks while it is waited for.
pub(crate) struct Script {
    endpoint: Endpoint,
    sockets: Vec<UdpSocket>,
    started: Instant,
    /// What its Child SAs were made with, in order.
    pub children: Vec<ChildUp>,
    /// How many of them are gone.
    pub gone: usize,
}

impl Script {
    /// Begins to connect from `side` to the gateway on the other.
    pub(crate) fn start(pair: &Pair, side: Side) -> Script {
        let address: IpAddr = side.wan().parse().unwrap();
        let open = || [500, 4500].map(|port| UdpSocket::bind((address, port)).unwrap());
        let sockets = Vec::from(netns::within(&pair.namespace(side.name()), open).unwrap());
        sockets.iter().for_each(|socket| socket.set_read_timeout(Some(GLANCE)).unwrap());
        let started = Instant::now();
        let (now, mut random) = (Timestamp::from_millis(1), OsRandom);
        let at = &mut Moment::new(now, Clock::wall(), &mut random);
        let mut endpoint = Endpoint::new(EndpointConfig::default(), at);
        endpoint.add_connection(CONNECTION, connection(side), at);
        Script { endpoint, sockets, started, children: Vec::new(), gone: 0 }
    }

    /// Replaces the Child SA.
    pub(crate) fn rekey(&mut self) {
        self.act(|endpoint, at| endpoint.rekey_child(CONNECTION, SlotId(0), at));
    }

    /// Ends the IKE SA with all that hangs on it.
    pub(crate) fn terminate(&mut self) {
        self.act(|endpoint, at| endpoint.terminate(CONNECTION, at));
    }

    /// Speaks until something holds; false when it does not in time.
    pub(crate) fn comes_to(&mut self, mut holds: impl FnMut(&Script) -> bool) -> bool {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            if Instant::now() > until {
                return false;
            }
            self.turn();
        }
        true
    }

    /// Speaks for a while.
    pub(crate) fn stays(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let mut buffer = [0; 65_536];
        for index in 0..self.sockets.len() {
            let local = self.sockets[index].local_addr().unwrap();
            if let Ok((length, remote)) = self.sockets[index].recv_from(&mut buffer) {
                let datagram = &buffer[..length];
                self.act(|endpoint, at| endpoint.handle_datagram(local, remote, datagram, at));
            }
        }
        self.act(|endpoint, at| endpoint.handle_timeout(at));
    }

    fn act(&mut self, act: impl FnOnce(&mut Endpoint, &mut Moment<'_>)) {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap();
        let now = Timestamp::from_millis(1) + Duration::from_micros(micros);
        let (mut random, endpoint) = (OsRandom, &mut self.endpoint);
        let at = &mut Moment::new(now, Clock::wall(), &mut random);
        act(endpoint, at);
        while let Some(job) = endpoint.poll_job() {
            endpoint.handle_job(job.run(), at);
        }
        while let Some((_, event)) = self.endpoint.poll_event() {
            match event {
                Event::ChildUp(up) => self.children.push(*up),
                Event::ChildDown { .. } => self.gone += 1,
                _ => {}
            }
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let from = |socket: &&UdpSocket| socket.local_addr().unwrap() == transmit.local;
            let socket = self.sockets.iter().find(from).unwrap();
            let _ = socket.send_to(&transmit.bytes, transmit.remote);
        }
    }
}

fn connection(side: Side) -> ConnectionConfig {
    let name = |side: Side| Identity::Fqdn(side.identity());
    let selectors = |side: Side| {
        let prefix = |text: &String| text.parse::<Prefix>().unwrap();
        side.prefixes().iter().map(prefix).map(TrafficSelector::any_protocol).collect()
    };
    let remote = SocketAddr::new(side.other().wan().parse().unwrap(), 500);
    ConnectionConfig::new(
        side.wan().parse().unwrap(),
        RemoteAddress::At(remote),
        (name(side), name(side.other())),
        Credentials::Psk(Secret::copy_of(PSK.as_bytes())),
        (selectors(side), selectors(side.other())),
    )
}

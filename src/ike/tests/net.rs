//! Endpoints on a wire in virtual time: loss, duplication and delay from a seed, and owners that
//! install Child SAs as events tell them.

use crate::crypto::secret::Secret;
use crate::crypto::sign::SigningKey;
use crate::ike::*;
use crate::moment::Moment;
use crate::net::{Prefix, is_streamed};
use crate::random::{Random, Seeded};
use crate::time::Timestamp;
use crate::wire::ike::{Header, TrafficSelector};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(super) const WEST: usize = 0;
pub(super) const EAST: usize = 1;
/// The port of a TCP Originator, as the other end sees it.
pub(super) const ORIGINATOR: u16 = 20_000;
pub(super) const CONNECTION: ConnectionId = ConnectionId(7);
/// How long an owner keeps the inbound half of a Child SA that is gone.
const DRAIN: Duration = Duration::from_secs(3);

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn selectors(prefixes: &[&str]) -> Vec<TrafficSelector> {
    let prefix = |text: &&str| text.parse::<Prefix>().expect("a prefix in a test");
    prefixes.iter().map(prefix).map(TrafficSelector::any_protocol).collect()
}

pub(super) fn psk(text: &str) -> Credentials {
    Credentials::Psk(Secret::copy_of(text.as_bytes()))
}

pub(super) fn key_pairs() -> (Credentials, Credentials) {
    let (west, east) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
    let (west_public, east_public) = (west.verifying_key(), east.verifying_key());
    (
        Credentials::PublicKey { own: west, peer: east_public },
        Credentials::PublicKey { own: east, peer: west_public },
    )
}

/// The configurations of both ends of one connection, which only West initiates.
pub(super) fn config_pair(credentials: (Credentials, Credentials)) -> [ConnectionConfig; 2] {
    config_pair_at(credentials, ["192.0.2.1", "198.51.100.1"])
}

pub(super) fn config_pair_at(
    credentials: (Credentials, Credentials),
    addresses: [&str; 2],
) -> [ConnectionConfig; 2] {
    let [west, east] = addresses.map(|text| text.parse::<IpAddr>().expect("an address"));
    let name = |name: &str| Identity::Fqdn(format!("{name}.example"));
    let inner =
        [selectors(&["10.1.0.0/16", "fd01::/64"]), selectors(&["10.2.0.0/16", "fd02::/64"])];
    let at = |address| RemoteAddress::At(SocketAddr::new(address, 500));
    let of_west = ConnectionConfig::new(
        west,
        at(east),
        (name("west"), name("east")),
        credentials.0,
        (inner[0].clone(), inner[1].clone()),
    );
    let of_east = ConnectionConfig::new(
        east,
        at(west),
        (name("east"), name("west")),
        credentials.1,
        (inner[1].clone(), inner[0].clone()),
    );
    [of_west, ConnectionConfig { initiate: false, ..of_east }]
}

/// The one slot of a connection in tests.
pub(super) const SLOT: SlotId = SlotId(0);

/// The one slot of `config`.
pub(super) fn slot(config: &mut ConnectionConfig) -> &mut SlotConfig {
    config.slots.get_mut(&SLOT).expect("a connection of one slot")
}

pub(super) const RED: SlotId = SlotId(3);
pub(super) const BLUE: SlotId = SlotId(5);

/// Both ends serve red and blue in place of their one slot, with the same traffic selectors, and
/// initiate.
pub(super) fn red_and_blue(configs: [ConnectionConfig; 2]) -> [ConnectionConfig; 2] {
    configs.map(|mut config| {
        let only = slot(&mut config).clone();
        let named =
            |(id, name): (SlotId, &str)| (id, SlotConfig { name: name.to_owned(), ..only.clone() });
        config.slots = [(RED, "red"), (BLUE, "blue")].into_iter().map(named).collect();
        ConnectionConfig { initiate: true, ..config }
    })
}

/// The same without red.
pub(super) fn only_blue(configs: [ConnectionConfig; 2]) -> [ConnectionConfig; 2] {
    red_and_blue(configs).map(|mut config| {
        config.slots.remove(&RED);
        config
    })
}

#[derive(Clone, Debug)]
struct Installed {
    child: ChildId,
    keys: ChildKeys,
    until: Option<Timestamp>,
}

/// An endpoint and an owner of it.
pub(super) struct End {
    pub endpoint: Endpoint,
    pub events: Vec<Event>,
    inbound: Vec<Installed>,
    outbound: BTreeMap<ChildId, (Strand, ChildKeys)>,
    senders: BTreeMap<Strand, ChildId>,
    /// The newest of them.
    pub sending: Option<ChildId>,
    pub transmits: usize,
}

impl End {
    fn new(settings: EndpointConfig, at: &mut Moment<'_>) -> Self {
        End {
            endpoint: Endpoint::new(settings, at),
            events: Vec::new(),
            inbound: Vec::new(),
            outbound: BTreeMap::new(),
            senders: BTreeMap::new(),
            sending: None,
            transmits: 0,
        }
    }

    fn on_event(&mut self, event: Event, now: Timestamp) {
        match &event {
            Event::ChildUp(up) => {
                let keys = up.inbound.clone();
                self.inbound.push(Installed { child: up.child, keys, until: None });
                self.outbound.insert(up.child, (up.strand, up.outbound.clone()));
                if up.sendable {
                    self.send_on(up.child);
                }
            }
            Event::ChildSendable { child, .. } => {
                assert!(self.outbound.contains_key(child), "sendable, but not installed");
                self.send_on(*child);
            }
            Event::ChildDown { child, .. } => {
                assert!(self.outbound.remove(child).is_some(), "down, but not installed");
                let gone = self.inbound.iter_mut().filter(|sa| sa.child == *child);
                gone.for_each(|sa| sa.until = Some(now + DRAIN));
                self.senders.retain(|_, sending| sending != child);
                self.sending = self.senders.values().max().copied();
            }
            _ => {}
        }
        self.events.push(event);
    }

    fn send_on(&mut self, child: ChildId) {
        let (strand, _) = self.outbound[&child];
        self.senders.insert(strand, child);
        self.sending = self.senders.values().max().copied();
    }

    /// The Child SAs that the owner sends on.
    pub(super) fn senders(&self) -> Vec<ChildId> {
        self.senders.values().copied().collect()
    }

    pub(super) fn children(&self) -> usize {
        self.outbound.len()
    }

    pub(super) fn ike_sas(&self) -> Vec<IkeView> {
        self.endpoint.view(CONNECTION).map(|view| view.ike_sas).unwrap_or_default()
    }

    pub(super) fn state(&self) -> ConnectionState {
        self.endpoint.view(CONNECTION).expect("the connection is there").state
    }

    pub(super) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }

    pub(super) fn failures(&self) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Failed { reason, .. } | Event::Suspected { reason } => Some(reason.to_string()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }
}

/// A datagram under way.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Datagram {
    pub(super) fn message(&self) -> &[u8] {
        let is_marked = is_streamed(self.to) || self.to.port() == 4500;
        self.bytes.strip_prefix(&[0; 4]).filter(|_| is_marked).unwrap_or(&self.bytes)
    }

    pub(super) fn header(&self) -> Header {
        Header::decode(self.message()).expect("an IKE header")
    }
}

/// What the wire does to datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub loss_percent: u64,
    pub duplicate_percent: u64,
    pub jitter: Duration,
}

/// A NAT in front of one end, which is seen at another address and at ports shifted by so many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nat {
    pub outside: IpAddr,
    pub shift: u16,
}

type Filter = Box<dyn FnMut(&Datagram, Timestamp) -> bool>;

/// Two or more ends on one wire.
pub(super) struct Net {
    pub now: Timestamp,
    pub random: Seeded,
    pub ends: Vec<End>,
    addresses: Vec<IpAddr>,
    /// Datagrams from and to these addresses are lost.
    pub unreachable: BTreeSet<IpAddr>,
    /// Further addresses of ends.
    pub aliases: BTreeMap<IpAddr, usize>,
    /// NATs by the end that is behind them.
    pub nats: BTreeMap<usize, Nat>,
    pub latency: Duration,
    pub faults: Faults,
    /// Lets a datagram through or not.
    pub filter: Option<Filter>,
    under_way: BTreeMap<(Timestamp, u64), Datagram>,
    sequence: u64,
    pub log: Vec<Datagram>,
    /// Those that no router may fragment.
    pub whole: Vec<Datagram>,
}

impl Net {
    /// Both ends of one connection.
    pub(super) fn new(seed: u64, configs: [ConnectionConfig; 2]) -> Self {
        Net::with_settings(seed, configs, EndpointConfig::default())
    }

    pub(super) fn with_settings(
        seed: u64,
        configs: [ConnectionConfig; 2],
        settings: EndpointConfig,
    ) -> Self {
        Net::behind(BTreeMap::new(), seed, configs, settings)
    }

    /// Both ends of one connection, some of them behind NATs.
    pub(super) fn behind(
        nats: BTreeMap<usize, Nat>,
        seed: u64,
        configs: [ConnectionConfig; 2],
        settings: EndpointConfig,
    ) -> Self {
        let mut net = Net {
            now: Timestamp::from_millis(1),
            random: Seeded::new(seed),
            ends: Vec::new(),
            addresses: configs.iter().map(|config| config.local).collect(),
            unreachable: BTreeSet::new(),
            aliases: BTreeMap::new(),
            nats,
            latency: ms(20),
            faults: Faults::default(),
            filter: None,
            under_way: BTreeMap::new(),
            sequence: 0,
            log: Vec::new(),
            whole: Vec::new(),
        };
        for config in configs {
            let mut end =
                End::new(settings.clone(), &mut Moment::simulated(net.now, &mut net.random));
            end.endpoint.add_connection(
                CONNECTION,
                config,
                &mut Moment::simulated(net.now, &mut net.random),
            );
            net.ends.push(end);
        }
        net.drain();
        net
    }

    /// Does something to one end.
    pub(super) fn at(&mut self, end: usize, act: impl FnOnce(&mut Endpoint, &mut Moment<'_>)) {
        act(&mut self.ends[end].endpoint, &mut Moment::simulated(self.now, &mut self.random));
        self.drain();
    }

    /// One end loses all its state, and comes back with this configuration.
    pub(super) fn crash(&mut self, end: usize, config: ConnectionConfig) {
        self.crash_with(end, config, EndpointConfig::default());
    }

    /// The same with settings of its own.
    pub(super) fn crash_with(
        &mut self,
        end: usize,
        config: ConnectionConfig,
        settings: EndpointConfig,
    ) {
        let mut fresh = End::new(settings, &mut Moment::simulated(self.now, &mut self.random));
        fresh.endpoint.add_connection(
            CONNECTION,
            config,
            &mut Moment::simulated(self.now, &mut self.random),
        );
        self.ends[end] = fresh;
        self.drain();
    }

    fn drain(&mut self) {
        for index in 0..self.ends.len() {
            let end = &mut self.ends[index];
            end.endpoint.run_jobs(&mut Moment::simulated(self.now, &mut self.random));
            end.endpoint.assert_sound();
            while let Some((_, event)) = end.endpoint.poll_event() {
                end.on_event(event, self.now);
            }
            let now = self.now;
            end.inbound.retain(|sa| sa.until.is_none_or(|until| until > now));
            while let Some(transmit) = self.ends[index].endpoint.poll_transmit() {
                self.ends[index].transmits += 1;
                let Transmit { local: from, remote: to, bytes, dont_fragment } = transmit;
                let datagram = Datagram { from, to, bytes };
                self.whole.extend(dont_fragment.then(|| datagram.clone()));
                self.put(datagram);
            }
        }
    }

    pub(super) fn put(&mut self, mut datagram: Datagram) {
        if is_streamed(datagram.from) {
            // The TCP Originator is at a port of its own, and who gets a message has none.
            let port = if datagram.to.port() == 4500 { ORIGINATOR } else { 4500 };
            datagram.from.set_port(port);
            datagram.to.set_port(0);
        }
        let end = self.addresses.iter().position(|address| *address == datagram.from.ip());
        if let Some(nat) = end.and_then(|end| self.nats.get(&end)) {
            let shift = if is_streamed(datagram.to) { 0 } else { nat.shift };
            datagram.from = SocketAddr::new(nat.outside, datagram.from.port() + shift);
        }
        self.log.push(datagram.clone());
        let lost =
            [datagram.from, datagram.to].iter().any(|at| self.unreachable.contains(&at.ip()));
        let passes = self.filter.as_mut().is_none_or(|filter| filter(&datagram, self.now)) && !lost;
        if !passes || self.random.below(100) < self.faults.loss_percent {
            return;
        }
        let twice = self.random.below(100) < self.faults.duplicate_percent;
        for _ in 0..1 + u64::from(twice) {
            let jitter = self.random.below(self.faults.jitter.as_micros() as u64 + 1);
            let arrival = self.now + self.latency + Duration::from_micros(jitter);
            self.sequence += 1;
            self.under_way.insert((arrival, self.sequence), datagram.clone());
        }
    }

    pub(super) fn deliver(&mut self, datagram: Datagram) {
        let end = self.addresses.iter().position(|address| *address == datagram.to.ip());
        let end = end.or_else(|| self.aliases.get(&datagram.to.ip()).copied());
        if let Some((end, to)) = end.map(|end| (end, datagram.to)).or(self.inside(datagram.to)) {
            let Datagram { from, bytes, .. } = datagram;
            self.at(end, |endpoint, at| {
                endpoint.handle_datagram(to, from, &bytes, at);
            });
        }
    }

    /// Who is behind a NAT's address and port, if the NAT has that port open.
    fn inside(&self, to: SocketAddr) -> Option<(usize, SocketAddr)> {
        let (&end, nat) = self.nats.iter().find(|(_, nat)| nat.outside == to.ip())?;
        let shift = if is_streamed(to) { 0 } else { nat.shift };
        let port = to.port().checked_sub(shift).filter(|port| [0, 500, 4500].contains(port))?;
        Some((end, SocketAddr::new(self.addresses[end], port)))
    }

    fn next_moment(&self) -> Option<Timestamp> {
        let arrival = self.under_way.keys().next().map(|(at, _)| *at);
        let timers = self.ends.iter().filter_map(|end| end.endpoint.poll_timeout());
        timers.map(|(at, _)| at).chain(arrival).min()
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps_without_time = 0;
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            steps_without_time = if next > self.now { 0 } else { steps_without_time + 1 };
            assert!(steps_without_time < 1000, "time stands still at {}", self.now);
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
        self.drain();
    }

    fn step(&mut self) {
        while let Some(entry) = self.under_way.first_entry().filter(|e| e.key().0 <= self.now) {
            let datagram = entry.remove();
            self.deliver(datagram);
        }
        for end in 0..self.ends.len() {
            let due = self.ends[end].endpoint.poll_timeout().is_some_and(|(at, _)| at <= self.now);
            if due {
                self.at(end, |endpoint, at| endpoint.handle_timeout(at));
            }
        }
    }

    /// Lets time pass until something holds; panics when it does not within `limit`.
    pub(super) fn run_until(&mut self, limit: Duration, holds: impl Fn(&Net) -> bool) {
        let end = self.now + limit;
        while !holds(self) {
            assert!(self.now < end, "does not hold after {limit:?}");
            self.run(ms(10));
        }
    }

    /// One inner packet from `from` to the other end, told to the receiver's endpoint; whether
    /// the receiver could open it.
    pub(super) fn ping(&mut self, from: usize) -> bool {
        let Some(sending) = self.ends[from].sending else { return false };
        self.ping_on(from, sending)
    }

    /// The same on one of the Child SAs.
    pub(super) fn ping_on(&mut self, from: usize, sending: ChildId) -> bool {
        let to = 1 - from;
        let (_, keys) = self.ends[from].outbound[&sending].clone();
        let known = self.ends[to].inbound.iter().find(|sa| sa.keys == keys).cloned();
        let Some(known) = known else { return false };
        self.at(to, |endpoint, at| endpoint.on_inbound_traffic(known.child, at.now));
        true
    }

    /// Exactly one IKE SA at both ends, the same, with one Child SA that carries both ways.
    pub(super) fn assert_one_tunnel(&mut self) {
        let [west, east] = [WEST, EAST].map(|end| self.ends[end].ike_sas());
        assert_eq!((west.len(), east.len()), (1, 1), "one IKE SA each");
        assert_eq!(west[0].id.local, east[0].id.remote);
        assert_eq!(west[0].id.remote, east[0].id.local);
        let children = |sas: &[IkeView]| sas[0].children.clone();
        let (west, east) = (children(&west), children(&east));
        assert_eq!((west.len(), east.len()), (1, 1), "one Child SA each");
        assert_eq!(west[0].inbound, east[0].outbound);
        assert_eq!(west[0].outbound, east[0].inbound);
        assert_eq!((self.ends[WEST].children(), self.ends[EAST].children()), (1, 1));
        assert!(self.ping(WEST), "West cannot send to East");
        assert!(self.ping(EAST), "East cannot send to West");
    }
}

use super::*;
use crate::random::Seeded;
use crate::routing::bfd::Role;
use crate::wire::bfd::State;

const PEER: PeerId = PeerId(3);
const CONFIG: SessionConfig = SessionConfig {
    interval: Duration::from_millis(50),
    detect_mult: 3,
    role: Role::Active,
    beyond_is_down: false,
    is_leaving: false,
};

fn ends(ipv4: bool) -> Endpoints {
    let [local, remote] = match ipv4 {
        true => ["169.254.1.1", "169.254.1.2"],
        false => ["fd00::1", "fd00::2"],
    };
    Endpoints { local: local.parse().unwrap(), remote: remote.parse().unwrap() }
}

fn other(ends: Endpoints) -> Endpoints {
    Endpoints { local: ends.remote, remote: ends.local }
}

/// One gateway at a time.
struct One {
    sessions: Sessions,
    random: Seeded,
    now: Timestamp,
}

impl One {
    fn with(ends: Endpoints, seed: u64) -> One {
        let mut one =
            One { sessions: Sessions::default(), random: Seeded::new(seed), now: Timestamp::ZERO };
        one.act(|sessions, at| sessions.set(PEER, ends, CONFIG, at));
        one
    }

    fn act(&mut self, act: impl FnOnce(&mut Sessions, &mut Moment<'_>)) {
        act(&mut self.sessions, &mut Moment::simulated(self.now, &mut self.random));
    }

    /// Time passes, and all that is due happens.
    fn pass(&mut self, time: Duration, heard: Heard<'_>) {
        self.now += time;
        self.act(|sessions, at| {
            sessions.handle_silence(at.now, at, heard);
            sessions.handle_timeout(at, heard);
        });
    }

    fn take(&mut self, packet: &[u8]) {
        self.act(|sessions, at| sessions.handle_packet(PEER, packet, at));
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        let outputs = std::iter::from_fn(|| self.sessions.poll_output());
        let packet = |output| match output {
            Output::Send { packet, .. } => Some(packet),
            Output::Report { .. } => None,
        };
        outputs.filter_map(packet).collect()
    }

    fn state(&self) -> State {
        self.sessions.entries[&PEER].session.report().state
    }
}

/// A pair that has come up over one family.
fn pair(ipv4: bool) -> (One, One) {
    let (mut a, mut b) = (One::with(ends(ipv4), 1), One::with(other(ends(ipv4)), 2));
    for _ in 0..8 {
        for packet in a.sent() {
            b.take(&packet);
        }
        for packet in b.sent() {
            a.take(&packet);
        }
        a.pass(Duration::from_millis(2), &|_| None);
        b.pass(Duration::from_millis(2), &|_| None);
    }
    (a, b)
}

#[test]
fn two_gateways_come_up_over_both_families() {
    for ipv4 in [true, false] {
        let (a, b) = pair(ipv4);
        assert_eq!((a.state(), b.state()), (State::Up, State::Up));
        assert_eq!((a.sessions.discards(), b.sessions.discards()), Default::default());
    }
}

#[test]
fn packets_are_those_of_rfc_5881() {
    let mut one = One::with(ends(true), 1);
    let packet = one.sent().remove(0);
    let datagram = Datagram::in_packet(&packet).unwrap();
    assert_eq!((datagram.destination_port, datagram.ip.ttl), (3784, 255));
    assert!(SOURCE_PORTS.contains(&datagram.source_port));
    assert_eq!(datagram.ip.source, ends(true).local);
    one.pass(Duration::from_secs(1), &|_| None);
    let next = one.sent().remove(0);
    let port = Datagram::in_packet(&next).unwrap().source_port;
    assert_eq!(port, datagram.source_port, "all packets of a session have one port");
}

#[test]
fn what_is_not_from_the_peer_s_inside_address_is_discarded() {
    let (mut a, mut b) = pair(true);
    b.pass(Duration::from_millis(60), &|_| None);
    let good = b.sent().pop().unwrap();
    let before = a.state();
    let datagram = Datagram::in_packet(&good).unwrap();
    let from = SocketAddr::new(datagram.ip.source, datagram.source_port);
    let to = SocketAddr::new(datagram.ip.destination, PORT);
    let stranger = SocketAddr::new("169.254.9.9".parse().unwrap(), 50_000);
    let travel = Travel { ttl: 255, tos: 0 };
    let make = |from, to, ttl| udp::packet(from, to, Travel { ttl, ..travel }, datagram.payload);
    a.take(&make(stranger, to, 255).unwrap());
    a.take(&make(from, stranger, 255).unwrap());
    a.take(&make(from, SocketAddr::new(to.ip(), 4784), 255).unwrap());
    a.take(&make(from, to, 254).unwrap());
    a.take(&udp::packet(from, to, travel, &[0; 24]).unwrap());
    a.take(&[0x45; 10]);
    let discards = a.sessions.discards();
    assert_eq!((discards.not_ours, discards.hops, discards.malformed), (4, 1, 1));
    assert_eq!(a.state(), before);
}

#[test]
fn packets_without_a_session_are_counted() {
    let mut sessions = Sessions::default();
    let mut random = Seeded::new(1);
    let at = &mut Moment::simulated(Timestamp::ZERO, &mut random);
    sessions.handle_packet(PEER, &[], at);
    assert_eq!(sessions.discards().no_session, 1);
    assert!(sessions.poll_output().is_none() && sessions.poll_timeout().is_none());
}

#[test]
fn a_removed_session_says_nothing_more() {
    let mut one = One::with(ends(true), 1);
    one.sent();
    one.act(|sessions, _| sessions.remove(PEER));
    assert!(one.sessions.is_empty() && one.sessions.poll_timeout().is_none());
}

#[test]
fn other_addresses_begin_a_session_anew() {
    let (mut a, _) = pair(true);
    a.act(|sessions, at| sessions.set(PEER, ends(true), CONFIG, at));
    assert_eq!(a.state(), State::Up);
    a.act(|sessions, at| sessions.set(PEER, ends(false), CONFIG, at));
    assert_eq!(a.state(), State::Down);
    assert_eq!(a.sessions.discriminators.len(), 1);
}

/// Dice that fall on numbers that are no names, and on names that are taken.
struct Loaded(Vec<u8>);

impl crate::random::Random for Loaded {
    fn fill(&mut self, bytes: &mut [u8]) {
        let value = if self.0.len() > 1 { self.0.remove(0) } else { self.0[0] };
        bytes.fill(value);
    }
}

#[test]
fn every_session_has_a_discriminator_of_its_own() {
    let mut sessions = Sessions::default();
    let mut dice = Loaded(vec![0, 5, 5, 5, 0, 7]);
    let drawn = [0; 2].map(|_| sessions.discriminator(&mut dice));
    assert_eq!(drawn, [0x0505_0505, 0x0707_0707]);
}

#[test]
fn silence_is_reported_once_with_its_reason() {
    let (mut a, _) = pair(true);
    while a.sessions.poll_output().is_some() {}
    let mut reports = Vec::new();
    for _ in 0..500 {
        a.pass(Duration::from_millis(1), &|_| None);
        reports.extend(std::iter::from_fn(|| a.sessions.poll_output()).filter_map(|output| {
            match output {
                Output::Report { report, .. } => Some((report.state, report.diagnostic.0)),
                Output::Send { .. } => None,
            }
        }));
    }
    assert_eq!(reports, [(State::Down, 1)]);
}

#[test]
fn data_of_the_peer_keep_the_session_up() {
    let (mut a, _) = pair(true);
    for _ in 0..1000 {
        let soon = a.now + Duration::from_millis(1);
        a.pass(Duration::from_millis(1), &|_| Some(soon));
    }
    assert_eq!(a.state(), State::Up);
}

/// A thousand sessions that nobody answers send three packets each in ten seconds, in much fewer
/// goes.
#[test]
fn packets_of_many_sessions_leave_together() {
    let mut one = One::with(ends(true), 1);
    let slow = SessionConfig { interval: Duration::from_millis(3000), ..CONFIG };
    for peer in 0..1000 {
        one.act(|sessions, at| sessions.set(PeerId(peer), ends(true), slow, at));
    }
    one.sent();
    let (mut goes, mut packets) = (0, 0);
    let end = Timestamp::from_millis(60_000);
    while let Some(at) = one.sessions.poll_timeout().filter(|at| *at < end) {
        one.pass(at.since(one.now), &|_| None);
        packets += one.sent().len();
        goes += 1;
    }
    assert!(packets > 20_000, "{packets}");
    assert!(goes * 15 < packets, "{packets} packets in {goes} goes");
}

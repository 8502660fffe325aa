//! Peers that are old, odd or broken: a hand-written peer against one router.

use super::*;
use crate::routing::Attributes;
use crate::routing::attributes::{AsPath, Segment, TransitiveAttribute};
use crate::routing::bgp::codec::{self, Context};
use crate::routing::bgp::{
    Capabilities, Family, Frame, FrameBuffer, Message, Open, Refresh, State,
};

const PEER: PeerId = PeerId(1);

/// A router with one neighbour that has connected and is played by the test.
pub(super) struct Stage {
    pub router: Router,
    connection: ConnectionId,
    connections: u64,
    pub now: Timestamp,
    pub frames: FrameBuffer,
    pub received: Vec<Frame>,
    closed: bool,
}

impl Stage {
    pub(super) fn new(transit: bool) -> Stage {
        let config = RouterConfig { transit, ..RouterConfig::new(asn(0), [192, 0, 2, 1].into()) };
        let mut router = Router::new(config, &mut Seeded::new(1));
        let now = Timestamp::from_millis(1000);
        let (local, remote) = (addr(0), addr(1));
        let kind = NeighborKind::Bgp {
            remote_asn: asn(1),
            local,
            remote,
            role: None,
            strict_role: false,
            hold_time: Duration::from_secs(9),
            passive: true,
        };
        let config = NeighborConfig {
            kind,
            side: Side::Tunnel,
            import: anything(),
            maps: Mappings::default(),
            import_rules: [].into(),
            export_rules: [].into(),
            local_preference: 100,
            max_prefixes: 1000,
        };
        router.add_neighbor(PEER, config, now);
        router.on_tunnel(PEER, true, now);
        let connection = ConnectionId::accepted(1);
        router.handle_accepted(connection, local, remote, now);
        let frames = FrameBuffer::default();
        let mut stage = Stage {
            router,
            connection,
            connections: 1,
            now,
            frames,
            received: Vec::new(),
            closed: false,
        };
        stage.listen();
        stage
    }

    /// A router whose neighbour has sent `open` and is established.
    pub(super) fn established(open: &Open, transit: bool) -> Stage {
        let mut stage = Stage::new(transit);
        stage.play(&codec::open(open));
        stage.play(&codec::keepalive());
        assert_eq!(stage.state(), State::Established);
        stage
    }

    /// The connection is gone, and nobody has said why.
    pub(super) fn hang_up(&mut self) {
        self.router.handle_closed(self.connection, self.now);
        self.listen();
    }

    /// The peer connects once more and comes to a session.
    pub(super) fn connect_again(&mut self, open: &Open) {
        self.connections += 1;
        self.connection = ConnectionId::accepted(self.connections);
        self.frames = FrameBuffer::default();
        self.router.handle_accepted(self.connection, addr(0), addr(1), self.now);
        self.listen();
        self.play(&codec::open(open));
        self.play(&codec::keepalive());
        assert_eq!(self.state(), State::Established);
    }

    /// Time passes, and the peer says nothing.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.router.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.router.handle_timeout(self.now);
            self.listen();
        }
        self.now = end;
    }

    /// Prefixes that have to be announced again.
    pub(super) fn stale(&self) -> usize {
        self.router.rib.stale_count(PEER)
    }

    pub(super) fn play(&mut self, bytes: &[u8]) {
        self.router.handle_bytes(self.connection, bytes, self.now);
        while self.router.is_busy() {
            self.router.handle_timeout(self.now);
        }
        self.listen();
    }

    pub(super) fn listen(&mut self) {
        while let Some(action) = self.router.poll_action() {
            match action {
                Action::Send { bytes, connection } if connection == self.connection => {
                    let mut input = &bytes[..];
                    while let Some(frame) = self.frames.next(&mut input).expect("sound octets") {
                        self.received.push(frame);
                    }
                }
                Action::Close { connection } => self.closed |= connection == self.connection,
                _ => {}
            }
        }
    }

    pub(super) fn state(&self) -> State {
        self.router.neighbors()[0].state.expect("a session")
    }

    pub(super) fn ways(&self) -> usize {
        self.router.rib.reached().count()
    }

    /// Code and subcode of the last message, if it is a notification.
    pub(super) fn notification(&self) -> Option<(u8, u8)> {
        match codec::decode(self.received.last()?, &Context::default()) {
            Ok(Message::Notification(notification)) => {
                Some((notification.code, notification.subcode))
            }
            _ => None,
        }
    }
}

#[test]
fn a_two_octet_speaker_is_understood_and_spoken_to() {
    let old = Open { four_octet: false, families: [Family::Ipv4].into(), ..peer_open() };
    let mut stage = Stage::established(&old, true);
    stage.router.set_local_prefixes(prefixes(&["10.1.0.0/16", "fd00:1::/48"]), stage.now);
    stage.listen();
    let families = [Family::Ipv4].into();
    let narrow = Context { four_octet: false, families, ..context() };
    let update = stage.received.last().map(|frame| codec::decode(frame, &narrow));
    let Some(Ok(Message::Update(update))) = update else { panic!("an update in two octets") };
    assert_eq!(update.announced[0].attributes.as_path, AsPath::sequence([asn(0)]));
    assert_eq!(update.announced[0].prefixes, [prefix("10.1.0.0/16")], "no family it did not name");

    let attributes = path(&[65002, 4_200_000_001]);
    let bytes = codec::announcements(&attributes, Family::Ipv4, &[prefix("10.2.0.0/16")], &narrow);
    stage.play(&bytes.concat());
    let route = stage
        .router
        .routes(None, usize::MAX)
        .into_iter()
        .find(|r| r.prefix == prefix("10.2.0.0/16"));
    let path = &route.expect("the route").paths[0].attributes.as_path;
    assert_eq!(path.to_string(), "65002 4200000001");
}

#[test]
fn loops_and_foreign_paths_are_rejected_visibly() {
    use RejectReason::{AsLoop, ForeignFirstAs};
    let mut stage = Stage::established(&peer_open(), false);
    stage.play(&announce(&path(&[65002, 65001]), "10.2.0.0/16"));
    stage.play(&announce(&path(&[65009]), "10.3.0.0/16"));
    let set = Attributes { as_path: AsPath(vec![Segment::Set(vec![asn(1)])]), ..path(&[]) };
    stage.play(&announce(&set, "10.4.0.0/16"));
    stage.play(&announce(&path(&[65002]), "10.5.0.0/16"));
    assert_eq!(stage.ways(), 1);
    let rejected = &stage.router.neighbors()[0].rejected;
    let reasons: Vec<RejectReason> = rejected.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [AsLoop, ForeignFirstAs, ForeignFirstAs]);
    // An implicit withdraw: the accepted path is replaced by one that may not be used.
    stage.play(&announce(&path(&[65002, 65001]), "10.5.0.0/16"));
    assert_eq!(stage.ways(), 0);
}

#[test]
fn unknown_transitive_attributes_are_carried_on() {
    let mut net = Net::with(3, |n| RouterConfig {
        transit: true,
        ..RouterConfig::new(asn(n), Ipv4Addr::new(192, 0, 2, n as u8 + 1))
    });
    net.link(0, 1);
    net.link(1, 2);
    net.run(500);
    let transitive = vec![
        TransitiveAttribute { code: 8, partial: false, body: vec![0xfd, 0xe9, 0, 7] },
        TransitiveAttribute { code: 99, partial: true, body: vec![1, 2, 3] },
    ];
    let attributes = std::sync::Arc::new(Attributes { transitive, ..path(&[65001]) });
    let prefixes = vec![prefix("10.9.0.0/16")];
    let announcement = bgp::Announcement { attributes: attributes.clone(), prefixes };
    let update = bgp::Update { announced: vec![announcement], ..bgp::Update::default() };
    net.routers[1].on_update(PeerId(0), update, net.now);
    net.routers[1].settle(net.now);
    net.run(100);
    let route = net.routers[2].routes(None, usize::MAX).remove(0);
    assert_eq!(route.paths[0].attributes.transitive, attributes.transitive);
    assert_eq!(route.paths[0].attributes.as_path.to_string(), "65002 65001");
}

#[test]
fn a_route_refresh_is_answered_with_everything_of_the_family() {
    let mut stage = Stage::established(&peer_open(), false);
    stage.router.set_local_prefixes(prefixes(&["10.1.0.0/16", "fd00:1::/48"]), stage.now);
    stage.listen();
    let before = stage.received.len();
    stage.play(&codec::route_refresh(Family::Ipv6, Refresh::Wanted));
    let prefixes_of = |frame| match codec::decode(frame, &context()) {
        Ok(Message::Update(update)) => Some(update.announced[0].prefixes.clone()),
        _ => None,
    };
    let again: Vec<_> = stage.received[before..].iter().filter_map(prefixes_of).collect();
    assert_eq!(again, [[prefix("fd00:1::/48")]]);
}

#[test]
fn what_has_no_place_in_a_state_ends_the_connection() {
    let update = announce(&path(&[65002]), "10.2.0.0/16");
    let cases = [
        (codec::keepalive(), State::OpenSent, (5, 1)),
        (update.clone(), State::OpenSent, (5, 1)),
        (codec::route_refresh(Family::Ipv4, Refresh::Wanted), State::OpenSent, (5, 1)),
        (update, State::OpenConfirm, (5, 2)),
        (codec::open(&peer_open()), State::OpenConfirm, (5, 2)),
        (codec::open(&peer_open()), State::Established, (5, 3)),
    ];
    for (bytes, state, expected) in cases {
        let mut stage = Stage::new(false);
        if state > State::OpenSent {
            stage.play(&codec::open(&peer_open()));
        }
        if state > State::OpenConfirm {
            stage.play(&codec::keepalive());
        }
        assert_eq!(stage.state(), state);
        stage.play(&bytes);
        assert_eq!(stage.notification(), Some(expected), "{state}");
        assert!(stage.closed);
    }
}

#[test]
fn a_broken_update_withdraws_and_keeps_the_session() {
    let mut stage = Stage::established(&peer_open(), false);
    let sound = announce(&path(&[65002]), "10.2.0.0/16");
    stage.play(&sound);
    assert_eq!(stage.ways(), 1);
    let mut broken = sound;
    let origin = broken.windows(3).position(|w| w == [0x40, 1, 1]).expect("ORIGIN");
    broken[origin + 3] = 9;
    stage.play(&broken);
    assert_eq!((stage.ways(), stage.state()), (0, State::Established));
    assert_eq!(stage.router.neighbors()[0].counters.treated_as_withdraw, 1);
}

#[test]
fn every_truncation_of_a_session_leaves_the_router_sound() {
    let session = recorded();
    for length in 0..session.len() {
        let mut stage = Stage::new(false);
        stage.play(&session[..length]);
        stage.router.handle_closed(stage.connection, stage.now);
        stage.listen();
        assert_eq!((stage.state(), stage.ways()), (State::Active, 0), "cut at {length}");
    }
}

#[test]
fn every_flipped_bit_is_survived_or_answered_with_the_right_notification() {
    let session = recorded();
    for bit in 0..session.len() * 8 {
        let mut flipped = session.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut stage = Stage::new(true);
        stage.play(&flipped);
        let code = stage.notification().map_or(0, |(code, _)| code);
        assert!(code <= 3 || code == 5, "bit {bit}: {:?}", stage.notification());
        let ended_by_us = stage.notification().is_some();
        assert!(!ended_by_us || stage.closed, "bit {bit}: told, so closed");
        assert!(stage.ways() <= 2);
    }
}

pub(super) fn peer_open() -> Open {
    Open {
        asn: asn(1),
        four_octet: true,
        hold_time: 9,
        identifier: Ipv4Addr::new(192, 0, 2, 2),
        families: Family::ALL.into(),
        capabilities: Capabilities {
            route_refresh: true,
            extended_next_hop: false,
            ..Capabilities::default()
        },
    }
}

pub(super) fn context() -> Context {
    let families = Family::ALL.into();
    Context { four_octet: true, internal: false, families, ..Context::default() }
}

pub(super) fn path(asns: &[u32]) -> Attributes {
    Attributes {
        as_path: AsPath::sequence(asns.iter().copied().map(Asn)),
        ..Attributes::originated(Ipv4Addr::new(192, 0, 2, 2).into())
    }
}

/// A peer's own route, of either family.
pub(super) fn announce_own(text: &str) -> Vec<u8> {
    let v4 = path(&[65002]);
    let v6 = Attributes { next_hop: addr(1), ..v4.clone() };
    announce(if prefix(text).is_ipv4() { &v4 } else { &v6 }, text)
}

fn announce(attributes: &Attributes, text: &str) -> Vec<u8> {
    let prefixes = [prefix(text)];
    codec::announcements(attributes, Family::of(&prefixes[0]), &prefixes, &context()).concat()
}

/// A whole session of a peer, with routes of both families and withdrawals.
fn recorded() -> Vec<u8> {
    let mut rich = path(&[65002, 70000]);
    rich.med = Some(5);
    rich.transitive.push(TransitiveAttribute { code: 8, partial: false, body: vec![0; 8] });
    let v6 = Attributes { next_hop: addr(1), ..path(&[65002]) };
    [
        codec::open(&peer_open()),
        codec::keepalive(),
        announce(&rich, "10.2.0.0/16"),
        announce(&v6, "fd00:2::/48"),
        codec::withdrawals(Family::Ipv4, &[prefix("10.2.0.0/16")]).concat(),
        codec::withdrawals(Family::Ipv6, &[prefix("fd00:2::/48")]).concat(),
        codec::route_refresh(Family::Ipv4, Refresh::Wanted),
        codec::notification(&bgp::Notification { code: 6, subcode: 2, data: vec![] }),
    ]
    .concat()
}
